"""fastText's own subwords: n-grams folded into buckets, as its ``.bin`` files hold them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from treesent.errors import VectorsError
from treesent.types import Float32, Int64
from treesent.vectors.quantise import dequantise, quantise_rows


@dataclass(frozen=True, slots=True, eq=False)
class BucketVectors:
    """Vectors of n-gram buckets; an unknown word's vector is the mean of its n-grams' buckets.

    Bojanowski et al. 2017, "Enriching Word Vectors with Subword Information", section 3.2.

    :param matrix: float32, float16 or int8. *Shape:* ``(n_buckets, width)``.
    :param scale: the factor of each int8 row; None for floats. *Shape:* ``(n_buckets,)``
    :param shortest: characters of the shortest n-gram, boundary marks included.
    :param longest: characters of the longest n-gram.
    """

    matrix: npt.NDArray[Any]
    scale: Float32 | None
    shortest: int
    longest: int

    @property
    def width(self) -> int:
        """The dimension of a vector."""
        return int(self.matrix.shape[1])

    def __len__(self) -> int:
        """The number of buckets."""
        return len(self.matrix)

    def vectors(self, words: Sequence[str]) -> Float32:
        """Make vectors of words from their n-grams; a word too short to have one gets zeros.

        :param words: the words.
        :returns: *Shape:* ``(n_words, width)``
        """
        out = np.zeros((len(words), self.width), np.float32)
        for row, word in enumerate(words):
            buckets = self.buckets(word)
            if len(buckets):
                out[row] = self._dense(buckets).mean(axis=0)
        return out

    def buckets(self, word: str) -> Int64:
        """Give the buckets of a word's n-grams, as fastText's ``Dictionary::computeSubwords`` does.

        :param word: a word; lone surrogates count as question marks.
        :returns: *Shape:* ``(n_ngrams,)``
        """
        from gensim.models.fasttext_inner import compute_ngrams_bytes, ft_hash_bytes

        encodable = word.encode("utf-8", "replace").decode("utf-8")
        ngrams = compute_ngrams_bytes(encodable, self.shortest, self.longest)
        return np.array([ft_hash_bytes(ngram) % len(self) for ngram in ngrams], np.int64)

    def _dense(self, rows: Int64 | slice) -> Float32:
        if self.scale is None:
            return np.asarray(self.matrix[rows], dtype=np.float32)
        return dequantise(self.matrix[rows], self.scale[rows])

    def half(self) -> Self:
        """Convert to float16."""
        return type(self)(self._dense(slice(None)).astype(np.float16), None, self.shortest, self.longest)

    def quantise(self) -> Self:
        """Convert to int8 with a scale for each row."""
        return type(self)(*quantise_rows(self._dense(slice(None))), self.shortest, self.longest)

    def rotate(self, axes: Float32) -> Self:
        """Multiply by a matrix, in float32. *Shape:* ``(width, new_width)``."""
        return type(self)(self._dense(slice(None)) @ axes, None, self.shortest, self.longest)

    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """Give the parts as named arrays."""
        arrays = {"buckets": self.matrix, "lengths": np.array([self.shortest, self.longest], np.int64)}
        return arrays if self.scale is None else arrays | {"scale": self.scale}

    @classmethod
    def from_tensors(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Make the buckets from what :meth:`tensors` gave."""
        if "lengths" not in arrays:
            raise VectorsError("the subwords lack their lengths: build the table again")
        shortest, longest = arrays["lengths"].tolist()
        return cls(arrays["buckets"], arrays.get("scale"), shortest, longest)
