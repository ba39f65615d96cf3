"""Train a model: on your data folder, or by a CONFIG as MMDetection's tools/train.py does it.

    --data DIR             divides DIR/points.json (of mmwindow import) by patient, chooses a config
                           by the machine, says what it chose, why and how long it will take; below
                           200 images trains and tests five folds, then a final model on all
                           images. The same command resumes.
    CONFIG                 what the config says
    --from CHECKPOINT      with either: begin with the weights of another training

The screen shows a short head, the progress and the best epoch; the complete config and MMEngine's
log are in the log file that the head names.
"""
import argparse
import sys
from typing import Any

from mmwindow.apis.commands.runner_arguments import (
    add_runner_arguments,
    prepare_process,
)
from mmwindow.utils.processes import end_rank

STOPPED = ('stopped; with --data the same command resumes from the last epoch, else add --resume to '
           'it')
OF_DATA = ('division', 'dry_run', 'no_final')  # arguments that need --data


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a training."""
    parser.add_argument('config', metavar='CONFIG', nargs='?',
                        help='the config file; with --data it may be left out')
    parser.add_argument('--data', metavar='DIR', help='folder with points.json, or a point file; or '
                        'one with annotations/{train,val,test}.json, divided by you')
    parser.add_argument('--from', metavar='CHECKPOINT', dest='checkpoint',
                        help="begin with these weights: a .pth file, a run's folder or a name of the "
                             'zoo, such as fracatlas; its classes may be others')
    parser.add_argument('--division', choices=('auto', 'single', 'folds'),
                        help='with --data: one division, or five folds; default: folds below 200 '
                             'images')
    parser.add_argument('--dry-run', action='store_true',
                        help='with --data: say what would be trained and write its config, no more')
    parser.add_argument('--no-final', action='store_true',
                        help='after five folds: train no final model on all images')
    parser.add_argument('--work-dir', metavar='DIR', help='folder for logs and checkpoints')
    parser.add_argument('--amp', action='store_true',
                        help='mixed precision (float16 on GPUs, bfloat16 on CPUs)')
    parser.add_argument('--auto-scale-lr', action='store_true',
                        help='scale the learning rate with the global batch size')
    parser.add_argument('--resume', nargs='?', const='auto', metavar='CHECKPOINT',
                        help='resume from CHECKPOINT, or from the newest in the work dir; --data '
                             'does so by itself')
    parser.add_argument('--no-report', action='store_false', dest='report',
                        help='no report of the best validation in the work dir')
    add_runner_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Train, and show the best epoch or the means over folds."""
    if args.config is None and args.data is None:
        print('train: CONFIG or --data DIR is needed; mmwindow train --help', file=sys.stderr)
        raise SystemExit(2)
    if args.data is not None and args.launcher != 'none':
        raise ValueError('--data with a launcher: first give --data DIR --dry-run alone, which '
                         'writes the config; then start the launcher with this config')
    options = prepare_process(args)
    data, checkpoint = options.pop('data'), options.pop('checkpoint')
    of_data = {name: options.pop(name) for name in OF_DATA}
    if data is not None:
        _train_on_data(args, data, checkpoint, options, **of_data)
    else:
        useless = [f'--{name.replace("_", "-")}' for name, value in of_data.items() if value]
        if useless:
            raise ValueError(f'{useless[0]} has no effect without --data DIR')
        _train_config(args, checkpoint, options)
    end_rank()


def _train_config(args: argparse.Namespace, checkpoint: str | None, options: dict[str, Any]) -> None:
    from mmwindow.apis.train import describe_training, train
    if checkpoint is not None:
        from mmwindow.apis.fine_tuning import fine_tuning_options
        if args.launcher != 'none':
            raise ValueError('--from with a launcher: start once without it; then give its '
                             '--cfg-options load_from=WORK_DIR/start_....pth')
        options['cfg_options'], lines = fine_tuning_options(
            args.config, checkpoint, args.work_dir, args.cfg_options)
        print('\n'.join(lines), flush=True)
    print(describe_training(train(**options)), end='')


def _train_on_data(args: argparse.Namespace, data: str, checkpoint: str | None,
                   options: dict[str, Any], division: str | None, dry_run: bool,
                   no_final: bool) -> None:
    from mmwindow.apis.own_data.plan import describe_time, find_finished, plan_training
    training = plan_training(data, args.config, args.work_dir, args.cfg_options, checkpoint,
                             division or 'auto')
    if training.is_folded and (args.auto_scale_lr or args.resume not in (None, 'auto')):
        raise ValueError('five folds take neither --auto-scale-lr nor a checkpoint to resume from; '
                         'give --division single')
    print('\n'.join([*training.lines, f'config: {training.config}',
                     describe_time(training, not no_final, args.amp)]), flush=True)
    if dry_run:
        print('nothing was trained (--dry-run)')
    elif training.is_folded:
        from mmwindow.experiments.own_final import check_schedule
        from mmwindow.experiments.own_folds import finish_folds, train_folds
        if not no_final:  # said before the folds are trained, not after
            check_schedule(training.cfg, training.config)
        train_folds(training, args.cfg_options, args.amp, args.command_line)
        print(finish_folds(training, args.amp, not no_final, args.report), end='')
    else:
        from mmwindow.apis.train import describe_run_file, describe_training, train
        if find_finished(training) is None:
            print(describe_training(train(**{
                **options, 'config': training.config, 'work_dir': training.work_dir,
                'resume': args.resume or 'auto'})), end='')
        else:
            print(describe_run_file(training.work_dir), end='')
        print(f'test it: mmwindow test {training.work_dir}')
