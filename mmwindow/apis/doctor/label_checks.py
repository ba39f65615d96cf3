"""Suspicious labels: what models that never saw an image think of it, against its label."""
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmwindow.apis.doctor.checkup import Checkup
from mmwindow.apis.doctor.problems import NOTE, Problem, make_items
from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.files.records import FORMAT, read_record
from mmwindow.evaluation.statistics.delong import placements
from mmwindow.utils.files import load_json
from mmwindow.utils.messages import count_words, shorten

RECORD_NAME = 'test.json'
MAX_SUSPECTS = 20  # of each kind
MAX_SHARE = .1  # a suspect is outranked by nine tenths of the images of the other kind


@dataclass(frozen=True)
class Suspect:
    """An image whose scores contradict its label.

    Attributes:
        index: Of the image.
        is_positive: Its label.
        share: Of the images of the other label that it is ranked rightly against, mean over tests.
        score: Mean over tests.
        num_tests: How many tested it.
    """

    index: int
    is_positive: bool
    share: float
    score: float
    num_tests: int


@dataclass(frozen=True)
class Suspects:
    """Images to look at again, the most suspicious first.

    Attributes:
        positives: With a finding, and scores that few negative images have.
        negatives: Without, and scores that few positive images reach.
        num_records: Tests that were read.
        num_images: Images of the data set that they scored.
    """

    positives: list[Suspect]
    negatives: list[Suspect]
    num_records: int
    num_images: int


def find_records(runs: Path) -> list[Path]:
    """Return the records of tests in a run folder.

    Args:
        runs: Folder of ``mmwindow folds``, or one record.

    Raises:
        ValueError: There is none.
    """
    files = [runs] if runs.is_file() else sorted(runs.rglob(RECORD_NAME))
    records = [path for path in files if _is_record(path)]
    if not records:
        raise ValueError(f'--runs {shorten(str(runs))}: there is no record of a test ({RECORD_NAME}) '
                         'in it; mmwindow folds writes them')
    return records


def _is_record(path: Path) -> bool:
    content = load_json(path, 'record of an evaluation')
    return isinstance(content, dict) and content.get('format') == FORMAT


def find_suspects(checkup: Checkup, runs: str | Path) -> Suspects:
    """Return the images whose scores out of fold contradict their labels.

    Only images of the record are ranked against each other: models of different folds score on
    different scales. An image is looked for by the id of its point file.

    Args:
        checkup: The images.
        runs: As in :func:`find_records`.

    Raises:
        ValueError: There is no record, or none of their images is in the data set.
    """
    records = find_records(Path(runs))
    places = {image.record.img_id: index for index, image in enumerate(checkup.images)}
    shares: dict[int, list[float]] = defaultdict(list)
    scores: dict[int, list[float]] = defaultdict(list)
    for path in records:
        for events in read_record(path).classes.values():
            for index, share, score in _rank(events, places, checkup):
                shares[index].append(share)
                scores[index].append(score)
    if not shares:
        raise ValueError(f'--runs {shorten(str(runs))}: none of their images has an id of this data '
                         'set, or they are of one kind; give the runs of this very data set')
    suspects = [Suspect(index, bool(checkup.is_positive[index]), float(np.mean(values)),
                        float(np.mean(scores[index])), len(values))
                for index, values in shares.items() if np.mean(values) <= MAX_SHARE]
    suspects.sort(key=lambda suspect: (suspect.share, suspect.index))
    chosen = [[suspect for suspect in suspects if suspect.is_positive == kind][:MAX_SUSPECTS]
              for kind in (True, False)]
    return Suspects(chosen[0], chosen[1], len(records), len(shares))


def _rank(events: list[ImageEvents], places: dict[int | str, int], checkup: Checkup
          ) -> list[tuple[int, float, float]]:
    """Return index, share of the other kind that is ranked rightly against it, and score."""
    known = [event for event in events if event.image_id in places and (
        bool(event.is_positive) == checkup.images[places[event.image_id]].is_positive)]
    labels = np.array([bool(event.is_positive) for event in known], dtype=bool)
    if not labels.any() or labels.all():
        return []
    scores = np.array([event.score for event in known], float)
    return [(places[event.image_id], float(share), float(score))
            for event, share, score in zip(known, placements(scores, labels), scores, strict=True)]


def check_labels(checkup: Checkup, suspects: Suspects) -> list[Problem]:
    """Return one note for each kind of suspicious images."""
    problems = []
    for kind, found, words in (
            ('positive', suspects.positives, 'negative images score higher'),
            ('negative', suspects.negatives, 'positive images score lower')):
        if found:
            items = (f'{checkup.name(suspect.index)}: {1 - suspect.share:.0%} of {words}, mean score '
                     f'{suspect.score:.3f}' for suspect in found)
            problems.append(Problem(
                NOTE, f'suspicious {kind} images', '', f'{count_words(len(found), "image")} by '
                f'{count_words(suspects.num_records, "test")}', 'Read them again: a missed finding, '
                'a wrong label, or a case that is hard', make_items(items)))
    return problems
