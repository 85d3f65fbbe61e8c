"""The report: one HTML file with its style, its script and its data, which asks nobody for anything."""

import html
import json
from typing import Any

from treesent.opinions.gather import Gathered
from treesent.opinions.topics import OTHER
from treesent.render.pages import asset, fill, script_of, style_of
from treesent.render.svg import colour_of

PACKAGE = "treesent.opinions"
SCRIPTS = ("bars.js", "app.js")
"""In the order they are read."""


def render(gathered: Gathered, title: str, rejected: int = 0, by: str | None = None) -> str:
    """Give the page.

    :param gathered: the topics and counts.
    :param title: of the page.
    :param rejected: rows among the rejects.
    :param by: the column that is compared.
    """
    data: dict[str, Any] = {
        "title": title,
        "by": by,
        "other": OTHER,
        "counts": {**gathered.counts, "rejected": rejected},
        "topics": [topic.to_dict() for topic in gathered.topics],
        "colours": [colour_of(-1), colour_of(0), colour_of(1)],
    }
    parts = {
        "TITLE": html.escape(title),
        "STYLE": style_of(PACKAGE),
        "DATA": json.dumps(data, ensure_ascii=True).replace("<", "\\u003c"),
        "SCRIPT": script_of(PACKAGE, SCRIPTS),
    }
    return fill(asset(PACKAGE, "page.html"), parts)
