"""Synthetic radiographs as other people's data: what their tools and their publications look like."""
import csv
import io
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmwindow.synthetic.clicks import COLUMNS, write_clicks
from mmwindow.synthetic.dicom_images import write_dicom
from mmwindow.synthetic.writing import ImageRecord, derive_seed, make_images, plan_images
from mmwindow.utils.files import write_json, write_text
from mmwindow.utils.messages import count_words

# Of a reader: share of the fractures marked, false marks an image, share of the images read.
READERS = {'Ada': (.95, .05, 1.), 'Ben': (.85, .15, 1.), 'Cleo': (.75, .05, .7)}
JITTER = .012  # of the long edge: standard deviation of a reader's click
PARTS = ('hand', 'leg', 'hip', 'shoulder')
FRACATLAS_COLUMNS = ('image_id', *PARTS, 'mixed', 'hardware', 'multiscan', 'fractured',
                     'fracture_count', 'frontal', 'lateral', 'oblique')


def make_records(folder: Path, number: int, seed: int, side: int, workers: int | None = None,
                 patients: str = 'patient') -> list[ImageRecord]:
    """Write ``number`` radiographs as PNG into ``folder`` and return their records.

    Args:
        folder: Must have no files yet.
        number: Of images.
        seed: Of all of them.
        side: Long edge, pixels.
        workers: Processes; None: two where the machine has them.
        patients: How patients' names begin.

    Raises:
        ValueError: There are files already, or a number is too small.
    """
    if number < 1 or side < 32 or seed < 0:
        raise ValueError(f'{count_words(number, "image")} of side {side}, seed {seed}: at least one '
                         'image of side 32 and a seed of 0 or more are expected')
    if folder.is_dir() and any(folder.iterdir()):
        raise ValueError(f'{folder}: there are files already; name another folder or delete it')
    folder.mkdir(parents=True, exist_ok=True)
    return make_images(plan_images(seed, {patients: number}), folder, side, True, workers)


def write_readings(folder: str | Path, number: int, seed: int = 0, side: int = 512,
                   workers: int | None = None) -> Path:
    """Write ``images/*.png`` and ``readings.csv``: three readers, a row a mark.

    The images are others than those of the same seed in a table of clicks, so that a model which was
    trained on these can be tested. Readers miss fractures, mark places without one and click next to
    the truth; the third reads only some images. A row with empty coordinates: this reader has read
    the image and found nothing.

    Raises:
        ValueError: As :func:`make_records`.
    """
    folder = Path(folder)
    other = seed if seed < 0 else derive_seed(seed, 1)
    records = make_records(folder / 'images', number, other, side, workers, 'challenge')
    generator = np.random.default_rng([seed, 1])
    rows: list[tuple[Any, ...]] = [(*COLUMNS, 'reader')]
    for record in records:
        image = record.image
        size = np.array([image['width'], image['height']])
        for reader, (recall, false_marks, share) in READERS.items():
            if generator.random() >= share:
                continue
            marks = [np.array(point['keypoints'][:2]) + generator.normal(0, JITTER * side, 2)
                     for point in record.points if generator.random() < recall]
            marks += [generator.uniform(.2, .8, 2) * size
                      for _ in range(generator.poisson(false_marks))]
            for mark in marks:
                x, y = np.clip(mark, 0, size - .01).round(2).tolist()
                rows.append((image['file_name'], x, y, 'fracture', image['group'], reader))
            if not marks:
                rows.append((image['file_name'], '', '', '', image['group'], reader))
    return write_table(folder / 'readings.csv', rows)


def write_label_studio(folder: str | Path, number: int, seed: int = 0, side: int = 512,
                       workers: int | None = None) -> Path:
    """Write ``dicom/*.dcm`` and ``label_studio.json``, its raw export.

    Half of the files are MONOCHROME1. The pictures were uploaded as PNG under the names of the DICOM
    files, and the tool has put eight characters before each name. The last image was labelled by
    nobody, the annotation of the one before was cancelled.

    Raises:
        ValueError: As :func:`make_records`.
    """
    folder = Path(folder)
    records = make_records(folder / 'pictures', number, seed, side, workers, 'hospital')
    (folder / 'dicom').mkdir(exist_ok=True)
    tasks = []
    for place, record in enumerate(records):
        path = folder / 'pictures' / record.image['file_name']
        stem = f'IM{record.image["id"]:04d}'
        write_dicom(folder / 'dicom' / f'{stem}.dcm', _read_grey(path),
                    record.image['group'], record.image['id'], inverted=place % 2 == 1)
        annotation = dict(id=place + 1, completed_by=1, was_cancelled=place == number - 2,
                          created_at='2026-03-02T09:00:00Z', updated_at='2026-03-02T09:00:00Z',
                          result=[_region(record.image, point, index)
                                  for index, point in enumerate(record.points)])
        tasks.append(dict(
            id=place + 1, data=dict(image=f'/data/upload/1/{place + 0x8f3a2b1c:08x}-{stem}.png'),
            annotations=[annotation] if place < number - 1 else [], predictions=[]))
    shutil.rmtree(folder / 'pictures')
    path = folder / 'label_studio.json'
    write_json(path, tasks)
    return path


def _read_grey(path: Path) -> np.ndarray:
    """Return a picture that was just written, ``(H, W)``."""
    return np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))


def _region(image: dict[str, Any], point: dict[str, Any], index: int) -> dict[str, Any]:
    x, y = point['keypoints'][:2]
    return dict(id=f'r{index}', type='keypointlabels', from_name='kp', to_name='image',
                original_width=image['width'], original_height=image['height'], image_rotation=0,
                value=dict(x=100 * x / image['width'], y=100 * y / image['height'], width=.5,
                           keypointlabels=['fracture']))


def write_fracatlas(folder: str | Path, number: int, seed: int = 0, side: int = 512,
                    workers: int | None = None) -> Path:
    """Write a stand-in of FracAtlas in the folders and under the names of its authors.

    ``images/Fractured``, ``images/Non_fractured``, ``Annotations/COCO JSON/COCO_fracture_masks.json``
    (polygons, fractured images alone), ``dataset.csv``. As in the original, some images are cut short
    (two), and some are there twice, with one label (two) and with both (two). Its other formats of
    annotations and its notebooks are not imitated.

    Raises:
        ValueError: Fewer than 16 images, or as :func:`make_records`.
    """
    folder = Path(folder)
    if number < 16:
        raise ValueError(f'{count_words(number, "image")}: at least 16 are needed for '
                         'copies and cut images')
    records = make_records(folder / 'pictures', number, seed, side, workers)
    images = [dict(record.image, file_name=f'IMG{record.image["id"]:07d}.jpg',
                   body_part=PARTS[record.image['id'] % len(PARTS)], hardware=0, multiscan=0)
              for record in records]
    annotations = [dict(point, segmentation=[[round(v, 2) for v in point['segmentation'][0]]])
                   for record in records for point in _outlines(record)]
    path = arrange_fracatlas(folder, images, annotations)
    for record, image in zip(records, images, strict=True):
        source = folder / 'pictures' / record.image['file_name']
        cv2.imwrite(str(place_of(folder, image, bool(record.points))), _read_grey(source))
    shutil.rmtree(folder / 'pictures')
    negative = [place_of(folder, image, False) for record, image in zip(records, images, strict=True)
                if not record.points]
    positive = [place_of(folder, image, True) for record, image in zip(records, images, strict=True)
                if record.points]
    for source, target in zip((*negative[:2], *positive[:2]), negative[2:6], strict=True):
        shutil.copy(source, target)
    for cut in negative[-2:]:
        cut.write_bytes(cut.read_bytes()[:-cut.stat().st_size // 3])
    return path


def _outlines(record: ImageRecord) -> list[dict[str, Any]]:
    """Return one annotation of each fracture, which may have several points."""
    return list({point['fracture']: point for point in record.points}.values())


def copy_fracatlas(folder: str | Path, source: str | Path) -> Path:
    """Arrange FracAtlas' development part as its authors publish the complete data set.

    Args:
        folder: Where; receives copies of the images.
        source: Holds ``fractures.json`` (all images, polygons, body parts), ``images/`` and, where
            it has them, ``truncated/``: negative images that the authors' files have cut short.

    Raises:
        ValueError: ``folder`` has files already.
    """
    folder, source = Path(folder), Path(source).resolve()
    if folder.is_dir() and any(folder.iterdir()):
        raise ValueError(f'{folder}: there are files already; name another folder or delete it')
    content = json.loads((source / 'fractures.json').read_text(encoding='utf-8'))
    path = arrange_fracatlas(folder, content['images'], content['annotations'])
    positive = {annotation['image_id'] for annotation in content['annotations']}
    for image in content['images']:
        shutil.copyfile(source / 'images' / image['file_name'],
                        place_of(folder, image, image['id'] in positive))
    for file in sorted((source / 'truncated').glob('*.jpg')):
        shutil.copyfile(file, folder / 'images/Non_fractured' / file.name)
    return path


def place_of(folder: Path, image: dict[str, Any], is_fractured: bool) -> Path:
    """Return where the authors put an image."""
    return folder / 'images' / ('Fractured' if is_fractured else 'Non_fractured') / image['file_name']


def arrange_fracatlas(folder: Path, images: Sequence[dict[str, Any]],
                      annotations: Sequence[dict[str, Any]]) -> Path:
    """Write folders, table and COCO file of FracAtlas; return the COCO file."""
    counts = {image['id']: 0 for image in images}
    for annotation in annotations:
        counts[annotation['image_id']] += 1
    for name in ('images/Fractured', 'images/Non_fractured', 'Annotations/COCO JSON'):
        (folder / name).mkdir(parents=True, exist_ok=True)
    rows: list[tuple[Any, ...]] = [FRACATLAS_COLUMNS]
    for image in images:
        part = image.get('body_part')
        rows.append((image['file_name'], *(int(part == name) for name in PARTS),
                     int(part not in PARTS), image['hardware'], image['multiscan'],
                     int(counts[image['id']] > 0), counts[image['id']], 0, 0, 0))
    write_table(folder / 'dataset.csv', rows)
    listed = [image for image in images if counts[image['id']]]
    numbers = {image['id']: place for place, image in enumerate(listed, start=1)}
    path = folder / 'Annotations/COCO JSON/COCO_fracture_masks.json'
    write_json(path, dict(
        info=dict(description='FracAtlas'),
        images=[dict(id=numbers[image['id']], width=image['width'], height=image['height'],
                     file_name=image['file_name']) for image in listed],
        annotations=[dict(id=place, iscrowd=0, image_id=numbers[annotation['image_id']],
                          category_id=1, segmentation=annotation['segmentation'],
                          bbox=annotation['bbox'], area=annotation['area'])
                     for place, annotation in enumerate(annotations)],
        categories=[dict(id=1, name='fractured')]))
    return path


def write_faulty_clicks(folder: str | Path, number: int, seed: int = 0, side: int = 512,
                        workers: int | None = None) -> Path:
    """Write what :func:`~mmwindow.synthetic.write_clicks` writes, with three common faults.

    The first image is cut short; the clicks of the first positive image are fractions of its size;
    the second positive one is there twice, the copy without a finding and under another patient.

    Raises:
        ValueError: Fewer than 8 images, or as :func:`~mmwindow.synthetic.write_clicks`.
    """
    if number < 8:
        raise ValueError(f'{count_words(number, "image")}: at least 8 are needed for faults')
    table = write_clicks(folder, number, seed, side, workers=workers)
    with table.open(encoding='utf-8', newline='') as stream:
        header, *rows = csv.reader(stream)
    cut = table.parent / 'images' / rows[0][0]
    cut.write_bytes(cut.read_bytes()[:cut.stat().st_size // 2])
    positive = list(dict.fromkeys(row[0] for row in rows if row[1] and row[0] != rows[0][0]))
    height, width = _read_grey(table.parent / 'images' / positive[0]).shape
    for row in rows:
        if row[0] == positive[0]:
            row[1:3] = [f'{float(row[1]) / width:.4f}', f'{float(row[2]) / height:.4f}']
    shutil.copy(table.parent / 'images' / positive[1], table.parent / 'images' / 'copy.png')
    rows.append(['copy.png', '', '', '', 'somebody else'])
    return write_table(table, [header, *rows])


def write_table(path: Path, rows: Sequence[Sequence[Any]]) -> Path:
    """Write a CSV and return its path."""
    text = io.StringIO()
    csv.writer(text, lineterminator='\n').writerows(rows)
    write_text(path, text.getvalue())
    return path
