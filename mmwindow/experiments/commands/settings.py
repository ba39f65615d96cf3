"""Choose a setting of any list of configs on images kept aside; no image of the result is read.

    CONFIG [CONFIG ...] --out DIR \\
        --setting narrow window.upper_radius=80 \\
        --setting wide window.upper_radius=160 \\
        [--cfg-options train_cfg.max_epochs=2] [--results FILE.json]

Each config is trained once with each setting: a name and one or more overrides. Its folder is
DIR/<setting>/<config>, as tools/run_folds.py makes it; the same command resumes where it was stopped.
Printed is a table of the numbers on the images of --judge, by the weights of --weights (by default
the validation images and the best epoch), with intervals and a test against the chosen setting.
Chosen is the setting with the highest mean of AUROC and FROC score, for each config and for all
together. One split's validation images are few: with --folds each setting is trained on every fold
and judged by the mean over folds.

A protocol that can tell: divide the development images alone, and compare with a reference.

    mmwindow splits points.json --without test.json --out development/folds.json
    mmwindow tune CONFIG --out runs --folds development/folds.json --judge test --weights last \\
        --reference plain --setting plain model.bbox_head.num_convs=0 \\
        --setting tower model.bbox_head.num_convs=2
"""
import argparse
from typing import Any

from mmwindow.experiments.commands.run_arguments import (
    STOPPED,
    add_amp_argument,
    add_folds_arguments,
    add_place_arguments,
    add_run_arguments,
    add_weights_argument,
    read_place,
)
from mmwindow.utils.command_line import OptionsAction
from mmwindow.utils.outputs import check_output_file, check_output_folder

__all__ = ['STOPPED', 'add_arguments', 'run']


class SettingAction(argparse.Action):
    """Collect NAME KEY=VALUE [KEY=VALUE ...] as a name and overrides."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace,
                 values: Any, option_string: str | None = None) -> None:
        """Add one setting to those before."""
        name, *items = values
        if not items or '=' in name:
            parser.error(f'{option_string} {" ".join(values)}: a name and one or more KEY=VALUE are '
                         'expected')
        inner = argparse.Namespace()
        collect = OptionsAction(self.option_strings, 'overrides', nargs='+')
        collect(parser, inner, items, option_string)
        setattr(namespace, self.dest, [*(getattr(namespace, self.dest) or []),
                                       (name, inner.overrides)])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a choice."""
    add_run_arguments(parser)
    add_place_arguments(parser)
    add_amp_argument(parser)
    parser.add_argument('--setting', nargs='+', action=SettingAction, required=True, dest='settings',
                        metavar=('NAME', 'KEY=VALUE'), help='give two or more')
    parser.add_argument('--results', metavar='FILE.json', help='where the numbers go')
    parser.add_argument('--judge', choices=('val', 'test'), default='val',
                        help='images that judge: the validation part, or the test part of each fold, '
                             'where the folds divide development images (default: val)')
    add_weights_argument(parser)
    parser.add_argument('--reference', metavar='NAME',
                        help='the setting that all others are compared with; default: the chosen one')
    add_folds_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Train, validate and choose.

    Raises:
        ValueError: A run failed.
    """
    check_output_folder(args.out, '--out')
    read_place(args)
    if args.results:
        check_output_file(args.results, '--results')
    from mmwindow.experiments.tuning import choose_settings
    from mmwindow.experiments.tuning_report import describe_choice, describe_tuning
    tuning = choose_settings(**vars(args))
    if tuning is None:
        raise ValueError('a run failed; see the log that the line above names')
    print(describe_choice(tuning))
    if args.reference is not None:
        print(f'\n{describe_tuning(tuning)}')
