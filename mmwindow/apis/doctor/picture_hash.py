"""Pictures that look alike: a 64-bit perceptual hash, and the correlation of thumbnails.

The hash (Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions, 2010: "DCT based
hash") finds candidates quickly; alone it gives thousands of false pairs among radiographs, so that a
pair counts only where the thumbnails are correlated as well.
"""
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

HASH_SIDE = 32  # of the picture that is transformed
FREQUENCIES = 8  # of each axis that are kept
MAX_DISTANCE = 8  # bits
MIN_CORRELATION = .97
BLOCK = 256  # rows of a block of comparisons


class SimilarPair(NamedTuple):
    """Two pictures that look alike: their indices, and how much."""

    first: int
    second: int
    correlation: float


@lru_cache
def cosine_matrix(side: int = HASH_SIDE) -> np.ndarray:
    """Return ``(8, side)``: the lowest frequencies of the discrete cosine transform (type 2)."""
    places = (np.arange(side) + 0.5) * np.pi / side
    return np.cos(np.arange(FREQUENCIES)[:, None] * places[None])


def perceptual_hash(picture: np.ndarray) -> int:
    """Return the 64-bit hash of a picture ``(H, W)`` uint8; the first bit is the highest.

    A bit says whether one of the 8 x 8 lowest frequencies lies above their median.
    """
    return perceptual_hashes([picture])[0]


def perceptual_hashes(pictures: Sequence[np.ndarray]) -> list[int]:
    """Return the hash of each picture, as :func:`perceptual_hash`."""
    small = np.stack([cv2.resize(picture, (HASH_SIDE, HASH_SIDE), interpolation=cv2.INTER_AREA)
                      for picture in pictures])
    matrix = cosine_matrix()
    frequencies = (matrix @ small.astype(np.float64) @ matrix.T).reshape(len(small), -1)
    bits = frequencies > np.median(frequencies, axis=1, keepdims=True)
    return [int.from_bytes(row.tobytes(), 'big') for row in np.packbits(bits, axis=1)]


def count_bits(values: np.ndarray) -> np.ndarray:
    """Return the number of bits that are set in uint64 values, same shape, uint8."""
    if hasattr(np, 'bitwise_count'):  # numpy 2
        return np.bitwise_count(values)
    octets = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(1).astype(np.uint8)
    return octets[np.ascontiguousarray(values)[..., None].view(np.uint8)].sum(-1).astype(np.uint8)


def close_hashes(hashes: np.ndarray, max_distance: int = MAX_DISTANCE
                 ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the indices of pairs whose hashes differ in few bits, block by block.

    Args:
        hashes: ``(N,)`` uint64.
        max_distance: Bits.
    """
    for start in range(0, len(hashes), BLOCK):
        rows = hashes[start:start + BLOCK]
        others = hashes[start:]
        close = count_bits(rows[:, None] ^ others[None]) <= max_distance
        first, second = np.nonzero(close)
        kept = second > first
        if kept.any():
            yield first[kept] + start, second[kept] + start


def correlate(thumbnails: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the correlation of pairs of thumbnails, ``(K,)``; 0 where one is even.

    Args:
        thumbnails: ``(N, S, S)`` uint8.
        first, second: ``(K,)`` indices.
    """
    found = np.zeros(len(first))
    for number, pair in enumerate(zip(first.tolist(), second.tolist(), strict=True)):
        one, other = (_centre(thumbnails[index]) for index in pair)  # both stay in the fast memory
        found[number] = one @ other / max(np.sqrt((one @ one) * (other @ other)), 1e-6)
    return found


def _centre(picture: np.ndarray) -> np.ndarray:
    values = picture.reshape(-1).astype(np.float32)
    return values - values.mean()


def similar_pairs(hashes: np.ndarray, thumbnails: np.ndarray, places: np.ndarray | None = None,
                  min_correlation: float = MIN_CORRELATION) -> tuple[list[SimilarPair], int]:
    """Return the pairs of pictures that look alike, the most alike first, and the candidates' number.

    Args:
        hashes: ``(N,)`` uint64.
        thumbnails: ``(M, S, S)`` uint8.
        places: ``(N,)``, the thumbnail of each picture; in their order if None.
        min_correlation: Of their thumbnails.
    """
    pairs, num_candidates = [], 0
    for first, second in close_hashes(hashes):
        num_candidates += len(first)
        values = correlate(thumbnails, *((first, second) if places is None else
                                         (places[first], places[second])))
        kept = np.flatnonzero(values >= min_correlation)
        pairs += [SimilarPair(int(first[index]), int(second[index]), float(values[index]))
                  for index in kept]
    pairs.sort(key=lambda pair: (-pair.correlation, pair.first, pair.second))
    return pairs, num_candidates
