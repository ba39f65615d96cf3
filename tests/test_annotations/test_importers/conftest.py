"""DICOM images, reports and presentation states, written by pydicom alone."""
import io
from types import SimpleNamespace

import numpy as np
import pytest

ROOT = '1.2.826.0.1.3680043.8.498.'
SIZES = {'IM0': (80, 100), 'sub/IM1': (60, 90), 'IM2': (50, 50)}  # height, width
POINTS = {'IM0': [(10.25, 20.5), (77., 3.125)], 'sub/IM1': [(80.5, 10.25)], 'IM2': []}
DX, SR, GSPS = (f'1.2.840.10008.5.1.4.1.1.{tail}' for tail in ('1.1', '88.33', '11.1'))
NAME, ID, DATE = 'Mustermann^Erika', 'PAT-4711', '19630207'


def uid_of(name):
    return ROOT + str(sum(byte * 257 ** place for place, byte in enumerate(name.encode())))


def data_set(sop_class, uid, modality):
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian
    result = Dataset()
    result.file_meta = FileMetaDataset()
    result.file_meta.MediaStorageSOPClassUID = result.SOPClassUID = sop_class
    result.file_meta.MediaStorageSOPInstanceUID = result.SOPInstanceUID = uid
    result.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    result.SpecificCharacterSet = 'ISO_IR 192'
    result.Modality = modality
    result.StudyInstanceUID, result.SeriesInstanceUID = ROOT + '8', ROOT + '9'
    return result


def dicom_image(name, patient=ID, **elements):
    """Return an image of the size of its name, with what hospitals write into it."""
    height, width = SIZES.get(name, (40, 50))
    image = data_set(DX, uid_of(name), 'DX')
    image.PatientName, image.PatientID, image.PatientBirthDate = NAME, patient, DATE
    image.PatientSex, image.StudyID, image.AccessionNumber = 'F', '1', 'ACC-815'
    image.StudyDate, image.StudyTime, image.ReferringPhysicianName = '20240229', '101500', 'Arzt^A'
    image.Rows, image.Columns, image.SamplesPerPixel = height, width, 1
    image.PhotometricInterpretation = 'MONOCHROME2'
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 12, 11, 0
    image.WindowCenter, image.WindowWidth = 2048, 4096
    image.ImageLaterality, image.ViewPosition, image.ImagerPixelSpacing = 'L', 'AP', [.15, .15]
    image.PatientOrientation, image.Manufacturer = ['L', 'F'], 'x'
    image.SeriesNumber, image.InstanceNumber = 1, 1
    ramp = np.arange(height * width).reshape(height, width) % 4096
    image.PixelData = ramp.astype('<u2').tobytes()
    for key, value in elements.items():
        setattr(image, key, value)
    return image


def to_bytes(dataset):
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def save(dataset, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(to_bytes(dataset))
    return path


def code(value, scheme='DCM', meaning='x'):
    from pydicom.dataset import Dataset
    entry = Dataset()
    entry.CodeValue, entry.CodingSchemeDesignator, entry.CodeMeaning = value, scheme, meaning
    return [entry]


def item(kind, concept=None, children=(), **elements):
    """Return a content item of a report."""
    from pydicom.dataset import Dataset
    content = Dataset()
    content.ValueType = kind
    if concept:
        content.ConceptNameCodeSequence = code(*concept)
    if children:
        content.ContentSequence = list(children)
    for key, value in elements.items():
        setattr(content, key, value)
    return content


def reference(name, frame=None):
    from pydicom.dataset import Dataset
    entry = Dataset()
    entry.ReferencedSOPClassUID, entry.ReferencedSOPInstanceUID = DX, uid_of(name)
    if frame is not None:
        entry.ReferencedFrameNumber = frame
    return [entry]


def image_item(name, frame=None):
    return item('IMAGE', ReferencedSOPSequence=reference(name, frame))


def scoord(kind, numbers, name='IM0', concept=('111030', 'DCM', 'Image Region'), frame=None, **more):
    return item('SCOORD', concept, [image_item(name, frame)], GraphicType=kind, GraphicData=numbers,
                **more)


def finding(meaning='fracture', value='72704001', children=()):
    return item('CODE', ('121071', 'DCM', 'Finding'), children,
                ConceptCodeSequence=code(value, 'SCT', meaning))


def group(*children):
    return item('CONTAINER', ('125007', 'DCM', 'Measurement Group'), children)


def library(*names):
    return item('CONTAINER', ('111028', 'DCM', 'Image Library'),
                [item('CONTAINER', ('126200', 'DCM', 'Image Library Group'), map(image_item, names))])


def report(*children, measurements=(), observer='', uid='1.2.3', **elements):
    """Return a report; measurement groups stand in their container."""
    result = data_set(SR, uid, 'SR')
    result.ValueType = 'CONTAINER'
    result.ConceptNameCodeSequence = code('126000', 'DCM', 'Imaging Measurement Report')
    content = list(children)
    if observer:
        content.append(item('PNAME', ('121008', 'DCM', 'Person Observer Name'), PersonName=observer))
    if measurements:
        content.append(item('CONTAINER', ('126010', 'DCM', 'Imaging Measurements'), measurements))
    result.ContentSequence = content
    for key, value in elements.items():
        setattr(result, key, value)
    return result


def graphic(kind, numbers, units='PIXEL', filled='N'):
    from pydicom.dataset import Dataset
    result = Dataset()
    result.GraphicAnnotationUnits, result.GraphicType, result.GraphicFilled = units, kind, filled
    result.GraphicDimensions, result.NumberOfGraphicPoints = 2, len(numbers) // 2
    result.GraphicData = numbers
    return result


def annotation(*graphics, names=(), texts=(), layer='LAYER1'):
    from pydicom.dataset import Dataset
    result = Dataset()
    result.GraphicLayer = layer
    if graphics:
        result.GraphicObjectSequence = list(graphics)
    if names:
        result.ReferencedImageSequence = [reference(name)[0] for name in names]
    if texts:
        result.TextObjectSequence = []
        for value in texts:
            entry = Dataset()
            entry.UnformattedTextValue = value
            result.TextObjectSequence.append(entry)
    return result


def state(*annotations, names=('IM0', ), area=(1, 1, 100, 80), rotation=0, flip='N', **elements):
    """Return a presentation state of these images, all with one displayed area."""
    from pydicom.dataset import Dataset
    result = data_set(GSPS, '1.2.4', 'PR')
    series = Dataset()
    series.ReferencedImageSequence = [reference(name)[0] for name in names]
    series.SeriesInstanceUID = ROOT + '9'
    result.ReferencedSeriesSequence = [series]
    if annotations:
        result.GraphicAnnotationSequence = list(annotations)
    result.ImageRotation, result.ImageHorizontalFlip = rotation, flip
    displayed = Dataset()
    displayed.DisplayedAreaTopLeftHandCorner = list(area[:2])
    displayed.DisplayedAreaBottomRightHandCorner = list(area[2:])
    result.DisplayedAreaSelectionSequence = [displayed]
    for key, value in elements.items():
        setattr(result, key, value)
    return result


@pytest.fixture(scope='session')
def dicom():
    """Writers of DICOM objects, by name; pydicom is needed, highdicom is not."""
    pytest.importorskip('pydicom', reason='pydicom is not installed (mmwindow[dicom])')
    return SimpleNamespace(
        SIZES=SIZES, POINTS=POINTS, NAME=NAME, ID=ID, DATE=DATE, uid_of=uid_of, image=dicom_image,
        bytes=to_bytes, save=save, code=code, item=item, image_item=image_item, scoord=scoord,
        finding=finding, group=group, library=library, report=report, graphic=graphic,
        annotation=annotation, state=state, reference=reference)


@pytest.fixture(scope='session')
def dicom_folder(dicom, tmp_path_factory):
    """A folder of three images of two patients without an ending; read only."""
    folder = tmp_path_factory.mktemp('dicom') / 'images'
    for number, name in enumerate(SIZES):
        save(dicom_image(name, patient=f'{ID}-{number // 2}'), folder / name)
    return folder
