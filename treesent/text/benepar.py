"""Read the constituents that benepar left on a Doc, as binary trees.

benepar (Kitaev and Klein 2018) keeps the spans of all constituents in ``doc._._constituent_data`` and shows
them through ``span._.parse_string``, ``span._.constituents`` and ``span._.labels``. The arrays are used where
they are; a Doc that has only the extensions (set by another component, or restored) works as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from treesent.errors import TreesentError
from treesent.trees.arrays import run_offsets
from treesent.trees.constituency import from_constituents
from treesent.trees.structure import Structure
from treesent.types import Bool, Int64

if TYPE_CHECKING:
    from spacy.tokens import Doc, Span

_TOKEN = re.compile(r"\([ \t\r\n]*[^ \t\r\n()]*|\)|[^ \t\r\n()]+")


def from_spans(spans: Sequence[Span], blank: Sequence[Bool] | None = None) -> Structure:
    """Binarise the constituents inside sentences, or parts of them.

    :param spans: spans of Docs that benepar parsed, each with at least one word.
    :param blank: whether each token of each span is not a word; white space by default.
    :raises TreesentError: if a Doc carries no constituents or they do not fit, or a span has no word.
    """
    blanks: Sequence[Bool | None] = blank or [None] * len(spans)
    found = [constituents(span, its) for span, its in zip(spans, blanks, strict=True)]
    lengths = np.array([part.n_words for part in found], np.int64)
    if len(lengths) and lengths.min() < 1:
        empty = spans[int(lengths.argmin())]
        raise TreesentError(f"tokens {empty.start}:{empty.end} hold no word: leave spans of white space out")
    base = run_offsets(lengths)
    starts = [part.start + shift for part, shift in zip(found, base, strict=False)]
    ends = [part.end + shift for part, shift in zip(found, base, strict=False)]
    none = np.zeros(0, np.int64)
    return from_constituents(np.concatenate([none, *starts]), np.concatenate([none, *ends]), lengths)


def has_constituents(doc: Doc) -> bool:
    """Say whether benepar, or something that speaks its language, parsed this Doc.

    :param doc: the Doc.
    """
    # Importing benepar gives every Doc its extensions; only the arrays say whether this one was parsed.
    if doc.has_extension("_constituent_data"):
        return _data(doc) is not None
    sentence = next(doc.sents, None) if doc.has_annotation("SENT_START") else None
    return sentence is not None and any(
        sentence.has_extension(name) and getattr(sentence._, name)
        for name in ("constituents", "parse_string")
    )


@dataclass(frozen=True, slots=True, eq=False)
class Constituents:
    """The constituents inside a span, counted in words from its start; white space is not a word.

    :param start: first word of each. *Shape:* ``(n_constituents,)``
    :param end: one past its last word. *Shape:* ``(n_constituents,)``
    :param n_words: words of the span.
    """

    start: Int64
    end: Int64
    n_words: int


def constituents(span: Span, blank: Bool | None = None) -> Constituents:
    """Give the constituents inside a span.

    :param span: a span of a Doc that benepar parsed.
    :param blank: whether each of its tokens is not a word; white space by default.
    :raises TreesentError: if the Doc carries none, or they do not fit its tokens.
    """
    from spacy.attrs import IS_SPACE

    space = span.doc.to_array(IS_SPACE)[span.start : span.end] != 0
    rank = run_offsets(~(space if blank is None else blank))
    n_words = int(rank[-1])
    data = _data(span.doc)
    if data is not None:
        start, end = np.asarray(data.starts, np.int64), np.asarray(data.ends, np.int64)
        inside = (start >= span.start) & (end <= span.end) & (start < end)
        return Constituents(rank[start[inside] - span.start], rank[end[inside] - span.start], n_words)
    if not has_constituents(span.doc):
        raise TreesentError(
            f"no constituents on the Doc {span.doc.text[:40]!r}: put benepar before, or use other trees"
        )
    if span.has_extension("constituents"):
        parts = [part for part in span._.constituents if span.start <= part.start and part.end <= span.end]
        start = rank[[part.start - span.start for part in parts]]
        return Constituents(start, rank[[part.end - span.start for part in parts]], n_words)
    pairs = np.array(list(_bracketed(span._.parse_string)), np.int64).reshape(-1, 2)
    place = np.flatnonzero(~space)
    if pairs.max(initial=0) != len(place):
        raise TreesentError(
            f"{pairs.max(initial=0)} words in the parse string of {span.text[:40]!r}, which has {len(place)}: "
            "parse the Doc again, after the tokenizer"
        )
    start, end = rank[place[pairs[:, 0]]], rank[place[pairs[:, 1] - 1] + 1]
    return Constituents(start[start < end], end[start < end], n_words)


def _data(doc: Doc) -> Any:
    """Give benepar's arrays, or None if this Doc has none."""
    if not doc.has_extension("_constituent_data"):
        return None
    data = doc._._constituent_data
    return data if hasattr(data, "starts") and hasattr(data, "ends") else None


def _bracketed(text: str) -> Iterator[tuple[int, int]]:
    """Give the word spans of a bracketed parse with any labels and any number of children."""
    opened: list[int] = []
    n_words = 0
    for token in _TOKEN.findall(text):
        if token == ")":
            if not opened:
                raise TreesentError(f"a closing bracket too many in the parse string {text[:60]!r}")
            yield opened.pop(), n_words
        elif token[0] == "(":
            opened.append(n_words)
        else:
            n_words += 1
    if opened:
        raise TreesentError(f"{len(opened)} closing brackets too few in the parse string {text[:60]!r}")
