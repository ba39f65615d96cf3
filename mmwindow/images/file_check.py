"""Looking at image files before a training, as a rule without decoding them."""
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, Protocol

from PIL import Image, UnidentifiedImageError

from mmwindow.images.decode import ImageSettings, orientation_of, read_image

# How far from the end the marker may stand: some writers pad or append a few bytes.
TAIL = 1024
SHOWN_PROBLEMS = 10  # a message names this many images, then counts
END_MARKERS = {'JPEG': b'\xff\xd9', 'PNG': b'IEND\xaeB`\x82'}
EIGHT_BIT_MODES = ('1', 'L', 'LA', 'P', 'PA', 'RGB', 'RGBA', 'RGBX', 'CMYK', 'YCbCr')


class ImageRecord(Protocol):
    """What is looked at: see :class:`mmwindow.annotations.point_file.ImageRecord`."""

    @property
    def file_name(self) -> str:
        """Relative to the folder of images."""

    @property
    def height(self) -> int:
        """Pixels."""

    @property
    def width(self) -> int:
        """Pixels."""


class FileCheck(NamedTuple):
    """What was seen in the image files of a data set.

    Attributes:
        problems: File name -> problem in words, with its fix; only of images with one.
        turned: File name -> orientation tag, only of usable images with another than 1.
    """

    problems: dict[str, str]
    turned: dict[str, int]


def describe_image_problem(path: str | Path, height: int, width: int,
                           settings: ImageSettings | None = None) -> str | None:
    """Return what is wrong with an image file and its fix, or None.

    The header is read for the size; the orientation tag is not applied, as when loading. Decoded, to
    be sure, are files that may be incomplete (a JPEG or PNG whose end marker is not within its last
    kilobyte: some cameras append data of their own), files of another format, which have no such
    marker, and images of more than 8 bits, whose bit depth may not be known. About 0.4 ms on a local
    disk where nothing is decoded.

    Args:
        path: The file.
        height: Announced height.
        width: Announced width.
        settings: As for :func:`~mmwindow.images.decode.read_image`.
    """
    return _inspect(Path(path), height, width, settings)[0]


def _inspect(path: Path, height: int, width: int,
             settings: ImageSettings | None) -> tuple[str | None, int]:
    """Return the problem of an image file, if any, and its orientation tag."""
    if not path.is_file():
        return 'there is no such file; check data_prefix.img, or copy the image there', 1
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of large images: only the header is read
            with Image.open(path) as image:
                size, mode = stored_size(image), image.mode
                marker = END_MARKERS.get(image.format or '')
                tag = orientation_of(image)  # Pillow takes a TIFF's away when it loads
                is_sure = marker is not None and _ends_with(path, marker)
                if not is_sure:
                    image.load()  # raises where data are missing
    except UnidentifiedImageError:
        return 'is no image that can be read; copy it again', 1
    except Image.DecompressionBombError as error:
        return f'is unreasonably large ({error})', 1
    except (OSError, SyntaxError, ValueError) as error:
        return (f'is damaged or cut short ({error}); copy it again, or take it out of the point file',
                1)
    if size != (width, height):
        return _describe_size(size, height, width, tag), tag
    if not is_sure or mode not in EIGHT_BIT_MODES:
        try:
            read_image(path, settings)
        except ValueError as error:
            return f'cannot be used: {str(error).removeprefix(f"{path}: ")}', tag
    return None, tag


def stored_size(image: Image.Image) -> tuple[int, int]:
    """Return width and height of the stored pixels; Pillow turns those of a TIFF with a tag."""
    tags = getattr(image, 'tag_v2', {})
    return tags.get(256, image.width), tags.get(257, image.height)


def _describe_size(size: tuple[int, int], height: int, width: int, tag: int) -> str:
    text = f'is {size[0]} x {size[1]} (width x height), the point file says {width} x {height}; '
    if size == (height, width) and tag >= 5:
        return (f'{text}its orientation tag ({tag}) turns it by a quarter for display, but points '
                'and sizes are those of the stored pixels: turn the points back, or save the image '
                'turned and without the tag')
    return text + 'scale its points or fix its size'


def check_image_files(records: Iterable[ImageRecord], folder: str | Path,
                      settings: ImageSettings | None = None) -> FileCheck:
    """Look at each image file: is it there, complete, of the announced size and a known depth?

    About 0.4 ms an image on a local disk, and its decoding where it has more than 8 bits.

    Args:
        records: What to look for.
        folder: Where.
        settings: As for :func:`~mmwindow.images.decode.read_image`.
    """
    check = FileCheck({}, {})
    for record in records:
        path = Path(folder) / record.file_name
        problem, tag = _inspect(path, record.height, record.width, settings)
        if problem:
            check.problems[record.file_name] = problem
        elif tag != 1:
            check.turned[record.file_name] = tag
    return check


def describe_problems(problems: dict[str, str]) -> str:
    """Return problems of :func:`check_image_files` as lines, the first few in full."""
    lines = [f'  {name}: {problem}' for name, problem in list(problems.items())[:SHOWN_PROBLEMS]]
    if len(problems) > SHOWN_PROBLEMS:
        lines.append(f'  and {len(problems) - SHOWN_PROBLEMS} more')
    return '\n'.join(lines)


def describe_turned(turned: dict[str, int]) -> str:
    """Return one sentence that names the images with an orientation tag."""
    more = ', ..' if len(turned) > SHOWN_PROBLEMS else ''
    names = ', '.join(list(turned)[:SHOWN_PROBLEMS]) + more
    return (f'{len(turned)} images have an orientation tag, which is not applied: points must be in '
            f'the stored rows and columns ({names})')


def _ends_with(path: Path, marker: bytes) -> bool:
    with open(path, 'rb') as stream:
        stream.seek(max(0, path.stat().st_size - TAIL))
        return marker in stream.read()
