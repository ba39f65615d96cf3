"""Digests of what a record holds, which tell that an entry is not the one that was written.

Records have them since version 0.2. They find what checks of one number against another cannot: a
name, a group, a score that changes no reported number. They are no signature: who alters a record on
purpose can make them again.
"""
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmwindow.utils.messages import count_words, name_some, quote, shorten

OTHERS = ('format', 'digests', 'classes')  # all other entries have a digest of their own
MAX_NAME = 60  # characters of the name of an image or a class in a message
AGAIN = 'the record was altered, or is not of one test: write it again'


def name_class(path: Path, name: Any) -> str:
    """Return how messages name a class of a record."""
    show = shorten if str(name).isprintable() else quote
    return f'{path}: class {show(name, MAX_NAME)}'


def digest(value: Any, length: int = 16) -> str:
    """Return the first hexadecimal digits of the SHA-256 of plain data, written as canonical JSON."""
    # A number too large for a float is read as infinite: another digest, not an error of its own.
    text = json.dumps(value, sort_keys=True, separators=(',', ':'))
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def class_digests(images: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a digest of each entry over all images, and of each image over all its entries.

    Together they tell which entry of which image is another.
    """
    names = sorted({name for img in images for name in img})
    return dict(fields={name: digest([img.get(name) for img in images]) for name in names},
                images=[digest(img, 8) for img in images])


def record_digests(content: Mapping[str, Any]) -> dict[str, str]:
    """Return the digests of the entries of a record, those of its classes without their images."""
    heads = [{name: value for name, value in entry.items() if name != 'images'}
             for entry in content['classes']]
    return {**{name: digest(value) for name, value in content.items() if name not in OTHERS},
            'classes': digest(heads)}


def check_digests(path: Path, content: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` where an entry of a record is not the one that was written.

    A record of before version 0.2 has no digests and passes.
    """
    written = content.get('digests')
    if written is None:
        return
    if not isinstance(written, dict):
        raise ValueError(f'{path}: its digests are {shorten(written)}; {AGAIN}')
    for entry in content['classes']:
        where = name_class(path, entry['name'])
        own, found = entry.get('digests'), class_digests(entry['images'])
        if not isinstance(own, dict) or not isinstance(own.get('images'), list) or (
                not isinstance(own.get('fields'), dict)):
            raise ValueError(f'{where} has the digests {shorten(own)}; {AGAIN}')
        fields = [name for name in sorted({*own['fields'], *found['fields']})
                  if own['fields'].get(name) != found['fields'].get(name)]
        if len(own['images']) != len(found['images']):
            raise ValueError(f'{where} has {count_words(len(found["images"]), "image")} but digests '
                             f'of '
                             f'{len(own["images"])}; {AGAIN}')
        images = [img.get('image_id') for img, one, other in zip(
            entry['images'], own['images'], found['images'], strict=True) if one != other]
        if fields or images:
            shown = quote(images[0], MAX_NAME) if images else '?'
            raise ValueError(f'{where}, image {shown}: its {name_some(fields) or "entries"} '
                             f'{"is" if len(fields) == 1 else "are"} not what was written (digest); '
                             f'{AGAIN}')
    found_entries = record_digests(content)
    for name in sorted({*written, *found_entries}):
        if written.get(name) != found_entries.get(name):
            raise ValueError(f'{path}: its entry {quote(name)} is not what was written (digest); '
                             f'{AGAIN}')
