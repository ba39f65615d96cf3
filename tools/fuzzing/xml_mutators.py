"""Mutations of XML that know its structure: elements, attributes, texts, entities, encodings."""
import copy
import random
from xml.etree import ElementTree

from fuzzing.byte_mutators import mutate_bytes
from fuzzing.json_mutators import NAMES, encode
from fuzzing.text_mutators import CELLS

BOMB = ('<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">' + ''.join(
    f'<!ENTITY {new} "{f"&{old};" * 10}">' for old, new in zip('abcdefgh', 'bcdefghi', strict=True))
        + ']>')
HEADS = (BOMB, '<!DOCTYPE a SYSTEM "file:///etc/passwd">', '<!DOCTYPE a>',
         '<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
         '<?xml version="1.0" encoding="utf-16"?>', '<?xml version="1.0" encoding="latin-1"?>',
         '<?xml version="1.0" encoding="idna"?>', '<?xml version="1.0" encoding="zip"?>',
         '<?xml version="1.1"?>', '<?php 1 ?>', '<!-- a -->', ' ')
NUMBERS = ('0', '-1', '1', '1e7', '1e8', '0.5', '99.9999', '100', '101', '100.5', '1e308',
           '2147483648')


def another_text(text: str | None, rng: random.Random) -> str:
    """Return another value of an attribute or element, a number more often where there was one."""
    text = text or ''
    if rng.random() < .5:
        try:
            number = float(text)
        except ValueError:
            return rng.choice([text + ' ', text[:-1], text.upper(), text.replace(',', ';'),
                               text.replace('.', ','), text * 3, rng.choice(NUMBERS)])
        return str(rng.choice([number + 1, number - 1, -number, number * 10, number / 3,
                               rng.uniform(-5, 110), rng.choice(NUMBERS)]))
    return rng.choice(CELLS)


def mutate_element(root: ElementTree.Element, rng: random.Random) -> None:
    """Change one element of a tree, or its place in it."""
    parents = [(parent, child) for parent in root.iter() for child in parent]
    parent, element = rng.choice(parents) if parents else (None, root)
    way = rng.randrange(9)
    keys = list(element.keys())
    if way < 3 and keys:
        key = rng.choice(keys)
        element.set(key, another_text(element.get(key), rng))
    elif way < 3 or way == 3:
        element.text = another_text(element.text, rng)
    elif way == 4 and keys:
        value = element.attrib.pop(rng.choice(keys))
        if rng.random() < .5:
            element.set(rng.choice(['id', 'x', 'outside', 'rotation', 'points', 'xmlns']), value)
    elif way == 5 and parent is not None:
        parent.remove(element)
    elif way == 6 and parent is not None:
        for _ in range(rng.choice([1, 1, 2, 200])):
            parent.append(copy.deepcopy(element))
    elif way == 7:
        element.tag = rng.choice(['a', 'box', 'points', 'image', 'object', 'mask', 'track',
                                  'x' * 3000, *(other.tag for other in root.iter())])
    else:
        other = rng.choice(list(root.iter()))
        other.insert(0, copy.deepcopy(element))


def mutate_xml(data: bytes, rng: random.Random) -> bytes:
    """Return mutated XML: by structure in four of five cases, else by bytes.

    Args:
        data: Valid XML.
        rng: Source of chance.
    """
    if rng.random() < .2:
        return mutate_bytes(data, rng)
    root = ElementTree.fromstring(data)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        mutate_element(root, rng)
    text = ElementTree.tostring(root, 'unicode')
    if rng.random() < .1:
        entity = rng.choice(['&a;', '&i;', '&lt;', '&#0;'])
        text = rng.choice(HEADS) + text.replace('fracture', entity)
    if rng.random() < .03:
        text = '<a>' * rng.choice([200, 50_000]) + text
    if rng.random() < .03:
        text = text.replace('fracture', rng.choice(NAMES))
    return encode(text, rng)
