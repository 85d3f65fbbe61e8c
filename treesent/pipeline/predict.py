"""From Docs to scored trees: the path that every prediction takes, on whole batches."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from thinc.api import ArgsKwargs

from treesent.models.classifier.opinion_head import opinions_of
from treesent.nn.batch import ForestBatch
from treesent.nn.pieces import MOST_PIECES
from treesent.pipeline.record import Record
from treesent.pipeline.tree_sources import CHAIN_WARNING, Batch, Source, Trees, source_of, structure_of
from treesent.text.docs import Sentences
from treesent.text.reading import DocReader
from treesent.text.rows import RowFinder
from treesent.trees.forest import Forest
from treesent.trees.structure import Structure
from treesent.types import Bool, Float32, Int64

if TYPE_CHECKING:
    from spacy.tokens import Doc

    from treesent.models.classifier.folder import SentimentModel
    from treesent.models.classifier.node_states import NodeStates
    from treesent.pipeline.architectures import NetworkShim

# About 256 sentences: larger batches spend their time on page faults.
CHUNK = 6000


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What the component has to say of one Doc.

    :param record: the scored trees.
    :param starts: whether a sentence starts at each token; None if the Doc knows. *Shape:*
        ``(n_tokens,)``.
    """

    record: Record
    starts: Bool | None


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """What networks say of the trees of a batch.

    :param probs: the classes of every node, in post-order. *Shape:* ``(n_nodes, n_classes)``.
    :param towards: see :class:`~treesent.pipeline.record.Record`. *Shape:* ``(n_words, 3)``.
    :param target: see there. *Shape:* ``(n_words,)``.
    """

    probs: Float32
    towards: Float32 | None = None
    target: npt.NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class States:
    """What the network leaves at the nodes of some trees, in post-order.

    :param words: where their words lie among all.
    :param nodes: where their nodes lie among all.
    :param structure: the trees.
    :param probs: the nodes' classes. *Shape:* ``(n_nodes, n_classes)``.
    :param output: what the network gave, in the order of the forest.
    :param order: where each node lies there. *Shape:* ``(n_nodes,)``.
    :param vectors: the words' vectors, where they were asked for. *Shape:* ``(n_words, width)``.
    """

    words: slice
    nodes: slice
    structure: Structure
    probs: torch.Tensor
    output: "NodeStates"
    order: torch.Tensor
    vectors: torch.Tensor | None

    @property
    def hidden(self) -> torch.Tensor:
        """The nodes' hidden states. *Shape:* ``(n_nodes, hidden)``."""
        return self.output.hidden.index_select(0, self.order).float()


class Predictor:
    """Scores Docs with one model; it keeps the look-ups that the model's table allows."""

    def __init__(
        self,
        model: "SentimentModel",
        shim: "NetworkShim",
        trees: Trees,
        aggregate: str,
        opinions: bool = True,
    ) -> None:
        self.model, self.shim, self.trees, self.aggregate = model, shim, trees, aggregate
        self.opinions = opinions
        self.rows = RowFinder(model.table)
        self._reader = DocReader()
        transformer = getattr(model.network, "transformer", None)
        self._longest = MOST_PIECES if transformer is None else transformer.longest
        values = (np.nan,) * model.n_classes if model.polarity is None else model.polarity
        self._polarity = np.array(values, np.float32)
        self._warned = False
        self._lock = Lock()

    def read(self, docs: Sequence["Doc"]) -> Batch:
        """Docs as arrays."""
        tokens, starts = self._reader(docs)
        sentences = Sentences.of(tokens, starts)
        reader = self.model.pieces
        pieces = None if reader is None else reader(sentences.words(tokens))
        return Batch(docs, tokens, starts, sentences, self.rows.find(tokens, sentences.token), pieces)

    def predict(self, docs: Sequence["Doc"], trees: Trees | None = None) -> list[Prediction]:
        """Score Docs without changing them.

        :param docs: the Docs.
        :param trees: the source of their trees, if not the predictor's own.
        """
        trees = self.trees if trees is None else trees
        by_source: dict[Source, list[int]] = {}
        for place, doc in enumerate(docs):
            source = source_of(doc, trees, self.model.parsed)
            by_source.setdefault(source, []).append(place)
        found: dict[int, Prediction] = {}
        for source, places in by_source.items():
            batch = self.read([docs[place] for place in places])
            longest = batch.sentences.lengths.max(initial=0)
            if source == "right-branching" and trees == "auto" and longest > 2:
                self._warn()
            found.update(zip(places, self.score(batch, source), strict=True))
        return [found[place] for place in range(len(docs))]

    def score(self, batch: Batch, source: Source) -> list[Prediction]:
        """Score Docs whose trees come from one source."""
        structure = structure_of(batch, source, self.model)
        return self._annotate(batch, structure, self.scores(structure, batch))

    def _warn(self) -> None:
        with self._lock:
            if self._warned:
                return
            self._warned = True
        warnings.warn(CHAIN_WARNING, stacklevel=2)

    def probabilities(self, structure: Structure, read: Batch, words: Int64 | None = None) -> Float32:
        """Give the probabilities of the classes of every node, in post-order.

        :param structure: the trees.
        :param read: the Docs that they are trees of.
        :param words: the words of the trees, counted over the Docs; None for all in order.
            *Shape:* ``(n_words,)``.
        :returns: *Shape:* ``(n_nodes, n_classes)``.
        """
        probs = np.empty((structure.n_nodes, self.model.n_classes), np.float32)
        for part in self.states(structure, read, words):
            probs[part.nodes] = part.probs.cpu().numpy()
        return probs

    def scores(self, structure: Structure, read: Batch) -> Scores:
        """Run the network on trees, and its head for opinions.

        :param structure: the trees.
        :param read: the Docs that they are trees of.
        """
        head = self.model.opinions if self.opinions else None
        if head is None:
            return Scores(self.probabilities(structure, read))
        probs = np.empty((structure.n_nodes, self.model.n_classes), np.float32)
        towards = np.empty((structure.n_words, 3), np.float32)
        target = np.empty(structure.n_words, np.uint8)
        for part in self.states(structure, read, vectors=head.config.vectors > 0):
            probs[part.nodes] = part.probs.cpu().numpy()
            found = opinions_of(head, part.hidden, part.probs, part.vectors, part.structure)
            towards[part.words], target[part.words] = found
        return Scores(probs, towards, target)

    def states(
        self, structure: Structure, read: Batch, words: Int64 | None = None, vectors: bool = False
    ) -> Iterator[States]:
        """Run the network on trees, some of them at a time.

        :param structure: the trees.
        :param read: the Docs that they are trees of.
        :param words: the words of the trees, counted over the Docs; None for all in order.
            *Shape:* ``(n_words,)``.
        :param vectors: give the words' vectors too.
        """
        first = np.concatenate([[0], np.cumsum(structure.lengths)])
        begin = 0
        while begin < structure.n_trees:
            end = max(begin + 1, int(np.searchsorted(first, first[begin] + CHUNK, "right")) - 1)
            own, part = slice(*first[[begin, end]]), structure.part(begin, end)
            here = np.arange(own.start, own.stop) if words is None else words[own]
            batch = self.to_device(part, read, words=here)
            states = self.shim.predict(ArgsKwargs((batch,), {}))
            yield States(
                own,
                slice(*structure.offsets[[begin, end]]),
                part,
                torch.softmax(states.logits.float(), dim=1).index_select(0, batch.order),
                states,
                batch.order,
                self._vectors(batch) if vectors else None,
            )
            begin = end

    def _vectors(self, batch: ForestBatch) -> torch.Tensor:
        embedding: Any = self.model.network.embedding
        found: torch.Tensor = embedding(batch.distinct, batch.extra)
        return found.float().index_select(0, batch.inverse)

    def to_device(
        self, structure: Structure, read: Batch, label: Int64 | None = None, words: Int64 | None = None
    ) -> ForestBatch:
        """Give what the network takes, where the network is.

        :param structure: the trees.
        :param read: the Docs that they are trees of.
        :param label: class of each node, -1 for none. *Shape:* ``(n_nodes,)``.
        :param words: the words of the trees, if they are not all. *Shape:* ``(n_words,)``.
        """
        lookup, pieces = read.lookup, read.pieces
        rows = lookup.rows if words is None else lookup.rows[words]
        if pieces is not None and words is not None:
            pieces = pieces.take(words)
        return ForestBatch.from_forest(
            Forest.build(structure, rows, label),
            self.shim.device,
            extra=lookup.extra if len(lookup.extra) else None,
            pieces=pieces,
            longest=self._longest,
        )

    def _annotate(self, batch: Batch, structure: Structure, scores: Scores) -> list[Prediction]:
        """Cut what was found for a batch into its Docs; copies, so that no Doc keeps the batch alive."""
        tokens, token = batch.tokens, batch.sentences.token
        chars = np.empty((len(token), 2), np.int32)
        chars[:, 0], chars[:, 1] = tokens.begin[token], tokens.end[token]
        unknown = batch.lookup.unknown.astype(np.uint8)
        silent = batch.sentences.silent.astype(np.uint8)
        words = np.zeros(structure.n_trees + 1, np.int32)
        np.cumsum(structure.lengths, out=words[1:])
        trees, nodes = batch.sentences.offsets, structure.offsets
        sizes = np.append(tokens.end + tokens.spaced, 0)[np.maximum(tokens.offsets[1:], 1) - 1]
        sizes[np.diff(tokens.offsets) == 0] = 0
        labels, found = list(self.model.labels), []
        bounds = (trees, nodes[trees], words[trees], tokens.offsets)
        for place, (first, last) in enumerate(pairwise(np.stack(bounds, axis=1).tolist())):
            here, own, starts = (slice(*ends) for ends in zip(first[1:], last[1:], strict=True))
            record = Record(
                chars=chars[own].copy(),
                unknown=unknown[own].copy(),
                words=words[first[0] : last[0] + 1] - words[first[0]],
                left=structure.left[here].copy(),
                start=structure.start[here].copy(),
                end=structure.end[here].copy(),
                probs=scores.probs[here].copy(),
                polarity=self._polarity,
                labels=labels.copy(),
                aggregate=self.aggregate,
                size=int(sizes[place]),
                silent=silent[first[0] : last[0]].copy(),
                towards=None if scores.towards is None else scores.towards[own].copy(),
                target=None if scores.target is None else scores.target[own].copy(),
            )
            found.append(Prediction(record, batch.starts[starts] if tokens.open[place] else None))
        return found
