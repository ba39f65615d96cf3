"""ROC and FROC plots, pictures of predictions, and the visualizer of MMDetection's tools.

Curves need matplotlib, pictures need OpenCV; each says so when it is used, not when it is imported.
"""
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmwindow.visualization.curves import PAPER_FIGURE, PlotSettings, plot_froc, plot_roc
    from mmwindow.visualization.examples import Example, JudgedFindings, find_boxes, judge_example
    from mmwindow.visualization.overlay import draw_bounds, overlay_heatmap, side_by_side
    from mmwindow.visualization.panels import save_overlays, sort_examples

_HOMES = {
    'curves': ('PAPER_FIGURE', 'PlotSettings', 'plot_froc', 'plot_roc'),
    'examples': ('Example', 'JudgedFindings', 'find_boxes', 'judge_example'),
    'overlay': ('draw_bounds', 'overlay_heatmap', 'side_by_side'),
    'panels': ('save_overlays', 'sort_examples')}

__all__ = ['PAPER_FIGURE', 'Example', 'JudgedFindings', 'PlotSettings', 'draw_bounds', 'find_boxes',
           'judge_example', 'overlay_heatmap', 'plot_froc', 'plot_roc', 'save_overlays',
           'side_by_side', 'sort_examples']


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f'{__name__}.{module}'), name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
