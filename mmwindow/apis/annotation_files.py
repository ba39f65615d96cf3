"""Annotations of other tools become a point file, and the other way round."""
import contextlib
import os
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from mmwindow.annotations.exporters import EXPORTERS
from mmwindow.annotations.image_places import IMAGES_KEY, images_folder
from mmwindow.annotations.importers.anonymous import (
    check_images_folder,
    check_names_table,
    rename_images,
    write_names_table,
)
from mmwindow.annotations.importers.assemble import Assembly, AssemblySettings, assemble
from mmwindow.annotations.importers.field_table import read_field_table
from mmwindow.annotations.importers.formats import FORMATS, read_source, recognise_format
from mmwindow.annotations.importers.image_copies import copied_images, copies_folder
from mmwindow.annotations.importers.image_index import FileInfo, ImageIndex
from mmwindow.annotations.importers.options import ImportOptions
from mmwindow.annotations.point_file import read_point_file, write_point_file
from mmwindow.annotations.records import PointFile
from mmwindow.images.option_words import without_options
from mmwindow.utils.files import atomic_file, write_text
from mmwindow.utils.messages import count_phrase, count_words, shorten
from mmwindow.utils.outputs import check_not_source

POINTS_NAME = 'points.json'
COPIED_DICOM = ('DICOM files copied as they are, with what they say of patients (--anonymous-names '
                'writes pixels alone)')


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
        readers: Names, where there are several.
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
    readers: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Return the report as lines of text."""
        points = ', '.join(f'{number} {name}' for name, number in self.classes.items())
        patients = (count_words(self.num_groups, 'patient') if self.num_groups else
                    'no patient is named, so each image is a unit of its own (--patients PATTERN '
                    'takes them from file names)')
        if self.num_groups and self.num_ungrouped:
            patients += f', {count_words(self.num_ungrouped, "image names", "images name")} none'
        return [f'{self.path}: {count_words(self.num_images, "image")} from {self.format}, '
                f'{self.num_positives} '
                f'with a finding, {self.num_images - self.num_positives} negative',
                f'points: {points}', patients,
                *([f'{count_words(len(self.readers), "reader")}: '
                   f'{shorten(", ".join(self.readers), 100)}']
                  if self.readers else []),
                *(count_phrase(number, what) for what, number in self.counts.items()),
                *([f'{count_words(len(self.turned), "image has", "images have")} an orientation '
                   f'tag; points are in stored pixels: '
                   f'{shorten(", ".join(self.turned), 100)}'] if self.turned else [])]


@dataclass(frozen=True)
class OutputSettings:
    """What an import writes next to the point file.

    Attributes:
        copy: Copy the images into ``images`` of the output folder.
        anonymous_names: Copy them under running names as PNG of their pixels alone; the point file
            holds no name of a file, nor of a patient unless ``keep_ids`` of the settings asks for it.
        names_table: Receives old and new names; outside the output folder. None: nobody keeps them.
    """

    copy: bool = False
    anonymous_names: bool = False
    names_table: Path | None = None

    def check(self, out: Path) -> None:
        """Check that settings fit together, and the output folder.

        Raises:
            ValueError: They do not.
        """
        if out.exists() and not out.is_dir():
            raise ValueError(f'{shorten(str(out))}: --out is a file; a folder is expected')
        if self.anonymous_names and not self.copy:
            raise ValueError('--anonymous-names writes images under new names: add --copy')
        if self.names_table and not self.anonymous_names:
            raise ValueError('--names-table holds old and new names: add --anonymous-names')
        if self.names_table:
            check_names_table(self.names_table, out)
        if self.anonymous_names:
            check_images_folder(copies_folder(out))


def import_annotations(source: str | Path, out: str | Path, images: str | Path | None = None,
                       options: ImportOptions | None = None,
                       settings: AssemblySettings | None = None, format_name: str | None = None,
                       copy: bool | OutputSettings = False) -> ImportReport:
    """Write ``points.json`` from the annotations of another tool.

    Args:
        source: File or folder of annotations.
        out: Folder; nothing is written outside it, but for a table of names that is asked for.
        images: Folder of the images; next to the source if None.
        options: What the source leaves open.
        settings: How boxes become points, who the patients are.
        format_name: Of the source; recognised if None.
        copy: Copy the images into ``out/images``; or more on what is written.

    Raises:
        ValueError: Anything wrong with the source or an image, or a file that is read would be
            overwritten; nothing is written then.
    """
    source, out = Path(source), Path(out)
    output = copy if isinstance(copy, OutputSettings) else OutputSettings(copy)
    output.check(out)
    options = options or ImportOptions()
    for path, option in ((out / POINTS_NAME, '--out'), (output.names_table, '--names-table')):
        if path is not None:
            check_not_source(path, [source, options.table, options.names], option)
    settings = settings or AssemblySettings()
    if output.anonymous_names and settings.fields is None:
        settings = replace(settings, fields=())
    key = format_name or recognise_format(source)
    read = read_source(source, options, key)
    folder = Path(images or find_images_folder(source))
    if output.anonymous_names and folder.resolve().is_relative_to(out.resolve()):
        raise ValueError(f'{shorten(str(folder))}: the images lie in --out, which with '
                         '--anonymous-names has none of their names; write it elsewhere')
    # What an earlier import has copied is no image of this one.
    is_within = folder.resolve() in out.resolve().parents
    index = ImageIndex(folder, out if is_within else copies_folder(out) if output.copy else None)
    table = None if options.table is None else read_field_table(
        options.table, options.table_by, settings.fields)
    with without_options():
        assembly = assemble(read, index, settings, table=table)
    is_new = not out.exists()
    try:
        with without_options():
            point_file = _write(assembly, index, source, out, output, settings.keep_ids)
    finally:
        if is_new:
            with contextlib.suppress(OSError):  # something was written: it stays
                out.rmdir()
    return _report(out / POINTS_NAME, FORMATS[key].title, point_file, assembly)


def _write(assembly: Assembly, index: ImageIndex, source: Path, out: Path, output: OutputSettings,
           keep_ids: bool) -> PointFile:
    """Write the point file and copies of images, and return what was written."""
    content, folder = assembly.content, index.folder
    table = {record['file_name']: record['file_name'] for record in content['images']}
    if output.copy:
        folder = copies_folder(out)
        num_dicom = len(index.dicom_places & set(table))
        if num_dicom and not output.anonymous_names:
            assembly.counts[COPIED_DICOM] = num_dicom
    if output.anonymous_names:
        table = rename_images(content, keep_ids)
        assembly.turned.clear()  # what is written has no tag
    else:
        content['info']['source'] = source.name
    content['info'][IMAGES_KEY] = os.path.relpath(folder.resolve(), out.resolve())
    path = out / POINTS_NAME
    # Read before it takes its place: what we write, we can read.
    with atomic_file(path) as part:
        write_point_file(part, content, indent=1)
        try:
            point_file = read_point_file(part, readers='all')
        except ValueError as error:  # of the source, whose name the user knows
            name = f'{shorten(str(source))}: of the point file made of it'
            raise ValueError(str(error).replace(shorten(str(part)), name)) from error
        if output.copy:
            with copied_images(table, index.folder, folder, output.anonymous_names):
                if output.names_table:
                    write_names_table(output.names_table, table, out)
                path.unlink(missing_ok=True)  # until all are there, nothing passes for complete
    return point_file


def _report(path: Path, title: str, point_file: PointFile, assembly: Assembly) -> ImportReport:
    positives = [record for record in point_file.records if record.points]
    labels = Counter(label for record in point_file.records for label in record.labels)
    groups = Counter(record.group for record in point_file.records)
    ungrouped = groups.pop(None, 0)
    return ImportReport(
        path, title, len(point_file.records), len(positives), labels.total(), len(groups), ungrouped,
        {name: labels[number] for number, name in enumerate(point_file.classes)},
        assembly.counts, assembly.turned, tuple(assembly.content.get('readers', ())))


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
        ValueError: No such format, a point file that cannot be read or would be overwritten, or a
            missing image.
    """
    if format_name not in EXPORTERS:
        raise ValueError(f'--format {shorten(format_name)}: formats that can be written are '
                         f'{", ".join(EXPORTERS)}')
    check_not_source(out, [points], '--out')
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
