"""ROC and FROC plots, and heat maps over films; numpy, OpenCV and matplotlib only.

Where OpenCV is not installed the plots of curves are still here.
"""
from importlib.util import find_spec

from mmwindow.visualization.curves import plot_froc, plot_roc

__all__ = ['plot_froc', 'plot_roc']

if find_spec('cv2') is not None:
    from mmwindow.visualization.examples import Example, find_boxes, judge_example  # noqa: F401
    from mmwindow.visualization.overlay import overlay_heatmap, side_by_side  # noqa: F401
    from mmwindow.visualization.panels import save_overlays, sort_examples  # noqa: F401

    __all__ += ['Example', 'find_boxes', 'judge_example', 'overlay_heatmap', 'save_overlays',
                'side_by_side', 'sort_examples']
