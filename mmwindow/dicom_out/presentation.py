"""Presentation states (GSPS): findings that a viewer draws over the image.

Graphics are in units PIXEL, which count columns and rows from the outer corner of the first pixel
(PS3.3, C.10.5): those of a report, and ours.
"""
from typing import Any

import numpy as np

from mmwindow.dicom_out.marks import DISCLAIMER, MANUFACTURER, PRODUCT, FoundImage, Mark
from mmwindow.dicom_out.source import copy_side, import_highdicom

SERIES_NUMBER = 9902
LABEL = 'MMWINDOW'
MAX_LAYER = 16  # characters of a name (CS)
DISCLAIMER_PLACE = (0.02, 0.93, 0.98, 0.99)  # of the displayed area


def layer_name(class_name: str) -> str:
    """Return the name of a class's layer: capital letters, digits, blanks and underscores.

    >>> layer_name('fracture of the hip'), layer_name('')
    ('FRACTURE OF THE', 'FINDING')
    """
    plain = ''.join(letter if letter.isascii() and letter.isalnum() else ' '
                    for letter in class_name.upper())
    return ' '.join(plain.split())[:MAX_LAYER].strip() or 'FINDING'


def make_presentation(source: Any, found: FoundImage, marks: str = 'boxes') -> Any:
    """Return a presentation state of an image.

    Each finding is one annotation, in the layer of its class: a graphic, and a text with class and
    score. The disclaimer is part of these texts; without a finding it stands alone.

    Args:
        source: From :func:`~mmwindow.dicom_out.source.read_source`.
        found: What is said of it.
        marks: 'points' or 'boxes'.

    Returns:
        highdicom.pr.GrayscaleSoftcopyPresentationState

    Raises:
        ValueError: highdicom is missing, or the image has colours.
    """
    hd, pr = import_highdicom(), import_highdicom('.pr')
    # A state replaces all grey levels of the image: which value is white, too (PS3.4, N.2.1).
    shape = 'INVERSE' if source.get('PhotometricInterpretation') == 'MONOCHROME1' else 'IDENTITY'
    check_has_grey_levels(source)
    source.SamplesPerPixel = 1
    names = list(dict.fromkeys(layer_name(mark.class_name) for mark in found.marks)) or ['DISCLAIMER']
    layers = {name: pr.GraphicLayer(name, order=number, description=f'{name}: {DISCLAIMER}'[:64])
              for number, name in enumerate(names, start=1)}
    annotations = [annotate(source, mark, layers[layer_name(mark.class_name)], marks)
                   for mark in found.marks]
    if not annotations:
        annotations = [pr.GraphicAnnotation([source], layers['DISCLAIMER'], text_objects=[
            pr.TextObject(found.describe()[:1024], 'DISPLAY', bounding_box=DISCLAIMER_PLACE)])]
    state = pr.GrayscaleSoftcopyPresentationState(
        referenced_images=[source], series_instance_uid=hd.UID(), series_number=SERIES_NUMBER,
        sop_instance_uid=hd.UID(), instance_number=1, manufacturer=MANUFACTURER,
        manufacturer_model_name=PRODUCT, software_versions=found.version, device_serial_number='0',
        content_label=LABEL, content_description=DISCLAIMER, content_creator_name='mmwindow^predict',
        graphic_annotations=annotations, graphic_layers=list(layers.values()),
        presentation_lut_transformation=hd.PresentationLUTTransformation(shape),
        series_description='mmwindow findings, not for clinical use')
    copy_side(source, state)
    return state


def check_has_grey_levels(source: Any) -> None:
    """Reject an image in colour, of which a grey presentation state cannot be.

    Raises:
        ValueError: It has several samples a pixel.
    """
    if source.get('SamplesPerPixel', 1) != 1:
        raise ValueError('a presentation state is of a grey image, and this one has colours')


def annotate(source: Any, mark: Mark, layer: Any, marks: str) -> Any:
    """Return the annotation of a finding."""
    pr = import_highdicom('.pr')
    is_point = marks == 'points'
    graphic = pr.GraphicObject(
        'POINT' if is_point else 'POLYLINE',
        np.array([mark.point] if is_point else mark.corners(), dtype=float), units='PIXEL')
    text = pr.TextObject(f'{mark.describe()}, not for clinical use', 'PIXEL',
                         anchor_point=(mark.box[0], mark.box[1]), anchor_point_visible=False)
    return pr.GraphicAnnotation([source], layer, graphic_objects=[graphic], text_objects=[text])
