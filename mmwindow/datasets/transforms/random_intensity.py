"""Jitter of exposure."""
import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from mmdet.registry import TRANSFORMS


def intensity_table(mean, shift, factor, exponent):
    """Return the new grey level of each old one.

    Gamma first (the detector's curve), then contrast about the image's mean, then brightness.

    Args:
        mean (float): Mean grey level of the image, 0 to 255.
        shift (float): Added, in parts of the full range.
        factor (float): Contrast, 1 changes nothing.
        exponent (float): Gamma, 1 changes nothing.

    Returns:
        ndarray: ``(256,)`` uint8, never decreasing.
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
        brightness (float): Largest shift, in parts of the full grey range, either way.
        contrast (float): Contrast factors from ``1 - contrast`` to ``1 + contrast``.
        gamma (float): Gamma from ``exp(-gamma)`` to ``exp(gamma)``, uniform in the logarithm.
        prob (float): How often anything is changed.
    """

    def __init__(self, brightness=0.1, contrast=0.2, gamma=0.2, prob=0.8):
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
    def _draw(self):
        changed = np.random.rand() < self.prob
        shift, factor, exponent = np.random.uniform(-1, 1, 3)
        return changed, dict(shift=self.brightness * shift, factor=1 + self.contrast * factor,
                             exponent=np.exp(self.gamma * exponent))

    def transform(self, results):
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

    def __repr__(self):
        return (f'{type(self).__name__}(brightness={self.brightness}, contrast={self.contrast}, '
                f'gamma={self.gamma}, prob={self.prob})')
