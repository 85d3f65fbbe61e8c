"""Texts as one stream of symbols, read in lanes side by side and window by window."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from treesent.text.vocabulary import EOS, UNK, Vocabulary

Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """Texts as numbers of symbols.

    :param symbols: of all texts, in as few bytes as the vocabulary needs; an end after each. *Shape:* (n,)
    :param offsets: where each text begins, and their end. *Shape:* (n_texts + 1,)
    :param characters: of each text as it was written. *Shape:* (n_texts,)
    """

    symbols: NDArray[np.integer]
    offsets: Int64
    characters: Int64

    @classmethod
    def of(cls, vocabulary: Vocabulary, texts: Iterable[str], backward: bool = False) -> Encoded:
        """Encode texts.

        :param vocabulary: the symbols.
        :param texts: the texts.
        :param backward: each from its last symbol to its first.
        """
        kind = np.min_scalar_type(len(vocabulary) - 1)
        end, parts, characters = np.array([EOS], kind), [], []
        for text in texts:
            symbols = vocabulary.encode(text).astype(kind)
            parts += [symbols[::-1] if backward else symbols, end]
            characters.append(len(text))
        sizes = np.array([len(part) for part in parts], np.int64).reshape(-1, 2).sum(1)
        joined = np.concatenate(parts) if parts else np.zeros(0, kind)
        return cls(joined, np.concatenate([[0], np.cumsum(sizes)]), np.array(characters, np.int64))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def n_unknown(self) -> int:
        """Symbols that the vocabulary lacks."""
        return int(np.count_nonzero(self.symbols == UNK))

    def some(self, n: int) -> Encoded:
        """Select texts at equal distances.

        :param n: about how many; 0 for all.
        """
        return self.take(np.arange(len(self))[:: max(1, len(self) // n)]) if n else self

    def take(self, texts: Int64) -> Encoded:
        """Select texts, in the order given.

        :param texts: which. *Shape:* (n_taken,)
        """
        sizes = np.diff(self.offsets)[texts]
        # Slices, since an index for each symbol would take eight times the room of the symbols.
        parts = [self.symbols[self.offsets[text] : self.offsets[text + 1]] for text in texts.tolist()]
        joined = np.concatenate([*parts, self.symbols[:0]])
        return Encoded(joined, np.concatenate([[0], np.cumsum(sizes)]), self.characters[texts])

    def texts(self) -> list[Int64]:
        """Give each text's symbols, its end among them."""
        return [
            self.symbols[a:b].astype(np.int64)
            for a, b in zip(self.offsets[:-1].tolist(), self.offsets[1:].tolist(), strict=True)
        ]

    def remaining(self, place: Int64) -> Int64:
        """Count the symbols that texts have after some places of the stream, their ends left out.

        :param place: of a symbol; at an end, or at -1 before the stream, the next text's are counted. Not
            that of the last end. *Shape:* (...)
        :returns: *Shape:* (...)
        """
        ends = self.offsets[1:] - 1
        return ends[np.searchsorted(ends, place, "right")] - place - 1


@dataclass(frozen=True, slots=True)
class Lanes:
    """Where in a stream each lane begins and how its windows are cut.

    A stream of ``n`` symbols asks for ``n`` predictions, the first from an end before it. Lanes are equally
    long, so that some share a symbol with the next one where their number does not divide ``n``; none is
    left out. The last window of a pass is as long as what is left.

    :param n: symbols of the stream.
    :param lanes: how many are read side by side.
    :param window: steps through which gradients go back.
    """

    n: int
    lanes: int
    window: int

    @property
    def length(self) -> int:
        """Predictions of each lane."""
        return -(-self.n // self.lanes)

    @property
    def windows(self) -> int:
        """Windows of a pass."""
        return -(-self.length // self.window)

    @property
    def first(self) -> Int64:
        """Where each lane begins. *Shape:* (lanes,)."""
        starts: Int64 = np.arange(self.lanes) * (self.n - self.length) // max(self.lanes - 1, 1)
        return starts

    def cut(self, symbols: NDArray[np.integer], window: int, lanes: Int64) -> tuple[Int64, Int64]:
        """Cut a window out.

        :param symbols: the stream. *Shape:* (n,)
        :param window: which.
        :param lanes: which. *Shape:* (batch,)
        :returns: what is read and what comes next, which is to be predicted. *Shape of each:* (steps, batch)
        """
        place = self.places(window, lanes)
        # Before the first symbol of the stream stands an end.
        found = np.where(place < 0, EOS, symbols[np.maximum(place, 0)]).astype(np.int64)
        return found[:-1], found[1:]

    def places(self, window: int, lanes: Int64) -> Int64:
        """Say where in the stream the symbols of a window stand.

        :param window: which.
        :param lanes: which. *Shape:* (batch,)
        :returns: the first row stands before what is to be predicted; -1 is the end before the stream.
            *Shape:* (steps + 1, batch)
        """
        steps = min(self.window, self.length - window * self.window)
        first = self.first[lanes] + window * self.window
        place: Int64 = np.arange(-1, steps)[:, None] + first[None]
        return place


def shuffled(texts: Encoded, seed: int, number: int) -> Encoded:
    """Put texts in another order.

    :param texts: the texts.
    :param seed: equal seeds and numbers give equal orders.
    :param number: of the pass.
    """
    return texts.take(np.random.default_rng([seed, number]).permutation(len(texts)))
