"""Random numbers follow from seed and place alone."""
import pickle
import random

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler
from torch.utils.data import BatchSampler, DataLoader, Dataset, SequentialSampler

from mmwindow.engine.random_streams import (
    TRAINING_IMAGES,
    BatchStream,
    SeededIndex,
    SeededSampler,
    fetch_seeded,
    seed_generators,
    seed_loader,
)


def draw():
    """Return a number of each generator."""
    noise = np.zeros((1, 1))
    cv2.randn(noise, 0, 1)
    return random.random(), np.random.rand(), float(torch.rand(1)), float(noise[0, 0])


class Draws(Dataset):
    """An item is its index and what the generators give."""

    def __getitem__(self, index):
        assert type(index) is int
        return (index, *draw())

    def __len__(self):
        return 6


def test_equal_words_give_equal_numbers_of_all_generators_and_others_others():
    numbers = []
    for words in [(1, 0, 5), (1, 0, 6), (1, 1, 5), (1, 0, 5)]:
        seed_generators(*words)
        numbers.append(draw())
    assert numbers[0] == numbers[3]
    for generator in zip(*numbers[:3], strict=True):
        assert len(set(generator)) == 3


def test_an_index_is_a_number_and_keeps_its_words_on_its_way_to_a_worker():
    index = pickle.loads(pickle.dumps(SeededIndex(4, (2, 0, 1, 9))))
    assert index == 4 and [10, 11, 12, 13, 14][index] == 14 and index.words == (2, 0, 1, 9)


@pytest.mark.parametrize('workers', [0, 2])
def test_images_draw_by_pass_and_place(workers):
    loader = DataLoader(Draws(), batch_size=2, num_workers=workers, collate_fn=list,
                        persistent_workers=workers > 0)
    sampler = seed_loader(loader, 7, TRAINING_IMAGES)
    assert seed_loader(loader, 7, TRAINING_IMAGES) is sampler  # once
    passes = [[item for batch in loader for item in batch] for _ in range(2)]
    assert [item[0] for item in passes[0]] == list(range(6))
    assert len({item[1:] for one in passes for item in one}) == 12
    for number, one in enumerate(passes):
        for place, item in enumerate(one):
            seed_generators(TRAINING_IMAGES, 7, number, place)
            assert item[1:] == draw()


def test_ranks_draw_other_numbers_and_places_do_not_depend_on_their_number():
    words = [[index.words for index in SeededSampler(SequentialSampler(range(3)), 7, 2, rank, 2)]
             for rank in range(2)]
    assert sorted(words[0] + words[1]) == [(2, 7, 0, place) for place in range(6)]


def test_skipped_images_are_not_loaded_and_the_next_keep_their_places():
    sampler = SeededSampler(SequentialSampler(range(5)), 7, 2)
    sampler.next_pass, sampler.num_skipped = 3, 2
    assert [(int(index), index.words[2:]) for index in sampler] == [
        (2, (3, 2)), (3, (3, 3)), (4, (3, 4))]
    assert [index.words[2:] for index in sampler][0] == (4, 0)  # the next pass is complete


def test_a_batch_without_images_is_empty():
    assert fetch_seeded(Draws(), []) == []


class OwnBatches(BatchSampler):
    """Batches that do not come from a sampler of images."""

    def __iter__(self):
        yield [0, 1]


def test_batches_of_another_kind_are_left_as_they_are():
    loader = DataLoader(Draws(), batch_sampler=OwnBatches(SequentialSampler(range(6)), 2, False))
    assert seed_loader(loader, 7, TRAINING_IMAGES) is None


@pytest.mark.parametrize('done', [0, 2, 3, 7])
def test_a_stream_from_a_step_on_is_the_rest_of_the_complete_one(done):
    def stream(done, ignored):
        loader = DataLoader(Draws(), batch_size=2, collate_fn=list,
                            sampler=DefaultSampler(Draws(), shuffle=True, seed=5))
        return BatchStream(loader, seed_loader(loader, 7, TRAINING_IMAGES), done, ignored)
    complete = stream(0, 0)
    batches = [next(complete) for _ in range(9)]
    late = stream(done, done)
    assert [next(late) for _ in range(done)] == [None] * done
    assert [next(late) for _ in range(9 - done)] == batches[done:]
    assert batches[0] != batches[3]  # the second pass has another order


@pytest.mark.parametrize('layer, training, learns', [
    (torch.nn.BatchNorm2d(2), True, True), (torch.nn.Conv2d(2, 2, 1), True, False),
    (torch.nn.SyncBatchNorm(2), True, False), (torch.nn.BatchNorm2d(2), False, False)])
def test_statistics_that_differ_between_processes_are_those_of_layers_that_learn_them(
        layer, training, learns):
    from mmwindow.engine.hooks.exact_resume_hook import keeps_statistics
    model = torch.nn.Sequential(layer)
    if not training:
        layer.eval()
        model.train = lambda mode=True: model  # as a backbone with norm_eval
    assert keeps_statistics(model) == learns
