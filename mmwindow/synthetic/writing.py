"""The synthetic radiographs as a data set on disk, and as a contact sheet."""
import multiprocessing
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from mmwindow.annotations.point_file import write_point_file
from mmwindow.synthetic.annotators import Annotators
from mmwindow.synthetic.radiograph import (
    SyntheticRadiograph,
    generate_radiograph,
    generate_readings,
)
from mmwindow.synthetic.variation import Variation
from mmwindow.utils.files import load_json, write_json
from mmwindow.utils.locks import hold_file
from mmwindow.utils.progress import track

VERSION = 1  # of the generator: a change of what a seed looks like is a new number
SPLITS = ('train', 'val', 'test')
NAME = re.compile(r'[A-Za-z0-9][A-Za-z0-9._-]*')
CONTENTS = {'images', 'annotations', 'settings.json'}


class PlannedImage(NamedTuple):
    """One image that is to be made.

    Attributes:
        id: From 1, over all splits.
        split: 'train', 'val' or 'test'.
        has_fracture: Whether something is broken.
        patient: Seed of the anatomy.
        seed: Seed of everything else.
        group: Name of the patient.
    """

    id: int
    split: str
    has_fracture: bool
    patient: int
    seed: int
    group: str


def plan_images(seed: int, counts: dict[str, int]) -> list[PlannedImage]:
    """Plan the images of a data set, split after split.

    In each split half of the images (rounded down) have a fracture. A few patients have two images,
    which share the anatomy and whether something is broken; all else differs.

    Args:
        seed: Of the data set.
        counts: Images per split.
    """
    images: list[PlannedImage] = []
    for number, (split, count) in enumerate(counts.items()):
        rng = np.random.default_rng([seed, number])
        pairs = count // 24
        broken = [place % 2 == 0 for place in range(pairs)]
        room = count // 2 - 2 * sum(broken)
        singles = count - 2 * pairs
        people = ([(2, label) for label in broken] + [(1, True)] * room
                  + [(1, False)] * (singles - room))
        for person, choice in enumerate(rng.permutation(len(people))):
            num_images, label = people[choice]
            patient = derive_seed(seed, number, person)
            for repeat in range(num_images):
                images.append(PlannedImage(
                    id=len(images) + 1, split=split, has_fracture=label, patient=patient,
                    seed=derive_seed(seed, number, person, repeat + 1),
                    group=f'{split}-{person + 1:04d}'))
    return images


def derive_seed(*numbers: int) -> int:
    """Return a seed below 2 ** 63 that depends on all numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)


def write_dataset(folder: str | Path, seed: int = 0, num_train: int = 480, num_val: int = 80,
                  num_test: int = 160, side: int = 256, progress: bool = True,
                  workers: int | None = None, variation: Variation = Variation(),  # noqa: B008
                  annotators: Mapping[str, Annotators] | None = None) -> Path:
    """Write a data set of COCO point files (docs/method.md, section 2) and return its folder.

    The folder holds ``images/*.png`` (8 bit grey), ``annotations/{train,val,test}.json`` and
    ``settings.json``. Everything is written into ``<folder>.part`` and renamed at the end. A
    finished folder of the same settings is used as it is; what an interrupted run left is removed.
    Further annotators mark the same images: ``annotations/<name>/{train,val,test}.json``.

    Args:
        folder: Where.
        seed: Of the complete data set.
        num_train, num_val, num_test: Images per split, half of them negative.
        side: Long edge, pixels.
        progress: Show how far it is and how long it takes.
        workers: Processes; None: two where the machine has them.
        variation: What is varied of all images.
        annotators: Further ones, by name.

    Raises:
        ValueError: The folder holds other settings or foreign files, a count is < 1, or a name is
            no folder.
    """
    folder, annotators = Path(folder), annotators or {}
    for name in annotators:
        if not NAME.fullmatch(name):
            raise ValueError(f'annotators are named {name!r}; the name becomes a folder: letters, '
                             'digits, dots, dashes and underscores are expected')
    counts = dict(zip(SPLITS, (num_train, num_val, num_test), strict=True))
    if min(counts.values()) < 1 or seed < 0:
        raise ValueError(f'seed {seed}, images {counts}: expected a seed >= 0 and at least one '
                         'image in every split')
    settings: dict[str, Any] = dict(
        version=VERSION, seed=seed, side=side,
        **{f'num_{split}': count for split, count in counts.items()}, **variation.describe())
    if annotators:
        settings['annotators'] = {name: one.describe() for name, one in annotators.items()}
    with hold_file(folder, wait=True):  # of two commands the second uses what the first has made
        if not is_finished(folder, settings):
            _write_dataset(folder, settings, counts, progress, workers, variation, annotators)
        elif progress:
            print(f'synthetic radiographs: {folder} is complete and used as it is', flush=True)
    return folder


def _write_dataset(folder: Path, settings: dict[str, Any], counts: dict[str, int], progress: bool,
                   workers: int | None, variation: Variation,
                   annotators: Mapping[str, Annotators]) -> None:
    """Write a data set that is not there yet; see :func:`write_dataset`."""
    side = settings['side']
    part = folder.with_name(folder.name + '.part')
    remove_unfinished(part)
    remove_empty(folder)
    (part / 'images').mkdir(parents=True)
    (part / 'annotations').mkdir()
    plan = plan_images(settings['seed'], counts)
    records = make_images(plan, part / 'images', side, progress, workers, variation,
                          tuple(annotators.values()))
    base = {name: value for name, value in settings.items() if name != 'annotators'}
    for split in SPLITS:
        of_split = [record for record in records if record.image['split'] == split]
        write_point_file(part / 'annotations' / f'{split}.json', coco_file(of_split, base, split),
                         indent=1)
        for number, (name, one) in enumerate(annotators.items()):
            (part / 'annotations' / name).mkdir(exist_ok=True)
            read = [record._replace(points=record.others[number]) for record in of_split]
            write_point_file(part / 'annotations' / name / f'{split}.json', coco_file(
                read, {**base, 'annotators': one.describe()}, split), indent=1)
    write_json(part / 'settings.json', settings)
    os.replace(part, folder)


def is_finished(folder: Path, settings: dict[str, Any]) -> bool:
    """Return whether the folder is complete with these settings.

    Raises:
        ValueError: It is complete with other settings.
    """
    path = folder / 'settings.json'
    if not path.is_file():
        return False
    try:
        found = load_json(path, 'settings of the data set')
    except ValueError:
        found = 'no JSON'
    if found != settings:
        raise ValueError(f'{path}: the folder holds a data set of {found}, asked for was '
                         f'{settings}; delete the folder or name another one')
    return True


def remove_unfinished(part: Path) -> None:
    """Remove what an interrupted run left, but nothing else."""
    if part.exists():
        check_foreign(part, CONTENTS)
        shutil.rmtree(part)


def remove_empty(folder: Path) -> None:
    """Remove an empty folder; ours are complete, so any other holds a user's data."""
    if folder.exists():
        check_foreign(folder, set())
        folder.rmdir()


def check_foreign(folder: Path, expected: set[str]) -> None:
    """Raise ValueError for a file, and for a folder that holds anything but what is expected."""
    foreign = sorted({path.name for path in folder.iterdir()} - expected) if folder.is_dir() else [
        folder.name]
    if foreign:
        raise ValueError(f'{folder}: there is something that is no synthetic data set of this '
                         f'program ({", ".join(foreign[:3])}); name another folder or move it away')


class ImageRecord(NamedTuple):
    """The COCO records of one image; its points get their ids later.

    Attributes:
        image: The image.
        points: Of the generator's own annotators.
        others: The points of each further annotator.
    """

    image: dict[str, Any]
    points: list[dict[str, Any]]
    others: tuple[list[dict[str, Any]], ...] = ()


class ImageJob(NamedTuple):
    """One image that is to be made and written.

    Attributes:
        planned: Which.
        folder: Where.
        side: Long edge, pixels.
        variation: What is varied of it.
        annotators: Who marks it, next to the generator's own.
    """

    planned: PlannedImage
    folder: str
    side: int
    variation: Variation = Variation()
    annotators: tuple[Annotators, ...] = ()


def make_images(plan: list[PlannedImage], folder: Path, side: int, progress: bool,
                workers: int | None, variation: Variation = Variation(),  # noqa: B008
                annotators: Sequence[Annotators] = ()) -> list[ImageRecord]:
    """Make and write every image of the plan; return their records in the plan's order."""
    jobs = [ImageJob(entry, str(folder), side, variation, tuple(annotators)) for entry in plan]
    workers = min(2, os.cpu_count() or 1) if workers is None else workers
    forks = 'fork' in multiprocessing.get_all_start_methods()
    if not forks or multiprocessing.current_process().daemon or len(jobs) < 16:
        workers = 1
    show = partial(track, total=len(jobs), what='radiographs') if progress else iter
    threads = cv2.getNumThreads()
    cv2.setNumThreads(0)  # its thread pool does not survive a fork; small images need none
    try:
        if workers == 1:
            return list(show(map(make_image, jobs)))
        with multiprocessing.get_context('fork').Pool(workers) as pool:
            return list(show(pool.imap(make_image, jobs, chunksize=4)))
    finally:
        cv2.setNumThreads(threads)


def make_image(job: ImageJob) -> ImageRecord:
    """Generate and write one image."""
    planned = job.planned
    made, *read = generate_readings(planned.seed, job.side, planned.has_fracture, planned.patient,
                                    job.variation, [Annotators(), *job.annotators])
    name = f'{planned.id:06d}.png'
    if not cv2.imwrite(str(Path(job.folder) / name), made.img):
        raise OSError(f'{job.folder}/{name}: could not be written; is the disk full?')
    height, width = made.img.shape
    image = dict(id=planned.id, file_name=name, height=height, width=width, group=planned.group,
                 split=planned.split, seed=planned.seed, patient=planned.patient,
                 lookalikes=made.lookalikes)
    points, *others = ([dict(image_id=planned.id, **point_record(one, number))
                        for number in range(len(one.points))] for one in (made, *read))
    return ImageRecord(image, points, tuple(others))


def point_record(made: SyntheticRadiograph, number: int) -> dict[str, Any]:
    """Return the COCO fields of a point; box and outline are those of the fracture that it marks."""
    owner = int(made.owners[number])
    outline = made.polygons[owner]
    low, high = outline.min(0), outline.max(0)
    return dict(
        category_id=1, keypoints=[*(round(float(v), 2) for v in made.points[number]), 2],
        num_keypoints=1, bbox=[round(float(v), 2) for v in (*low, *(high - low))],
        segmentation=[[round(float(v), 2) for v in outline.ravel()]], iscrowd=0,
        area=round(float(cv2.contourArea(outline.astype(np.float32))), 2), fracture=owner,
        bone=made.fractures[owner], faint=made.faint[owner])


def coco_file(records: list[ImageRecord], settings: dict[str, Any], split: str) -> dict[str, Any]:
    """Return the COCO point file of one split."""
    points = [point for record in records for point in record.points]
    return dict(
        info=dict(description='Synthetic radiographs of mmwindow', split=split, **settings),
        images=[record.image for record in records],
        annotations=[dict(id=number + 1, **point) for number, point in enumerate(points)],
        categories=[dict(id=1, name='fracture')])


def contact_sheet(path: str | Path, seed: int = 0, rows: int = 4, columns: int = 4, side: int = 256,
                  show_points: bool = False) -> Path:
    """Write rows x columns radiographs of the seeds ``seed``, ``seed + 1`` ... as one image.

    Args:
        path: Image file, ``.png``; it is returned.
        seed: Of the first radiograph.
        rows, columns: Of the sheet.
        side: Long edge of each, pixels.
        show_points: Ring the points and outline the fractures.

    Raises:
        ValueError: The file cannot be written.
    """
    tiles = []
    for number in range(rows * columns):
        made = generate_radiograph(seed + number, side)
        tile = np.zeros((side, side, 3), np.uint8)
        tile[:made.img.shape[0], :made.img.shape[1]] = made.img[..., None]
        if show_points:
            mark(tile, made)
        tiles.append(tile)
    sheet = np.vstack([np.hstack(tiles[start:start + columns])
                       for start in range(0, len(tiles), columns)])
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), sheet):
        raise ValueError(f'{path}: the contact sheet could not be written; expected a name like '
                         'sheet.png in a folder that can be written to')
    return path


def mark(tile: np.ndarray, made: SyntheticRadiograph) -> None:
    """Draw the outlines and points of a radiograph into its BGR tile, in place."""
    for outline in made.polygons:
        cv2.polylines(tile, [np.round(outline - .5).astype(np.int32)], True, (0, 190, 255), 1)
    for point in made.points:
        cv2.circle(tile, np.floor(point).astype(int).tolist(), 3, (60, 60, 255), 1, cv2.LINE_AA)
