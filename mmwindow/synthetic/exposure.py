"""From attenuation to grey values: Beer-Lambert, scatter, noise, blur, display."""
from dataclasses import dataclass

import cv2
import numpy as np

from mmwindow.synthetic.texture import blur


@dataclass(frozen=True)
class Exposure:
    """How one image is taken and shown.

    Attributes:
        photons: Detected quanta per pixel of unattenuated beam.
        electronic: Spread of the read-out noise, same unit.
        scatter: Share of scattered radiation, relative to the primary.
        focus: Blur of focal spot and detector, output pixels.
        flatten: Share of the large-scale contrast that the display takes away.
        sharpen: Strength of the display's edge enhancement.
        low, high: Where black and white lie beyond the darkest and brightest bone,
            shares of the bones' contrast.
        gamma: Of the display.
        shutter: (left, top, right, bottom) collimated, share of each side.
        tilt: Rotation of the collimator, degrees.
        slope: (2,), heel effect: log exposure from edge to edge, x and y.
    """
    photons: float
    electronic: float
    scatter: float
    focus: float
    flatten: float
    sharpen: float
    low: float
    high: float
    gamma: float
    shutter: tuple[float, ...]
    tilt: float
    slope: np.ndarray


def draw_exposure(rng: np.random.Generator) -> Exposure:
    """Draw a random :class:`Exposure`; some are grainy, flat, burnt or collimated."""
    shutter = tuple(float(s) for s in np.where(rng.random(4) < .3, rng.uniform(.01, .07, 4), 0))
    return Exposure(
        photons=float(np.exp(rng.uniform(np.log(7e4), np.log(6e5)))),
        electronic=float(rng.uniform(2, 9)), scatter=float(rng.uniform(.1, .5)),
        focus=float(rng.uniform(.35, .75)), flatten=float(rng.uniform(.25, .65)),
        sharpen=float(rng.uniform(0, .7)), low=float(rng.uniform(.1, .55)),
        high=float(rng.uniform(.08, .38)), gamma=float(rng.uniform(.8, 1.25)),
        shutter=shutter, tilt=float(rng.normal(0, 1)), slope=rng.normal(0, .12, 2))


def collimation(exposure: Exposure, shape: tuple[int, int]) -> np.ndarray:
    """Return (H, W) float32, 1 in the open field, 0 behind the shutters, blurred in between."""
    height, width = shape
    left, top, right, bottom = exposure.shutter
    open_field = np.ones(shape, np.float32)
    if not any(exposure.shutter):
        return open_field
    corners = np.array([[left * width, top * height], [(1 - right) * width, top * height],
                        [(1 - right) * width, (1 - bottom) * height],
                        [left * width, (1 - bottom) * height]])
    for number, shut in enumerate((top, right, bottom, left)):  # an open side lies far outside
        if not shut:
            step = np.array([(0, -1), (1, 0), (0, 1), (-1, 0)][number]) * max(shape)
            corners[[number, (number + 1) % 4]] += step
    angle = np.deg2rad(exposure.tilt)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    centre = np.array([width, height]) / 2
    corners = (corners - centre) @ turn + centre
    open_field[:] = 0
    cv2.fillPoly(open_field, [np.round(corners * 16).astype(np.int32).reshape(-1, 1, 2)], 1.,
                 shift=4)
    return blur(open_field, .8)


def expose(attenuation: np.ndarray, bone: np.ndarray, exposure: Exposure, rng: np.random.Generator,
           size: tuple[int, int]) -> np.ndarray:
    """Return what the detector records and the display shows: (H, W) uint8.

    Args:
        attenuation: (2H, 2W) float32, total over the beam's path.
        bone: (H, W) bool, what the display's window is fitted to.
        exposure: Settings.
        rng: Source of the noise.
        size: (H, W) of the image.
    """
    height, width = size
    primary = np.exp(-attenuation)
    primary = cv2.resize(primary, (width, height), interpolation=cv2.INTER_AREA)
    primary = blur(primary, exposure.focus)
    primary = primary + exposure.scatter * np.minimum(blur(primary, width / 9), 3 * primary + .01)
    x, y = np.linspace(-.5, .5, width), np.linspace(-.5, .5, height)[:, None]
    beam = np.exp(exposure.slope[0] * x + exposure.slope[1] * y)
    quanta = primary * (exposure.photons * beam).astype(np.float32)
    noise = rng.standard_normal(size, dtype=np.float32)
    quanta = quanta + noise * np.sqrt(quanta)  # Poisson, in its normal limit
    quanta += exposure.electronic * rng.standard_normal(size, dtype=np.float32)
    shown = -np.log(np.maximum(blur(quanta, .35), 3) / np.float32(exposure.photons))
    return display(shown, bone, exposure)


def display(shown: np.ndarray, bone: np.ndarray, exposure: Exposure) -> np.ndarray:
    """Turn log exposure into 8 bit: flatten, sharpen, window, an S-shaped curve, shutters."""
    flat = shown - exposure.flatten * blur(shown, shown.shape[1] / 7)
    flat += exposure.sharpen * (flat - blur(flat, 2.2))
    open_field = collimation(exposure, shown.shape)
    seen = flat[::3, ::3][(open_field[::3, ::3] > .9) & bone[::3, ::3]]
    dark, bright = np.percentile(seen, [4, 95]) if seen.size else (flat.min(), flat.max())
    contrast = max(bright - dark, .3)
    low, high = dark - exposure.low * contrast, bright + exposure.high * contrast
    grey = np.clip((flat - low) / (high - low), -.1, 1.15)
    grey = np.clip(.5 + .5 * np.tanh(1.7 * (grey - .5)) / np.tanh(.85 * 1.08), 0, 1)
    grey = grey ** exposure.gamma * open_field
    return np.round(255 * grey).astype(np.uint8)
