"""Attention as a picture: a column for each word, a row for each symbol, the darker the more weight."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from treesent.errors import MissingExtraError
from treesent.files import replacing
from treesent.render.style import check_picture
from treesent.render.svg import EDGE, FONT, MARGIN, SIZE, visible

COLOUR = "#0b6bb8"
INK = "#6b7280"
CELL, WIDE = 24.0, 46.0
LONGEST, GAP = 40, " … "
"""Characters of a row's name that are shown; the picture's tooltips have all."""


@dataclass(frozen=True, slots=True, eq=False)
class AttentionMap:
    """What is to be drawn.

    :param words: the names of the columns.
    :param rows: the names of the rows.
    :param weights: of each word in each row. *Shape:* ``(n_rows, n_words)``.
    """

    words: Sequence[str]
    rows: Sequence[str]
    weights: npt.NDArray[np.float32]


def draw_attention(attention: AttentionMap, path: str | Path) -> None:
    """Draw attention to a file.

    :param attention: the weights.
    :param path: a ``.png`` or a ``.svg``.
    :raises DataError: another suffix.
    :raises MissingExtraError: a ``.png``, and matplotlib is not installed.
    """
    path = check_picture(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() == ".svg":
        with replacing(path, "w", encoding="utf-8") as file:
            file.write(attention_svg(attention))
    else:
        _png(attention, path)


def attention_svg(attention: AttentionMap) -> str:
    """Draw attention.

    :param attention: the weights.
    :returns: the SVG's text, which stands by itself and reads on a light and on a dark page.
    """
    # A single row has room for its numbers.
    numbers = len(attention.rows) == 1
    cell = max(WIDE, *map(_width, attention.words)) + 8 if numbers else CELL
    names = [shortened(name) for name in attention.rows]
    left = MARGIN + max(map(_width, names)) + 8
    top = MARGIN + (SIZE if numbers else 0.75 * max(map(_width, attention.words)) + 8) + 4
    bottom, right = top + CELL * len(names), left + cell * len(attention.words)
    width = right + MARGIN + (0 if numbers else 0.75 * _width(attention.words[-1]))
    marks = []
    for column, word in enumerate(attention.words):
        x = left + cell * (column + 0.5)
        turn = "" if numbers else f' transform="rotate(-48 {x:.1f} {top - 6:.1f})"'
        anchor = "middle" if numbers else "start"
        marks.append(
            f'<text x="{x:.1f}" y="{top - 6:.1f}" text-anchor="{anchor}"{turn}>{escape(visible(word))}</text>'
        )
    for row, name in enumerate(names):
        y = top + CELL * row
        marks.append(
            f'<text x="{left - 8:.1f}" y="{y + 16.5:.1f}" text-anchor="end">{escape(visible(name))}</text>'
        )
        for column, weight in enumerate(attention.weights[row].tolist()):
            x = left + cell * column
            title = f"{attention.rows[row]}\n{attention.words[column]}: {weight:.0%}"
            marks.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{cell:.1f}" height="{CELL:.0f}" fill="{COLOUR}" '
                f'fill-opacity="{weight:.3f}"><title>{escape(visible(title))}</title></rect>'
            )
            if numbers:
                ink = "#fff" if weight > 0.5 else INK
                marks.append(
                    f'<text x="{x + cell / 2:.1f}" y="{y + 16.5:.1f}" text-anchor="middle" fill="{ink}">'
                    f"{weight:.0%}</text>"
                )
    lines = [f"M{left + cell * i:.1f} {top:.1f}V{bottom:.1f}" for i in range(len(attention.words) + 1)]
    lines += [f"M{left:.1f} {top + CELL * i:.1f}H{right:.1f}" for i in range(len(names) + 1)]
    size = (width, bottom + MARGIN)
    caption = f"attention to the words: {' '.join(attention.words)}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]:.0f} {size[1]:.0f}" '
        f'width="{size[0]:.0f}" height="{size[1]:.0f}" role="img" '
        f'aria-label="{escape(visible(caption), quote=True)}" font-family="{escape(FONT, quote=True)}" '
        f'font-size="{SIZE}" fill="{INK}">{"".join(marks)}'
        f'<path d="{"".join(lines)}" fill="none" stroke="{EDGE}" stroke-opacity="0.35"/></svg>'
    )


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


def _png(attention: AttentionMap, path: Path) -> None:
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("matplotlib", "viz") from None
    style: Any = {"font.size": 9}
    with mpl.rc_context(style):
        n_rows, n_words = attention.weights.shape
        figure = Figure(figsize=(2.4 + 0.3 * n_words, 1.2 + 0.26 * n_rows), layout="constrained")
        axes = figure.subplots()
        axes.imshow(attention.weights, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        axes.set_xticks(range(n_words), attention.words, rotation=48, ha="left", rotation_mode="anchor")
        axes.set_yticks(range(n_rows), [shortened(name) for name in attention.rows])
        axes.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
        with replacing(path) as file:
            figure.savefig(file, dpi=150, format="png")
