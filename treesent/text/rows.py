"""The rows of words in a table of vectors, for training and inference alike.

A word that the table lacks is looked up in other forms (:mod:`treesent.text.forms`); one that it has in no form
gets a vector of its own, made from its pieces.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from treesent.text.docs import Tokens
from treesent.text.forms import forms, shortened
from treesent.types import Float32, Int64
from treesent.vectors.table import Lookup, VectorTable, normalise

if TYPE_CHECKING:
    from spacy.strings import StringStore

# Words outside the table whose vectors are kept from batch to batch.
_REMEMBERED = 1 << 15
_RUN = re.compile(r"([^\W\d_])\1\1")


def lookup(table: VectorTable, words: Sequence[str]) -> Lookup:
    """Find the rows of words in any form, and make a vector for each distinct word that has none.

    :param table: the table.
    :param words: what tokens are looked up as.
    :returns: the rows and the vectors made.
    """
    rows = table.rows(words)
    odd = [place for place, word in enumerate(words) if rows[place] < 0 or _long(word)]
    distinct = list(dict.fromkeys(words[place] for place in odd))
    found = dict(zip(distinct, _resolve(table, distinct), strict=True))
    unknown = np.zeros(len(words), bool)
    made: dict[str, int] = {}
    extra: list[Float32] = []
    for place in odd:
        word = words[place]
        row, vector, unknown[place] = found[word]
        if vector is not None:
            key = normalise(word)
            if key not in made:
                made[key] = len(extra)
                extra.append(vector)
            row = len(table) + made[key]
        rows[place] = row
    return Lookup(rows, np.stack(extra) if extra else np.zeros((0, table.width), np.float32), unknown)


Found = tuple[int, Float32 | None, bool]
"""A row or -1, a vector or None, and whether the word is unknown."""


def _long(word: str) -> bool:
    """Say whether a letter is written three times, so that a shorter word may be better known."""
    return _RUN.search(word) is not None


def _resolve(table: VectorTable, words: Sequence[str]) -> list[Found]:
    """Find the best form of each word."""
    found: list[Found | None] = [_form(table, word) for word in words]
    missing = [place for place, what in enumerate(found) if what is None]
    guessed = table.guess([normalise(words[place]) for place in missing])
    for place, vector in zip(missing, guessed, strict=True):
        found[place] = (-1, vector, True)
    return [what for what in found if what is not None]


def _form(table: VectorTable, word: str) -> Found | None:
    form = shortened(word, table.row) if _long(word) else ()
    if not form and (row := table.row(word)) >= 0:
        return row, None, False
    form = form or next(forms(word, table.row), ())
    if not form:
        return None
    rows = np.array([table.row(part) for part in form])
    return (int(rows[0]), None, False) if len(rows) == 1 else (-1, table.dense(rows).mean(axis=0), False)


class RowFinder:
    """Finds the rows of tokens by spaCy's hashes, so that the text of a known word is never looked at."""

    def __init__(self, table: VectorTable) -> None:
        """Hash the table's words.

        :param table: lower-cased or not.
        """
        from spacy.strings import get_string_id

        self.table = table
        self.cased = any(word != word.lower() for word in table.words)
        keys = np.fromiter(map(get_string_id, table.words), np.uint64, len(table))
        self._order = np.argsort(keys)
        self._keys = keys[self._order]
        self._rest: dict[int, Found] = {}
        # Known words that a shorter spelling makes better known.
        self._long = keys[[row for row, word in enumerate(table.words) if _long(word)]]

    def find(self, tokens: Tokens, token: Int64) -> Lookup:
        """The rows of some tokens; each distinct unknown word is given one vector of its own.

        :param token: which tokens. *Shape:* ``(n_words,)``.
        """
        keys = (tokens.word if self.cased else tokens.lower)[token]
        distinct, inverse = np.unique(keys, return_inverse=True)
        place = np.searchsorted(self._keys, distinct)
        place[place == len(self._keys)] = 0
        rows = self._order[place]
        missing = np.flatnonzero((self._keys[place] != distinct) | np.isin(distinct, self._long))
        extra: list[Float32] = []
        unknown = np.zeros(len(distinct), bool)
        found = self._find(distinct[missing].tolist(), tokens.strings)
        for at, (row, vector, unknown[at]) in zip(missing.tolist(), found, strict=True):
            rows[at] = row if vector is None else len(self.table) + len(extra)
            if vector is not None:
                extra.append(vector)
        vectors = np.stack(extra) if extra else np.zeros((0, self.table.width), np.float32)
        return Lookup(rows[inverse], vectors, unknown[inverse])

    def _find(self, keys: list[int], strings: "StringStore") -> list[Found]:
        """The best form of each word that the table lacks, remembered from batch to batch."""
        known = self._rest
        fresh = [key for key in keys if key not in known]
        if fresh:
            if len(known) + len(fresh) > _REMEMBERED:
                known = self._rest = {key: known[key] for key in keys if key in known}
            known.update(zip(fresh, _resolve(self.table, [strings[key] for key in fresh]), strict=True))
        return [known[key] for key in keys]
