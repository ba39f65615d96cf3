"""FracAtlas as a data set: its polygons turned into points, divided by group."""
from pathlib import Path

from mmwindow.annotations.importers.fracatlas import polygons_to_points
from mmwindow.annotations.point_file import load_point_json, read_point_file, write_point_file
from mmwindow.datasets.splits import write_splits
from mmwindow.images.file_check import check_image_files, describe_problems
from mmwindow.utils.messages import count_words, shorten


def convert_fracatlas(source: str | Path, out: str | Path, seed: int = 0, fold: int = 0
                      ) -> dict[str, dict[str, int]]:
    """Write ``annotations/{points,train,val,test}.json``; images stay where they are.

    Args:
        source: FracAtlas' folder, with ``fractures.json`` and ``images/``.
        out: Folder for the annotation files.
        seed: Of points and folds.
        fold: Which of the five folds is tested.

    Returns:
        Numbers of ``images``, ``positives`` and ``points`` of each split.

    Raises:
        ValueError: Missing or cut images (all are looked at), or bad annotations.
    """
    path, images = Path(source) / 'fractures.json', Path(source) / 'images'
    records = read_point_file(path, points_from='polygon').records
    problems = check_image_files(records, images).problems
    if problems:
        listed = '; '.join(line.strip() for line in describe_problems(problems).splitlines())
        raise ValueError(f'{path}: {len(problems)} of {count_words(len(records), "image")} in '
                         f'{images} cannot be '
                         f'used: {shorten(listed, 400)}')
    folder = Path(out) / 'annotations'
    try:
        content = polygons_to_points(load_point_json(path), seed)
    except ValueError as error:
        raise ValueError(f'{path}: {str(error).removeprefix(f"{path}: ")}') from error
    points = write_point_file(folder / 'points.json', content)
    records = read_point_file(points).records
    split = write_splits(points, folder, num_folds=None, seed=seed, fold=fold)[str(folder)]
    parts = {name: [records[index] for index in indices] for name, indices in split.items()}
    return {name: dict(images=len(part), positives=sum(bool(record.points) for record in part),
                       points=sum(len(record.points) for record in part))
            for name, part in parts.items()}
