"""Write the map: one HTML file with its style, its scripts and its data, which asks nobody for anything."""

import html
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from treesent.projector.codec import Quantised, deflate, deflate_columns, quantise, to_text
from treesent.projector.layouts import Layout
from treesent.projector.points import Column, Points
from treesent.render.pages import asset, fill, script_of, style_of

PACKAGE = "treesent.projector"
SCRIPTS = (
    "decode.js",
    "vectors.js",
    "grid.js",
    "camera.js",
    "colour.js",
    "paint.js",
    "labels.js",
    "overlay.js",
    "export.js",
    "panel.js",
    "legend.js",
    "search.js",
    "pointer.js",
    "keys.js",
    "frame.js",
    "app.js",
    "state.js",
    "main.js",
)
"""In the order they are read; a later one uses the earlier ones."""
LIMIT = 32767


def render(points: Points, layouts: Sequence[Layout], title: str, source: str = "") -> str:
    """Return the page.

    :param points: names, vectors and columns.
    :param layouts: at least one.
    :param title: of the page.
    :param source: where the vectors come from, for the page's own notes.
    """
    blocks: dict[str, tuple[bytes, int]] = {}

    def add(name: str, data: bytes, packed: bytes | None = None) -> str:
        blocks[name] = (deflate(data) if packed is None else packed, len(data))
        return name

    header = {
        "title": title,
        "source": source,
        "kind": points.kind,
        "count": len(points.names),
        "width": points.matrix.shape[1],
        "names": add("names", json.dumps(points.names).encode()),
        "order": add("order", label_order(points).astype("<i4").tobytes()),
        "layouts": [_layout(layout, add) for layout in layouts],
        "columns": [_column(i, column, add) for i, column in enumerate(points.columns)],
        "vectors": _vectors("before", quantise(points.matrix), add),
        "after": None if points.after is None else _vectors("after", quantise(points.after), add),
    }
    packed = "\n".join(
        f'<script type="text/plain" id="block-{name}" data-size="{size}" data-packed="{len(data)}">'
        f"{to_text(data)}</script>"
        for name, (data, size) in blocks.items()
    )
    parts = {
        "TITLE": html.escape(title),
        "STYLE": style_of(PACKAGE),
        "HEADER": json.dumps(header).replace("<", "\\u003c"),
        "BLOCKS": packed,
        "SCRIPT": script_of(PACKAGE, SCRIPTS),
    }
    return fill(asset(PACKAGE, "page.html"), parts)


def label_order(points: Points) -> npt.NDArray[np.int64]:
    """Return the order in which points are labelled if not all labels fit.

    As they come, but the commonest function words (the, and, of) after some thousand others, since they say
    little about a place, and names without letters at the end.

    :param points: the most important first.
    """
    from spacy.lang.en.stop_words import STOP_WORDS

    n_points = len(points.names)
    key = np.arange(n_points)
    for i, name in enumerate(points.names):
        if not any(char.isalpha() for char in name) or (points.kind == "words" and len(name) < 2):
            key[i] += 3 * n_points
        elif name.lower() in STOP_WORDS or "'" in name:
            key[i] += min(2000, n_points)
    return np.argsort(key, kind="stable")


def _layout(layout: Layout, add: Any) -> dict[str, Any]:
    out = {
        "key": layout.key,
        "title": layout.title,
        "note": layout.note,
        "dimensions": layout.places.shape[1],
        "places": add(f"layout-{layout.key}", _whole(layout.places)),
        "after": None,
    }
    if layout.after is not None:
        out["after"] = add(f"layout-{layout.key}-after", _whole(layout.after))
    return out


def _whole(places: np.ndarray) -> bytes:
    """Coordinates in 16 bits, an axis after the other."""
    return bytes(np.rint(places.T * LIMIT).clip(-LIMIT, LIMIT).astype("<i2").tobytes())


def _column(i: int, column: Column, add: Any) -> dict[str, Any]:
    kind = "<i2" if column.categories else "<f4"
    return {
        "name": column.name,
        "scale": column.scale,
        "categories": list(column.categories),
        "values": add(f"column-{i}", np.ascontiguousarray(column.values).astype(kind).tobytes()),
    }


def _vectors(name: str, coded: Quantised, add: Any) -> dict[str, Any]:
    return {
        "columns": add(f"vectors-{name}", coded.columns.tobytes(), deflate_columns(coded.columns)),
        "component": coded.component.tolist(),
        "scale": coded.scale.tolist(),
        "overlap": round(coded.overlap, 4),
        "step": coded.step,
    }
