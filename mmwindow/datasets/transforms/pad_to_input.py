"""Filling an image up to the network's input."""
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS

from mmwindow.images.padding import pad_to_size

LARGEST_STRIDE = 32  # of the systems' maps; models pad to multiples of it (pad_size_divisor)


def input_size_of(transform: object, results: dict) -> tuple[int, int]:
    """Return the input size ``(height, width)`` that ResizeToInput wrote into a sample.

    Raises:
        ValueError: It did not.
    """
    if results.get('input_size') is None:
        raise ValueError(f'{type(transform).__name__}: the sample has no input_size; put '
                         'ResizeToInput(input_size=...), which alone knows it, before')
    return results['input_size']


@TRANSFORMS.register_module()
class PadToInput(BaseTransform):
    """Pad to the right and below up to the input size; points stay.

    Required Keys:

    - img
    - input_size

    Modified Keys:

    - img
    - img_shape (the input size from here on)

    Added Keys:

    - pad_shape

    Args:
        pad_val: Grey level of the padding.
        divisor: Height and width of the input must be multiples of it, so that a map covers the
            frame and nothing else: a model that pads further would shift maps against points.
    """

    def __init__(self, pad_val: int = 0, divisor: int = LARGEST_STRIDE) -> None:
        self.pad_val = pad_val
        self.divisor = divisor

    def transform(self, results: dict) -> dict:
        """Pad.

        Raises:
            ValueError: The image is larger than the input, the input is no multiple of the divisor,
                or there are masks.
        """
        if results.get('gt_masks') is not None or results.get('gt_seg_map') is not None:
            raise ValueError("PadToInput pads images only; load no masks, or use mmdet's Pad")
        rows, columns = input_size_of(self, results)
        if rows % self.divisor or columns % self.divisor:
            raise ValueError(
                f'PadToInput: the input is {columns} x {rows} (width x height), no multiple of '
                f'{self.divisor}, the largest stride of the network; set input_size of ResizeToInput '
                f'to multiples of {self.divisor}')
        height, width = results['img'].shape[:2]
        if height > rows or width > columns:
            raise ValueError(f'PadToInput: the image is {width} x {height}, larger than the input of '
                             f'{columns} x {rows}; put ResizeToInput right before it')
        results['img'] = pad_to_size(results['img'], rows, columns, self.pad_val)
        results['img_shape'] = results['pad_shape'] = (rows, columns)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(pad_val={self.pad_val}, divisor={self.divisor})'
