"""What a user can say about an annotation source that its file does not say itself."""
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class ImportOptions:
    """Settings of all importers; each reads those that its format leaves open.

    Attributes:
        columns: Role (``image``, ``x``, ``class``, ``patient``, ..) to the name of a CSV's column.
        label: Class of findings that have none.
        label_attribute: The attribute that holds the class (VIA).
        pixel_origin: 1 where pixels count from one and the last one is included, as in the files of
            the PASCAL challenges; 0 where edges are given (VOC).
        mask_values: What the grey values of masks mean: 'finding' (all above 0 is a finding,
            components apart), 'instance' (each value is one finding) or 'class' (each value is a
            class).
        names: File with class names in order (YOLO).
        images: Folder of the images.
        is_displayed: Overrides whether the tool turned images by their orientation tag.
        keep_ids: Whether people keep the names that DICOM objects give them; else they are numbered.
        table: Second table, of fields of images or patients
            (:mod:`~mmwindow.annotations.importers.field_table`).
        table_by: What its rows are of: 'image' or 'patient', or with a column 'patient=NAME'.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    label: str = 'finding'
    label_attribute: str | None = None
    pixel_origin: int = 0
    mask_values: str = 'finding'
    names: Path | None = None
    images: Path | None = None
    is_displayed: bool | None = None
    keep_ids: bool = False
    table: Path | None = None
    table_by: str | None = None
