"""The page at ``/``: one document, one style and one script, put together when the server starts."""

import hashlib
from html import escape

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from treesent.render.pages import asset, fill, script_of, style_of
from treesent.render.svg import colour_of

PACKAGE = "treesent.serve"
SCRIPTS = ("ask.js", "scores.js", "tree.js", "link.js", "correct.js", "app.js")
"""In the order they are read; a later one uses the earlier ones."""


def page_routes() -> list[Route]:
    """The routes of the page and its parts."""
    colours = {"NEGATIVE": colour_of(-1), "NEUTRAL": colour_of(0), "POSITIVE": colour_of(1)}
    page = fill(asset(PACKAGE, "page.html"), {name: escape(value) for name, value in colours.items()})
    return [
        _route("/", page, "text/html"),
        _route("/assets/page.css", style_of(PACKAGE), "text/css"),
        _route("/assets/page.js", script_of(PACKAGE, SCRIPTS), "text/javascript"),
    ]


def _route(path: str, text: str, media_type: str) -> Route:
    body = text.encode()
    tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}

    async def answer(request: Request) -> Response:
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(body, media_type=media_type, headers=headers)

    return Route(path, answer)
