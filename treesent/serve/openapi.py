"""The description of the API, in OpenAPI 3.1, with examples that hold for any model."""

from typing import Any, get_args

from treesent.render.svg import Orientation
from treesent.scoring.options import Nodes
from treesent.serve.reading import JSON, LINES
from treesent.serve.service import Service
from treesent.version import __version__

_TEXT = "The plot is thin, but the acting is superb."


def describe(service: Service) -> dict[str, Any]:
    """The description.

    :param service: what is served.
    """
    limits = service.options
    one = {"type": ["string", "null"], "maxLength": limits.max_length}
    nodes = {"enum": list(get_args(Nodes)), "default": "none", "description": _NODES}
    orientation = {"enum": list(get_args(Orientation))}
    score = {
        "type": "object",
        "additionalProperties": False,
        "oneOf": [{"required": ["text"]}, {"required": ["texts"]}],
        "properties": {
            "text": one,
            "texts": {"type": "array", "maxItems": limits.max_texts, "items": one},
            "nodes": nodes,
        },
    }
    tree = {
        "type": "object",
        "additionalProperties": False,
        "required": ["text"],
        "properties": {
            "text": one,
            "sentence": {"type": "integer", "minimum": 0, "default": 0},
            "orientation": {**orientation, "default": "auto"},
        },
    }
    row = {"$ref": "#/components/schemas/Row"}
    results = {"type": "object", "properties": {"results": {"type": "array", "items": row}}}
    scores = {
        "one": {"value": {"text": _TEXT}},
        "every phrase": {"value": {"text": _TEXT, "nodes": "all"}},
        "several": {"value": {"texts": [_TEXT, "A terrible movie!"], "nodes": "sentences"}},
    }
    post_score = {
        "summary": "Score one text or many.",
        "description": f"A row is what treesent score writes. {LINES} streams: a line comes out for each that goes in.",
        "parameters": [
            {"name": "nodes", "in": "query", "schema": nodes, "description": f"For {LINES} alone."},
        ],
        "requestBody": {
            "required": True,
            "content": {
                JSON: {"schema": score, "examples": scores},
                LINES: {
                    "schema": {"type": "string"},
                    "example": '{"text": "A fine film."}\n{"text": "Dull."}\n',
                },
            },
        },
        "responses": {
            "200": _content({JSON: {"schema": {"anyOf": [row, results]}}, LINES: {"schema": row}}),
            **_refusals(400, 401, 403, 408, 413, 415, 421, 422, 429, 503),
        },
    }
    post_tree = {
        "summary": "Draw the tree of a sentence.",
        "requestBody": {
            "required": True,
            "content": {JSON: {"schema": tree, "examples": {"first sentence": {"value": {"text": _TEXT}}}}},
        },
        "responses": {
            "200": _content({"image/svg+xml": {"schema": {"type": "string"}}}),
            **_refusals(400, 401, 403, 408, 413, 415, 421, 422, 429, 503),
        },
    }
    correction = {
        "type": "object",
        "additionalProperties": False,
        "required": ["text"],
        "properties": {
            "text": one,
            "sentence": {"type": "integer", "minimum": 0, "default": 0},
            "labels": {
                "type": "object",
                "description": "A class by the number of a phrase; null takes it back. Without, nothing is changed.",
                "additionalProperties": {"enum": [*service.columns.classes, None]},
            },
        },
    }
    corrected = {"type": "object", "properties": {"labels": {"type": "object"}}}
    post_corrections = {
        "summary": "Correct labels of a sentence, and see which are kept of it.",
        "requestBody": {
            "required": True,
            "content": {
                JSON: {
                    "schema": correction,
                    "examples": {
                        "a word": {"value": {"text": _TEXT, "labels": {"3": service.columns.classes[0]}}}
                    },
                }
            },
        },
        "responses": {
            "200": _content({JSON: {"schema": corrected}}),
            **_refusals(400, 401, 403, 404, 408, 413, 415, 421, 422, 429, 503),
        },
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "treesent", "version": __version__, "description": "Sentiment of every phrase."},
        "paths": {
            "/v1/score": {"post": post_score},
            "/v1/tree.svg": {"post": post_tree},
            **({"/v1/corrections": {"post": post_corrections}} if service.corrections is not None else {}),
            "/v1/model": {"get": _get("The model: card, classes, versions, limits.", JSON)},
            "/healthz": {"get": _get("Whether the server runs.", "text/plain")},
            "/readyz": {"get": {**_get("Whether it takes requests; 503 while it drains.", "text/plain")}},
            "/metrics": {"get": _get("Numbers for Prometheus.", "text/plain")},
        },
        "components": {
            "schemas": {"Row": _row(service), "Error": _ERROR},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}] if limits.token is not None else [],
    }


_NODES = "none; sentences, for a field sentences; all, for every phrase with its place and probabilities."
_ERROR = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "required": ["status", "message", "request"],
            "properties": {
                "status": {"type": "integer"},
                "place": {"type": "string", "examples": ["texts[3]"]},
                "message": {"type": "string"},
                "request": {"type": "string"},
            },
        }
    },
}
_WHY = {
    400: "The body is not JSON.",
    401: "The token is missing or wrong.",
    403: "A page of another origin asks.",
    404: "The server keeps no corrections.",
    408: "The body is late.",
    413: "The body, or the number of texts, is too large.",
    415: "The body is of another type.",
    421: "The header Host names another server.",
    422: "A field makes no sense; the place is named.",
    429: "Too much is waiting; come again after Retry-After seconds.",
    503: "There was not enough time.",
}


def _row(service: Service) -> dict[str, Any]:
    number = {"type": ["number", "null"]}
    fields = {name: number for name in service.columns.names[1:]}
    label = {"enum": [*service.columns.classes, None]}
    sentences = {"type": ["array", "null"], "items": {"type": "object"}}
    return {
        "type": "object",
        "properties": {"text": {"type": "string"}, "label": label, **fields, "sentences": sentences},
        "required": ["text", *service.columns.names],
    }


def _content(content: dict[str, Any]) -> dict[str, Any]:
    return {"description": "Done.", "content": content}


def _get(summary: str, media: str) -> dict[str, Any]:
    return {"summary": summary, "responses": {"200": _content({media: {}})}}


def _refusals(*statuses: int) -> dict[str, Any]:
    content = {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {str(status): {"description": _WHY[status], "content": content} for status in statuses}
