"""Whether an image is a radiograph in grey levels or a photograph in colour."""
import numpy as np

from mmwindow.images.decode import GrayImage

# A radiograph saved in colour has equal channels but for what JPEG loses and for markers of the
# radiographer; in a photograph most pixels differ.
COLOUR_SPREAD, COLOUR_SHARE = 24, 0.2


def check_is_grey(image: GrayImage, name: str) -> None:
    """Reject a photograph.

    Raises:
        ValueError: The colours of many pixels differ from grey.
    """
    if image.pixels.ndim == 2:
        return
    sample = image.to_8_bit()[::4, ::4].astype(np.int16)
    spread = sample.max(axis=2) - sample.min(axis=2)
    share = float((spread > COLOUR_SPREAD).mean())
    if share > COLOUR_SHARE:
        raise ValueError(f'{name}: this image is in colour ({share:.0%} of its pixels); a radiograph '
                         'has grey levels: save it in grey, if it is one')
