"""The hit rules by which studies test their trainings a second time."""
from collections.abc import Mapping
from typing import Any

# Name -> how a test differs from one by the paper's rule: 4 % in place of 10 %, which a map within
# a window hardly fails (two disks that merge cornerwise do); or by distance.
OTHER_RULES: Mapping[str, Mapping[str, Any]] = {
    'overlap4': {'test_evaluator.max_overlap': .04},
    'distance': {'test_evaluator.rule': 'distance', 'test_evaluator.hit_radius': 50}}
