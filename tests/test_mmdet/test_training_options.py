"""MMDetection's ways to train and to combine data do what they say with our configs."""
import json
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook

from mmwindow.apis import test as evaluate  # pytest would collect it under its own name
from mmwindow.apis import train
from mmwindow.apis.runner import build_runner
from mmwindow.engine.hooks.settings_hook import read_class_names
from mmwindow.evaluation import auroc, read_record

WEIGHT = 'neck.fpn_convs.0.conv.weight'


def read_weights(path):
    return torch.load(path, map_location='cpu', weights_only=False)


def changed(config, path, **sections):
    """Write a config with some of its top-level entries replaced; return its path."""
    cfg = Config.fromfile(config)
    for key, value in sections.items():
        cfg[key] = value
    cfg.dump(path)
    return path


def test_the_metric_counts_all_images_of_a_concat_dataset(tiny_run, tmp_path):
    cfg = Config.fromfile(tiny_run.config)
    loader = {**cfg.test_dataloader, 'dataset': dict(
        type='ConcatDataset', datasets=[cfg.val_dataloader.dataset, cfg.test_dataloader.dataset])}
    outfile = tmp_path / 'record.json'
    config = changed(tiny_run.config, tmp_path / 'concat.py', test_dataloader=loader,
                     test_evaluator=dict(type='FROCMetric', hit_radius=50, outfile=str(outfile)))
    metrics = evaluate(config, tiny_run.checkpoint, work_dir=tmp_path)
    events = read_record(outfile).events('fracture')
    # Five images of val.json, then five of test.json; the ids run on from the six of train.json.
    assert [event.image_id for event in events] == list(range(7, 17))
    assert sum(event.is_positive for event in events) == 6
    assert metrics['froc/auroc'] == auroc([event.is_positive for event in events],
                                          [event.score for event in events])


@pytest.mark.parametrize('classes, palettes, words', [
    (['ab', 'ba'], [1, 1], 'datasets.0: a, b; train_dataloader.dataset.datasets.1: b, a'),
    (['ab', 'ab'], [1, 2], 'train_dataloader: .* same classes but differ in another entry')])
def test_parts_of_other_classes_are_rejected(classes, palettes, words):
    """A label is an index: another order of the names would give wrong numbers."""
    parts = [dict(classes=names, palette=[color])
             for names, color in zip(classes, palettes, strict=True)]
    with pytest.raises(ValueError, match=words):
        read_class_names(SimpleNamespace(metainfo=parts), 'train_dataloader')
    assert read_class_names(SimpleNamespace(metainfo=parts[0]), '') == ('a', 'b')


def test_a_test_over_data_of_other_class_names_is_rejected(tiny_run, tiny_dataset, tmp_path):
    annotations = json.loads((tiny_dataset / 'annotations/test.json').read_text())
    annotations['categories'][0]['name'] = 'other'
    (tmp_path / 'points.json').write_text(json.dumps(annotations))
    loader = Config.fromfile(tiny_run.config).test_dataloader
    other = {**loader.dataset, 'ann_file': str(tmp_path / 'points.json'),
             'metainfo': dict(classes=('other', ))}
    loader.dataset = dict(type='ConcatDataset', datasets=[loader.dataset, other])
    config = changed(tiny_run.config, tmp_path / 'mixed.py', test_dataloader=loader)
    with pytest.raises(ValueError, match='datasets.0: fracture; .*datasets.1: other'):
        evaluate(config, tiny_run.checkpoint, work_dir=tmp_path)


def test_load_from_gives_the_weights_that_training_begins_with(tiny_run, tmp_path):
    train(tiny_run.config, work_dir=tmp_path, cfg_options={
        'load_from': str(tiny_run.checkpoint), 'optim_wrapper.optimizer.lr': 0.,
        'randomness.seed': 7})
    old, new = (read_weights(path)['state_dict']
                for path in (tiny_run.checkpoint, tmp_path / 'epoch_1.pth'))
    assert torch.equal(old[WEIGHT], new[WEIGHT])
    assert read_weights(tmp_path / 'epoch_1.pth')['meta']['iter'] == 2  # counted from zero


def test_auto_scale_lr_multiplies_the_rate_by_the_ratio_of_the_batches(tiny_run, tmp_path):
    config = changed(tiny_run.config, tmp_path / 'scaled.py', param_scheduler=None,
                     auto_scale_lr=dict(enable=False, base_batch_size=12))
    runner = train(config, work_dir=tmp_path, auto_scale_lr=True)
    assert Config.fromfile(config).optim_wrapper.optimizer.lr == 8e-4
    assert runner.optim_wrapper.get_lr()['lr'] == [8e-4 * 3 / 12]  # batches of 3, not 12


def test_mixed_precision_computes_in_bfloat16_and_keeps_weights_in_float32(tiny_run, tmp_path,
                                                                           monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    runner = train(tiny_run.config, work_dir=tmp_path, amp=True)
    assert type(runner.optim_wrapper).__name__ == 'BFloat16OptimWrapper'
    new = read_weights(tmp_path / 'epoch_1.pth')['state_dict'][WEIGHT]
    old = read_weights(tiny_run.checkpoint)['state_dict'][WEIGHT]
    # Same seed and batches: rounding to 8 bits of the gradients, and no more, lies between them.
    assert new.dtype == torch.float32 and not torch.equal(new, old)
    torch.testing.assert_close(new, old, rtol=0, atol=2e-4)  # two steps of 4e-5 and 5.5e-5


class WeightRecorder(Hook):
    """Keep a weight after each step, and the one that is validated."""

    priority = 'VERY_LOW'  # after EMAHook

    def __init__(self):
        self.steps, self.validated = [], None

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.steps.append(runner.model.state_dict()[WEIGHT].clone())

    def before_val_epoch(self, runner):
        self.validated = runner.model.state_dict()[WEIGHT].clone()


def test_moving_averages_of_the_weights_are_what_is_validated_saved_and_tested(tiny_run, tmp_path):
    cfg = Config.fromfile(tiny_run.config)
    path = changed(tiny_run.config, tmp_path / 'ema.py', work_dir=str(tmp_path / 'work'),
                   custom_hooks=[*cfg.custom_hooks, dict(type='EMAHook', momentum=0.25)],
                   test_dataloader=cfg.val_dataloader)
    runner = build_runner(Config.fromfile(path))
    runner.register_hook(recorder := WeightRecorder())
    runner.train()
    first, second = recorder.steps
    assert not torch.equal(first, second)
    # mmengine's average begins with the weights after the first step.
    average = 0.75 * first + 0.25 * second
    checkpoint = read_weights(tmp_path / 'work/epoch_1.pth')
    for weight in (recorder.validated, checkpoint['state_dict'][WEIGHT]):
        torch.testing.assert_close(weight, average, rtol=0, atol=1e-7)
    assert torch.equal(checkpoint['ema_state_dict'][f'module.{WEIGHT}'], second)
    validated = {key.removeprefix('val/'): value.current() for key, value in
                 runner.message_hub.log_scalars.items() if key.startswith('val/froc')}
    assert evaluate(path, tmp_path / 'work/epoch_1.pth', work_dir=tmp_path / 'test') == validated
