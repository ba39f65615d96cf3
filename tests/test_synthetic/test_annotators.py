"""Annotators of synthetic radiographs: points per fracture, jitter, fractures that nobody marks."""
import json
from collections import Counter

import numpy as np
import pytest

from mmwindow.synthetic import Annotators, generate_radiograph, write_dataset
from mmwindow.synthetic.annotators import RULES
from mmwindow.synthetic.radiograph import generate_readings
from mmwindow.synthetic.variation import Variation

SETTINGS = dict(seed=3, num_train=6, num_val=2, num_test=2, side=64, progress=False, workers=1)
KINDS = dict(length=Annotators(), **{rule: Annotators(rule) for rule in (*RULES[1:], 'mixed')},
             jitter50=Annotators(jitter=50), jitter100=Annotators(jitter=100),
             missed25=Annotators(missed=.25), missed50=Annotators(missed=.5))


@pytest.fixture(scope='module')
def readings():
    """Sixty broken radiographs of 128 pixels, each marked by every kind of annotators."""
    return [dict(zip(KINDS, generate_readings(seed, 128, True, None, Variation(),
                                              list(KINDS.values())), strict=True))
            for seed in range(60)]


def test_golden_points_of_seed_0(readings):
    """Written down when the rules were made; those of 'length' are older than the rules."""
    golden = dict(
        length=[[116.69895, 76.56458], [96.65380, 43.76016]],
        one=[[116.69895, 76.56458], [96.65380, 43.76016]],
        fragments=[[116.699, 76.565], [96.654, 43.760], [93.158, 39.878]],
        several=[[118.373, 76.906], [106.380, 43.871]],
        mixed=[[118.373, 76.906], [106.380, 43.871]],
        jitter50=[[121.090, 72.354], [96.172, 44.077]],
        missed50=np.zeros((0, 2)))
    for kind, points in golden.items():
        assert readings[0][kind].points == pytest.approx(np.array(points), abs=.001), kind


def test_annotators_change_no_pixel_and_nobody_depends_on_another(readings):
    for seed in (0, 7):
        plain = generate_radiograph(seed, 128, True)
        for kind, one in KINDS.items():
            alone = generate_radiograph(seed, 128, True, annotators=one)
            assert (alone.img == plain.img).all()
            assert (alone.points == readings[seed][kind].points).all(), kind


def test_how_many_points_a_fracture_gets(readings):
    counts = {kind: Counter() for kind in KINDS}
    for read in readings:
        for kind, made in read.items():
            counts[kind].update(Counter(made.owners.tolist()).values())
            assert (np.diff(made.owners) >= 0).all()
    fractures = sum(len(read['one'].fractures) for read in readings)
    assert counts['one'] == {1: fractures}
    assert set(counts['several']) == {1, 2, 3, 4} and min(counts['several'].values()) > fractures / 8
    assert counts['fragments'].total() == fractures and 1.5 < np.average(
        list(counts['fragments']), weights=list(counts['fragments'].values())) < 2.5


def test_each_image_of_mixed_annotators_is_read_by_one_of_four(readings):
    who = Counter()
    for read in readings:
        same = [rule for rule in RULES if np.array_equal(read[rule].points, read['mixed'].points)]
        assert same
        if len(same) == 1:  # on an image with a short line the rules may agree
            who.update(same)
    assert set(who) >= {'fragments', 'several'}


def test_jitter_moves_the_same_points_as_far_as_it_says(readings):
    moves = {kind: np.concatenate([read[kind].points - read['length'].points for read in readings])
             for kind in ('jitter50', 'jitter100')}
    assert len(moves['jitter50']) > 60
    distance = np.sqrt((moves['jitter50'] ** 2).sum(1).mean()) * 1024 / 128
    assert distance == pytest.approx(50, rel=.2)  # root mean square over some 90 points
    inside = (np.abs(moves['jitter100']) > 0).all(1) & np.concatenate([
        ((read['jitter100'].points > 1) & (read['jitter100'].points < np.array(
            read['one'].img.shape[::-1]) - 1)).all(1) for read in readings])
    assert moves['jitter100'][inside] == pytest.approx(2 * moves['jitter50'][inside])
    for read in readings:
        height, width = read['one'].img.shape
        assert ((read['jitter100'].points >= .5) & (read['jitter100'].points <= (
            width - .5, height - .5))).all()


def test_a_larger_share_misses_what_a_smaller_one_misses(readings):
    missed = {kind: [set(read['one'].owners.tolist()) - set(read[kind].owners.tolist())
                     for read in readings] for kind in ('missed25', 'missed50')}
    assert all(few <= many for few, many in zip(missed['missed25'], missed['missed50'], strict=True))
    fractures = sum(len(read['one'].fractures) for read in readings)
    shares = [sum(map(len, missed[kind])) / fractures for kind in missed]
    assert shares == pytest.approx([.25, .5], abs=.12)
    assert any(not read['missed50'].points.size and read['missed50'].fractures for read in readings)


@pytest.mark.parametrize('kind', KINDS)
def test_a_negative_image_gets_no_point(kind):
    made = generate_radiograph(3, 64, False, annotators=KINDS[kind])
    assert made.points.shape == (0, 2) and made.owners.shape == (0,)


@pytest.mark.parametrize('arguments, words', [
    (dict(points='two'), "'two'.*length, one, fragments, several, mixed"),
    (dict(jitter=-1), 'jitter is -1'), (dict(jitter=1024), 'jitter is 1024'),
    (dict(jitter=float('nan')), 'jitter is nan'), (dict(missed=1.5), 'missed is 1.5')])
def test_impossible_annotators_are_rejected(arguments, words):
    with pytest.raises(ValueError, match=words):
        Annotators(**arguments)


def test_a_data_set_with_further_annotators(tmp_path):
    """Their files lie next to the generator's own, which stay what they are without them."""
    plain = write_dataset(tmp_path / 'plain', **SETTINGS)
    folder = write_dataset(tmp_path / 'set', **SETTINGS, annotators=dict(
        one=KINDS['one'], missed=Annotators(missed=1.), off=KINDS['jitter50']))
    for path in [*plain.glob('annotations/*.json'), *plain.glob('images/*')]:
        assert (folder / path.relative_to(plain)).read_bytes() == path.read_bytes()
    for split, number in (('train', 6), ('val', 2), ('test', 2)):
        content = json.loads((folder / f'annotations/missed/{split}.json').read_text())
        assert len(content['images']) == number and content['annotations'] == []
        assert content['info']['annotators'] == dict(missed=1.)
        one = json.loads((folder / f'annotations/one/{split}.json').read_text())
        marked = [(note['image_id'], note['fracture']) for note in one['annotations']]
        assert len(marked) == len(set(marked)) > 0
        assert [note['id'] for note in one['annotations']] == list(range(1, len(marked) + 1))
    assert json.loads((folder / 'settings.json').read_text()) == dict(
        json.loads((plain / 'settings.json').read_text()), annotators=dict(
            one=dict(points='one'), missed=dict(missed=1.), off=dict(jitter=50)))
    with pytest.raises(ValueError, match='delete the folder or name another one'):
        write_dataset(folder, **SETTINGS)
    with pytest.raises(ValueError, match='becomes a folder'):
        write_dataset(tmp_path / 'bad', **SETTINGS, annotators={'../one': Annotators()})
