"""The fast gradient of depthwise convolutions against torch's own, in float64."""
import pytest
import torch
import torch.nn.functional as F

from mmwindow.models.backbones import depthwise
from mmwindow.models.backbones.depthwise import DepthwiseConvolution, is_faster

pytestmark = pytest.mark.numeric
needs_numba = pytest.mark.skipif(depthwise.compiled_gradient() is None,
                                 reason='numba is not installed')


def make_case(num_imgs, channels, height, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(num_imgs, channels, height, width, generator=generator)
    return (features.contiguous(memory_format=torch.channels_last).requires_grad_(),
            torch.randn(channels, 1, 5, 5, generator=generator).requires_grad_(),
            torch.randn(channels, generator=generator).requires_grad_())


@needs_numba
@pytest.mark.parametrize('shape', [(1, 3, 5, 5), (2, 300, 6, 7), (3, 16, 1, 9), (2, 5, 12, 8),
                                   (1, 257, 24, 24)])
@pytest.mark.parametrize('num_threads', [1, 2])
def test_gradients_are_those_of_torch_in_double_precision(shape, num_threads):
    case = make_case(*shape)
    generator = torch.Generator().manual_seed(1)
    slope = torch.randn(shape, generator=generator)
    before = torch.get_num_threads()
    torch.set_num_threads(num_threads)
    try:
        output = DepthwiseConvolution.apply(*case)
        found = torch.autograd.grad(output, case, slope)
    finally:
        torch.set_num_threads(before)
    exact = [value.detach().double().requires_grad_() for value in case]
    expected = F.conv2d(*exact, padding=2, groups=shape[1])
    torch.testing.assert_close(output.double(), expected, atol=1e-4, rtol=1e-5)
    for value, reference in zip(found, torch.autograd.grad(expected, exact, slope.double()),
                                strict=True):
        scale = reference.abs().max().item()
        torch.testing.assert_close(value.double(), reference, atol=3e-6 * scale, rtol=1e-5)


@needs_numba
def test_it_applies_where_it_is_right_and_faster():
    features, weight, _ = make_case(1, 4, 6, 6)
    assert is_faster(features, weight, (1, 1))
    assert not is_faster(features, weight, (2, 2))
    assert not is_faster(features, weight[..., :3, :3], (1, 1))
    assert not is_faster(features.contiguous(), weight, (1, 1))
    assert not is_faster(features[..., :4].contiguous(memory_format=torch.channels_last), weight,
                         (1, 1)), 'narrower than the kernel'
    assert not is_faster(features.double(), weight, (1, 1))
    assert not is_faster(features, weight.detach(), (1, 1)), 'frozen weights'
    with torch.no_grad():
        assert not is_faster(features, weight, (1, 1))
    with torch.autocast('cpu', torch.bfloat16):
        assert not is_faster(features, weight, (1, 1))


def test_without_numba_torch_does_it(monkeypatch):
    monkeypatch.setattr(depthwise, 'compiled_gradient', lambda: None)
    features, weight, _ = make_case(1, 4, 6, 6)
    assert not is_faster(features, weight, (1, 1))


@needs_numba
def test_features_that_need_no_gradient_get_none():
    features, weight, bias = make_case(1, 4, 6, 6)
    features = features.detach()
    DepthwiseConvolution.apply(features, weight, bias).sum().backward()
    assert features.grad is None
    # Each output sums 25 products: the weight at the centre meets every pixel.
    torch.testing.assert_close(weight.grad[:, 0, 2, 2], features.sum((0, 2, 3)), atol=1e-4, rtol=1e-4)
    assert bias.grad.tolist() == [36.] * 4
