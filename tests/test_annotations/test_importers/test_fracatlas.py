"""From polygons to points as an annotator would click them."""
import json

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mmwindow.annotations.importers.fracatlas import (
    draw_points,
    polygon_mask,
    polygons_to_points,
    read_polygons,
)
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
        images=[IMAGE, dict(IMAGE, id=8, file_name='normal.jpg')],
        annotations=[dict(dict(id=3 + n, image_id=7, category_id=0, bbox=[1, 2, 3, 4], area=5,
                               segmentation=[polygon.ravel().tolist()]), **annotation)
                     for n, polygon in enumerate(polygons)],
        categories=[dict(id=0, name='Fractured')])


def test_mask_is_a_polygon_at_four_times_the_resolution():
    drawn = polygon_mask([rectangle(10, 20, 5, 3)])
    assert drawn['corner'].tolist() == [9, 19]
    # 5 x 3 pixels are 20 x 12 mask pixels; OpenCV draws the outline too, half a pixel wider.
    rows, columns = np.nonzero(drawn['mask'])
    assert abs(columns.max() - columns.min() + 1 - 20) <= 1
    assert abs(rows.max() - rows.min() + 1 - 12) <= 1
    centre = np.array([columns.mean(), rows.mean()]) / 4 + 0.125 + drawn['corner']
    np.testing.assert_allclose(centre, [12.5, 21.5], atol=0.13)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(10, 90), st.floats(10, 90)), min_size=3, max_size=7),
       st.integers(0, 50))
def test_points_lie_inside_any_polygon(corners, seed):
    polygon = cv2.convexHull(np.array(corners, dtype=np.float32)).reshape(-1, 2).astype(float)
    points = draw_points([polygon], np.random.default_rng(seed), frame_scale=2.)
    assert 1 <= len(points) <= 4
    for point in points:
        assert depth_inside(polygon, point) > -OUTSIDE


@pytest.mark.parametrize('length, scale, num_points', [
    # In frame pixels 40 * 2 = 80, 74 * 2 = 148, 80 * 2 = 160, 290, 310, 1000: a point for every
    # started 150, at most four.
    (40, 2, 1), (74, 2, 1), (80, 2, 2), (145, 2, 2), (155, 2, 3), (250, 4, 4)])
def test_long_fractures_get_several_points_along_their_length(length, scale, num_points):
    for seed in range(5):
        polygon = rectangle(20, 30, length, 6)
        points = draw_points([polygon], np.random.default_rng(seed), scale)
        assert len(points) == num_points
        stretch = sorted(int((x - 20) / length * num_points * 0.9999) for x, _ in points)
        assert stretch == list(range(num_points))  # one in each


def test_a_slanted_fracture_is_as_long_as_it_is():
    turn = np.deg2rad(40)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    polygon = rectangle(0, 0, 155, 6) @ matrix.T + 60
    assert len(draw_points([polygon], np.random.default_rng(0), 2.)) == 3


def test_points_come_mostly_near_the_middle():
    # In a square of side 40 the mean depth of a place drawn with the square of its depth:
    # integral of t^3 (40 - 2 t) over that of t^2 (40 - 2 t), t from 0 to 20, is
    # (40 * 20^4 / 4 - 2 * 20^5 / 5) / (40 * 20^3 / 3 - 2 * 20^4 / 4) = 320000 / 26667 = 12;
    # drawn evenly it would be 6.7.
    polygon = rectangle(10, 10, 40, 40)
    generator = np.random.default_rng(0)
    depths = [depth_inside(polygon, draw_points([polygon], generator, 1.)[0]) for _ in range(300)]
    assert np.mean(depths) == pytest.approx(12, abs=0.8)  # a standard deviation of 3.8 / sqrt(300)


def test_several_polygons_are_one_fracture():
    parts = [rectangle(10, 10, 20, 6), rectangle(180, 10, 20, 6)]
    points = draw_points(parts, np.random.default_rng(0), 1.)
    assert len(points) == 2  # 190 frame pixels from end to end
    assert all(max(depth_inside(part, point) for part in parts) > -OUTSIDE for point in points)


@pytest.mark.parametrize('polygon', [np.full((3, 2), 20.), np.array([[5., 5], [25, 5], [15, 5]])])
def test_a_polygon_without_area_still_gets_its_point(polygon):
    points = draw_points([polygon], np.random.default_rng(0), 1.)
    assert len(points) == 1 and 4 <= points[0][0] <= 26


def test_contents():
    content = make_content(rectangle(10, 20, 30, 12), rectangle(200, 100, 100, 10))
    before = json.dumps(content)
    found = polygons_to_points(content, seed=0)
    assert json.dumps(content) == before
    # 100 pixels in an image of long edge 512 are 200 in the frame: two points.
    assert [a['fracture_id'] for a in found['annotations']] == [3, 4, 4]
    assert [a['id'] for a in found['annotations']] == [1, 2, 3]
    assert found['categories'] == [dict(id=0, name='fractured', keypoints=['point'])]
    assert found['images'] == content['images']  # the normal stays
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


def test_normals_only():
    assert polygons_to_points(make_content())['annotations'] == []


@pytest.mark.parametrize('segmentation', [
    None, [], 'rle', dict(counts=[1], size=[2, 2]), [[1, 2, 3, 4]], [[1, 2, 3, 4, 5, 6, 7]],
    [[1, 2, 3, 4, 5, float('nan')]], [[1, 2, 3, 4, 5, 'x']], [[1, 2, 3, 4, 5, 6], 7],
    [[[1, 2], [3, 4], [5, 6]]]])
def test_what_is_no_polygon(segmentation):
    with pytest.raises(ValueError, match='annotation 3 of image hand.jpg: its segmentation must be '
                                         'polygons of at least three corners'):
        read_polygons(dict(id=3, segmentation=segmentation), IMAGE)


@pytest.mark.parametrize('polygon', [rectangle(500, 10, 20, 5), rectangle(10, -8, 20, 5),
                                     rectangle(10, 395, 20, 1e9)])
def test_a_polygon_outside_its_image(polygon):
    with pytest.raises(ValueError, match='annotation 3 of image hand.jpg: its polygons span .* '
                                         'outside its 512 x 400 pixels; are they of another scale'):
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


def test_conversion_writes_whole_files(tmp_path):
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
    lines = str(caught.value).splitlines()
    assert lines[0] == f'{source}: 2 of 20 images cannot be used:'
    assert 'IMG3.jpg: is no image that can be read' in lines[1]
    assert 'IMG5.jpg: there is no such file' in lines[2]
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
