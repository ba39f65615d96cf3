"""bfloat16 autocast on machines where mmengine's AmpOptimWrapper refuses to run."""
import torch
from torch import nn

from mmwindow.engine import BFloat16OptimWrapper


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
