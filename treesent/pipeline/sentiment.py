"""The sentiment of a stretch of text, and the extensions of Doc, Span and Token that give it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from math import isnan
from typing import TYPE_CHECKING, Any

import numpy as np

from treesent.errors import TreesentError
from treesent.metrics.documents import normalised_product
from treesent.pipeline import record as store
from treesent.pipeline.record import Record
from treesent.types import Float32

if TYPE_CHECKING:
    from spacy.tokens import Doc, Span, Token

    from treesent.pipeline.treeview import TreeView


@dataclass(frozen=True, slots=True, eq=False)
class Sentiment:
    """What the network says of a stretch of text.

    Polarity and confidence are two things: a text can be surely neutral (polarity 0, confidence 0.9) or torn
    between very good and very bad (polarity 0, confidence 0.4).

    :param label: the class with the highest probability.
    :param probs: the probability of each class, from the most negative to the most positive.
        *Shape:* ``(n_classes,)``.
    :param polarity: the expected value of the classes, from -1 (very negative) to 1 (very positive); None
        where the classes have no values.
    :param confidence: the highest probability.
    :param unknown: the share of words, from 0 to 1, for which the table of vectors has no row.
    :param text: the stretch of text.
    """

    label: str
    probs: Float32
    polarity: float | None
    confidence: float
    unknown: float
    text: str

    def __eq__(self, other: object) -> bool:
        """Two sentiments are equal where text, label and all numbers are."""
        if not isinstance(other, Sentiment):
            return NotImplemented
        same = (self.text, self.label, self.unknown) == (other.text, other.label, other.unknown)
        return same and np.array_equal(self.probs, other.probs)

    def __hash__(self) -> int:
        return hash((self.text, self.label, self.probs.tobytes()))

    def __repr__(self) -> str:
        return (
            f"Sentiment({self.label!r}, polarity={_number(self.polarity)}, confidence={self.confidence:.2f}, "
            f"text={self.text!r})"
        )

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values, ready for JSON."""
        return {
            "text": self.text,
            "label": self.label,
            "probs": [round(float(value), 6) for value in self.probs],
            "polarity": None if self.polarity is None else round(self.polarity, 6),
            "confidence": round(self.confidence, 6),
            "unknown": round(self.unknown, 6),
        }


def sentiment_of(record: Record, probs: Float32, unknown: float, text: str) -> Sentiment:
    """A sentiment from probabilities.

    :param record: names the classes and their values.
    :param probs: *Shape:* ``(n_classes,)``.
    """
    best = int(probs.argmax())
    probs = probs.astype(np.float32)
    probs.flags.writeable = False
    value = float(probs @ record.polarity)
    return Sentiment(
        str(record.labels[best]), probs, None if isnan(value) else value, float(probs[best]), unknown, text
    )


def _number(polarity: float | None) -> str:
    return "None" if polarity is None else f"{polarity:+.2f}"


def _mean(probs: Float32, polarity: Float32, lengths: Float32) -> Float32:
    return np.asarray(probs.mean(axis=0))


def _words(probs: Float32, polarity: Float32, lengths: Float32) -> Float32:
    return np.asarray(lengths @ probs / lengths.sum())


def _strongest(probs: Float32, polarity: Float32, lengths: Float32) -> Float32:
    return np.asarray(probs[np.nan_to_num(np.abs(probs @ polarity)).argmax()])


def _last(probs: Float32, polarity: Float32, lengths: Float32) -> Float32:
    return np.asarray(probs[-1])


def _product(probs: Float32, polarity: Float32, lengths: Float32) -> Float32:
    return np.asarray(normalised_product(probs, np.zeros(1, np.int64))[0])


#: How sentences make the sentiment of a text. ``mean``: each sentence counts the same; ``words``: each word
#: does; ``strongest``: the sentence whose polarity is furthest from 0; ``last``: the last sentence, where
#: reviews like to conclude; ``product``: their probabilities are multiplied, so that what they say adds up,
#: for a model that learned to be put together so.
AGGREGATES: Mapping[str, Callable[[Float32, Float32, Float32], Float32]] = {
    "mean": _mean,
    "words": _words,
    "strongest": _strongest,
    "last": _last,
    "product": _product,
}


def check_aggregate(name: str) -> str:
    """The name of an aggregation, unchanged.

    :raises TreesentError: where there is none of that name.
    """
    if name not in AGGREGATES:
        raise TreesentError(f"aggregate = {name!r} is none of {', '.join(AGGREGATES)}: give one of these")
    return name


def span_sentiment(span: "Span") -> Sentiment | None:
    """The sentiment of a span.

    A span that is a constituent of its sentence has the sentiment of that node. Another is tiled by the
    fewest
    constituents within it, whose probabilities count by their words. A span over several sentences is put
    together from its sentences as a document is.

    :returns: None where the span has no words.
    """
    return _between(span.doc, span.start_char, span.end_char, span.text)


def doc_sentiment(doc: "Doc") -> Sentiment | None:
    """The sentiment of a document: its sentences put together, as ``aggregate`` says; None without words."""
    return _between(doc, 0, store.size(doc), doc.text)


def token_sentiment(token: "Token") -> Sentiment | None:
    """The sentiment of a word by itself; None for white space."""
    return _between(token.doc, token.idx, token.idx + len(token), token.text)


def doc_sentiments(doc: "Doc") -> list[Sentiment | None]:
    """The sentiment of each sentence of ``doc.sents``; None where a sentence has no words."""
    return [span_sentiment(sent) for sent in sentences(doc)]


def doc_sentiment_in_context(doc: "Doc", span: "Span") -> Sentiment | None:
    """The smallest constituent around a span that is not neutral: "acting is superb" around "acting", say.

    :param span: a span of the Doc.
    :returns: the sentiment of that constituent (its ``text`` says which it is); that of the whole sentence
        where everything around the span is neutral; that of the span where it goes over several sentences.
    """
    smallest = span_tree(span)
    if smallest is None:
        return span_sentiment(span)
    return next((node.sentiment for node in smallest.outwards() if not node.neutral), smallest.root.sentiment)


def span_tree(span: "Span") -> "TreeView | None":
    """The scored tree of a sentence, or of the smallest constituent around another span.

    :returns: None where the span has no words or goes over several sentences.
    """
    from treesent.pipeline.treeview import TreeView

    touched = list(islice(store.stretches(span.doc, span.start_char, span.end_char), 2))
    if len(touched) != 1:
        return None
    return TreeView.around(span.doc, touched[0])


def doc_unknown(doc: "Doc") -> float | None:
    """The share of the document's words that the table of vectors lacks; None without words."""
    found = doc_sentiment(doc)
    return None if found is None else found.unknown


def sentences(doc: "Doc") -> "list[Span]":
    """The Doc's sentences: spaCy's where it has any, else those that were scored."""
    if not len(doc):
        return []
    if len(doc) == 1 or doc.has_annotation("SENT_START"):
        return list(doc.sents)
    touched = store.stretches(doc, 0, store.size(doc))
    chars = [
        (s.offset + s.record.chars[s.first, 0], s.offset + s.record.chars[s.last - 1, 1]) for s in touched
    ]
    spans = [doc.char_span(int(a), int(b), alignment_mode="expand") for a, b in chars]
    return [span for span in spans if span is not None]


def _between(doc: "Doc", begin: int, end: int, text: str) -> Sentiment | None:
    touched = list(store.stretches(doc, begin, end))
    if not touched:
        return None
    record = touched[0].record
    probs = np.stack([_tiled(stretch) for stretch in touched])
    lengths = np.array([stretch.last - stretch.first for stretch in touched], np.float32)
    unknown = sum(int(s.record.unknown[s.first : s.last].sum()) for s in touched) / float(lengths.sum())
    joined = probs[0] if len(probs) == 1 else AGGREGATES[record.aggregate](probs, record.polarity, lengths)
    return sentiment_of(record, joined, unknown, text.strip())


def _tiled(stretch: store.Stretch) -> Float32:
    """Probabilities of neighbouring words of one sentence."""
    record, nodes = stretch.record, stretch.record.nodes(stretch.tree)
    tiles = record.tiles(stretch.tree, stretch.first, stretch.last)
    if len(tiles) == 1:
        return np.asarray(record.probs[nodes][tiles[0]])
    words = (record.end[nodes] - record.start[nodes])[tiles].astype(np.float32)
    return np.asarray(words @ record.probs[nodes][tiles] / words.sum())


def _extensions() -> list[tuple[Any, str, dict[str, Any]]]:
    from spacy.tokens import Doc, Span, Token

    return [
        (Doc, "sentiment", {"getter": doc_sentiment}),
        (Doc, "sentiments", {"getter": doc_sentiments}),
        (Doc, "sentiment_in_context", {"method": doc_sentiment_in_context}),
        (Doc, "unknown_words", {"getter": doc_unknown}),
        (Span, "sentiment", {"getter": span_sentiment}),
        (Span, "tree", {"getter": span_tree}),
        (Token, "sentiment", {"getter": token_sentiment}),
    ]


def register_extensions() -> None:
    """Make ``._.sentiment`` and its kin known to spaCy.

    The component does so when it is made. Call it yourself only to read, in a process without the component,
    Docs that it has scored (from a DocBin, say). An extension of the same name that another package has set
    is replaced.
    """
    for owner, name, how in _extensions():
        owner.set_extension(name, force=True, **how)
