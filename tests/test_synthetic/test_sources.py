"""Synthetic radiographs as other people's data: imported again, they are what was drawn."""
import csv
import json

import cv2
import numpy as np
import pytest

from mmwindow.annotations.importers.assemble import AssemblySettings
from mmwindow.annotations.point_file import read_point_file
from mmwindow.apis.annotation_files import import_annotations
from mmwindow.apis.annotation_pictures import write_pictures
from mmwindow.apis.doctor.check_data import check_data
from mmwindow.cli import main
from mmwindow.images.decode import read_image
from mmwindow.synthetic import sources
from mmwindow.synthetic.__main__ import main as write_synthetic
from mmwindow.synthetic.clicks import write_clicks


def test_readings_of_three_readers(tmp_path):
    table = sources.write_readings(tmp_path / 'a', 20, seed=3, side=64, workers=1)
    with table.open(newline='') as stream:
        rows = list(csv.DictReader(stream))
    of_reader = {reader: {row['image'] for row in rows if row['reader'] == reader}
                 for reader in ('Ada', 'Ben', 'Cleo')}
    assert len(of_reader['Ada']) == len(of_reader['Ben']) == 20 > len(of_reader['Cleo']) > 5
    assert any(not row['x'] for row in rows)  # read, nothing found
    report = import_annotations(table, tmp_path / 'mine')
    assert report.readers == ('Ada', 'Ben', 'Cleo') and '3 readers: Ada, Ben, Cleo' in report.lines()
    problems = {problem.kind: problem for problem in check_data(tmp_path / 'mine').problems}
    assert 'Ada' in problems['several readers'].what
    again = sources.write_readings(tmp_path / 'b', 20, seed=3, side=64, workers=1)
    assert again.read_bytes() == table.read_bytes()


def test_a_model_of_the_clicks_has_not_seen_the_images_of_the_readings(tmp_path):
    """Of one seed, as in the tutorials."""
    write_clicks(tmp_path / 'clicks', 12, side=64, workers=1, progress=False)
    sources.write_readings(tmp_path / 'readings', 12, side=64, workers=1)
    pixels = [{read_image(path).pixels.tobytes() for path in (tmp_path / name / 'images').iterdir()}
              for name in ('clicks', 'readings')]
    assert [len(each) for each in pixels] == [12, 12] and not pixels[0] & pixels[1]


def test_points_made_on_pictures_lie_on_the_dicom_files(tmp_path):
    pytest.importorskip('pydicom')
    source = sources.write_label_studio(tmp_path / 'a', 8, side=64, workers=1)
    dicom = tmp_path / 'a/dicom'
    report = import_annotations(source, tmp_path / 'mine', dicom)
    assert (report.num_images, report.num_positives) == (6, 3)
    assert report.counts['cancelled annotations'] == 1
    points = read_point_file(report.path)
    assert points.records[0].file_name == 'IM0001.dcm' and points.records[0].group == '1'
    assert write_pictures(dicom, tmp_path / 'pictures') == 8
    for name in ('IM0001', 'IM0002'):  # MONOCHROME2 and 1
        picture = read_image(tmp_path / f'pictures/{name}.png').to_8_bit()
        assert (picture == read_image(dicom / f'{name}.dcm').to_8_bit()).all()
        assert b'hospital-0' not in (tmp_path / f'pictures/{name}.png').read_bytes()
    with pytest.raises(ValueError, match='files already'):
        write_pictures(dicom, tmp_path / 'pictures')


def test_pictures_of_16_bits_need_a_depth_and_an_error_leaves_nothing(tmp_path, capsys):
    (tmp_path / 'in').mkdir()
    pixels = np.full((9, 9), 100, np.uint8)
    cv2.imwrite(str(tmp_path / 'in' / 'a.png'), pixels)
    deep = np.array([[0, 2048, 4095]], np.uint16)
    cv2.imwrite(str(tmp_path / 'in' / 'b.png'), deep)
    command = ['annotations', 'pictures', str(tmp_path / 'in'), '--out', str(tmp_path / 'new/out')]
    for _ in range(2):  # the second is not told of files of the first
        with pytest.raises(SystemExit):
            main(command)
        told = capsys.readouterr().err.splitlines()[-1]
        assert 'b.png: 16-bit pixels reach 4095' in told and 'such as --bit-depth 12' in told
        assert '--cfg-options' not in told and 'files already' not in told
        assert not (tmp_path / 'new' / 'out').exists()
    main([*command, '--bit-depth', '12'])
    assert sorted(path.name for path in (tmp_path / 'new').rglob('*')) == ['a.png', 'b.png', 'out']
    picture = cv2.imread(str(tmp_path / 'new' / 'out' / 'b.png'), cv2.IMREAD_UNCHANGED)
    assert picture.tolist() == [[0, 128, 255]]
    with pytest.raises(SystemExit):
        main([*command[:-1], str(tmp_path / 'again'), '--max-pixels', '80'])
    assert '81 pixels, more than the limit of 80' in (told := capsys.readouterr().err)
    assert 'such as --max-pixels 81' in told


def test_pixels_of_a_picture_without_a_size_are_not_taken_for_those_of_a_dicom_file(tmp_path):
    """A table says no size: a picture of half the size would put its points elsewhere."""
    pytest.importorskip('pydicom')
    sources.write_label_studio(tmp_path / 'a', 4, side=64, workers=1)
    (tmp_path / 'clicks.csv').write_text('image,x,y\nIM0001.png,3,4\nIM0002.dcm,,\n')
    with pytest.raises(ValueError, match='IM0001.png.*not among'):
        import_annotations(tmp_path / 'clicks.csv', tmp_path / 'mine', tmp_path / 'a/dicom')


def test_fracatlas_has_its_authors_folders_copies_and_cut_images(tmp_path):
    path = sources.write_fracatlas(tmp_path / 'FracAtlas', 24, side=64, workers=1)
    assert path == tmp_path / 'FracAtlas/Annotations/COCO JSON/COCO_fracture_masks.json'
    content = json.loads(path.read_text())
    assert content['categories'] == [{'id': 1, 'name': 'fractured'}]
    assert len(content['images']) == len(list((tmp_path / 'FracAtlas/images/Fractured').iterdir()))
    report = import_annotations(path, tmp_path / 'mine', tmp_path / 'FracAtlas/images',
                                settings=AssemblySettings(unlisted='negative'))
    assert (report.num_images, report.num_positives) == (24, 12)
    problems = {problem.kind: problem for problem in check_data(tmp_path / 'mine').problems}
    assert len(problems['damaged images'].items) == 2
    assert len(problems['copies across labels'].items) == 2


def test_the_real_fracatlas_in_its_authors_folders(tmp_path, fracatlas):
    pytest.importorskip('numpy')
    sources.copy_fracatlas(tmp_path / 'FracAtlas', fracatlas)
    with (tmp_path / 'FracAtlas/dataset.csv').open(newline='') as stream:
        rows = list(csv.DictReader(stream))
    assert (len(rows), sum(int(row['fractured']) for row in rows)) == (3121, 572)
    assert sum(int(row['fracture_count']) for row in rows) == 746


def test_faults_of_a_table_are_named_before_the_import(tmp_path):
    table = sources.write_faulty_clicks(tmp_path / 'a', 12, side=64, workers=1)
    problems = {problem.kind: problem for problem in check_data(table).problems}
    assert '000001.png' in problems['unreadable images'].items[0]
    assert len(problems['points in the first pixel'].items) == 1
    assert 'copy.png' in problems['copies across labels'].items[0]
    with pytest.raises(ValueError, match='000001.png.*cut short'):
        import_annotations(table, tmp_path / 'mine')
    (tmp_path / 'a/images/000002.png').write_bytes(b'')
    with pytest.raises(ValueError, match='2 images cannot be read.*000001.png.*000002.png'):
        import_annotations(table, tmp_path / 'mine')


def test_links_that_are_not_followed_are_named(tmp_path):
    (tmp_path / 'real.png').write_bytes(b'')
    (tmp_path / 'images').mkdir()
    (tmp_path / 'images/a.png').symlink_to(tmp_path / 'real.png')
    (tmp_path / 'clicks.csv').write_text('image,x,y\na.png,,\n')
    with pytest.raises(ValueError, match='1 links and no image'):
        import_annotations(tmp_path / 'clicks.csv', tmp_path / 'mine', tmp_path / 'images')


@pytest.mark.parametrize('arguments, words', [
    (['--as', 'clicks', '--from', 'x'], 'fracatlas'), (['--as', 'fracatlas', '--number', '3'], '16'),
    (['--as', 'faulty-clicks', '--number', '3'], '8'), (['--as', 'readings', '--number', '0'], '0')])
def test_bad_requests_are_one_line(tmp_path, capsys, arguments, words):
    with pytest.raises(SystemExit) as end:
        write_synthetic([str(tmp_path / 'a'), *arguments])
    error = capsys.readouterr().err
    assert end.value.code == 1 and words in error and error.count('\n') == 1
