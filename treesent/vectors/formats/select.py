"""Which rows of a file become rows of the table."""

from collections.abc import Iterable
from typing import Literal

import numpy as np
import numpy.typing as npt

from treesent.errors import VectorsError
from treesent.vectors.table import VectorTable, normalise

Duplicates = Literal["fail", "first"]
BadWords = Literal["error", "skip", "replace"]


class Selection:
    """Takes the words of a file one after another and says which to keep."""

    def __init__(
        self,
        most_frequent: int | None = None,
        vocabulary: Iterable[str] | None = None,
        half: bool = False,
        lower: bool = False,
        duplicates: Duplicates = "fail",
        bad_words: BadWords = "error",
    ) -> None:
        """Set the conditions.

        :param most_frequent: stop after that many rows of the file; None for all.
        :param vocabulary: keep these words only, as they are or normalised.
        :param half: hold the table in float16.
        :param lower: normalise the words, the first row of those that fall together being kept.
        :param duplicates: ``"fail"`` refuses a word that occurs twice, ``"first"`` keeps its first row.
        :param bad_words: ``"error"`` refuses a word that is not UTF-8, ``"skip"`` leaves its row out, ``"replace"``
            puts U+FFFD for the bytes that make no sense.
        """
        if most_frequent is not None and most_frequent < 1:
            raise VectorsError(f"--most-frequent takes at least 1, not {most_frequent}")
        self.most_frequent = most_frequent
        self.vocabulary = None if vocabulary is None else frozenset(vocabulary)
        self.half = half
        self.lower = lower
        self.skips_duplicates = lower or duplicates == "first"
        self.bad_words = bad_words
        self._seen: set[str] = set()

    @property
    def takes_all(self) -> bool:
        """Whether every row of the file is kept."""
        return self.most_frequent is None and self.vocabulary is None and not self.skips_duplicates

    @property
    def dtype(self) -> type[np.float16] | type[np.float32]:
        """What the table's numbers are held in."""
        return np.float16 if self.half else np.float32

    def limit(self, n_words: int) -> int:
        """How many rows of a file of ``n_words`` are looked at."""
        return n_words if self.most_frequent is None else min(n_words, self.most_frequent)

    def decode(self, word: bytes) -> str | None:
        """Decode a word as UTF-8.

        :param word: as it stands in the file.
        :returns: None to leave its row out.
        :raises UnicodeDecodeError: it is not UTF-8, and that is an error.
        """
        try:
            return word.decode("utf-8")
        except UnicodeDecodeError:
            if self.bad_words == "error":
                raise
            return None if self.bad_words == "skip" else word.decode("utf-8", "replace")

    def word(self, raw: str) -> str | None:
        """The word as the table will hold it; None to leave its row out."""
        word = normalise(raw) if self.lower else raw
        wanted = self.vocabulary
        if wanted is not None and word not in wanted and normalise(word) not in wanted:
            return None
        if self.skips_duplicates:
            if word in self._seen:
                return None
            self._seen.add(word)
        return word

    def table(self, words: list[str], matrix: npt.NDArray[np.floating]) -> VectorTable:
        """The table of arrays that are whole in memory or mapped from disk.

        :param words: every word of the file.
        :param matrix: *Shape:* ``(n_words, width)``.
        """
        if self.takes_all and matrix.dtype == self.dtype:
            return VectorTable(words, matrix)
        if self.vocabulary is None and not self.skips_duplicates:
            n = self.limit(len(words))
            return VectorTable(words[:n], matrix[:n].astype(self.dtype, copy=False))
        kept = [(row, self.word(word)) for row, word in enumerate(words[: self.limit(len(words))])]
        rows = [row for row, word in kept if word is not None]
        if not rows:
            raise VectorsError("the file has none of the vocabulary's words: are both lower-cased?")
        return VectorTable([word for _, word in kept if word is not None], matrix[rows].astype(self.dtype))

    def choose(self, table: VectorTable) -> VectorTable:
        """The part of one of treesent's own tables; its subwords and its kind of number are kept."""
        words = table.words[: self.limit(len(table))]
        rows = [row for row, word in enumerate(words) if self.word(word) is not None]
        if not rows:
            raise VectorsError("the table has none of the vocabulary's words: are both lower-cased?")
        chosen = table.take(np.array(rows))
        return chosen.half() if self.half else chosen
