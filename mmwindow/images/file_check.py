"""Looking at an image file, as a rule without decoding it; no mmdet in here."""
import warnings
from pathlib import Path

from PIL import Image, UnidentifiedImageError

# How far from the end the marker may stand: some writers pad or append a few bytes.
TAIL = 1024
SHOWN_PROBLEMS = 10  # a message names this many images, then counts
END_MARKERS = {'JPEG': b'\xff\xd9', 'PNG': b'IEND\xaeB`\x82'}


def describe_image_problem(path, height, width):
    """Return what is wrong with an image file, or None.

    The header is read for the size (the EXIF orientation is ignored, as when loading). A JPEG or PNG
    whose end marker is not within its last kilobyte is decoded to be sure that it is cut short:
    some cameras append data of their own. So is a file of another format, which has no such mark.

    About 0.4 ms on a local disk where nothing is decoded.

    Args:
        path (str or Path): The file.
        height (int): Announced height.
        width (int): Announced width.

    Returns:
        str or None: The problem, with its mend.
    """
    path = Path(path)
    if not path.is_file():
        return 'there is no such file; check data_prefix.img, or copy the image there'
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of large images: only the header is read
            with Image.open(path) as image:
                size, marker = image.size, END_MARKERS.get(image.format)
                if marker is None or not _ends_with(path, marker):
                    image.load()  # raises where data are missing
    except UnidentifiedImageError:
        return 'is no image that can be read; copy it again'
    except Image.DecompressionBombError as error:
        return f'is unreasonably large ({error})'
    except (OSError, SyntaxError, ValueError) as error:
        return f'is damaged or cut short ({error}); copy it again, or take it out of the point file'
    if size != (width, height):
        return (f'is {size[0]} x {size[1]} (width x height), the point file says {width} x {height}; '
                'scale its points or mend its size')
    return None


def check_image_files(records, folder):
    """Look at each image file without decoding it: is it there, whole, of the announced size?

    About 0.4 ms an image on a local disk.

    Args:
        records (list[~mmwindow.annotations.point_file.ImageRecord]): What to look for.
        folder (str or Path): Where.

    Returns:
        dict: file name -> problem in words, only for images with one.
    """
    problems = {}
    for record in records:
        problem = describe_image_problem(Path(folder) / record.file_name, record.height,
                                         record.width)
        if problem:
            problems[record.file_name] = problem
    return problems


def describe_problems(problems):
    """Return the problems of :func:`check_image_files` as lines, the first few in full."""
    lines = [f'  {name}: {problem}' for name, problem in list(problems.items())[:SHOWN_PROBLEMS]]
    if len(problems) > SHOWN_PROBLEMS:
        lines.append(f'  and {len(problems) - SHOWN_PROBLEMS} more')
    return '\n'.join(lines)


def _ends_with(path, marker):
    with open(path, 'rb') as stream:
        stream.seek(max(0, path.stat().st_size - TAIL))
        return marker in stream.read()
