"""Merging levels into one map, and reading findings off it."""
import pytest
import torch
import torch.nn.functional as F

from mmwindow.models.utils import findings_from_map, merge_levels

# Findings: normals first.


def test_a_map_below_the_threshold_has_no_findings():
    findings = findings_from_map(torch.full((2, 8, 8), 0.4), 0.5, (4., 4.))
    assert findings['boxes'].shape == (0, 4)
    assert findings['scores'].shape == findings['labels'].shape == (0,)
    assert findings['labels'].dtype == torch.int64


def test_findings_are_eight_connected_boxes_of_whole_cells():
    scores = torch.zeros(2, 6, 8)
    scores[0, 1, 1], scores[0, 2, 2] = 0.6, 0.7   # touch by a corner: one finding
    scores[0, 5, 7] = 0.5                         # the threshold itself belongs to it
    scores[1, 0, 4:7] = torch.tensor([0.9, 0.5, 0.8])
    findings = findings_from_map(scores, 0.5, (4., 2.))
    assert findings['boxes'].tolist() == [[16, 0, 28, 2], [4, 2, 12, 6], [28, 10, 32, 12]]
    assert findings['scores'].tolist() == pytest.approx([0.9, 0.7, 0.5])
    assert findings['labels'].tolist() == [1, 0, 0]


def test_a_box_does_not_take_the_score_of_a_neighbour_inside_it():
    scores = torch.zeros(1, 5, 5)
    scores[0, 0, :], scores[0, :, 0] = 0.6, 0.6   # an angle whose box spans the map
    scores[0, 3, 3] = 0.9                         # another finding within that box
    findings = findings_from_map(scores, 0.5, (1., 1.))
    assert findings['boxes'].tolist() == [[3, 3, 4, 4], [0, 0, 5, 5]]
    assert findings['scores'].tolist() == pytest.approx([0.9, 0.6])


def test_only_the_highest_are_kept():
    scores = torch.zeros(1, 1, 9)
    scores[0, 0, ::2] = torch.tensor([0.6, 0.9, 0.7, 0.8, 0.95])
    findings = findings_from_map(scores, 0.5, (1., 1.), max_findings=2)
    assert findings['boxes'][:, 0].tolist() == [8, 2]


# Merging.

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
