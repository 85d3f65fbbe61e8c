"""Texts as they come and scores as they are done: NDJSON in, NDJSON out, in constant memory."""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from treesent.data.objects import read_object
from treesent.data.rows import Row
from treesent.scoring.rendering import json_line, to_json
from treesent.scoring.results import Columns
from treesent.serve.batching import LEAST
from treesent.serve.reading import LINES, checked, parts
from treesent.serve.refusal import Refusal
from treesent.serve.service import Service

Line = tuple[Row, str | Refusal]


class Streamed(Response):
    """Scores of a stream of objects with a field ``text``.

    A line comes out for each that goes in, in order: the object with its scores, or what is wrong with it.
    """

    def __init__(self, request: Request, service: Service, columns: Columns) -> None:
        """Prepare the answer.

        :param request: whose body is the stream.
        :param service: what scores.
        :param columns: of the scores.
        """
        super().__init__(media_type=LINES)
        del self.headers["content-length"]
        self._request, self._service, self._columns = request, service, columns

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        with self._service.batcher.admitted(LEAST * self._service.options.batch_size):
            await send(start)
            async for lines in _scored(self._request, self._service, self._columns):
                await send({"type": "http.response.body", "body": lines, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


async def _scored(request: Request, service: Service, columns: Columns) -> AsyncIterator[bytes]:
    counted, identity = request.scope["treesent"], request.scope["treesent_request"]
    counted.update(texts=0, characters=0)
    try:
        async for lines in _batches(request, service, columns):
            texts = [text for _, text in lines if isinstance(text, str)]
            counted["texts"] += len(texts)
            counted["characters"] += sum(map(len, texts))
            rows = await _rows(service, texts, columns)
            found = [
                json_line(row, next(rows), spliced=True)
                if isinstance(text, str)
                else f"{to_json(text.to_dict(identity))}\n"
                for row, text in lines
            ]
            yield "".join(found).encode()
    except Refusal as refusal:
        yield (to_json(refusal.to_dict(identity)) + "\n").encode()


async def _rows(service: Service, texts: Sequence[str], columns: Columns) -> Iterator[dict[str, Any]]:
    found = service.in_order([texts] if texts else [], lambda text, doc: columns.row(doc))
    return iter([row async for rows in found for row in rows])


async def _batches(request: Request, service: Service, columns: Columns) -> AsyncIterator[list[Line]]:
    """The lines of a stream, as many together as go through the network, or as have come."""
    batch: list[Line] = []
    number = 0
    async for raw in _lines(request, service):
        number += 1
        if raw is None or raw.strip():
            batch.append(_read(raw, number, service, columns))
        if len(batch) >= service.options.batch_size:
            yield batch
            batch = []
    if batch:
        yield batch


def _read(raw: bytes | None, number: int, service: Service, columns: Columns) -> Line:
    place = f"line {number}"
    try:
        if raw is None:
            raise Refusal(413, f"more than {service.options.max_body:,} bytes; send shorter texts", place)
        row = Row(number, number, *_object(raw), raw=raw.decode("utf-8", "replace").strip())
        if row.fault is not None:
            raise Refusal(400, row.fault, place)
        if "text" not in row.values:
            raise Refusal(422, "has no field 'text'", place)
        both = [name for name in columns.names if name in row.values]
        if both:
            raise Refusal(422, f"has {both[0]!r} already, which scoring would add; rename it", place)
        return row, checked(row.values["text"], f"{place}: text", service.options)
    except Refusal as refusal:
        return Row(number, number), refusal


def _object(raw: bytes) -> tuple[dict[str, Any], str | None]:
    try:
        return read_object(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        return {}, f"byte 0x{raw[error.start]:02x} at {error.start} is not UTF-8"


async def _lines(request: Request, service: Service) -> AsyncIterator[bytes | None]:
    """Lines without their ends; None for one that is too long, of which nothing is kept."""
    most = service.options.max_body
    rest, skipping = bytearray(), False
    async for part in parts(request, service.options):
        *whole, last = part.split(b"\n")
        for piece in whole:
            rest += piece
            yield None if skipping or len(rest) > most else bytes(rest)
            rest, skipping = bytearray(), False
        rest += last
        if len(rest) > most:
            rest, skipping = bytearray(), True
    if rest or skipping:
        yield None if skipping else bytes(rest)
