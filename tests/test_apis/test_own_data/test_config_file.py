"""The config file of a user's training: what it says, and that another one is noticed."""
from dataclasses import replace
from pathlib import Path

import pytest
from mmengine.config import Config

from mmwindow.apis.own_data.config_file import OwnConfig, write_own_config

BASE = 'mmwindow::windowloss/wl_kld_lite0_fpn.py'


def own_config(folder, **more):
    files = {split: folder / f'work/annotations/fold0/{split}.json' for split in
             ('train', 'val', 'test')}
    return OwnConfig(BASE, folder / 'im ages', files, notes=('First.', 'Second ' * 30), **more)


@pytest.mark.parametrize(
    'name', ['plain', "John's data", 'a "b" c', 'ünï {x}', 'a"\'b', 'a\\b'])
def test_the_file_says_what_differs_and_is_found_wherever_it_moves(tmp_path, name):
    folder = tmp_path / name
    config = own_config(folder, model=dict(bbox_head=dict(num_classes=3)), balanced=True,
                        readers='merge', batch_size=5, input_size=512,
                        load_from=folder / 'work/a.pth',
                        loop=dict(max_epochs=28, val_interval=2, val_begin=14))
    if name in ('a"\'b', 'a\\b'):
        with pytest.raises(ValueError, match='its name has .*choose another --work-dir'):
            write_own_config(config, folder / 'work')
        return
    path = write_own_config(config, folder / 'work')
    assert path == folder / 'work/config/wl_kld_lite0_fpn.py'
    assert max(map(len, path.read_text().splitlines()[:4])) <= 100
    moved = tmp_path / 'moved'
    (folder / 'work').rename(moved)
    cfg = Config.fromfile(str(moved / 'config' / path.name))
    assert cfg.model.bbox_head.num_classes == 3 and cfg.input_size == 512
    assert [cfg.train_cfg[key] for key in ('max_epochs', 'val_interval', 'val_begin')] == [28, 2, 14]
    assert cfg.train_dataloader.sampler.type == 'BalancedImageSampler'
    assert 'shuffle' not in cfg.train_dataloader.sampler  # of the sampler that it replaces
    assert (cfg.train_dataloader.batch_size, cfg.val_dataloader.batch_size) == (5, 8)
    for split in ('train', 'val', 'test'):
        dataset = cfg[f'{split}_dataloader'].dataset
        assert Path(dataset.ann_file).resolve() == moved / f'annotations/fold0/{split}.json'
        assert dataset.data_prefix.img == f'{folder}/im ages/' and dataset.readers == 'merge'
    assert Path(cfg.load_from).resolve() == moved / 'a.pth'


def test_a_work_dir_takes_one_training(tmp_path):
    first = write_own_config(own_config(tmp_path, loop=dict(max_epochs=8)), tmp_path / 'work')
    time = first.stat().st_mtime_ns
    write_own_config(own_config(tmp_path, loop=dict(max_epochs=8)), tmp_path / 'work')
    assert first.stat().st_mtime_ns == time
    with pytest.raises(ValueError, match='holds another training .*max_epochs=8.*max_epochs=9'):
        write_own_config(own_config(tmp_path, loop=dict(max_epochs=9)), tmp_path / 'work')
    assert 'max_epochs=8' in first.read_text()


def test_a_note_alone_that_differs_is_shown_as_one_line(tmp_path):
    first = write_own_config(own_config(tmp_path), tmp_path / 'work')
    note = 'Third ' * 30
    with pytest.raises(ValueError, match='there: Second Second .*; now: Third Third') as caught:
        write_own_config(replace(own_config(tmp_path), notes=('First.', note)), tmp_path / 'work')
    assert len(str(caught.value)) < 600 and first.is_file()


def write_images(folder, value):
    """Write images of one content; return their names."""
    folder.mkdir()
    names = tuple(f'{number}.png' for number in range(3))
    for name in names:
        (folder / name).write_bytes(value)
    return names


def test_a_training_whose_places_alone_differ_is_the_same(tmp_path):
    names = write_images(tmp_path / 'im ages', b'pixels')
    config = replace(own_config(tmp_path), names=names,
                     notes=('points.json: 3 images', 'Places: /old place/points.json'))
    path = write_own_config(config, tmp_path / 'work')
    # As before the places had a line of their own.
    path.write_text(path.read_text().replace('# Places: /old place/points.json\n', '').replace(
        '# points.json', '# mine/points.json'))
    write_images(tmp_path / 'moved', b'pixels')
    moved = replace(config, images=tmp_path / 'moved', notes=(*config.notes[:1], 'Places: new'))
    assert write_own_config(moved, tmp_path / 'work') == path
    assert path.read_text() == moved.text(tmp_path / 'work')
    for name in names:
        (tmp_path / 'moved' / name).unlink()
    assert f"img='{tmp_path}/im ages/'" in write_own_config(config, tmp_path / 'work').read_text()
    write_images(tmp_path / 'other', b'PIXELS')
    with pytest.raises(ValueError, match='other images of the same names, of .*im ages; now: '
                                         '.*other. Choose another --work-dir$'):
        write_own_config(replace(config, images=tmp_path / 'other'), tmp_path / 'work')


def test_files_of_the_data_may_move_and_settings_may_not(tmp_path):
    files = {split: tmp_path / f'annotations/{split}.json' for split in ('train', 'val', 'test')}
    config = replace(own_config(tmp_path), files=files,
                     notes=('Trained with --cfg-options a=x/1.pth', ))
    path = write_own_config(config, tmp_path / 'work')
    moved = {split: tmp_path / f'mo ved/annotations/{split}.json' for split in files}
    write_own_config(replace(config, files=moved), tmp_path / 'work')
    assert 'mo ved/annotations/val.json' in path.read_text()
    with pytest.raises(ValueError, match='there: .*a=x/1.pth; now: .*a=y/1.pth. Choose another '
                                         '--work-dir'):
        write_own_config(replace(config, notes=('Trained with --cfg-options a=y/1.pth', )),
                         tmp_path / 'work')
    base = replace(config, base=f'{tmp_path}/a/wl_kld_lite0_fpn.py')
    write_own_config(base, tmp_path / 'own')
    with pytest.raises(ValueError, match='there: _base_ .*/a/.*; now: .*/b/.*another --work-dir$'):
        write_own_config(replace(base, base=f'{tmp_path}/b/wl_kld_lite0_fpn.py'), tmp_path / 'own')
