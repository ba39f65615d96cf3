#!/usr/bin/env python
"""Train the models of the zoo on all development images of FracAtlas and put them into the package.

    tools/train_zoo.py --data data/fracatlas                     trains, or resumes; an hour each
    tools/train_zoo.py fracatlas-wl --no-train                   takes a finished training
    tools/train_zoo.py --no-train --fold0 work_dirs/fracatlas    before that, reads threshold and
                                                                 numbers of tools/run_folds.py
    tools/train_zoo.py --cards                                   cards and index from results/zoo
    tools/train_zoo.py --cards --check                           only compares them

A model whose training is not finished is left out with a printed reason; one that was there stays.
"""
import argparse
import json
import os
import shlex
import sys
from pathlib import Path

from mmwindow.apis.zoo.recipes import RECIPES, find_recipe
from mmwindow.utils.command_line import one_line_errors

ROOT = Path(__file__).resolve().parents[1]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('names', nargs='*', metavar='NAME', help='models; all if none is named')
    parser.add_argument('--data', type=Path, default=Path('data/fracatlas'), metavar='DIR',
                        help='of tools/convert_fracatlas.py (%(default)s)')
    parser.add_argument('--images', type=Path, metavar='DIR',
                        default=Path(os.environ.get('MMWINDOW_FRACATLAS', '../shared/fracatlas'),
                                     'images'),
                        help='of FracAtlas (%(default)s)')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/zoo'), metavar='DIR',
                        help='of the trainings (%(default)s)')
    parser.add_argument('--fold0', type=Path, metavar='DIR',
                        help='runs of mmwindow folds, DIR/<config>/fold0 or single, to take '
                        'thresholds and numbers of')
    parser.add_argument('--amp', action='store_true', help='train in mixed precision')
    parser.add_argument('--no-train', action='store_true', help='take finished trainings only')
    parser.add_argument('--cards', action='store_true', help='write cards and index, nothing else')
    parser.add_argument('--check', action='store_true',
                        help='with --cards: change nothing, only compare')
    args = parser.parse_args()
    if args.check and not args.cards:
        parser.error('--check goes with --cards')
    return args


def main():
    args = parse_arguments()
    from mmwindow.apis.zoo.build import ZooPlaces, build_model
    recipes = [find_recipe(name) for name in args.names] or RECIPES
    places = ZooPlaces(args.data, args.images, ROOT / 'results')
    command = shlex.join(['tools/train_zoo.py', *sys.argv[1:]])
    for recipe in [] if args.cards else recipes:
        if args.fold0 is not None:
            collect(recipe, args.fold0, places, command)
        work_dir = args.work_dir / recipe.run
        if not args.no_train:
            train_recipe(recipe, work_dir, args.data, args.amp)
        try:
            content = build_model(recipe, work_dir, places, command)
        except ValueError as error:
            print(f'{recipe.name}: left out: {error}', flush=True)
            continue
        sizes = sum(file['bytes'] for file in content['files'].values())
        print(f'{recipe.name}: {sizes / 1e6:.1f} MB, scores move by at most '
              f'{content["rounding"]["largest"]:.4f}', flush=True)
    write_pages(places, args.check)


def collect(recipe, folder, places, command):
    """Read threshold and numbers of fold 0, where its run is finished."""
    from mmwindow.apis.zoo.evidence import collect_evidence
    runs = folder / Path(recipe.config).stem
    run = next((path for path in (runs / 'fold0', runs / 'single') if path.is_dir()), runs / 'fold0')
    try:
        print(collect_evidence(recipe, run, places.data, places.images,
                               places.results / 'zoo' / 'fold0', command), flush=True)
    except ValueError as error:
        print(f'{recipe.name}: nothing of fold 0: {error}', flush=True)


def train_recipe(recipe, work_dir, data, amp):
    """Train, or resume, unless the training is finished."""
    from mmwindow.apis.train import train
    from mmwindow.engine.run_file import read_run
    run = read_run(work_dir)
    if run is None or not run.is_finished:
        train(recipe.config_path, work_dir, recipe.options(data), resume='auto', report=False,
              amp=amp)


def write_pages(places, is_check):
    """Write index and cards; or exit with 1 where one is not what results/zoo says."""
    from mmwindow.apis.zoo.build import known_models, make_index, render_cards
    from mmwindow.utils.files import write_text
    from mmwindow.zoo import INDEX
    pages = render_cards(places) | {places.zoo / INDEX: json.dumps(
        make_index(known_models(places.results), places.results), indent=1) + '\n'}
    for path, text in pages.items():
        if is_check and (not path.is_file() or path.read_text(encoding='utf-8') != text):
            raise ValueError(f'{path}: it differs from results/zoo; run python tools/train_zoo.py '
                             '--cards')
        if not is_check:
            write_text(path, text)


if __name__ == '__main__':
    with one_line_errors('train_zoo'):
        main()
