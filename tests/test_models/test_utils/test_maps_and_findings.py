"""Merging levels into one map of the frame, and reading findings off it."""
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwindow.models.utils import (
    crop_to_frame,
    findings_from_map,
    instances_from_map,
    merge_levels,
    resize_maps,
    sample_bilinear,
)

# Findings: negative images first.


def test_a_map_below_the_threshold_has_no_findings():
    findings = findings_from_map(torch.full((2, 8, 8), 0.4), 0.5)
    assert findings.bboxes.shape == (0, 4)
    assert findings.scores.shape == findings.labels.shape == (0,)
    assert findings.labels.dtype == torch.int64


def test_findings_are_eight_connected_boxes_of_whole_cells():
    scores = torch.zeros(2, 6, 8)
    scores[0, 1, 1], scores[0, 2, 2] = 0.6, 0.7   # touch by a corner: one finding
    scores[0, 5, 7] = 0.5                         # the threshold itself belongs to it
    scores[1, 0, 4:7] = torch.tensor([0.9, 0.5, 0.8])
    findings = findings_from_map(scores, 0.5)
    assert findings.bboxes.tolist() == [[4, 0, 7, 1], [1, 1, 3, 3], [7, 5, 8, 6]]
    assert findings.scores.tolist() == pytest.approx([0.9, 0.7, 0.5])
    assert findings.labels.tolist() == [1, 0, 0]


def test_a_box_does_not_take_the_score_of_a_neighbour_inside_it():
    scores = torch.zeros(1, 5, 5)
    scores[0, 0, :], scores[0, :, 0] = 0.6, 0.6   # an angle whose box spans the map
    scores[0, 3, 3] = 0.9                         # another finding within that box
    findings = findings_from_map(scores, 0.5)
    assert findings.bboxes.tolist() == [[3, 3, 4, 4], [0, 0, 5, 5]]
    assert findings.scores.tolist() == pytest.approx([0.9, 0.6])


def test_only_the_highest_are_kept():
    scores = torch.zeros(1, 1, 9)
    scores[0, 0, ::2] = torch.tensor([0.6, 0.9, 0.7, 0.8, 0.95])
    findings = findings_from_map(scores, 0.5, max_findings=2)
    assert findings.bboxes[:, 0].tolist() == [8, 2]


def test_boxes_of_a_rectangular_frame_in_pixels_of_the_image():
    # A frame of 16 x 32 pixels (height x width) in cells of 4, of an image twice as large.
    scores = torch.zeros(1, 4, 8)
    scores[0, 1, 5:7] = 0.9
    meta = dict(ori_shape=(30, 64), img_shape=(16, 32), scale_factor=(0.5, 0.5))
    assert instances_from_map(scores, meta).bboxes.tolist() == [[40, 8, 56, 16]]
    assert instances_from_map(scores, meta, rescale=False).bboxes.tolist() == [[20, 4, 28, 8]]


# Merging.

@pytest.mark.parametrize('num_levels', [1, 2, 4])
def test_constant_maps_stay_constant(num_levels):
    """Of 400 sets of constant levels none falls apart; by F.interpolate in float32 71 do."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(100):
        rows, columns = (8 * torch.randint(1, 20, (2, ), generator=generator)).tolist()
        values = 4 * torch.randn(num_levels, generator=generator)
        merged = merge_levels([torch.full((1, 1, rows // 2 ** level, columns // 2 ** level), value)
                               for level, value in enumerate(values.tolist())])
        assert merged.shape == (1, 1, rows, columns) and len(merged.unique()) == 1
        assert merged.max().item() == pytest.approx(values.sigmoid().mean().item(), abs=1e-6)


@settings(max_examples=100, deadline=None)
@given(value=st.floats(-1e6, 1e6, width=32), rows=st.integers(1, 9), columns=st.integers(1, 9),
       size=st.tuples(st.integers(1, 40), st.integers(1, 40)), is_double=st.booleans())
def test_resizing_keeps_every_plateau(value, rows, columns, size, is_double):
    maps = torch.full((1, 1, rows, columns), value)
    maps[..., 0, 0] = 0.                     # all else is one plateau
    maps = maps.double() / 3 if is_double else maps
    resized = resize_maps(maps, size)
    apart = sample_bilinear((maps == maps[..., -1:, -1:]).float(), *(
        (torch.arange(new) + 0.5).reshape(shape) * old / new
        for new, old, shape in zip(size, (rows, columns), ((-1, 1), (1, -1)), strict=True)))
    assert (resized[apart == 1] == maps[0, 0, -1, -1]).all()


def test_resizing_is_bilinear_with_unaligned_corners():
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(2, 3, 5, 7, generator=generator)
    for size in ((5, 7), (40, 56), (11, 3), (1, 1)):
        torch.testing.assert_close(resize_maps(maps, size), F.interpolate(
            maps, size=size, mode='bilinear', align_corners=False))


@pytest.mark.parametrize('shape', [(48, 64), (64, 48), (64, 64), (4, 4)])
def test_a_map_covers_exactly_its_frame(shape):
    maps = torch.arange(256.).reshape(1, 16, 16)          # 64 x 64 pixels, padded for a batch
    cut = crop_to_frame(maps, dict(img_shape=shape), 4)
    assert torch.equal(cut, maps[:, :shape[0] // 4, :shape[1] // 4])


@pytest.mark.parametrize('shape', [(50, 64), (64, 63)])
def test_a_frame_that_ends_within_a_cell_is_rejected(shape):
    with pytest.raises(ValueError, match='film.png.* no multiple of its finest stride 4.*PadToInput'):
        crop_to_frame(torch.zeros(1, 16, 16), dict(img_shape=shape, img_path='film.png'), 4)


def test_levels_are_averaged_after_the_sigmoid():
    logits = [torch.full((1, 1, 8 // 2 ** k, 8 // 2 ** k), float(value))
              for k, value in enumerate((-50, 50, 0, 0))]
    merged = merge_levels(logits)
    assert merged.shape == (1, 1, 8, 8)
    torch.testing.assert_close(merged, torch.full((1, 1, 8, 8), (0 + 1 + .5 + .5) / 4))


def test_upsampling_is_bilinear_with_unaligned_corners():
    fine, coarse = torch.full((1, 1, 1, 4), -50.), torch.tensor([[[[0., 50.]]]])
    # Sigmoids .5 and 1 at x = 1 and 3 of 4: .5, .625, .875, 1 at the cells' centres.
    torch.testing.assert_close(merge_levels([fine, coarse])[0, 0, 0],
                               torch.tensor([.5, .625, .875, 1.]) / 2)


def test_merge_equals_the_mean_of_separate_maps():
    generator = torch.Generator().manual_seed(0)
    logits = [torch.randn(2, 3, 32 // 2 ** k, 32 // 2 ** k, generator=generator)
              for k in range(4)]
    expected = sum(F.interpolate(level.sigmoid(), size=(32, 32), mode='bilinear',
                                 align_corners=False) for level in logits) / 4
    torch.testing.assert_close(merge_levels(logits), expected)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_scores_are_float32_from_low_precision_logits(dtype):
    # 8.5 and 9 are exact in both types, their sigmoids are 1 in either.
    logits = torch.tensor([[[[8.5, 9.]]]], dtype=dtype)
    with torch.autocast('cpu', dtype=dtype):
        merged = merge_levels([logits])
    assert merged.dtype == torch.float32
    assert merged[0, 0, 0, 0] < merged[0, 0, 0, 1] < 1
