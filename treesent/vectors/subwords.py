"""Make the vector of a word that the table lacks from its pieces: a bag of hashed character n-grams.

Zhao, Mudgal and Liang 2018, "Generalizing Word Embeddings using Bag of Subwords" (EMNLP), equations 1 and 2.
A piece is identified by its FNV-1a hash, so that no strings are stored. Instead of folding all pieces into a few
buckets, where rare pieces disturb common ones, the table keeps the pieces that occur in most words and
drops the rest: the size is the same, and every piece that is kept has its own row.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from treesent.errors import VectorsError
from treesent.types import Float32, Int64, UInt32
from treesent.vectors.quantise import dequantise, quantise_rows

NO_PIECE = np.uint32(0)
_FNV_OFFSET, _FNV_PRIME = np.uint32(2166136261), np.uint32(16777619)
_LONGEST_WORD = 48
_URL = re.compile(r"^(?:\w+://|www\.)|\.(?:com|org|net|edu|gov|html?)\b")


class Subwords(Protocol):
    """Makes vectors for unknown words: :class:`SubwordVectors`, or fastText's own buckets."""

    @property
    def width(self) -> int:
        """The dimension of a vector."""

    def __len__(self) -> int:
        """The number of pieces."""

    def vectors(self, words: Sequence[str]) -> Float32:
        """Make vectors of words from their pieces. *Shape:* ``(n_words, width)``."""

    def half(self) -> Self:
        """Convert to float16."""

    def quantise(self) -> Self:
        """Convert to int8."""

    def rotate(self, axes: Float32) -> Self:
        """Multiply by a matrix. *Shape:* ``(width, new_width)``."""

    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """Give the parts as named arrays."""


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """The pieces of many words, unordered.

    :param owner: the word of each piece. *Shape:* ``(n_pieces,)``
    :param hashes: the hash of each piece. *Shape:* ``(n_pieces,)``
    """

    owner: Int64
    hashes: UInt32


@dataclass(frozen=True, slots=True, eq=False)
class SubwordVectors:
    """Vectors of word pieces; the vector of a word is row 0, common to all words, plus the sum of its pieces.

    :param hashes: the pieces that are kept, sorted from row 1 on; row 0 is not a piece. *Shape:* ``(n_pieces,)``
    :param matrix: float32, float16 or int8; row 0 is common to all words. *Shape:* ``(n_pieces, width)``
    :param scale: the factor of each int8 row; None for floats. *Shape:* ``(n_pieces,)``
    :param shortest: characters of the shortest n-gram, boundary marks included.
    :param longest: characters of the longest n-gram.
    """

    hashes: UInt32
    matrix: npt.NDArray[Any]
    scale: Float32 | None
    shortest: int
    longest: int

    def __post_init__(self) -> None:
        """Check that the parts fit together."""
        if self.matrix.ndim != 2 or len(self.hashes) != len(self.matrix) or not len(self.hashes):
            raise VectorsError(f"{self.hashes.shape} pieces for vectors of shape {self.matrix.shape}")
        if (self.scale is not None) != (self.matrix.dtype == np.int8):
            raise VectorsError("int8 pieces need a scale for each row, and only they take one")

    @property
    def width(self) -> int:
        """The dimension of a vector."""
        return int(self.matrix.shape[1])

    def __len__(self) -> int:
        """The number of pieces, the row of every word included."""
        return len(self.hashes)

    def vectors(self, words: Sequence[str]) -> Float32:
        """Make vectors of words from their pieces; a word without known pieces has row 0.

        :param words: normalised words.
        :returns: *Shape:* ``(n_words, width)``
        """
        out = np.repeat(self._dense(np.zeros(1, np.int64)), len(words), axis=0)
        if not len(words):
            return out
        owner, piece = self.known(words)
        if not len(owner):
            return out
        starts = np.flatnonzero(np.r_[True, owner[1:] != owner[:-1]])
        out[owner[starts]] += np.add.reduceat(self._dense(piece), starts, axis=0)
        return out

    def known(self, words: Sequence[str]) -> tuple[Int64, Int64]:
        """Find the rows of the words' known pieces: (word, row) pairs sorted by word."""
        pieces = pieces_of(words, self.shortest, self.longest)
        place = np.searchsorted(self.hashes[1:], pieces.hashes) + 1
        place[place == len(self.hashes)] = 0
        kept = np.flatnonzero((place > 0) & (self.hashes[place] == pieces.hashes))
        kept = kept[np.argsort(pieces.owner[kept], kind="stable")]
        return pieces.owner[kept], place[kept]

    def _dense(self, rows: Int64) -> Float32:
        if self.scale is None:
            return self.matrix[rows].astype(np.float32, copy=False)
        return dequantise(self.matrix[rows], self.scale[rows])

    def half(self) -> Self:
        """Convert to float16."""
        matrix = self._dense(np.arange(len(self))).astype(np.float16)
        return type(self)(self.hashes, matrix, None, self.shortest, self.longest)

    def quantise(self) -> Self:
        """Convert to int8 with a scale for each row."""
        matrix, scale = quantise_rows(self._dense(np.arange(len(self))))
        return type(self)(self.hashes, matrix, scale, self.shortest, self.longest)

    def rotate(self, axes: Float32) -> Self:
        """Multiply by a matrix.

        :param axes: *Shape:* ``(width, new_width)``
        :returns: the pieces in float32.
        """
        matrix = self._dense(np.arange(len(self))) @ axes
        return type(self)(self.hashes, matrix, None, self.shortest, self.longest)

    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """Give the parts as named arrays."""
        lengths = np.array([self.shortest, self.longest], np.int64)
        arrays = {"hashes": self.hashes, "matrix": self.matrix, "lengths": lengths}
        return arrays if self.scale is None else arrays | {"scale": self.scale}

    @classmethod
    def from_tensors(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Make the pieces from what :meth:`tensors` gave."""
        missing = {"hashes", "matrix", "lengths"} - arrays.keys()
        if missing:
            raise VectorsError(f"the subwords lack {sorted(missing)}: build the table again")
        shortest, longest = arrays["lengths"].tolist()
        return cls(arrays["hashes"], arrays["matrix"], arrays.get("scale"), shortest, longest)


def fnv1a(text: str) -> int:
    """Compute the 32-bit FNV-1a hash of a text's code points; for ASCII, that of its bytes."""
    value = int(_FNV_OFFSET)
    for character in text:
        value = ((value ^ ord(character)) * int(_FNV_PRIME)) & 0xFFFFFFFF
    return value


def kind_of(word: str) -> str:
    """Give the kind of a token, which tells most about numbers, addresses and emojis."""
    if _URL.search(word):
        return "address"
    if word[:1] in "@#" and len(word) > 1:
        return word[0]
    if word.isalpha():
        return "word" if word.isascii() else "foreign"
    digits = any(character.isdigit() for character in word)
    letters = any(character.isalpha() for character in word)
    if digits:
        return "mixed" if letters else "number"
    if letters:
        return "hyphen" if "-" in word else "compound"
    return "mark" if word.isascii() else "symbol"


def pieces_of(words: Sequence[str], shortest: int, longest: int) -> Pieces:
    """Hash the character n-grams of words, with ``<`` and ``>`` as boundary marks, and their kinds.

    All digits count as the same. Vectorised over the words: one pass for each length of n-gram.

    :param words: normalised words.
    :param shortest: characters of the shortest n-gram.
    :param longest: characters of the longest n-gram.
    :returns: the pieces of all words.
    """
    wrapped = [f"<{word[:_LONGEST_WORD]}>" for word in words]
    codes = np.frombuffer("".join(wrapped).encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint32)
    codes[(codes >= ord("0")) & (codes <= ord("9"))] = ord("0")
    lengths = np.fromiter(map(len, wrapped), np.int64, len(wrapped))
    owner = np.repeat(np.arange(len(wrapped)), lengths)
    position = np.arange(len(codes))
    left = np.cumsum(lengths)[owner] - position
    hashes = np.full(len(codes), _FNV_OFFSET)
    owners, found = [np.arange(len(words))], [_kinds(words)]
    for n in range(1, longest + 1):
        fits = left[position] >= n
        position, hashes = position[fits], hashes[fits]
        hashes = (hashes ^ codes[position + n - 1]) * _FNV_PRIME
        if n >= shortest:
            owners.append(owner[position])
            found.append(hashes)
    return Pieces(np.concatenate(owners), np.concatenate(found))


def _kinds(words: Sequence[str]) -> UInt32:
    kinds = [kind_of(word) for word in words]
    hashes = {kind: fnv1a(f"\0{kind}") for kind in set(kinds)}
    return np.fromiter((hashes[kind] for kind in kinds), np.uint32, len(kinds))
