"""Where a point file says that its images lie."""
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmwindow.annotations.point_file import load_point_json
from mmwindow.utils.messages import name_some, shorten

IMAGES_KEY = 'images_folder'  # of the point file's info: relative to the point file


def noted_folder(points: str | Path, content: Mapping[str, Any]) -> Path | None:
    """Return the folder of images that a point file notes; None where it notes none.

    Args:
        points: The point file.
        content: Of it.
    """
    info = content.get('info')
    noted = info.get(IMAGES_KEY) if isinstance(info, dict) else None
    return (Path(os.path.normpath(Path(points).parent / noted)) if isinstance(noted, str) and noted
            else None)


def images_folder(points: str | Path, content: Mapping[str, Any] | None = None) -> Path:
    """Return where a point file says that its images lie: the one rule of training, test and check.

    Args:
        points: The point file.
        content: Of it, where it has been read.

    Returns:
        The folder that an import noted; else of ``images`` and its own folder, and of a file in
        ``annotations`` the same of the folder above, the first that has the first image.
    """
    points = Path(points)
    content = load_point_json(points) if content is None else content
    noted = noted_folder(points, content)
    if noted is not None:  # an ``images`` that an earlier import copied may still be there
        return noted
    homes = [points.parent]
    if points.absolute().parent.name == 'annotations':
        homes.append(Path(os.path.normpath(points.parent / '..')))
    beside = [home / 'images' for home in homes]
    images = content.get('images') or [{}]
    name = images[0].get('file_name') if isinstance(images[0], dict) else None
    for place in [*beside, *homes]:
        # Of a name that no file can have it says False.
        if isinstance(name, str) and os.path.isfile(place / name):
            return place
    return next((place for place in beside if place.is_dir()), points.parent)


def find_image_folder(points: str | Path, names: Sequence[str], folder: str | Path | None,
                      option: str) -> Path:
    """Return the folder in which some images of a point file are.

    Args:
        points: The point file. Looked through are the folder that an import noted, its own, and
            ``images`` in it or next to it.
        names: Of the images that are needed, as the file has them.
        folder: The user's; None to look.
        option: By which the user names it, for the message.

    Raises:
        ValueError: An image is in none of them.
    """
    near = Path(points).absolute().parent
    places = [Path(folder)] if folder is not None else [
        images_folder(points), near, near / 'images', near.parent / 'images', near.parent]
    for place in places:
        if all((place / name).is_file() for name in names):
            return place
    raise ValueError(f'{shorten(str(points))}: {shorten(names[0])} is not in '
                     f'{name_some(list(map(str, places)))}; {option} names the folder')


def moved_content(content: Mapping[str, Any], points: str | Path, folder: str | Path
                  ) -> dict[str, Any]:
    """Return the content of a point file for a file in another folder.

    The noted folder of images, where there is one, is relative to the file: it stays the same place.

    Args:
        content: Is not changed.
        points: The file that it is from.
        folder: Of the file that it is for.
    """
    noted = noted_folder(points, content)
    if noted is None:
        return dict(content)
    place = os.path.relpath(noted.resolve(), Path(folder).resolve())
    return {**content, 'info': {**content['info'], IMAGES_KEY: place}}
