#!/usr/bin/env python
"""Time what a threshold and a report cost, from the committed events of FracAtlas' test images."""
import argparse
import tempfile
import time

from mmwindow.apis.run_numbers import ReportSettings
from mmwindow.apis.run_report import ReportInputs, write_run_report
from mmwindow.evaluation.files.records import read_record
from mmwindow.evaluation.results import summarise
from mmwindow.evaluation.statistics.model_points import choose_model_points
from mmwindow.utils.command_line import one_line_errors
from mmwindow.utils.environment import describe_machine

RECORD = 'results/fracatlas_before/events/wl_kld_lite0_fpn.json'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('record', nargs='?', default=RECORD, help='of a test (%(default)s)')
    args = parser.parse_args()
    with one_line_errors('benchmark_report'), tempfile.TemporaryDirectory() as folder:
        record = read_record(args.record)
        started, cpu = time.monotonic(), time.process_time()
        points = choose_model_points(record.classes, split='these images')
        chosen = time.process_time() - cpu
        result = summarise(record.classes, record.settings)
        cpu = time.process_time()
        write_run_report(folder, ReportInputs('A test', result, points), ReportSettings())
        print(f'{len(next(iter(record.classes.values())))} images, {describe_machine()}; seconds of '
              f'one core: threshold with interval {chosen:.2f}, report without pictures of images '
              f'{time.process_time() - cpu:.1f} (elapsed {time.monotonic() - started:.1f} in all)')


if __name__ == '__main__':
    main()
