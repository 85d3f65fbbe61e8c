"""Docs as arrays: the words of all sentences of a batch, and their rows in the table of vectors.

White space is no word: a token of spaces or line breaks belongs to a sentence but to no tree.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from treesent.types import Bool, Float32, Int64, UInt64
from treesent.vectors.table import Lookup, VectorTable

if TYPE_CHECKING:
    from spacy.strings import StringStore
    from spacy.tokens import Doc

Splitter = Callable[["Tokens"], Bool]

_ATTRIBUTES = ("ORTH", "LOWER", "LENGTH", "SPACY", "SENT_START", "IS_SPACE", "HEAD")
# Words outside the table whose vectors are kept from batch to batch.
_REMEMBERED = 1 << 15


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """The tokens of many Docs, Doc after Doc.

    :param orth: spaCy's hash of the text. *Shape:* ``(n_tokens,)``, as the others.
    :param lower: spaCy's hash of the text in lower case.
    :param begin: first character, counted within the Doc.
    :param end: the character after the last.
    :param head: the token's head, counted over all Docs; itself where it has none.
    :param is_space: whether it is white space.
    :param spaced: whether a space follows.
    :param doc: the Doc it is of.
    :param starts: whether a sentence starts here; Docs without boundaries have None of their own yet.
    :param offsets: the token at which each Doc begins, and their number. *Shape:* ``(n_docs + 1,)``.
    :param open: whether each Doc has no sentence boundaries of its own. *Shape:* ``(n_docs,)``.
    :param strings: texts by hash.
    """

    orth: UInt64
    lower: UInt64
    begin: Int64
    end: Int64
    head: Int64
    is_space: Bool
    spaced: Bool
    doc: Int64
    starts: Bool
    offsets: Int64
    open: Bool
    strings: "StringStore"

    def __len__(self) -> int:
        """How many tokens there are."""
        return len(self.orth)

    @classmethod
    def of(cls, docs: Sequence["Doc"]) -> "Tokens":
        """Read Docs, at least one, without changing them."""
        from spacy.attrs import IDS

        ids = [IDS[name] for name in _ATTRIBUTES]
        columns = np.concatenate([doc.to_array(ids) for doc in docs]).T
        orth, lower, length, spaced, sent_start, is_space, head = columns
        offsets = np.zeros(len(docs) + 1, np.int64)
        np.cumsum([len(doc) for doc in docs], out=offsets[1:])
        doc = np.repeat(np.arange(len(docs)), np.diff(offsets))
        size = (length + spaced).astype(np.int64)
        after = np.cumsum(size)
        base = np.concatenate([[0], after])[offsets[:-1]][doc] if len(doc) else after
        begin = after - size - base
        # Only a sentence's first token is marked 1; others are -1 where anybody has looked, else 0.
        marked = np.zeros(len(docs), bool)
        first = offsets[:-1][np.diff(offsets) > 0]
        known = sent_start != 0
        known[first] = False
        marked[doc[known]] = True
        marked |= np.diff(offsets) <= 1
        starts = (sent_start == 1) & marked[doc]
        starts[first] = True
        return cls(
            np.ascontiguousarray(orth),
            np.ascontiguousarray(lower),
            begin,
            begin + length.astype(np.int64),
            np.arange(len(doc)) + head.astype(np.int64),
            is_space != 0,
            spaced != 0,
            doc,
            starts,
            offsets,
            ~marked,
            docs[0].vocab.strings,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Sentences:
    """The words of many Docs by sentence; sentences without words are left out.

    :param token: the token of each word, counted over all Docs. *Shape:* ``(n_words,)``.
    :param lengths: the words of each sentence. *Shape:* ``(n_trees,)``.
    :param offsets: the sentence at which each Doc begins, and their number. *Shape:* ``(n_docs + 1,)``.
    :param begin: the first token of each sentence, counted over all Docs. *Shape:* ``(n_trees,)``.
    :param end: the token after its last. *Shape:* ``(n_trees,)``.
    """

    token: Int64
    lengths: Int64
    offsets: Int64
    begin: Int64
    end: Int64

    @classmethod
    def of(cls, tokens: Tokens, starts: Bool) -> "Sentences":
        """Cut the tokens into sentences.

        :param starts: whether a sentence starts at each token. *Shape:* ``(n_tokens,)``.
        """
        token = np.flatnonzero(~tokens.is_space)
        sentence = np.cumsum(starts)[token] - 1
        bounds = np.append(np.flatnonzero(starts), len(starts))
        begins = np.flatnonzero(np.diff(sentence, prepend=-1))
        lengths = np.diff(np.append(begins, len(token)))
        per_doc = np.bincount(tokens.doc[token[begins]], minlength=len(tokens.offsets) - 1)
        kept = sentence[begins]
        offsets = np.concatenate([[0], np.cumsum(per_doc)])
        return cls(token, lengths, offsets, bounds[kept], bounds[kept + 1])


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
        self._rest: dict[int, int | Float32] = {}

    def find(self, tokens: Tokens, token: Int64) -> Lookup:
        """The rows of some tokens; each distinct unknown word is given one vector of its own.

        :param token: which tokens. *Shape:* ``(n_words,)``.
        """
        keys = (tokens.orth if self.cased else tokens.lower)[token]
        distinct, inverse = np.unique(keys, return_inverse=True)
        place = np.searchsorted(self._keys, distinct)
        place[place == len(self._keys)] = 0
        rows = self._order[place]
        missing = np.flatnonzero(self._keys[place] != distinct)
        found = self._guess(distinct[missing].tolist(), tokens.strings)
        extra: list[Float32] = []
        unknown = np.zeros(len(distinct), bool)
        for at, what in zip(missing.tolist(), found, strict=True):
            unknown[at] = not isinstance(what, int)
            rows[at] = what if isinstance(what, int) else len(self.table) + len(extra)
            if not isinstance(what, int):
                extra.append(what)
        vectors = np.stack(extra) if extra else np.zeros((0, self.table.width), np.float32)
        return Lookup(rows[inverse], vectors, unknown[inverse])

    def _guess(self, keys: list[int], strings: "StringStore") -> list[int | Float32]:
        """A row for a word that the table knows in another form, a vector for one that it does not."""
        known = self._rest
        fresh = [key for key in keys if key not in known]
        if fresh:
            if len(known) + len(fresh) > _REMEMBERED:
                known = self._rest = {key: known[key] for key in keys if key in known}
            looked = self.table.lookup([strings[key] for key in fresh])
            for key, row in zip(fresh, looked.rows.tolist(), strict=True):
                known[key] = row if row < len(self.table) else looked.extra[row - len(self.table)].copy()
        return [known[key] for key in keys]
