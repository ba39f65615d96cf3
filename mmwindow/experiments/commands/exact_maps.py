"""Score perfect predictions: how much the hit rule alone takes from the windows of Tables 2 and 3.

    POINTS.json [POINTS.json ...] --out results/exact_maps

No model and no image is needed. For each of the paper's eight windows, maps are made from the
points that lie within the window everywhere, so that their Window Loss is 0: the lower bound, the
upper bound and two in between. They are scored by the paper's hit rule, by the same with 4 % in place
of 10 %, and by the distance rule. OUT receives a file for each point file, named after its data set.
"""
import argparse
from pathlib import Path

from mmwindow.experiments.commands.tables import PAPER
from mmwindow.utils.outputs import check_output_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of exact maps."""
    parser.add_argument('points', nargs='+', metavar='POINTS.json', help='or NAME=POINTS.json')
    parser.add_argument('--out', required=True, metavar='FOLDER', help='of the result files')
    parser.add_argument('--paper', default=PAPER, help="the paper's windows; default: %(default)s")


def name_of(text: str) -> tuple[str, Path]:
    """Return the name and the path of ``NAME=FILE``, or of a file the name of its data set.

    >>> name_of('data/fracatlas/annotations/test.json')[0], name_of('hip=a/b.json')[0]
    ('fracatlas', 'hip')
    """
    name, found, path = text.partition('=')
    if found:
        return name, Path(path)
    parents = [part.name for part in Path(text).absolute().parents if part.name != 'annotations']
    return parents[0] or 'points', Path(text)


def run(args: argparse.Namespace) -> None:
    """Score.

    Raises:
        ValueError: A file is no point file, or two have one name.
    """
    check_output_folder(args.out, '--out')
    from mmwindow.experiments.exact_maps import describe_exact_maps
    from mmwindow.experiments.paper_report import read_paper
    from mmwindow.utils.environment import describe_machine, describe_versions
    from mmwindow.utils.files import write_json
    files = [name_of(text) for text in args.points]
    names = [name for name, _ in files]
    if len(set(names)) < len(names):
        raise ValueError(f'the point files are named {", ".join(names)}; name each, NAME=FILE')
    paper = read_paper(args.paper)
    for name, path in files:
        content = describe_exact_maps(path, paper, show_progress=True)
        write_json(Path(args.out) / f'{name}.json', dict(
            content, command=args.command_line, machine=describe_machine(),
            versions=describe_versions()))
        print(f'{path}: {Path(args.out) / f"{name}.json"}')
