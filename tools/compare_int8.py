#!/usr/bin/env python
"""Which 8-bit weights of an exported model score as well as its 32-bit ones, and what they save.

    tools/compare_int8.py model.onnx --calibration train.json --validation val.json \\
        --verify test.json --images images --out results/int8.json

For each recipe of mmwindow.apis.int8_recipes: how far its maps are from those in float32 on images of
validation (no label is looked at); CPU time of the network, all in turn in one run; size; AUROC and
FROC score on the images of --verify, which the rule of `mmwindow export --int8` asks for. Recipes are
verified in the order of that distance. Rows of an earlier call of the same model and data stay, and
what it has verified is not verified again.
Ranges, distances and numbers are of different images: a choice on the images that verify it flatters.
"""
import argparse
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from mmwindow.annotations.point_file import read_point_file
from mmwindow.apis.export_int8 import MAX_CHANGE, METRICS, MIN_IMAGES, score_model
from mmwindow.apis.int8_recipes import RECIPES, quantise
from mmwindow.datasets.folds import file_checksum
from mmwindow.runtime import RuntimeModel
from mmwindow.runtime.frames import make_frame
from mmwindow.utils.command_line import one_line_errors
from mmwindow.utils.environment import describe_versions
from mmwindow.utils.files import load_json, write_json
from mmwindow.utils.markdown import markdown_table

FLOAT = 'float32'
DATA = ('calibration', 'validation', 'verify')


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('model', nargs='?', type=Path, help='an exported model')
    for name, text in (('calibration', 'by whose images ranges are chosen'),
                       ('validation', 'on whose images maps are compared'),
                       ('verify', 'on whose images AUROC and FROC score are measured')):
        parser.add_argument(f'--{name}', type=Path, metavar='POINTS', help=f'point file {text}')
    parser.add_argument('--images', type=Path, metavar='DIR', help='of all of them')
    parser.add_argument('--num-validation', type=int, default=48, metavar='N',
                        help='images of validation (%(default)s)')
    parser.add_argument('--repeats', type=int, default=25, help='of the timing (%(default)s)')
    parser.add_argument('--only', nargs='+', choices=RECIPES, metavar='RECIPE')
    parser.add_argument('--out', type=Path, help='JSON file for the result; the same resumes')
    parser.add_argument('--show', type=Path, help='print the table of such a file')
    args = parser.parse_args()
    if not args.show and not all((args.model, args.calibration, args.validation, args.verify,
                                  args.images, args.out)):
        parser.error('MODEL, --calibration, --validation, --verify, --images and --out are needed')
    return args


def paths_of(points: Path, images: Path) -> list[Path]:
    """Return the images of a point file."""
    return [images / record.file_name for record in read_point_file(points).records]


def spread(paths: list[Path], number: int) -> list[Path]:
    """Return so many of them, evenly over the list."""
    places = np.linspace(0, len(paths) - 1, min(number, len(paths)))
    return [paths[place] for place in places.astype(int)]


def compare(models: dict[str, RuntimeModel], frames: list[np.ndarray]
            ) -> dict[str, dict[str, float]]:
    """Return how far each model's maps and image scores are from those in float32."""
    distances: dict[str, dict[str, list[float]]] = {
        name: dict(map=[], score=[]) for name in models if name != FLOAT}
    for frame in frames:
        outputs = {name: model.run_graph(0, dict(images=frame)) for name, model in models.items()}
        for name, kept in distances.items():
            for key, values in kept.items():
                values.append(float(np.abs(outputs[name][key] - outputs[FLOAT][key]).mean()))
    return {name: dict(map=statistics.mean(kept['map']), score=statistics.mean(kept['score']),
                       largest_score=max(kept['score'])) for name, kept in distances.items()}


def time_models(models: dict[str, RuntimeModel], frame: np.ndarray, repeats: int) -> dict[str, float]:
    """Return the median CPU time of each model, in ms; they take turns."""
    times: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(repeats):
        for name, model in models.items():
            start = time.process_time()
            model.run_graph(0, dict(images=frame))
            times[name].append(1000 * (time.process_time() - start))
    return {name: statistics.median(values) for name, values in times.items()}


def sort_rows(rows: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """Return rows in the order of the distance of their maps; float32 comes first."""
    return dict(sorted(rows.items(), key=lambda item: item[1].get('map', -1.)))


def describe(result: dict[str, Any]) -> str:
    """Return the table of a result."""
    plain = result['rows'][FLOAT]
    rows = []
    for name, row in result['rows'].items():
        is_plain = name == FLOAT
        changes = ['', ''] if is_plain or 'auroc' not in row else [
            f'{row[key] - plain[key]:+.4f}' for key in METRICS]
        kept = '' if is_plain or 'auroc' not in row else (
            'yes' if all(abs(row[key] - plain[key]) < MAX_CHANGE for key in METRICS) else 'no')
        rows.append([name, '' if is_plain else f'{row["map"]:.5f}', f'{row["ms"]:.1f}',
                     f'{1000 / row["ms"]:.1f}', f'{row["ms"] / row["float32_ms"]:.2f}',
                     f'{row["MB"]:.1f}',
                     *([f'{row[key]:.4f}' for key in METRICS] if 'auroc' in row else ['', '']),
                     *changes, kept])
    return markdown_table([
        ['8 bits', 'change of a map cell, mean', 'CPU ms', 'images/s of a core', 'of float32', 'MB',
         'AUROC', 'FROC score', 'change of AUROC', 'change of FROC score', 'kept'], *rows])


def main() -> None:
    args = parse_arguments()
    if args.show:
        print(describe(load_json(args.show, 'comparison of 8-bit weights')))
        return
    if len(paths_of(args.verify, args.images)) < MIN_IMAGES:
        raise ValueError(f'{args.verify}: at least {MIN_IMAGES} images are expected')
    plain = RuntimeModel(args.model)
    result: dict[str, Any] = dict(
        commands=[' '.join(['python', *sys.argv])], model=file_checksum(args.model),
        data={key: file_checksum(getattr(args, key)) for key in DATA},
        machine=platform.machine(), load=os.getloadavg()[0],
        versions=dict(describe_versions(), onnxruntime=onnxruntime.__version__), rows={})
    before = load_json(args.out, 'comparison of 8-bit weights') if args.out.exists() else {}
    known = {}
    if all(before.get(key) == result[key] for key in ('model', 'data')):
        known, result['commands'] = before['rows'], [*before['commands'], *result['commands']]
    with tempfile.TemporaryDirectory() as folder:
        models, rows = {FLOAT: plain}, {FLOAT: dict(MB=args.model.stat().st_size / 1e6)}
        for name in args.only or RECIPES:
            models[name], rows[name] = make_model(args, plain, name, Path(folder))
        measure(args, models, rows)
        result['rows'] = sort_rows({**known, **rows})
        for name, row in sort_rows(rows).items():
            kept = known.get(name, {})
            row.update({key: kept[key] for key in METRICS} if all(key in kept for key in METRICS) else
                       score_model(models[name], args.verify, args.images, plain.info.evaluation))
            write_json(args.out, result)  # what is done is kept
            print(name, row, file=sys.stderr, flush=True)
    print(describe(result))


def make_model(args: argparse.Namespace, plain: RuntimeModel, name: str, folder: Path
               ) -> tuple[RuntimeModel, dict[str, float]]:
    """Return a model by a recipe, and its size."""
    recipe, path = RECIPES[name], folder / f'{len(list(folder.glob("*.onnx")))}.onnx'
    sources = [str(path) for path in spread(paths_of(args.calibration, args.images),
                                            recipe.max_images)]
    quantise(args.model, path, plain.info, sources, recipe, folder / f'{recipe.calibration}.json')
    print(f'{name}: written, {path.stat().st_size / 1e6:.1f} MB', file=sys.stderr, flush=True)
    return RuntimeModel(path), dict(MB=path.stat().st_size / 1e6)


def measure(args: argparse.Namespace, models: dict[str, RuntimeModel],
            rows: dict[str, dict[str, float]]) -> None:
    """Add distances and times of models to their rows."""
    paths = spread(paths_of(args.validation, args.images), args.num_validation)
    frames = [make_frame(str(path), models[FLOAT].info, path.name).pixels[None, None]
              for path in paths]
    distances, times = compare(models, frames), time_models(models, frames[0], args.repeats)
    for name, row in rows.items():
        row.update(distances.get(name, {}), ms=times[name], float32_ms=times[FLOAT])


if __name__ == '__main__':
    with one_line_errors('compare_int8'):
        main()
