"""Many trees as flat arrays, and minibatches cut from them without Python per node."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from treesent.errors import DataError
from treesent.trees.forest import Forest
from treesent.trees.structure import Structure
from treesent.trees.tree import Tree

Int64 = npt.NDArray[np.int64]
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """Trees with their words and labels, trees concatenated.

    :param words: *Shape:* ``(n_words,)``.
    :param structure: the trees without words and labels.
    :param label: class of each node in post-order, -1 where there is none. *Shape:* ``(n_nodes,)``.
    """

    words: Sequence[str]
    structure: Structure
    label: Int64

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


@dataclass(frozen=True, slots=True, eq=False)
class EncodedCorpus:
    """A corpus whose words are rows of a table of vectors: what batches are cut from.

    :param structure: the trees.
    :param rows: row of each word. *Shape:* ``(n_words,)``.
    :param label: class of each node in post-order, -1 where there is none. *Shape:* ``(n_nodes,)``.
    """

    structure: Structure
    rows: Int64
    label: Int64

    def __len__(self) -> int:
        """Count the trees."""
        return self.structure.n_trees

    def __add__(self, other: "EncodedCorpus") -> "EncodedCorpus":
        """Join two corpora over the same table."""
        return EncodedCorpus(
            Structure.concatenate([self.structure, other.structure]),
            np.concatenate([self.rows, other.rows]),
            np.concatenate([self.label, other.label]),
        )

    def forest(self, trees: Int64) -> Forest:
        """Lay some of the trees out as a batch.

        :param trees: which, in the order wanted. *Shape:* ``(batch,)``.
        """
        lengths = self.structure.lengths
        return Forest.build(
            self.structure.take(trees),
            self.rows[ranges(np.cumsum(lengths)[trees] - lengths[trees], lengths[trees])],
            self.label[ranges(self.structure.offsets[trees], 2 * lengths[trees] - 1)],
        )


def ranges(starts: Int64, sizes: Int64) -> Int64:
    """Concatenate ``arange(start, start + size)`` over all pairs.

    :param starts: *Shape:* ``(n,)``.
    :param sizes: *Shape:* ``(n,)``.
    :returns: *Shape:* ``(sizes.sum(),)``.
    """
    before = np.cumsum(sizes) - sizes
    index: Int64 = np.arange(int(sizes.sum())) + np.repeat(starts - before, sizes)
    return index


def epoch_batches(n_trees: int, batch_size: int, seed: int, epoch: int) -> list[Int64]:
    """Shuffle the trees of one epoch and cut them into batches; the last one may be smaller.

    The order depends on seed and epoch alone, so that a run can go on in the middle of an epoch.

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
