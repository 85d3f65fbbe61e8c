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
from treesent.pipeline.record import Record
from treesent.pipeline.tree_sources import CHAIN_WARNING, Batch, Source, Trees, source_of, structure_of
from treesent.text.docs import Sentences
from treesent.text.reading import DocReader
from treesent.text.rows import RowFinder
from treesent.trees.forest import Forest
from treesent.trees.structure import Structure
from treesent.types import Bool, Float32
from treesent.vectors.table import Lookup

if TYPE_CHECKING:
    from spacy.tokens import Doc

    from treesent.models.classifier.folder import SentimentModel
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
    :param hidden: the nodes' hidden states. *Shape:* ``(n_nodes, hidden)``.
    :param probs: their classes. *Shape:* ``(n_nodes, n_classes)``.
    :param vectors: the words' vectors, where they were asked for. *Shape:* ``(n_words, width)``.
    """

    words: slice
    nodes: slice
    structure: Structure
    hidden: torch.Tensor
    probs: torch.Tensor
    vectors: torch.Tensor | None


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
        values = (np.nan,) * model.n_classes if model.polarity is None else model.polarity
        self._polarity = np.array(values, np.float32)
        self._warned = False
        self._lock = Lock()

    def read(self, docs: Sequence["Doc"]) -> Batch:
        """Docs as arrays."""
        tokens, starts = self._reader(docs)
        sentences = Sentences.of(tokens, starts)
        return Batch(docs, tokens, starts, sentences, self.rows.find(tokens, sentences.token))

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
        return self._annotate(batch, structure, self.scores(structure, batch.lookup))

    def _warn(self) -> None:
        with self._lock:
            if self._warned:
                return
            self._warned = True
        warnings.warn(CHAIN_WARNING, stacklevel=2)

    def probabilities(self, structure: Structure, lookup: Lookup) -> Float32:
        """The classes of every node, in post-order. *Shape:* ``(n_nodes, n_classes)``."""
        return self.scores(structure, lookup, opinions=False).probs

    def scores(self, structure: Structure, lookup: Lookup, opinions: bool = True) -> Scores:
        """Run the network on trees, and its head for opinions.

        :param structure: the trees.
        :param lookup: their words.
        :param opinions: false to leave the head out.
        """
        head = self.model.opinions if opinions and self.opinions else None
        probs = np.empty((structure.n_nodes, self.model.n_classes), np.float32)
        towards = np.empty((structure.n_words, 3), np.float32)
        target = np.empty(structure.n_words, np.uint8)
        for part in self.states(structure, lookup, vectors=head is not None and head.config.vectors > 0):
            probs[part.nodes] = part.probs.cpu().numpy()
            if head is not None:
                found = opinions_of(head, part.hidden, part.probs, part.vectors, part.structure)
                towards[part.words], target[part.words] = found
        return Scores(probs) if head is None else Scores(probs, towards, target)

    def states(self, structure: Structure, lookup: Lookup, vectors: bool = False) -> Iterator[States]:
        """Run the network on trees, some of them at a time.

        :param structure: the trees.
        :param lookup: their words.
        :param vectors: give the words' vectors too.
        """
        words = np.concatenate([[0], np.cumsum(structure.lengths)])
        begin = 0
        while begin < structure.n_trees:
            end = max(begin + 1, int(np.searchsorted(words, words[begin] + CHUNK, "right")) - 1)
            own, part = slice(*words[[begin, end]]), structure.part(begin, end)
            batch = self.to_device(Forest.build(part, lookup.rows[own]), lookup)
            states = self.shim.predict(ArgsKwargs((batch,), {}))
            with torch.inference_mode():
                yield States(
                    own,
                    slice(*structure.offsets[[begin, end]]),
                    part,
                    states.hidden.index_select(0, batch.order).float(),
                    torch.softmax(states.logits.float(), dim=1).index_select(0, batch.order),
                    self._vectors(batch) if vectors else None,
                )
            begin = end

    def _vectors(self, batch: ForestBatch) -> torch.Tensor:
        embedding: Any = self.model.network.embedding
        found: torch.Tensor = embedding(batch.distinct, batch.extra)
        return found.float().index_select(0, batch.inverse)

    def to_device(self, forest: Forest, lookup: Lookup) -> ForestBatch:
        """What the network takes, where the network is."""
        return ForestBatch.from_forest(
            forest, self.shim.device, extra=lookup.extra if len(lookup.extra) else None
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
