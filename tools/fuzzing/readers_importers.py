"""Importers of other tools' annotations: mutated files, and independent readings to compare with."""
import json
import random
import struct
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from fuzzing import importer_readings as readings
from fuzzing import importer_seeds as seeds
from fuzzing.harness import Case, Reader, Seed, SkipComparison
from fuzzing.image_mutators import mutate_png
from fuzzing.json_mutators import mutate_json
from fuzzing.text_mutators import mutate_csv, mutate_tokens
from fuzzing.xml_mutators import mutate_xml

TOLERANCE = 2e-6  # coordinates are written with six digits
YAMLS = ('names: !!python/object/apply:os.mkdir ["called"]', 'names: [', '- a', 'names: a', 'names:',
         'names: {1: a, 2: b}', 'names: {0: a, 1: b, x: c}', 'names: 2020-01-01',
         'names: [2020-01-01]',
         'names: [[fracture], {a: b}]', 'names: [fracture, fracture]', 'names: &a [*a, *a]',
         'names: [fracture]\nkpt_shape: [1e9, 3]', 'names: [fracture]\nkpt_shape: [.inf, 3]',
         'names: [fracture]\nkpt_shape: [-1, 3]', 'names: [fracture]\nkpt_shape: [true, 2]',
         'names: [fracture]\nkpt_shape: 3', 'names: [fracture]\nkpt_shape: [99999999999, 3]',
         'a: &a [x, x, x, x, x, x, x, x]\n' + ''.join(
             f'{new}: &{new} [{", ".join([f"*{old}"] * 8)}]\n' for old, new in zip(
                 'abcdefghijkl', 'bcdefghijklm', strict=True)) + 'names: *m')
YAML_BOMBS = tuple(YAMLS[-1].replace('names: *m', end) for end in (
    'names: [*m]', 'names: {0: *m}', 'names: [x]\nkpt_shape: *m', 'names: [x]\nkpt_shape: [*m, *m]',
    'names: {*m : 3}', '? *m\n: 3'))


class Unclean(Exception):
    """An importer wrote elsewhere, or wrote something and then raised an error."""


def list_files(folder: Path) -> dict[str, int]:
    """Return the files of a folder, and when they were changed."""
    return {path.relative_to(folder).as_posix(): path.stat().st_mtime_ns
            for path in folder.rglob('*') if path.is_file()}


def importer(format_name: str) -> Callable[[Case], Any]:
    """Return a function that imports a case; it raises where a file outside of --out has changed."""
    def read(case: Case) -> Any:
        from mmwindow.annotations.importers.assemble import AssemblySettings
        from mmwindow.annotations.importers.options import ImportOptions
        from mmwindow.apis.annotation_files import import_annotations

        root = next(parent for parent in case.path.parents if (parent / 'images').is_dir())
        before, options = list_files(root), dict(case.options)
        settings = AssemblySettings(points_from=options.pop('points_from', 'centre'))
        is_named, copy = options.pop('is_named', True), options.pop('copy', False)
        is_named |= options.get('mask_values', 'finding') != 'finding'  # only these are recognised
        try:
            import_annotations(case.path, root / 'out', root / 'images', ImportOptions(**options),
                               settings, format_name if is_named else None, copy)
        except ValueError:
            if list_files(root) != before:
                raise Unclean('something was written before the error') from None
            raise
        after = list_files(root)
        if any(after.get(name) != time for name, time in before.items()) or any(
                not name.startswith('out/') for name in set(after) - set(before)):
            raise Unclean('something was written outside of the folder')
        return plain_import(json.loads((root / 'out' / 'points.json').read_bytes()))

    return read


def plain_import(content: Any) -> Any:
    """Return patient and points of each image."""
    labels = {entry['id']: entry['name'] for entry in content['categories']}
    names = {image['id']: image['file_name'] for image in content['images']}
    found: dict[str, Any] = {image['file_name']: [image.get('group'), []]
                             for image in content['images']}
    for entry in content['annotations']:
        x, y, _ = entry['keypoints']
        found[names[entry['image_id']]][1].append([labels[entry['category_id']], float(x), float(y)])
    return found


def rereader(read: Callable[[Path, Mapping[str, Any]], Iterable[readings.Marked]],
             is_displayed: bool = False, images: Mapping[str, seeds.Stored] = seeds.IMAGES
             ) -> Callable[[Case], Any]:
    """Return the independent reading of a format."""
    def reread(case: Case) -> Any:
        found = readings.settle(read(case.path, case.options), is_displayed, images)
        if case.options.get('points_from') == 'drawn':
            raise SkipComparison('points are drawn')
        return found

    return reread


def draw_options(rng: random.Random) -> dict[str, Any]:
    """Draw how boxes become points, whether the format is named, and whether images are copied."""
    return dict(points_from=rng.choice(['centre'] * 9 + ['drawn']), is_named=rng.random() < .7,
                copy=rng.random() < .1)


def mutate_json_file(name: str, data: bytes, rng: random.Random) -> bytes:
    """Mutate a JSON file."""
    return mutate_json(data, rng)


def mutate_xml_file(name: str, data: bytes, rng: random.Random) -> bytes:
    """Mutate an XML file."""
    return mutate_xml(data, rng)


def mutate_csv_file(name: str, data: bytes, rng: random.Random) -> bytes:
    """Mutate a table."""
    if b';' in data:  # 12,5 is a number there
        return mutate_csv(data.replace(b',', b'.').replace(b';', b','), rng).replace(b',', b';')
    return mutate_csv(data, rng)


def mutate_yolo_file(name: str, data: bytes, rng: random.Random) -> bytes:
    """Mutate a text file of numbers, or the file of names."""
    if name.endswith('.yaml'):
        return rng.choice(YAMLS + YAML_BOMBS).encode() if rng.random() < .5 else mutate_tokens(
            data, rng)
    rows = data if data.strip() else b'0 .5 .5 .125 .25\n'
    return mutate_csv(rows.replace(b' ', b','), rng).replace(b',', b' ')


def mutate_mask_file(name: str, data: bytes, rng: random.Random) -> bytes:
    """Mutate a PNG file."""
    changed = mutate_png(data, rng)
    if rng.random() < .1:  # another size, its rows left as they are
        place = rng.choice([16, 20])
        changed = changed[:place] + struct.pack('>I', rng.randrange(200)) + changed[place + 4:]
    return changed


def import_reader(format_name: str, make_seeds: Callable[[], list[Seed]],
                  mutate: Callable[[str, bytes, random.Random], bytes],
                  reread: Callable[[Path, Mapping[str, Any]], Iterable[readings.Marked]],
                  is_displayed: bool = False,
                  images: Mapping[str, seeds.Stored] = seeds.IMAGES) -> Reader:
    """Return the reader of one format."""
    def mutate_source(name: str, data: bytes, rng: random.Random) -> bytes:
        return mutate(name, data, rng)

    return Reader(f'import-{format_name.replace("_", "-")}', make_seeds, mutate_source,
                  importer(format_name), rereader(reread, is_displayed, images), draw_options,
                  mutated=('source/', ), tolerance=TOLERANCE, names=('source/', ),
                  same_is_right=format_name == 'masks')


READERS = (
    import_reader('coco', seeds.coco_seeds, mutate_json_file, readings.coco),
    import_reader('labelme', seeds.labelme_seeds, mutate_json_file, readings.labelme, True),
    import_reader('via', seeds.via_seeds, mutate_json_file, readings.via, True),
    import_reader('label_studio', seeds.label_studio_seeds, mutate_json_file, readings.label_studio,
                  True),
    import_reader('cvat', seeds.cvat_seeds, mutate_xml_file, readings.cvat, True),
    import_reader('voc', seeds.voc_seeds, mutate_xml_file, readings.voc),
    import_reader('yolo', seeds.yolo_seeds, mutate_yolo_file, readings.yolo),
    import_reader('csv', seeds.csv_seeds, mutate_csv_file, readings.table),
    import_reader('masks', seeds.mask_seeds, mutate_mask_file, readings.masks))
