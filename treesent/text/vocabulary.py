"""The symbols of a language model: characters or words, by how frequent they are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from treesent.errors import DataError

Int64 = NDArray[np.int64]
Unit = Literal["character", "word"]
EOS, UNK = 0, 1
"""The symbol after a text, which stands before the first one too, and that for what is in no vocabulary."""
SPECIAL = ("", "\ufffd")
"""How the two are written."""
# A tag of a web page; the parts of a contraction, as treebanks cut it; a number; a word; any other sign.
_WORD = re.compile(r"<\w+\s*/?>|n't\b|'(?:s|m|d|ll|re|ve)\b|\d+(?:[.,]\d+)*|\w+?(?=n't\b)|\w+|[^\w\s]", re.I)


def split(text: str, unit: Unit, lowercase: bool = False) -> str | list[str]:
    """Cut a text into its characters or words.

    :param text: the text.
    :param unit: ``character`` or ``word``.
    :param lowercase: in small letters.
    """
    text = text.lower() if lowercase else text
    return text if unit == "character" else _WORD.findall(text)


class Vocabulary:
    """Symbols by number, the most frequent first after :data:`EOS` and :data:`UNK`.

    :param unit: ``character`` or ``word``; punctuation marks and the parts of a contraction (``do n't``) are
        words, as in treebanks.
    :param symbols: the others, in their order.
    :param lowercase: read texts in small letters.
    :raises DataError: a symbol occurs twice, or is not a character where characters are asked for.
    """

    def __init__(self, unit: Unit, symbols: Sequence[str], lowercase: bool = False) -> None:
        self.unit: Unit = unit
        self.lowercase = lowercase
        self.symbols = (*SPECIAL, *symbols)
        if other := [symbol for symbol in self.symbols if not isinstance(symbol, str)]:
            raise DataError(f"the symbol {other[0]!r} in a vocabulary is not text; write it as text")
        self._number = {symbol: number for number, symbol in enumerate(self.symbols)}
        if len(self._number) < len(self.symbols):
            twice = next(symbol for symbol, n in Counter(self.symbols).items() if n > 1)
            raise DataError(f"the symbol {twice!r} stands twice in a vocabulary; name each once")
        if unit == "character":
            if wrong := [symbol for symbol in symbols if len(symbol) != 1]:
                raise DataError(f"{wrong[0]!r} is not a single character; set unit = 'word'")
            self._codes = np.array([ord(symbol) for symbol in symbols], np.uint32)
            self._order = np.argsort(self._codes)

    @classmethod
    def of(
        cls, texts: Iterable[str], unit: Unit, least: int = 1, most: int = 0, lowercase: bool = False
    ) -> Vocabulary:
        """Count what texts consist of.

        :param texts: the texts.
        :param unit: ``character`` or ``word``.
        :param least: how often a symbol occurs at least.
        :param most: how many symbols there are at most; 0 for all.
        :param lowercase: read texts in small letters.
        """
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(split(text, unit, lowercase))
        for symbol in SPECIAL:
            counts.pop(symbol, None)
        # Equally frequent ones by their code: the order of the texts does not show.
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        kept = [symbol for symbol, n in ranked if n >= least]
        return cls(unit, kept[: most or None], lowercase)

    def __len__(self) -> int:
        return len(self.symbols)

    def encode(self, text: str) -> Int64:
        """Give a text's symbols by number, without an end.

        :param text: the text.
        :returns: *Shape:* (n,)
        """
        parts = split(text, self.unit, self.lowercase)
        if not isinstance(parts, str):
            return np.array([self._number.get(word, UNK) for word in parts], np.int64)
        # Lone surrogates, which no file holds, are characters in no vocabulary.
        codes = np.frombuffer(parts.encode("utf-32-le", "surrogatepass"), np.uint32)
        if not len(self._codes):
            return np.full(len(codes), UNK, np.int64)
        place = np.searchsorted(self._codes, codes, sorter=self._order)
        found = self._order[np.minimum(place, len(self._codes) - 1)]
        return np.where(self._codes[found] == codes, found + len(SPECIAL), UNK)

    def decode(self, numbers: Iterable[int]) -> str:
        """Give the text up to the first end.

        :param numbers: of symbols.
        """
        symbols = []
        for number in numbers:
            if number == EOS:
                break
            symbols.append(self.symbols[number])
        return ("" if self.unit == "character" else " ").join(symbols)
