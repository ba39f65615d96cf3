"""The runtime says of each system what torch says: frames, scores, maps, findings."""
import numpy as np
import pytest
from mmdet.models import DetDataPreprocessor

from mmwindow.runtime import load_model
from mmwindow.runtime.frames import make_frame
from mmwindow.structures.image_prediction import ImagePrediction

EVERYDAY = ['windowloss/wl_kld_lite0_fpn', 'windowloss/wl_plus_lite0_fpn',
            'faster_rcnn/faster_rcnn_lite0_fpn']
OTHERS = ['retinanet/ablations/retinanet_lite0_fpn_image_fracatlas', 'windowloss/wl_mse_lite0_fpn',
          'chexnet/chexnet_lite0', 'wspl/wspl_lite0', 'ufdet/ufdet_lite0',
          'retinanet/retinanet_lite0_fpn', 'fcos/fcos_lite0_fpn', 'windowloss/wl_kld_r50_fpn',
          'windowloss/wl_plus_r50_fpn', 'retinanet/retinanet_r50_fpn', 'fcos/fcos_r50_fpn']
SYSTEMS = [*EVERYDAY, *(pytest.param(name, marks=pytest.mark.long) for name in OTHERS)]


@pytest.mark.parametrize('system', SYSTEMS)
def test_scores_maps_and_findings_are_those_of_torch(system, exported):
    model = exported(system)
    # The order of sums differs between torch and ONNX Runtime: 1e-5, as an export allows.
    check = model.result.check
    assert check.images == 3 and check.score_difference <= 1e-5 and check.box_difference <= .01
    runtime = load_model(model.path)
    theirs = model.inferencer(model.images, batch_size=3)
    ours = runtime.predict(model.images, batch_size=2)  # a batch of two and one of one
    num_findings = 0
    for our, their in zip(ours, theirs, strict=True):
        assert isinstance(our, ImagePrediction) and our.classes == their.classes == ('fracture', )
        assert (our.name, our.image_size) == (their.name, their.image_size)
        assert np.allclose(our.image_scores, their.image_scores, rtol=0, atol=1e-5)
        assert our.image_scores.dtype == their.image_scores.dtype
        assert our.image_scores.shape == their.image_scores.shape == (1, )
        assert (our.heatmap is None) == (their.heatmap is None)
        if our.heatmap is not None:
            assert our.heatmap.shape == their.heatmap.shape
            assert our.heatmap.dtype == their.heatmap.dtype
            assert np.allclose(our.heatmap, their.heatmap, rtol=0, atol=1e-5)
        assert our.boxes.shape == their.boxes.shape
        # What the second stage of Faster R-CNN reads moves with its regions.
        assert np.allclose(our.scores, their.scores, rtol=0, atol=1e-4)
        assert np.array_equal(our.labels, their.labels)
        # Two findings of one score may change places.
        order, other = (np.lexsort((*each.boxes.T.round(1), each.scores.round(3)))
                        for each in (our, their))
        assert np.allclose(our.boxes[order], their.boxes[other], rtol=0, atol=.01)
        assert np.allclose(our.peaks[order], their.peaks[other], rtol=0, atol=.01)
        num_findings += len(our.boxes)
    assert num_findings >= 3


def test_frames_are_torchs_to_the_bit(exported, monkeypatch):
    model = exported(EVERYDAY[0])
    seen = []
    forward = DetDataPreprocessor.forward

    def spy(self, data, training=False):
        seen.extend(np.asarray(image) for image in data['inputs'])
        return forward(self, data, training)

    monkeypatch.setattr(DetDataPreprocessor, 'forward', spy)
    generator = np.random.default_rng(0)
    images = [*model.images, generator.integers(0, 2 ** 16, (200, 90)).astype(np.uint16),
              generator.integers(0, 256, (20, 33)).astype(np.uint8),  # enlarged
              np.repeat(generator.integers(0, 256, (80, 70, 1)), 3, axis=2).astype(np.uint8),
              np.full((1, 1), 7, dtype=np.uint8), np.zeros((1, 3000), dtype=np.uint8)]
    model.inferencer(images)
    for image, theirs in zip(images, seen, strict=True):
        ours = make_frame(image, load_model(model.path).info, 'image')
        assert ours.pixels.dtype == theirs.dtype == np.uint8
        assert np.array_equal(np.repeat(ours.pixels[None], 3, axis=0), theirs)


def test_an_image_without_a_finding_has_none(exported):
    model = exported(EVERYDAY[0])
    prediction, = load_model(model.path).predict(model.images[0], threshold=1.)
    assert prediction.boxes.shape == (0, 4) and prediction.peaks.shape == (0, 2)
    assert prediction.scores.shape == prediction.labels.shape == (0, )


@pytest.mark.parametrize('system', EVERYDAY)
def test_a_threshold_keeps_findings_of_at_least_it(system, exported):
    model = exported(system)
    runtime = load_model(model.path)
    everything = runtime.predict(model.images, threshold=0., with_maps=False)
    middle = float(np.median(np.concatenate([each.scores for each in everything])))
    for each in runtime.predict(model.images, threshold=middle):
        assert (each.scores >= middle).all()
    assert all(each.heatmap is None for each in everything)
