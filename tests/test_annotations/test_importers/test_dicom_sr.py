"""Structured reports: which mark is of which image, and of which class."""
import numpy as np
import pytest

from mmwindow.annotations.importers.formats import read_source, recognise_format
from mmwindow.annotations.importers.options import ImportOptions
from mmwindow.annotations.point_file import read_point_file
from mmwindow.apis.annotation_files import import_annotations

SQUARE = [10, 10, 30, 10, 30, 20, 10, 20, 10, 10]


@pytest.fixture
def read(dicom, dicom_folder, tmp_path):
    """Import a report and return the report of the import and its records."""
    def read(dataset, **options):
        path = dicom.save(dataset, tmp_path / 'report.dcm')
        result = import_annotations(path, tmp_path / 'out', dicom_folder, ImportOptions(**options))
        return result, read_point_file(result.path, readers='all').records
    return read


@pytest.mark.parametrize('kind, numbers, points', [
    ('POINT', [10.25, 20.5], [(10.25, 20.5)]),
    ('MULTIPOINT', [1, 2, 3, 4.5], [(1, 2), (3, 4.5)]),
    ('POLYLINE', SQUARE, [(20, 15)]),
    ('POLYLINE', SQUARE[:8], [(20, 15)]),  # a region that does not return to its start
    ('CIRCLE', [40, 30, 43, 34], [(40, 30)]),
    ('ELLIPSE', [20, 30, 40, 30, 30, 25, 30, 35], [(30, 30)])])
def test_regions_become_points(kind, numbers, points, dicom, read):
    result, (record, ) = read(dicom.report(measurements=[
        dicom.group(dicom.finding(), dicom.scoord(kind, numbers))]))
    assert record.file_name == 'IM0' and np.allclose(record.points, points, atol=.01)
    assert result.classes == {'fracture': len(points)} and result.format == 'DICOM SR'


def test_a_circle_and_an_ellipse_have_their_extent(dicom, read):
    # The radius from (40, 30) to (43, 34) is 5; half axes are 10 and 5.
    for kind, numbers, box in (('CIRCLE', [40, 30, 43, 34], (35, 25, 45, 35)),
                               ('ELLIPSE', [20, 30, 40, 30, 30, 25, 30, 35], (20, 25, 40, 35)),
                               ('ELLIPSE', [30, 20, 30, 40, 25, 30, 35, 30], (25, 20, 35, 40))):
        record, = read(dicom.report(measurements=[
            dicom.group(dicom.finding(), dicom.scoord(kind, numbers))]))[1]
        assert record.boxes[0] == pytest.approx(box, abs=.05)


def test_coordinates_under_a_measurement_and_under_a_code(dicom, read):
    area = dicom.item('NUM', ('42798000', 'SCT', 'Area'), [dicom.scoord('POLYLINE', SQUARE)])
    other = dicom.item('NUM', ('131184002', 'SCT', 'Perimeter'), [dicom.scoord('POLYLINE', SQUARE)])
    cad = dicom.item('CODE', ('111059', 'DCM', 'Single Image Finding'), [
        dicom.scoord('POINT', [50, 60], concept=('111010', 'DCM', 'Center')),
        dicom.scoord('POLYLINE', [40, 50, 60, 50, 60, 70, 40, 70, 40, 50],
                     concept=('111041', 'DCM', 'Outline'))],
        ConceptCodeSequence=dicom.code('4147007', 'SCT', 'Mass'))
    result, (record, ) = read(dicom.report(measurements=[
        dicom.group(dicom.finding(), area, other), dicom.item('CONTAINER', children=[cad])]))
    assert record.points == [(20, 15), (50, 60)] and record.labels == [0, 1]
    assert result.classes == {'fracture': 1, 'Mass': 1}
    assert result.counts['marks that are there twice (the same place and class)'] == 1
    assert result.counts['centres of findings that have an outline'] == 1


def test_one_code_is_one_class_and_several_codes_are_several_findings(dicom, read):
    result, (record, ) = read(dicom.report(measurements=[
        dicom.group(dicom.finding('Fraktur: Röntgen'), dicom.scoord('POINT', [1, 2])),
        dicom.group(dicom.finding('fracture'), dicom.scoord('POINT', [3, 4])),
        dicom.group(dicom.finding('cyst', '12494005'), dicom.finding('mass', '4147007'),
                    dicom.scoord('POINT', [5, 6])),
        dicom.group(dicom.scoord('POINT', [7, 8]))]), label='thing')
    assert result.classes == {'Fraktur: Röntgen': 2, 'cyst': 1, 'mass': 1, 'thing': 1}
    assert record.points == [(1, 2), (3, 4), (5, 6), (5, 6), (7, 8)]
    assert result.counts["marks without a finding code (their class is 'thing')"] == 1


def test_a_report_that_marks_nothing_in_an_image_makes_it_a_negative(dicom, read, dicom_folder):
    result, records = read(dicom.report(dicom.library('IM0', 'IM2', 'gone'), measurements=[
        dicom.group(dicom.finding(), dicom.scoord('POINT', [1, 2]))]))
    assert [(record.file_name, record.points) for record in records] == [
        ('IM0', [(1, 2)]), ('IM2', [])]
    assert result.counts['images without a mark and not in --images'] == 1


@pytest.mark.parametrize('tag', ['CurrentRequestedProcedureEvidenceSequence',
                                 'PertinentOtherEvidenceSequence'])
def test_an_empty_report_is_of_the_images_of_its_evidence(tag, dicom, read):
    from pydicom.dataset import Dataset
    study, series = Dataset(), Dataset()
    series.ReferencedSOPSequence, study.ReferencedSeriesSequence = dicom.reference('IM2'), [series]
    result, (record, ) = read(dicom.report(
        dicom.item('TEXT', ('1', '99X', 'Note'), TextValue='no finding'), **{tag: [study]}))
    assert record.file_name == 'IM2' and not record.points
    # Of a report that names images itself, the evidence says nothing more.
    _, records = read(dicom.report(dicom.library('IM0'), **{tag: [study]}))
    assert [record.file_name for record in records] == ['IM0']


@pytest.mark.parametrize('what', ['a measured length', 'a finding without coordinates'])
def test_an_image_with_what_cannot_be_read_is_no_negative(what, dicom, read):
    line = dicom.item('NUM', ('410668003', 'SCT', 'Length'), [
        dicom.scoord('POLYLINE', [1, 1, 9, 9], 'IM2', concept=('121112', 'DCM', 'Source'))])
    parts = [dicom.finding(), line] if 'length' in what else [dicom.finding(),
                                                              dicom.image_item('IM2')]
    result, records = read(dicom.report(dicom.library('IM0', 'IM2'), measurements=[
        dicom.group(*parts)]))
    assert [record.file_name for record in records] == ['IM0']
    assert result.counts.total() == 3  # what it was, the image left out, the one not mentioned


def test_a_finding_of_the_complete_report_leaves_no_negative(dicom, dicom_folder, tmp_path):
    path = dicom.save(dicom.report(dicom.library('IM0'), measurements=[
        dicom.item('CONTAINER', children=[dicom.finding()])]), tmp_path / 'a.dcm')
    with pytest.raises(ValueError, match='names no image that can be taken: .*without coordinates'):
        import_annotations(path, tmp_path / 'out', dicom_folder)
    assert not (tmp_path / 'out').exists()


def test_images_by_reference(dicom, read):
    mark = dicom.item('SCOORD', ('111030', 'DCM', 'Image Region'), GraphicType='POINT',
                      GraphicData=[3, 4])
    pointer = dicom.item('')
    del pointer.ValueType
    pointer.ReferencedContentItemIdentifier = [1, 1, 1, 2]  # the library's second image
    mark.ContentSequence = [pointer]
    groups = [dicom.group(dicom.finding(), mark)]
    _, records = read(dicom.report(dicom.library('IM2', 'IM0'), measurements=groups))
    assert {record.file_name: record.points for record in records} == {'IM2': [], 'IM0': [(3, 4)]}
    pointer.ReferencedContentItemIdentifier = [1, 7]
    with pytest.raises(ValueError, match=r'item 1\.2\.1\.2\.1: refers to a content item'):
        read(dicom.report(dicom.library('IM2', 'IM0'), measurements=groups))


def test_several_observers_are_readers_and_numbered(dicom, dicom_folder, tmp_path):
    for number, (name, x) in enumerate((('Arzt^A', 1), ('Arzt^B', 5), ('Arzt^A', 1))):
        dicom.save(dicom.report(dicom.library('IM0', 'IM2'), observer=name, measurements=[
            dicom.group(dicom.finding(), dicom.scoord('POINT', [x, 2]))], uid=f'1.2.{number}'),
            tmp_path / 'reports' / f'{number}')
    for keep_ids, names in ((False, ('reader 1', 'reader 2')), (True, ('Arzt^A', 'Arzt^B'))):
        result = import_annotations(tmp_path / 'reports', tmp_path / 'out', dicom_folder,
                                    ImportOptions(keep_ids=keep_ids))
        first, second = read_point_file(result.path, readers='all').records
        assert first.readers == second.readers == names
        assert first.point_readers == list(names) and first.points == [(1, 2), (5, 2)]
        assert ('Arzt' in result.path.read_text()) == keep_ids


def test_a_folder_of_images_and_reports_is_read(dicom, dicom_folder, tmp_path):
    for name in ('IM0', 'IM2'):
        (tmp_path / 'study' / name).parent.mkdir(exist_ok=True)
        (tmp_path / 'study' / name).write_bytes((dicom_folder / name).read_bytes())
    dicom.save(dicom.report(dicom.library('IM2'), measurements=[
        dicom.group(dicom.finding(), dicom.scoord('POINT', [1, 2]))]), tmp_path / 'study' / 'SR.dcm')
    assert recognise_format(tmp_path / 'study') == 'sr'
    result = import_annotations(tmp_path / 'study', tmp_path / 'out')
    assert (result.num_images, result.num_points) == (2, 1)
    dicom.save(dicom.state(dicom.annotation(dicom.graphic('POINT', [1, 2]))),
               tmp_path / 'study' / 'PR1')
    with pytest.raises(ValueError, match='may be sr or gsps; --format says which'):
        import_annotations(tmp_path / 'study', tmp_path / 'out')


SPOILED = {
    'SCOORD3D': (lambda d: d.group(d.item('SCOORD3D', GraphicType='POINT', GraphicData=[1, 2, 3])),
                 r'item 1\.2\.1\.1: coordinates in mm of the patient'),
    'no image': (lambda d: d.group(d.item('SCOORD', GraphicType='POINT', GraphicData=[1, 2])),
                 r'1\.2\.1\.1: its coordinates are of no image'),
    'an unknown image': (lambda d: d.group(d.scoord('POINT', [1, 2], 'gone')),
                         r'1\.2\.1\.1: its image .* is not among the 3 DICOM images'),
    'another frame': (lambda d: d.group(d.scoord('POINT', [1, 2], frame=3)),
                      r'1\.2\.1\.1\.1: marks frame 3 of an image of several frames'),
    'several frames': (lambda d: d.group(d.scoord('POINT', [1, 2], frame=[1, 2])), 'marks frame 2'),
    'a tiled image': (lambda d: d.group(d.scoord('POINT', [1, 2],
                                                 PixelOriginInterpretation='VOLUME')), 'VOLUME'),
    'an odd number': (lambda d: d.group(d.scoord('POINT', [1, 2, 3])), 'hold 3 numbers'),
    'not finite': (lambda d: d.group(d.scoord('POINT', [1, float('nan')])), 'not finite'),
    'outside': (lambda d: d.group(d.scoord('POINT', [1, 200])), r'1\.2\.1\.1 reaches \(1, 200\)'),
    'a kind unknown': (lambda d: d.group(d.scoord('SPIRAL', [1, 2])), "GraphicType is 'SPIRAL'"),
    'a circle of one': (lambda d: d.group(d.scoord('CIRCLE', [1, 2])), 'CIRCLE has 1 point;'),
    'an ellipse of two': (lambda d: d.group(d.scoord('ELLIPSE', [1, 2, 3, 4])), 'four|4 are'),
    'no UID': (lambda d: d.group(d.item('IMAGE', ReferencedSOPSequence=[d.item('')])),
               'without ReferencedSOPInstanceUID')}


@pytest.mark.parametrize('name', SPOILED)
def test_what_cannot_be_read_is_said_in_one_line(name, dicom, dicom_folder, tmp_path):
    make, words = SPOILED[name]
    path = dicom.save(dicom.report(dicom.library('IM0'), measurements=[make(dicom)]),
                      tmp_path / 'a.dcm')
    with pytest.raises(ValueError, match=words) as error:
        import_annotations(path, tmp_path / 'out', dicom_folder)
    assert len(str(error.value).splitlines()) == 1 and 'a.dcm' in str(error.value)
    assert dicom.uid_of('gone') not in str(error.value) and not (tmp_path / 'out').exists()


def test_files_that_are_no_report(dicom, dicom_folder, tmp_path):
    for content, words in ((dicom.bytes(dicom.report(uid='1.2')), 'has no content'),
                           (b'text', 'no DICOM file'),
                           ((dicom_folder / 'IM0').read_bytes(), 'a DICOM image, which --images')):
        (tmp_path / 'a').write_bytes(content)
        with pytest.raises(ValueError, match=f'a: .*{words}'):
            import_annotations(tmp_path / 'a', tmp_path / 'out', dicom_folder, format_name='sr')


def test_a_report_cut_short_loses_no_finding_silently(dicom, dicom_folder, tmp_path):
    content = dicom.bytes(dicom.report(dicom.library('IM0'), measurements=[
        dicom.group(dicom.finding(), dicom.scoord('POINT', [x, 2])) for x in (1, 5, 9)]))
    path = tmp_path / 'a'
    num_read = 0
    for end in [*range(0, len(content), 23), len(content)]:
        path.write_bytes(content[:end])
        try:
            source = read_source(path, format_name='sr')
        except ValueError as error:
            assert len(str(error).splitlines()) == 1 and str(error).startswith(str(path))
        else:
            assert [len(image.findings) for image in source.images] == [3]
            num_read += 1
    assert num_read == 1


@pytest.mark.parametrize('kind', ['sr', 'gsps'])
def test_bytes_changed_at_random_are_read_or_named_in_one_line(kind, dicom, tmp_path):
    """As tools/fuzz.py does it for the other formats; seeded."""
    mark = [1, 2, 9, 2, 9, 8, 1, 8, 1, 2]
    content = dicom.bytes(dicom.report(dicom.library('IM0', 'IM2'), observer='Arzt^A', measurements=[
        dicom.group(dicom.finding(), dicom.scoord('POLYLINE', mark))]) if kind == 'sr' else
        dicom.state(dicom.annotation(dicom.graphic('POLYLINE', mark), texts=['Arzt^A'])))
    generator = np.random.default_rng(7)
    outcomes = set()
    for _ in range(250):
        changed = bytearray(content)
        for place in generator.integers(132, len(content), generator.integers(1, 4)):
            changed[place] = generator.choice([0, 255, generator.integers(256)])
        (tmp_path / 'a').write_bytes(changed)
        try:
            source = read_source(tmp_path / 'a', format_name=kind)
            outcomes.add(sum(len(image.findings) for image in source.images))
        except ValueError as error:
            text = str(error)
            assert len(text.splitlines()) == 1 and text.startswith(str(tmp_path / 'a'))
            assert 'Arzt' not in text
            outcomes.add('rejected')
    assert {1, 'rejected'} <= outcomes


def test_a_report_whose_content_has_another_tag_is_damaged(dicom, tmp_path):
    """Not one that found nothing."""
    content = dicom.bytes(dicom.report(dicom.library('IM0'), measurements=[
        dicom.group(dicom.finding(), dicom.scoord('POINT', [1, 2]))]))
    place = content.rindex(b'Imaging Measurements') + 20
    assert content[place:place + 4] == b'@\x000\xa7'  # (0040,a730)
    (tmp_path / 'a').write_bytes(content[:place + 2] + b'\x3f' + content[place + 3:])
    with pytest.raises(ValueError, match='0040,a73f. is no element of the standard'):
        read_source(tmp_path / 'a', format_name='sr')


def test_a_sequence_whose_items_are_none_is_damaged(dicom, tmp_path):
    content = dicom.bytes(dicom.report(dicom.library('IM0'), measurements=[
        dicom.group(dicom.finding(), dicom.scoord('POINT', [1, 2]))]))
    start = content.rindex(b'Imaging Measurements') + 20 + 12
    assert content[start:start + 4] == b'\xfe\xff\x00\xe0'
    for place, byte in ((start + 3, b'\xe1'), (start + 4, b'\x04')):  # the tag, the length
        (tmp_path / 'a').write_bytes(content[:place] + byte + content[place + 1:])
        with pytest.raises(ValueError, match='damaged or cut short .*items of a sequence'):
            read_source(tmp_path / 'a', format_name='sr')


def test_a_report_as_an_image_is_named(dicom, tmp_path):
    dicom.save(dicom.image('IM0'), tmp_path / 'images' / 'IM0')
    dicom.save(dicom.report(dicom.library('IM0')), tmp_path / 'images' / 'SR.dcm')
    (tmp_path / 'a.csv').write_text('image,x,y\nSR.dcm,1,2\n')
    with pytest.raises(ValueError, match="line 2: 'SR.dcm' is a DICOM report"):
        import_annotations(tmp_path / 'a.csv', tmp_path / 'out')


def test_images_of_several_frames_or_in_colour_are_rejected_with_the_report(dicom, tmp_path):
    path = dicom.save(dicom.report(measurements=[
        dicom.group(dicom.finding(), dicom.scoord('POINT', [1, 2]))]), tmp_path / 'a.dcm')
    for elements, words in (
            (dict(NumberOfFrames=2, PixelData=bytes(2 * 2 * 8000)), 'of 2 frames; .*a.dcm: content'),
            (dict(SamplesPerPixel=3, PhotometricInterpretation='RGB'), '3 samples .*a.dcm: content')):
        dicom.save(dicom.image('IM0', **elements), tmp_path / 'images' / 'IM0')
        with pytest.raises(ValueError, match=words):
            import_annotations(path, tmp_path / 'out', tmp_path / 'images')
    dicom.save(dicom.image('IM0', NumberOfFrames=1), tmp_path / 'images' / 'IM0')
    dicom.save(dicom.image('IM0'), tmp_path / 'images' / 'copy')
    with pytest.raises(ValueError, match="its image is in 2 files, 'IM0', 'copy'"):
        import_annotations(path, tmp_path / 'out', tmp_path / 'images')
    (tmp_path / 'images' / 'copy').unlink()
    assert import_annotations(path, tmp_path / 'out', tmp_path / 'images').num_points == 1


def test_content_of_any_depth_is_read_or_rejected(dicom, dicom_folder, tmp_path):
    content = dicom.library('IM0')
    for _ in range(60):
        content = dicom.item('CONTAINER', children=[content])
    path = dicom.save(dicom.report(content), tmp_path / 'a.dcm')
    with pytest.raises(ValueError, match='more than 40 levels deep'):
        import_annotations(path, tmp_path / 'out', dicom_folder)


def test_highdicom_reports_come_back_to_a_hundredth_of_a_pixel(dicom, dicom_folder, tmp_path):
    hd = pytest.importorskip('highdicom', reason='highdicom is not installed (mmwindow[reports])')
    from pydicom import dcmread
    from pydicom.sr.codedict import codes
    images = {name: dcmread(dicom_folder / name) for name in dicom.SIZES}
    groups = []
    for name, points in dicom.POINTS.items():
        source = hd.sr.SourceImageForRegion.from_source_image(images[name]) if points else None
        shapes = [('POINT', np.array([point])) for point in points]
        for number, (kind, numbers) in enumerate(shapes):
            groups.append(hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(
                tracking_identifier=hd.sr.TrackingIdentifier(hd.UID(), f'{name} {number}'),
                referenced_region=hd.sr.ImageRegion(kind, numbers, source),
                finding_type=hd.sr.CodedConcept('72704001', 'SCT', 'Fracture')))
    observer = hd.sr.ObserverContext(
        codes.DCM.Person, hd.sr.PersonObserverIdentifyingAttributes('Arzt^A'))
    content = hd.sr.MeasurementReport(
        hd.sr.ObservationContext(observer_person_context=observer), codes.LN.CTUnspecifiedBodyRegion,
        groups, referenced_images=list(images.values()))
    written = hd.sr.ComprehensiveSR(
        list(images.values()), content, hd.UID(), 1, hd.UID(), 1, manufacturer='x')
    written.save_as(tmp_path / 'sr.dcm')
    result = import_annotations(tmp_path / 'sr.dcm', tmp_path / 'out', dicom_folder)
    for record in read_point_file(result.path).records:
        expected = np.reshape(dicom.POINTS[record.file_name], (-1, 2))
        np.testing.assert_allclose(np.reshape(record.points, (-1, 2)), expected, atol=.01)
    assert result.classes == {'Fracture': 3} and result.num_groups == 2
    assert not result.counts


def test_what_mutated_reports_have_shown(dicom, read, tmp_path, dicom_folder):
    """Elements of unknown kinds are damage; a file without images is named; no raw byte is shown."""
    content = dicom.bytes(dicom.report(dicom.library('IM0'), measurements=[
        dicom.group(dicom.finding(), dicom.scoord('POINT', [1, 2]))]))
    path = tmp_path / 'damaged.dcm'
    place = content.rindex(b'\x40\0\x40\xa0CS')  # the value type of the last item
    path.write_bytes(content[:place + 4] + b'GS' + content[place + 6:])
    with pytest.raises(ValueError, match=r'damaged.dcm.*\(0040,a040\) is of a kind that DICOM'):
        read_source(path, ImportOptions(), 'sr')
    with pytest.raises(ValueError, match='report.dcm: it names no image that can be taken: 1 image'):
        read(dicom.report(dicom.library('gone')))
    marked = dicom.bytes(dicom.report(measurements=[dicom.group(
        dicom.finding(), dicom.scoord('POINT', [1, 2], 'gone'))]))
    uid = dicom.uid_of('gone').encode()
    path.write_bytes(marked.replace(uid, uid[:-6] + b'\x80' * 6))
    with pytest.raises(ValueError) as error:
        import_annotations(path, tmp_path / 'out', dicom_folder)
    assert str(error.value).isprintable() and 'damaged.dcm' in str(error.value)
