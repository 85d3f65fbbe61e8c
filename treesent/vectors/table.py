"""The table of word vectors: words to rows, in float32, half precision or int8 with a scale a row."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from treesent.errors import VectorsError
from treesent.files import replacing_path
from treesent.types import Float32, Int64
from treesent.vectors.buckets import BucketVectors
from treesent.vectors.quantise import dequantise, quantise_rows
from treesent.vectors.subwords import Subwords, SubwordVectors

FILE = "vectors.safetensors"
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
    r"""The form of a word that a lower-cased table holds: lower case, without the treebank's escapes.

    ``-LRB-`` becomes ``(``, ``\/`` becomes ``/``, ``\*`` becomes ``*``, and both kinds of doubled quote
    become ``"``. What is normalised already stays as it is.

    :param word: a token of text or of a treebank.
    """
    word = word.lower()
    if word in _ESCAPES:
        return _ESCAPES[word]
    return word.replace("\\/", "/").replace("\\*", "*") if "\\" in word else word


@dataclass(frozen=True, slots=True, eq=False)
class Lookup:
    """The rows of a text's words, with vectors made for the words that the table lacks.

    :param rows: a row of the table, or ``len(table) + i`` for row ``i`` of ``extra``.
        *Shape:* ``(n_words,)``.
    :param extra: one vector for each distinct unknown word. *Shape:* ``(n_extra, width)``.
    :param unknown: true where the table lacks the word. *Shape:* ``(n_words,)``.
    """

    rows: Int64
    extra: Float32
    unknown: npt.NDArray[np.bool_]


class VectorTable:
    """Words and their vectors, the most frequent word first.

    A word is looked up as it is, then as :func:`normalise` leaves it, so that both a lower-cased table and
    one that knows capitals work. The vectors are read-only by convention: every method that changes
    something returns a new table.
    """

    normalise = staticmethod(normalise)

    def __init__(
        self,
        words: Sequence[str],
        matrix: npt.NDArray[Any],
        scale: Float32 | None = None,
        subwords: Subwords | None = None,
    ) -> None:
        """Hold words and rows together.

        :param words: distinct, the most frequent first. *Shape:* ``(n_words,)``.
        :param matrix: float32, float16 or int8. *Shape:* ``(n_words, width)``.
        :param scale: what an int8 row is multiplied by; None for floats. *Shape:* ``(n_words,)``.
        :param subwords: makes a vector for an unknown word from its pieces.
        :raises VectorsError: where the parts disagree, a word stands twice or a value is not finite.
        """
        self.words: list[str] = words if isinstance(words, list) else list(words)
        self.matrix = matrix
        self.scale = scale
        self.subwords = subwords
        self._check()

    def _check(self) -> None:
        if self.matrix.ndim != 2 or self.matrix.shape[1] == 0:
            raise VectorsError(f"a table of vectors has shape (n_words, width), not {self.matrix.shape}")
        if not self.words:
            raise VectorsError("a table of vectors needs at least one word, this one is empty")
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
        # By hash first: the dictionary costs as much memory as the words and waits until it is needed.
        hashes = np.fromiter(map(hash, self.words), np.int64, len(self.words))
        hashes.sort()
        if (hashes[1:] != hashes[:-1]).all() or len(self._index) == len(self.words):
            return
        row = next(row for row, word in enumerate(self.words) if self._index[word] != row)
        word = self.words[row]
        raise VectorsError(
            f"the word {word!r} stands in rows {row} and {self._index[word]}: keep one of them"
        )

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
        """The mean length of (at most 10,000) rows: what counts as near zero is measured by it."""
        return float(np.linalg.norm(self.dense(slice(0, 10_000)), axis=1).mean())

    @cached_property
    def _default(self) -> Float32:
        """The mean of the rows; where that is zero (a centred table), the row nearest to it that is not."""
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
        """How many words the table holds."""
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        """Whether the table has a row for the word, as it is or normalised."""
        return isinstance(word, str) and self.row(word) >= 0

    def __repr__(self) -> str:
        return f"VectorTable({len(self)} words, width {self.width}, {self.matrix.dtype})"

    @property
    def width(self) -> int:
        """How many numbers a vector has."""
        return int(self.matrix.shape[1])

    def row(self, word: str) -> int:
        """The row of a word, as it is or normalised; -1 where the table lacks it."""
        found = self._index.get(word, -1)
        return found if found >= 0 else self._index.get(normalise(word), -1)

    def rows(self, words: Sequence[str]) -> Int64:
        """The rows of many words; -1 where the table lacks one.

        :returns: *Shape:* ``(n_words,)``.
        """
        found = np.fromiter(map(self._index.get, words, repeat(-1)), np.int64, len(words))
        for place in np.flatnonzero(found < 0).tolist():
            found[place] = self._index.get(normalise(words[place]), -1)
        return found

    def lookup(self, words: Sequence[str]) -> Lookup:
        """The rows of a text's words; each distinct unknown word is given one vector of its own.

        An unknown word's vector comes from its pieces (``subwords``), or is the mean of the table where there
        are none: never zero.
        """
        rows = self.rows(words)
        unknown = rows < 0
        made: dict[str, int] = {}
        for place in np.flatnonzero(unknown).tolist():
            rows[place] = len(self) + made.setdefault(normalise(words[place]), len(made))
        return Lookup(rows, self.guess(list(made)), unknown)

    def guess(self, words: Sequence[str]) -> Float32:
        """Vectors for words that the table lacks, from their pieces.

        :param words: normalised.
        :returns: *Shape:* ``(n_words, width)``.
        """
        if self.subwords is None:
            return np.tile(self._default, (len(words), 1))
        made = self.subwords.vectors(words)
        made[np.linalg.norm(made, axis=1) <= 0.01 * self._length] = self._default
        return made

    def vector(self, word: str) -> Float32:
        """The vector of one word; an unknown word's is made from its pieces. *Shape:* ``(width,)``."""
        row = self.row(word)
        found = self.dense(slice(row, row + 1)) if row >= 0 else self.guess([normalise(word)])
        return found.reshape(self.width)

    def dense(self, rows: Int64 | slice = slice(None)) -> Float32:
        """Rows in float32, decoded where the table is int8.

        :param rows: which; all of them by default.
        :returns: *Shape:* ``(n_rows, width)``.
        """
        if self.scale is None:
            return np.asarray(self.matrix[rows], dtype=np.float32)
        return dequantise(self.matrix[rows], self.scale[rows])

    def take(self, rows: Int64) -> Self:
        """The table of some rows, in the order given.

        :param rows: distinct. *Shape:* ``(n_rows,)``.
        """
        words = [self.words[row] for row in rows.tolist()]
        scale = None if self.scale is None else self.scale[rows]
        return type(self)(words, self.matrix[rows], scale, self.subwords)

    def most_frequent(self, n: int) -> Self:
        """The first ``n`` words, which are the most frequent."""
        if n < 1:
            raise VectorsError(f"most_frequent takes at least one word, not {n}")
        scale = None if self.scale is None else self.scale[:n]
        return type(self)(self.words[:n], self.matrix[:n], scale, self.subwords)

    def restrict(self, vocabulary: Iterable[str]) -> Self:
        """The words of a vocabulary that the table has, in the table's order.

        :raises VectorsError: where none is left.
        """
        rows = self.rows(list(vocabulary))
        kept = np.unique(rows[rows >= 0])
        if not len(kept):
            raise VectorsError("the table has none of the vocabulary's words: are both lower-cased?")
        return self.take(kept)

    def half(self) -> Self:
        """The table in float16: half the bytes of float32."""
        subwords = None if self.subwords is None else self.subwords.half()
        return type(self)(self.words, self.dense().astype(np.float16), None, subwords)

    def quantise(self) -> Self:
        """The table in int8 with one scale a row: a quarter of the bytes of float32."""
        subwords = None if self.subwords is None else self.subwords.quantise()
        return type(self)(self.words, *quantise_rows(self.dense()), subwords)

    def with_subwords(self, subwords: Subwords | None) -> Self:
        """The same rows with another way to make a vector for an unknown word."""
        return type(self)(self.words, self.matrix, self.scale, subwords)

    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """The table as named arrays, the words among them (UTF-8, one a line), closed by a digest."""
        for row, word in enumerate(self.words):
            if "\n" in word:
                raise VectorsError(f"row {row}: the word {word!r} holds a line break and cannot be saved")
        text = "\n".join(self.words).encode("utf-8")
        arrays: dict[str, npt.NDArray[Any]] = {"words": np.frombuffer(text, np.uint8)}
        arrays["matrix"] = np.ascontiguousarray(self.matrix)
        if self.scale is not None:
            arrays["scale"] = np.ascontiguousarray(self.scale)
        if self.subwords is not None:
            arrays |= {f"subwords.{name}": array for name, array in self.subwords.tensors().items()}
        return arrays | {"digest": _digest(arrays)}

    @classmethod
    def from_tensors(cls, arrays: Mapping[str, npt.NDArray[Any]], source: str = "the table") -> Self:
        """The table of :meth:`tensors`.

        :param source: what to call it in an error.
        :raises VectorsError: where an array is missing or a byte has changed.
        """
        for name in ("words", "matrix", "digest"):
            if name not in arrays:
                raise VectorsError(f"{source} has no {name!r}: it is no table that treesent saved")
        content = {name: array for name, array in arrays.items() if name != "digest"}
        if not np.array_equal(_digest(content), arrays["digest"]):
            raise VectorsError(f"{source} is damaged (its checksum differs): copy or build it again")
        pieces = {
            name.removeprefix("subwords."): a for name, a in content.items() if name.startswith("subwords.")
        }
        kind = BucketVectors if "buckets" in pieces else SubwordVectors
        subwords: Subwords | None = kind.from_tensors(pieces) if pieces else None
        words = content["words"].tobytes().decode("utf-8").split("\n")
        return cls(words, content["matrix"], content.get("scale"), subwords)

    def to_bytes(self) -> bytes:
        """The table as safetensors."""
        from safetensors.numpy import save

        return bytes(save(self.tensors()))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The table of :meth:`to_bytes`."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            arrays = load(data)
        except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise VectorsError(f"these bytes are not a table of vectors ({error}): build it again") from error
        return cls.from_tensors(arrays)

    def save(self, folder: str | Path) -> None:
        """Write the table into a folder as safetensors; the file appears under its name only when whole."""
        from safetensors.numpy import save_file

        target = Path(folder) / FILE
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing_path(target) as partial:
            save_file(self.tensors(), partial, {"format": "treesent.vectors.1"})

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read what :meth:`save` wrote; nothing is unpickled.

        :param folder: the folder, or the file in it.
        :raises VectorsError: where the file is missing, cut short or damaged.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        path = Path(folder)
        path = path / FILE if path.is_dir() else path
        if not path.is_file():
            raise VectorsError(f"{path} does not exist: give the folder that VectorTable.save wrote")
        try:
            arrays = load_file(path)
        except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise VectorsError(f"{path} is cut short or not safetensors ({error}): copy it again") from error
        return cls.from_tensors(arrays, str(path))


def _digest(arrays: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.uint8]:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.data.cast("B") if array.size else b"")
    return np.frombuffer(digest.digest(), np.uint8)
