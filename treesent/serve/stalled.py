"""Connections that stand still: a head that never ends, an answer that nobody takes."""

import time
from collections.abc import Iterable
from typing import Any


class Stalled:
    """Finds and cuts them; uvicorn has a time-out for idle connections alone."""

    def __init__(self, read_timeout: float, write_timeout: float) -> None:
        """Set the limits.

        :param read_timeout: seconds in which the head of a request must come.
        :param write_timeout: seconds without a byte taken of an answer.
        """
        self._read_timeout, self._write_timeout = read_timeout, write_timeout
        self._seen: dict[Any, tuple[Any, float]] = {}

    def close(self, connections: Iterable[Any]) -> None:
        """Cut the connections that have not moved for too long.

        :param connections: uvicorn's.
        """
        now, seen = time.monotonic(), {}
        for connection in list(connections):
            state, limit = self._state(connection)
            if state is None:
                continue
            before, since = self._seen.get(connection, (None, now))
            seen[connection] = (state, since if before == state else now)
            if now - seen[connection][1] > limit:
                connection.transport.abort()
        self._seen = seen

    def _state(self, connection: Any) -> tuple[Any, float]:
        """What would change if a connection moved, and for how long it may not; None for one that rests."""
        waiting = connection.transport.get_write_buffer_size()
        if waiting:
            return ("write", waiting), self._write_timeout
        if connection.timeout_keep_alive_task is None and (
            connection.cycle is None or connection.cycle.response_complete
        ):
            return ("head", id(connection.cycle)), self._read_timeout
        return None, 0.0
