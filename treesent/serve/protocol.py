"""uvicorn's protocol with one write for an answer's head and body: each is a call to the system that costs."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class Protocol(HttpToolsProtocol):
    """Writes through :class:`Corked`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection."""
        super().connection_made(Corked(transport, self.loop))  # type: ignore[arg-type]


class Corked:
    """A transport that gathers what is written in one turn of the event loop."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop, self._waiting = transport, loop, bytearray()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write at the end of this turn."""
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting += data

    def close(self) -> None:
        """Write what waits, and close."""
        self._flush()
        self._transport.close()

    def get_write_buffer_size(self) -> int:
        """How many bytes are not sent yet."""
        return len(self._waiting) + self._transport.get_write_buffer_size()

    def _flush(self) -> None:
        if self._waiting:
            waiting, self._waiting = bytes(self._waiting), bytearray()
            if not self._transport.is_closing():
                self._transport.write(waiting)
