"""What is chosen for which machine and which number of images: worked by hand."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmwindow.annotations.records import ImageRecord
from mmwindow.apis.own_data.choice import (
    CPU_CONFIG,
    GPU_CONFIG,
    Machine,
    choose_length,
    choose_model,
    count_epoch_images,
    count_validations,
    has_own_schedule,
    needs_balance,
)


def records(positives, negatives):
    return [ImageRecord(number, f'{number}.png', 9, 9, None, [(1., 1.)] * (number < positives),
                        [0] * (number < positives)) for number in range(positives + negatives)]


@pytest.mark.parametrize('gigabytes, config, batch, size', [
    (0, CPU_CONFIG, None, None),
    (4, CPU_CONFIG, None, None),  # (3.6 - 2.5) / .725 = 1.5 images at 512
    (6, GPU_CONFIG, 4, 512),      # (5.4 - 2.5) / .725 = 4.0
    (11, GPU_CONFIG, 10, 512),    # (9.9 - 2.5) / 2.9 = 2.6 at 1024; / .725 = 10.2
    (16, GPU_CONFIG, 4, None),    # (14.4 - 2.5) / 2.9 = 4.1
    (24, GPU_CONFIG, 6, None),    # (21.6 - 2.5) / 2.9 = 6.6
    (80, GPU_CONFIG, 12, None)])  # never more than the paper's
def test_the_model_follows_the_machine(gigabytes, config, batch, size):
    machine = Machine('Card', int(gigabytes * 1e9), 1) if gigabytes else Machine()
    choice = choose_model(machine)
    assert (choice.config, choice.batch_size, choice.input_size) == (config, batch, size)
    assert ('no GPU' in choice.reason) == (gigabytes == 0)
    assert ('too small' in choice.reason) == (gigabytes == 4)


@pytest.mark.parametrize('images, epochs, validations', [
    (84, 28, 8),       # 11 steps; 300 / 11 = 27.3
    (8, 300, 8), (300, 8, 8),  # 38 steps; 8 x 38 = 304
    (3000, 5, 5),      # 375 steps; 2000 / 375 = 5.3
    (100000, 2, 2), (1, 300, 8)])
def test_a_training_has_300_to_2000_steps(images, epochs, validations):
    length = choose_length(images, 8)
    assert (length.epochs, length.validations) == (epochs, validations)


@given(st.integers(1, 20000), st.integers(1, 32))
def test_lengths_keep_their_bounds(images, batch):
    length = choose_length(images, batch)
    total = length.epochs * length.steps
    assert length.steps * batch >= images
    assert total >= 300 or length.epochs == 2
    assert total <= 2000 + length.steps or length.epochs == 2
    assert 1 <= length.validations <= 8 and 1 <= length.first_validation <= length.epochs
    steps = '1 step' if length.steps == 1 else f'{length.steps} steps'
    assert f'{length.epochs} epochs of {steps}, {total} in all' in length.reason


def test_only_the_second_half_of_a_long_training_is_validated():
    length = choose_length(84, 8)
    assert (length.first_validation, length.interval) == (14, 2)
    assert count_validations(28, 14, 2) == len([14, 16, 18, 20, 22, 24, 26, 28]) == 8


@pytest.mark.parametrize('positives, negatives, balanced, number', [
    (10, 10, False, 20), (10, 19, False, 29), (10, 20, True, 20), (0, 5, False, 5), (5, 0, False, 5)])
def test_an_epoch_is_balanced_from_two_negative_images_to_a_positive_one(
        positives, negatives, balanced, number):
    images = records(positives, negatives)
    assert (needs_balance(images), count_epoch_images(images)) == (balanced, number)


def test_only_our_short_schedules_are_given_another_length():
    assert has_own_schedule('mmwindow::fcos/fcos_lite0_fpn.py')
    assert not has_own_schedule('mmwindow::windowloss/wl_kld_r50_fpn.py')
