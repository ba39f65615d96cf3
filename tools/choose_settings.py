#!/usr/bin/env python
"""Choose a setting of any list of configs on their validation split; no test image is read.

    tools/choose_settings.py CONFIG [CONFIG ...] --out DIR \\
        --setting narrow window.upper_radius=80 \\
        --setting wide window.upper_radius=160 \\
        [--cfg-options train_cfg.max_epochs=2] [--results FILE.json]

Each config is trained once with each setting: a name and one or more overrides. Its folder is
DIR/<setting>/<config>, as tools/run_folds.py makes it; the same command goes on where it was stopped.
Printed is a table of the validation numbers at the best epoch. Chosen is the setting with the highest
mean of AUROC and FROC score, for each config and for all together.
"""
import argparse
import shlex
import sys

from mmengine.config import DictAction

from mmwindow.experiments.arguments import add_gpus_argument, add_run_arguments
from mmwindow.experiments.tuning import choose_settings, describe_choice


class SettingAction(argparse.Action):
    """Collects NAME KEY=VALUE [KEY=VALUE ...] as a name and overrides."""

    def __call__(self, parser, namespace, values, option_string=None):
        name, *items = values
        if not items or '=' in name:
            parser.error(f'{option_string} {" ".join(values)}: a name and one or more KEY=VALUE are '
                         'expected')
        inner = argparse.ArgumentParser()
        inner.add_argument('--overrides', nargs='+', action=DictAction)
        overrides = inner.parse_args(['--overrides', *items]).overrides
        setattr(namespace, self.dest, [*(getattr(namespace, self.dest) or []), (name, overrides)])


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_run_arguments(parser)
    add_gpus_argument(parser)
    parser.add_argument('--setting', nargs='+', action=SettingAction, required=True, dest='settings',
                        metavar=('NAME', 'KEY=VALUE'), help='give two or more')
    parser.add_argument('--results', metavar='FILE.json', help='where the numbers go')
    return parser.parse_args()


def main():
    args = vars(parse_args())
    try:
        candidates = choose_settings(
            **args, command_line=shlex.join(['tools/choose_settings.py', *sys.argv[1:]]))
        if candidates is None:
            raise SystemExit('choose_settings: a run failed; see the log that the line above names')
        print(describe_choice(candidates, args['settings']))
    except ValueError as error:
        raise SystemExit(f'choose_settings: {error}') from error
    except KeyboardInterrupt:
        raise SystemExit('choose_settings: stopped; the same command goes on from here') from None


if __name__ == '__main__':
    main()
