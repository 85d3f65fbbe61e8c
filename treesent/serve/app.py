"""The routes."""

from typing import Any, get_args

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from treesent.scoring.options import Nodes
from treesent.scoring.rendering import to_json
from treesent.scoring.results import Columns
from treesent.serve.gate import Gate
from treesent.serve.openapi import describe
from treesent.serve.page import page_routes
from treesent.serve.reading import (
    JSON,
    LINES,
    choice,
    media_type,
    read_correction,
    read_fields,
    read_score,
    read_tree,
    refuse_unknown,
)
from treesent.serve.service import Service
from treesent.serve.streaming import Streamed

SVG_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


def make_app(service: Service, hosts: frozenset[str]) -> ASGIApp:
    """The application that a server of ASGI runs.

    :param service: what is served.
    :param hosts: the values of the header ``Host`` that are this server's, such as ``127.0.0.1:8000``.
    """

    async def score(request: Request) -> Response:
        if media_type(request, JSON, LINES) == LINES:
            return _stream(request, service)
        asked = read_score(
            await read_fields(request, service.options, ("text", "texts", "nodes")),
            service.options,
        )
        _count(request, asked.texts)
        rows = await service.unless_gone(request, service.score(asked))
        return Response(rows[0] if asked.single else f'{{"results": [{", ".join(rows)}]}}', media_type=JSON)

    async def tree(request: Request) -> Response:
        asked = read_tree(
            await read_fields(request, service.options, ("text", "sentence", "orientation")), service.options
        )
        _count(request, [asked.text])
        picture = await service.unless_gone(request, service.tree(asked))
        return Response(picture, media_type="image/svg+xml", headers={"Content-Security-Policy": SVG_POLICY})

    async def correct(request: Request) -> Response:
        fields = await read_fields(request, service.options, ("text", "sentence", "labels"))
        asked = read_correction(fields, service.options, service.columns.classes)
        _count(request, [asked.text])
        return _json(await service.unless_gone(request, service.correct(asked)))

    async def model(request: Request) -> Response:
        return _json(service.model())

    async def healthy(request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def ready(request: Request) -> Response:
        return PlainTextResponse("draining\n", 503) if service.draining else PlainTextResponse("ready\n")

    async def metrics(request: Request) -> Response:
        return Response(service.counters.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def openapi(request: Request) -> Response:
        return _json(describe(service))

    routes = [
        Route("/v1/score", score, methods=["POST"]),
        Route("/v1/tree.svg", tree, methods=["POST"]),
        Route("/v1/corrections", correct, methods=["POST"]),
        Route("/v1/model", model),
        Route("/healthz", healthy),
        Route("/readyz", ready),
        Route("/metrics", metrics),
        Route("/openapi.json", openapi),
        *page_routes(),
    ]
    return Gate(Router(routes, redirect_slashes=False), service, hosts)


def _stream(request: Request, service: Service) -> Response:
    query = dict(request.query_params)
    refuse_unknown(query, ("nodes",))
    columns = Columns(service.columns.classes, choice(query, "nodes", "none", get_args(Nodes)))
    return Streamed(request, service, columns)


def _count(request: Request, texts: Any) -> None:
    request.scope["treesent"].update(texts=len(texts), characters=sum(map(len, texts)))


def _json(value: Any) -> Response:
    return Response(to_json(value), media_type=JSON)
