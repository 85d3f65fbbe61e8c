"""A recurrent network unrolled over a sentence: its states from word to word, and what it says after each."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isnan

import numpy as np
import numpy.typing as npt

from treesent.render.shapes import Arrow, Box, Drawing, Shape, Text
from treesent.render.style import INK
from treesent.render.svg import CHIP, MARGIN, chip_width, colour_of

ROW, SPACE, STATE = 58.0, 26.0, 34.0


@dataclass(frozen=True, slots=True, eq=False)
class Unrolled:
    """What is to be drawn.

    :param words: the words, in order.
    :param rows: of each row of states, the lowest first, its name and whether it is read from left to right.
    :param norms: of the states. *Shape:* ``(n_rows, n_words)``.
    :param probs: what the network says after each word, NaN where it says nothing. *Shape:* ``(n_words, n_classes)``.
    :param labels: the names of the classes.
    :param polarity: the value of each class from -1 to 1, NaN for none. *Shape:* ``(n_classes,)``.
    """

    words: Sequence[str]
    rows: Sequence[tuple[str, bool]]
    norms: npt.NDArray[np.float32]
    probs: npt.NDArray[np.float32]
    labels: Sequence[str]
    polarity: npt.NDArray[np.float32]


def unrolled_drawing(picture: Unrolled) -> Drawing:
    """Draw an unrolled network; hovering shows probabilities.

    :param picture: the network and the sentence.
    """
    left = MARGIN + 8.0 * max(len(name) for name, _ in picture.rows) + 16
    widths = [max(chip_width(word), 86.0) + SPACE for word in picture.words]
    centres = (left + np.cumsum(widths) - np.array(widths) / 2).tolist()
    levels = [MARGIN + 26 + ROW * (len(picture.rows) - number) for number in range(len(picture.rows))]
    base = levels[0] + ROW
    shapes: list[Shape] = []
    for row, ((name, forwards), y) in enumerate(zip(picture.rows, levels, strict=True)):
        shapes.append(Text(left - 8, y + 4, name, "end"))
        shapes += _states(picture.norms[row], centres, y, forwards)
        for x in centres:
            shapes.append(Arrow(x, (base - CHIP / 2 if row == 0 else levels[row - 1] - 12), x, y + 13))
    for place, (x, word) in enumerate(zip(centres, picture.words, strict=True)):
        width = chip_width(word)
        shapes.append(Box(x - width / 2, base - CHIP / 2, width, CHIP, INK, radius=6))
        shapes.append(Text(x, base + 4.6, word, fill="#ffffff"))
        shapes += _said(picture, place, x, levels[-1])
    caption = f"{' '.join(picture.words)}: {', '.join(name for name, _ in picture.rows)}, unrolled"
    return Drawing(shapes, left + sum(widths) + MARGIN, base + CHIP / 2 + MARGIN, caption)


def _states(
    norms: npt.NDArray[np.float32], centres: Sequence[float], y: float, forwards: bool
) -> list[Shape]:
    """A row of states, the larger the fuller, with arrows in the direction of reading."""
    largest = max(float(norms.max(initial=0)), 1e-9)
    shapes: list[Shape] = []
    for norm, x in zip(norms.tolist(), centres, strict=True):
        title = f"norm of the state: {norm:.2f}"
        shapes.append(Box(x - STATE / 2, y - 12, STATE, 24, INK, 0.15 + 0.6 * norm / largest, 12, title))
    for before, after in pairwise(centres):
        ends = (before + STATE / 2 + 1, after - STATE / 2 - 1)
        shapes.append(Arrow(*_flat(ends, y)) if forwards else Arrow(*_flat(ends[::-1], y)))
    return shapes


def _flat(ends: tuple[float, ...], y: float) -> tuple[float, float, float, float]:
    return ends[0], y, ends[1], y


def _said(picture: Unrolled, place: int, x: float, y: float) -> list[Shape]:
    """What the network says after a word: the class, on a chip of the polarity's colour."""
    probs = picture.probs[place]
    if isnan(float(probs[0])):
        return []
    label, value = picture.labels[int(probs.argmax())], float(probs @ picture.polarity)
    title = "\n".join(f"{name}: {float(p):.0%}" for name, p in zip(picture.labels, probs, strict=True))
    colour, width = colour_of(0.0 if isnan(value) else value), chip_width(label)
    top = y - 12 - 22 - CHIP
    return [
        Arrow(x, y - 13, x, top + CHIP + 2),
        Box(x - width / 2, top, width, CHIP, colour, radius=6, title=title),
        Text(x, top + 16.6, label, fill="#ffffff", size=12),
    ]
