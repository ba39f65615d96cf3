"""Which image a name in a file of predictions means."""
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmwindow.evaluation.files.predictions import Target
from mmwindow.utils.files import is_same_name
from mmwindow.utils.messages import quote


class ImageNames:
    """Find the image that a key means: its id, file name, or the stem of it.

    Args:
        targets: The images.
        path: Of the predictions, for messages.
    """

    def __init__(self, targets: Sequence[Target], path: Path) -> None:
        self.path = path
        self.file_names = {target.image_id: Path(target.fields.get('file_name', ''))
                           for target in targets}
        self.by_key: dict[str, set[Any]] = {}
        self.by_path: dict[Path, set[Any]] = {}
        self.by_last_part: dict[str, set[Any]] = {}
        self.noted: dict[Any, str] = {}
        for image_id, name in self.file_names.items():
            self.by_path.setdefault(name, set()).add(image_id)
            self.by_last_part.setdefault(name.name, set()).add(image_id)
            for key in {str(image_id), str(name), name.name, name.stem} - {'', '.'}:
                self.by_key.setdefault(key, set()).add(image_id)

    def find(self, key: object) -> Any:
        """Return the id of the image.

        Raises:
            ValueError: No image, or several, are meant.
        """
        found = self.by_key.get(str(key), set())
        if len(found) != 1:
            known = ', '.join(sorted(self.by_key)[:4])
            raise ValueError(
                f'{self.path}: {quote(key)} means '
                + (f'the images {sorted(found, key=str)} alike' if found else 'no image of the '
                   f'annotation file ({known}, ...)')
                + '; maps are named by image id, file name or its stem')
        return next(iter(found))

    def find_checked(self, image_id: Any, file_name: object, must_know: bool = True) -> Any:
        """Return the id of an image that is named by id and, where known, by file name.

        Args:
            image_id: The id, or the stem or number of the file name.
            file_name: Of the image; None where it is not said.
            must_know: Reject a file name that is no image's; else the id alone counts.

        Raises:
            ValueError: No image, or several, are meant, or the two contradict each other.
        """
        found = set() if file_name is None else self.find_file(str(file_name))
        if not found and (file_name is None or not must_know):
            return self.find(image_id)
        fitting = [key for key in found if str(key) == str(image_id)] or [
            key for key in found if str(image_id) in self.stem_keys(key)]
        if len(fitting) != 1:
            raise ValueError(
                f'{self.path}: image_id {quote(image_id)} and file_name {quote(file_name)} are '
                + ('two images; which of the two is meant?' if found else
                   'no image of the annotation file'))
        if file_name is not None:
            self.note(fitting[0], str(file_name))
        return fitting[0]

    def find_file(self, file_name: str) -> set[Any]:
        """Return the ids of the images that a file name can mean.

        By its path, else by as much of its end as both have, else by its last part: images may have
        been moved to another folder.
        """
        name = Path(file_name)
        alike = self.by_last_part.get(name.name, set())
        return self.by_path.get(name) or {
            key for key in alike if is_same_name(name, self.file_names[key])} or alike

    def note(self, image_id: Any, file_name: str) -> None:
        """Remember which file was taken for an image.

        Raises:
            ValueError: It was another one before, as where a detector ran over several folders whose
                files count alike.
        """
        before = self.noted.setdefault(image_id, file_name)
        if not is_same_name(before, file_name):
            own = quote(str(self.file_names[image_id]))
            raise ValueError(f'{self.path}: {quote(before)} and {quote(file_name)} are two files, and'
                             f' only {own} is annotated; leave out those of other folders')

    def stem_keys(self, image_id: Any) -> tuple[str, ...]:
        """Return the stem of an image's file name, and its number where it is one."""
        stem = self.file_names[image_id].stem
        return (stem, str(int(stem))) if (
            stem.isascii() and stem.isdigit() and len(stem) < 19) else (stem, )

    def match_ids(self, keys: set[Any], image_ids: str) -> dict[Any, Any]:
        """Return the image that each ``image_id`` of COCO results means.

        Args:
            keys: All of the file.
            image_ids: As in :func:`read_predictions`.

        Raises:
            ValueError: Both readings fit all keys but name other images, or none fits.
        """
        by_stem: dict[str, list[Any]] = {}
        for image_id in self.file_names:
            for key in set(self.stem_keys(image_id)):
                by_stem.setdefault(key, []).append(image_id)
        ids = {key: key for key in keys if key in self.file_names}
        stems = {key: by_stem[str(key)][0] for key in keys if len(by_stem.get(str(key), ())) == 1}
        if image_ids == 'auto':
            complete = [found for found in (ids, stems) if len(found) == len(keys)]
            if len(complete) == 2 and ids != stems:
                key = next(key for key in keys if ids[key] != stems[key])
                raise ValueError(
                    f'{self.path}: image_id {key!r} is the id of {self.file_names[ids[key]]}, and '
                    f'the number of {self.file_names[stems[key]]}; say which is meant: image_ids '
                    "(--image-ids) 'id' or 'stem'")
            return (complete or [ids])[0]
        return ids if image_ids == 'id' else stems
