"""What the server knows and does: one pipeline, one queue, and the answers made of them."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from starlette.requests import Request

from treesent.errors import TreesentError
from treesent.pipeline.treeview import TreeView, trees_of
from treesent.render import to_svg
from treesent.scoring.options import Nodes
from treesent.scoring.rendering import to_json
from treesent.scoring.results import Columns, class_names
from treesent.serve import log
from treesent.serve.batching import Batcher, Make, weight
from treesent.serve.corrections import Corrections
from treesent.serve.counters import Counters
from treesent.serve.options import ServeOptions
from treesent.serve.reading import CorrectionRequest, ScoreRequest, TreeRequest
from treesent.serve.refusal import Refusal
from treesent.trees.tree import Tree
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
        self._columns = {nodes: replace(self.columns, nodes=nodes) for nodes in get_args(Nodes)}
        self.counters = counters or Counters(1)
        self.corrections = (
            None
            if options.corrections is None
            else Corrections(options.corrections, len(self.columns.classes))
        )
        self.draining = False
        self.batcher = Batcher(
            nlp,
            batch_size=options.batch_size,
            wait=options.batch_wait,
            most=options.max_waiting,
            longest=options.max_delay,
            count=self.counters.batch,
        )

    def close(self) -> None:
        """Score what waits and end the thread."""
        self.batcher.close()

    async def score(self, asked: ScoreRequest) -> list[str]:
        """The texts' rows, each as JSON: what ``treesent score`` writes into a line.

        :param asked: the texts.
        """
        columns = self._columns[asked.nodes]

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
        return str(
            await self._of_sentence(asked.text, asked.sentence, lambda t: to_svg(t, asked.orientation))
        )

    async def correct(self, asked: CorrectionRequest) -> dict[str, Any]:
        """Keep labels of a sentence, and tell which are kept of it.

        :param asked: the sentence and the labels.
        :raises Refusal: 404, the server keeps none; 422, there is no such sentence, or no such phrase in it.
        """
        file = self.corrections
        if file is None:
            raise Refusal(404, "no corrections are kept; start the server with --corrections FILE")
        tree: Tree = await self._of_sentence(asked.text, asked.sentence, lambda view: view.to_tree())
        if asked.labels and max(asked.labels) >= tree.n_nodes:
            raise Refusal(
                422, f"{max(asked.labels)} is not there: the sentence has {tree.n_nodes} phrases", "labels"
            )
        try:
            # It waits for the disk, which no other request should.
            kept = await asyncio.to_thread(file.correct, tree, asked.labels)
        except TreesentError as error:
            log.event("correction not kept", message=str(error))
            raise Refusal(
                503, "the server could not keep it; its log says why", headers={"Retry-After": "5"}
            ) from error
        self.counters.add("treesent_corrections_total", len(asked.labels))
        return {"labels": {str(node): self.columns.classes[label] for node, label in sorted(kept.items())}}

    async def _of_sentence(self, text: str, sentence: int, make: Callable[[TreeView], Any]) -> Any:
        """What is made of the tree of a sentence, in the scoring thread."""

        def of_text(text: str, doc: "Doc | None") -> tuple[int, Any]:
            trees = [] if doc is None else trees_of(doc)
            return len(trees), make(trees[sentence]) if sentence < len(trees) else None

        with self.batcher.admitted(weight([text])):
            ((count, made),) = [one async for found in self.in_order([[text]], of_text) for one in found]
        if not count:
            raise Refusal(422, "has no words; send a sentence", "text")
        if made is None:
            raise Refusal(422, f"{sentence} is not there: the text has {count} sentences, from 0", "sentence")
        return made

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
            "corrections": self.corrections is not None,
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
