"""Pure functions that heads and detectors share."""
from .findings import findings_from_map
from .maps import merge_levels

__all__ = ['findings_from_map', 'merge_levels']
