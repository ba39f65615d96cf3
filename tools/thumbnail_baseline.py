#!/usr/bin/env python
"""The trivial baseline: a logistic fit on 16 x 16 thumbnails, image AUROC only.

It sees body part, exposure and framing but no fracture; what it reaches, a data set
gives away for free. Fitted on the training split, its strength of regularisation
chosen on the validation split, reported on the test split; of several folders, the folds
that tools/make_splits.py --files writes, the mean.

    python tools/thumbnail_baseline.py data/fracatlas/annotations --images DIR --out FILE.json
    python tools/thumbnail_baseline.py folds/fold0 folds/fold1 .. --images DIR --out FILE.json
"""
import argparse
import json
import platform
import shlex
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from PIL import Image

from mmwindow.apis.doctor.cue_models import fit_cue
from mmwindow.evaluation import auroc
from mmwindow.images.decode import read_image
from mmwindow.utils.command_line import one_line_errors
from mmwindow.utils.files import write_text


@cache
def load_thumbnail(path: Path, side: int = 16) -> np.ndarray:
    """Return an image at ``side x side`` pixels, ``(side * side,)`` in [0, 1]; folds share them."""
    image = Image.fromarray(read_image(path).to_bgr()[..., ::-1]).convert('L')
    return np.asarray(image.resize((side, side), Image.Resampling.BOX), dtype=float).ravel() / 255


def load_split(annotation_file: Path, img_folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return thumbnails ``(N, side * side)`` in [0, 1] and labels ``(N,)`` of one split."""
    content = json.loads(annotation_file.read_text(encoding='utf-8'))
    positives = {annotation['image_id'] for annotation in content['annotations']}
    return (np.stack([load_thumbnail(img_folder / img['file_name']) for img in content['images']]),
            np.array([img['id'] in positives for img in content['images']]))


def fit_fold(annotations: Path, img_folder: Path) -> dict[str, Any]:
    """Return the AUROC of a folder with train, val and test.json, and the fit behind it."""
    splits = {name: load_split(annotations / f'{name}.json', img_folder)
              for name in ('train', 'val', 'test')}
    fit = fit_cue(*splits['train'], *splits['val'], splits['test'][0])
    return dict(auroc=auroc(splits['test'][1], fit.scores), inverse_regularisation=fit.strength,
                validation_auroc=fit.validation_auroc,
                num_images={name: len(labels) for name, (_, labels) in splits.items()})


def main() -> None:
    """Fit, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('annotations', type=Path, nargs='+',
                        help='folder with train, val and test.json; of each fold one')
    parser.add_argument('--images', type=Path, required=True, help='folder of the images')
    parser.add_argument('--out', type=Path, help='write the result to this JSON file')
    args = parser.parse_args()
    folds = [fit_fold(folder, args.images) for folder in args.annotations]
    areas = [fold['auroc'] for fold in folds]
    several = len(folds) > 1
    result = dict(
        system='logistic fit on 16 x 16 thumbnails',
        command=shlex.join(['tools/thumbnail_baseline.py', *sys.argv[1:]]), seed=None,
        machine=f'{platform.machine()}, a CPU',
        versions={'numpy': np.__version__, 'scipy': scipy.__version__},
        headline='mean over folds' if several else 'one split',
        folds={str(number) if several else 'None': fold for number, fold in enumerate(folds)},
        over_folds=dict(auroc=dict(mean=float(np.mean(areas)), sd=float(np.std(areas, ddof=1))))
        if several else None,
        metrics={'froc/auroc': float(np.mean(areas))})
    print(json.dumps(result, indent=1))  # nothing is random: no seed
    if args.out:
        write_text(args.out, json.dumps(result, indent=1) + '\n')


if __name__ == '__main__':
    with one_line_errors('thumbnail_baseline'):
        main()
