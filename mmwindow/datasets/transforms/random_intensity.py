"""Jitter of exposure."""
import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from mmdet.registry import TRANSFORMS


def intensity_table(mean: float, shift: float, factor: float, exponent: float) -> np.ndarray:
    """Return the new grey level of each old one, ``(256,)`` uint8, never decreasing.

    Gamma first (the detector's curve), then contrast about the image's mean, then brightness.

    Args:
        mean: Mean grey level of the image, 0 to 255.
        shift: Added, in parts of the full range.
        factor: Contrast, 1 changes nothing.
        exponent: Gamma, 1 changes nothing.
    """
    levels = 255 * (np.arange(256) / 255) ** exponent
    centre = 255 * (mean / 255) ** exponent
    levels = (levels - centre) * factor + centre + 255 * shift
    return np.round(levels.clip(0, 255)).astype(np.uint8)


@TRANSFORMS.register_module()
class RandomIntensity(BaseTransform):
    """Vary brightness, contrast and gamma, as exposures and detectors do.

    Required Keys:

    - img (uint8)

    Modified Keys:

    - img

    Args:
        brightness: Largest shift, in parts of the full grey range, either way.
        contrast: Contrast factors from ``1 - contrast`` to ``1 + contrast``.
        gamma: Gamma from ``exp(-gamma)`` to ``exp(gamma)``, uniform in the logarithm.
        prob: How often anything is changed.
    """

    def __init__(self, brightness: float = 0.1, contrast: float = 0.2, gamma: float = 0.2,
                 prob: float = 0.8) -> None:
        given = dict(brightness=brightness, contrast=contrast, prob=prob)
        for name, value in given.items():
            if not 0 <= value <= 1:
                raise ValueError(f'RandomIntensity: {name} is {value}; expected 0 to 1')
        if not 0 <= gamma <= 3:
            raise ValueError(f'RandomIntensity: gamma is {gamma}; expected 0 (none) to 3')
        self.brightness = brightness
        self.contrast = contrast
        self.gamma = gamma
        self.prob = prob

    @cache_randomness
    def _draw(self) -> tuple[bool, dict[str, float]]:
        changed = np.random.rand() < self.prob
        shift, factor, exponent = np.random.uniform(-1, 1, 3)
        return changed, dict(shift=self.brightness * shift, factor=1 + self.contrast * factor,
                             exponent=np.exp(self.gamma * exponent))

    def transform(self, results: dict) -> dict:
        """Change the grey levels.

        Raises:
            ValueError: The image is not 8-bit.
        """
        pixels = results['img']
        if pixels.dtype != np.uint8:
            raise ValueError(f'RandomIntensity: the image is {pixels.dtype}; uint8 is expected, as '
                             'LoadRadiograph gives it')
        changed, drawn = self._draw()
        if changed:
            results['img'] = cv2.LUT(pixels, intensity_table(float(pixels.mean()), **drawn))
        return results

    def __repr__(self) -> str:
        return (f'{type(self).__name__}(brightness={self.brightness}, contrast={self.contrast}, '
                f'gamma={self.gamma}, prob={self.prob})')
