"""DICOM: against dcmtk and pydicom, on real radiographs, and nobody is named.

What is read of each kind of file, with values by hand: test_formats.py.
"""
import io
import logging
import shutil
import struct
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mmwindow.images.decode import ImageSettings, read_header, read_image
from mmwindow.images.dicom_tags import (
    DicomTags,
    PatientNumbers,
    is_dicom_image,
    read_dicom_tags,
)
from mmwindow.images.file_check import describe_image_problem
from mmwindow.images.formats import dicom_frame, dicom_streams

pydicom = pytest.importorskip('pydicom')
needs_dcmtk = pytest.mark.skipif(shutil.which('dcmj2pnm') is None,
                                 reason='dcmtk is not installed (Debian: apt-get install dcmtk)')
RAMP = np.arange(4096).reshape(64, 64)
EXPLICIT, IMPLICIT, BIG_ENDIAN = '1.2.840.10008.1.2.1', '1.2.840.10008.1.2', '1.2.840.10008.1.2.2'
JPEG_LOSSLESS = '1.2.840.10008.1.2.4.70'
CENTER, WIDTH, FUNCTION, SHAPE = 0x00281050, 0x00281051, 0x00281056, 0x20500020
INTERCEPT, SLOPE, MODALITY, VOI = 0x00281052, 0x00281053, 0x00283000, 0x00283010
WINDOW = {CENTER: ('DS', '2048'), WIDTH: ('DS', '1000')}
LOW_WINDOW = {CENTER: ('DS', '-40.5'), WIDTH: ('DS', '400')}
INVERSE, IDENTITY = {SHAPE: ('CS', 'INVERSE')}, {SHAPE: ('CS', 'IDENTITY')}
BY_WINDOW, BY_LUT, WITHOUT = ('+Wi', '1'), ('+Wl', '1'), ()


def rescale(slope, intercept):
    return {SLOPE: ('DS', str(slope)), INTERCEPT: ('DS', str(intercept))}


def lut(tag, first, entries, bits, kind='US'):
    return {tag: ('SQ', [{0x00283002: (kind, [len(entries), first, bits]),
                          0x00283006: ('OW', np.asarray(entries, '<u2').tobytes())}])}


VOI_LUT = lut(VOI, 1000, np.arange(1024) * 2, 11)
MODALITY_LUT = lut(MODALITY, 500, 4095 - np.arange(3000), 12)
GENERATED = {
    'window': (BY_WINDOW, dict(elements=WINDOW)),
    'MONOCHROME1': (BY_WINDOW, dict(elements=WINDOW, photometric='MONOCHROME1')),
    'MONOCHROME1, INVERSE': (BY_WINDOW, dict(
        elements={**WINDOW, **INVERSE}, photometric='MONOCHROME1')),
    'MONOCHROME2, IDENTITY': (BY_WINDOW, dict(elements={**WINDOW, **IDENTITY})),
    'negative slope': (BY_WINDOW, dict(elements={
        **WINDOW, CENTER: ('DS', '-2000'), **rescale(-1, 0)})),
    'negative slope, MONOCHROME1, no window': (WITHOUT, dict(
        elements=rescale(-2.5, 100), photometric='MONOCHROME1')),
    'SIGMOID': (BY_WINDOW, dict(elements={**WINDOW, FUNCTION: ('CS', 'SIGMOID')})),
    'SIGMOID, MONOCHROME1': (BY_WINDOW, dict(
        elements={**WINDOW, FUNCTION: ('CS', 'SIGMOID')}, photometric='MONOCHROME1')),
    'several windows': (BY_WINDOW, dict(elements={
        CENTER: ('DS', '2048\\100'), WIDTH: ('DS', '1000\\50')})),
    'an empty window': (WITHOUT, dict(elements={CENTER: ('DS', ''), WIDTH: ('DS', '')})),
    'a window of width 1': (BY_WINDOW, dict(elements={**WINDOW, WIDTH: ('DS', '1')})),
    'a window of width 2': (BY_WINDOW, dict(elements={**WINDOW, WIDTH: ('DS', '2')})),
    'signed': (BY_WINDOW, dict(signed=True, elements=LOW_WINDOW)),
    'signed, no window': (WITHOUT, dict(signed=True)),
    'no window': (WITHOUT, {}),
    'overlay in the high bits': (BY_WINDOW, dict(
        elements=WINDOW, data=(RAMP | 0xf000).astype('<u2').tobytes())),
    'value in the high bits': (BY_WINDOW, dict(
        elements={**WINDOW, 0x00280102: ('US', 13)}, data=(RAMP << 2).astype('<u2').tobytes())),
    'implicit': (BY_WINDOW, dict(elements=WINDOW, syntax=IMPLICIT)),
    'big-endian': (BY_WINDOW, dict(elements=WINDOW, syntax=BIG_ENDIAN)),
    'no preamble': (BY_WINDOW, dict(elements=WINDOW, preamble=False)),
    'VOI LUT': (BY_LUT, dict(elements=VOI_LUT)),
    'VOI LUT, implicit': (BY_LUT, dict(elements=VOI_LUT, syntax=IMPLICIT)),
    'VOI LUT, MONOCHROME1': (BY_LUT, dict(elements=VOI_LUT, photometric='MONOCHROME1')),
    'VOI LUT and window': (BY_WINDOW, dict(elements={**WINDOW, **VOI_LUT})),
    'VOI LUT after a fractional rescale': (BY_LUT, dict(elements={
        **rescale(.5, -512.3), **lut(VOI, -300, np.arange(1024) * 2, 11, 'SS')})),
    'modality LUT': (WITHOUT, dict(elements=MODALITY_LUT)),
    'modality LUT and window': (BY_WINDOW, dict(elements={**WINDOW, **MODALITY_LUT}))}


def render_with_dcmtk(path, options, folder):
    """Return the 8-bit levels that dcmtk makes of a file."""
    out = folder / 'out.pgm'
    subprocess.run(['dcmj2pnm', '-O', *options, str(path), str(out)], check=True,
                   capture_output=True)
    return read_image(out).pixels.astype(int)


@needs_dcmtk
@pytest.mark.parametrize('name', GENERATED)
def test_levels_are_those_of_dcmtk(name, files, tmp_path):
    options, settings = GENERATED[name]
    path = tmp_path / 'a.dcm'
    path.write_bytes(files.dicom(RAMP, 12, **settings))
    ours = read_image(path, ImageSettings(16)).to_8_bit().astype(int)
    assert ours.max() - ours.min() > 150
    assert np.abs(ours - render_with_dcmtk(path, options, tmp_path)).max() <= 1


@pytest.mark.parametrize('function', ['LINEAR', 'LINEAR_EXACT', 'SIGMOID'])
def test_windows_are_those_of_pydicom(function, files):
    """Over all values of random depths, signs, slopes and windows; dcmtk knows no LINEAR_EXACT."""
    from pydicom.pixels import apply_modality_lut, apply_windowing
    generator = np.random.default_rng(0)
    for _ in range(25):
        bits, signed = int(generator.integers(2, 13)), bool(generator.integers(2))
        values = np.arange(2 ** bits).reshape(2, -1) - signed * 2 ** (bits - 1)
        slope, intercept = round(generator.uniform(.1, 3), 2), round(generator.uniform(-99, 99), 1)
        outputs = values * slope + intercept
        center = round(generator.uniform(outputs.min(), outputs.max()), 1)
        width = round(generator.uniform(1.1, np.ptp(outputs) + 2), 1)
        data_set = pydicom.Dataset()
        data_set.update({'RescaleSlope': slope, 'RescaleIntercept': intercept, 'BitsStored': bits,
                         'WindowCenter': center, 'WindowWidth': width, 'VOILUTFunction': function,
                         'PhotometricInterpretation': 'MONOCHROME2',
                         'PixelRepresentation': int(signed)})
        expected = apply_windowing(apply_modality_lut(values, data_set), data_set)
        expected = (expected - outputs.min()) * 255 / np.ptp(outputs)
        image = read_image(files.dicom(values, bits, signed=signed, elements={
            **rescale(slope, intercept), CENTER: ('DS', str(center)), WIDTH: ('DS', str(width)),
            FUNCTION: ('CS', function)}))
        assert np.abs(image.pixels - expected).max() <= .5 + 1e-6


def real_file(name):
    """Return the path of a file of pydicom-data, or of pydicom itself; nothing is downloaded."""
    data_store = pytest.importorskip('data_store', reason='pydicom-data is not installed')
    roots = [Path(data_store.__file__).parent, Path(pydicom.__file__).parent / 'data']
    return next(path for root in roots for path in root.rglob(name))


RADIOGRAPHS = {'RG1_UNCI.dcm': (1955, 1841), 'RG1_UNCR.dcm': (1955, 1841),
               'RG3_UNCI.dcm': (1760, 1760), 'RG3_UNCR.dcm': (1760, 1760)}


def window_with_pydicom(name):
    """Return the levels, 0 to 255, that pydicom's window makes of a file without rescale."""
    from pydicom.pixels import apply_windowing
    data_set = pydicom.dcmread(real_file(name))
    assert float(data_set.get('RescaleSlope', 1)) == 1 and not data_set.get('RescaleIntercept', 0)
    levels = apply_windowing(data_set.pixel_array, data_set) * 255 / (2 ** data_set.BitsStored - 1)
    return 255 - levels if data_set.PhotometricInterpretation == 'MONOCHROME1' else levels


@pytest.mark.parametrize('name', RADIOGRAPHS)
def test_real_radiographs_are_shown_as_pydicom_shows_them(name):
    """Chest and tibia: an independent window, then the inversion."""
    image = read_image(real_file(name))
    assert image.shape == RADIOGRAPHS[name] and image.bit_depth == 8
    assert np.abs(image.pixels - window_with_pydicom(name)).max() <= .51
    assert describe_image_problem(real_file(name), *RADIOGRAPHS[name]) is None


@pytest.mark.parametrize('name', [
    'RG3_J2KI.dcm', *(pytest.param(f'{name}.dcm', marks=pytest.mark.long)
                      for name in ('RG3_J2KR', 'RG1_J2KI', 'RG1_J2KR'))])
def test_real_radiographs_in_jpeg_2000_have_the_pixels_of_their_uncompressed_twins(name):
    assert np.array_equal(read_image(real_file(name)).pixels,
                          read_image(real_file(name.replace('J2K', 'UNC'))).pixels)


@needs_dcmtk
@pytest.mark.parametrize('name, options', [
    *((name, BY_WINDOW) for name in RADIOGRAPHS), ('mlut_18.dcm', WITHOUT), ('vlut_04.dcm', BY_LUT),
    ('MR_small_RLE.dcm', BY_WINDOW), ('MR_small_bigendian.dcm', BY_WINDOW),
    ('JPGLosslessP14SV1_1s_1f_8b.dcm', BY_WINDOW), ('JPEG-LL.dcm', WITHOUT),
    ('MR-SIEMENS-DICOM-WithOverlays.dcm', BY_WINDOW), ('CT_small.dcm', WITHOUT)])
def test_real_files_have_the_levels_of_dcmtk(name, options, tmp_path):
    path = real_file(name)
    ours = read_image(path, ImageSettings(16)).to_8_bit().astype(int)
    assert np.abs(ours - render_with_dcmtk(path, options, tmp_path)).max() <= 1


def test_jpeg_lossless_is_read():
    name = 'JPGLosslessP14SV1_1s_1f_8b.dcm'
    pixels = read_image(real_file(name)).pixels
    assert pixels.shape == (768, 1024)
    assert np.abs(pixels - window_with_pydicom(name)).max() <= .51


def test_damaged_jpeg_lossless_is_read_or_rejected_in_one_line():
    content = bytearray(real_file('JPGLosslessP14SV1_1s_1f_8b.dcm').read_bytes())
    generator = np.random.default_rng(0)
    start = content.index(b'\xff\xd8\xff')
    for place in [*range(start, start + 24), *generator.integers(start, len(content), 6).tolist()]:
        changed = bytes(content[:place]) + generator.bytes(2) + bytes(content[place + 2:])
        try:
            assert read_image(changed).pixels.shape == (768, 1024)
        except ValueError as error:
            assert '\n' not in str(error) and 'damaged' in str(error)


@pytest.mark.parametrize('place', [.5, .9])
def test_jpeg_2000_that_lacks_a_byte_is_damage(place, files):
    """It has no checksum: behind the place of the byte the decoder makes noise, without a word."""
    data_set = pydicom.dcmread(io.BytesIO(files.dicom(RAMP, 12)))
    data_set.compress('1.2.840.10008.1.2.4.90', generate_instance_uid=False)
    frame = next(pydicom.encaps.generate_frames(data_set.PixelData, number_of_frames=1))

    def read(frame):
        return read_image(files.dicom(RAMP, 12, syntax='1.2.840.10008.1.2.4.90',
                                      data=files.encapsulate(frame))).pixels

    assert (read(frame) == RAMP).all()
    with pytest.raises(ValueError, match='parts of its JPEG 2000 are of other sizes'):
        read(frame[:int(place * len(frame))] + frame[int(place * len(frame)) + 1:])


@pytest.mark.parametrize('elements, words', [
    ({SLOPE: ('DS', '2')}, 'rescale slope and intercept is missing'),
    ({INTERCEPT: ('DS', '2'), SLOPE: ('DS', '')}, 'rescale slope and intercept is missing'),
    ({WIDTH: ('DS', '100')}, 'window center and width is missing'),
    ({**WINDOW, CENTER: ('DS', '\\\\')}, 'window center and width is missing'),
    ({**WINDOW, WIDTH: ('US', 1000)}, r'.0028,1051. is of the kind US'),
    ({MODALITY: ('LO', 'table')}, 'a sequence ends in TypeError'),
    ({0x00280103: ('US', [0, 0])}, r'.0028,0103. has 2 values'),
    ({0x00280101: None}, '0101. is missing'),
    ({0x00280103: None}, r'.0028,0103. is missing'),
    ({0x00280004: ('SQ', [])}, r'.0028,0004. is a sequence')])
def test_elements_that_contradict_or_are_missing_are_damage(elements, words, files):
    """pydicom ignores a lone slope; a table that is none ended in a traceback."""
    with pytest.raises(ValueError, match=words):
        read_image(files.dicom(RAMP, 12, elements=elements), name='a')


def test_without_pydicom_the_message_says_what_to_install(files, monkeypatch):
    monkeypatch.setitem(sys.modules, 'pydicom', None)
    with pytest.raises(ValueError, match=r'^a: a DICOM file, .*: pip install "mmwindow\[dicom\]"'):
        read_image(files.dicom(RAMP, 12), name='a')


def test_without_a_decoder_the_message_says_what_to_install(files, monkeypatch):
    monkeypatch.setitem(dicom_frame.PLUGINS, JPEG_LOSSLESS, ('none', 'python-gdcm'))
    monkeypatch.setattr(dicom_streams, 'check_lossless', lambda data: None)
    frame = struct.pack('>HHHBHHB', 0xffd8, 0xffc3, 11, 8, 64, 64, 1) + b'\1\x11\0\xff\xda\xff\xd9'
    content = files.dicom(RAMP % 256, syntax=JPEG_LOSSLESS, data=files.encapsulate(frame))
    with pytest.raises(ValueError, match='that python-gdcm reads: pip install'):
        read_image(content)


def test_jpeg_of_12_bits(monkeypatch):
    """Where imagecodecs is missing, the message says so; what it returns is checked, then shown."""
    path = real_file('JPGExtended.dcm')
    pixels = np.arange(1024 * 256, dtype=np.uint16).reshape(1024, 256) % 4096
    monkeypatch.setitem(sys.modules, 'imagecodecs', SimpleNamespace(jpeg_decode=lambda data: pixels))
    image = read_image(path)
    assert image.bit_depth == 12 and np.array_equal(image.pixels, pixels)
    monkeypatch.setitem(sys.modules, 'imagecodecs', SimpleNamespace(
        jpeg_decode=lambda data: pixels[:9]))
    with pytest.raises(ValueError, match='not what its header says'):
        read_image(path)
    monkeypatch.setitem(sys.modules, 'imagecodecs', None)
    with pytest.raises(ValueError, match='JPEG of 12 bits, which imagecodecs reads: pip install'):
        read_image(path)


@needs_dcmtk
def test_jpeg_of_12_bits_has_the_levels_of_dcmtk(tmp_path):
    pytest.importorskip('imagecodecs', reason='imagecodecs is not installed (mmwindow[codecs])')
    path = real_file('JPGExtended.dcm')
    ours = read_image(path).to_8_bit().astype(int)
    assert np.abs(ours - render_with_dcmtk(path, WITHOUT, tmp_path)).max() <= 1


def test_a_header_that_announces_too_much_is_rejected_before_decoding(files, monkeypatch):
    monkeypatch.setattr('mmwindow.images.formats.dicom.read_stored_bits', None)
    sides = {0x00280010: ('US', 60000), 0x00280011: ('US', 60000)}
    with pytest.raises(ValueError, match='are 3600000000 pixels.*raise max_pixels'):
        read_image(files.dicom(RAMP, 12, elements=sides))


def test_a_small_file_of_a_large_codestream_is_not_decoded(files, monkeypatch):
    monkeypatch.setattr(dicom_frame, '_decode', None)
    sides = (2 ** 31, 2 ** 31, 0, 0)
    huge = struct.pack('>4H8IH3BH', 0xff4f, 0xff51, 41, 0, *sides, *sides, 1, 7, 1, 1, 0xffd9)
    content = files.dicom(RAMP, 8, syntax='1.2.840.10008.1.2.4.90', data=files.encapsulate(huge))
    with pytest.raises(ValueError, match='JPEG 2000 is not of the size'):
        read_image(content)


@pytest.mark.parametrize('tag', [VOI, 0x00400555])
def test_sequences_in_sequences_end_in_one_line_or_are_passed_over(tag, files):
    """20,000 levels of undefined length, in a LUT that is read and in an element that is not."""
    head = struct.pack('<HH2sHI', tag >> 16, tag & 0xffff, b'SQ', 0, 0xffffffff)
    item = struct.pack('<HHI', 0xfffe, 0xe000, 0xffffffff)
    content = files.dicom(RAMP, 12, elements={0x7fe00010: None})
    with pytest.raises(ValueError, match='^the image: is damaged') as caught:
        read_image(content + (head + item) * 20000)
    assert '\n' not in str(caught.value)


NAMES = ('Mustermann', 'PAT4711', '19571102', 'Klinikum', '1.2.276.9.9', '4711-geheim')
PERSONAL = {
    0x00080018: ('UI', '1.2.276.9.9.1'), 0x00080020: ('DA', '19571102'),
    0x00080030: ('TM', 'Mustermann'), 0x00080050: ('SH', 'PAT4711'), 0x00080080: ('LO', 'Klinikum'),
    0x00080090: ('PN', 'Mustermann^Erika'), 0x00100010: ('PN', 'Mustermann^Erika' * 9),
    0x00100020: ('LO', 'PAT4711'), 0x00100030: ('DA', 'Mustermann'),
    0x00101010: ('AS', 'Mustermann'), 0x00104000: ('LT', 'Klinikum'),
    0x00180015: ('CS', 'Mustermann, Erika'), 0x00185101: ('CS', '4711-geheim'),
    0x0020000d: ('UI', '1.2.276.9.9.Mustermann'), 0x00291001: ('UN', b'Mustermann 19571102')}
SPOILED = [{}, {SLOPE: ('DS', 'Mustermann')}, {CENTER: ('DS', 'PAT4711')},
           {FUNCTION: ('CS', 'KLINIKUM')},
           {0x00280004: ('CS', 'Mustermann')}, {0x00280008: ('IS', 'Mustermann')},
           {SHAPE: ('CS', 'MUSTERMANN')}, {0x00280010: ('US', 9999)},
           {0x00181164: ('DS', 'PAT4711')}]


def test_nobody_is_named(files, tmp_path, capfd, caplog, recwarn):
    """Names, dates and identifiers of a file are in no message, log, warning, print or header."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger('pydicom').setLevel(logging.DEBUG)
    warnings.simplefilter('always')
    texts = []
    for number, spoiled in enumerate(SPOILED):
        original = files.dicom(RAMP, 12, elements={**WINDOW, **PERSONAL, **spoiled})
        cuts = [original, original[:-9000], *(original[:end] for end in range(140, 700, 7))]
        for content in cuts if number == 0 else cuts[:1]:
            path = tmp_path / 'a.dcm'
            path.write_bytes(content)
            texts.append(str(describe_image_problem(path, 64, 64)))
            for call in (read_image, read_dicom_tags,
                         lambda path: read_header(path.read_bytes(), ImageSettings(), 'a')):
                try:
                    texts.append(repr(call(path)))
                except ValueError as error:
                    while error is not None:  # a traceback prints its causes
                        texts.append(str(error))
                        error = error.__cause__ or (
                            None if error.__suppress_context__ else error.__context__)
    texts += [caplog.text, *capfd.readouterr(), *(str(entry.message) for entry in recwarn.list)]
    assert len(texts) > 200
    for name in NAMES:
        assert not any(name.lower() in text.lower() for text in texts), name


def test_threads_leave_filters_as_they_were(files):
    """Several read at a time, as the check does: compressed frames are decoded side by side."""
    from concurrent.futures import ThreadPoolExecutor
    content = files.dicom(RAMP, 12, elements=VOI_LUT)
    before = list(warnings.filters)
    with ThreadPoolExecutor(4) as pool:
        images = list(pool.map(read_image, [content] * 40))
    assert all(np.array_equal(image.pixels, images[0].pixels) for image in images)
    assert warnings.filters == before and not logging.getLogger('pydicom').disabled


def test_deflated_elements_are_not_inflated(files, tmp_path):
    """A small file could fill the memory; tags are read of other syntaxes than images are."""
    (tmp_path / 'a').write_bytes(files.dicom(RAMP, 12, syntax='1.2.840.10008.1.2.1.99'))
    with pytest.raises(ValueError, match='a: a DICOM of the transfer syntax deflated'):
        read_dicom_tags(tmp_path / 'a')


def test_signed_pixels_in_lossless_syntaxes(files):
    """JPEG-LS knows no sign, RLE no depth: the bits of the value are taken with their sign."""
    jpeg_ls = pytest.importorskip('jpeg_ls')
    pixels = RAMP - 2048
    expected = read_image(files.dicom(pixels, 12, signed=True, elements=LOW_WINDOW)).pixels
    high, low = ((pixels >> shift & 255).astype(np.uint8).ravel() for shift in (8, 0))
    segments = [b''.join(bytes([0, value]) for value in part.tolist()) for part in (high, low)]
    rle = struct.pack('<16I', 2, 64, 64 + len(segments[0]), *[0] * 13) + b''.join(segments)
    ls_frame = bytes(jpeg_ls.encode_array((pixels & 4095).astype(np.uint16)))
    for syntax, frame in (('1.2.840.10008.1.2.5', rle), ('1.2.840.10008.1.2.4.80', ls_frame)):
        content = files.dicom(pixels, 12, signed=True, elements=LOW_WINDOW, syntax=syntax,
                              data=files.encapsulate(frame), allocated=16)
        assert np.array_equal(read_image(content).pixels, expected), syntax
    assert expected.min() == 0 and expected.max() == 255


def test_filters_of_warnings_and_the_logger_stay_as_they_were(files):
    before = list(warnings.filters)
    read_image(files.dicom(RAMP, 12))
    assert warnings.filters == before and not logging.getLogger('pydicom').disabled


TAGS = {
    0x00080018: ('UI', '1.2.276.9.9.1'), 0x00100020: ('LO', 'PAT4711'), 0x00180015: ('CS', 'CHEST'),
    0x00185101: ('CS', 'AP'), 0x00181164: ('DS', '0.15\\0.2'), 0x00200060: ('CS', 'R')}


def test_tags_for_importers(files, tmp_path):
    path = tmp_path / 'IM0001'
    path.write_bytes(files.dicom(RAMP, 12, elements=TAGS))
    tags = read_dicom_tags(path, PatientNumbers())
    assert tags == DicomTags((.15, .2), 'detector', 'R', 'AP', 'CHEST', 1, 'PAT4711', '1.2.276.9.9.1')
    assert 'PAT4711' not in repr(tags) and '1.2.276' not in repr(tags)
    further = {**TAGS, 0x00280030: ('DS', '.1\\.1'), 0x00200062: ('CS', 'L')}
    path.write_bytes(files.dicom(RAMP, 12, elements=further))
    assert read_dicom_tags(path) == replace(tags, pixel_spacing=(.1, .1), spacing_at='patient',
                                            laterality='L', patient_number=None)


def test_a_file_that_says_nothing_has_empty_tags(files, tmp_path):
    path = tmp_path / 'a'
    elements = {0x00100020: ('LO', ' '), 0x00280030: ('DS', '0\\1')}
    path.write_bytes(files.dicom(RAMP, 12, elements=elements))
    assert read_dicom_tags(path, PatientNumbers()) == DicomTags()


def test_patients_are_numbered_as_they_come():
    numbers = PatientNumbers()
    assert [numbers.number(*each) for each in (('b', ), ('a', ), ('b', ), ('b', 'other'))
            ] == [1, 2, 1, 3]
    assert len(numbers) == 3 and repr(numbers) == 'PatientNumbers(3 patients)'


def test_tags_of_what_is_no_dicom(files, tmp_path):
    path = tmp_path / 'a.dcm'
    path.write_bytes(files.png(RAMP % 256))
    with pytest.raises(ValueError, match='a.dcm: is no DICOM file'):
        read_dicom_tags(path)
    assert not is_dicom_image(path) and not is_dicom_image(tmp_path)
    (tmp_path / 'DICOMDIR').write_bytes(files.dicom(RAMP, 12))
    (tmp_path / 'IM1').write_bytes(files.dicom(RAMP, 12))
    assert is_dicom_image(tmp_path / 'IM1') and not is_dicom_image(tmp_path / 'DICOMDIR')
