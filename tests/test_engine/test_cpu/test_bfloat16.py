"""bfloat16 autocast on machines where mmengine's AmpOptimWrapper refuses to run."""
import pytest
import torch
from torch import nn

from mmwindow.engine import BFloat16OptimWrapper
from mmwindow.engine.cpu.bfloat16 import gains_from_bfloat16, regions_in_float32, to_float32


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


def test_two_stage_detectors_choose_and_cut_out_regions_in_float32():
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
    with regions_in_float32(nn.Linear(1, 1)):
        pass


def test_only_floats_are_cast():
    given = [torch.ones(1).bfloat16(), (torch.ones(1).double(), torch.ones(1).long()), 'name']
    first, (second, third), name = to_float32(given)
    assert [value.dtype for value in (first, second, third)] == [torch.float32, torch.float32,
                                                                 torch.int64]
    assert name == 'name'


@pytest.mark.parametrize('avx512, amx, cuda, gains', [
    (True, False, False, True), (False, True, False, True), (False, False, False, False),
    (True, True, True, False)])
def test_it_gains_where_the_processor_has_instructions_for_it(avx512, amx, cuda, gains, monkeypatch):
    monkeypatch.setattr(torch.cpu, '_is_avx512_bf16_supported', lambda: avx512, raising=False)
    monkeypatch.setattr(torch.cpu, '_is_amx_tile_supported', lambda: amx, raising=False)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: cuda)
    assert gains_from_bfloat16() == gains
    monkeypatch.delattr(torch.cpu, '_is_avx512_bf16_supported')
    monkeypatch.delattr(torch.cpu, '_is_amx_tile_supported')
    assert not gains_from_bfloat16()  # another torch, which tells neither
