"""Copies: files of equal bytes, of equal pixels, and pictures that look alike.

What a copy means depends on where it lies: in another split the test sees training images, under
another label one of the two is wrong, and under another patient the patients are.
"""
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from mmwindow.apis.doctor.checkup import Checkup
from mmwindow.apis.doctor.file_checks import EVEN_DEVIATION
from mmwindow.apis.doctor.picture_hash import similar_pairs
from mmwindow.apis.doctor.problems import NOTE, WARNING, Problem, make_items
from mmwindow.utils.messages import count_words

SAME_FILE, SAME_BYTES, SAME_PIXELS, ALIKE = 'one file', 'equal bytes', 'equal pixels', 'alike'
EXACT = (SAME_FILE, SAME_BYTES, SAME_PIXELS)


@dataclass(frozen=True)
class CopyPair:
    """Two images that show the same: their indices.

    Attributes:
        first, second: Indices of images.
        kind: :data:`SAME_FILE`, :data:`SAME_BYTES`, :data:`SAME_PIXELS` or :data:`ALIKE`.
        correlation: Of their thumbnails.
    """

    first: int
    second: int
    kind: str
    correlation: float = 1.


@dataclass(frozen=True)
class Copies:
    """All copies of a data set.

    Attributes:
        pairs: Exact ones first; of three equal images two pairs, each with the first of them.
        num_candidates: Pairs that the hash took for alike.
    """

    pairs: list[CopyPair]
    num_candidates: int

    def components(self, num_images: int) -> np.ndarray:
        """Return ``(N,)`` integers: images that are copies of each other have one number."""
        rows = [pair.first for pair in self.pairs]
        columns = [pair.second for pair in self.pairs]
        graph = coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(num_images, num_images))
        return connected_components(graph, directed=False)[1]


def find_copies(checkup: Checkup) -> Copies:
    """Return the pairs of images that show the same."""
    pairs: list[CopyPair] = []
    exact: dict[int, int] = {}  # image -> the first image of equal pixels
    firsts: dict[bytes, int] = {}
    for index, facts in enumerate(checkup.facts):
        if facts.problem:
            continue
        first = firsts.setdefault(facts.pixel_digest, index)
        exact[index] = first
        if first != index:
            other = checkup.facts[first]
            kind = (SAME_FILE if checkup.places[first] == checkup.places[index] else SAME_BYTES
                    if (other.num_bytes, other.file_checksum)
                    == (facts.num_bytes, facts.file_checksum) else SAME_PIXELS)
            pairs.append(CopyPair(first, index, kind))
    # Alike: one image of each exact copy; even pictures are all alike and say nothing.
    compared = [index for index, first in exact.items()
                if first == index and not _is_even(checkup, index)]
    hashes = np.array([checkup.facts[index].hash for index in compared], dtype=np.uint64)
    places = checkup.places[np.array(compared, dtype=int)]
    found, num_candidates = similar_pairs(hashes, checkup.read.thumbnails, places)
    pairs += [CopyPair(compared[pair.first], compared[pair.second], ALIKE, pair.correlation)
              for pair in found]
    return Copies(pairs, num_candidates)


def _is_even(checkup: Checkup, index: int) -> bool:
    levels = checkup.facts[index].levels
    return levels is None or bool(levels[1] < EVEN_DEVIATION)


def check_copies(checkup: Checkup, copies: Copies) -> list[Problem]:
    """Return the problems of copies, by what they spoil; a pair may be in several."""
    problems = []
    for is_exact, name in ((True, 'copies'), (False, 'similar pictures')):
        pairs = [pair for pair in copies.pairs if (pair.kind in EXACT) == is_exact]
        described: set[int] = set()
        for kind, severity, words, advice, chosen in _sort_pairs(checkup, pairs, is_exact):
            described.update(map(id, chosen))
            problems.append(_describe(checkup, f'{name} {kind}', severity, words, advice, chosen))
        rest = [pair for pair in pairs if id(pair) not in described]
        if rest:
            problems.append(_describe(
                checkup, f'{name} within a split', NOTE, 'of one label and, where named, one patient',
                '--fix leaves copies out whose findings are the same' if is_exact else
                'Usually views of one study; nothing to do if they are', rest))
    return problems


def _sort_pairs(checkup: Checkup, pairs: list[CopyPair], is_exact: bool
                ) -> list[tuple[str, str, str, str, list[CopyPair]]]:
    images = checkup.images
    splits = [pair for pair in pairs if images[pair.first].split != images[pair.second].split]
    labels = [pair for pair in pairs
              if images[pair.first].is_positive != images[pair.second].is_positive]
    patients = [pair for pair in pairs if None not in (groups := (
        images[pair.first].record.group, images[pair.second].record.group))
        and groups[0] != groups[1]]
    found = [
        ('across splits', WARNING, 'so that tests see images of the training',
         '--fix leaves those out whose findings are the same' if is_exact else
         'Give both one "group", and divide again (mmwindow splits)', splits),
        ('across labels', WARNING, 'one with findings and one without', 'One of the two is '
         'wrong' if is_exact else 'Look at both: one label is wrong, or these are two views', labels),
        ('across patients', WARNING if is_exact else NOTE, 'under two names of patients',
         'Give both the same "group"', patients)]
    return [entry for entry in found if entry[-1]]


def _describe(checkup: Checkup, kind: str, severity: str, words: str, advice: str,
              pairs: list[CopyPair]) -> Problem:
    items = [f'{checkup.name(pair.first)} = {checkup.name(pair.second)}: {pair.kind}'
             + (f', correlation {pair.correlation:.3f}' if pair.kind == ALIKE else '')
             for pair in pairs]
    return Problem(severity, kind, '', f'{count_words(len(pairs), "pair")}, {words}', advice,
                   make_items(items))


def joined_units(checkup: Checkup, copies: Copies) -> list[int]:
    """Return the number of the unit of each image, where patients that share a picture are one.

    Cross-validation divides by these: a copy in another fold would be recognised.
    """
    links: dict[str, list[int]] = defaultdict(list)
    for index, unit in enumerate(checkup.units):
        links[unit].append(index)
    rows = [pair.first for pair in copies.pairs]
    columns = [pair.second for pair in copies.pairs]
    for members in links.values():
        rows += members[:-1]
        columns += members[1:]
    number = len(checkup.images)
    graph = coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(number, number))
    return [int(unit) for unit in connected_components(graph, directed=False)[1]]
