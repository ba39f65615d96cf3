"""A small share of tools/fuzz.py for each importer, with fixed seeds: no case may be a fault.

One line that names the file, or the points of an independent reading; nothing outside of ``--out``.
"""
import sys
from pathlib import Path

import pytest

from mmwindow.annotations.importers.formats import FORMATS

sys.path.insert(0, str(Path(__file__).parents[3] / 'tools'))
from fuzzing import readers_dicom_objects, readers_importers  # noqa: E402
from fuzzing.children import run_batch  # noqa: E402
from fuzzing.harness import EQUAL, FAULT, REJECTED, VALID, check_seeds  # noqa: E402

READERS = {reader.name.removeprefix('import-').replace('-', '_'): reader
           for reader in (*readers_importers.READERS, *readers_dicom_objects.READERS)}
NUM_CASES, SEED = 60, 5


def test_every_importer_is_tried():
    assert set(READERS) == set(FORMATS)


@pytest.mark.parametrize('name', READERS)
def test_mutated_files_are_rejected_in_one_line_or_read_as_by_an_independent_reading(name, tmp_path):
    if name in ('sr', 'gsps'):
        pytest.importorskip('pydicom', reason='pydicom is not installed (mmwindow[dicom])')
    reader = READERS[name]
    seeds = reader.make_seeds()
    check_seeds(reader, seeds, tmp_path / 'seed')
    outcomes = [(result.index, result.outcome) for result in run_batch(
        reader, seeds, SEED, range(NUM_CASES), tmp_path / 'cases')]
    assert [(index, outcome.fault, outcome.text) for index, outcome in outcomes
            if outcome.kind == FAULT] == []
    kinds = [outcome.kind for _, outcome in outcomes]
    assert len(kinds) == NUM_CASES and min(map(kinds.count, (REJECTED, EQUAL, VALID))) > 0
