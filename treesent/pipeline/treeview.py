"""A scored tree as the user sees it: a node with its sentiment, its children and its picture."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from treesent.metrics.classes import predicted_classes
from treesent.pipeline import record as store
from treesent.pipeline.record import Record, Stretch
from treesent.pipeline.sentiment import Sentiment, sentiment_of
from treesent.render import Picture, to_svg
from treesent.trees.tree import Tree
from treesent.types import Float32, Int32, Int64

if TYPE_CHECKING:
    from spacy.tokens import Doc, Span


@dataclass(frozen=True, slots=True, eq=False)
class TreeView:
    """A constituent of a scored sentence, with all that is under it.

    Iterating gives every constituent under and including this one, children before parents.

    :param doc: the Doc.
    :param record: the scored trees.
    :param offset: the character of the Doc at which the record begins.
    :param tree: which tree.
    :param node: which node of it, in post-order.
    """

    doc: "Doc"
    record: Record
    offset: int
    tree: int
    node: int

    @classmethod
    def around(cls, doc: "Doc", stretch: Stretch) -> Self:
        """The smallest constituent around some words of a sentence."""
        node = stretch.record.around(stretch.tree, stretch.first, stretch.last)[0]
        return cls(doc, stretch.record, stretch.offset, stretch.tree, int(node))

    @property
    def _row(self) -> int:
        return int(self.record.nodes(self.tree).start) + self.node

    @property
    def _words(self) -> tuple[int, int]:
        first = int(self.record.words[self.tree])
        return first + int(self.record.start[self._row]), first + int(self.record.end[self._row])

    @property
    def n_words(self) -> int:
        """How many words the constituent has."""
        first, last = self._words
        return last - first

    @property
    def n_nodes(self) -> int:
        """How many nodes it has, itself and its words among them."""
        return 2 * self.n_words - 1

    @property
    def span(self) -> "Span":
        """The constituent as a span of the Doc."""
        first, last = self._words
        begin, end = int(self.record.chars[first, 0]), int(self.record.chars[last - 1, 1])
        size = self.doc[-1].idx + len(self.doc[-1])
        begin, end = max(begin + self.offset, 0), min(end + self.offset, size)
        span = self.doc.char_span(begin, end, alignment_mode="expand")
        assert span is not None
        return span

    @property
    def text(self) -> str:
        """The constituent's text."""
        return str(self.span.text)

    @property
    def words(self) -> list[str]:
        """The constituent's words."""
        text, (first, last) = self.doc.text, self._words
        chars = np.clip(self.record.chars[first:last] + self.offset, 0, len(text)).tolist()
        return [text[begin:end] for begin, end in chars]

    @property
    def sentiment(self) -> Sentiment:
        """The constituent's sentiment."""
        first, last = self._words
        unknown = float(self.record.unknown[first:last].mean())
        return sentiment_of(self.record, self.record.probs[self._row], unknown, self.text)

    @property
    def label(self) -> str:
        """The class, as :attr:`Sentiment.label` names it."""
        return str(self.record.labels[self._best])

    @property
    def probs(self) -> Float32:
        """The probability of each class. *Shape:* ``(n_classes,)``."""
        return np.asarray(self.record.probs[self._row])

    @property
    def _best(self) -> int:
        return int(predicted_classes(self.probs[None], self.record.polarity)[0])

    @property
    def neutral(self) -> bool:
        """Whether the class is one of value 0."""
        return bool(self.record.polarity[self._best] == 0)

    @property
    def children(self) -> tuple[Self, ...]:
        """The left and the right child; none at a word."""
        left = int(self.record.left[self._row])
        return () if left < 0 else (self._at(left), self._at(self.node - 1))

    @property
    def root(self) -> Self:
        """The whole sentence."""
        nodes = self.record.nodes(self.tree)
        return self._at(nodes.stop - nodes.start - 1)

    def outwards(self) -> Iterator[Self]:
        """Give the constituents around this one, itself included, the smallest first."""
        for node in self.record.around(self.tree, *self._words).tolist():
            yield self._at(node)

    def _at(self, node: int) -> Self:
        return type(self)(self.doc, self.record, self.offset, self.tree, node)

    def __iter__(self) -> Iterator[Self]:
        return (self._at(node) for node in range(self.node - self.n_nodes + 1, self.node + 1))

    def __len__(self) -> int:
        """How many nodes there are."""
        return self.n_nodes

    def __repr__(self) -> str:
        return f"TreeView({self.label!r}, text={self.text!r})"

    @property
    def _rows(self) -> slice:
        return slice(self._row - self.n_nodes + 1, self._row + 1)

    @property
    def _left(self) -> Int32:
        """Left children, counted within this subtree."""
        left = self.record.left[self._rows]
        return np.where(left < 0, -1, left - (self.node - self.n_nodes + 1))

    @property
    def _classes(self) -> Int64:
        return predicted_classes(self.record.probs[self._rows], self.record.polarity)

    def to_tree(self) -> Tree:
        """The tree by itself, labelled with the number of each node's class."""
        left = self._left
        right = np.where(left < 0, -1, np.arange(-1, self.n_nodes - 1))
        return Tree.from_structure(self.words, left, right, self._classes)

    def picture(self) -> Picture:
        """What :func:`treesent.render.to_svg` draws."""
        record = self.record
        return Picture(
            self.words,
            self._left,
            record.probs[self._rows],
            self._classes,
            list(record.labels),
            record.polarity,
            self.reasons,
        )

    @property
    def reasons(self) -> Float32 | None:
        """What each word adds to the polarity of the sentence; None unless the Doc was explained."""
        first, last = self._words
        return None if self.record.reasons is None else self.record.reasons[first:last]

    def brackets(self) -> str:
        """The tree as the treebank writes it, such as ``(3 (2 The) (2 plot))``, with class numbers."""
        return self.to_tree().brackets()

    def to_dict(self) -> dict[str, Any]:
        """The tree as nested plain values, ready for JSON.

        Each node has ``span`` (tokens of the Doc, half-open), ``text``, ``label``, ``probs``, ``polarity``,
        and ``children`` where it is more than a word.
        """
        done: list[dict[str, Any]] = []
        for node in self:
            span, probs = node.span, node.probs
            entry: dict[str, Any] = {
                "span": [span.start, span.end],
                "text": span.text,
                "label": node.label,
                "probs": [round(float(value), 6) for value in probs],
                "polarity": node.sentiment.to_dict()["polarity"],
            }
            if self.record.left[node._row] >= 0:
                entry["children"] = done[-2:]
                del done[-2:]
            done.append(entry)
        return done[0]

    def _repr_svg_(self) -> str:
        """The tree's picture, which a notebook shows by itself."""
        return to_svg(self)


def trees_of(doc: "Doc") -> list[TreeView]:
    """The scored trees of all sentences of a Doc, in order.

    :param doc: a Doc that was scored.
    """
    return [
        TreeView(doc, record, offset, tree, record.nodes(tree).stop - record.nodes(tree).start - 1)
        for offset, record in store.read(doc)
        for tree in range(record.n_trees)
    ]
