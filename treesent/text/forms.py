"""Other forms in which a table may know a word: spelt without odd characters, shortened, cut into words.

A form is a tuple of words that the table has; several stand for their mean.
"""

import re
from collections.abc import Callable, Iterator
from itertools import product
from math import ceil, log

from treesent.text.characters import clean
from treesent.text.pictures import picture_words

Form = tuple[str, ...]
Rank = Callable[[str], int]
"""The row of a word, where the most frequent words come first; -1 for a word that the table lacks."""

LINK, NAME = "it", "someone"
"""What links and the names of users are looked up as: words without an opinion."""
RATINGS = ("terrible", "bad", "mediocre", "good", "excellent")
"""What the fifths of a scale are looked up as, the lowest first."""
_LINK = re.compile(
    r"(?:https?://|ftp://|www\.)\S+|[\w.+-]+@[\w-]+\.[\w.]+|\S+\.(?:com|org|net|co\.uk|edu|gov)(?:/\S*)?",
    re.I,
)
_NAME = re.compile(r"@\w+")
_RATING = re.compile(r"(\d+(?:[.,]\d+)?)/(5|10|100)")
_ROMAN = re.compile(r"[ivxlcdm]+", re.I)
_RUN = re.compile(r"([^\W\d_])\1{2,}")
_NEGATED = re.compile(r"\w+n't", re.I)
_EDGES = re.compile(r"^[\W_]+|[\W_]+$")
_CAMEL = re.compile(r"[A-Z]{2,}(?![a-z])|[A-Z]?[a-z']+|\d+")
_LONGEST_RUN, _LONGEST_TAG, _LONGEST_WORD = 4, 60, 20


def placeholder(text: str) -> Form:
    """Give the neutral word for a link or the name of a user; none for any other token.

    :param text: of one token.
    """
    if _LINK.fullmatch(text):
        return (LINK,)
    return (NAME,) if _NAME.fullmatch(text) else ()


def rating(given: float, best: float) -> str:
    """Give the word for a rating.

    :param given: the points.
    :param best: the highest number of points.
    """
    return RATINGS[max(0, ceil(5 * given / best) - 1)]


def forms(text: str, rank: Rank) -> Iterator[Form]:
    """Give the forms in which a table knows a token that it lacks, the best first.

    :param text: of one token.
    :param rank: the table's.
    """
    for form in _candidates(text, rank):
        if form and all(rank(word) >= 0 for word in form):
            yield form


def _candidates(text: str, rank: Rank) -> Iterator[Form]:
    if form := placeholder(text):
        yield form
        return
    word = clean(text)
    if word != text:
        yield (word,)
    yield from _said(word, rank)
    if word.startswith("#"):
        yield hashtag(word, rank)
    if _NEGATED.fullmatch(word):
        yield ("not",)
    yield shortened(word, rank)
    bare = _EDGES.sub("", word)
    if bare and bare != word:
        yield (bare,)
        yield shortened(bare, rank)
    if len(parts := word.lower().split()) > 1:
        yield tuple(part for part in parts if rank(part) >= 0)


def _said(word: str, rank: Rank) -> Iterator[Form]:
    """What signs say: pictures and ratings."""
    if words := picture_words(word):
        yield tuple(part for part in words if rank(part) >= 0)
    if found := _RATING.fullmatch(word):
        given, best = float(found[1].replace(",", ".")), float(found[2])
        if given <= best:
            yield (rating(given, best),)


def shortened(word: str, rank: Rank) -> Form:
    """Shorten letters that are written three times and more to two or to one: "goooood" to "good".

    :param word: one word.
    :param rank: the table's.
    :returns: the most frequent of the words that this gives; none where the table has none of them.
    """
    parts = _RUN.split(word)
    if len(parts) == 1 or _ROMAN.fullmatch(word):
        return ()
    letters = parts[1::2]
    ways = product((2, 1), repeat=min(len(letters), _LONGEST_RUN))
    rest = (1,) * (len(letters) - _LONGEST_RUN)
    words = [
        "".join(map(str.__add__, parts[::2], [*map(str.__mul__, letters, way + rest), ""])) for way in ways
    ]
    known = [(row, word) for word in words if (row := rank(word)) >= 0]
    return (min(known)[1],) if known else ()


def hashtag(text: str, rank: Rank) -> Form:
    """Cut a hashtag into words: at its capitals, else where the words are most probable by Zipf's law.

    :param text: with or without ``#``.
    :param rank: the table's.
    :returns: the words; none where they cannot be told.
    """
    tag = text.lstrip("#").replace("_", " ").strip()
    if not tag or len(tag) > _LONGEST_TAG:
        return ()
    if rank(tag.lower()) >= 0:
        return (tag.lower(),)
    parts = tuple(part.lower() for chunk in tag.split() for part in _CAMEL.findall(chunk))
    if len(parts) > 1 and all(rank(part) >= 0 for part in parts):
        return parts
    cut = [_segment(part.lower(), rank) for part in tag.split()]
    return tuple(word for words in cut for word in words) if all(cut) else ()


def _segment(text: str, rank: Rank) -> Form:
    """The most probable words, by dynamic programming over the ends of words."""
    best: list[tuple[float, Form]] = [(0.0, ())]
    for end in range(1, len(text) + 1):
        ways = [
            (cost + log(2 + row) + (6 if end - begin == 1 else 0), (*words, text[begin:end]))
            for begin in range(max(0, end - _LONGEST_WORD), end)
            for cost, words in [best[begin]]
            if cost < float("inf") and (row := rank(text[begin:end])) >= 0
        ]
        best.append(min(ways, default=(float("inf"), ())))
    return best[-1][1]
