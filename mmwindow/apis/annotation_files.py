"""Annotations of other tools become a point file, and the other way round."""
import os
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from mmwindow.annotations.exporters import EXPORTERS
from mmwindow.annotations.image_places import IMAGES_KEY, images_folder
from mmwindow.annotations.importers.assemble import AssemblySettings, assemble
from mmwindow.annotations.importers.formats import FORMATS, read_source, recognise_format
from mmwindow.annotations.importers.image_index import FileInfo, ImageIndex
from mmwindow.annotations.importers.options import ImportOptions
from mmwindow.annotations.point_file import read_point_file, write_point_file
from mmwindow.utils.files import atomic_file, write_text
from mmwindow.utils.messages import shorten

POINTS_NAME = 'points.json'


@dataclass(frozen=True)
class ImportReport:
    """What an import wrote.

    Attributes:
        path: The point file.
        format: Title of the source's format.
        num_images: Also those without a finding.
        num_positives: With a finding.
        num_points: In all.
        num_groups: Patients, of the images that name one.
        num_ungrouped: Images that name no patient.
        classes: Name -> points.
        counts: What was left out, moved or assumed, and how often.
        turned: Names of images with an orientation tag.
    """

    path: Path
    format: str
    num_images: int
    num_positives: int
    num_points: int
    num_groups: int
    num_ungrouped: int
    classes: dict[str, int]
    counts: Counter[str]
    turned: list[str]

    def lines(self) -> list[str]:
        """Return the report as lines of text."""
        points = ', '.join(f'{number} {name}' for name, number in self.classes.items())
        patients = (f'{self.num_groups} patients' if self.num_groups else
                    'no patient is named, so each image is a unit of its own (--patients PATTERN '
                    'takes them from file names)')
        if self.num_groups and self.num_ungrouped:
            patients += f', {self.num_ungrouped} images name none'
        return [f'{self.path}: {self.num_images} images from {self.format}, {self.num_positives} '
                f'with a finding, {self.num_images - self.num_positives} negative',
                f'points: {points}', patients,
                *(f'{number} {what}' for what, number in self.counts.items()),
                *([f'{len(self.turned)} images have an orientation tag; points are in stored pixels: '
                   f'{shorten(", ".join(self.turned), 100)}'] if self.turned else [])]


def import_annotations(source: str | Path, out: str | Path, images: str | Path | None = None,
                       options: ImportOptions | None = None,
                       settings: AssemblySettings | None = None, format_name: str | None = None,
                       copy: bool = False) -> ImportReport:
    """Write ``points.json`` from the annotations of another tool.

    Args:
        source: File or folder of annotations.
        out: Folder; nothing is written outside it.
        images: Folder of the images; next to the source if None.
        options: What the source leaves open.
        settings: How boxes become points, who the patients are.
        format_name: Of the source; recognised if None.
        copy: Copy the images into ``out/images``.

    Raises:
        ValueError: Anything wrong with the source or an image; nothing is written then.
    """
    source, out = Path(source), Path(out)
    if out.exists() and not out.is_dir():
        raise ValueError(f'{shorten(str(out))}: --out is a file; a folder is expected')
    key = format_name or recognise_format(source)
    read = read_source(source, options, key)
    index = ImageIndex(images or find_images_folder(source))
    assembly = assemble(read, index, settings)
    folder = index.folder
    if copy:
        folder = out / 'images'
        _copy_images([record['file_name'] for record in assembly.content['images']], index.folder,
                     folder)
    out.mkdir(parents=True, exist_ok=True)
    assembly.content['info'].update(
        source=source.name, **{IMAGES_KEY: os.path.relpath(folder.resolve(), out.resolve())})
    path = out / POINTS_NAME
    # Read before it takes its place: what we write, we can read.
    with atomic_file(path) as part:
        write_point_file(part, assembly.content, indent=1)
        point_file = read_point_file(part, readers='all')
    positives = [record for record in point_file.records if record.points]
    labels = Counter(label for record in point_file.records for label in record.labels)
    groups = Counter(record.group for record in point_file.records)
    ungrouped = groups.pop(None, 0)
    return ImportReport(
        path, FORMATS[key].title, len(point_file.records), len(positives), labels.total(),
        len(groups), ungrouped,
        {name: labels[number] for number, name in enumerate(point_file.classes)},
        assembly.counts, assembly.turned)


def find_images_folder(source: Path) -> Path:
    """Return where the images of a source probably lie.

    That is ``images`` in or next to it, else its own folder.
    """
    home = source if source.is_dir() else source.parent
    places = [home / 'images', home.parent / 'images']
    return next((place for place in places if place.is_dir()), home)


def export_annotations(points: str | Path, out: str | Path, format_name: str,
                       images: str | Path | None = None) -> int:
    """Write a point file for another tool; return how many images are in it.

    Args:
        points: The point file.
        out: The file to write.
        format_name: One of :data:`~mmwindow.annotations.exporters.EXPORTERS`.
        images: Folder of the images, whose orientation tags are read where the tool applies them.

    Raises:
        ValueError: No such format, a point file that cannot be read, or a missing image.
    """
    if format_name not in EXPORTERS:
        raise ValueError(f'--format {shorten(format_name)}: formats that can be written are '
                         f'{", ".join(EXPORTERS)}')
    point_file = read_point_file(points, readers='all')
    tags: dict[str, int] = {}
    if 'shown' in FORMATS[format_name].turned:
        folder = Path(images) if images else images_folder(points)
        for record in point_file.records:
            path = folder / record.file_name
            if not path.is_file():
                raise ValueError(f'{shorten(str(path))}: there is no such image; its orientation '
                                 'tag is needed, --images names the folder')
            tags[record.file_name] = FileInfo(path, record.file_name).header().orientation
    write_text(out, EXPORTERS[format_name](point_file, tags))
    return len(point_file.records)


def _copy_images(names: list[str], source: Path, target: Path) -> None:
    for name in names:
        path = target / name
        if path.resolve() == (source / name).resolve():
            continue
        with atomic_file(path) as part:
            shutil.copyfile(source / name, part)
