"""Weights between 0 and 1 as a picture: a column for each word, a row for each symbol or gate, a scale below."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from treesent.render.shapes import Arrow, Box, Drawing, Shape, Text
from treesent.render.style import BLUE
from treesent.render.svg import MARGIN, SIZE

CELL, BAR, WIDE = 28.0, 11.0, 46.0
"""Height of a cell and, at its foot, of its colour: a number on the page's own ground is legible on any page."""
LONGEST, GAP = 40, " … "
"""Characters of a row's name that are shown; the picture's tooltips have all."""
SCALE = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class AttentionMap:
    """What is to be drawn.

    :param words: the names of the columns.
    :param rows: the names of the rows.
    :param weights: of each word in each row. *Shape:* ``(n_rows, n_words)``.
    :param what: what a weight is.
    """

    words: Sequence[str]
    rows: Sequence[str]
    weights: npt.NDArray[np.float32]
    what: str = "attention"


def draw_attention(attention: AttentionMap, path: str | Path) -> None:
    """Draw attention, or the gates of a cell, to a file.

    :param attention: the weights.
    :param path: a ``.png`` or a ``.svg``.
    :raises DataError: another suffix.
    :raises MissingExtraError: a ``.png``, and matplotlib is not installed.
    """
    _drawing(attention).save(path)


def attention_svg(attention: AttentionMap) -> str:
    """Draw attention.

    :param attention: the weights.
    :returns: the SVG's text, which stands by itself and reads on a light and on a dark page.
    """
    return _drawing(attention).svg()


def _drawing(attention: AttentionMap) -> Drawing:
    # A few rows have room for whole numbers.
    wide = len(attention.rows) <= 6
    cell = max(WIDE, *map(_width, attention.words)) + 8 if wide else CELL
    names = [shortened(name) for name in attention.rows]
    left = MARGIN + max(map(_width, names)) + 8
    top = MARGIN + (SIZE if wide else 0.75 * max(map(_width, attention.words)) + 8) + 4
    bottom, right = top + CELL * len(names), left + cell * len(attention.words)
    shapes: list[Shape] = []
    for column, word in enumerate(attention.words):
        x = left + cell * (column + 0.5)
        anchor, turn = ("middle", 0.0) if wide else ("start", -48.0)
        shapes.append(Text(x, top - 6, word, anchor, turn=turn))  # type: ignore[arg-type]
    for row, name in enumerate(names):
        y = top + CELL * row
        shapes.append(Text(left - 8, y + 17, name, "end"))
        for column, weight in enumerate(attention.weights[row].tolist()):
            title = f"{attention.rows[row]}\n{attention.words[column]}: {weight:.0%}"
            shapes.append(Box(left + cell * column, y + CELL - BAR, cell, BAR, BLUE, weight, title=title))
            if wide or weight >= 0.005:
                number = f"{weight:.0%}" if wide else f"{100 * weight:.0f}"
                x = left + cell * (column + 0.5)
                shapes.append(Text(x, y + CELL - BAR - 4, number, size=12 if wide else 10))
    shapes += [
        Arrow(left + cell * i, top, left + cell * i, bottom, plain=True, opacity=0.25)
        for i in range(len(attention.words) + 1)
    ]
    shapes += [
        Arrow(left, top + CELL * i, right, top + CELL * i, plain=True, opacity=0.25)
        for i in range(len(names) + 1)
    ]
    shapes += _scale(left, bottom + 14, attention.what)
    width = max(right + (0 if wide else 0.75 * _width(attention.words[-1])), left + 250) + MARGIN
    return Drawing(shapes, width, bottom + 44 + MARGIN, f"{attention.what}: {' '.join(attention.words)}")


def _scale(x: float, y: float, what: str) -> list[Shape]:
    """The colours of some weights, with their numbers."""
    shapes: list[Shape] = [Text(x, y + 10, f"{what}, percent", "start", size=11)]
    for place, weight in enumerate(SCALE):
        left = x + 34 * place
        shapes.append(Box(left, y + 16, 34, 10, BLUE, weight))
        shapes.append(Text(left + 17, y + 38, f"{100 * weight:.0f}", size=10))
    shapes += [Arrow(x, y + 16, x + 170, y + 16, True, 0.25), Arrow(x, y + 26, x + 170, y + 26, True, 0.25)]
    return shapes


def shortened(name: str) -> str:
    """Leave the middle of a long name out, whole words where there are any in it.

    :param name: of a row.
    :returns: at most :data:`LONGEST` characters.
    """
    if len(name) <= LONGEST:
        return name
    half = (LONGEST - len(GAP)) // 2
    begin, end = name[: half + 1].rpartition(" ")[0], name[-half - 1 :].partition(" ")[2]
    return f"{begin or name[:half]}{GAP}{end or name[-half:]}"


def _width(word: str) -> float:
    """About as wide as a word is: nobody can ask the font before it is drawn."""
    return SIZE * 0.58 * len(word)
