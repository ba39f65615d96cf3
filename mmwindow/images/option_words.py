"""Messages of the reader of images, which speak of configs, for commands that have options."""
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
