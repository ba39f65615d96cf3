"""Decoders of other packages, imported by the first file that needs them.

A prediction without torch reads PNG, BMP and PGM with OpenCV alone, and starts faster for it.
"""
from importlib import import_module
from types import ModuleType

from mmwindow.images.formats.header import UnsupportedImageError

PACKAGES = {'simplejpeg': 'simplejpeg', 'PIL.TiffImagePlugin': 'pillow',
            'PIL.WebPImagePlugin': 'pillow'}


def import_decoder(name: str, kind: str) -> ModuleType:
    """Return a module that decodes a format.

    Args:
        name: Of the module, one of ``PACKAGES``.
        kind: Of the file, for the message.

    Raises:
        ValueError: Its package is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise UnsupportedImageError(f'a {kind} file, which the package {PACKAGES[name]} decodes: pip '
                                    f'install {PACKAGES[name]}') from error
