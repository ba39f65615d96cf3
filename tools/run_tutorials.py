#!/usr/bin/env python
"""Run the commands of docs/tutorials/*.md and compare what they print with what the pages show.

    tools/run_tutorials.py                    all pages, small, in a new folder: minutes
    tools/run_tutorials.py --full --paste clicks --folder work_dirs/tutorials
                                              a page as it stands, its output written into it

Pages are run in one folder each, next to each other, in the order of the list in docs/tutorials.
"""
import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / 'tools')]  # this checkout, whatever is installed

from tutorials.page import Command, paste, read_page  # noqa: E402
from tutorials.run import find_faults, run_in_shell, run_page  # noqa: E402

from mmwindow.utils.command_line import one_line_errors  # noqa: E402

PAGES = ('clicks', 'fracatlas', 'dicom', 'readers', 'in_use')


def describe_machine() -> str:
    """Return processor, cores, and how busy the machine is."""
    cpu = next((line.partition(':')[2].strip() for line in open('/proc/cpuinfo', encoding='utf-8')
                if line.startswith('model name')), 'unknown processor')
    return (f'{cpu}, {os.cpu_count()} cores, {os.environ.get("OMP_NUM_THREADS", "all")} threads, no '
            f'GPU; at the end {os.getloadavg()[2]:.0f} processes wanted to run (mean of 15 minutes)')


def show(command: Command) -> None:
    """Say which command begins, and when."""
    print(f'{time.strftime("%H:%M:%S")} $ {command.text}', flush=True)


def main() -> None:
    """Run pages; exit with 1 where one differs."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('pages', nargs='*', help='default: all')
    parser.add_argument('--full', action='store_true', help='as the page stands, not as its test')
    parser.add_argument('--paste', action='store_true', help='write the output into the page')
    parser.add_argument('--folder', type=Path, help='where; default: one that is removed at the end')
    args = parser.parse_args()
    faults = []
    with one_line_errors('run_tutorials'), tempfile.TemporaryDirectory() as temporary:
        unknown = set(args.pages) - set(PAGES)
        if unknown:
            raise ValueError(f'there is no page {sorted(unknown)[0]}; the pages are '
                             f'{", ".join(PAGES)}')
        base = (args.folder or Path(temporary)).resolve()
        for name in args.pages or PAGES:
            page = read_page(ROOT / f'docs/tutorials/{name}.md')
            (base / name).mkdir(parents=True, exist_ok=True)
            os.chdir(base / name)
            start = time.monotonic()
            kept = base / f'{name}.outcomes.json' if args.folder else None
            outcomes = run_page(page, not args.full, run_in_shell, kept, show)
            if args.paste:
                paste(page, outcomes, describe_machine())
                page = read_page(page.path)
            found = find_faults(page, outcomes, not args.full)
            faults += found
            print(f'{name}: {len(page.commands)} commands, {len(found)} faults, '
                  f'{time.monotonic() - start:.0f} s', flush=True)
    print('\n'.join(faults))
    raise SystemExit(bool(faults))


if __name__ == '__main__':
    main()
