"""When does Window Loss win: the controlled study on synthetic radiographs, resumable.

    --out work_dirs/study                        the core: base, B, C and E, three seeds
    --out work_dirs/study --only base B C        some factors; what is missing is said
    --out work_dirs/study --dry-run              what is missing, and how long it will take
    --report-only                                table and figure of what is filed
    --out work_dirs/study --test distance        the filed trainings tested in another way

One factor at a time is varied: A extent of the findings, B points per finding, C jitter of the
clicks, D scale of the anatomy, E number of training images, F findings that nobody clicked.
docs/study.md says how, and what was expected. OUT holds radiographs and runs. RESULTS receives each
run's numbers and events as it ends, one small file, so that a lost OUT costs nothing; and study.json,
README.md (tables), study.png and .svg. The same command again resumes; --add CONFIG adds a system.
With --test NAME all this goes into RESULTS_NAME, of all parts, or those of --only, that are filed in
RESULTS: distance and overlap4 are other hit rules, nms10 merges boxes that overlap by a tenth.
"""
import argparse
from pathlib import Path

from mmwindow.experiments.commands.run_arguments import (
    STOPPED,
    add_accept_argument,
    add_amp_argument,
    add_place_arguments,
    read_place,
)
from mmwindow.experiments.commands.tables import PAPER
from mmwindow.utils.outputs import check_output_folder

__all__ = ['STOPPED', 'add_arguments', 'run']

RESULTS = 'results/study_when_window_loss_wins'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the study."""
    from mmwindow.experiments.other_tests import OTHER_TESTS
    from mmwindow.experiments.study.design import CORE, PARTS, Sizes
    from mmwindow.experiments.study.study import BASELINE, CONFIGS
    parser.add_argument('--out', default='work_dirs/study', metavar='DIR',
                        help='of radiographs and runs; default: %(default)s')
    parser.add_argument('--results', default=RESULTS, metavar='FOLDER',
                        help='default: %(default)s')
    parser.add_argument('--only', nargs='+', choices=PARTS, metavar='PART',
                        help=f'of {", ".join(PARTS)}; default: {" ".join(CORE)}, with --test all')
    parser.add_argument('--systems', nargs='+', metavar='CONFIG', default=list(CONFIGS),
                        help='in place of WL-KLD, RetinaNet and, for E, CheXNet')
    parser.add_argument('--add', nargs='+', metavar='CONFIG', default=[], help='further systems')
    parser.add_argument('--baseline', metavar='NAME', default='',
                        help='of the config that each other system is compared with; default: the '
                        f'one of RESULTS, at first {BASELINE}')
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2], help='of the trainings')
    sizes = Sizes()
    for name, help_text in (('num-train', 'images to train with at the base level'),
                            ('num-val', 'to validate'), ('num-test', 'to test'),
                            ('side', 'long edge of the images'), ('epochs', 'at the base level')):
        parser.add_argument(f'--{name}', type=int, metavar='N', help=f'{help_text}; default: '
                            '%(default)s', default=getattr(sizes, name.replace('-', '_')))
    parser.add_argument('--num-resamples', type=int, default=2000, help='of the bootstrap')
    add_place_arguments(parser)
    add_amp_argument(parser)
    parser.add_argument('--test', choices=list(OTHER_TESTS),
                        help='train nothing: test the filed trainings, whose runs are in OUT, in '
                        'this other way')
    parser.add_argument('--dry-run', action='store_true', help='train nothing, say what is missing')
    parser.add_argument('--report-only', action='store_true', help='train nothing, report')
    parser.add_argument('--report', metavar='FOLDER',
                        help='receives tables and figure; default: RESULTS')
    parser.add_argument('--overwrite', action='store_true',
                        help='delete runs of other settings that are in the way')
    add_accept_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Do the study.

    Raises:
        ValueError: Something asked for is missing at the end.
    """
    check_output_folder(args.out, '--out')
    check_output_folder(args.results, '--results')
    if args.report is not None:
        check_output_folder(args.report, '--report')
    read_place(args)
    from mmwindow.experiments.devices import choose_devices
    from mmwindow.experiments.study.design import CORE, PARTS, Sizes
    from mmwindow.experiments.study.study import Study, do_study
    devices = choose_devices(args.gpus, jobs=args.jobs, slurm=args.slurm, out=args.out)
    study = Study(
        Path(args.out), Path(args.results), [*args.systems, *args.add],
        args.only or (PARTS if args.test else CORE), args.seeds,
        Sizes(args.num_train, args.num_val, args.num_test, args.side, args.epochs), args.baseline,
        args.num_resamples, PAPER if PAPER.exists() else None, args.amp,
        None if args.report is None else Path(args.report))
    if args.test:
        if args.dry_run:
            raise ValueError('--test trains nothing, so that --dry-run has no say: leave one out')
        from mmwindow.experiments.study.retests import retest_study
        if not retest_study(study, args.test, devices, args.report_only, overwrite=args.overwrite,
                             accept=args.accept, command_line=args.command_line):
            raise ValueError('not all trainings are tested; the lines above say which')
        return
    if not do_study(study, devices, args.dry_run, args.report_only, overwrite=args.overwrite,
                    accept=args.accept, command_line=args.command_line):
        if not args.dry_run:
            raise ValueError('the study is not complete; the lines above say what is missing, and '
                             'the same command resumes')
