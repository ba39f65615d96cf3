"""Points as a box type, so that every stock transform of mmdet moves them with the image."""
from collections.abc import Sequence
from typing import NoReturn

import numpy as np
import torch
from mmdet.structures.bbox import BaseBoxes, register_box, register_box_converter

NO_SIZE = ('points have no size and so no {}: leave out the transform that asks for it (it would '
           'drop points or needs boxes), or put PointsToPseudoBoxes before it, after all rotations')


@register_box('point')
class PointBoxes(BaseBoxes):
    """Points ``(N, 2)``: x and y in continuous pixels.

    The centre of the pixel in row i and column j is ``(j + 0.5, i + 0.5)``. Clipping leaves a point
    where it is, since one dragged to the border would be a false finding, and no transform may drop
    one, since a point outside the frame still lends its disk to the bounds.
    Assumption (docs/method.md, section 2).

    Two conventions meet in mmdet's transforms. Flips, resizes and shifts are given in continuous
    coordinates. The matrices of warps (Rotate, ShearX/Y, TranslateX/Y, RandomAffine) are those that
    cv2 applies to pixel *indices*, half a pixel apart; :meth:`project_` and :meth:`rotate_` take them
    as such. Half a pixel matters little to boxes and much to points: a rotation of 15 degrees would
    be off by 0.18 pixels, a shear of 30 degrees by 0.29, a scaling by 2 by 0.71.

    A point has no size: widths, heights, areas, overlaps and masks raise an error, so that the stock
    transforms that would drop every point or that need boxes stop:
    ``RandomShift``, ``FilterAnnotations``, ``MinIoURandomCrop``, ``CopyPaste``, ``RandomErasing``,
    ``Albu``, ``InstaBoost``, ``GTBoxSubOne_GLIP`` and mmcv's ``CenterCrop``. Three cannot be stopped
    from here; keep them out of pipelines of points: ``RandomCenterCropPad`` drops points beyond its
    crop, ``RandomFlip_GLIP`` moves them by a pixel, and ``RandomCrop`` drops negative images
    unless it has ``allow_negative_crop=True``. ``Mosaic``, ``MixUp``, their cached forms and
    ``FixShapeResize(keep_ratio=True)`` scale points by the ratio before the image's size is rounded:
    up to about a pixel off at the far edges, exact where no size is rounded. All others are
    exact; tests/test_structures compares each with the centroid of a disk drawn into the image.
    """

    box_dim = 2
    tensor: torch.Tensor  # set by BaseBoxes

    @property
    def centers(self) -> torch.Tensor:
        """The points themselves, ``(..., 2)``."""
        return self.tensor

    @property
    def areas(self) -> NoReturn:
        """Raise an error: a transform that asks for areas would drop every point."""
        raise ValueError(NO_SIZE.format('areas'))

    @property
    def widths(self) -> NoReturn:
        """Raise an error: a transform that asks for widths would drop every point."""
        raise ValueError(NO_SIZE.format('widths'))

    @property
    def heights(self) -> NoReturn:
        """Raise an error: a transform that asks for heights would drop every point."""
        raise ValueError(NO_SIZE.format('heights'))

    def flip_(self, img_shape: Sequence[int], direction: str = 'horizontal') -> None:
        """Mirror in place.

        Args:
            img_shape: Height and width of the image.
            direction: 'horizontal', 'vertical' or 'diagonal' (both).

        Raises:
            ValueError: Any other direction.
        """
        if direction not in ('horizontal', 'vertical', 'diagonal'):
            raise ValueError(f"flip direction {direction!r}; expected 'horizontal', 'vertical' or "
                             "'diagonal'")
        x, y = self.tensor.unbind(dim=-1)
        if direction != 'vertical':
            x = img_shape[1] - x
        if direction != 'horizontal':
            y = img_shape[0] - y
        self.tensor = torch.stack([x, y], dim=-1)

    def translate_(self, distances: Sequence[float]) -> None:
        """Shift in place by ``(x, y)`` pixels."""
        self.tensor = self.tensor + self.tensor.new_tensor(distances)

    def clip_(self, img_shape: Sequence[int]) -> None:
        """Leave every point where it is."""

    def rotate_(self, center: Sequence[float], angle: float) -> None:
        """Rotate in place.

        Args:
            center: x and y as a pixel index, as cv2 takes it: the middle of the image is
                ``((width - 1) / 2, (height - 1) / 2)``.
            angle: Degrees, clockwise as seen.
        """
        turn = np.deg2rad(angle)
        cosine, sine = np.cos(turn), np.sin(turn)
        there = np.array([[1, 0, center[0]], [0, 1, center[1]], [0, 0, 1]])
        back = np.array([[1, 0, -center[0]], [0, 1, -center[1]], [0, 0, 1]])
        self.project_(there @ np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]]) @ back)

    def project_(self, homography_matrix: torch.Tensor | np.ndarray) -> None:
        """Apply a homography in place.

        Args:
            homography_matrix: ``(3, 3)``, acting on pixel indices as in cv2: the centre of the
                top-left pixel is (0, 0).
        """
        matrix = torch.as_tensor(np.asarray(homography_matrix, dtype=np.float64))
        points = self.tensor.to('cpu', torch.float64) - 0.5
        points = torch.cat([points, torch.ones_like(points[..., :1])], dim=-1) @ matrix.T
        points = points[..., :2] / points[..., 2:] + 0.5
        self.tensor = points.to(self.tensor)

    def rescale_(self, scale_factor: Sequence[float]) -> None:
        """Scale in place with the image, by ``(x, y)`` factors."""
        self.tensor = self.tensor * self.tensor.new_tensor(scale_factor)

    def resize_(self, scale_factor: Sequence[float]) -> None:
        """Leave every point where it is: this scales widths and heights, and a point has none."""

    def is_inside(self, img_shape: Sequence[int], all_inside: bool = False,
                  allowed_border: int = 0) -> torch.Tensor:
        """Return True for every point, wherever it is: ``(...)`` bool; see :meth:`strictly_inside`.

        mmdet's transforms drop what is outside by this method, but a point that has left the frame
        still lends its disk to the bounds.
        """
        return torch.ones_like(self.tensor[..., 0], dtype=torch.bool)

    def strictly_inside(self, img_shape: Sequence[int]) -> torch.Tensor:
        """Return which points lie in the image.

        Args:
            img_shape: Height and width.

        Returns:
            ``(...)`` bool; the left and upper edge are inside, the right and lower are not.
        """
        x, y = self.tensor.unbind(dim=-1)
        return (x >= 0) & (y >= 0) & (x < img_shape[1]) & (y < img_shape[0])

    def find_inside_points(self, points: torch.Tensor, is_aligned: bool = False) -> torch.Tensor:
        """Return False for all: a point has no inside.

        Args:
            points: ``(m, 2)``.
            is_aligned: Whether point i belongs to box i.

        Returns:
            ``(m,)`` bool if aligned, else ``(m, n)``.
        """
        shape = (len(points), ) if is_aligned else (len(points), len(self))
        return torch.zeros(shape, dtype=torch.bool, device=self.tensor.device)

    @staticmethod
    def overlaps(boxes1: BaseBoxes, boxes2: BaseBoxes, mode: str = 'iou', is_aligned: bool = False,
                 eps: float = 1e-6) -> NoReturn:
        """Raise an error: points have no area; PointsToPseudoBoxes makes boxes of them."""
        raise ValueError(NO_SIZE.format('overlaps'))

    def create_masks(self, img_shape: Sequence[int]) -> NoReturn:
        """Raise an error (CopyPaste asks for masks): a point covers nothing."""
        raise ValueError(NO_SIZE.format('masks'))

    @staticmethod
    def from_instance_masks(masks: object) -> NoReturn:
        """Raise an error: a mask does not say where its point is."""
        raise ValueError('points cannot be derived from masks; load the points of the annotation '
                         'file, or set recompute_bbox=False')


@register_box_converter('hbox', 'point')
def boxes_to_points(boxes: torch.Tensor) -> torch.Tensor:
    """Return the centres ``(..., 2)`` of boxes ``(..., 4)``, x1, y1, x2, y2."""
    return (boxes[..., :2] + boxes[..., 2:]) / 2


@register_box_converter('point', 'hbox')
def points_to_boxes(points: torch.Tensor) -> NoReturn:
    """Raise an error: a point says nothing about the size of a box."""
    raise ValueError('points have no size, so they cannot become boxes by themselves; '
                     'put PointsToPseudoBoxes(size=...) at the end of the pipeline')
