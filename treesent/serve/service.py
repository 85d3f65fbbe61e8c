"""What the server knows and does: one pipeline, one queue, and the answers made of them."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.requests import Request

from treesent.pipeline.treeview import trees_of
from treesent.render import to_svg
from treesent.scoring.rendering import to_json
from treesent.scoring.results import Columns, class_names
from treesent.serve.batching import Batcher, Make, weight
from treesent.serve.counters import Counters
from treesent.serve.options import ServeOptions
from treesent.serve.reading import ScoreRequest, TreeRequest
from treesent.serve.refusal import Refusal
from treesent.version import __version__

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

T = TypeVar("T")
WINDOW = 2
"""Batches of one request that are in the queue at once, so that a long request leaves room for others."""


class Service:
    """The answers."""

    def __init__(self, nlp: "Language", options: ServeOptions, counters: Counters | None = None) -> None:
        """Start the scoring thread.

        :param nlp: a pipeline with the component ``treesent``.
        :param options: limits.
        :param counters: where to count; new ones if there are none.
        """
        self.nlp, self.options = nlp, replace(options, max_length=min(options.max_length, nlp.max_length))
        self.columns = Columns(class_names(nlp))
        self.counters = counters or Counters(1)
        self.draining = False
        self.batcher = Batcher(
            nlp,
            batch_size=options.batch_size,
            wait=options.batch_wait,
            most=options.max_waiting,
            count=self.counters.batch,
        )

    def close(self) -> None:
        """Score what waits and end the thread."""
        self.batcher.close()

    async def score(self, asked: ScoreRequest) -> list[str]:
        """The texts' rows, each as JSON: what ``treesent score`` writes into a line.

        :param asked: the texts.
        """
        columns = replace(self.columns, nodes=asked.nodes)

        def make(text: str, doc: "Doc | None") -> str:
            return to_json({"text": text, **columns.row(doc)})

        with self.batcher.admitted(weight(asked.texts)):
            size = self.options.batch_size
            chunks = (asked.texts[at : at + size] for at in range(0, len(asked.texts), size))
            return [row async for rows in self.in_order(chunks, make) for row in rows]

    async def tree(self, asked: TreeRequest) -> str:
        """A sentence's picture.

        :param asked: the sentence.
        :raises Refusal: 422, the text has no such sentence.
        """

        def draw(text: str, doc: "Doc | None") -> tuple[int, str | None]:
            trees = [] if doc is None else trees_of(doc)
            here = asked.sentence < len(trees)
            return len(trees), to_svg(trees[asked.sentence], asked.orientation) if here else None

        with self.batcher.admitted(weight([asked.text])):
            async for ((count, picture),) in self.in_order([[asked.text]], draw):
                if picture is not None:
                    return str(picture)
                if not count:
                    raise Refusal(422, "has no words; send a sentence", "text")
        raise Refusal(
            422, f"{asked.sentence} is not there: the text has {count} sentences, from 0", "sentence"
        )

    async def in_order(self, chunks: Iterable[Sequence[str]], make: Make) -> AsyncIterator[list[Any]]:
        """What becomes of batches of texts, a few of them in the queue at once.

        :param chunks: texts, at most a batch in each.
        :param make: what is made of each text.
        """
        pending: deque[asyncio.Future[list[Any]]] = deque()
        try:
            for chunk in chunks:
                pending.append(asyncio.wrap_future(self.batcher.submit(chunk, make)))
                if len(pending) >= WINDOW:
                    yield await pending.popleft()
            while pending:
                yield await pending.popleft()
        finally:
            for future in pending:
                future.cancel()

    async def unless_gone(self, request: Request, work: Awaitable[T]) -> T:
        """Finish some work, unless the client goes or it takes too long.

        :param request: whose body has been read.
        :param work: what the client waits for.
        :raises Refusal: 499, the client has gone; 503, there was not enough time.
        """
        task, gone = asyncio.ensure_future(work), asyncio.ensure_future(_gone(request))
        try:
            await asyncio.wait(
                (task, gone), timeout=self.options.timeout, return_when=asyncio.FIRST_COMPLETED
            )
            if task.done():
                return task.result()
            if gone.done():
                raise Refusal(499, "the client has gone")
            raise Refusal(
                503,
                f"not done within {self.options.timeout:g} s; send less at once",
                headers={"Retry-After": "1"},
            )
        finally:
            for one in (task, gone):
                one.cancel()

    def model(self) -> dict[str, Any]:
        """What is served: the model's card, its classes, versions and the limits of requests."""
        meta, limits = self.nlp.meta, self.options
        known = ("name", "lang", "version", "description", "author", "license", "sources", "performance")
        return {
            "model": {name: meta[name] for name in known if meta.get(name)},
            "labels": list(self.columns.classes),
            "columns": self.columns.names,
            "treesent": __version__,
            "limits": {
                "body_bytes": limits.max_body,
                "texts": limits.max_texts,
                "text_characters": limits.max_length,
                "seconds": limits.timeout,
            },
        }


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
