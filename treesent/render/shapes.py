"""A picture as shapes, written as SVG or drawn as PNG, in the tree's style: it reads on a light and on a dark page."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from treesent.files import replacing
from treesent.render.style import INK, check_picture, save_figure
from treesent.render.svg import FONT, SIZE, visible

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle; ``title`` shows when a pointer rests on it."""

    x: float
    y: float
    width: float
    height: float
    fill: str
    opacity: float = 1.0
    radius: float = 0.0
    title: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text; ``y`` is its base line, ``turn`` in degrees, clockwise."""

    x: float
    y: float
    text: str
    anchor: Literal["start", "middle", "end"] = "middle"
    fill: str = INK
    size: float = SIZE
    bold: bool = False
    turn: float = 0.0


@dataclass(frozen=True, slots=True)
class Arrow:
    """A straight line from one point to another, with a head at its end unless it is plain."""

    x0: float
    y0: float
    x1: float
    y1: float
    plain: bool = False
    opacity: float = 1.0


Shape = Box | Text | Arrow


@dataclass(frozen=True, slots=True)
class Drawing:
    """Shapes on a ground of some size.

    :param shapes: the first lies lowest.
    :param width: of the ground.
    :param height: of the ground.
    :param caption: what it shows, for those who cannot see it.
    """

    shapes: Sequence[Shape]
    width: float
    height: float
    caption: str

    def svg(self) -> str:
        """Write the picture as SVG, which stands by itself."""
        caption = escape(visible(self.caption), quote=True)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:.0f} {self.height:.0f}" '
            f'width="{self.width:.0f}" height="{self.height:.0f}" role="img" aria-label="{caption}" '
            f'font-family="{escape(FONT, quote=True)}" font-size="{SIZE}">'
            f"{''.join(map(_svg, self.shapes))}</svg>"
        )

    def save(self, path: str | Path) -> None:
        """Draw the picture to a file.

        :param path: a ``.png`` or a ``.svg``.
        :raises DataError: another suffix.
        :raises MissingExtraError: a ``.png``, and matplotlib is not installed.
        """
        path = check_picture(path)
        if path.suffix.lower() == ".svg":
            with replacing(path, "w", encoding="utf-8") as file:
                file.write(self.svg())
        else:
            save_figure(self._figure, path)

    def _figure(self) -> "Figure":
        from matplotlib.figure import Figure

        figure = Figure(figsize=(self.width / 96, self.height / 96))
        axes: Any = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, self.width), ylim=(self.height, 0))
        axes.axis("off")
        for shape in self.shapes:
            _draw(axes, shape)
        return figure


def _svg(shape: Shape) -> str:
    if isinstance(shape, Box):
        opacity = "" if shape.opacity == 1 else f' fill-opacity="{shape.opacity:.3f}"'
        radius = f' rx="{shape.radius:.1f}"' if shape.radius else ""
        return (
            f'<rect x="{shape.x:.1f}" y="{shape.y:.1f}" width="{shape.width:.1f}" height="{shape.height:.1f}"'
            f'{radius} fill="{shape.fill}"{opacity}><title>{escape(visible(shape.title))}</title></rect>'
        )
    if isinstance(shape, Text):
        size = "" if shape.size == SIZE else f' font-size="{shape.size}"'
        bold = ' font-weight="700"' if shape.bold else ""
        turn = f' transform="rotate({shape.turn:.0f} {shape.x:.1f} {shape.y:.1f})"' if shape.turn else ""
        return (
            f'<text x="{shape.x:.1f}" y="{shape.y:.1f}" text-anchor="{shape.anchor}" fill="{shape.fill}"'
            f"{size}{bold}{turn}>{escape(visible(shape.text))}</text>"
        )
    line = f"M{shape.x0:.1f} {shape.y0:.1f}L{shape.x1:.1f} {shape.y1:.1f}"
    return f'<path d="{line}{_head(shape)}" fill="none" stroke="{INK}" stroke-width="1.4" opacity="{shape.opacity}"/>'


def _head(arrow: Arrow) -> str:
    """The two strokes of an arrow's head."""
    if arrow.plain:
        return ""
    dx, dy = arrow.x1 - arrow.x0, arrow.y1 - arrow.y0
    length = max((dx * dx + dy * dy) ** 0.5, 1e-9)
    dx, dy = 5 * dx / length, 5 * dy / length
    left = f"M{arrow.x1 - dx - 0.6 * dy:.1f} {arrow.y1 - dy + 0.6 * dx:.1f}"
    right = f"{arrow.x1 - dx + 0.6 * dy:.1f} {arrow.y1 - dy - 0.6 * dx:.1f}"
    return f"{left}L{arrow.x1:.1f} {arrow.y1:.1f}L{right}"


def _draw(axes: Any, shape: Shape) -> None:
    from matplotlib.patches import FancyBboxPatch

    points = 0.75  # a pixel of CSS
    if isinstance(shape, Box):
        style = f"round,pad=0,rounding_size={shape.radius}" if shape.radius else "square,pad=0"
        place = (shape.x, shape.y)
        axes.add_patch(
            FancyBboxPatch(
                place,
                shape.width,
                shape.height,
                style,
                facecolor=shape.fill,
                edgecolor="none",
                alpha=shape.opacity,
            )
        )
    elif isinstance(shape, Text):
        sides = {"start": "left", "middle": "center", "end": "right"}
        axes.text(
            shape.x,
            shape.y,
            visible(shape.text).replace("$", r"\$"),
            color=shape.fill,
            fontsize=shape.size * points,
            fontweight="bold" if shape.bold else "normal",
            ha=sides[shape.anchor],
            va="baseline",
            rotation=-shape.turn,
            rotation_mode="anchor",
        )
    else:
        arrow = {
            "arrowstyle": "-" if shape.plain else "->",
            "color": INK,
            "alpha": shape.opacity,
            "shrinkA": 0,
            "shrinkB": 0,
        }
        axes.annotate("", (shape.x1, shape.y1), (shape.x0, shape.y0), arrowprops=arrow)
