"""The line of a validation shows the numbers of the paper's tables."""
from mmwindow.engine.hooks.progress_hook import SHOWN
from mmwindow.evaluation.metric_names import PAPER_METRICS


def test_progress_shows_the_numbers_of_the_papers_tables():
    """`engine` lies below `evaluation` and cannot import its names; here both are compared."""
    assert SHOWN == tuple(f'froc/{name}' for name in PAPER_METRICS)
