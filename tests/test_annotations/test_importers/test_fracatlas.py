"""From polygons to points as an annotator would click them."""
import json

import cv2
import numpy as np
import pytest
from PIL import Image

from mmwindow.annotations.importers.fracatlas import polygons_to_points
from mmwindow.annotations.point_file import read_point_file
from mmwindow.datasets.fracatlas import convert_fracatlas

# Places are drawn on a grid of a quarter pixel, with the outline rounded to it.
OUTSIDE = 0.3
IMAGE = dict(id=7, file_name='hand.jpg', height=400, width=512, group='g')


def rectangle(left, top, width, height):
    return np.array([[left, top], [left + width, top], [left + width, top + height],
                     [left, top + height]], dtype=float)


def depth_inside(polygon, point):
    """Return how far a point lies inside a polygon, in pixels; negative outside."""
    return cv2.pointPolygonTest(polygon.astype(np.float32), tuple(map(float, point)), True)


def make_content(*polygons, **annotation):
    return dict(
        images=[IMAGE, dict(IMAGE, id=8, file_name='negative.jpg')],
        annotations=[dict(dict(id=3 + n, image_id=7, category_id=0, bbox=[1, 2, 3, 4], area=5,
                               segmentation=[polygon.ravel().tolist()]), **annotation)
                     for n, polygon in enumerate(polygons)],
        categories=[dict(id=0, name='Fractured')])


def test_contents():
    content = make_content(rectangle(10, 20, 30, 12), rectangle(200, 100, 100, 10))
    before = json.dumps(content)
    found = polygons_to_points(content, seed=0)
    assert json.dumps(content) == before
    # 100 pixels in an image of long edge 512 are 200 in the frame: two points.
    assert [a['fracture_id'] for a in found['annotations']] == [3, 4, 4]
    assert [a['id'] for a in found['annotations']] == [1, 2, 3]
    assert found['categories'] == [dict(id=0, name='fractured', keypoints=['point'])]
    assert found['images'] == content['images']  # the negative one stays
    assert found['info']['seed'] == 0 and 'CC BY 4.0' in found['info']['source']
    for annotation in found['annotations']:
        source = content['annotations'][annotation['fracture_id'] - 3]
        assert annotation['bbox'] == source['bbox']
        assert annotation['segmentation'] == source['segmentation']
        x, y, visible = annotation['keypoints']
        assert visible == 2 and annotation['num_keypoints'] == 1
        assert depth_inside(np.reshape(source['segmentation'][0], (-1, 2)), (x, y)) > -OUTSIDE


def test_points_are_seeded_and_independent_of_other_fractures():
    one, two = rectangle(10, 20, 30, 12), rectangle(200, 100, 30, 10)
    both = polygons_to_points(make_content(one, two), seed=0)['annotations']
    again = polygons_to_points(make_content(one, two), seed=0)['annotations']
    other = polygons_to_points(make_content(one, two), seed=1)['annotations']
    assert both == again and both != other
    alone = make_content(one, two)
    del alone['annotations'][0]
    assert polygons_to_points(alone, seed=0)['annotations'][0]['keypoints'] == both[1]['keypoints']


def test_an_id_seeds_the_points_as_the_reader_takes_it():
    content = make_content(rectangle(10, 20, 30, 12))
    expected = polygons_to_points(content)['annotations']
    content['annotations'][0]['id'] = 3.0
    assert polygons_to_points(content)['annotations'] == expected
    content['annotations'][0]['id'] = 3.5
    with pytest.raises(ValueError, match='annotation 3.5 of image hand.jpg: its id is 3.5; a whole'):
        polygons_to_points(content)


def test_negative_images_only():
    assert polygons_to_points(make_content())['annotations'] == []


@pytest.mark.parametrize('polygon', [rectangle(500, 10, 20, 5), rectangle(10, -8, 20, 5),
                                     rectangle(10, 395, 20, 1e9)])
def test_a_polygon_outside_its_image(polygon):
    with pytest.raises(ValueError, match='annotation 3 of image hand.jpg: its polygons span .* '
                                         'outside its 512 x 400 pixels .width x height.; are they'):
        polygons_to_points(make_content(polygon))


def test_an_unknown_image():
    with pytest.raises(ValueError, match='annotation 3: image 99 is not in the list of images'):
        polygons_to_points(make_content(rectangle(10, 20, 30, 12), image_id=99))


def write_source(folder, num_images=20):
    """Write a folder like FracAtlas': every fourth image has a fracture."""
    (folder / 'images').mkdir(parents=True)
    content = dict(images=[], annotations=[], categories=[dict(id=0, name='Fractured')])
    for number in range(num_images):
        name = f'IMG{number}.jpg'
        Image.new('L', (64, 48)).save(folder / 'images' / name)
        content['images'].append(dict(id=number, file_name=name, height=48, width=64,
                                      group=f'g{number // 2}'))
        if number % 4 == 0:
            content['annotations'].append(dict(
                id=number, image_id=number, category_id=0, bbox=[10, 10, 8, 5], area=40,
                segmentation=[rectangle(10, 10, 8, 5).ravel().tolist()]))
    (folder / 'fractures.json').write_text(json.dumps(content))
    return folder


def test_conversion_writes_complete_files(tmp_path):
    source = write_source(tmp_path / 'source')
    numbers = convert_fracatlas(source, tmp_path / 'out')
    assert numbers['train']['images'] == 14 and numbers['val']['images'] == 2
    # Ten groups make ten parts of two images; the five with a fracture come first, into parts 0 to
    # 4, of which fold 0 tests 0 and 1.
    assert numbers['test'] == dict(images=4, positives=2, points=2)
    assert sorted(path.name for path in (tmp_path / 'out' / 'annotations').iterdir()) == [
        'points.json', 'test.json', 'train.json', 'val.json']
    groups = {}
    for name in ('train', 'val', 'test'):
        found = read_point_file(tmp_path / 'out' / 'annotations' / f'{name}.json')
        assert found.classes == ('fractured', )
        for record in found.records:
            assert groups.setdefault(record.group, name) == name
    first = (tmp_path / 'out' / 'annotations' / 'points.json').read_bytes()
    convert_fracatlas(source, tmp_path / 'again')
    assert (tmp_path / 'again' / 'annotations' / 'points.json').read_bytes() == first


def test_conversion_names_images_that_cannot_be_used(tmp_path):
    source = write_source(tmp_path / 'source')
    (source / 'images' / 'IMG3.jpg').write_bytes(b'')
    (source / 'images' / 'IMG5.jpg').unlink()
    with pytest.raises(ValueError) as caught:
        convert_fracatlas(source, tmp_path / 'out')
    line, = str(caught.value).splitlines()
    words = [str(source / 'fractures.json'),
             f'2 of 20 images in {source / "images"} cannot be used:',
             'IMG3.jpg: is no image that can be read', 'IMG5.jpg: there is no such file']
    assert [word for word in words if word not in line] == []
    assert not (tmp_path / 'out').exists()


def test_a_folder_that_is_not_fracatlas(tmp_path):
    with pytest.raises(ValueError, match='fractures.json: the point file cannot be read'):
        convert_fracatlas(tmp_path, tmp_path / 'out')


def test_the_real_data_set(tmp_path, fracatlas):
    numbers = convert_fracatlas(fracatlas, tmp_path)
    # Its README: 3121 images, 572 of them with a fracture.
    assert sum(part['images'] for part in numbers.values()) == 3121
    assert sum(part['positives'] for part in numbers.values()) == 572
    share = {name: part['images'] / 3121 for name, part in numbers.items()}
    assert share == pytest.approx(dict(train=0.7, val=0.1, test=0.2), abs=0.01)
    for part in numbers.values():
        assert part['positives'] / part['images'] == pytest.approx(572 / 3121, abs=0.02)
    source = json.loads((fracatlas / 'fractures.json').read_text())
    polygons = {annotation['id']: [np.reshape(part, (-1, 2)) for part in annotation['segmentation']]
                for annotation in source['annotations']}
    points = json.loads((tmp_path / 'annotations' / 'points.json').read_text())['annotations']
    assert {point['fracture_id'] for point in points} == set(polygons)  # 746, each at least once
    assert len(points) > len(polygons) == 746
    for point in points:
        assert max(depth_inside(polygon, point['keypoints'][:2])
                   for polygon in polygons[point['fracture_id']]) > 0
