"""The synthetic radiographs as a data set on disk, and as a contact sheet."""
import json
import multiprocessing
import os
import shutil
from pathlib import Path

import cv2
import numpy as np

from mmwindow.annotations.point_file import write_point_file
from mmwindow.synthetic.radiograph import generate_radiograph
from mmwindow.utils.files import write_json
from mmwindow.utils.progress import track

VERSION = 1  # of the generator: a change of what a seed looks like is a new number
SPLITS = ('train', 'val', 'test')
CONTENTS = {'images', 'annotations', 'settings.json'}


def plan_images(seed, counts):
    """What is to be made: one dict an image, split after split.

    In each split half of the images (rounded down) have a fracture, and a few patients have
    two images: their anatomy and whether something is broken is theirs, all else differs.

    Args:
        seed (int): Of the data set.
        counts (dict[str, int]): Images per split.

    Returns:
        list[dict]: ``id``, ``split``, ``seed``, ``patient``, ``has_fracture``, ``group``.
    """
    images = []
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
                images.append(dict(
                    id=len(images) + 1, split=split, has_fracture=label, patient=patient,
                    seed=derive_seed(seed, number, person, repeat + 1),
                    group=f'{split}-{person + 1:04d}'))
    return images


def derive_seed(*numbers):
    """A seed below 2 ** 63 that depends on all numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)


def write_dataset(folder, seed=0, num_train=480, num_val=80, num_test=160, side=256,
                  progress=True, workers=None):
    """Write a data set of COCO point files (docs/method section 2); returns its folder.

    The folder holds ``images/*.png`` (8 bit grey), ``annotations/{train,val,test}.json`` and
    ``settings.json``. Everything is written into ``<folder>.part`` and renamed at the end. A
    finished folder of the same settings is used as it is; what an interrupted run left is removed.

    Args:
        folder (str | Path): Where.
        seed (int): Of the whole data set.
        num_train, num_val, num_test (int): Images per split, half of them normals.
        side (int): Long edge, pixels.
        progress (bool): Print how far it is and how long it takes.
        workers (int, optional): Processes; None: two where the machine has them.

    Raises:
        ValueError: The folder holds other settings or foreign files, or a count is < 1.
    """
    folder = Path(folder)
    counts = dict(zip(SPLITS, (num_train, num_val, num_test), strict=True))
    if min(counts.values()) < 1 or seed < 0:
        raise ValueError(f'seed {seed}, images {counts}: expected a seed >= 0 and at least one '
                         'image in every split')
    settings = dict(version=VERSION, seed=seed, side=side,
                    **{f'num_{split}': count for split, count in counts.items()})
    if is_finished(folder, settings):
        if progress:
            print(f'synthetic radiographs: {folder} is complete and used as it is', flush=True)
        return folder
    part = folder.with_name(folder.name + '.part')
    remove_unfinished(part)
    remove_empty(folder)
    (part / 'images').mkdir(parents=True)
    (part / 'annotations').mkdir()
    plan = plan_images(seed, counts)
    records = make_images(plan, part / 'images', side, progress, workers)
    for split in SPLITS:
        chosen = [record for record in records if record['image']['split'] == split]
        write_point_file(part / 'annotations' / f'{split}.json', coco_file(chosen, settings, split),
                         indent=1)
    write_json(part / 'settings.json', settings)
    os.replace(part, folder)
    return folder


def is_finished(folder, settings):
    """Whether the folder is complete with these settings; with others it is refused."""
    path = folder / 'settings.json'
    if not path.is_file():
        return False
    try:
        found = json.loads(path.read_text(encoding='utf-8'))
    except json.JSONDecodeError:
        found = 'no JSON'
    if found != settings:
        raise ValueError(f'{path}: the folder holds a data set of {found}, asked for was '
                         f'{settings}; delete the folder or name another one')
    return True


def remove_unfinished(part):
    """Remove what an interrupted run left; refuse where anything else lies there."""
    if part.exists():
        refuse_foreign(part, CONTENTS)
        shutil.rmtree(part)


def remove_empty(folder):
    """Remove an empty folder; ours are whole, so that any other is somebody's own data."""
    if folder.exists():
        refuse_foreign(folder, set())
        folder.rmdir()


def refuse_foreign(folder, expected):
    """Refuse a file, and a folder that holds anything but what is expected."""
    foreign = sorted({path.name for path in folder.iterdir()} - expected) if folder.is_dir() else [
        folder.name]
    if foreign:
        raise ValueError(f'{folder}: there is something that is no synthetic data set of this '
                         f'program ({", ".join(foreign[:3])}); name another folder or move it away')


def make_images(plan, folder, side, progress, workers):
    """Make and write every image of the plan; returns their records in the plan's order."""
    jobs = [(entry, str(folder), side) for entry in plan]
    workers = min(2, os.cpu_count() or 1) if workers is None else workers
    forks = 'fork' in multiprocessing.get_all_start_methods()
    if not forks or multiprocessing.current_process().daemon or len(jobs) < 16:
        workers = 1
    threads = cv2.getNumThreads()
    cv2.setNumThreads(0)  # its thread pool does not survive a fork; small images need none
    try:
        if workers == 1:
            return collect(map(make_image, jobs), len(jobs), progress)
        with multiprocessing.get_context('fork').Pool(workers) as pool:
            return collect(pool.imap(make_image, jobs, chunksize=4), len(jobs), progress)
    finally:
        cv2.setNumThreads(threads)


def collect(results, total, progress):
    """List the results as they come, and show how far that is."""
    return list(track(results, total, 'radiographs') if progress else results)


def make_image(job):
    """Generate and write one image; returns its COCO records (ids of points come later)."""
    entry, folder, side = job
    made = generate_radiograph(entry['seed'], side, entry['has_fracture'], entry['patient'])
    name = f'{entry["id"]:06d}.png'
    if not cv2.imwrite(str(Path(folder) / name), made.img):
        raise OSError(f'{folder}/{name}: could not be written; is the disk full?')
    height, width = made.img.shape
    image = dict(id=entry['id'], file_name=name, height=height, width=width, group=entry['group'],
                 split=entry['split'], seed=entry['seed'], patient=entry['patient'],
                 lookalikes=made.lookalikes)
    points = [point_record(made, number) for number in range(len(made.points))]
    return dict(image=image, points=[dict(image_id=entry['id'], **point) for point in points])


def point_record(made, number):
    """COCO fields of one point; box and outline are those of the fracture that it marks."""
    owner = int(made.owners[number])
    outline = made.polygons[owner]
    low, high = outline.min(0), outline.max(0)
    return dict(
        category_id=1, keypoints=[*(round(float(v), 2) for v in made.points[number]), 2],
        num_keypoints=1, bbox=[round(float(v), 2) for v in (*low, *(high - low))],
        segmentation=[[round(float(v), 2) for v in outline.ravel()]], iscrowd=0,
        area=round(float(cv2.contourArea(outline.astype(np.float32))), 2), fracture=owner,
        bone=made.fractures[owner], faint=made.faint[owner])


def coco_file(records, settings, split):
    """The COCO point file of one split."""
    points = [point for record in records for point in record['points']]
    return dict(
        info=dict(description='Synthetic radiographs of mmwindow', split=split, **settings),
        images=[record['image'] for record in records],
        annotations=[dict(id=number + 1, **point) for number, point in enumerate(points)],
        categories=[dict(id=1, name='fracture')])
