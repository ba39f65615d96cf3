"""Random fields: smooth variation, trabeculae along a direction, mottle."""
import cv2
import numpy as np

NUM_ANGLES = 6


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Return the Gaussian blur, (H, W) float32; wide ones are done on a shrunken copy."""
    step = int(sigma / 2.5)
    if step > 1 and min(image.shape) > 4 * step:
        small = cv2.resize(image, None, fx=1 / step, fy=1 / step, interpolation=cv2.INTER_AREA)
        small = blur(small, sigma / step)
        return cv2.resize(small, image.shape[::-1], interpolation=cv2.INTER_LINEAR)
    size = 2 * int(np.ceil(2.6 * sigma)) + 1
    return cv2.GaussianBlur(image, (size, size), sigma)


def smooth_field(rng: np.random.Generator, shape: tuple[int, ...], grid: float) -> np.ndarray:
    """Return smooth noise, (H, W) float32 of about unit spread, that varies over ``grid`` pixels."""
    rows, cols = max(2, int(shape[0] / grid) + 2), max(2, int(shape[1] / grid) + 2)
    noise = rng.standard_normal((rows, cols), dtype=np.float32)
    return cv2.resize(noise, shape[::-1], interpolation=cv2.INTER_CUBIC)


def line_kernel(angle: float, length: float) -> np.ndarray:
    """Return the (n, n) averaging kernel along ``angle`` (radians, y down), ``length`` pixels."""
    size = int(length) | 1
    kernel = np.zeros((size, size), np.float32)
    centre = size // 2
    reach = np.array([np.cos(angle), np.sin(angle)]) * centre
    start, end = np.round(centre - reach).astype(int), np.round(centre + reach).astype(int)
    cv2.line(kernel, start.tolist(), end.tolist(), 1., 1, cv2.LINE_AA)
    return kernel / kernel.sum()


class Trabeculae:
    """Streaky noise that follows a field of directions.

    A few fields, each smeared along one angle, are made once per image at half the canvas'
    resolution; the field for a pixel's direction is picked from them.

    Args:
        rng: Source.
        shape: Canvas (height, width).
        streak: Length of the streaks, canvas pixels.
        amount: Spread of the texture, relative to the trabecular bone it modulates.
    """

    def __init__(self, rng: np.random.Generator, shape: tuple[int, int], streak: float,
                 amount: float) -> None:
        half = (shape[0] // 2 + 2, shape[1] // 2 + 2)
        fine = rng.standard_normal(half, dtype=np.float32)
        fine += 0.8 * smooth_field(rng, half, 2.5)
        self.coarse = 0.35 * smooth_field(rng, half, 9)
        self.fields = []
        for k in range(NUM_ANGLES):
            smeared = cv2.filter2D(fine, -1, line_kernel(np.pi * k / NUM_ANGLES, streak / 2))
            self.fields.append(smeared / smeared.std())
        self.amount = amount

    def __call__(self, cos2: np.ndarray, sin2: np.ndarray, window: tuple[slice, slice]) -> np.ndarray:
        """Return (h, w) texture around 0 for directions given as (cos 2a, sin 2a) in ``window``."""
        rows, cols = window
        inner = (slice(rows.start // 2, (rows.stop + 1) // 2 + 1),
                 slice(cols.start // 2, (cols.stop + 1) // 2 + 1))
        angle = 0.5 * np.arctan2(sin2[::2, ::2], cos2[::2, ::2])
        pick = np.round(angle / np.pi * NUM_ANGLES).astype(np.int8) % NUM_ANGLES
        height, width = pick.shape
        coarse = self.coarse[inner][:height, :width]
        grain = np.choose(pick, [f[inner][:height, :width] for f in self.fields]) + coarse
        grain = cv2.resize(grain, (width * 2, height * 2), interpolation=cv2.INTER_LINEAR)
        return self.amount * grain[:cos2.shape[0], :cos2.shape[1]]
