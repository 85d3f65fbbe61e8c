"""The table of word vectors: words and their rows, in float32, float16 or int8 with a scale for each row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from treesent.errors import VectorsError
from treesent.types import Float32, Int64
from treesent.vectors.quantise import dequantise, quantise_rows
from treesent.vectors.storage import FILE, parts_of, read_arrays, to_arrays, write_arrays
from treesent.vectors.subwords import Subwords

__all__ = ["FILE", "Lookup", "VectorTable", "normalise"]
_ESCAPES = {
    "-lrb-": "(",
    "-rrb-": ")",
    "-lcb-": "{",
    "-rcb-": "}",
    "-lsb-": "[",
    "-rsb-": "]",
    "``": '"',
    "''": '"',
}
_PLAIN = frozenset({np.dtype(np.float32), np.dtype(np.float16), np.dtype(np.int8)})


def normalise(word: str) -> str:
    r"""Lower-case a word and undo the treebank's escapes, as a lower-cased table has it.

    ``-LRB-`` becomes ``(``, ``\/`` becomes ``/``, ``\*`` becomes ``*``, and both kinds of doubled quote
    become ``"``. A normalised word stays the same.

    :param word: a token of text or of a treebank.
    """
    word = word.lower()
    if word in _ESCAPES:
        return _ESCAPES[word]
    return word.replace("\\/", "/").replace("\\*", "*") if "\\" in word else word


@dataclass(frozen=True, slots=True, eq=False)
class Lookup:
    """The rows of a text's words, with vectors for the words that the table lacks.

    :param rows: a row of the table, or ``len(table) + i`` for row ``i`` of ``extra``.
        *Shape:* ``(n_words,)``
    :param extra: a vector for each distinct unknown word. *Shape:* ``(n_extra, width)``
    :param unknown: whether the table lacks the word. *Shape:* ``(n_words,)``
    """

    rows: Int64
    extra: Float32
    unknown: npt.NDArray[np.bool_]


class VectorTable:
    """Words and their vectors, the most frequent word first.

    A word is looked up as it is, then normalised, so that both lower-cased and cased tables work. The
    vectors are read-only by convention: methods return new tables and change none.
    """

    normalise = staticmethod(normalise)

    def __init__(
        self,
        words: Sequence[str],
        matrix: npt.NDArray[Any],
        scale: Float32 | None = None,
        subwords: Subwords | None = None,
    ) -> None:
        """Make a table of words and rows.

        :param words: distinct words, the most frequent first.
        :param matrix: float32, float16 or int8. *Shape:* ``(n_words, width)``
        :param scale: the factor of each int8 row; None for floats. *Shape:* ``(n_words,)``
        :param subwords: makes the vector of an unknown word from its pieces.
        :raises VectorsError: the parts disagree, a word occurs twice or a value is not finite.
        """
        self.words: list[str] = words if isinstance(words, list) else list(words)
        self.matrix = matrix
        self.scale = scale
        self.subwords = subwords
        self._check()

    def _check(self) -> None:
        if self.matrix.ndim != 2 or self.matrix.shape[1] == 0:
            raise VectorsError(
                f"a table of vectors has the shape (n_words, width), not {self.matrix.shape}; give one row for each word"
            )
        if not self.words:
            raise VectorsError("the table of vectors is empty; give at least one word")
        if len(self.words) != len(self.matrix):
            raise VectorsError(
                f"{len(self.words)} words for {len(self.matrix)} rows: give one word for each row"
            )
        if self.matrix.dtype not in _PLAIN:
            raise VectorsError(
                f"vectors are float32, float16 or int8, not {self.matrix.dtype}: cast with .astype('float32')"
            )
        if (self.scale is not None) != (self.matrix.dtype == np.int8):
            raise VectorsError("int8 vectors need a scale for each row, and only they take one")
        if self.scale is not None and self.scale.shape != (len(self.matrix),):
            raise VectorsError(
                f"{self.scale.shape} scales for {len(self.matrix)} rows: give one for each row"
            )
        if self.subwords is not None and self.subwords.width != self.width:
            raise VectorsError(
                f"subwords of width {self.subwords.width} beside vectors of width {self.width}"
            )
        self._check_finite()
        self._check_distinct()

    def _check_distinct(self) -> None:
        # By hash first: the dictionary takes as much memory as the words, and is made only when needed.
        hashes = np.fromiter(map(hash, self.words), np.int64, len(self.words))
        hashes.sort()
        if (hashes[1:] != hashes[:-1]).all() or len(self._index) == len(self.words):
            return
        row = next(row for row, word in enumerate(self.words) if self._index[word] != row)
        word = self.words[row]
        raise VectorsError(f"the word {word!r} is in rows {row} and {self._index[word]}: keep one of them")

    def _check_finite(self) -> None:
        if self.matrix.dtype == np.int8:
            return
        for start in range(0, len(self), 1 << 14):
            finite = np.isfinite(self.matrix[start : start + (1 << 14)]).all(axis=1)
            if not finite.all():
                row = start + int(np.argmin(finite))
                raise VectorsError(
                    f"row {row} ({self.words[row]!r}) holds NaN or infinity: leave the word out"
                )

    @cached_property
    def _index(self) -> dict[str, int]:
        return dict(zip(self.words, range(len(self.words)), strict=True))

    @cached_property
    def _length(self) -> float:
        """The mean length of at most 10,000 rows, relative to which a vector is near zero."""
        return float(np.linalg.norm(self.dense(slice(0, 10_000)), axis=1).mean())

    @cached_property
    def _default(self) -> Float32:
        """The mean of the rows; in a centred table, whose mean is zero, the shortest row that is not near zero."""
        total = np.zeros(self.width, np.float64)
        for start in range(0, len(self), 1 << 14):
            total += self.dense(slice(start, start + (1 << 14))).sum(axis=0, dtype=np.float64)
        mean = (total / len(self)).astype(np.float32)
        if np.linalg.norm(mean) > 0.01 * self._length:
            return mean
        rows = self.dense(slice(0, 10_000))
        lengths = np.linalg.norm(rows, axis=1)
        nearest: Float32 = rows[int(np.where(lengths > 0.01 * self._length, lengths, np.inf).argmin())]
        return nearest

    def __len__(self) -> int:
        """The number of words."""
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        """Whether the table has the word, as it is or normalised."""
        return isinstance(word, str) and self.row(word) >= 0

    def __repr__(self) -> str:
        return f"VectorTable({len(self)} words, width {self.width}, {self.matrix.dtype})"

    @property
    def width(self) -> int:
        """The dimension of a vector."""
        return int(self.matrix.shape[1])

    def row(self, word: str) -> int:
        """Find the row of a word, as it is or normalised.

        :param word: the word.
        :returns: its row, -1 if the table lacks it.
        """
        found = self._index.get(word, -1)
        return found if found >= 0 else self._index.get(normalise(word), -1)

    def rows(self, words: Sequence[str]) -> Int64:
        """Find the rows of words, as they are or normalised.

        :param words: the words.
        :returns: their rows, -1 for a word that the table lacks. *Shape:* ``(n_words,)``
        """
        found = np.fromiter(map(self._index.get, words, repeat(-1)), np.int64, len(words))
        for place in np.flatnonzero(found < 0).tolist():
            found[place] = self._index.get(normalise(words[place]), -1)
        return found

    def lookup(self, words: Sequence[str]) -> Lookup:
        """Find the rows of a text's words, and make a vector for each distinct unknown word.

        The vector of an unknown word is made from its pieces (``subwords``); without them it is the mean of
        the table. It is never zero.

        :param words: the words.
        :returns: the rows and the vectors made.
        """
        rows = self.rows(words)
        unknown = rows < 0
        made: dict[str, int] = {}
        for place in np.flatnonzero(unknown).tolist():
            rows[place] = len(self) + made.setdefault(normalise(words[place]), len(made))
        return Lookup(rows, self.guess(list(made)), unknown)

    def guess(self, words: Sequence[str]) -> Float32:
        """Make vectors for words that the table lacks, from their pieces.

        :param words: normalised words.
        :returns: *Shape:* ``(n_words, width)``
        """
        if self.subwords is None:
            return np.tile(self._default, (len(words), 1))
        made = self.subwords.vectors(words)
        made[np.linalg.norm(made, axis=1) <= 0.01 * self._length] = self._default
        return made

    def vector(self, word: str) -> Float32:
        """Give the vector of one word; that of an unknown word is made from its pieces.

        :param word: the word.
        :returns: *Shape:* ``(width,)``
        """
        row = self.row(word)
        found = self.dense(slice(row, row + 1)) if row >= 0 else self.guess([normalise(word)])
        return found.reshape(self.width)

    def dense(self, rows: Int64 | slice = slice(None)) -> Float32:
        """Give rows in float32; int8 rows are decoded.

        :param rows: which; all of them by default.
        :returns: *Shape:* ``(n_rows, width)``
        """
        if self.scale is None:
            return np.asarray(self.matrix[rows], dtype=np.float32)
        return dequantise(self.matrix[rows], self.scale[rows])

    def take(self, rows: Int64) -> Self:
        """Select rows, in the order given.

        :param rows: distinct rows. *Shape:* ``(n_rows,)``
        :returns: the table of these rows.
        """
        words = [self.words[row] for row in rows.tolist()]
        scale = None if self.scale is None else self.scale[rows]
        return type(self)(words, self.matrix[rows], scale, self.subwords)

    def most_frequent(self, n: int) -> Self:
        """Select the first words, which are the most frequent.

        :param n: how many, at least one.
        :returns: the table of these words.
        """
        if n < 1:
            raise VectorsError(f"most_frequent is {n}; expected at least 1")
        scale = None if self.scale is None else self.scale[:n]
        return type(self)(self.words[:n], self.matrix[:n], scale, self.subwords)

    def half(self) -> Self:
        """Convert the table to float16, half the size of float32."""
        subwords = None if self.subwords is None else self.subwords.half()
        return type(self)(self.words, self.dense().astype(np.float16), None, subwords)

    def quantise(self) -> Self:
        """Convert the table to int8 with a scale for each row, a quarter of the size of float32."""
        subwords = None if self.subwords is None else self.subwords.quantise()
        return type(self)(self.words, *quantise_rows(self.dense()), subwords)

    def with_subwords(self, subwords: Subwords | None) -> Self:
        """Give the same rows with other subwords, or without.

        :param subwords: makes the vector of an unknown word from its pieces; None for the mean.
        :returns: the table.
        """
        return type(self)(self.words, self.matrix, self.scale, subwords)

    def save(self, folder: str | Path) -> None:
        """Write the table into a folder as safetensors; a file that is there is replaced only when all is written.

        :param folder: the folder; it is made if it is missing.
        :raises VectorsError: a word contains a line break.
        :raises OutputError: the file cannot be written.
        """
        arrays = to_arrays(self.words, self.matrix, self.scale, self.subwords)
        write_arrays(Path(folder) / FILE, arrays)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read what :meth:`save` wrote; nothing is unpickled.

        :param folder: the folder, or the file in it.
        :returns: the table.
        :raises VectorsError: the file is missing, cut short or damaged.
        """
        path = Path(folder)
        path = path / FILE if path.is_dir() else path
        return cls.from_arrays(read_arrays(path), str(path))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]], source: str = "the table") -> Self:
        """Make the table of the arrays that :meth:`save` writes.

        :param arrays: the arrays by name.
        :param source: what to call them in an error.
        :returns: the table.
        :raises VectorsError: an array is missing, or a byte has changed.
        """
        return cls(*parts_of(arrays, source))
