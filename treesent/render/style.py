"""One style for all pictures that matplotlib draws: the tree's colours, on a ground that shows the page through."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from treesent.errors import DataError, MissingExtraError
from treesent.files import replacing
from treesent.render.svg import NEGATIVE, NEUTRAL, POSITIVE

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

KINDS = (".png", ".svg")


def hexadecimal(colour: tuple[int, int, int]) -> str:
    """Write a colour as matplotlib and SVG take it.

    :param colour: red, green and blue, up to 255.
    """
    return "#" + "".join(f"{part:02x}" for part in colour)


BLUE, RED, INK = hexadecimal(POSITIVE), hexadecimal(NEGATIVE), hexadecimal(NEUTRAL)
COLOURS = (BLUE, "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8d95a3")
"""Between the tree's blue and its grey those of Okabe and Ito, which colour-blind readers tell apart too."""
LINES = ("-", "--", ":")

_STYLE: Any = {
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": INK,
    "grid.alpha": 0.18,
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 8,
    # Text stays text, and equal runs give equal files.
    "svg.fonttype": "none",
    "svg.hashsalt": "treesent",
}


def check_picture(path: str | Path) -> Path:
    """Refuse a file that is not a picture, before any work is done.

    :param path: the file.
    :raises DataError: its suffix is not that of a picture.
    """
    path = Path(path)
    if path.suffix.lower() not in KINDS:
        raise DataError(
            f"{path}: the suffix {path.suffix!r} is not that of a picture; use {' or '.join(KINDS)}"
        )
    return path


def save_figure(make: "Callable[[], Figure]", path: str | Path) -> None:
    """Draw a figure in the style, to a file.

    :param make: draws it.
    :param path: a ``.png`` or a ``.svg``.
    :raises DataError: another suffix.
    :raises MissingExtraError: matplotlib is not installed.
    """
    path = check_picture(path)
    try:
        import matplotlib as mpl
    except ImportError:
        raise MissingExtraError("matplotlib", "viz") from None
    with mpl.rc_context(_STYLE):
        kind = path.suffix.lower()[1:]
        metadata = {"Date": None} if kind == "svg" else {}
        with replacing(path) as file:
            make().savefig(file, dpi=150, metadata=metadata, format=kind)
