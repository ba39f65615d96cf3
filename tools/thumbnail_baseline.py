#!/usr/bin/env python
"""The trivial baseline: a logistic fit on 16 x 16 thumbnails, image AUROC only.

It sees body part, exposure and framing but no fracture; what it reaches, a data set
gives away for free. Fitted on the training split, its strength of regularisation
chosen on the validation split, reported on the test split.

    python tools/thumbnail_baseline.py data/fracatlas/annotations --images DIR --out FILE.json
"""
import argparse
import json
import platform
import shlex
import sys
from pathlib import Path

import numpy as np
import scipy
from PIL import Image

from mmwindow.apis.doctor.cue_models import fit_cue
from mmwindow.evaluation import auroc
from mmwindow.images.decode import read_image
from mmwindow.utils.command_line import one_line_errors
from mmwindow.utils.files import write_text


def load_split(annotation_file, img_folder, side=16):
    """Return thumbnails ``(N, side * side)`` in [0, 1] and labels ``(N,)`` of one split."""
    content = json.loads(annotation_file.read_text(encoding='utf-8'))
    positives = {annotation['image_id'] for annotation in content['annotations']}
    images = (read_image(img_folder / img['file_name']).to_bgr() for img in content['images'])
    thumbnails = [np.asarray(Image.fromarray(pixels[..., ::-1]).convert('L').resize(
        (side, side), Image.Resampling.BOX), dtype=float).ravel() / 255 for pixels in images]
    return np.stack(thumbnails), np.array([img['id'] in positives for img in content['images']])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('annotations', type=Path, help='folder with train, val and test.json')
    parser.add_argument('--images', type=Path, required=True, help='folder of the images')
    parser.add_argument('--out', type=Path, help='write the result to this JSON file')
    args = parser.parse_args()
    splits = {name: load_split(args.annotations / f'{name}.json', args.images)
              for name in ('train', 'val', 'test')}
    fit = fit_cue(*splits['train'], *splits['val'], splits['test'][0])
    command = shlex.join(['tools/thumbnail_baseline.py', *sys.argv[1:]])
    result = dict(system='logistic fit on 16 x 16 thumbnails', inverse_regularisation=fit.strength,
                  command=command, seed=None, machine=f'{platform.machine()}, a CPU',
                  versions={'numpy': np.__version__, 'scipy': scipy.__version__},
                  num_images={name: len(labels) for name, (_, labels) in splits.items()},
                  validation_auroc=fit.validation_auroc,
                  metrics={'froc/auroc': auroc(splits['test'][1], fit.scores)})
    print(json.dumps(result, indent=1))  # nothing is random: no seed
    if args.out:
        write_text(args.out, json.dumps(result, indent=1) + '\n')


if __name__ == '__main__':
    with one_line_errors('thumbnail_baseline'):
        main()
