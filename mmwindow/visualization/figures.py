"""Figures that need no display, written whole or not at all."""
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mmwindow.utils.files import atomic_file

# Okabe and Ito's colours: told apart by colour-blind readers too.
LINE_COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000')
# With the colour the dashes and the marker change: told apart in black and white, and on paper.
LINE_DASHES = ('-', (0, (5, 2)), (0, (1, 1.3)), (0, (6, 2, 1, 2)), (0, (3, 1.5)),
               (0, (5, 1.5, 1, 1.5, 1, 1.5)), (0, (8, 2)))
LINE_MARKERS = ('o', 's', '^', 'D', 'v', 'P', 'X')
# Suffixes that both matplotlib's Agg backend and a browser know.
FORMATS = ('.png', '.jpg', '.pdf', '.svg')


def line_style(number):
    """Return colour, dashes and marker of the curve with this number; the first 49 differ."""
    turn, place = divmod(number, len(LINE_COLOURS))
    return dict(color=LINE_COLOURS[place], linestyle=LINE_DASHES[(place + turn) % len(LINE_DASHES)],
                marker=LINE_MARKERS[(place + turn) % len(LINE_MARKERS)])


def new_figure(width, height):
    """Return an empty figure of a size in inches, on Agg whatever backend is chosen."""
    figure = Figure(figsize=(width, height), layout='constrained')
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure, path, dpi=120):
    """Write a figure; a file under its own name is whole.

    Returns:
        Path: Where it lies.

    Raises:
        ValueError: The suffix names no known format.
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f'{path}: the suffix is {path.suffix!r}; one of {FORMATS} is expected')
    with atomic_file(path) as part:
        figure.savefig(part, format=path.suffix[1:].lower(), dpi=dpi)
    return path
