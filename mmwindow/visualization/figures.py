"""Figures that need no display, written atomically; matplotlib is imported when one is drawn."""
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmwindow.utils.files import atomic_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's colours and a brown: told apart by colour-blind readers too.
LINE_COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000',
                '#7A4A21')
# With the colour the dashes and the marker change: told apart in black and white, and on paper.
LINE_DASHES = ('-', (0, (5, 2)), (0, (1, 1.3)), (0, (6, 2, 1, 2)), (0, (3, 1.5)),
               (0, (5, 1.5, 1, 1.5, 1, 1.5)), (0, (8, 2)), (0, (2, 1)))
LINE_MARKERS = ('o', 's', '^', 'D', 'v', 'P', 'X', '*')
# Suffixes that both matplotlib's Agg backend and a browser know.
FORMATS = ('.png', '.jpg', '.pdf', '.svg')


def line_style(number: int) -> dict[str, Any]:
    """Return colour, dashes and marker of the curve with this number; the first 64 differ."""
    turn, place = divmod(number, len(LINE_COLOURS))
    return dict(color=LINE_COLOURS[place], linestyle=LINE_DASHES[(place + turn) % len(LINE_DASHES)],
                marker=LINE_MARKERS[(place + turn) % len(LINE_MARKERS)])


def new_figure(width: float, height: float) -> 'Figure':
    """Return an empty figure of a size in inches, on Agg whatever backend is chosen.

    Raises:
        ImportError: matplotlib is not installed; the message names the extra.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('plots need matplotlib, which is not installed; '
                          "pip install 'mmwindow[plots]'") from error
    figure = Figure(figsize=(width, height), layout='constrained')
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: 'Figure', path: str | Path, dpi: int = 120) -> Path:
    """Write a figure atomically and return where it lies.

    Args:
        figure: From :func:`new_figure`.
        path: .png, .jpg, .pdf or .svg.
        dpi: Pixels per inch.

    Raises:
        ValueError: The suffix names no known format.
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f'{path}: the suffix is {path.suffix!r}; one of {FORMATS} is expected')
    _show_words_as_they_are(figure)
    # No date and no random names in an SVG: the same curves give the same file.
    from matplotlib import rc_context
    is_svg = path.suffix.lower() == '.svg'
    with atomic_file(path) as part, rc_context({'svg.hashsalt': 'mmwindow'}):
        figure.savefig(part, format=path.suffix[1:].lower(), dpi=dpi,
                       metadata={'Date': None} if is_svg else None)
    return path


def _show_words_as_they_are(figure: 'Figure') -> None:
    """Let no words be read as mathematics: names of systems and classes may hold two dollar signs."""
    from matplotlib.text import Text
    for text in figure.findobj(Text):
        text.set_parse_math(False)  # type: ignore[attr-defined]
