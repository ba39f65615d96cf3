"""Whether the weights of a checkpoint are those of a model."""
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

# Counters of batch normalisation, which no prediction reads; those before torch 0.4.1 lack them.
ALLOWED = ('num_batches_tracked', )
MAX_NAMED = 3


@dataclass(frozen=True)
class WeightsDifference:
    """How a checkpoint's weights and a model's differ.

    Attributes:
        num_equal: Names that both have in one shape.
        missing: Names of the model that the checkpoint lacks.
        unexpected: Names of the checkpoint that the model lacks.
        mismatched: Name -> shape in the checkpoint, shape in the model.
    """

    num_equal: int = 0
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    mismatched: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether the checkpoint fills the model, and nothing of it is left over."""
        return not (self.missing or self.unexpected or self.mismatched)

    def describe(self) -> str:
        """Return in words what differs: how many weights of each kind, and some of them."""
        parts = []
        if self.missing:
            parts.append(f'{len(self.missing)} of the model are missing, such as '
                         f'{", ".join(self.missing[:MAX_NAMED])}')
        if self.mismatched:
            some = [f'{name} {theirs} for {ours}'
                    for name, (theirs, ours) in list(self.mismatched.items())[:MAX_NAMED]]
            parts.append(f'{len(self.mismatched)} have another shape, such as {", ".join(some)}')
        if self.unexpected:
            parts.append(f'{len(self.unexpected)} are of no part of the model, such as '
                         f'{", ".join(self.unexpected[:MAX_NAMED])}')
        return '; '.join(parts)


def state_dict_of(content: Any) -> dict[str, Tensor]:
    """Return the weights of a checkpoint's content, by the names that mmengine loads them under.

    Raises:
        ValueError: It holds none.
    """
    state = content.get('state_dict', content) if isinstance(content, Mapping) else None
    if not isinstance(state, Mapping) or not any(
            isinstance(value, Tensor) for value in state.values()):
        raise ValueError('it holds no weights (no tensors by name, and no state_dict of them)')
    return {str(name).removeprefix('module.'): value for name, value in state.items()}


def compare_weights(model: nn.Module, weights: Mapping[str, Any]) -> WeightsDifference:
    """Compare a model's weights and buffers with those of a checkpoint.

    Args:
        model: Not wrapped for several processes.
        weights: Name -> tensor, from :func:`state_dict_of`.

    Returns:
        WeightsDifference: Without ``num_batches_tracked``, which changes no prediction.
    """
    # A model for test-time augmentation holds the one that was trained.
    ours = {name.removeprefix('module.'): tuple(value.shape)
            for name, value in model.state_dict().items() if isinstance(value, Tensor)}
    theirs = {name: tuple(getattr(value, 'shape', ())) for name, value in weights.items()}
    both = [name for name in ours if name in theirs]
    mismatched = {name: (theirs[name], ours[name]) for name in both if theirs[name] != ours[name]}

    def left_over(names: Mapping[str, Any], others: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(name for name in names
                     if name not in others and name.rpartition('.')[2] not in ALLOWED)

    return WeightsDifference(len(both) - len(mismatched), left_over(ours, theirs),
                             left_over(theirs, ours), mismatched)


def check_weights(model: nn.Module, content: Any, checkpoint: object, config: object,
                  is_fine_tuned: bool = False) -> str | None:
    """Reject a checkpoint that does not fill a model exactly.

    Args:
        model: Of the config.
        content: Of the checkpoint.
        checkpoint: Its path, for the message.
        config: The config file, for the message.
        is_fine_tuned: The model is trained from these weights: parts of it may be others.

    Returns:
        What was not loaded, where parts may be others; None where all fits.

    Raises:
        ValueError: Something is missing, left over or of another shape; where a model is
            fine-tuned: nothing fits.
    """
    try:
        difference = compare_weights(model, state_dict_of(content))
    except ValueError as error:
        raise ValueError(f'checkpoint {checkpoint}: {error}') from error
    if difference.is_empty:
        return None
    if is_fine_tuned and difference.num_equal:
        return (f'checkpoint {checkpoint}: {difference.num_equal} weights were loaded; not loaded: '
                f'{difference.describe()}')
    trained = trained_config(content)
    raise ValueError(
        f'checkpoint {checkpoint}: its weights are not those of the config\'s model ({config}): '
        f'{difference.describe()}. '
        + (f'It was trained with {trained}. ' if trained else '')
        + ('Nothing of it fits: leave load_from out, or name a checkpoint of this model'
           if is_fine_tuned else 'Give the config that it was trained with'))


def trained_config(content: Any) -> str | None:
    """Return the name of the config that a checkpoint of ours was trained with; None of others."""
    from mmwindow.engine.model_description import META_KEY
    description = (content.get('meta') or {}).get(META_KEY) if isinstance(content, Mapping) else None
    name = description.get('config') if isinstance(description, Mapping) else None
    return name[:100] if isinstance(name, str) else None
