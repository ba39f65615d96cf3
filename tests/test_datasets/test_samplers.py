"""Epochs of all positives and as many normals, alike on every rank."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdet.registry import DATA_SAMPLERS
from mmengine.dataset import ConcatDataset
from mmengine.registry import init_default_scope

from mmwindow.datasets import BalancedImageSampler, CocoPointDataset, samplers
from mmwindow.datasets.samplers import balanced_indices


class FakeDataset:
    """Images with a point where the pattern says so."""

    def __init__(self, pattern):
        self.pattern = pattern

    def __len__(self):
        return len(self.pattern)

    def get_data_info(self, index):
        return dict(instances=[dict(bbox=[1, 2])] if self.pattern[index] else [])


def on_rank(monkeypatch, rank, world_size, *args, **kwargs):
    with monkeypatch.context() as patch:
        patch.setattr(samplers, 'get_dist_info', lambda: (rank, world_size))
        return BalancedImageSampler(*args, **kwargs)


PATTERN = [index % 5 == 0 for index in range(50)]  # 10 positives: 0, 5, 10 ...; 40 normals
POSITIVES = set(range(0, 50, 5))


def test_an_epoch_has_all_positives_and_as_many_normals():
    sampler = BalancedImageSampler(FakeDataset(PATTERN), seed=0)
    epoch = list(sampler)
    assert len(sampler) == len(epoch) == len(set(epoch)) == 20
    assert POSITIVES < set(epoch)
    assert epoch == list(sampler)  # the same epoch again
    assert epoch == list(BalancedImageSampler(FakeDataset(PATTERN), seed=0))
    assert epoch != list(BalancedImageSampler(FakeDataset(PATTERN), seed=1))


def test_epochs_draw_other_normals_until_all_were_seen():
    sampler = BalancedImageSampler(FakeDataset(PATTERN), seed=0)
    epochs = []
    for epoch in range(25):
        sampler.set_epoch(epoch)
        epochs.append(list(sampler))
    assert len({tuple(sorted(epoch)) for epoch in epochs}) == 25
    assert all(POSITIVES < set(epoch) and len(epoch) == 20 for epoch in epochs)
    assert set().union(*epochs) == set(range(50))


@pytest.mark.parametrize('ratio, num_normals', [(0, 0), (0.5, 5), (2, 20), (4, 40), (100, 40)])
def test_ratios(ratio, num_normals):
    epoch = list(BalancedImageSampler(FakeDataset(PATTERN), seed=0, normals_per_positive=ratio))
    assert len(epoch) == 10 + num_normals and POSITIVES <= set(epoch)


def test_unshuffled_keeps_the_order():
    sampler = BalancedImageSampler(FakeDataset(PATTERN), seed=0, shuffle=False)
    epoch = list(sampler)
    assert epoch == sorted(epoch) and len(epoch) == 20


@pytest.mark.parametrize('num_positives', [10, 9])  # an epoch of 20 and one of 18 images
@pytest.mark.parametrize('world_size', [2, 3, 4])
def test_ranks_share_one_epoch(monkeypatch, num_positives, world_size):
    pattern = [index < num_positives for index in range(50)]
    whole = BalancedImageSampler(FakeDataset(pattern), seed=7)
    ranks = [on_rank(monkeypatch, rank, world_size, FakeDataset(pattern), seed=7)
             for rank in range(world_size)]
    for epoch in range(3):
        for sampler in [whole, *ranks]:
            sampler.set_epoch(epoch)
        parts = [list(sampler) for sampler in ranks]
        expected = -(-2 * num_positives // world_size)  # rounded up
        assert [len(part) for part in parts] == [len(sampler) for sampler in ranks]
        assert {len(part) for part in parts} == {expected}
        together = [index for step in zip(*parts, strict=True) for index in step]
        assert together[:2 * num_positives] == list(whole)
        # What fills the last step up is the epoch's beginning.
        assert together[2 * num_positives:] == together[:expected * world_size - 2 * num_positives]


def test_ranks_agree_on_a_drawn_seed(monkeypatch):
    monkeypatch.setattr(samplers, 'sync_random_seed', lambda: 12345)
    assert list(BalancedImageSampler(FakeDataset(PATTERN))) == list(
        BalancedImageSampler(FakeDataset(PATTERN), seed=12345))


def test_without_normals_all_positives_are_taken():
    assert sorted(BalancedImageSampler(FakeDataset([True] * 7), seed=0)) == list(range(7))


@pytest.mark.parametrize('pattern', [[], [False] * 6])
def test_without_positives_it_is_refused(pattern):
    with pytest.raises(ValueError, match=f'none of the {len(pattern)} images has a point.*ann_file'):
        BalancedImageSampler(FakeDataset(pattern))


@pytest.mark.parametrize('ratio', [-1, float('nan'), float('inf')])
def test_impossible_ratios(ratio):
    with pytest.raises(ValueError, match=f'normals_per_positive is {ratio}'):
        BalancedImageSampler(FakeDataset(PATTERN), normals_per_positive=ratio)


def test_it_reads_the_data_set_and_its_wrappers(tiny_dataset):
    dataset = CocoPointDataset(ann_file='annotations/train.json', data_root=str(tiny_dataset),
                               data_prefix=dict(img='images'))
    init_default_scope('mmdet')
    sampler = DATA_SAMPLERS.build(dict(type='BalancedImageSampler', dataset=dataset, seed=0))
    assert sampler.positive.tolist() == [True, False] * 3
    both = BalancedImageSampler(ConcatDataset([dataset, dataset]), seed=0)
    assert both.positive.tolist() == [True, False] * 6 and len(both) == 12


@settings(max_examples=100, deadline=None)
@given(st.lists(st.booleans(), max_size=40), st.floats(0, 5), st.integers(0, 100), st.booleans())
def test_balanced_indices_always(pattern, ratio, seed, shuffle):
    pattern = np.array(pattern, dtype=bool)
    indices = balanced_indices(pattern, ratio, np.random.default_rng(seed), shuffle)
    assert len(set(indices.tolist())) == len(indices)
    assert pattern[indices].sum() == pattern.sum()
    assert (~pattern[indices]).sum() == min((~pattern).sum(), round(pattern.sum() * ratio))
