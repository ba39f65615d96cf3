"""A sheet of what each of the nine systems is taught."""
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmwindow.apis.browse import browse, choose_images
from mmwindow.visualization.overlay import COLOURS

CONFIGS = Path(__file__).parents[2] / 'configs'
SYSTEMS = {'windowloss/wl_kld_lite0_fpn': 'bounds', 'windowloss/wl_mse_lite0_fpn': 'bounds',
           'windowloss/wl_plus_lite0_fpn': 'bounds',
           'faster_rcnn/faster_rcnn_lite0_fpn': 'boxes', 'retinanet/retinanet_lite0_fpn': 'boxes',
           'fcos/fcos_lite0_fpn': 'boxes', 'chexnet/chexnet_lite0': 'labels',
           'wspl/wspl_lite0': 'labels', 'ufdet/ufdet_lite0': 'labels'}


@pytest.fixture
def tiles(monkeypatch):
    """What was painted: the arguments of the sheet."""
    found = []

    def keep(tiles, path, title='', **options):
        found.append((tiles, options))
        return Path(path)
    monkeypatch.setattr('mmwindow.apis.browse.save_sheet', keep)
    return found


def has_colour(picture, name):
    return bool((np.abs(picture.astype(int) - COLOURS[name]).max(axis=2) < 3).any())


def options_of(folder):
    return {'input_size': 128, **{f'{split}_dataloader.dataset.data_root': f'{folder}/'
                                  for split in ('train', 'val', 'test')}}


@pytest.mark.parametrize('system, kind', SYSTEMS.items())
def test_every_system_shows_its_targets(system, kind, tiny_dataset, tmp_path, tiles):
    browse(CONFIGS / f'{system}.py', tmp_path / 'sheet.png', 4,
           cfg_options=options_of(tiny_dataset))
    ((found, options), ) = tiles
    assert [tile.picture.shape for tile in found] == [(128, 128, 3)] * 4
    assert (options['has_bounds'], options['has_boxes']) == (kind == 'bounds', kind == 'boxes')
    for tile, is_positive in zip(found, (True, True, False, False), strict=True):
        assert has_colour(tile.picture, 'found') == is_positive
        assert has_colour(tile.picture, 'upper') == (is_positive and kind == 'bounds')
        assert has_colour(tile.picture, 'finding') == (is_positive and kind == 'boxes')
        words = 'label: ' if kind == 'labels' else ''
        expected = 'negative' if not is_positive else 'fracture' if words else '1 fracture'
        assert tile.caption.endswith(f'.png, {words}{expected}')


def test_a_seed_gives_the_same_sheet_and_another_one_another(tiny_dataset, tmp_path, tiles):
    for seed in (3, 3, 4):
        browse(CONFIGS / 'windowloss/wl_kld_lite0_fpn.py', tmp_path / 'sheet.png', 4, seed=seed,
               cfg_options=options_of(tiny_dataset))
    first, second, third = ([tile.picture for tile in found] for found, _ in tiles)
    assert all(map(np.array_equal, first, second))
    assert not all(map(np.array_equal, first, third))


def test_validation_images_show_their_points_where_they_are(tiny_dataset, tmp_path, tiles):
    browse(CONFIGS / 'windowloss/wl_kld_lite0_fpn.py', tmp_path / 'sheet.png', 2, 'val',
           cfg_options=options_of(tiny_dataset))
    positive, negative = tiles[0][0]
    green = np.argwhere(np.abs(positive.picture.astype(int) - COLOURS['found']).max(axis=2) < 3)
    # The blot is 6 pixels of 96 around its point: 8 of 128; darker than all around.
    blurred = cv2.GaussianBlur(positive.picture[..., 0][:100].astype(np.float32), (0, 0), 5)
    assert np.abs(green.mean(axis=0) - np.unravel_index(blurred.argmin(), blurred.shape)).max() < 8
    assert not has_colour(negative.picture, 'found')


def test_the_sheet_is_a_picture(tiny_dataset, tmp_path, full_figures):
    path = browse(CONFIGS / 'fcos/fcos_lite0_fpn.py', tmp_path / 'sheet.png', 5,
                  cfg_options=options_of(tiny_dataset))
    height, width = cv2.imread(str(path)).shape[:2]
    assert width > 4 * 320 and height > 2 * 320


class Records:
    def __init__(self, *numbers):
        self.numbers = numbers

    def __len__(self):
        return len(self.numbers)

    def get_data_info(self, index):
        return dict(instances=[0] * self.numbers[index])


@pytest.mark.parametrize('points, num, expected', [
    ([0] * 5, 3, (0, 3)), ([1] * 5, 3, (3, 0)), ([1, 0, 0, 0, 0], 4, (1, 3)),
    ([1, 1, 1, 1, 0], 4, (3, 1)), ([1, 1, 0, 0], 9, (2, 2)), ([2, 1, 1, 0, 0, 0], 4, (2, 2))])
def test_as_many_with_as_without_a_point(points, num, expected):
    chosen = choose_images(Records(*points), num, 0)
    assert len(set(chosen)) == len(chosen)
    kinds = [points[index] > 0 for index in chosen]
    assert (sum(kinds), len(kinds) - sum(kinds)) == expected


@pytest.mark.parametrize('options, words', [
    (dict(num=0), '--num 0'), (dict(split='all'), 'train, val, test')])
def test_what_makes_no_sense_is_an_error(options, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        browse(CONFIGS / 'fcos/fcos_lite0_fpn.py', tmp_path / 'sheet.png', **options)
