"""The same images or patients in two sets that must have none in common."""
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, NamedTuple

from mmwindow.annotations.groups import group_name
from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.utils.messages import count_words, name_some


class SharedImages(NamedTuple):
    """What two sets of images have in common.

    Attributes:
        images: Names of the images of the second set that are in the first as well: file names, else
            ids.
        patients: Names of the groups that both have.
        num_images: Images of the second set that are in the first, or of one of these patients.
        num_second: Images of the second set.
    """

    images: tuple[str, ...]
    patients: tuple[str, ...]
    num_images: int
    num_second: int

    @property
    def warning(self) -> str:
        """What a user is told of a threshold chosen on the first set; '' where nothing is shared."""
        if not self.num_images:
            return ''
        parts = [f'{len(names)} {what}{"s" if len(names) > 1 else ""} ({name_some(names)})'
                 for names, what in ((self.patients, 'patient'), (self.images, 'image')) if names]
        return (f'validation and test have {" and ".join(parts)} in common, {self.num_images} of '
                f'{count_words(self.num_second, "test image")}: the threshold was chosen on what it '
                f'is tested on, '
                'so that the numbers at it flatter; divide the images by patient (mmwindow splits)')


@dataclass(frozen=True)
class KnownImages:
    """How images and patients of a set are recognised in another one.

    Attributes:
        names: From :func:`image_names`.
        patients: Names of the groups.
    """

    names: frozenset[Any]
    patients: frozenset[str]

    @classmethod
    def of(cls, events: Iterable[ImageEvents]) -> 'KnownImages':
        """Return what some images are recognised by."""
        events = list(events)
        return cls(frozenset(name for img in events for name in image_names(img)), frozenset(
            group for group in map(find_patient, events) if group is not None))

    def shared(self, events: Sequence[ImageEvents]) -> SharedImages:
        """Return what another set has in common with this one."""
        same = [not self.names.isdisjoint(image_names(img)) for img in events]
        groups = [find_patient(img) for img in events]
        known = [group in self.patients for group in groups]
        return SharedImages(
            tuple(str(img.fields.get('file_name', img.image_id))
                  for img, is_same in zip(events, same, strict=True) if is_same),
            tuple(sorted({str(group) for group, is_known in zip(groups, known, strict=True)
                          if is_known})),
            sum(one or other for one, other in zip(same, known, strict=True)), len(events))


def image_names(img: ImageEvents) -> Iterator[Any]:
    """Yield what an image is recognised by: id and bare file name together, or the file name alone.

    An id alone says nothing where there is a file name: each annotation file counts from 1.
    """
    file_name = img.fields.get('file_name')
    if file_name is not None:
        yield file_name
        yield img.image_id, PurePath(file_name).name
    elif img.image_id is not None:
        yield img.image_id, None


def find_patient(img: ImageEvents) -> str | None:
    """Return the patient of an image; None where it names none."""
    return group_name(img.group)
