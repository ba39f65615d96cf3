"""Other ways to test trainings that studies have made, beside the one they were tested in."""
from collections.abc import Mapping
from typing import Any

# Name -> what a test does in another way. 4 % in place of 10 %, which a map within a window hardly
# fails (two disks that merge cornerwise do); or by distance.
OTHER_RULES: Mapping[str, Mapping[str, Any]] = {
    'overlap4': {'test_evaluator.max_overlap': .04},
    'distance': {'test_evaluator.rule': 'distance', 'test_evaluator.hit_radius': 50}}
# Boxes that overlap by a tenth are one finding, in place of a half: the systems with
# non-maximum suppression alone find otherwise.
OTHER_TESTS: Mapping[str, Mapping[str, Any]] = {
    **OTHER_RULES, 'nms10': {'model.test_cfg.nms.iou_threshold': .1}}
