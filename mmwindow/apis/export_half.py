"""Weights of an exported model in half precision: half as large, computed in single precision."""
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mmwindow.apis.export import write_model
from mmwindow.apis.half_weights import halve_graph
from mmwindow.images.sources import ImageSource
from mmwindow.runtime import RuntimeModel
from mmwindow.runtime.model_info import ModelInfo
from mmwindow.runtime.sessions import read_model_file
from mmwindow.utils.files import atomic_file


@dataclass(frozen=True)
class HalfResult:
    """What became of half precision.

    Attributes:
        path: The file.
        score_difference: Of image scores from those of the other file, the largest.
        num_images: That were compared.
        sizes: Of the two files, bytes.
    """

    path: Path
    score_difference: float
    num_images: int
    sizes: tuple[int, int]

    def describe(self) -> str:
        """Return the numbers as one line."""
        return (f'{self.path}: weights in half precision: image scores change by at most '
                f'{self.score_difference:.1e} on {self.num_images} images; '
                f'{self.sizes[0] / 1e6:.1f} -> {self.sizes[1] / 1e6:.1f} MB')


def write_half_model(path: Path, graphs: Sequence[bytes], info: ModelInfo) -> ModelInfo:
    """Write the graphs of a model with weights in half precision.

    Args:
        path: The file.
        graphs: With weights in single precision.
        info: What the model says of itself.

    Returns:
        The same, with its precision.
    """
    info = replace(info, precision='float16')
    write_model(path, [halve_graph(graph) for graph in graphs], info)
    return info


def export_half(path: str | Path, sources: Sequence[ImageSource]) -> HalfResult:
    """Write an exported model with weights in half precision next to it, ``<name>_half``.

    Args:
        path: The exported model, ``.onnx`` or ``.zip``.
        sources: Images on which the image scores of both are compared.

    Raises:
        ValueError: The file is no exported model, or an image cannot be read.
    """
    path = Path(path)
    file, out = read_model_file(path), path.with_name(f'{path.stem}_half{path.suffix}')
    with atomic_file(out) as part:
        write_half_model(part, file.graphs, file.info)
        scores = [np.stack([prediction.image_scores for prediction in
                            RuntimeModel(each).predict(list(sources), with_maps=False)])
                  for each in (path, part)]
        sizes = (path.stat().st_size, Path(part).stat().st_size)
    return HalfResult(out, float(np.abs(scores[0] - scores[1]).max()), len(sources), sizes)
