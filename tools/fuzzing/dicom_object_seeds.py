"""Structured reports and presentation states with the DICOM images that they mark."""
import io
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from fuzzing.harness import Seed
from fuzzing.importer_seeds import Stored

IMAGES = {'IM0': Stored(80, 100), 'sub/IM1': Stored(60, 90), 'IM2': Stored(50, 50)}
UIDS = {name: f'1.2.826.0.1.3680043.8.498.{number}' for number, name in enumerate(IMAGES, start=1)}
STORAGE = '1.2.840.10008.5.1.4.1.1.'
SQUARE = [10., 10., 30., 10., 30., 20., 10., 20., 10., 10.]
REGION, SOURCE = ('111030', 'DCM', 'Image Region'), ('121112', 'DCM', 'Source of Measurement')


def data_set(**elements: Any) -> Any:
    """Return a data set of these elements."""
    from pydicom.dataset import Dataset

    result = Dataset()
    for key, value in elements.items():
        setattr(result, key, value)
    return result


def as_file(content: Any, sop_class: str, uid: str) -> bytes:
    """Return an object as a file of explicit little endian."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    content.SOPClassUID, content.SOPInstanceUID = STORAGE + sop_class, uid
    content.SpecificCharacterSet = 'ISO_IR 192'
    content.file_meta = FileMetaDataset()
    content.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    stream = io.BytesIO()
    content.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def image_files() -> dict[str, bytes]:
    """Return the DICOM images by their places in the folder of a case."""
    return {f'images/{name}': as_file(data_set(
        Rows=stored.height, Columns=stored.width, SamplesPerPixel=1, BitsAllocated=8, BitsStored=8,
        HighBit=7, PixelRepresentation=0, PhotometricInterpretation='MONOCHROME2',
        PixelData=np.zeros((stored.height, stored.width), np.uint8).tobytes()), '1.1', UIDS[name])
        for name, stored in IMAGES.items()}


def code(value: str, scheme: str, meaning: str) -> list[Any]:
    """Return a coded entry as a sequence."""
    return [data_set(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)]


def item(kind: str, concept: tuple[str, str, str] | None, *children: Any, **elements: Any) -> Any:
    """Return a content item."""
    if concept:
        elements['ConceptNameCodeSequence'] = code(*concept)
    if children:
        elements['ContentSequence'] = list(children)
    return data_set(ValueType=kind, **elements)


def references(names: Iterable[str]) -> list[Any]:
    """Return a sequence of references to images."""
    return [data_set(ReferencedSOPClassUID=f'{STORAGE}1.1', ReferencedSOPInstanceUID=UIDS[name])
            for name in names]


def image_item(name: str) -> Any:
    """Return the content item of an image."""
    return item('IMAGE', None, ReferencedSOPSequence=references([name]))


def mark(kind: str, numbers: Sequence[float], name: str = 'IM0',
         concept: tuple[str, str, str] = REGION) -> Any:
    """Return the content item of coordinates."""
    return item('SCOORD', concept, image_item(name), GraphicType=kind, GraphicData=list(numbers))


def group(label: str, *children: Any) -> Any:
    """Return a measurement group with a finding code; '' for none."""
    codes = [item('CODE', ('121071', 'DCM', 'Finding'), ConceptCodeSequence=code(
        f'{sum(label.encode())}', 'SCT', label))] if label else []
    return item('CONTAINER', ('125007', 'DCM', 'Measurement Group'), *codes, *children)


def report(*children: Any, **elements: Any) -> Seed:
    """Return a structured report with its images."""
    content = item('CONTAINER', ('126000', 'DCM', 'Imaging Measurement Report'), *children,
                   **elements)
    return Seed({'source/report.dcm': as_file(content, '88.33', '1.2.3'), **image_files()},
                'source/report.dcm')


def sr_seeds() -> list[Seed]:
    """Return reports with every kind of mark, by reference, as CAD writes them, and without marks."""
    measured = item('NUM', ('42798000', 'SCT', 'Area'), mark('POLYLINE', SQUARE, concept=SOURCE))
    line = item('NUM', ('410668003', 'SCT', 'Length'), mark('POLYLINE', [1, 1, 9, 9], 'IM2',
                                                            concept=SOURCE))
    library = item('CONTAINER', ('111028', 'DCM', 'Image Library'), *map(image_item, IMAGES))
    observer = item('PNAME', ('121008', 'DCM', 'Person Observer Name'), PersonName='Reader^A')
    marks = item('CONTAINER', ('126010', 'DCM', 'Imaging Measurements'), group(
        'fracture', mark('POINT', [10.25, 20.5]), mark('CIRCLE', [40, 30, 43, 34]), measured), group(
        'cyst', mark('ELLIPSE', [20, 30, 40, 30, 30, 25, 30, 35], 'sub/IM1'),
        mark('MULTIPOINT', [1, 2, 3, 4.5], 'sub/IM1')), group('', mark('POLYLINE', SQUARE[:8])))
    cad = item('CODE', ('111059', 'DCM', 'Single Image Finding'), mark(
        'POINT', [50, 60], concept=('111010', 'DCM', 'Center')), mark(
        'POLYLINE', [40, 50, 60, 50, 60, 70, 40, 70, 40, 50], concept=('111041', 'DCM', 'Outline')),
        ConceptCodeSequence=code('4147007', 'SCT', 'Mass'))
    pointed = item('SCOORD', REGION, data_set(
        RelationshipType='SELECTED FROM', ReferencedContentItemIdentifier=[1, 1, 2]),
        GraphicType='POINT', GraphicData=[7, 8])
    study = data_set(ReferencedSeriesSequence=[data_set(
        ReferencedSOPSequence=references(['IM0', 'IM2']))])
    return [report(library, observer, marks), report(library, line, cad),
            report(library, item('CONTAINER', None, group('fracture', pointed))),
            report(item('TEXT', ('1', '99X', 'Note'), TextValue='no finding'),
                   CurrentRequestedProcedureEvidenceSequence=[study])]


def graphic(kind: str, numbers: Sequence[float], units: str = 'PIXEL', filled: str = 'N') -> Any:
    """Return a graphic object."""
    return data_set(GraphicAnnotationUnits=units, GraphicType=kind, GraphicFilled=filled,
                    GraphicDimensions=2, NumberOfGraphicPoints=len(numbers) // 2,
                    GraphicData=[float(value) for value in numbers])


def annotation(*graphics: Any, names: Sequence[str] = (), text: str = '', layer: str = 'L1') -> Any:
    """Return an annotation of a presentation state."""
    result = data_set(GraphicLayer=layer)
    if graphics:
        result.GraphicObjectSequence = list(graphics)
    if names:
        result.ReferencedImageSequence = references(names)
    if text:
        result.TextObjectSequence = [data_set(UnformattedTextValue=text)]
    return result


def state(*annotations: Any, names: Sequence[str], area: Sequence[int], rotation: int = 0,
          flip: str = 'N', **options: Any) -> Seed:
    """Return a presentation state with its images."""
    content = data_set(
        ReferencedSeriesSequence=[data_set(ReferencedImageSequence=references(names))],
        GraphicAnnotationSequence=list(annotations), ImageRotation=rotation, ImageHorizontalFlip=flip,
        ContentCreatorName='Reader^A', DisplayedAreaSelectionSequence=[data_set(
            DisplayedAreaTopLeftHandCorner=list(area[:2]),
            DisplayedAreaBottomRightHandCorner=list(area[2:]))])
    return Seed({'source/state.dcm': as_file(content, '11.1', '1.2.4'), **image_files()},
                'source/state.dcm', options)


def gsps_seeds() -> list[Seed]:
    """Return states in both units, turned and flipped, of several images, with texts and layers."""
    shapes = [graphic('POINT', [10.25, 20.5]), graphic('POLYLINE', SQUARE),
              graphic('INTERPOLATED', SQUARE[:8], filled='Y'), graphic('CIRCLE', [40, 30, 43, 34]),
              graphic('ELLIPSE', [20, 30, 40, 30, 30, 25, 30, 35]), graphic('POLYLINE', [1, 1, 9, 9])]
    shown = [graphic('POINT', [.25, .5], 'DISPLAY'), graphic(
        'POLYLINE', [.25, .25, .5, .25, .5, .75, .25, .25], 'DISPLAY')]
    return [state(annotation(*shapes), annotation(text='look'), names=['IM0'], area=(1, 1, 100, 80)),
            state(annotation(*shown), names=['IM0'], area=(11, 21, 60, 50), rotation=90, flip='Y'),
            state(annotation(shapes[0], names=['sub/IM1'], text='cyst'), annotation(
                shapes[1], text='fracture'), names=[*IMAGES], area=(1, 1, 50, 50), rotation=180,
                label_attribute='text'),
            state(annotation(shapes[0], layer='BONE'), names=['IM2'], area=(1, 1, 50, 50),
                  label_attribute='layer')]
