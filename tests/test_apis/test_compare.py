"""``mmwindow compare``: which images, at whose threshold, and what the figure's JSON says."""
import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from mmwindow import cli
from mmwindow.apis import compare
from mmwindow.apis.compare import draw_images, name_systems
from mmwindow.engine.model_description import META_KEY, POINTS_KEY
from mmwindow.utils.operating_points import (
    ClassOperatingPoints,
    ModelOperatingPoints,
    OperatingPoint,
)


def record(number, is_positive, group=None):
    return SimpleNamespace(img_id=number, points=[(1, 1)] * is_positive, group=group)


def test_images_are_drawn_by_the_seed_alone():
    records = [record(number, number % 2 == 0) for number in range(40)]
    drawn, rule = draw_images(records, 8, seed=3)
    assert [bool(one.points) for one in drawn] == [True] * 6 + [False] * 2
    assert drawn == draw_images(records, 8, seed=3)[0] != draw_images(records, 8, seed=4)[0]
    assert '6 images with and 2 without a point' in rule and 'seed 3' in rule and '40' in rule
    # One image a patient.
    twins = [record(number, True, f'patient {number // 4}') for number in range(40)]
    drawn, _ = draw_images(twins, 10)
    assert len({one.group for one in drawn}) == 10
    with pytest.raises(ValueError, match='11 images .* 10 with and 0 without'):
        draw_images(twins, 11)
    # Negative images alone, and too few positive ones.
    assert all(not one.points for one in draw_images([record(n, False) for n in range(5)], 5)[0])
    with pytest.raises(ValueError, match='at least 1'):
        draw_images(records, 0)


def test_names_of_systems():
    assert name_systems(['a/x', 'b/x', 'W=c']) == {'a/x': 'a/x', 'b/x': 'b/x', 'W': 'c'}
    with pytest.raises(ValueError, match='two models have this name'):
        name_systems(['W=a', 'W=b'])


def test_each_system_is_at_its_own_threshold(
        tiny_model, tiny_dataset, tmp_path, capsys, full_figures):
    """One system calls the complete frame everywhere, the other nothing: outcomes by hand."""
    points = tiny_dataset / 'annotations' / 'train.json'
    model = tiny_model('windowloss/wl_kld')
    for name, threshold in (('all', 0.), ('none', 1.)):
        content = torch.load(model.checkpoint, weights_only=False)
        point = OperatingPoint(threshold, 'youden', None, True, 'all', {}, 90)
        content['meta'][META_KEY][POINTS_KEY] = ModelOperatingPoints(
            {'fracture': ClassOperatingPoints(point, point)}, 'val', 90, 90).to_json()
        torch.save(content, tmp_path / f'{name}.pth')
    cli.main(['compare', f'ALL={tmp_path / "all.pth"}', str(tmp_path / 'none.pth'), '--images',
              str(points), '--out', str(tmp_path / 'figure.png'), '--number', '4', '--seed', '1'])
    told = capsys.readouterr().out
    content = json.loads((tmp_path / 'figure.json').read_text())
    assert [system['name'] for system in content['systems']] == ['ALL', 'none.pth']
    assert [system['thresholds'][0]['findings'] for system in content['systems']] == [0, 1]
    # Three images with a point and one without; the box of the complete image is a false positive.
    assert content['outcomes'] == [
        {'ALL': dict(num_found=1, num_points=1, num_hits=1, num_false_positives=1),
         'none.pth': dict(num_found=0, num_points=1, num_hits=0, num_false_positives=0)}] * 3 + [
        {'ALL': dict(num_found=0, num_points=0, num_hits=0, num_false_positives=1),
         'none.pth': dict(num_found=0, num_points=0, num_hits=0, num_false_positives=0)}]
    assert '3 of 3 points found, 4 false positives' in told and 'seed 1' in told
    assert len(set(content['images'])) == 4 and content['hit_rule']['rule'] == 'disk_overlap'
    picture = cv2.imread(str(tmp_path / 'figure.png'))
    assert picture.shape[0] > 4 * 266 and picture.shape[1] > 3 * 320 and np.ptp(picture) == 255


def test_images_of_16_bits_need_a_depth_and_take_it(tiny_model, tiny_dataset, tmp_path, capsys,
                                                    full_figures):
    points, folder = tiny_dataset / 'annotations' / 'train.json', tmp_path / 'deep'
    folder.mkdir()
    for path in (tiny_dataset / 'images').glob('train_*.png'):
        pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        cv2.imwrite(str(folder / path.name), pixels.astype(np.uint16) * 16)
    command = ['compare', str(tiny_model('windowloss/wl_kld').folder), '--images', str(points),
               '--image-folder', str(folder), '--out', str(tmp_path / 'a.png'), '--number', '1']
    with pytest.raises(SystemExit):
        cli.main(command)
    assert 'such as --bit-depth 12' in capsys.readouterr().err
    cli.main([*command, '--bit-depth', '12'])
    assert (tmp_path / 'a.png').exists()
    with pytest.raises(SystemExit):
        cli.main([*command, '--max-pixels', '9'])
    assert 'more than the limit of 9; raise max_pixels, such as --max-pixels' in (
        capsys.readouterr().err)


def test_bad_input_is_one_line(tiny_model, tiny_dataset, tmp_path):
    model = tiny_model('windowloss/wl_kld').folder
    points = tiny_dataset / 'annotations' / 'train.json'
    for arguments, words in [
            (dict(image_folder=tmp_path), '--image-folder names the folder'),
            (dict(num_images=99), '99 images are to be drawn'),
            (dict(rule='box_iou'), 'it asks for boxes'),
            (dict(threshold=2), 'a score from 0 to 1'),
            (dict(out=tmp_path), 'name a file')]:
        with pytest.raises(ValueError, match=words):
            compare([str(model)], points, **{'out': tmp_path / 'a.png', 'num_images': 2, **arguments})
    other = json.loads(points.read_text())
    other['categories'][0]['name'] = 'nodule'
    (tmp_path / 'points.json').write_text(json.dumps(other))
    with pytest.raises(ValueError, match="finds 'fracture', the points are of 'nodule'"):
        compare([str(model)], tmp_path / 'points.json', tmp_path / 'a.png', 2,
                image_folder=tiny_dataset / 'images')
