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
@pytest.mark.parametrize('shape', [(1, 3, 6, 6), (2, 300, 12, 8), (3, 16, 3, 10), (1, 257, 7, 9)])
@pytest.mark.parametrize('kernel, stride, padding', [(6, 2, 2), (4, 2, 1), (5, 2, 2), (3, 3, 0)])
@pytest.mark.parametrize('num_threads', [1, 2])
def test_strided_gradients_are_those_of_torch_in_double_precision(shape, kernel, stride, padding,
                                                                  num_threads):
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(shape, generator=generator)
    case = (features.contiguous(memory_format=torch.channels_last).requires_grad_(),
            torch.randn(shape[1], 1, kernel, kernel, generator=generator).requires_grad_(),
            torch.randn(shape[1], generator=generator).requires_grad_())
    before = torch.get_num_threads()
    torch.set_num_threads(num_threads)
    try:
        output = DepthwiseConvolution.apply(*case, (stride, stride), (padding, padding))
        slope = torch.randn(output.shape, generator=generator)
        found = torch.autograd.grad(output, case, slope)
    finally:
        torch.set_num_threads(before)
    exact = [value.detach().double().requires_grad_() for value in case]
    expected = F.conv2d(*exact, stride, padding, groups=shape[1])
    torch.testing.assert_close(output.double(), expected, atol=1e-4, rtol=1e-5)
    for value, reference in zip(found, torch.autograd.grad(expected, exact, slope.double()),
                                strict=True):
        scale = reference.abs().max().item()
        torch.testing.assert_close(value.double(), reference, atol=3e-6 * scale, rtol=1e-5)


@needs_numba
def test_it_applies_where_it_is_right_and_faster():
    features, weight, _ = make_case(1, 4, 6, 6)
    assert is_faster(features, weight, (1, 1))
    assert is_faster(features, weight, (2, 2)) and is_faster(features, weight[..., :3, :3], (2, 2))
    assert not is_faster(features, weight, (2, 1)), 'one stride for both directions'
    assert not is_faster(features, weight[..., :3, :3], (1, 1))
    assert not is_faster(features.contiguous(), weight, (1, 1))
    assert not is_faster(features[..., :4].contiguous(memory_format=torch.channels_last), weight,
                         (1, 1)), 'narrower than the kernel'
    assert not is_faster(features.double(), weight, (1, 1))
    assert not is_faster(features, weight.detach(), (1, 1)), 'frozen weights'
    with torch.no_grad():
        assert not is_faster(features, weight, (1, 1))
    with torch.autocast('cpu', torch.float16):
        assert not is_faster(features, weight, (1, 1))
    with torch.autocast('cpu', torch.bfloat16):
        assert is_faster(features, weight, (1, 1))
        assert is_faster(features.bfloat16(), weight, (2, 2))
        assert is_faster(features, weight[..., :3, :3], (2, 2))
        assert not is_faster(features, weight[..., :3, :3], (1, 1)), 'torch has that one'
        assert not is_faster(features, weight.expand(4, 2, 5, 5), (1, 1)), 'not depthwise'
        assert not is_faster(features.contiguous(), weight, (1, 1))
        assert not is_faster(features, weight.detach(), (1, 1))


@pytest.mark.parametrize('has_numba', [True, False])
@pytest.mark.parametrize('kernel, stride, padding', [
    (5, 1, 2), (5, 2, 2), (6, 2, 2), (3, 2, 1), (4, 2, 1)])
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_in_bfloat16_gradients_are_exact_but_for_what_is_rounded(kernel, stride, padding, dtype,
                                                                 has_numba, monkeypatch):
    """With features, kernel and slope of few bits, products are exact: sums alone are rounded.

    Those of weights and bias are summed in float32, and here all but exact. A gradient of features
    is rounded to bfloat16, 8 bits, once.
    """
    if not has_numba:
        monkeypatch.setattr(depthwise, 'compiled_gradient', lambda: None)
    generator = torch.Generator().manual_seed(0)
    shape = (2, 6, 12, 8)
    features = torch.randint(-8, 9, shape, generator=generator).to(dtype)
    weight = torch.randint(-8, 9, (6, 1, kernel, kernel), generator=generator).float()
    case = (features.contiguous(memory_format=torch.channels_last).requires_grad_(),
            weight.requires_grad_(), torch.arange(6.).requires_grad_())
    with torch.autocast('cpu', torch.bfloat16):
        output = DepthwiseConvolution.apply(*case, (stride, stride), (padding, padding))
    assert output.dtype == torch.bfloat16
    slope = torch.randint(-8, 9, output.shape, generator=generator).float()
    found = torch.autograd.grad(output, case, slope.bfloat16())
    exact = [value.detach().double().requires_grad_() for value in case]
    expected = F.conv2d(*exact, stride, padding, groups=6)
    torch.testing.assert_close(output.double(), expected, atol=.01, rtol=2 ** -8)
    references = torch.autograd.grad(expected, exact, slope.double())
    assert [value.dtype for value in found] == [dtype, torch.float32, torch.float32]
    torch.testing.assert_close(found[0].double(), references[0], atol=.01, rtol=2 ** -8)
    for value, reference in zip(found[1:], references[1:], strict=True):
        torch.testing.assert_close(value.double(), reference, atol=1e-3, rtol=1e-6)


def test_the_backbone_in_bfloat16_learns_what_it_learns_in_float32():
    """The gradient's direction: that of torch's own bfloat16 is as near to float32's."""
    from mmwindow.models.backbones import efficientnet_lite
    torch.manual_seed(0)
    model = efficientnet_lite.EfficientNetLite(pretrained=False, frozen_stages=3, norm_eval=True)
    model.to(memory_format=torch.channels_last).train()
    imgs = torch.randn(2, 3, 64, 64).contiguous(memory_format=torch.channels_last)

    def gradients(dtype=None):
        model.zero_grad()
        with torch.autocast('cpu', torch.bfloat16, enabled=dtype is not None):
            sum((level.float() ** 2).mean() for level in model(imgs)).backward()
        return torch.cat([parameter.grad.ravel() for parameter in model.parameters()
                          if parameter.grad is not None])

    single, own = gradients(), gradients(torch.bfloat16)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(efficientnet_lite, 'is_faster', lambda *arguments: False)
        torchs = gradients(torch.bfloat16)
    near, torchs_near = (torch.cosine_similarity(single, one, dim=0) for one in (own, torchs))
    assert near > .98 and near > torchs_near - .01


def test_without_numba_torch_does_it(monkeypatch):
    monkeypatch.setattr(depthwise, 'compiled_gradient', lambda: None)
    features, weight, _ = make_case(1, 4, 6, 6)
    assert not is_faster(features, weight, (1, 1)) and not is_faster(features, weight, (2, 2))


@needs_numba
def test_features_that_need_no_gradient_get_none():
    features, weight, bias = make_case(1, 4, 6, 6)
    features = features.detach()
    DepthwiseConvolution.apply(features, weight, bias).sum().backward()
    assert features.grad is None
    # Each output sums 25 products: the weight at the centre meets every pixel.
    torch.testing.assert_close(weight.grad[:, 0, 2, 2], features.sum((0, 2, 3)), atol=1e-4, rtol=1e-4)
    assert bias.grad.tolist() == [36.] * 4
