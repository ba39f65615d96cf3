"""torchvision://resnet50 without torchvision, and without the internet."""
import importlib.util
from urllib.error import HTTPError, URLError

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.registry import init_default_scope

import mmwindow  # noqa: F401  (registers the scheme)
from mmwindow.engine import pretrained

WAYS_OUT = ('resnet18-f37072fd.pth', '--cfg-options model.backbone.init_cfg.checkpoint=',
            'model.backbone.init_cfg=None', 'EfficientNetLite')


def build_backbone(checkpoint='torchvision://resnet18'):
    init_default_scope('mmdet')
    init_cfg = checkpoint and dict(type='Pretrained', checkpoint=checkpoint)
    return MODELS.build(dict(type='ResNet', depth=18, init_cfg=init_cfg))


@pytest.mark.parametrize('error', [
    URLError('Temporary failure in name resolution'),
    HTTPError('https://x', 403, 'Forbidden', {}, None),
    RuntimeError('invalid hash value'),
    TimeoutError('timed out'),
])
def test_a_failed_fetch_says_what_to_do(monkeypatch, error):
    def fail(url, map_location=None):
        raise error

    monkeypatch.setattr(pretrained, 'load_from_http', fail)
    with pytest.raises(ValueError, match='could not be fetched') as caught:
        build_backbone().init_weights()
    for words in WAYS_OUT:
        assert words in str(caught.value)


def test_weights_are_fetched_without_torchvision(monkeypatch):
    torch.manual_seed(5)
    weights = {name: torch.rand_like(value) if value.is_floating_point() else value
               for name, value in build_backbone(checkpoint=None).state_dict().items()}
    urls = []

    def fetch(url, map_location=None):
        urls.append(url)
        return weights

    monkeypatch.setattr(pretrained, 'load_from_http', fetch)
    backbone = build_backbone()
    backbone.init_weights()
    assert urls == ['https://download.pytorch.org/models/resnet18-f37072fd.pth']
    for name, value in backbone.state_dict().items():
        assert torch.equal(value, weights[name]), name


@pytest.mark.skipif(importlib.util.find_spec('torchvision') is not None,
                    reason='tells what happens without torchvision')
def test_an_unknown_name_without_torchvision():
    with pytest.raises(ValueError, match='only resnet18, .* are known without torchvision'):
        build_backbone('torchvision://densenet121').init_weights()
