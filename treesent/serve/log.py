"""The log: one JSON object a line on standard error, with ids and numbers and without any text of a request."""

import asyncio
import datetime
import json
import logging
import os
import sys
import traceback
from typing import Any


def event(name: str, **values: Any) -> None:
    """Write a line.

    :param name: what happened.
    :param values: more about it.
    """
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
    _waiting.append(json.dumps({"time": now, "event": name, "process": os.getpid(), **values}) + "\n")
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        _write()
        return
    if _writing[0] is not loop:
        _writing[0] = loop
        loop.call_soon(_write)  # one write for all requests that end in one turn of the event loop


_waiting: list[str] = []
_writing: list[asyncio.AbstractEventLoop | None] = [None]
"""The event loop that will write what waits."""


def _write() -> None:
    lines = "".join(_waiting)
    _waiting.clear()
    _writing[0] = None
    sys.stderr.write(lines)  # in one piece: several workers write
    sys.stderr.flush()


def request(identity: str, method: str, path: str, status: int, seconds: float, told: dict[str, int]) -> None:
    """Write what became of a request.

    :param identity: its id.
    :param method: of HTTP.
    :param path: where it went.
    :param status: how it ended.
    :param seconds: how long it took.
    :param told: numbers of texts and characters.
    """
    event(
        "request",
        request=identity,
        method=method if method.isalpha() else "other",
        path=path,
        status=status,
        ms=round(1000 * seconds, 1),
        **told,
    )


def fault(error: BaseException, identity: str | None = None) -> None:
    """Write where an unexpected error came from; its message may quote a text, so it stays out.

    :param error: the error.
    :param identity: of the request.
    """
    places = [
        f"{place.filename}:{place.lineno} {place.name}" for place in traceback.extract_tb(error.__traceback__)
    ]
    event("error", request=identity, error=type(error).__name__, places=places[-12:])


class Lines(logging.Handler):
    """Writes what uvicorn logs as lines of the same kind."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        if record.exc_info and record.exc_info[1] is not None:
            fault(record.exc_info[1])
        else:
            event("server", level=record.levelname.lower(), message=record.getMessage())


def listen_to_uvicorn() -> None:
    """Have uvicorn's warnings written as lines of JSON."""
    logger = logging.getLogger("uvicorn.error")
    logger.handlers = [Lines()]
    logger.propagate = False
    logger.setLevel(logging.WARNING)
