"""The mean of the weights of several epochs of one training, from its checkpoints.

torch's ``swa_utils`` and mmengine's ``EMAHook`` average while a model is trained; here checkpoints
that are already there are averaged, so that one training can be tested by several rules.
Source: Izmailov et al., *Averaging Weights Leads to Wider Optima and Better Generalization*, UAI
2018.
"""
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch import Tensor

from mmwindow.engine.model_description import META_KEY, POINTS_KEY
from mmwindow.engine.safe_loading import load_own_checkpoint
from mmwindow.engine.weights import state_dict_of
from mmwindow.utils.files import atomic_file
from mmwindow.utils.messages import name_some, quote, shorten

STATISTICS = ('running_mean', 'running_var')  # of batch normalisation
KEPT_META = ('seed', 'dataset_meta')
NOT_OF_THE_MODEL = ('versions', 'config', POINTS_KEY)  # entries of a description that may differ
AVERAGED = 'averaged_epochs'  # entry of ``meta``
# From complete weights and the names of their running statistics to these, measured on images.
Measure: TypeAlias = Callable[[Mapping[str, Tensor], Sequence[str]], Mapping[str, Tensor]]


def find_moving(states: Sequence[Mapping[str, Tensor]]) -> list[str]:
    """Return the names of the running statistics of each layer that has one which differs."""
    names = [name for name in states[-1] if name.rpartition('.')[2] in STATISTICS]
    layers = {name.rpartition('.')[0] for name in names if any(
        not torch.equal(state[name], states[-1][name]) for state in states)}
    return [name for name in names if name.rpartition('.')[0] in layers]


def average_weights(states: Sequence[Mapping[str, Tensor]], measure: Measure | None = None
                    ) -> dict[str, Tensor]:
    """Return the mean of several state dicts, name by name, computed in double precision.

    Values that are equal in all of them stay as they are, in every bit. Counters and other whole
    numbers are the last one's.

    Args:
        states: Of one model, in the order of the training; tensors of any shape.
        measure: Measures the running statistics of batch normalisation where they differ: those of
            the averaged weights are not their mean.

    Raises:
        ValueError: Names, shapes or types differ; or running statistics do and nothing measures them.

    >>> states = [{'weight': torch.tensor([0., 2.])}, {'weight': torch.tensor([1., 2.])}]
    >>> average_weights(states)['weight']
    tensor([0.5000, 2.0000])
    """
    if not states:
        raise ValueError('no weights are given; one or more checkpoints are expected')
    last = states[-1]
    for number, state in enumerate(states[:-1], start=1):
        differing = [name for name in {**last, **state} if name not in state or name not in last
                     or (state[name].shape, state[name].dtype) != (last[name].shape,
                                                                   last[name].dtype)]
        if differing:
            raise ValueError(f'checkpoint {number} and the last one are of different models: '
                             f'{len(differing)} weights differ in name, shape or type, such as '
                             f'{name_some(differing, 3)}')
    moving = find_moving(states)
    if moving and measure is None:
        raise ValueError(
            f'the running statistics of batch normalisation differ between the checkpoints '
            f'({len(moving)}, such as {moving[0]}), and those of averaged weights are not their '
            'mean; give the config of the training, --config, to measure them on its images')
    mean = {name: mean_of([state[name] for state in states]) for name in last}
    return mean if measure is None or not moving else {**mean, **measure(mean, moving)}


def mean_of(values: Sequence[Tensor]) -> Tensor:
    """Return the mean of tensors in their own type; of whole numbers the last tensor."""
    kind = values[-1].dtype
    if not (kind.is_floating_point or kind.is_complex):
        return values[-1].clone()
    total = torch.zeros_like(values[-1], dtype=torch.promote_types(kind, torch.float64))
    for value in values:
        total += value
    return (total / len(values)).to(kind)


def average_checkpoints(paths: Sequence[str | Path], out: str | Path,
                        measure: Measure | None = None) -> tuple[int, ...]:
    """Write the mean of the weights of several epochs of one training as a checkpoint.

    It has weights, description, classes and the averaged epochs, and no operating point: thresholds
    of a single epoch are not those of the mean. No training can resume from it.

    Args:
        paths: Two or more, in any order.
        out: Is written atomically.
        measure: As in :func:`average_weights`.

    Returns:
        The epochs, in order.

    Raises:
        ValueError: One cannot be read, two are of one epoch, or they are not of one training.
    """
    if len(paths) < 2:
        raise ValueError(f'{len(paths)} checkpoint given; the mean is of two or more epochs')
    loaded = sorted(((read_epoch(path, content), str(path), content) for path, content in (
        (path, load_own_checkpoint(path)) for path in paths)), key=lambda entry: entry[0])
    for (epoch, first, content), (later, second, other) in zip(loaded, loaded[1:], strict=False):
        where = f'{shorten(first)} and {shorten(second)}'
        if epoch == later:
            raise ValueError(f'{where} are both of epoch {epoch}; give each epoch once')
        check_same_training(where, content, other)
    epochs = tuple(epoch for epoch, _, _ in loaded)
    try:
        weights = average_weights([state_dict_of(content) for _, _, content in loaded], measure)
    except ValueError as error:
        raise ValueError(f'{", ".join(shorten(name) for _, name, _ in loaded)}: {error}') from error
    content = loaded[-1][2]
    meta = {name: content['meta'][name] for name in KEPT_META if name in content['meta']}
    described = content['meta'].get(META_KEY)
    if isinstance(described, dict):
        meta[META_KEY] = {name: value for name, value in described.items() if name != POINTS_KEY}
    with atomic_file(Path(out)) as part:
        torch.save({'meta': {**meta, AVERAGED: list(epochs)}, 'state_dict': weights}, part)
    return epochs


def read_epoch(path: str | Path, content: Mapping[str, Any]) -> int:
    """Return the epoch after which a checkpoint was saved.

    Raises:
        ValueError: It does not say, as one that is a mean itself.
    """
    meta = content.get('meta')
    epoch = meta.get('epoch') if isinstance(meta, dict) else None
    if type(epoch) is not int:
        raise ValueError(f'checkpoint {shorten(str(path))}: it does not say after which epoch it was '
                         'saved; a training writes epoch_*.pth and best_*.pth, which do')
    return epoch


def check_same_training(where: str, first: Mapping[str, Any], second: Mapping[str, Any]) -> None:
    """Reject checkpoints of two models or of two trainings: their mean is no model.

    Args:
        where: Names of both, for the message.
        first: Content of the earlier one.
        second: Of the later one.

    Raises:
        ValueError: Seed, or the description of the model, differs; or the earlier one's losses are
            not those with which the later one's training began.
    """
    seeds = [content['meta'].get('seed') for content in (first, second)]
    if seeds[0] != seeds[1]:
        raise ValueError(f'{where} are of two trainings, with the seeds {quote(seeds[0])} and '
                         f'{quote(seeds[1])}; the mean is of epochs of one')
    ours, theirs = (describe_model_of(content) for content in (first, second))
    differing = [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]
    if differing:
        raise ValueError(f'{where} are of different configs: their {", ".join(differing)} '
                         f'{"differs" if len(differing) == 1 else "differ"}; the mean is of epochs '
                         'of one training')
    before, after = read_losses(first), read_losses(second)
    if before is not None and after is not None and not np.array_equal(
            before, after[:len(before)]):
        raise ValueError(f'{where} are of two trainings: the later one did not come from the earlier '
                         'one, as their losses show; the mean is of epochs of one')


def describe_model_of(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the description in a checkpoint without what may differ; empty where it has none."""
    described = content['meta'].get(META_KEY)
    return {} if not isinstance(described, dict) else {
        name: value for name, value in described.items() if name not in NOT_OF_THE_MODEL}


def read_losses(content: Mapping[str, Any]) -> np.ndarray | None:
    """Return the loss of each step so far, as mmengine notes it; None where it is not there."""
    hub = content.get('message_hub')
    scalars = hub.get('log_scalars') if isinstance(hub, dict) else None
    buffer = scalars.get('train/loss') if isinstance(scalars, dict) else None
    return np.asarray(buffer.data[0]) if isinstance(buffer, HistoryBuffer) else None
