"""Tables 2 and 3: the paper's eight windows with both divergences, on two data sets, resumable.

    --out work_dirs/ablations                    FracAtlas (fold 0) and synthetic radiographs
    --out work_dirs/ablations --data synthetic   one of them
    --report-only                                tables of what is filed

Each row is the main config with another window, trained and tested by the paper's hit rule, and
tested again by the same with 4 % in place of 10 % and by the distance rule. RESULTS/<data>/,
<data>_overlap4/ and <data>_distance/ receive a result file and the events of each row as it ends,
then Tables 2 and 3 next to the paper's, with intervals; README.md says what each row loses against
the main window by each rule, and what a perfect prediction would lose (tools/exact_maps.py). The same
command again resumes.
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
from mmwindow.utils.command_line import add_options_argument
from mmwindow.utils.messages import count_words, shorten
from mmwindow.utils.outputs import check_output_folder

__all__ = ['STOPPED', 'add_arguments', 'run']

EXACT = 'results/exact_maps'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ablations."""
    parser.add_argument('--out', default='work_dirs/ablations', metavar='DIR',
                        help='of the runs; default: %(default)s')
    parser.add_argument('--results', default='results/ablations', metavar='FOLDER',
                        help='default: %(default)s')
    parser.add_argument('--data', nargs='+', choices=('fracatlas', 'synthetic'),
                        default=['fracatlas', 'synthetic'])
    parser.add_argument('--divergences', nargs='+', choices=('mse', 'kld'), default=['mse', 'kld'])
    parser.add_argument('--exact', metavar='FOLDER',
                        help=f'of tools/exact_maps.py; default: {EXACT}, if it is there')
    parser.add_argument('--paper', default=PAPER, help="the paper's numbers")
    parser.add_argument('--seed', type=int, help="of the trainings; default: the configs'")
    parser.add_argument('--num-resamples', type=int, default=2000, help='of the bootstrap')
    add_place_arguments(parser)
    add_amp_argument(parser)
    parser.add_argument('--report-only', action='store_true', help='train nothing, report')
    parser.add_argument('--overwrite', action='store_true',
                        help='delete runs of other settings that are in the way')
    add_accept_argument(parser)
    add_options_argument(parser, 'every config')


def run(args: argparse.Namespace) -> None:
    """Train, test and report.

    Raises:
        ValueError: A row is missing at the end.
    """
    check_output_folder(args.out, '--out')
    check_output_folder(args.results, '--results')
    if args.exact and not Path(args.exact).is_dir():
        raise ValueError(f'--exact {shorten(args.exact)}: there is no such folder; '
                         'tools/exact_maps.py --out writes one')
    from mmwindow.experiments.ablation_report import report_ablations
    from mmwindow.experiments.ablations import list_ablations, run_ablations
    from mmwindow.experiments.devices import choose_devices
    from mmwindow.experiments.paper_report import read_paper
    from mmwindow.experiments.plan import RunSettings
    read_place(args)
    results = Path(args.results)
    numbers = read_paper(args.paper)
    rows, missing = list_ablations(numbers, args.data, args.divergences), []
    if not args.report_only:
        missing = run_ablations(
            rows, Path(args.out), results, choose_devices(
                args.gpus, jobs=args.jobs, slurm=args.slurm, out=args.out),
            RunSettings(args.cfg_options, args.seed, args.amp), args.command_line,
            num_resamples=args.num_resamples, overwrite=args.overwrite, accept=args.accept)
    # Of what was asked for before, too.
    print(report_ablations(list_ablations(numbers), results, args.paper, args.command_line,
                           Path(args.exact or EXACT), args.num_resamples))
    if missing:
        raise ValueError(f'{count_words(len(missing), "row is", "rows are")} missing, as '
                         f'{missing[0]}; the same command resumes')
