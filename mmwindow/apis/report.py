"""Pictures and a page for one test run."""


def draw_report(out, curves, predictions, metrics):
    """Placeholder until the visualization stands."""
    raise NotImplementedError
