"""Messages of the reader of images, which speak of configs, for commands with options or none."""
import contextlib
import re
from collections.abc import Iterator

from mmwindow.images.formats.header import COPY_AGAIN

BIT_DEPTH = ('--cfg-options bit_depth=', '--bit-depth ')
OPTIONS = (BIT_DEPTH, ('--cfg-options max_pixels=', '--max-pixels '),
           ('; check data_root and data_prefix.img in the config', '; check the path'),
           (COPY_AGAIN, 'copy it again, or leave it out'),
           ('take it out of the point file', 'leave it out'))


def name_options(message: str) -> str:
    """Return a message that names the options ``--bit-depth`` and ``--max-pixels``, and no config.

    >>> name_options('a.png: state the bit_depth of all images, such as --cfg-options bit_depth=12')
    'a.png: state the bit_depth of all images, such as --bit-depth 12'
    """
    for words, option in OPTIONS:
        message = message.replace(words, option)
    return message


# What a command without these options can advise instead.
_ADVICE = (
    (re.compile(r'raise max_pixels, such as \S+ max_pixels=\d+, if .*'),
     'scale it down first, or leave it out'),
    (re.compile(r'state the bit_depth of all images, such as .*'),
     'scale its values to 16 bits first, or leave it out'))


@contextlib.contextmanager
def without_options() -> Iterator[None]:
    """Let messages of the reader of images advise what can be done without a config and options.

    >>> with without_options():
    ...     raise ValueError('a.png: 9 pixels, more than the limit of 8; raise max_pixels, such as '
    ...                      '--cfg-options max_pixels=9, if its size is right')
    Traceback (most recent call last):
    ValueError: a.png: 9 pixels, more than the limit of 8; scale it down first, or leave it out
    """
    try:
        yield
    except ValueError as error:
        message = str(error)
        for pattern, advice in _ADVICE:
            message = pattern.sub(advice, message)
        message = name_options(message)
        if message == str(error):  # nothing of the reader's; its type tells callers what it is
            raise
        raise ValueError(message) from error
