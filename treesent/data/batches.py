"""Many trees as flat arrays, and minibatches cut from them without Python per node."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from treesent.errors import DataError
from treesent.trees.arrays import ranges
from treesent.trees.forest import Forest
from treesent.trees.structure import Structure
from treesent.trees.tree import Tree
from treesent.types import Float16, Int64

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, eq=False)
class Documents:
    """Texts of one or more sentences, each sentence a tree.

    :param offsets: the tree at which each text begins, and their number. *Shape:* ``(n_documents + 1,)``.
    :param target: class of each text of several sentences, -1 if there is none; that of a text of one
        sentence stands on its root. *Shape:* ``(n_documents,)``.
    """

    offsets: Int64
    target: Int64

    @classmethod
    def of_trees(cls, n_trees: int) -> "Documents":
        """Make texts of one tree each."""
        return cls(np.arange(n_trees + 1), np.full(n_trees, -1, np.int64))

    def __add__(self, other: "Documents") -> "Documents":
        """Put texts after others."""
        return Documents(
            np.concatenate([self.offsets, other.offsets[1:] + self.offsets[-1]]),
            np.concatenate([self.target, other.target]),
        )

    @property
    def of_tree(self) -> Int64:
        """The text of each tree. *Shape:* ``(n_trees,)``."""
        return np.repeat(np.arange(len(self.target)), np.diff(self.offsets))

    def take(self, documents: Int64) -> tuple["Documents", Int64]:
        """Select texts; give them, and the numbers of their trees.

        :param documents: which, in the order wanted. *Shape:* ``(n_taken,)``.
        """
        sizes = np.diff(self.offsets)[documents]
        trees = ranges(self.offsets[documents], sizes)
        return Documents(np.concatenate([[0], np.cumsum(sizes)]), self.target[documents]), trees


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """Trees with their words and labels, trees concatenated.

    :param words: *Shape:* ``(n_words,)``.
    :param structure: the trees without words and labels.
    :param label: class of each node in post-order, -1 if there is none. *Shape:* ``(n_nodes,)``.
    :param documents: the texts that the trees are sentences of; None if each tree is a text.
    """

    words: Sequence[str]
    structure: Structure
    label: Int64
    documents: Documents | None = None

    def __post_init__(self) -> None:
        """Refuse parts that disagree."""
        if len(self.words) != self.structure.n_words or len(self.label) != self.structure.n_nodes:
            raise DataError(
                f"{len(self.words)} words and {len(self.label)} labels for trees of {self.structure.n_words} "
                f"words and {self.structure.n_nodes} nodes; give one for each"
            )

    def __len__(self) -> int:
        """Count the trees."""
        return self.structure.n_trees

    @property
    def roots(self) -> Int64:
        """The root of each tree, counted over all nodes. *Shape:* ``(n_trees,)``."""
        return self.structure.offsets[1:] - 1

    @classmethod
    def from_trees(cls, trees: Sequence[Tree]) -> "Corpus":
        """Join trees.

        :param trees: the trees, in order.
        """
        label = np.concatenate([np.empty(0, np.int64), *(tree.label for tree in trees)])
        words = [word for tree in trees for word in tree.words]
        return cls(words, Structure.from_trees(trees), label)

    def __add__(self, other: "Corpus") -> "Corpus":
        """Put a corpus after another."""
        return Corpus(
            [*self.words, *other.words],
            Structure.concatenate([self.structure, other.structure]),
            np.concatenate([self.label, other.label]),
            _joined(self, other),
        )


@dataclass(frozen=True, slots=True, eq=False)
class EncodedCorpus:
    """A corpus whose words are rows of a table of vectors: what batches are cut from.

    :param structure: the trees.
    :param rows: row of each word. *Shape:* ``(n_words,)``.
    :param label: class of each node in post-order, -1 if there is none. *Shape:* ``(n_nodes,)``.
    :param documents: the texts that the trees are sentences of; None if each tree is a text.
    :param words: the number of each word among the distinct words of a run, whose word pieces are known; None
        for networks without a transformer. *Shape:* ``(n_words,)``.
    :param soft: probabilities of the classes of each node, from a teacher, in post-order, zeros where it has
        none; None without one.
        *Shape:* ``(n_nodes, n_classes)``.
    """

    structure: Structure
    rows: Int64
    label: Int64
    documents: Documents | None = None
    words: Int64 | None = None
    soft: Float16 | None = None

    def __len__(self) -> int:
        """Count the trees."""
        return self.structure.n_trees

    @property
    def n_documents(self) -> int:
        """Count the texts."""
        return len(self) if self.documents is None else len(self.documents.target)

    def __add__(self, other: "EncodedCorpus") -> "EncodedCorpus":
        """Join two corpora over the same table."""
        return EncodedCorpus(
            Structure.concatenate([self.structure, other.structure]),
            np.concatenate([self.rows, other.rows]),
            np.concatenate([self.label, other.label]),
            _joined(self, other),
            None if self.words is None or other.words is None else np.concatenate([self.words, other.words]),
        )

    def take(self, trees: Int64) -> "EncodedCorpus":
        """Select trees, each a text.

        :param trees: which, in the order wanted. *Shape:* ``(n_taken,)``.
        """
        offsets = self.structure.offsets
        sizes = offsets[trees + 1] - offsets[trees]
        # A tree of n words has 2 n - 1 nodes, so the trees before tree t have (offsets[t] + t) / 2 words.
        words = ranges((offsets[trees] + trees) // 2, (sizes + 1) // 2)
        nodes = ranges(offsets[trees], sizes)
        return EncodedCorpus(
            self.structure.take(trees),
            self.rows[words],
            self.label[nodes],
            words=None if self.words is None else self.words[words],
            soft=None if self.soft is None else self.soft[nodes],
        )

    def forest(self, trees: Int64) -> Forest:
        """Lay some of the trees out as a batch.

        :param trees: which, in the order wanted. *Shape:* ``(batch,)``.
        """
        part = self.take(trees)
        return Forest.build(part.structure, part.rows, part.label)


def _joined(first: Corpus | EncodedCorpus, second: Corpus | EncodedCorpus) -> Documents | None:
    """The texts of two corpora, one after the other."""
    if first.documents is None and second.documents is None:
        return None
    return (first.documents or Documents.of_trees(len(first))) + (
        second.documents or Documents.of_trees(len(second))
    )


def epoch_batches(n_trees: int, batch_size: int, seed: int, epoch: int) -> list[Int64]:
    """Shuffle the trees of one epoch and cut them into batches; the last one may be smaller.

    The order depends on seed and epoch alone, so that a run can be resumed in the middle of an epoch.

    :param n_trees: how many trees there are.
    :param batch_size: trees a batch.
    :param seed: the run's seed.
    :param epoch: which epoch, from 0.
    """
    order = np.random.default_rng([seed, epoch]).permutation(n_trees)
    return [order[start : start + batch_size] for start in range(0, n_trees, batch_size)]


def in_order(corpus: EncodedCorpus, batch_size: int) -> Iterator[Forest]:
    """Cut a corpus into batches in its own order, as scoring wants it.

    :param corpus: the trees.
    :param batch_size: trees a batch.
    """
    for start in range(0, len(corpus), batch_size):
        yield corpus.forest(np.arange(start, min(start + batch_size, len(corpus))))


def prefetch(make: Callable[[], Iterable[Item]], depth: int = 2) -> Iterator[Item]:
    """Produce items on another thread, a few ahead, so that a device never waits for the host's arrays.

    :param make: called on that thread; an error there is raised here.
    :param depth: items ready at most.
    """
    ready: queue.Queue[Item | _End] = queue.Queue(depth)
    closed = threading.Event()
    thread = threading.Thread(
        target=_produce, args=(make, ready, closed), name="treesent-prefetch", daemon=True
    )
    thread.start()
    try:
        while True:
            item = ready.get()
            if not isinstance(item, _End):
                yield item
            elif item.error is None:
                return
            else:
                raise item.error
    finally:
        closed.set()
        thread.join()


@dataclass(frozen=True, slots=True)
class _End:
    """No more items, because of an error or not."""

    error: BaseException | None


def _produce(make: Callable[[], Iterable[Any]], ready: queue.Queue[Any], closed: threading.Event) -> None:
    def put(item: Any) -> bool:
        while not closed.is_set():
            with suppress(queue.Full):
                ready.put(item, timeout=0.1)
                return True
        return False

    try:
        if all(put(item) for item in make()):
            put(_End(None))
    except BaseException as error:  # raised again on the caller's thread, whatever it is
        put(_End(error))
