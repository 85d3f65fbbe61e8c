"""From the body of a request to texts that can be scored."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, get_args

from starlette.requests import ClientDisconnect, Request

from treesent.data.dialect import PLAIN
from treesent.data.objects import read_object
from treesent.render.svg import Orientation
from treesent.scoring.options import Nodes
from treesent.scoring.results import fault_of
from treesent.serve.options import ServeOptions
from treesent.serve.refusal import Refusal

JSON, LINES = "application/json", "application/x-ndjson"
DISCARDED = 8
"""Bodies up to so many times the limit are read to their end, so that the client sees why they are refused."""


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """Texts to score."""

    texts: Sequence[str]
    single: bool
    nodes: Nodes


@dataclass(frozen=True, slots=True)
class TreeRequest:
    """A sentence of a text to draw."""

    text: str
    sentence: int
    orientation: Orientation


@dataclass(frozen=True, slots=True)
class CorrectionRequest:
    """Labels of nodes of a sentence; None takes a label back."""

    text: str
    sentence: int
    labels: Mapping[int, int | None]


def media_type(request: Request, *known: str) -> str:
    """What a body is said to be.

    :raises Refusal: 415, it is none of those that are read.
    """
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given not in known:
        raise Refusal(
            415,
            f"the body is {given or 'of no type'!r}; send Content-Type: {' or '.join(known)}",
            "Content-Type",
        )
    return given


async def parts(request: Request, options: ServeOptions) -> AsyncIterator[bytes]:
    """The body as it arrives.

    :raises Refusal: 408, the next part is late; 499, the client has gone.
    """
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout(options.read_timeout):
                part = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise Refusal(
                408, f"no more of the body came for {options.read_timeout:g} s; send it again", "body"
            ) from None
        except ClientDisconnect:
            raise _gone() from None
        yield part


async def read_fields(request: Request, options: ServeOptions, known: Sequence[str]) -> dict[str, Any]:
    """Read a body that is one JSON object.

    :param known: the fields that it may have.
    :raises Refusal: it is too long, late, not JSON, or has a field that is not known.
    """
    media_type(request, JSON)
    body, size, more = bytearray(), 0, True
    try:
        async with asyncio.timeout(options.read_timeout):
            while more and size <= DISCARDED * options.max_body:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise _gone()
                part = message.get("body", b"")
                size, more = size + len(part), message.get("more_body", False)
                if size <= options.max_body:
                    body += part
    except TimeoutError:
        raise Refusal(
            408, f"the body did not come within {options.read_timeout:g} s; send it again", "body"
        ) from None
    if size > options.max_body:
        raise Refusal(413, f"more than {options.max_body:,} bytes; send fewer texts, or {LINES}", "body")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refusal(
            400, f"byte 0x{body[error.start]:02x} at {error.start} is not UTF-8; send UTF-8", "body"
        ) from None
    fields, fault = read_object(text)
    if fault is not None:
        raise Refusal(400, f'{fault}; send an object such as {{"text": "A fine film."}}', "body")
    refuse_unknown(fields, known)
    return fields


def _gone() -> Refusal:
    return Refusal(499, "the client has gone", "body")


def refuse_unknown(fields: Mapping[str, Any], known: Sequence[str]) -> None:
    """Make sure that nothing is asked for that would be passed over.

    :raises Refusal: 422, a field is not known.
    """
    for name in fields:
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
            raise Refusal(422, f"not a known field; {hint}", name[:40])


def choice(fields: Mapping[str, Any], name: str, default: Any, known: Sequence[Any]) -> Any:
    """Take one of a few values.

    :raises Refusal: 422, it is none of them.
    """
    value = fields.get(name, default)
    if value not in known or isinstance(value, bool):
        shown = ", ".join("null" if one is None else str(one) for one in known)
        raise Refusal(422, f"{str(value)[:40]!r} is not one of: {shown}", name)
    return value


def read_score(fields: Mapping[str, Any], options: ServeOptions) -> ScoreRequest:
    """Check what is to be scored.

    :param fields: ``text`` or ``texts``, and perhaps ``nodes``.
    :raises Refusal: 413, there are too many texts; 422, one cannot be scored, or a field makes no sense.
    """
    nodes = choice(fields, "nodes", "none", get_args(Nodes))
    if ("text" in fields) == ("texts" in fields):
        raise Refusal(422, "send either text, or texts (a list)", "text")
    if "text" in fields:
        return ScoreRequest([checked(fields["text"], "text", options)], True, nodes)
    texts = fields["texts"]
    if not isinstance(texts, list):
        raise Refusal(422, f"a list was expected, found {type(texts).__name__}", "texts")
    if len(texts) > options.max_texts:
        raise Refusal(
            413,
            f"{len(texts):,} texts, {options.max_texts:,} is the most; send several requests, or {LINES}",
            "texts",
        )
    checked_texts = [checked(text, f"texts[{i}]", options) for i, text in enumerate(texts)]
    return ScoreRequest(checked_texts, False, nodes)


def read_tree(fields: Mapping[str, Any], options: ServeOptions) -> TreeRequest:
    """Check which tree is to be drawn.

    :param fields: ``text``, and perhaps ``sentence`` and ``orientation``.
    :raises Refusal: 422, a field makes no sense.
    """
    orientation = choice(fields, "orientation", "auto", get_args(Orientation))
    return TreeRequest(*_sentence(fields, options), orientation)


def read_correction(
    fields: Mapping[str, Any], options: ServeOptions, classes: Sequence[str]
) -> CorrectionRequest:
    """Check which labels are to be kept.

    :param fields: ``text``, and perhaps ``sentence`` and ``labels``: the name of a class, or null, by node.
    :param classes: the names there are.
    :raises Refusal: 422, a field makes no sense.
    """
    labels = fields.get("labels", {})
    if not isinstance(labels, dict):
        raise Refusal(422, f"an object was expected, found {type(labels).__name__}", "labels")
    found: dict[int, int | None] = {}
    for node in labels:
        if not (node.isascii() and node.isdigit() and len(node) < 8):
            raise Refusal(422, f"{node[:40]!r} is not the number of a phrase, counted from 0", "labels")
        known = choice(labels, node, None, (*classes, None))
        found[int(node)] = None if known is None else classes.index(known)
    return CorrectionRequest(*_sentence(fields, options), found)


def _sentence(fields: Mapping[str, Any], options: ServeOptions) -> tuple[str, int]:
    if "text" not in fields:
        raise Refusal(422, "missing; send a text", "text")
    sentence = fields.get("sentence", 0)
    if not isinstance(sentence, int) or isinstance(sentence, bool) or sentence < 0:
        raise Refusal(
            422, f"{str(sentence)[:40]!r} is not the number of a sentence, counted from 0", "sentence"
        )
    return checked(fields["text"], "text", options), sentence


def checked(value: Any, place: str, options: ServeOptions) -> str:
    """A text that can be scored; an empty one for null.

    :raises Refusal: 422, it is something else, or too long.
    """
    text = PLAIN.text(value)
    fault = fault_of(text, options.max_length)
    if fault is not None:
        raise Refusal(422, fault, place)
    return str(text)
