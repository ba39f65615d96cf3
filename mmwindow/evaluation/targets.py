"""The ground truth of one image: points, and the disks around them."""
import numpy as np

FRAME_SIDE = 1024


def check_points(points, frame_side=FRAME_SIDE):
    """Return points ``(N, 2)`` as float64; those outside the frame are left out.

    Args:
        points (ndarray): ``(N, 2)``, x and y in frame pixels.
        frame_side (float): Side of the frame.

    Raises:
        ValueError: The shape is wrong, or a coordinate is not finite.
    """
    points = np.asarray(points, dtype=np.float64)
    if points.size == 0:
        return np.zeros((0, 2))
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f'points have shape {points.shape}; (N, 2) is expected, x and y in frame '
                         'pixels')
    if not np.isfinite(points).all():
        raise ValueError(f'points hold {points[~np.isfinite(points).all(axis=1)][0]}; coordinates '
                         'must be finite')
    return points[((points >= 0) & (points <= frame_side)).all(axis=1)]


class DiskMask:
    """The union of disks around points, drawn at 1 px in the frame, and its area in any box.

    A pixel belongs to the mask when its centre lies within the radius of a point; boxes
    may have fractional edges, and count the covered part of a pixel.

    Args:
        points (ndarray): ``(N, 2)``, x and y in frame pixels.
        radius (float): In frame pixels.
        frame_side (int): Side of the frame.
    """

    def __init__(self, points, radius, frame_side=FRAME_SIDE):
        self.left, self.top = 0, 0
        if len(points) == 0:
            self.integral = None
            return
        # Only the smallest rectangle around all disks is drawn.
        low = np.clip(np.floor(points.min(axis=0) - radius), 0, frame_side).astype(int)
        high = np.clip(np.ceil(points.max(axis=0) + radius), 0, frame_side).astype(int)
        self.left, self.top = low
        x = np.arange(low[0], high[0]) + 0.5
        y = np.arange(low[1], high[1]) + 0.5
        mask = np.zeros((len(y), len(x)), dtype=bool)
        for point in points:
            mask |= ((x - point[0]) ** 2)[None] + ((y - point[1]) ** 2)[:, None] <= radius ** 2
        self.integral = np.zeros((len(y) + 1, len(x) + 1))
        mask.cumsum(axis=0, dtype=np.float64).cumsum(axis=1, out=self.integral[1:, 1:])

    def corner_areas(self, x, y):
        """Return the mask's area left of each x and above each y, as a table.

        Args:
            x (ndarray): ``(W,)``, frame pixels, may be fractional.
            y (ndarray): ``(H,)``.

        Returns:
            ndarray: ``(H, W)`` float64, square frame pixels.
        """
        if self.integral is None:
            return np.zeros((len(y), len(x)))
        table = self._along(self.integral, np.asarray(y, dtype=np.float64) - self.top)
        return self._along(table.T, np.asarray(x, dtype=np.float64) - self.left).T

    def areas(self, boxes):
        """Return the mask's area within each box ``(N, 4)`` as x1, y1, x2, y2."""
        x, x_index = np.unique(boxes[:, 0::2], return_inverse=True)
        y, y_index = np.unique(boxes[:, 1::2], return_inverse=True)
        x_index, y_index = x_index.reshape(-1, 2), y_index.reshape(-1, 2)
        table = self.corner_areas(x, y)
        return (table[y_index[:, 1], x_index[:, 1]] - table[y_index[:, 0], x_index[:, 1]]
                - table[y_index[:, 1], x_index[:, 0]] + table[y_index[:, 0], x_index[:, 0]])

    @staticmethod
    def _along(table, positions):
        positions = positions.clip(0, len(table) - 1)
        below = np.floor(positions).astype(int).clip(0, len(table) - 2)
        weight = (positions - below)[:, None]
        return table[below] * (1 - weight) + table[below + 1] * weight
