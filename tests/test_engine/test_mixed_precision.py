"""Mixed precision: what is computed in half precision, and what is not."""
from typing import NamedTuple

import pytest
import torch
from torch import nn

from mmwindow.engine import BFloat16OptimWrapper, Float16OptimWrapper, mixed_precision
from mmwindow.engine.mixed_precision import gains_from_bfloat16, losses_in_float32, to_float32


class Pair(NamedTuple):
    first: torch.Tensor
    second: str


def test_forward_runs_in_bfloat16_and_weights_stay_float32():
    torch.manual_seed(0)
    layer = nn.Linear(4, 2)
    wrapper = BFloat16OptimWrapper(torch.optim.SGD(layer.parameters(), lr=0.5))
    with wrapper.optim_context(layer):
        output = layer(torch.ones(1, 4))
    assert output.dtype == torch.bfloat16
    before = layer.weight.detach().clone()
    wrapper.update_params(output.float().sum())
    # d(sum)/dW = the input = 1, exact in bfloat16; one SGD step moves each weight by lr.
    torch.testing.assert_close(before - layer.weight.detach(), torch.full((2, 4), 0.5))
    assert layer.weight.dtype == torch.float32


def test_context_ends():
    layer = nn.Linear(4, 2)
    wrapper = BFloat16OptimWrapper(torch.optim.SGD(layer.parameters(), lr=0.5))
    with wrapper.optim_context(layer):
        pass
    assert layer(torch.ones(1, 4)).dtype == torch.float32


class TwoStages(nn.Module):
    """What a two-stage detector gives mmcv's operators: outputs of the RPN, features of regions."""

    def __init__(self):
        super().__init__()
        self.rpn_head = nn.Linear(4, 2)
        self.roi_head = nn.Module()
        self.roi_head.bbox_roi_extractor = nn.Identity()


def test_two_stage_detectors_choose_and_cut_out_losses_in_float32():
    model = TwoStages()
    wrapper = BFloat16OptimWrapper(torch.optim.SGD(model.parameters(), lr=.5))
    features = torch.ones(1, 4)
    with wrapper.optim_context(model):
        assert model.rpn_head(features).dtype == torch.float32
        assert model.roi_head.bbox_roi_extractor(features.bfloat16()).dtype == torch.float32
    # The hooks are gone with the context; a model wrapped for several processes is unwrapped.
    with torch.autocast('cpu', torch.bfloat16):
        assert model.rpn_head(features).dtype == torch.bfloat16
    assert not model.rpn_head._forward_hooks
    assert not model.roi_head.bbox_roi_extractor._forward_pre_hooks
    with losses_in_float32(nn.Linear(1, 1)):
        pass


def test_only_floats_are_cast():
    given = [torch.ones(1).bfloat16(), (torch.ones(1).double(), torch.ones(1).long()), 'name']
    first, (second, third), name = to_float32(given)
    assert [value.dtype for value in (first, second, third)] == [torch.float32, torch.float32,
                                                                 torch.int64]
    assert name == 'name'
    pair = to_float32(Pair(torch.ones(1).half(), 'b'))
    assert type(pair) is Pair
    assert pair.first.dtype == torch.float32


class OneStage(nn.Module):
    def __init__(self):
        super().__init__()
        self.bbox_head = nn.Linear(4, 2)


@pytest.fixture(params=['bfloat16', 'float16'])
def make_wrapper(request, monkeypatch):
    """Build a wrapper of ``--amp``; mmengine's is for GPUs alone, and casts to bfloat16 here."""
    if request.param == 'bfloat16':
        return lambda model: BFloat16OptimWrapper(torch.optim.SGD(model.parameters(), lr=.5))
    monkeypatch.setattr('mmengine.optim.optimizer.amp_optimizer_wrapper.is_cuda_available',
                        lambda: True)
    return lambda model: Float16OptimWrapper(optimizer=torch.optim.SGD(model.parameters(), lr=.5),
                                             dtype='bfloat16')


@pytest.mark.filterwarnings('ignore')  # torch's, of a loss scale without a GPU
def test_losses_get_the_outputs_of_heads_in_float32(make_wrapper):
    model, features = OneStage(), torch.ones(1, 4)
    wrapper = make_wrapper(model)
    seen = []
    model.bbox_head.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    with wrapper.optim_context(model):
        assert model.bbox_head(features).dtype == torch.float32
    assert seen == [torch.bfloat16]  # the layer itself computes in half precision
    assert len(model.bbox_head._forward_hooks) == 1
    assert hasattr(wrapper, 'loss_scaler') == isinstance(wrapper, Float16OptimWrapper)


def test_why_a_focal_loss_needs_float32():
    """mmcv's kernel on GPUs, whose terms of an anchor that shows nothing are 0 times log(p)."""
    def unused_term(logit):
        p = 1 / (1 + torch.exp(-logit))
        smallest = torch.tensor(torch.finfo(torch.float32).tiny).to(logit.dtype)
        return 0 * (1 - p) ** 2 * torch.log(torch.maximum(p, smallest))
    assert unused_term(torch.tensor(-12.)) == 0
    assert unused_term(torch.tensor(-10.).half()) == 0
    assert torch.isnan(unused_term(torch.tensor(-12.).half()))


@pytest.mark.parametrize('avx512, amx, cuda, ratio, gains', [
    (True, False, False, .6, True), (False, True, False, .3, True), (False, False, False, .5, False),
    (True, True, True, .5, False),
    (True, False, False, 1.3, False), (True, False, False, .95, False)])  # an Intel Xeon without AMX
def test_it_gains_where_a_convolution_is_faster(avx512, amx, cuda, ratio, gains, monkeypatch):
    monkeypatch.setattr(torch.cpu, '_is_avx512_bf16_supported', lambda: avx512, raising=False)
    monkeypatch.setattr(torch.cpu, '_is_amx_tile_supported', lambda: amx, raising=False)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: cuda)
    monkeypatch.setattr(mixed_precision, 'time_convolution',
                        lambda dtype: 1. if dtype is None else ratio)
    assert gains_from_bfloat16() == gains
    monkeypatch.delattr(torch.cpu, '_is_avx512_bf16_supported')
    monkeypatch.delattr(torch.cpu, '_is_amx_tile_supported')
    assert not gains_from_bfloat16()  # another torch, which tells neither


def test_the_time_of_a_convolution_is_the_median_after_warming_up(monkeypatch):
    """Of clock readings whose differences are 9, 9, 1, 5, 2, 4 and 3: the first two warm up."""
    seconds = [9, 9, 1, 5, 2, 4, 3]
    readings = iter([reading for start, taken in enumerate(seconds)
                     for reading in (100 * start, 100 * start + taken)])
    monkeypatch.setattr(mixed_precision.time, 'process_time', lambda: next(readings))
    asked = []
    monkeypatch.setattr(mixed_precision.F, 'conv2d', lambda values, weight: asked.append(
        torch.is_autocast_enabled('cpu')) or values)
    assert mixed_precision.time_convolution(torch.bfloat16) == 3
    assert asked == [True] * 7
