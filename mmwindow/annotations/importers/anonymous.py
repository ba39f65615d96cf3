"""Images under running names, without what their files say besides pixels.

File names, columns of tables and metadata of images may hold names of patients. Nothing of them is
written: images become PNG of their pixels alone, patients are numbered, and only a table that the
user asks for says which image was which. Text that is drawn into the pixels stays.
"""
import csv
import io
import os
import re
from pathlib import Path
from typing import Any

import cv2

from mmwindow.images import formats
from mmwindow.images.decode import ImageSettings, decode_image, read_bytes, read_header
from mmwindow.images.dicom_tags import PatientNumbers
from mmwindow.utils.files import atomic_file, write_text
from mmwindow.utils.messages import shorten

RUNNING_NAME = re.compile(r'^\d{6,}\.png$')


def rename_images(content: dict[str, Any], keep_ids: bool = False) -> dict[str, str]:
    """Give the images of a point file running names and their patients running numbers, in place.

    Args:
        content: COCO JSON of an import.
        keep_ids: Whether patients keep what they are called.

    Returns:
        Old name -> new name, in the order of the file.

    >>> content = dict(images=[dict(file_name='Doe^Jane.dcm', group='Doe'), dict(file_name='b.png')])
    >>> rename_images(content), content['images'][0]
    ({'Doe^Jane.dcm': '000001.png', 'b.png': '000002.png'}, {'file_name': '000001.png', 'group': '1'})
    """
    numbers, table = PatientNumbers(), {}
    for place, image in enumerate(content['images'], start=1):
        table[image['file_name']] = image['file_name'] = f'{place:06d}.png'
        if 'group' in image and not keep_ids:
            image['group'] = str(numbers.number(str(image['group'])))
    return table


def write_plain_image(source: Path, target: Path) -> None:
    """Write the pixels of an image as a PNG that says nothing else.

    Pixels are those that training reads: of 8 bits, or of 16 where the file leaves open how many of
    them count.

    Raises:
        ValueError: The image cannot be read.
    """
    name, settings = shorten(str(source)), ImageSettings()
    data = read_bytes(source, settings, name)
    header = read_header(data, settings, name)
    if header.bits == 16 and not header.is_white_zero:
        try:
            pixels = formats.decode(data, header)
        except ValueError as error:
            raise ValueError(f'{name}: {error}') from error
    else:
        pixels = decode_image(data, header, settings, name).to_8_bit()
    encoded = cv2.imencode('.png', pixels)[1].tobytes()
    with atomic_file(target) as part:
        part.write_bytes(encoded)


def write_names_table(path: Path, table: dict[str, str], out: Path) -> None:
    """Write which image has which new name, for the user alone (mode 600 where there are modes).

    Args:
        path: A CSV ``old,new``.
        table: Old name -> new name.
        out: Folder of the import, which may be given away.

    Raises:
        ValueError: The table would lie in that folder.
    """
    check_names_table(path, out)
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator='\n')
    writer.writerows([('old', 'new'), *table.items()])
    write_text(path, stream.getvalue())
    os.chmod(path, 0o600)


def check_names_table(path: Path, out: Path) -> None:
    """Check that the table of names lies outside the folder of an import.

    Raises:
        ValueError: It does not.
    """
    if path.resolve().is_relative_to(out.resolve()):
        raise ValueError(f'--names-table {shorten(str(path))}: it holds the old names and would lie '
                         'in --out, which has none of them; write it elsewhere')


def check_images_folder(folder: Path) -> None:
    """Check that nothing is left in a folder that an earlier import may have named otherwise.

    Raises:
        ValueError: Something is.
    """
    if folder.is_dir() and any(not RUNNING_NAME.match(path.name) for path in folder.iterdir()):
        raise ValueError(f'{shorten(str(folder))}: there are files of other names in it, which may '
                         'tell who is on them; with --anonymous-names give an empty --out')
