"""The extensions of Doc, Span and Token that give sentiments and trees."""

import warnings
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from treesent.metrics.aggregation import check_aggregate, document_probs
from treesent.pipeline import record as store
from treesent.pipeline.opinions import doc_opinions
from treesent.pipeline.reasons import doc_reasons
from treesent.pipeline.sentiment import Sentiment, sentiment_of
from treesent.pipeline.towards import towards
from treesent.pipeline.treeview import TreeView
from treesent.types import Float32

if TYPE_CHECKING:
    from spacy.tokens import Doc, Span, Token


def span_sentiment(span: "Span") -> Sentiment | None:
    """The sentiment of a span.

    A span that is a constituent of its sentence has the sentiment of that node. Another is tiled by the
    fewest constituents within it, whose probabilities are weighted by their numbers of words. A span over several
    sentences is aggregated from them as a document is.

    :returns: None if the span has no words.
    """
    return _between(span.doc, span.start_char, span.end_char, span.text)


def doc_sentiment(doc: "Doc") -> Sentiment | None:
    """The sentiment of a document: its sentences aggregated as ``aggregate`` says; None without words."""
    found = _between(doc, 0, store.size(doc), doc.text)
    if found is None and (given := store.given(doc)) is not None:
        return Sentiment.from_dict(given)
    return found


def token_sentiment(token: "Token") -> Sentiment | None:
    """The sentiment of a word by itself; None for white space."""
    return _between(token.doc, token.idx, token.idx + len(token), token.text)


def doc_sentiments(doc: "Doc") -> list[Sentiment | None]:
    """The sentiment of each sentence of ``doc.sents``; None if a sentence has no words."""
    return [span_sentiment(sent) for sent in sentences(doc)]


def doc_sentiment_in_context(doc: "Doc", span: "Span") -> Sentiment | None:
    """The smallest constituent around a span that is not neutral: "acting is superb" around "acting", say.

    :param span: a span of the Doc.
    :returns: the sentiment of that constituent (its ``text`` says which it is); that of the whole sentence
        where everything around the span is neutral; that of the span if it crosses a sentence boundary.
    """
    smallest = span_tree(span)
    if smallest is None:
        return span_sentiment(span)
    return next((node.sentiment for node in smallest.outwards() if not node.neutral), smallest.root.sentiment)


def span_sentiment_towards(span: "Span") -> Sentiment | None:
    """What its sentence says of a span: "negative" of "plot" in "The plot is thin, but the acting is superb".

    The model's head for opinions tells it. Without one it is the sentiment in context.

    :returns: None if the span has no words.
    """
    found = towards(span)
    return doc_sentiment_in_context(span.doc, span) if found is None else found


def doc_sentiment_towards(doc: "Doc", span: "Span") -> Sentiment | None:
    """The sentiment towards a span of the Doc, see :func:`span_sentiment_towards`."""
    return span_sentiment_towards(span)


def span_tree(span: "Span") -> TreeView | None:
    """The scored tree of a sentence, or of the smallest constituent around another span.

    :returns: None if the span has no words or goes over several sentences.
    """
    touched = list(islice(store.stretches(span.doc, span.start_char, span.end_char), 2))
    if len(touched) != 1:
        return None
    return TreeView.around(span.doc, touched[0])


def doc_unknown(doc: "Doc") -> float | None:
    """The fraction of the document's words that are out of vocabulary; None without words."""
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
    n_words = sum(stretch.last - stretch.first for stretch in touched)
    unknown = sum(int(s.record.unknown[s.first : s.last].sum()) for s in touched) / n_words
    # Links and signatures have no opinion: they count where nothing else is there.
    touched = [stretch for stretch in touched if not stretch.silent] or touched
    record = touched[0].record
    probs = np.stack([_tiled(stretch) for stretch in touched])
    lengths = np.array([stretch.last - stretch.first for stretch in touched], np.int64)
    whole = probs
    if len(probs) > 1:
        aggregate, offsets = check_aggregate(record.aggregate), np.array([0, len(probs)])
        whole = document_probs(probs, offsets, lengths, aggregate, record.polarity)
    return sentiment_of(record, whole[0], unknown, text.strip(), probs)


def _tiled(stretch: store.Stretch) -> Float32:
    """Probabilities of neighbouring words of one sentence."""
    record, nodes = stretch.record, stretch.record.nodes(stretch.tree)
    tiles = record.tiles(stretch.tree, stretch.first, stretch.last)
    if len(tiles) == 1:
        return np.asarray(record.probs[nodes][tiles[0]])
    words = (record.end[nodes] - record.start[nodes])[tiles].astype(np.float32)
    return np.asarray(words @ record.probs[nodes][tiles] / words.sum())


def set_doc_sentiment(doc: "Doc", value: Any) -> None:
    """Take the sentiment that ``Doc.to_json(underscore=["sentiment"])`` wrote, for a Doc that was not scored.

    :param doc: the Doc.
    :param value: a :class:`Sentiment`, or its plain values.
    :raises TreesentError: it is neither.
    """
    store.give(doc, dict(Sentiment.from_dict(value)) if value is not None else None)


def _extensions() -> list[tuple[Any, str, dict[str, Any]]]:
    from spacy.tokens import Doc, Span, Token

    return [
        (Doc, "sentiment", {"getter": doc_sentiment, "setter": set_doc_sentiment}),
        (Doc, "sentiments", {"getter": doc_sentiments}),
        (Doc, "sentiment_in_context", {"method": doc_sentiment_in_context}),
        (Doc, "sentiment_towards", {"method": doc_sentiment_towards}),
        (Doc, "opinions", {"getter": doc_opinions}),
        (Doc, "sentiment_reasons", {"getter": doc_reasons}),
        (Doc, "unknown_words", {"getter": doc_unknown}),
        (Span, "sentiment", {"getter": span_sentiment}),
        (Span, "sentiment_towards", {"getter": span_sentiment_towards}),
        (Span, "tree", {"getter": span_tree}),
        (Token, "sentiment", {"getter": token_sentiment}),
    ]


def register_extensions(replace: bool = False) -> None:
    """Make ``._.sentiment`` and its kin known to spaCy.

    ``import treesent`` does so, and the component when it is made.

    :param replace: replace an extension of the same name that another package has set, with a warning; else it
        stays.
    """
    for owner, name, how in _extensions():
        if owner.has_extension(name):
            other = next((part for part in owner.get_extension(name) if callable(part)), None)
            if getattr(other, "__module__", "").startswith("treesent."):
                continue
            if not replace:
                continue
            warnings.warn(
                f"{owner.__name__}._.{name} was set by {getattr(other, '__module__', 'another package')}, and is now "
                "treesent's; add treesent to the pipeline first to keep the other one",
                stacklevel=3,
            )
        owner.set_extension(name, force=True, **how)
