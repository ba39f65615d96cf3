"""Presentation states: units, what is turned, and what is no mark."""
import numpy as np
import pytest

from mmwindow.annotations.importers.assemble import AssemblySettings
from mmwindow.annotations.importers.formats import read_source, recognise_format
from mmwindow.annotations.importers.options import ImportOptions
from mmwindow.annotations.point_file import read_point_file
from mmwindow.apis.annotation_files import import_annotations

SQUARE = [10, 10, 30, 10, 30, 20, 10, 20, 10, 10]


@pytest.fixture
def read(dicom, dicom_folder, tmp_path):
    """Import a presentation state and return the report of the import and its records."""
    def read(dataset, settings=None, **options):
        path = dicom.save(dataset, tmp_path / 'state.dcm')
        result = import_annotations(path, tmp_path / 'out', dicom_folder, ImportOptions(**options),
                                    settings)
        return result, read_point_file(result.path, readers='all').records
    return read


@pytest.mark.parametrize('kind, numbers, filled, points', [
    ('POINT', [10.25, 20.5], 'N', [(10.25, 20.5)]),
    ('POINT', [0, 30], 'N', [(0, 30)]),  # the edge of the first pixel, not its middle
    ('POINT', [100, 80], 'N', [(100, 80)]),
    ('POLYLINE', SQUARE, 'N', [(20, 15)]),
    ('INTERPOLATED', SQUARE, 'N', [(20, 15)]),
    ('POLYLINE', SQUARE[:8], 'Y', [(20, 15)]),  # filled, so it encloses an area
    ('CIRCLE', [40, 30, 43, 34], 'N', [(40, 30)]),
    ('ELLIPSE', [20, 30, 40, 30, 30, 25, 30, 35], 'N', [(30, 30)])])
def test_pixels_count_from_the_outer_corner_whatever_is_shown(kind, numbers, filled, points, dicom,
                                                              read):
    for rotation, flip in ((0, 'N'), (90, 'Y')):
        result, (record, ) = read(dicom.state(dicom.annotation(
            dicom.graphic(kind, numbers, filled=filled)), area=(11, 21, 60, 50), rotation=rotation,
            flip=flip))
        assert record.file_name == 'IM0' and np.allclose(record.points, points, atol=.01)
        assert result.classes == {'finding': 1} and result.format == 'DICOM presentation states'


@pytest.mark.parametrize('rotation', [0, 90, 180, 270])
@pytest.mark.parametrize('flip', ['N', 'Y'])
def test_fractions_of_what_is_shown_are_turned_back(rotation, flip, dicom, read):
    """Against numpy: where the pixel of row 30 and column 25 is seen in the turned, cut image."""
    image = np.zeros((80, 100))
    image[30, 25] = 1
    left, top, right, bottom = 11, 21, 60, 50  # corner pixels, counted from 1, both shown
    shown = np.rot90(image[top - 1:bottom, left - 1:right], -rotation // 90)
    shown = np.fliplr(shown) if flip == 'Y' else shown
    (row, ), (column, ) = np.nonzero(shown)
    fractions = [(column + .5) / shown.shape[1], (row + .5) / shown.shape[0]]
    # The corners are those of what is shown, in the columns and rows of the file.
    rows, columns = np.mgrid[top:bottom + 1, left:right + 1]
    turned = [np.rot90(part, -rotation // 90) for part in (columns, rows)]
    turned = [np.fliplr(part) if flip == 'Y' else part for part in turned]
    area = [int(part[place]) for place in ((0, 0), (-1, -1)) for part in turned]
    _, (record, ) = read(dicom.state(dicom.annotation(
        dicom.graphic('POINT', fractions, units='DISPLAY')), area=area, rotation=rotation, flip=flip))
    assert record.points[0] == pytest.approx((25.5, 30.5), abs=.01)


def test_the_displayed_area_counts_pixels_from_1(dicom, read):
    _, (record, ) = read(dicom.state(dicom.annotation(
        dicom.graphic('POINT', [0, 0], 'DISPLAY'), dicom.graphic('POINT', [1, 1], 'DISPLAY'))))
    assert record.points == [(0, 0), (100, 80)]  # of 1\1 to 100\80, the complete image


def test_what_is_marked_in_several_images_and_what_in_some(dicom, read):
    names = ('IM0', 'sub/IM1', 'IM2')
    _, records = read(dicom.state(
        dicom.annotation(dicom.graphic('POINT', [1, 2])),
        dicom.annotation(dicom.graphic('POINT', [3, 4]), names=names[1:2]), names=names))
    assert {record.file_name: record.points for record in records} == {
        'IM0': [(1, 2)], 'sub/IM1': [(1, 2), (3, 4)], 'IM2': [(1, 2)]}


def test_a_state_without_a_mark_is_no_reading(dicom, read, tmp_path, dicom_folder):
    dicom.save(dicom.state(names=('IM2', )), tmp_path / 'states' / 'a')
    dicom.save(dicom.state(dicom.annotation(dicom.graphic('POINT', [1, 2]))),
               tmp_path / 'states' / 'b')
    assert recognise_format(tmp_path / 'states') == 'gsps'
    result = import_annotations(tmp_path / 'states', tmp_path / 'out', dicom_folder)
    assert result.num_images == 1 and sum('without a mark' in what for what in result.counts) == 1
    result = import_annotations(tmp_path / 'states', tmp_path / 'out', dicom_folder,
                                settings=AssemblySettings(unlisted='negative'))
    assert (result.num_images, result.num_positives) == (3, 1)


def test_texts_and_lines_alone_make_no_negative_image(dicom, read):
    other = dicom.graphic('POINT', [1, 2])
    for left_out in (dicom.annotation(names=['IM2'], texts=['a fracture']),
                     dicom.annotation(dicom.graphic('POLYLINE', [1, 1, 9, 9]), names=['IM2'])):
        result, records = read(
            dicom.state(dicom.annotation(other, names=['IM0']), left_out, names=('IM0', 'IM2')),
            AssemblySettings(unlisted='negative'))
        assert [record.file_name for record in records] == ['IM0', 'sub/IM1']
        assert any(what.startswith('images left out') for what in result.counts)


def test_texts_and_layers_are_classes_only_where_it_is_asked_for(dicom, read):
    marked = [dicom.annotation(dicom.graphic('POINT', [1, 2]), texts=['Herr Müller'], layer='L1')]
    for attribute, name in ((None, 'finding'), ('text', 'Herr Müller'), ('layer', 'L1')):
        result, _ = read(dicom.state(*marked), label_attribute=attribute)
        assert list(result.classes) == [name]
    with pytest.raises(ValueError, match='annotation 1, graphic 1: its annotation has 2 texts'):
        read(dicom.state(dicom.annotation(dicom.graphic('POINT', [1, 2]), texts=['a', 'b'])),
             label_attribute='text')
    with pytest.raises(ValueError, match='--label-attribute is colour; .* text or layer'):
        read(dicom.state(*marked), label_attribute='colour')


SPOILED = {
    'tiled': (lambda d: d.state(d.annotation(d.graphic('POINT', [1, 2], 'MATRIX'))),
              "annotation 1, graphic 1: its units are 'MATRIX'"),
    'no area': (lambda d: d.state(d.annotation(d.graphic('POINT', [1, 2])),
                                  DisplayedAreaSelectionSequence=[]), 'cut short'),
    'a corner of one number': (lambda d: d.state(
        d.annotation(d.graphic('POINT', [0, 0], 'DISPLAY')), area=(1, 1, 5)), 'two pairs'),
    'turned by 45 degrees': (lambda d: d.state(d.annotation(d.graphic('POINT', [1, 2])), rotation=45),
                             'ImageRotation is 45'),
    'no image': (lambda d: d.state(d.annotation(d.graphic('POINT', [1, 2])), names=()), 'no image'),
    'an unknown image': (lambda d: d.state(d.annotation(d.graphic('POINT', [1, 2])), names=['gone']),
                         'annotation 1, graphic 1: its image .* is not among'),
    'not finite': (lambda d: d.state(d.annotation(d.graphic('POINT', [1, float('inf')]))),
                   'not finite'),
    'outside': (lambda d: d.state(d.annotation(d.graphic('POINT', [1, 90]))), 'outside its image'),
    'nothing': (lambda d: d.state(), 'no image is annotated in it')}


@pytest.mark.parametrize('name', SPOILED)
def test_what_cannot_be_read_is_said_in_one_line(name, dicom, dicom_folder, tmp_path):
    make, words = SPOILED[name]
    path = dicom.save(make(dicom), tmp_path / 'a.dcm')
    with pytest.raises(ValueError, match=words) as error:
        import_annotations(path, tmp_path / 'out', dicom_folder)
    assert len(str(error.value).splitlines()) == 1 and 'a.dcm' in str(error.value)
    assert not (tmp_path / 'out').exists()


def test_a_state_cut_short_loses_no_mark_silently(dicom, tmp_path):
    content = dicom.bytes(dicom.state(*[
        dicom.annotation(dicom.graphic('POINT', [x, 2])) for x in (1, 5, 9)]))
    path = tmp_path / 'a'
    for end in [*range(0, len(content), 23), len(content)]:
        path.write_bytes(content[:end])
        try:
            source = read_source(path, format_name='gsps')
        except ValueError as error:
            assert len(str(error).splitlines()) == 1 and str(error).startswith(str(path))
        else:
            assert [len(image.findings) for image in source.images] == [3]
            assert end > len(content) - 23


def test_highdicom_states_come_back_to_a_hundredth_of_a_pixel(dicom, dicom_folder, tmp_path):
    hd = pytest.importorskip('highdicom', reason='highdicom is not installed (mmwindow[reports])')
    from pydicom import dcmread
    layer = hd.pr.GraphicLayer('LAYER1', order=1)
    for name, points in dicom.POINTS.items():
        height, width = dicom.SIZES[name]
        image = dcmread(dicom_folder / name)
        graphics = [hd.pr.GraphicObject('POINT', np.array([point]), 'PIXEL') for point in points[:1]]
        graphics += [hd.pr.GraphicObject('POINT', np.array([point]) / (width, height), 'DISPLAY')
                     for point in points[1:]]
        annotations = [hd.pr.GraphicAnnotation([image], layer, graphic_objects=graphics)
                       ] if graphics else None
        written = hd.pr.GrayscaleSoftcopyPresentationState(
            [image], hd.UID(), 1, hd.UID(), 1, 'x', 'x', '1', '1', 'MARKS',
            graphic_annotations=annotations,
            graphic_layers=[layer] if graphics else None)
        dicom.save(written, tmp_path / 'states' / name.replace('/', '_'))
    result = import_annotations(tmp_path / 'states', tmp_path / 'out', dicom_folder,
                                settings=AssemblySettings(unlisted='negative'))
    records = read_point_file(result.path).records
    assert len(records) == 3
    for record in records:
        expected = np.reshape(dicom.POINTS[record.file_name], (-1, 2))
        np.testing.assert_allclose(np.reshape(record.points, (-1, 2)), expected, atol=.01)
