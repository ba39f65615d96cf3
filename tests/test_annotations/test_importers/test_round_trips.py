"""Files as each tool writes them, with a turned, a multi-point and a negative image: points come
back."""
import base64
import io
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from mmwindow.annotations.importers.assemble import AssemblySettings
from mmwindow.annotations.importers.formats import FORMATS
from mmwindow.annotations.importers.options import ImportOptions
from mmwindow.annotations.point_file import read_point_file
from mmwindow.apis.annotation_files import export_annotations, images_folder, import_annotations

SIZES = {'a b.png': (80, 100), 'säge/turned.jpg': (60, 90), 'negative.png': (50, 50)}  # height, width
TAG = 6
# Stored pixels; the turned image is shown 90 high and 60 wide: shown x = 60 - y, shown y = x.
POINTS = {'a b.png': [(10.25, 20.5), (77., 3.125)], 'säge/turned.jpg': [(80.5, 10.25)],
          'negative.png': []}
SHOWN = {'a b.png': [(10.25, 20.5), (77., 3.125)], 'säge/turned.jpg': [(49.75, 80.5)],
         'negative.png': []}
SHOWN_SIZES = {'a b.png': (80, 100), 'säge/turned.jpg': (90, 60), 'negative.png': (50, 50)}


@pytest.fixture(scope='session')
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp('source') / 'images'
    for name, (height, width) in SIZES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(np.full((height, width), 128, np.uint8))
        exif = image.getexif()
        if name.endswith('.jpg'):
            exif[0x0112] = TAG
        image.save(path, exif=exif)
    return folder


def write_coco(folder):
    images = [dict(id=number, file_name=name, height=h, width=w)
              for number, (name, (h, w)) in enumerate(SIZES.items())]
    return [dict(images=images, categories=[dict(id=0, name='bones', supercategory='none'),
                                            dict(id=3, name='fracture', supercategory='bones')],
                 annotations=[dict(id=10 * image['id'] + place, image_id=image['id'], category_id=3,
                                   keypoints=[x, y, 2], num_keypoints=1, bbox=[x, y, 0, 0])
                              for image in images
                              for place, (x, y) in enumerate(POINTS[image['file_name']])])]


def coco(folder):
    (folder / 'coco.json').write_text(json.dumps(write_coco(folder)[0]))
    return folder / 'coco.json'


def labelme(folder):
    for name, points in SHOWN.items():
        height, width = SHOWN_SIZES[name]
        shapes = [dict(label='fracture', points=[list(points[0])], group_id=None, flags={},
                       shape_type='point')] if points else []
        for x, y in points[1:]:  # corners of a rectangle in any order
            shapes.append(dict(label='fracture', shape_type='rectangle', group_id=None, flags={},
                               points=[[x + 2, y - 3], [x - 2, y + 3]]))
        (folder / name.replace('/', '_')).with_suffix('.json').write_text(json.dumps(dict(
            version='5.5.0', flags={}, shapes=shapes,
            imagePath='..\\images\\' + name.replace('/', '\\'),
            imageData=None, imageHeight=height, imageWidth=width)))
    return folder


def via_2(folder):
    records = {}
    for name, points in SHOWN.items():
        records[f'{name}1234'] = dict(filename=name, size=1234, file_attributes={}, regions=[
            dict(shape_attributes=dict(name='point', cx=x, cy=y),
                 region_attributes=dict(kind='fracture')) for x, y in points])
    (folder / 'via.json').write_text(json.dumps(dict(
        _via_settings={}, _via_img_metadata=records, _via_attributes={})))
    return folder / 'via.json'


def via_3(folder):
    names = list(SHOWN)
    (folder / 'via3.json').write_text(json.dumps(dict(
        project=dict(pname='x'), config={}, attribute={'1': dict(
            aname='kind', type=3, options={'0': 'fracture', '1': 'none'}, default_option_id='')},
        file={str(number): dict(fid=number, fname=name, type=2, loc=1, src='')
              for number, name in enumerate(names)},
        view={str(number): dict(fid_list=[str(number)]) for number in range(len(names))},
        metadata={f'm{number}_{place}': dict(vid=str(number), flg=0, z=[], xy=[1, x, y],
                                             av={'1': '0'})
                  for number, name in enumerate(names)
                  for place, (x, y) in enumerate(SHOWN[name])})))
    return folder / 'via3.json'


def cvat(folder):
    root = ElementTree.fromstring(
        '<annotations><version>1.1</version><meta><task><labels><label><name>fracture</name></label>'
        '</labels></task></meta></annotations>')
    for number, (name, points) in enumerate(SHOWN.items()):
        height, width = SHOWN_SIZES[name]
        image = ElementTree.SubElement(root, 'image', dict(
            id=str(number), name=name, width=str(width), height=str(height)))
        if points:  # one <points> with all of them
            ElementTree.SubElement(image, 'points', dict(
                label='fracture', source='manual', occluded='0', z_order='0',
                points=';'.join(f'{x:.4f},{y:.4f}' for x, y in points)))
    (folder / 'annotations.xml').write_bytes(ElementTree.tostring(root))
    return folder / 'annotations.xml'


def label_studio(folder):
    tasks = []
    for number, (name, points) in enumerate(SHOWN.items(), start=1):
        height, width = SHOWN_SIZES[name]
        file = name.rpartition('/')[2].replace(' ', '_')
        result = [dict(
            original_width=width, original_height=height, image_rotation=0, id=f'r{place}',
            from_name='kp-1', to_name='img-1', type='keypointlabels', origin='manual',
            value=dict(x=x / width * 100, y=y / height * 100, width=.2, keypointlabels=['fracture']))
            for place, (x, y) in enumerate(points)]
        tasks.append(dict(
            id=number, file_upload=f'0a1b2c3d-{file}', predictions=[], meta={},
            data=dict(img=f'/data/local-files/?d=images/{name}'),
            annotations=[dict(id=number, completed_by=1, was_cancelled=True, result=[]),
                         dict(id=number, completed_by=1, was_cancelled=False, result=result)]))
    (folder / 'project.json').write_text(json.dumps(tasks))
    return folder / 'project.json'


def voc(folder):
    for name, points in POINTS.items():
        height, width = SIZES[name]
        root = ElementTree.Element('annotation')
        ElementTree.SubElement(root, 'filename').text = name.rpartition('/')[2]
        size = ElementTree.SubElement(root, 'size')
        for tag, value in dict(width=width, height=height, depth=1).items():
            ElementTree.SubElement(size, tag).text = str(value)
        for x, y in points:
            entry = ElementTree.SubElement(root, 'object')
            ElementTree.SubElement(entry, 'name').text = 'fracture'
            box = ElementTree.SubElement(entry, 'bndbox')
            for tag, value in dict(xmin=x - 3, ymin=y - 2, xmax=x + 3, ymax=y + 2).items():
                ElementTree.SubElement(box, tag).text = str(value)
        (folder / name.replace('/', '_')).with_suffix('.xml').write_bytes(ElementTree.tostring(root))
    return folder


def yolo(folder):
    (folder / 'data.yaml').write_text('path: .\nnames:\n  0: fracture\n')
    for name, points in POINTS.items():
        height, width = SIZES[name]
        file = (folder / 'labels' / name).with_suffix('.txt')
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(''.join(f'0 {x / width:.6f} {y / height:.6f} {4 / width:.6f} '
                                f'{6 / height:.6f}\n' for x, y in points))
    return folder


def csv(folder):
    rows = ['Image;X;Y;Label;Patient']
    for name, points in POINTS.items():
        rows += [f'{name};{x};{y};fracture;p1'.replace('.', ',').replace(',png', '.png')
                 .replace(',jpg', '.jpg') for x, y in points] or [f'{name};;;;p2']
    (folder / 'points.csv').write_text('\r\n'.join(rows), encoding='utf-8-sig')
    return folder / 'points.csv'


def masks(folder):
    for name, points in POINTS.items():
        mask = np.zeros(SIZES[name], np.uint8)
        for x, y in points:
            mask[int(y) - 2:int(y) + 3, int(x) - 2:int(x) + 3] = 255
        file = (folder / name).with_suffix('.png')
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(file)
    return folder


WRITERS = dict(coco=coco, labelme=labelme, via=via_2, via_3=via_3, cvat=cvat,
               label_studio=label_studio, voc=voc, yolo=yolo, csv=csv, masks=masks)


def assert_points(path, expected=POINTS, tolerance=.01):
    point_file = read_point_file(path, readers='all')
    assert sorted(record.file_name for record in point_file.records) == sorted(expected)
    for record in point_file.records:
        assert (record.height, record.width) == SIZES[record.file_name]
        assert len(record.points) == len(expected[record.file_name])
        np.testing.assert_allclose(np.reshape(record.points, (-1, 2)),
                                   np.reshape(expected[record.file_name], (-1, 2)), atol=tolerance)
    return point_file


def test_every_format_has_a_round_trip():
    assert set(FORMATS) == {*WRITERS, 'sr', 'gsps'} - {'via_3'}  # test_dicom_sr.py, test_gsps.py


@pytest.mark.parametrize('name', WRITERS)
def test_points_come_back_to_a_hundredth_of_a_pixel(name, images, tmp_path):
    source = WRITERS[name](tmp_path / 'x' if (tmp_path / 'x').mkdir() is None else None)
    report = import_annotations(source, tmp_path / 'out', images)
    expected = POINTS
    if name == 'masks':  # a mask has whole pixels: the middle of the five around each point
        expected = {key: [(int(x) + .5, int(y) + .5) for x, y in points]
                    for key, points in POINTS.items()}
        expected['a b.png'] = sorted(expected['a b.png'], key=lambda point: point[1])
    point_file = assert_points(report.path, expected, tolerance=.01)
    assert point_file.classes == ('finding' if name == 'masks' else 'fracture', )
    assert (report.num_images, report.num_positives, report.num_points) == (3, 2, 3)
    assert images_folder(report.path).resolve() == images.resolve()
    assert len(report.turned) == 1


def largest_difference(path, expected):
    """Return by how many pixels a point is elsewhere than where it was."""
    return max(float(np.abs(np.reshape(record.points, (-1, 2)) - np.reshape(
        expected[record.file_name], (-1, 2))).max(initial=0))
        for record in read_point_file(path, readers='all').records)


def write_sr(dicom, folder):
    groups = [dicom.group(dicom.finding(), dicom.scoord('POINT', list(point), name))
              for name, points in dicom.POINTS.items() for point in points]
    return dicom.save(dicom.report(dicom.library(*dicom.POINTS), measurements=groups), folder / 'sr')


def write_gsps(dicom, folder):
    for number, (name, points) in enumerate(dicom.POINTS.items()):
        height, width = dicom.SIZES[name]
        graphics = [dicom.graphic('POINT', [x / width, y / height], 'DISPLAY') for x, y in points]
        dicom.save(dicom.state(*[dicom.annotation(each) for each in graphics], names=[name],
                               area=(1, 1, width, height)), folder / 'gsps' / str(number))
    return folder / 'gsps'


def test_the_figures_of_the_documentation(images, dicom, dicom_folder, tmp_path, monkeypatch):
    """The last column of docs/import.md: the largest difference in pixels, rounded up (but .000001).

    Of points with more decimals than some formats have.
    """
    first, second = (10.2512347, 20.5098763), (77.0123459, 3.1251237)
    turned = (80.5012341, 9.2512349)
    for table, names in ((POINTS, SIZES), (dicom.POINTS, dicom.SIZES)):
        monkeypatch.setitem(table, next(iter(names)), [first, second])
        monkeypatch.setitem(table, list(names)[1], [turned])
    monkeypatch.setitem(SHOWN, 'a b.png', [first, second])
    monkeypatch.setitem(SHOWN, 'säge/turned.jpg', [(60 - turned[1], turned[0])])
    figures = {}
    for name, write in WRITERS.items():
        (tmp_path / name).mkdir()
        report = import_annotations(write(tmp_path / name), tmp_path / 'out', images)
        expected = POINTS
        if name == 'masks':  # in the order in which parts are found
            expected = {**POINTS, 'a b.png': POINTS['a b.png'][::-1]}
        key = name.removesuffix('_3')
        figures[key] = max(figures.get(key, 0), largest_difference(report.path, expected))
    for name, write in (('sr', write_sr), ('gsps', write_gsps)):
        report = import_annotations(write(dicom, tmp_path), tmp_path / 'out', dicom_folder)
        figures[name] = largest_difference(report.path, dicom.POINTS)
    figures = {name: f'{max(0, np.ceil((value - 1e-6) * 1e4) / 1e4):.4f}'
               for name, value in figures.items()}
    text = (Path(__file__).parents[3] / 'docs' / 'import.md').read_text(encoding='utf-8')
    rows = re.findall(r'^\| `(\w+)` \|.*\| ([0-9.]+) \|$', text, re.MULTILINE)
    assert dict(rows) == figures, json.dumps(figures)


@pytest.mark.parametrize('name', ['coco', 'cvat', 'label_studio', 'csv'])
def test_what_is_exported_is_imported_again(name, images, tmp_path):
    (tmp_path / 'x').mkdir()
    report = import_annotations(coco(tmp_path / 'x'), tmp_path / 'out', images)
    file = tmp_path / 'back' / f'file.{dict(cvat="xml", csv="csv").get(name, "json")}'
    assert export_annotations(report.path, file, name) == 3
    again = import_annotations(file, tmp_path / 'again', images)
    point_file = assert_points(again.path)
    assert point_file.classes == ('fracture', )
    if name in ('cvat', 'label_studio'):  # the turned image's points are where these tools show them
        text = file.read_text(encoding='utf-8')
        assert ('points="49.7500,80.5000"' if name == 'cvat' else '"x": 82.91666') in text


def test_rectangles_turned_about_their_corner_and_ellipses_keep_their_centres(images, tmp_path):
    # A rectangle of 20 x 10 pixels from (10, 20), turned by 90 degrees clockwise about that corner,
    # covers x 0 to 10 and y 20 to 40: centre (5, 30).
    value = dict(x=10., y=25., width=20., height=12.5, rotation=90, rectanglelabels=['fracture'])
    ellipse = dict(x=50., y=50., radiusX=10., radiusY=5., rotation=30, ellipselabels=['cyst'])
    common = dict(original_width=100, original_height=80, image_rotation=0, to_name='i')
    task = dict(id=1, data=dict(image='/data/upload/2/0a1b2c3d-a b.png'), annotations=[dict(
        id=1, completed_by=5, was_cancelled=False, result=[
            dict(common, id='a', type='rectanglelabels', value=value),
            dict(common, id='b', type='ellipselabels', value=ellipse)])])
    (tmp_path / 'ls.json').write_text(json.dumps([task]))
    report = import_annotations(tmp_path / 'ls.json', tmp_path / 'out', images)
    record, = read_point_file(report.path).records
    np.testing.assert_allclose(record.points, [(5, 30), (50, 40)], atol=1e-6)
    assert record.boxes[0] == pytest.approx((0, 20, 10, 40))
    assert report.counts.total() == 2 and 'does not mention' in next(iter(report.counts))


def test_a_region_of_label_studio_whose_id_is_none(images, tmp_path):
    region = dict(type='keypointlabels', id=dict(a=1), original_width=100, original_height=80,
                  value=dict(x=10, y=25))
    (tmp_path / 'ls.json').write_text(json.dumps([dict(
        id=1, data=dict(image='a b.png'), annotations=[dict(result=[region])])]))
    report = import_annotations(tmp_path / 'ls.json', tmp_path / 'out', images)
    assert report.classes == {'finding': 1}


def write_upload(folder, place, *files):
    """Write images and Label Studio's file of a point in one that was uploaded."""
    (folder / 'images').mkdir()
    for file in files:
        Image.fromarray(np.zeros((80, 100), np.uint8)).save(folder / 'images' / file)
    result = dict(type='keypointlabels', id='r', original_width=100, original_height=80,
                  value=dict(x=10, y=25, keypointlabels=['f']))
    (folder / 'ls.json').write_text(json.dumps([dict(
        id=1, data=dict(image=place), annotations=[dict(was_cancelled=False, result=[result])])]))
    return folder / 'ls.json'


@pytest.mark.parametrize('file, place', [
    ('My image (1).png', '/data/upload/1/8f3a2b1c-My_image_1.png'),
    ('säge bild.png', 'upload/12/8f3a2b1c-s%C3%A4ge_bild.png'),
    ('säge bild.png', 'http://host:8080/data/upload/12/8f3a2b1c-s%C3%A4ge_bild.png'),
    ('8f3a2b1c-My_image.png', '/data/upload/1/8f3a2b1c-My_image.png'),  # the tool's own folder
    ('deadbeef-x.png', '/data/upload/1/8f3a2b1c-deadbeef-x.png')])
def test_uploads_to_label_studio_are_found_under_their_first_names(file, place, tmp_path):
    source = write_upload(tmp_path, place, file, 'x.png')
    report = import_annotations(source, tmp_path / 'out', tmp_path / 'images')
    record, = read_point_file(report.path).records
    assert record.file_name == file and record.points == [(10., 20.)]


def test_of_two_files_an_upload_is_that_of_exactly_its_name_or_none(tmp_path):
    source = write_upload(tmp_path, '/data/upload/1/8f3a2b1c-a_b.png', 'a b.png', 'a_b.png',
                          'a (b).png')
    report = import_annotations(source, tmp_path / 'out', tmp_path / 'images')
    assert read_point_file(report.path).records[0].file_name == 'a_b.png'
    (tmp_path / 'images' / 'a_b.png').rename(tmp_path / 'images' / 'a_(b).png')
    with pytest.raises(ValueError, match="'a_b.png' is not among the 3 images"):
        import_annotations(source, tmp_path / 'out', tmp_path / 'images')


def test_several_people_are_readers_and_the_last_annotation_of_each_counts(images, tmp_path):
    def annotation(person, x, updated):
        return dict(completed_by=dict(id=person), was_cancelled=False, updated_at=updated,
                    result=[dict(
            type='keypointlabels', id='a', original_width=100, original_height=80,
            value=dict(x=x, y=50., keypointlabels=['fracture']))])
    task = dict(id=1, data=dict(image='a b.png'), annotations=[
        annotation(1, 10., '2024-02-01'), annotation(1, 20., '2024-01-01'),
        annotation(2, 30., '2024')])
    (tmp_path / 'ls.json').write_text(json.dumps([task]))
    report = import_annotations(tmp_path / 'ls.json', tmp_path / 'out', images)
    record, = read_point_file(report.path, readers='all').records
    assert record.readers == ('1', '2') and record.point_readers == ['1', '2']
    assert record.points == [(10., 40.), (30., 40.)]
    assert report.counts['earlier annotations by the same person'] == 1


@pytest.mark.parametrize('kind', [bool, np.uint16])
def test_masks_of_labelme_lie_at_their_corner(kind, images, tmp_path):
    stream = io.BytesIO()
    Image.fromarray(np.ones((4, 6), kind)).save(stream, 'PNG')
    shape = dict(label='fracture', shape_type='mask', points=[[10, 20], [15, 23]],
                 mask=base64.b64encode(stream.getvalue()).decode())
    (tmp_path / 'a.json').write_text(json.dumps(dict(
        version='5.5.0', shapes=[shape], imagePath='a b.png', imageHeight=80, imageWidth=100)))
    report = import_annotations(tmp_path / 'a.json', tmp_path / 'out', images)
    record, = read_point_file(report.path).records
    assert record.points == [(13., 22.)] and record.boxes == [(10., 20., 16., 24.)]


@pytest.mark.parametrize('counts', ['0b4f4', [11, 4, 5, 4, 56]])
def test_run_length_masks_of_coco(counts, images, tmp_path):
    # 10 rows, 8 columns; down the columns: rows 1 to 4 of column 1, rows 0 to 3 of column 2.
    pycocotools = pytest.importorskip('pycocotools.mask')
    mask = np.zeros((80, 100), np.uint8, order='F')
    mask[10:30, 40:50] = 1
    code = pycocotools.encode(mask)
    text = code['counts'].decode()
    segmentation = dict(size=[80, 100], counts=text if isinstance(counts, str) else
                        [40 * 80 + 10, *[20, 60] * 9, 20, 8000 - 40 * 80 - 10 - 9 * 80 - 20])
    content = write_coco(tmp_path)[0]
    content['annotations'] = [dict(id=1, image_id=0, category_id=3, segmentation=segmentation,
                                   bbox=[40, 10, 10, 20])]
    (tmp_path / 'coco.json').write_text(json.dumps(content))
    report = import_annotations(tmp_path / 'coco.json', tmp_path / 'out', images)
    record = read_point_file(report.path).records[0]
    assert record.points == [(45., 20.)] and record.boxes == [(40., 10., 50., 30.)]


def test_yolo_polygons_and_poses(images, tmp_path):
    (tmp_path / 'classes.txt').write_text('fracture\ncyst\n')
    (tmp_path / 'a b.txt').write_text('1 .1 .25 .3 .25 .3 .75 .1 .75\n')
    report = import_annotations(tmp_path, tmp_path / 'out', images, format_name='yolo')
    record, = read_point_file(report.path).records
    assert record.points == [(20., 40.)] and record.labels == [1]
    (tmp_path / 'classes.txt').unlink()
    (tmp_path / 'data.yaml').write_text('names: [fracture]\nkpt_shape: [2, 3]\n')
    (tmp_path / 'a b.txt').write_text('0 .5 .5 .2 .2 .1 .25 2 .5 .5 0\n')
    report = import_annotations(tmp_path, tmp_path / 'out', images, format_name='yolo')
    record, = read_point_file(report.path).records
    assert record.points == [(10., 20.)]
    assert report.counts['keypoints of visibility 0 (nobody set them)'] == 1


def test_pascal_pixels_that_count_from_one(images, tmp_path):
    (tmp_path / 'a.xml').write_text(
        '<annotation><filename>a b.png</filename><object><name>fracture</name><bndbox><xmin>1</xmin>'
        '<ymin>1</ymin><xmax>100</xmax><ymax>80</ymax></bndbox></object></annotation>')
    report = import_annotations(tmp_path, tmp_path / 'out', images, ImportOptions(pixel_origin=1))
    record, = read_point_file(report.path).records
    assert record.points == [(50., 40.)] and record.boxes == [(0., 0., 100., 80.)]


def test_masks_of_cvat_run_along_the_rows_of_their_box(images, tmp_path):
    # A row of three: outside, inside, inside; then inside, outside, outside.
    (tmp_path / 'a.xml').write_text(
        '<annotations><image id="0" name="a b.png" width="100" height="80"><mask label="fracture" '
        'rle="1,3,2" left="10" top="20" width="3" height="2"/></image></annotations>')
    report = import_annotations(tmp_path / 'a.xml', tmp_path / 'out', images)
    record, = read_point_file(report.path).records
    assert record.points == [(11.5, 21.)] and record.boxes == [(10., 20., 13., 22.)]
    annotation, = json.loads(report.path.read_text())['annotations']
    assert set(zip(*[iter(annotation['segmentation'][0])] * 2, strict=True)) >= {
        (11., 20.), (13., 20.), (13., 21.), (10., 21.), (10., 22.), (11., 22.)}


UNREAD = {
    'labelme': ('a.json', dict(version='5', imagePath='a b.png', shapes=[dict(
        label='f', shape_type='line', points=[[1, 2], [3, 4]])])),
    'via': ('a.json', dict(a=dict(filename='a b.png', regions=[dict(
        shape_attributes=dict(name='polyline'), region_attributes={})]))),
    'label_studio': ('a.json', [dict(id=1, data=dict(image='a b.png'), annotations=[dict(result=[dict(
        type='brushlabels', id='r', value={})])])]),
    'coco': ('a.json', dict(
        images=[dict(id=1, file_name='a b.png', height=80, width=100)],
        categories=[dict(id=1, name='f')],
        annotations=[dict(id=1, image_id=1, category_id=1, iscrowd=1, bbox=[1, 2, 3, 4])])),
    'cvat': ('a.xml', '<annotations><image id="0" name="a b.png" width="100" height="80"><polyline '
             'label="f" points="1,2;3,4"/></image></annotations>'),
    'voc': ('a.xml', '<annotation><filename>a b.png</filename><object><name>f</name></object>'
            '</annotation>')}


@pytest.mark.parametrize('name', UNREAD)
def test_an_image_with_nothing_but_what_cannot_be_read_is_no_negative(name, images, tmp_path):
    """A line, a brush or a crowd is something: the image is left out and counted."""
    file, content = UNREAD[name]
    (tmp_path / file).write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(ValueError, match='no image that can be taken: .*1 image left out'):
        import_annotations(tmp_path / file, tmp_path / 'out', images, format_name=name)
    report = import_annotations(tmp_path / file, tmp_path / 'out', images, format_name=name,
                                settings=AssemblySettings(unlisted='negative'))
    assert report.num_images == 2  # the two others
