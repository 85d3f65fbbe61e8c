"""Docs as arrays: their tokens, and the words of all sentences of a batch.

A blank token (white space, a tag of HTML, a joiner of emoji) belongs to a sentence but is not a word of its tree.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from treesent.types import Bool, Int64, UInt64

if TYPE_CHECKING:
    from spacy.strings import StringStore
    from spacy.tokens import Doc

Splitter = Callable[["Tokens"], Bool]

_ATTRIBUTES = ("ORTH", "LOWER", "LENGTH", "SPACY", "SENT_START", "IS_SPACE", "HEAD")


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """The tokens of many Docs, Doc after Doc.

    :param orth: spaCy's hash of the text. *Shape:* ``(n_tokens,)``, as the others.
    :param word: spaCy's hash of what the token is looked up as, which is its text at first.
    :param lower: spaCy's hash of ``word`` in lower case.
    :param begin: first character, counted within the Doc.
    :param end: the character after the last.
    :param head: the token's head, counted over all Docs; itself where it has none.
    :param blank: whether it is not a word: white space, at first.
    :param says: whether it can hold an opinion; at first, whatever is not blank.
    :param spaced: whether a space follows.
    :param doc: the Doc it is of.
    :param starts: whether a sentence starts here; Docs without boundaries have None of their own yet.
    :param offsets: the token at which each Doc begins, and their number. *Shape:* ``(n_docs + 1,)``.
    :param open: whether each Doc has no sentence boundaries of its own. *Shape:* ``(n_docs,)``.
    :param strings: texts by hash.
    """

    orth: UInt64
    word: UInt64
    lower: UInt64
    begin: Int64
    end: Int64
    head: Int64
    blank: Bool
    says: Bool
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
        orth, lower, length, spaced, sent_start, blank, head = columns
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
        orth = np.ascontiguousarray(orth)
        return cls(
            orth,
            orth,
            np.ascontiguousarray(lower),
            begin,
            begin + length.astype(np.int64),
            np.arange(len(doc)) + head.astype(np.int64),
            blank != 0,
            blank == 0,
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
    :param silent: whether it holds no opinion, because it consists of links, names, numbers and marks alone.
        *Shape:* ``(n_trees,)``.
    """

    token: Int64
    lengths: Int64
    offsets: Int64
    begin: Int64
    end: Int64
    silent: Bool

    @classmethod
    def of(cls, tokens: Tokens, starts: Bool) -> "Sentences":
        """Cut the tokens into sentences.

        :param starts: whether a sentence starts at each token. *Shape:* ``(n_tokens,)``.
        """
        token = np.flatnonzero(~tokens.blank)
        sentence = np.cumsum(starts)[token] - 1
        bounds = np.append(np.flatnonzero(starts), len(starts))
        begins = np.flatnonzero(np.diff(sentence, prepend=-1))
        lengths = np.diff(np.append(begins, len(token)))
        per_doc = np.bincount(tokens.doc[token[begins]], minlength=len(tokens.offsets) - 1)
        kept = sentence[begins]
        offsets = np.concatenate([[0], np.cumsum(per_doc)])
        says = np.logical_or.reduceat(tokens.says[token], begins) if len(begins) else np.zeros(0, bool)
        return cls(token, lengths, offsets, bounds[kept], bounds[kept + 1], ~says)

    def words(self, tokens: Tokens, as_written: bool = False) -> list[str]:
        """Give what each word is looked up as.

        :param tokens: those that were cut.
        :param as_written: give the text of the tokens instead.
        """
        keys = tokens.orth if as_written else tokens.word
        distinct, inverse = np.unique(keys[self.token], return_inverse=True)
        strings = [tokens.strings[key] for key in distinct.tolist()]
        return [strings[place] for place in inverse.tolist()]
