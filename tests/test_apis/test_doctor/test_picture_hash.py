"""Perceptual hashes against another implementation, pairs against all pairs, planted copies."""
import itertools

import cv2
import numpy as np
import pytest
from scipy.fft import dctn

from mmwindow.apis.doctor.image_facts import (
    THUMBNAIL_SIDE,
    measure_image,
    measure_images,
    reduce_picture,
)
from mmwindow.apis.doctor.picture_hash import (
    close_hashes,
    correlate,
    count_bits,
    perceptual_hash,
    similar_pairs,
)
from mmwindow.synthetic.radiograph import generate_radiograph

NUM_RADIOGRAPHS = 40


def facts_of(pictures):
    thumbnails = np.stack([cv2.resize(reduce_picture(picture), (THUMBNAIL_SIDE, THUMBNAIL_SIDE),
                                      interpolation=cv2.INTER_AREA) for picture in pictures])
    return np.array([perceptual_hash(one) for one in thumbnails], np.uint64), thumbnails


@pytest.fixture(scope='module')
def radiographs():
    """Synthetic radiographs of different patients."""
    return [generate_radiograph(seed, 128).img for seed in range(NUM_RADIOGRAPHS)]


def test_the_hash_is_that_of_scipys_cosine_transform(radiographs):
    for picture in radiographs[:10]:
        thumbnail = cv2.resize(picture, (128, 128), interpolation=cv2.INTER_AREA)
        # 32 x 32 means of 4 x 4 pixels, rounded as OpenCV does; DCT type 2; bits above the median.
        means = thumbnail.reshape(32, 4, 32, 4).mean((1, 3))
        low = dctn(np.floor(means + .5), type=2)[:8, :8]
        # An unnormalised transform of scipy is four times the plain sum: the median does not care.
        expected = ''.join('1' if value > np.median(low) else '0' for value in low.reshape(-1))
        found = f'{perceptual_hash(thumbnail):064b}'
        # Means that lie halfway between two levels may be rounded either way: a bit or two.
        assert sum(a != b for a, b in zip(found, expected, strict=True)) <= 2
        assert found.count('1') == 32


def test_bits_are_counted_with_and_without_numpy_2(monkeypatch):
    values = np.array([0, 1, 2 ** 64 - 1, 2 ** 63 + 5], dtype=np.uint64)
    assert count_bits(values).tolist() == [0, 1, 64, 3]
    monkeypatch.delattr(np, 'bitwise_count', raising=False)
    assert count_bits(values[None]).tolist() == [[0, 1, 64, 3]]


def test_close_hashes_are_those_of_all_pairs():
    generator = np.random.default_rng(0)
    hashes = generator.integers(0, 2 ** 64, 600, dtype=np.uint64)
    hashes[300:] = hashes[:300] ^ (np.uint64(1) << generator.integers(0, 64, 300, dtype=np.uint64))
    hashes[10] = hashes[11] ^ np.uint64(0b111111111)  # nine bits: one too many
    found = {(int(a), int(b)) for one, other in close_hashes(hashes)
             for a, b in zip(one, other, strict=True)}
    expected = {(a, b) for a, b in itertools.combinations(range(600), 2)
                if bin(int(hashes[a]) ^ int(hashes[b])).count('1') <= 8}
    assert found == expected and (10, 11) not in found and len(found) >= 299


def test_no_pictures_have_no_pairs():
    assert similar_pairs(np.zeros(0, np.uint64), np.zeros((0, 128, 128), np.uint8)) == ([], 0)


def test_correlation_is_numpys_and_zero_for_even_pictures(radiographs):
    thumbnails = facts_of(radiographs[:3])[1]
    thumbnails[2] = 7
    found = correlate(thumbnails, np.array([0, 0, 0]), np.array([0, 1, 2]))
    expected = np.corrcoef(thumbnails[0].reshape(-1).astype(float), thumbnails[1].reshape(-1))[0, 1]
    assert found == pytest.approx([1, expected, 0], abs=1e-4)  # in float32


def change(picture, kind):
    if kind == 'brightness':
        return (picture * .8 + 30).clip(0, 255).astype(np.uint8)
    if kind == 'crop':
        return np.ascontiguousarray(picture[1:, 1:])
    if kind == 'half size':
        return cv2.resize(picture, None, fx=.5, fy=.5, interpolation=cv2.INTER_AREA)
    return cv2.imdecode(cv2.imencode('.jpg', picture, [cv2.IMWRITE_JPEG_QUALITY, 40])[1],
                        cv2.IMREAD_GRAYSCALE)


def test_changed_copies_are_found_and_other_patients_are_not(radiographs):
    kinds = ('brightness', 'crop', 'half size', 'JPEG')
    copies = [change(radiographs[number], kinds[number % 4]) for number in range(20)]
    pairs, num_candidates = similar_pairs(*facts_of([*radiographs, *copies]))
    found = {(pair.first, pair.second) for pair in pairs}
    planted = {(number, NUM_RADIOGRAPHS + number) for number in range(20)}
    assert planted <= found  # recall 20 of 20
    assert found == planted  # of 1770 pairs none is false
    assert num_candidates >= len(found)


def test_images_are_measured_alike_alone_and_together(tmp_path):
    """Chunks are measured at once; an unreadable file between them takes nobody's place."""
    pictures = [generate_radiograph(seed, 128).img if seed else np.full((50, 40), 7, np.uint8)
                for seed in range(4)]
    paths = [tmp_path / f'{number}.png' for number in range(5)]
    for path, picture in zip([*paths[:2], *paths[3:]], pictures, strict=True):
        cv2.imwrite(str(path), picture)
    together, alone = measure_images(paths), [measure_image(path) for path in paths]
    assert [bool(facts.problem) for facts in together] == [False, False, True, False, False]
    for one, other in zip(together, alone, strict=True):
        for name in ('problem', 'height', 'width', 'file_checksum', 'pixel_digest', 'hash'):
            assert getattr(one, name) == getattr(other, name)
        if not one.problem:
            assert one.levels == pytest.approx(other.levels, abs=1e-9)
            assert (one.border == other.border).all() and (one.thumbnail == other.thumbnail).all()
            assert 0 <= one.decode_seconds <= one.seconds
    levels = together[3].levels
    # All rows are looked at: below 256 of them, none is passed over.
    assert levels[:2] == pytest.approx([pictures[2].mean(), pictures[2].std()])
    assert levels[4] == np.quantile(pictures[2], .25, method='inverted_cdf')
    edges = np.mean([line.mean() for line in (pictures[2][0], pictures[2][-1], pictures[2][:, 0],
                                              pictures[2][:, -1])])
    assert together[3].border[4] == pytest.approx(edges)
    assert together[0].border.tolist() == [1, 1, 1, 1, 7] and measure_images([]) == []
