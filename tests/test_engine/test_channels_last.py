"""The channels_last layout of weights and features."""
from types import SimpleNamespace

import pytest
import torch
from mmdet.registry import HOOKS
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from mmwindow.engine import ChannelsLastHook


class SmallModel(nn.Module):
    """Anything with a backbone."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.backbone = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, stride=2), nn.BatchNorm2d(8),
                                      nn.Conv2d(8, 8, 5, padding=2, groups=8), nn.ReLU())
        self.bbox_head = nn.Conv2d(8, 1, 1)

    def forward(self, imgs):
        return self.bbox_head(self.backbone(imgs))


def is_channels_last(tensor):
    return tensor.is_contiguous(memory_format=torch.channels_last)


def run_hook(model):
    hook = HOOKS.build(dict(type='ChannelsLastHook'))
    assert isinstance(hook, ChannelsLastHook)
    hook.before_run(SimpleNamespace(model=model))
    return hook


def test_weights_and_inputs_are_converted_and_numbers_stay():
    imgs = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    plain, converted = SmallModel(), SmallModel()
    run_hook(converted)
    assert all(is_channels_last(parameter) for parameter in converted.parameters()
               if parameter.dim() == 4)
    seen = []
    converted.backbone[0].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    expected, output = plain(imgs), converted(imgs)
    assert is_channels_last(seen[0]) and not is_channels_last(imgs)
    torch.testing.assert_close(output, expected)
    expected.sum().backward()
    output.sum().backward()
    for first, second in zip(plain.parameters(), converted.parameters(), strict=True):
        torch.testing.assert_close(first.grad, second.grad)


def test_optimizer_keeps_its_parameters_and_loading_keeps_the_layout():
    model = SmallModel()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run_hook(model)
    assert all(first is second for first, second in
               zip(optimizer.param_groups[0]['params'], model.parameters(), strict=True))
    model.load_state_dict(SmallModel().state_dict())
    assert is_channels_last(model.backbone[0].weight)


def test_roi_align_sees_the_same_features():
    """mmcv's kernel reads the default layout: without the hook's care it returns other numbers."""
    from mmcv.ops import RoIAlign

    class SmallRoIModel(SmallModel):

        def __init__(self):
            super().__init__()
            self.roi_align = RoIAlign(3, spatial_scale=0.5, sampling_ratio=0)

        def forward(self, imgs):
            rois = torch.tensor([[0., 2., 2., 12., 14.], [1., 0., 4., 9., 9.]])
            return self.roi_align(self.backbone(imgs), rois)

    imgs = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    plain, converted = SmallRoIModel(), SmallRoIModel()
    run_hook(converted)
    expected, output = plain(imgs), converted(imgs)
    torch.testing.assert_close(output, expected)
    weights = torch.randn(output.shape, generator=torch.Generator().manual_seed(2))
    (expected * weights).sum().backward()
    (output * weights).sum().backward()
    for first, second in zip(plain.backbone.parameters(), converted.backbone.parameters(),
                             strict=True):
        torch.testing.assert_close(first.grad, second.grad)


def test_a_runner_that_trains_and_tests_converts_once():
    model = SmallModel()
    hook = run_hook(model)
    hook.before_run(SimpleNamespace(model=model))
    assert len(model.backbone._forward_pre_hooks) == 1


def test_wrapped_models_are_unwrapped():
    model = SmallModel()
    run_hook(nn.DataParallel(model))
    assert is_channels_last(model.backbone[0].weight)
    assert len(model.backbone._forward_pre_hooks) == 1


def test_other_inputs_pass_untouched():
    from mmwindow.engine.hooks.channels_last_hook import to_channels_last
    vector, words = torch.arange(3.), ['normal']
    assert to_channels_last(None, (vector, words)) == (vector, words)


def test_a_model_without_backbone_is_refused():
    with pytest.raises(ValueError, match='Linear has no backbone.*custom_hooks'):
        run_hook(nn.Linear(2, 2))


def test_the_first_gradients_of_several_processes_are_those_of_one(tmp_path):
    """Wrapped before it is converted, a model has its first gradients in the places of others."""
    model, alone = SmallModel(), SmallModel()
    images = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{tmp_path}/store', rank=0, world_size=1)
    try:
        runner = SimpleNamespace(cfg={}, model=DistributedDataParallel(model))
        runner.wrap_model = lambda cfg, model: DistributedDataParallel(model)
        ChannelsLastHook().before_run(runner)
        runner.model(images).square().mean().backward()
    finally:
        del runner
        torch.distributed.destroy_process_group()
    alone(images).square().mean().backward()
    for one, other in zip(model.parameters(), alone.parameters(), strict=True):
        # Another layout sums in another order.
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-7)
