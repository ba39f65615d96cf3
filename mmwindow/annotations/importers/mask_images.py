"""A folder of mask images: one an image, of the same name, above 0 where a finding is.

An empty mask is a negative image; an image without a mask is one that the source does not mention.
"""
from pathlib import Path

import numpy as np

from mmwindow.annotations.importers.options import ImportOptions
from mmwindow.annotations.importers.source import (
    MAX_FINDINGS,
    Mask,
    Outline,
    Source,
    SourceFinding,
    SourceImage,
)
from mmwindow.annotations.importers.values import find_files
from mmwindow.images.decode import LABELS, read_image
from mmwindow.utils.messages import quote, shorten

TITLE = 'mask images'
SUFFIXES = ('.png', '.tif', '.tiff', '.bmp')
ENDINGS = ('_mask', '-mask', '_seg', '_label', '_masks')  # of a mask's name, after the image's
MEANINGS = ('finding', 'instance', 'class')


def recognises(path: Path) -> bool:
    """Tell whether a folder holds images alone, the first of them black and white."""
    if not path.is_dir():
        return False
    first = next(find_files(path, SUFFIXES), None)
    if first is None or any(find_files(path, ('.json', '.xml', '.txt', '.csv'))):
        return False
    pixels = read_image(first, LABELS).pixels
    return pixels.ndim == 2 and len(np.unique(pixels)) <= 2


def read(path: Path, options: ImportOptions) -> Source:
    """Read a folder of masks.

    Raises:
        ValueError: Anything wrong; the message names the file.
    """
    if options.mask_values not in MEANINGS:
        raise ValueError(f'--mask-values is {quote(options.mask_values)}; one of {MEANINGS} is '
                         'expected')
    source = Source('masks', [])
    for file in find_files(path, SUFFIXES):
        where = shorten(str(file))
        pixels = read_image(file, LABELS).pixels
        if pixels.ndim == 3:
            raise ValueError(f'{where}: a mask in colour; grey values are expected')
        values = [int(value) for value in np.unique(pixels) if value]
        if options.mask_values == 'finding' and len(values) > 1:
            raise ValueError(f'{where}: the mask has the values {shorten(values, 60)}; --mask-values '
                             'says whether each is a finding (instance) or a class')
        stem = file.relative_to(path).with_suffix('').as_posix()
        for ending in ENDINGS:
            stem = stem.removesuffix(ending)
        image = SourceImage(stem, where, size=(pixels.shape[0], pixels.shape[1]))
        for value in values:
            label = f'class {value}' if options.mask_values == 'class' else options.label
            selected = pixels == value
            parts = ([crop_mask(selected)] if options.mask_values == 'instance' else
                     components(selected, where))
            image.findings.extend(SourceFinding(part, label, where) for part in parts)
        source.images.append(image)
    return source


def crop_mask(mask: np.ndarray) -> Mask:
    """Return a mask ``(H, W)``, not empty, without its empty border."""
    rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
    return Mask(mask[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1],
                (float(columns[0]), float(rows[0])))


def components(mask: np.ndarray, where: str = 'the mask') -> list[Mask]:
    """Return the 8-connected parts of a mask ``(H, W)``, in the order of their first pixels.

    Raises:
        ValueError: There are more than a reading of a radiograph has findings.
    """
    import cv2
    number, labels, boxes, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8),
                                                                connectivity=8)
    if number - 1 > MAX_FINDINGS:
        raise ValueError(f'{where} has {number - 1} parts that do not touch; at most {MAX_FINDINGS} '
                         'are read: is it noise, or another kind of image?')
    return [Mask(labels[y:y + height, x:x + width] == index, (float(x), float(y)))
            for index, (x, y, width, height, _) in enumerate(boxes.tolist()) if index]


def mask_outline(mask: Mask, where: str = 'the mask') -> Outline:
    """Return the outlines of a mask along the edges of its pixels, its holes filled.

    Raises:
        ValueError: The mask is empty, or in too many parts.
    """
    import cv2
    if not mask.pixels.any():
        raise ValueError(f'{where}: a mask without a pixel is no finding')
    parts = []
    for part in components(mask.pixels, where):
        # Doubled, so that an outline through the centres of border pixels can be moved to their
        # edges.
        doubled = part.pixels.astype(np.uint8).repeat(2, axis=0).repeat(2, axis=1)
        outlines, _ = cv2.findContours(doubled, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        for outline in outlines:
            corners = outline.reshape(-1, 2).astype(np.float64)
            # Even pixels of the doubled mask lie at a left or top edge, odd ones at a right or
            # bottom.
            corners = np.floor((corners + 1) / 2)
            keep = np.any(corners != np.roll(corners, 1, axis=0), axis=1)
            parts.append(corners[keep] + part.corner + mask.corner)
    return Outline(tuple(parts))
