"""What all checks are given: the images of all splits, each with what was seen in its file."""
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mmwindow.annotations.groups import unit_names
from mmwindow.apis.doctor.data_source import CheckedImage, DataSource
from mmwindow.apis.doctor.image_facts import ImageFacts
from mmwindow.apis.doctor.reading import ReadImages
from mmwindow.utils.messages import shorten


@dataclass(frozen=True)
class Checkup:
    """A data set and what was read of it.

    Attributes:
        source: The point files.
        images: Of all splits.
        read: Of each file once.
        places: ``(N,)`` index into ``read`` of each image: one file may be listed by two splits.
    """

    source: DataSource
    images: list[CheckedImage]
    read: ReadImages
    places: np.ndarray

    @cached_property
    def facts(self) -> list[ImageFacts]:
        """Return what was seen of each image."""
        return [self.read.facts[place] for place in self.places]

    @cached_property
    def usable(self) -> np.ndarray:
        """Return ``(N,)`` bool, whether each image can be read."""
        return np.array([not facts.problem for facts in self.facts], dtype=bool)

    @cached_property
    def is_positive(self) -> np.ndarray:
        """Return ``(N,)`` bool, whether each image has a finding."""
        return np.array([image.is_positive for image in self.images], dtype=bool)

    @cached_property
    def units(self) -> list[str]:
        """Return what each image is kept together by: its patient, else itself."""
        named = unit_names([image.record for image in self.images])
        return [name if image.record.group is not None else f'{image.split} {name}'
                for name, image in zip(named, self.images, strict=True)]

    def name(self, index: int) -> str:
        """Return the name of an image, with its split where there are splits."""
        image = self.images[index]
        name = shorten(image.name, 100)
        return f'{name} ({image.split})' if image.split else name

    def names(self, indices: Iterable[int]) -> list[str]:
        """Return the names of images."""
        return [self.name(index) for index in indices]

    def thumbnail(self, index: int) -> np.ndarray:
        """Return ``(128, 128)`` uint8, the picture squeezed into a square."""
        return self.read.thumbnails[self.places[index]]
