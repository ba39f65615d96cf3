"""Data that cannot give what a config asks for are rejected before the first step."""
import json
from types import SimpleNamespace

import pytest

from mmwindow.engine.data_check import describe_missing_numbers, lacking_kinds
from mmwindow.evaluation.froc_metric import FROCMetric


@pytest.mark.parametrize('labels, expected', [
    ([{0}, set()], set()), ([{0}, {0}], {'auroc'}), ([set(), set()], {'auroc', 'froc'}),
    ([], {'auroc', 'froc'}), ([{0}, {1}], set()), ([{0, 1}, {0, 1}], {'auroc'}),
    ([{0, 1}, {0}], set())],
    ids=['both', 'positive', 'negative', 'none', 'two_classes', 'both_classes', 'one_is_negative'])
def test_kinds_of_numbers_that_labels_cannot_give(labels, expected):
    assert set(lacking_kinds(labels)) == expected


@pytest.fixture
def one_kind(tiny_dataset, tmp_path):
    """Return a function that writes a point file of the positive or the negative images alone."""
    def write(split, positive):
        content = json.loads((tiny_dataset / f'annotations/{split}.json').read_text())
        with_point = {entry['image_id'] for entry in content['annotations']}
        content['images'] = [image for image in content['images']
                             if (image['id'] in with_point) == positive]
        content['annotations'] = content['annotations'] if positive else []
        path = tmp_path / f'{split}_{positive}.json'
        path.write_text(json.dumps(content))
        return str(path)
    return write


@pytest.mark.parametrize('positive, save_best, words', [
    (True, 'froc/auroc', r'val_True.json: all 3 images have a point.*set it to froc/froc_score'),
    (False, 'froc/auroc', r'val_False.json: none of the 2 images has a point.*save_best=None'),
    (False, 'froc/froc_score', 'could give froc/froc_score')])
def test_validation_images_of_one_kind_are_rejected_before_training(
        noisy_config, run_training, tmp_path, one_kind, positive, save_best, words):
    config = noisy_config(**{'val_dataloader.dataset.ann_file': one_kind('val', positive),
                             'default_hooks.checkpoint.save_best': save_best})
    with pytest.raises(ValueError, match=words):
        run_training(config, tmp_path / 'work')
    assert not (tmp_path / 'work/epoch_1.pth').exists()


@pytest.mark.parametrize('positive, save_best', [(True, 'froc/froc_score'), (False, None)])
def test_what_the_message_proposes_trains(
        noisy_config, run_training, tmp_path, one_kind, positive, save_best):
    config = noisy_config(**{'val_dataloader.dataset.ann_file': one_kind('val', positive),
                             'train_cfg.max_epochs': 1})
    run_training(config, tmp_path / 'work', **{'default_hooks.checkpoint.save_best': save_best})
    assert len(list((tmp_path / 'work').glob('best_*.pth'))) == bool(save_best)


@pytest.mark.parametrize('options, words', [
    ({'train_dataloader.batch_size': 7, 'train_dataloader.drop_last': True},
     'train_dataloader: 6 images .*train.json.* give no batch of 7.*drop_last=False'),
    ({'train_cfg.val_begin': 9}, 'val_begin is 9, but the training ends at 3')])
def test_a_training_without_a_batch_or_a_validation_is_rejected(
        noisy_config, run_training, tmp_path, options, words):
    with pytest.raises(ValueError, match=words):
        run_training(noisy_config(**options), tmp_path / 'work')


def test_a_test_says_which_numbers_it_cannot_give():
    def describe(*labels):
        dataset = type('Data', (SimpleNamespace, ), dict(__len__=lambda self: len(labels)))(
            ann_file='points.json', get_data_info=lambda index: dict(
                instances=[dict(bbox_label=label) for label in labels[index]]))
        return describe_missing_numbers(dataset, SimpleNamespace(metrics=[FROCMetric()]))
    assert describe([0], []) == ''
    assert describe([0], [0]) == 'points.json: all 2 images have a point: no AUROC can be given'
    assert 'neither AUROC nor recall' in describe([], [])


def test_a_point_file_of_training_images_without_a_point_is_said_on_the_screen(
        noisy_config, run_training, tmp_path, one_kind, capsys):
    config = noisy_config(**{'train_dataloader.dataset.ann_file': one_kind('train', False),
                             'train_cfg.max_epochs': 1})
    run_training(config, tmp_path / 'work')
    assert 'learns to find nothing' in capsys.readouterr().out
