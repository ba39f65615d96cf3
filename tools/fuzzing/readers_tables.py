"""Findings as CSV, and point files of several readers, with independent readings of them."""
import csv
import io
import json
import posixpath
import random
from typing import Any

from fuzzing.harness import Case, Reader, Seed, SkipComparison
from fuzzing.json_mutators import mutate_json
from fuzzing.readers_annotations import point_content, reread_points
from fuzzing.readers_predictions import POINTS, SCORED, box_rows, find_image, with_auroc
from fuzzing.text_mutators import mutate_csv


def csv_seeds() -> list[Seed]:
    """Return boxes by file name, by id, and with a class."""
    from fuzzing.readers_predictions import IMAGES

    tables = []
    for head, key, tail in (('file,x1,y1,x2,y2,score', 'file_name', ''),
                            ('image_id,left,top,right,bottom,probability', 'id', ''),
                            ('file,x1,y1,x2,y2,score,class', 'file_name', ',fracture')):
        rows = [head]
        for row in box_rows():
            x, y, width, height = row['bbox']
            cells = [IMAGES[row['image_id'] - 1][key], x, y, x + width, y + height, row['score']]
            rows.append(','.join(map(str, cells)) + tail)
        tables.append('\n'.join(rows) + '\n')
    return [Seed({'findings.csv': table.encode(), 'points.json': POINTS},
                 'findings.csv') for table in tables]


def reread_csv(case: Case) -> Any:
    """Read a table by the names of its columns as they are in the seeds."""
    text = case.path.read_bytes().decode('utf-8-sig')
    rows = [row for row in csv.reader(io.StringIO(text, newline=''),
                                      strict=True) if any(cell.strip() for cell in row)]
    names = [''.join(sign for sign in cell.lower() if sign not in ' _-') for cell in rows[0]]
    boxes = ['x1', 'y1', 'x2', 'y2'], ['left', 'top', 'right', 'bottom']
    places = next((found for found in boxes if set(found) <= set(names)), None)
    score = 'score' if 'score' in names else 'probability'
    if places is None or score not in names or not {'file',
                                                    'imageid'} & set(names) or 'imagescore' in names:
        raise SkipComparison('other columns')
    by_image: dict[Any, dict[Any, None]] = {}
    for row in rows[1:]:
        cells = dict(zip(names, row, strict=True))
        key = find_image((cells.get('file') or cells.get('imageid', '')).strip().removeprefix('./'))
        values = [float(cells[name]) for name in (*places, score)]
        if '_' in ''.join(cells[name] for name in (*places, score)):
            raise TypeError('no number')
        if cells.get('class', 'fracture').strip() != 'fracture':
            raise TypeError('another class')
        by_image.setdefault(key, {})[(*values, 0)] = None
    return with_auroc([[key, 'boxes', sorted(map(list, found))] for key, found in by_image.items()])


def reader_seeds() -> list[Seed]:
    """Return the point files of two readers of the same images."""
    first, second = point_content(), point_content()
    second['annotations'] = [dict(annotation, keypoints=[annotation['keypoints'][0] + 1,
                                                         *annotation['keypoints'][1:]])
                             for annotation in second['annotations'][::2]]
    return [Seed({'anna.json': json.dumps(first).encode(), 'ben.json': json.dumps(second).encode()},
                 'anna.json')]


def read_readers(case: Case) -> Any:
    """Read the files of two readers as one; return who marked how many points of each image."""
    from mmwindow.annotations.reader_files import find_reader_files, read_reader_files

    paths = [case.path, case.path.parent / 'ben.json']
    point_file = read_reader_files(find_reader_files(paths), points_from='keypoints')
    return sorted([record.file_name, sorted(zip(record.point_readers, map(list, record.points),
                                                strict=True))]
                  for record in point_file.records)


def reread_readers(case: Case) -> Any:
    """Read both files apart and put their points together by file name."""
    found: dict[str, Any] = {}  # by normal path: './a.png' is 'a.png'; the first file says which
    for name in ('anna', 'ben'):
        path = case.path.parent / f'{name}.json'
        content = json.loads(path.read_bytes().decode('utf-8-sig'))
        if any('readers' in image for image in content['images']) or any('reader' in entry
                                                            for entry in content['annotations']):
            raise SkipComparison('readers are named in a file')
        meaning = reread_points(Case(path, dict(points_from='keypoints', needs_boxes=False)))
        for image in meaning['images']:
            row = found.setdefault(posixpath.normpath(image['file_name']),
                                   [image['file_name'], [], []])
            row[1].append(name)
            row[2] += [[name, point] for point in image['points']]
    if any(row[1] != ['anna', 'ben'] for row in found.values()):
        raise TypeError('an image that one reader has not')
    return sorted([name, sorted(points)] for name, _, points in found.values())


def mutate_table(name: str, data: bytes, rng: random.Random) -> bytes:
    """Mutate a CSV."""
    return mutate_csv(data, rng)


def mutate_points(name: str, data: bytes, rng: random.Random) -> bytes:
    """Mutate a point file."""
    return mutate_json(data, rng)


READERS = (
    Reader('csv', csv_seeds, mutate_table, reread=reread_csv, mutated=('findings.csv', ), **SCORED),
    Reader('reader-files', reader_seeds, mutate_points, read_readers, reread_readers,
           names=('ben.json', 'image ')))
