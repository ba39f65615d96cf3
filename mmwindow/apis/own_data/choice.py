"""What a training on a user's data is made of: config, batch, length, sampler; and why.

The numbers below are measured by ``tools/own_data_story.sh`` and ``tools/benchmark_memory.py``; what
they gave is in docs/own_data.md.
"""
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmwindow.annotations.records import ImageRecord
from mmwindow.utils.messages import count_words

CPU_CONFIG = 'windowloss/wl_kld_lite0_fpn.py'
GPU_CONFIG = 'windowloss/wl_kld_r50_fpn.py'
# A training needs so many steps, whatever the number of images, and no more than the second number.
MIN_STEPS, MAX_STEPS = 300, 2000
USUAL_EPOCHS = 8  # of our schedule for CPUs
MAX_VALIDATIONS = 8
BALANCE_FROM = 2.  # negative images to a positive one
PAPER_BATCH, SMALL_BATCH = 12, 4  # images on a GPU
# Bytes of a training step for an image of the ResNet-50 at 1024: 1.97e9 are kept between forward
# and backward (tools/benchmark_memory.py); half as much again for what comes and goes. Apart from the
# images: weights, gradients and Adam's two moments (.43e9), CUDA and cuDNN. Not tried on a GPU.
IMAGE_BYTES, FIXED_BYTES = 2.9e9, 2.5e9
USED_PART = 0.9  # of a GPU's memory


@dataclass(frozen=True)
class Machine:
    """What a training can use.

    Attributes:
        gpu: Name of the first GPU; None where torch sees none.
        gpu_bytes: Its memory.
        num_gpus: How many there are.
    """

    gpu: str | None = None
    gpu_bytes: int = 0
    num_gpus: int = 0


def find_machine() -> Machine:
    """Return the machine of this process."""
    import torch  # here: the data check asks for a choice where torch is not wanted

    if not torch.cuda.is_available():
        return Machine()
    properties = torch.cuda.get_device_properties(0)
    return Machine(properties.name, properties.total_memory, torch.cuda.device_count())


@dataclass(frozen=True)
class ModelChoice:
    """The config of a machine.

    Attributes:
        config: Relative to ``configs/``.
        reason: In one line.
        batch_size: None: the config's.
        input_size: None: the config's.
    """

    config: str
    reason: str
    batch_size: int | None = None
    input_size: int | None = None


def choose_model(machine: Machine) -> ModelChoice:
    """Return the config that a machine trains in reasonable time.

    Without a GPU that is EfficientNet-Lite0 at input 384. With one it is the paper's ResNet-50 at
    1024 with as many of its 12 images a batch as fit into the memory; where fewer than four do, the
    input is 512, whose images take a quarter.
    """
    small = 'so the small backbone, EfficientNet-Lite0 at input 384'
    if machine.gpu is None:
        return ModelChoice(CPU_CONFIG, f'no GPU is seen, {small}')
    name = f'{machine.gpu}, {machine.gpu_bytes / 1e9:.0f} GB'
    room = machine.gpu_bytes * USED_PART - FIXED_BYTES
    input_size = None
    number = int(room // IMAGE_BYTES)
    if number < SMALL_BATCH:
        input_size, number = 512, int(room // (IMAGE_BYTES / 4))
    if number < 2:
        return ModelChoice(CPU_CONFIG, f'the GPU ({name}) is too small for the ResNet-50, {small}')
    batch = min(PAPER_BATCH, number)
    return ModelChoice(GPU_CONFIG, f"a GPU is there ({name}), so the paper's ResNet-50 at input "
                                   f'{input_size or 1024}, {batch} images a batch by its memory',
                       batch, input_size)


@dataclass(frozen=True)
class Length:
    """How long a training is.

    Attributes:
        epochs: In all.
        first_validation: Epoch of the first validation.
        interval: Epochs from one validation to the next.
        steps: Of an epoch.
    """

    epochs: int
    first_validation: int
    interval: int
    steps: int

    @property
    def validations(self) -> int:
        """How many there are; the last epoch is always validated."""
        return count_validations(self.epochs, self.first_validation, self.interval)

    @property
    def reason(self) -> str:
        """Why, in one line."""
        total = self.epochs * self.steps
        if self.epochs == USUAL_EPOCHS:
            why = 'the usual number'
        elif self.epochs > USUAL_EPOCHS:
            why = f'so few images need more than the usual {USUAL_EPOCHS} to reach {MIN_STEPS} steps'
        else:
            why = f'so many images need fewer than the usual {USUAL_EPOCHS} for {MAX_STEPS} steps'
        return (f'{count_words(self.epochs, "epoch")} of {count_words(self.steps, "step")}, {total} '
                f'in all: {why}')


def count_validations(epochs: int, first: int, interval: int) -> int:
    """Return how often a training validates: each ``interval`` from ``first`` on, and at its end.

    >>> count_validations(8, 1, 1), count_validations(28, 14, 2), count_validations(29, 14, 2)
    (8, 8, 9)
    """
    return sum(epoch >= first and (epoch % interval == 0 or epoch == epochs)
               for epoch in range(1, epochs + 1))


def choose_length(num_images: int, batch_size: int) -> Length:
    """Return the length of a training: at least ``MIN_STEPS`` steps, at most ``MAX_STEPS``.

    Only the second half is validated, at most ``MAX_VALIDATIONS`` times: on a dozen validation images
    an early epoch can have an AUROC of 1 by chance, and the first of equals would be kept.

    Args:
        num_images: Of an epoch.
        batch_size: Images of a step.
    """
    steps = max(1, math.ceil(num_images / batch_size))
    epochs = max(USUAL_EPOCHS, math.ceil(MIN_STEPS / steps))
    return spread_validations(min(epochs, max(2, MAX_STEPS // steps)), steps)


def spread_validations(epochs: int, steps: int) -> Length:
    """Return a length with its validations; see :func:`choose_length`.

    Args:
        epochs: In all.
        steps: Of an epoch.
    """
    if epochs <= USUAL_EPOCHS:
        return Length(epochs, 1, 1, steps)
    first = epochs // 2
    return Length(epochs, first, max(1, math.ceil((epochs - first) / (MAX_VALIDATIONS - 1))), steps)


def needs_balance(records: Sequence[ImageRecord]) -> bool:
    """Return whether negative images dominate so much that an epoch takes as many as positive ones.

    The rule: at least ``BALANCE_FROM`` negative images to a positive one. Then an epoch is all
    positive images and as many random negative ones, others in the next epoch.
    """
    positives = sum(bool(record.points) for record in records)
    return positives > 0 and len(records) - positives >= BALANCE_FROM * positives


def count_epoch_images(records: Sequence[ImageRecord]) -> int:
    """Return the number of images of an epoch by the rule of :func:`needs_balance`."""
    positives = sum(bool(record.points) for record in records)
    return 2 * positives if needs_balance(records) else len(records)


def has_own_schedule(config: str | Path) -> bool:
    """Return whether a config is one of ours for short trainings, whose length may be chosen."""
    return '_lite0' in Path(config).stem


def class_option(cfg: Any, num_classes: int) -> dict[str, Any]:
    """Return the part of a config that sets the number of classes of its head."""
    model = dict(bbox_head=dict(num_classes=num_classes))
    return dict(roi_head=model) if 'roi_head' in cfg.model else model
