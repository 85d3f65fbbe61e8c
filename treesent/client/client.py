"""The client: texts in, scores out, in batches, and again where the server was busy."""

import random
import re
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from math import isnan
from typing import Any, Literal, Self

from treesent.client.results import Score
from treesent.errors import DataError, MissingExtraError, ServerError

try:
    import httpx
except ModuleNotFoundError as error:
    raise MissingExtraError("httpx", "client") from error

Nodes = Literal["none", "sentences", "all"]
AGAIN = {408, 429, 502, 503, 504}
"""Statuses after which a request is sent again: scoring changes nothing, so that doing it twice does no harm."""
_PLACE = re.compile(r"texts\[(\d+)\]")


class Client:
    """Asks a server that ``treesent serve`` started.

    A client may be used by several threads. It is a context manager, which closes its connections.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        batch_size: int = 64,
        in_flight: int = 4,
        attempts: int = 6,
        timeout: float = 60.0,
        **options: Any,
    ) -> None:
        """Name the server; nothing is sent yet.

        :param url: such as ``http://127.0.0.1:8000``.
        :param token: what the server was started with.
        :param batch_size: texts of a request.
        :param in_flight: requests at once.
        :param attempts: how often a request is sent before an error is raised.
        :param timeout: seconds that an answer may take.
        :param options: of :class:`httpx.Client`.
        :raises MissingExtraError: httpx is not installed.
        :raises ServerError: the url is none.
        """
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._batch_size, self._in_flight, self._attempts = batch_size, in_flight, attempts
        if not url.startswith(("http://", "https://")):
            raise ServerError(f"{url!r} is not a url; give one such as http://127.0.0.1:8000")
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout, **options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def score(self, texts: Iterable[str | None], *, nodes: Nodes = "none") -> list[Score]:
        """Score texts.

        :param texts: a list, a column, any iterable; a text that is empty or None gets an empty score.
        :param nodes: ``sentences`` for the sentences too, ``all`` for every phrase of them.
        :returns: a score for each, in order.
        :raises ServerError: the server refuses a text, and the message names it; or it cannot be reached.
        :raises DataError: one text is given instead of several, or an element is no text.
        """
        return list(self.iter_scores(texts, nodes=nodes))

    def iter_scores(self, texts: Iterable[str | None], *, nodes: Nodes = "none") -> Iterator[Score]:
        """Score texts one after the other, however many: memory stays flat.

        :param texts: as :meth:`score` takes them.
        :param nodes: as :meth:`score` takes it.
        """
        if isinstance(texts, str):
            raise DataError(f"one text is given, {texts[:40]!r}; give a list of texts")
        labels = self.labels
        pending: deque[Future[list[Any]]] = deque()
        with ThreadPoolExecutor(self._in_flight) as pool:
            try:
                for first, batch in _batches(texts, self._batch_size):
                    pending.append(pool.submit(self._rows, batch, nodes, first))
                    if len(pending) >= self._in_flight:
                        yield from (Score.of(row, labels) for row in pending.popleft().result())
                while pending:
                    yield from (Score.of(row, labels) for row in pending.popleft().result())
            finally:
                for future in pending:
                    future.cancel()

    def tree_svg(self, text: str, *, sentence: int = 0, orientation: str = "auto") -> str:
        """Draw a sentence.

        :param text: the text.
        :param sentence: which of its sentences, counted from 0.
        :param orientation: ``auto``, ``down`` (words below the tree) or ``right`` (beside it).
        :returns: the SVG's text.
        :raises ServerError: there is no such sentence, or the server cannot be reached.
        """
        fields = {"text": text, "sentence": sentence, "orientation": orientation}
        return self._send("POST", "/v1/tree.svg", fields).text

    @cached_property
    def model(self) -> dict[str, Any]:
        """What the server says of its model."""
        found = _json(self._send("GET", "/v1/model"))
        if not isinstance(found, dict) or "labels" not in found:
            raise ServerError(f"{self._http.base_url} is not a server of treesent's")
        return found

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, from the most negative to the most positive."""
        return tuple(self.model["labels"])

    def _rows(self, texts: Sequence[str | None], nodes: Nodes, first: int) -> list[Any]:
        """The rows of a batch, in halves if it is too large for the server.

        :param first: the place of its first text among all.
        """
        try:
            rows = _json(self._send("POST", "/v1/score", {"texts": list(texts), "nodes": nodes}))["results"]
        except ServerError as error:
            if error.status == 413 and len(texts) > 1:
                half = len(texts) // 2
                return self._rows(texts[:half], nodes, first) + self._rows(texts[half:], nodes, first + half)
            raise _moved(error, first) from error
        except (LookupError, TypeError) as error:
            raise ServerError("the answer has no results; is this a server of treesent's?") from error
        if len(rows) != len(texts):
            raise ServerError(
                f"{len(texts)} texts were sent, and {len(rows)} rows came back; send them again"
            )
        return list(rows)

    def _send(self, method: str, path: str, fields: dict[str, Any] | None = None) -> httpx.Response:
        attempt = 0
        while True:
            attempt, later = attempt + 1, 0.0
            try:
                answer = self._http.request(method, path, json=fields)
            except httpx.TransportError as error:
                fault = ServerError(
                    f"{self._http.base_url} cannot be reached ({error or type(error).__name__})"
                )
            else:
                if answer.is_success:
                    return answer
                fault = _refused(answer)
                if answer.status_code not in AGAIN:
                    raise fault
                later = _seconds(answer)
            if attempt >= self._attempts:
                raise fault
            # Clients that were refused together must not come back together.
            time.sleep(max(later, 0.1 * 2**attempt) * random.uniform(0.75, 1.25))


def _batches(texts: Iterable[Any], size: int) -> Iterator[tuple[int, list[str | None]]]:
    """The place of the first text of each batch, and the batch."""
    batch: list[str | None] = []
    place = -1
    for place, text in enumerate(texts):
        batch.append(_text(text, place))
        if len(batch) == size:
            yield place + 1 - size, batch
            batch = []
    if batch:
        yield place + 1 - len(batch), batch


def _text(value: Any, place: int) -> str | None:
    """A text, or None for what stands for none in columns of pandas."""
    if isinstance(value, str):
        return value
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, float) and isnan(value):
        return None
    raise DataError(f"element {place} is {value!r:.40}, a {type(value).__name__}; a text was expected")


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError as error:
        raise ServerError(f"{answer.url} answered no JSON; is this a server of treesent's?") from error


def _refused(answer: httpx.Response) -> ServerError:
    """What the server told, or its status if it told nothing."""
    try:
        told = answer.json()["error"]
        message, place = str(told["message"]), told.get("place")
    except (ValueError, LookupError, TypeError, AttributeError):
        message, place = answer.reason_phrase or "no reason given", None
    return ServerError(message, answer.status_code, place)


def _moved(error: ServerError, first: int) -> ServerError:
    """The same error, with the place of the text among all."""
    place = error.place and _PLACE.sub(lambda found: f"texts[{first + int(found[1])}]", error.place)
    return ServerError(error.message, error.status, place)


def _seconds(answer: httpx.Response) -> float:
    try:
        return min(60.0, float(answer.headers.get("Retry-After", 0)))
    except ValueError:
        return 0.0
