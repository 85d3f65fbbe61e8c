"""What the component leaves on a Doc: plain arrays in ``doc.user_data``, and how text finds its nodes.

Words are known by their characters, not by token numbers, so that the record still holds after tokens were
merged or split. The key has the form of spaCy's own extension values and carries the character at which the
record begins; spaCy shifts such keys in ``Span.as_doc(copy_user_data=True)`` and in ``Doc.from_docs``.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from treesent.trees.structure import Structure
from treesent.types import Float32, Int32

if TYPE_CHECKING:
    from spacy.tokens import Doc


NAME = "treesent"


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """The scored trees of a Doc's sentences, one after the other, each in post-order.

    A tree over n words has 2n - 1 nodes, and the right child of inner node i is node i - 1; so neither node
    offsets nor right children are stored.

    :param chars: where each word begins and ends. *Shape:* ``(n_words, 2)``.
    :param unknown: 1 where the table of vectors lacks the word. *Shape:* ``(n_words,)``.
    :param words: the word at which each tree begins, and their number. *Shape:* ``(n_trees + 1,)``.
    :param left: left child of each node, counted within its tree, -1 at a leaf. *Shape:* ``(n_nodes,)``.
    :param start: first word of each node, counted within its tree. *Shape:* ``(n_nodes,)``.
    :param end: the word after its last. *Shape:* ``(n_nodes,)``.
    :param probs: probabilities of the classes. *Shape:* ``(n_nodes, n_classes)``.
    :param polarity: the value of each class from -1 to 1; NaN where the classes have none.
        *Shape:* ``(n_classes,)``.
    :param labels: the names of the classes.
    :param aggregate: how sentences make the sentiment of a longer text.
    :param size: characters of the text that was scored.
    :param silent: 1 where a sentence holds no opinion, because it consists of links, names, numbers and marks alone;
        none in records of earlier versions. *Shape:* ``(n_trees,)``.
    :param reasons: what each word adds to the polarity of its sentence, see :mod:`treesent.pipeline.reasons`; None
        until it is asked for. *Shape:* ``(n_words,)``.
    :param towards: log-probabilities that what is said of each word is negative, neutral or positive; None without
        a head for opinions. *Shape:* ``(n_words, 3)``.
    :param target: 1 at the first word of what somebody has an opinion on, 2 at its later words, else 0; None without
        such a head. *Shape:* ``(n_words,)``.
    """

    chars: Int32
    unknown: npt.NDArray[np.uint8]
    words: Int32
    left: Int32
    start: Int32
    end: Int32
    probs: Float32
    polarity: Float32
    labels: Sequence[str]
    aggregate: str
    size: int
    silent: npt.NDArray[np.uint8] | None = None
    reasons: Float32 | None = None
    towards: Float32 | None = None
    target: npt.NDArray[np.uint8] | None = None

    def to_value(self) -> dict[str, Any]:
        """The record as spaCy's ``to_bytes`` and ``DocBin`` can write it."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return values if self.reasons is not None else {k: v for k, v in values.items() if k != "reasons"}

    @classmethod
    def from_value(cls, value: Mapping[str, Any]) -> Self:
        """The record of :meth:`to_value`."""
        return cls(**value)

    @property
    def n_trees(self) -> int:
        """How many sentences have words."""
        return len(self.words) - 1

    def nodes(self, tree: int) -> slice:
        """Where the nodes of a tree lie."""
        return slice(2 * int(self.words[tree]) - tree, 2 * int(self.words[tree + 1]) - tree - 1)

    def words_of(self, begin: int, end: int) -> tuple[int, int]:
        """The words that characters ``begin:end`` touch, as a half-open range."""
        # By hand: numpy would first copy a column, which is as long as the text.
        places = range(len(self.chars))
        first = bisect_right(places, begin, key=lambda place: self.chars[place, 1])
        return first, max(first, bisect_left(places, end, key=lambda place: self.chars[place, 0]))

    def trees_of(self, first: int, last: int) -> range:
        """The trees that words ``first:last`` touch."""
        if first >= last:
            return range(0)
        return range(bisect_right(self.words, first) - 1, bisect_left(self.words, last))

    def node(self, tree: int, first: int, last: int) -> int:
        """The node of a tree that covers exactly these words, counted within the tree; -1 where none does."""
        nodes = self.nodes(tree)
        first, last = first - int(self.words[tree]), last - int(self.words[tree])
        found = np.flatnonzero((self.start[nodes] == first) & (self.end[nodes] == last))
        return int(found[0]) if len(found) else -1

    def around(self, tree: int, first: int, last: int) -> npt.NDArray[np.int64]:
        """The nodes of a tree that cover at least these words, the smallest first."""
        nodes = self.nodes(tree)
        first, last = first - int(self.words[tree]), last - int(self.words[tree])
        # In post-order an ancestor comes after its descendants, so the order found is the order of size.
        return np.flatnonzero((self.start[nodes] <= first) & (self.end[nodes] >= last))

    def tiles(self, tree: int, first: int, last: int) -> npt.NDArray[np.int64]:
        """The fewest nodes of a tree that together cover exactly these words."""
        nodes = self.nodes(tree)
        first, last = first - int(self.words[tree]), last - int(self.words[tree])
        inside = (self.start[nodes] >= first) & (self.end[nodes] <= last)
        left = self.left[nodes]
        inner = np.flatnonzero((left >= 0) & inside)
        top = inside.copy()
        top[left[inner]] = False
        top[inner - 1] = False
        return np.flatnonzero(top)


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Neighbouring words of one sentence of a Doc.

    :param record: the record that has the sentence.
    :param offset: the character of the Doc at which the record begins.
    :param tree: the sentence's tree.
    :param first: the first of the words, counted within the record.
    :param last: the word after the last of them.
    """

    record: Record
    offset: int
    tree: int
    first: int
    last: int

    @property
    def silent(self) -> bool:
        """Whether the sentence holds no opinion."""
        return self.record.silent is not None and bool(self.record.silent[self.tree])


def structure_of(records: Sequence[Record]) -> Structure:
    """Give the trees of all records; the right child of an inner node stands just before it."""
    sizes = np.concatenate([2 * np.diff(record.words) - 1 for record in records])
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    left = np.concatenate([record.left for record in records])
    local = np.arange(len(left)) - np.repeat(offsets[:-1], sizes)
    right = np.where(left >= 0, local - 1, -1).astype(np.int32)
    start = np.concatenate([record.start for record in records])
    end = np.concatenate([record.end for record in records])
    return Structure(left, right, start, end, offsets)


def write(doc: "Doc", record: Record) -> None:
    """Leave a record on a Doc, in place of an earlier one."""
    values: dict[Any, Any] = doc.user_data
    for key in [key for key in values if _is_ours(key)]:
        del values[key]
    values["._.", NAME, 0, None] = record.to_value()


_GIVEN = ("._.", f"{NAME}.given", None, None)


def give(doc: "Doc", value: dict[str, Any] | None) -> None:
    """Leave a sentiment on a Doc that has no record.

    :param doc: the Doc.
    :param value: plain values; None to take it away.
    """
    values: dict[Any, Any] = doc.user_data
    values.pop(_GIVEN, None)
    if value is not None:
        values[_GIVEN] = value


def given(doc: "Doc") -> dict[str, Any] | None:
    """What :func:`give` left on a Doc."""
    values: dict[Any, Any] = doc.user_data
    value: dict[str, Any] | None = values.get(_GIVEN)
    return value


def read(doc: "Doc") -> list[tuple[int, Record]]:
    """The records on a Doc with the characters at which they begin, in text order.

    There is one, or one for each Doc that ``Doc.from_docs`` joined; none where no component left any.
    """
    values: dict[Any, Any] = doc.user_data
    whole = values.get(("._.", NAME, 0, None))
    if whole is not None and whole["size"] >= size(doc):
        return [(0, Record.from_value(whole))]
    found = [(int(key[2]), Record.from_value(value)) for key, value in values.items() if _is_ours(key)]
    return sorted(found, key=itemgetter(0))


def size(doc: "Doc") -> int:
    """How many characters a Doc has, without putting its text together."""
    return doc[-1].idx + len(doc[-1].text_with_ws) if len(doc) else 0


def stretches(doc: "Doc", begin: int, end: int) -> Iterator[Stretch]:
    """The sentences that characters ``begin:end`` of a Doc touch, each with the words that they touch."""
    for offset, record in read(doc):
        first, last = record.words_of(begin - offset, end - offset)
        for tree in record.trees_of(first, last):
            here = max(first, int(record.words[tree]))
            yield Stretch(record, offset, tree, here, min(last, int(record.words[tree + 1])))


def _is_ours(key: object) -> bool:
    return isinstance(key, tuple) and len(key) == 4 and key[0] == "._." and key[1] == NAME
