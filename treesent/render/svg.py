"""A scored tree as an SVG: words along one edge, a coloured mark for every phrase.

Colour goes from red by way of grey to blue, which people with any common colour blindness tell apart, and a
sign in the mark says the same. Words are white on a chip of that colour and edges are mid grey, so that the
picture
reads on a light and on a dark page alike, with no style sheet. Hovering shows a phrase's probabilities.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import isnan
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

Orientation = Literal["auto", "down", "right"]
Point = tuple[float, float]

NEGATIVE, NEUTRAL, POSITIVE = (178, 34, 28), (107, 114, 128), (11, 107, 184)
EDGE = "#8d95a3"
FONT = "ui-sans-serif, system-ui, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif"
MARGIN, CHIP, GAP, RADIUS = 14.0, 24.0, 8.0, 9.0
SIZE = 13
# More words than these stand below each other, beside the tree: a page is higher than it is wide.
WIDEST = 16

_PICTURES = {code: 0x2400 + code for code in range(0x20) if code not in (0x09, 0x0A)}
_PICTURES |= {code: 0xFFFD for code in (*range(0x80, 0xA0), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF)}
_PICTURES |= {0x7F: 0x2421, 0x2028: 0x2424, 0x2029: 0x2424}


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """What is to be drawn.

    :param words: the words, in order.
    :param left: left child of each node in post-order, -1 at a word. *Shape:* ``(n_nodes,)``.
    :param probs: probabilities of the classes of each node. *Shape:* ``(n_nodes, n_classes)``.
    :param classes: the class of each node. *Shape:* ``(n_nodes,)``.
    :param labels: the names of the classes.
    :param polarity: the value of each class from -1 to 1, NaN for none. *Shape:* ``(n_classes,)``.
    :param reasons: what each word adds, drawn as a bar below it; None for no bars. *Shape:* ``(n_words,)``.
    """

    words: Sequence[str]
    left: npt.NDArray[np.int32]
    probs: npt.NDArray[np.float32]
    classes: npt.NDArray[np.int64]
    labels: Sequence[str]
    polarity: npt.NDArray[np.float32]
    reasons: npt.NDArray[np.float32] | None = None


class Drawable(Protocol):
    """Something that can be drawn, such as a ``TreeView``."""

    def picture(self) -> Picture:
        """What to draw."""


def to_svg(tree: "Drawable | Picture", orientation: Orientation = "auto") -> str:
    """Draw a scored tree.

    :param tree: ``sent._.tree``, say.
    :param orientation: ``down`` has the words side by side below the tree, ``right`` below each other
        beside it; ``auto`` takes the first for at most 16 words.
    :returns: the SVG's text, which stands by itself.
    """
    picture = tree if isinstance(tree, Picture) else tree.picture()
    down = orientation == "down" or (orientation == "auto" and len(picture.words) <= WIDEST)
    places, size = _down(picture) if down else _right(picture)
    nodes = range(len(picture.left))
    edges = [_edge(places[parent], places[child], down) for parent, child in _edges(picture)]
    marks = [_mark(picture, node, places[node], down) for node in nodes]
    width, height = size
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" role="img" aria-label="{escape(visible(_caption(picture)), quote=True)}" '
        f'font-family="{escape(FONT, quote=True)}" font-size="{SIZE}">'
        f'<g fill="none" stroke="{EDGE}" stroke-width="1.4" stroke-linecap="round">{"".join(edges)}</g>'
        f"{''.join(marks)}</svg>"
    )


def _edges(picture: Picture) -> list[tuple[int, int]]:
    inner = np.flatnonzero(picture.left >= 0).tolist()
    return [(node, child) for node in inner for child in (int(picture.left[node]), node - 1)]


def _heights(picture: Picture) -> list[int]:
    heights: list[int] = []
    for node, left in enumerate(picture.left.tolist()):
        heights.append(0 if left < 0 else 1 + max(heights[left], heights[node - 1]))
    return heights


def _spread(picture: Picture, centres: Sequence[float]) -> list[float]:
    """A node stands in the middle of its children."""
    places: list[float] = []
    words = iter(centres)
    for node, left in enumerate(picture.left.tolist()):
        places.append(next(words) if left < 0 else (places[left] + places[node - 1]) / 2)
    return places


def _step(height: int, roomy: float, tight: float) -> float:
    """The distance between levels: less where there are many."""
    return max(tight, min(roomy, 640 / max(height, 1)))


def _down(picture: Picture) -> tuple[list[Point], Point]:
    widths = [chip_width(word) for word in picture.words]
    right = np.cumsum([width + GAP for width in widths]) + MARGIN - GAP
    across = _spread(picture, (right - np.array(widths) / 2).tolist())
    heights = _heights(picture)
    step = _step(heights[-1], 44, 20)
    base = MARGIN + RADIUS + step * heights[-1] + (8 if heights[-1] else CHIP / 2 - RADIUS)
    places = [(x, base - step * h - (8 if h else 0)) for x, h in zip(across, heights, strict=True)]
    return places, (float(right[-1]) + MARGIN, base + CHIP / 2 + MARGIN)


def _right(picture: Picture) -> tuple[list[Point], Point]:
    n_words = len(picture.words)
    row = CHIP + (4 if picture.reasons is None else 10)
    down = _spread(picture, [MARGIN + row * (place + 0.5) for place in range(n_words)])
    heights = _heights(picture)
    step = _step(heights[-1], 46, 20)
    base = MARGIN + RADIUS + step * heights[-1] + 10
    places = [(base - (step * h + 10 if h else 0), y) for y, h in zip(down, heights, strict=True)]
    widest = max(map(chip_width, picture.words))
    return places, (base + widest + MARGIN, 2 * MARGIN + row * n_words)


def chip_width(word: str) -> float:
    """About as wide as the chip of a word must be: nobody can ask the font before it is drawn.

    :param word: the word.
    """
    narrow = sum(character in "iljtfrI.,:;!'|()[]" for character in word)
    wide = sum(character in "mwMWGOQ@%&" or ord(character) > 0x1100 for character in word)
    return 14 + SIZE * (0.6 * len(word) - 0.24 * narrow + 0.32 * wide)


def _edge(parent: Point, child: Point, down: bool) -> str:
    (x0, y0), (x1, y1) = parent, child
    if down:
        bend = f"C{x0:.1f} {(y0 + y1) / 2:.1f} {x1:.1f} {(y0 + y1) / 2:.1f}"
    else:
        bend = f"C{(x0 + x1) / 2:.1f} {y0:.1f} {(x0 + x1) / 2:.1f} {y1:.1f}"
    return f'<path d="M{x0:.1f} {y0:.1f}{bend} {x1:.1f} {y1:.1f}"/>'


def _mark(picture: Picture, node: int, place: Point, down: bool) -> str:
    x, y = place
    probs = picture.probs[node]
    value = float(probs @ picture.polarity)
    colour = colour_of(0.0 if isnan(value) else value)
    title = f"<title>{escape(visible(_title(picture, node)))}</title>"
    if picture.left[node] < 0:
        number = int((picture.left[:node] < 0).sum())
        word = picture.words[number]
        width = chip_width(word)
        begin = x - width / 2 if down else x
        bar = _bar(picture, number, (begin, y + CHIP / 2), width)
        return (
            f'<g>{title}<rect x="{begin:.1f}" y="{y - CHIP / 2:.1f}" width="{width:.1f}" height="{CHIP:.0f}" '
            f'rx="6" fill="{colour}"/><text x="{begin + width / 2:.1f}" y="{y + 4.6:.1f}" fill="#fff" '
            f'text-anchor="middle">{escape(visible(word))}</text>{bar}</g>'
        )
    return (
        f'<g>{title}<circle cx="{x:.1f}" cy="{y:.1f}" r="{RADIUS}" fill="{colour}"/>'
        f'<text x="{x:.1f}" y="{y + 3.6:.1f}" fill="#fff" font-size="9.5" font-weight="700" '
        f'letter-spacing="0.6" text-anchor="middle">{_sign(picture, node)}</text></g>'
    )


def _bar(picture: Picture, word: int, corner: Point, width: float) -> str:
    """Draw what a word adds: a bar as long as its share of the largest weight."""
    if picture.reasons is None or not (largest := float(np.abs(picture.reasons).max())):
        return ""
    weight = float(picture.reasons[word])
    x, y = corner
    long = (width - 6) * abs(weight) / largest
    return (
        f'<rect x="{x + 3:.1f}" y="{y + 2:.1f}" width="{long:.1f}" height="4" rx="2" '
        f'fill="{colour_of(1.0 if weight > 0 else -1.0)}"><title>{escape(visible(picture.words[word]))}: '
        f"{weight:+.2f}</title></rect>"
    )


def _sign(picture: Picture, node: int) -> str:
    best = int(picture.classes[node])
    value = float(picture.polarity[best])
    if isnan(value):
        return escape(visible(str(picture.labels[best])[:1]))
    sign = "+" if value > 0 else "\u2212"
    return "0" if value == 0 else sign * (2 if abs(value) > 0.75 and len(picture.labels) > 3 else 1)


def _title(picture: Picture, node: int) -> str:
    first = node
    while picture.left[first] >= 0:
        first = int(picture.left[first])
    begin = int((picture.left[:first] < 0).sum())
    end = begin + int((picture.left[first : node + 1] < 0).sum())
    lines = [" ".join(picture.words[begin:end])]
    pairs: list[tuple[str, Any]] = list(zip(picture.labels, picture.probs[node], strict=True))
    return "\n".join([*lines, *(f"{label}: {float(p):.0%}" for label, p in reversed(pairs))])


def _caption(picture: Picture) -> str:
    best = int(picture.classes[-1])
    return f"{' '.join(picture.words)}: {picture.labels[best]}"


def colour_of(polarity: float) -> str:
    """The colour of a polarity: red at -1, grey at 0, blue at 1; white text is legible on all of them.

    :param polarity: from -1 to 1.
    """
    end = POSITIVE if polarity > 0 else NEGATIVE
    # Most phrases lie near the middle, where a straight scale would leave them all grey.
    share = min(abs(polarity), 1.0) ** 0.7
    mixed = (round(a + (b - a) * share) for a, b in zip(NEUTRAL, end, strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)


def visible(text: str) -> str:
    """Show control characters as pictures of themselves, so that they do nothing.

    XML forbids them, and a terminal obeys them. Line breaks and tabs stay.

    :param text: any text.
    """
    return text.translate(_PICTURES)
