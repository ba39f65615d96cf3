"""ROC and FROC plots, and heat maps over films; numpy, OpenCV and matplotlib only."""
from .curves import plot_froc, plot_roc
from .examples import Example, find_boxes, judge_example
from .overlay import overlay_heatmap, side_by_side
from .panels import save_overlays, sort_examples

__all__ = ['Example', 'find_boxes', 'judge_example', 'overlay_heatmap', 'plot_froc', 'plot_roc',
           'save_overlays', 'side_by_side', 'sort_examples']
