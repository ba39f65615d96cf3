"""What heads predict is looked at, before a detector drops what is NaN."""
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from mmwindow.utils.messages import name_some


class HeadWatch:
    """Raise where a head of a model in evaluation mode gives NaN or plus infinity.

    MMDetection's box detectors drop boxes of score NaN, so an image would seem to have no finding.
    Minus infinity is the score of what a head has masked.
    """

    def __init__(self) -> None:
        self.images: Sequence[str] = ()
        self.handles: list[Any] = []

    def start(self, model: torch.nn.Module, images: Sequence[str]) -> None:
        """Watch the heads of a model.

        Args:
            model: Heads are its modules whose name ends in ``head``.
            images: Names of the images that it gets next.
        """
        self.images = images
        if not self.handles:
            # A roi_head only holds others; what it predicts comes out of its bbox_head.
            self.handles = [module.register_forward_hook(self._look)
                            for name, module in model.named_modules()
                            if name.rpartition('.')[2].endswith('head')]

    def stop(self) -> None:
        """Watch no longer."""
        while self.handles:
            self.handles.pop().remove()

    def _look(self, module: torch.nn.Module, inputs: Any, outputs: Any) -> None:
        """Forward hook of a head.

        Raises:
            ValueError: An output is NaN or plus infinity.
        """
        if module.training:
            return
        for output in find_tensors(outputs):
            is_bad = output.isnan() | output.isposinf()
            if not is_bad.any():
                continue
            images = self.images
            if is_bad.dim() and len(is_bad) == len(images):  # one row an image
                rows = is_bad.reshape(len(images), -1).any(1).tolist()
                images = [name for name, bad in zip(images, rows, strict=True) if bad]
            raise ValueError(
                f'{type(module).__name__} gives NaN or infinity for {name_some(images, 16)}; the '
                'weights are broken, or the pixels are not finite: no number is given')


def find_tensors(outputs: Any) -> Iterator[torch.Tensor]:
    """Yield the floating-point tensors in nested lists, tuples and dicts."""
    if isinstance(outputs, torch.Tensor):
        if outputs.is_floating_point():
            yield outputs
    elif isinstance(outputs, list | tuple):
        for part in outputs:
            yield from find_tensors(part)
    elif isinstance(outputs, Mapping):
        yield from find_tensors(list(outputs.values()))
