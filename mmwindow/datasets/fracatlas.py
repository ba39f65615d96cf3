"""FracAtlas as a data set: its polygons turned into points, divided by group."""
from pathlib import Path

from mmwindow.annotations.importers.fracatlas import polygons_to_points
from mmwindow.annotations.point_file import load_point_json
from mmwindow.datasets.splits import split_by_group, split_content, write_parts
from mmwindow.images.file_check import describe_image_problem


def convert_fracatlas(source, out, seed=0, fold=0):
    """Write ``annotations/{points,train,val,test}.json``; images stay where they are.

    Args:
        source (str | Path): FracAtlas' folder, with ``fractures.json`` and ``images/``.
        out (str | Path): Folder for the annotation files.
        seed (int): Of points and folds.
        fold (int): Which of the five folds is tested.

    Returns:
        dict: Numbers of images, positives and points of each split.

    Raises:
        ValueError: Missing or cut images (all are looked at), or bad annotations.
    """
    source, out = Path(source), Path(out)
    content = load_point_json(source / 'fractures.json')
    faults = [f'  {source / "images" / img["file_name"]}: {fault}' for img in content['images']
              if (fault := describe_image_problem(source / 'images' / img['file_name'], img['height'],
                                            img['width']))]
    if faults:
        raise ValueError(f'{source}: {len(faults)} of {len(content["images"])} images cannot be '
                         'used:\n' + '\n'.join(faults[:10]))
    points = polygons_to_points(content, seed)
    positives = {annotation['image_id'] for annotation in points['annotations']}
    split = split_by_group([str(img.get('group', img['id'])) for img in points['images']],
                           [img['id'] in positives for img in points['images']], fold, seed=seed)
    parts = split_content(points, split)
    folder = out / 'annotations'
    write_parts(folder, {'points': points, **parts})
    return {name: dict(images=len(part['images']),
                       positives=len({annotation['image_id']
                                      for annotation in part['annotations']}),
                       points=len(part['annotations']))
            for name, part in parts.items()}
