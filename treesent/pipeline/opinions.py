"""What a text talks about, what it thinks of it, and the words that say so."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from treesent.pipeline import record as store
from treesent.pipeline.record import Record, Stretch
from treesent.pipeline.sentiment import Sentiment, sentiment_of
from treesent.pipeline.towards import evidence, in_context, tells, together, towards_probs

if TYPE_CHECKING:
    from spacy.tokens import Doc, Span

SPANS = "opinions"
"""The key under which :func:`write_opinion_spans` writes."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """An opinion on something that a text names.

    :param target: what it is on.
    :param sentiment: the sentiment towards it.
    :param words: the words that say so; None if no words do, as for a neutral one.
    :param clause: the constituent that holds both; the sentence where there are no such words.
    """

    target: "Span"
    sentiment: Sentiment
    words: "Span | None"
    clause: "Span"

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values, ready for JSON; places are characters of the text."""
        return {
            "target": _plain(self.target),
            "label": self.sentiment.label,
            "polarity": None if self.sentiment.polarity is None else round(self.sentiment.polarity, 6),
            "confidence": round(self.sentiment.confidence, 6),
            "words": None if self.words is None else _plain(self.words),
            "clause": _plain(self.clause),
        }


def _plain(span: "Span") -> dict[str, Any]:
    return {"text": span.text, "start": span.start_char, "end": span.end_char}


def doc_opinions(doc: "Doc") -> list[Opinion]:
    """The opinions of a document, in text order.

    The model's head for opinions finds what they are on; none are found without one, see :func:`opinions_on`.
    """
    return [_opinion(doc, stretch) for stretch in _targets(doc)]


def opinions_on(doc: "Doc", spans: "list[Span]") -> list[Opinion]:
    """The opinions on given spans, such as the noun chunks of a parser: ``opinions_on(doc, list(doc.noun_chunks))``.

    :param doc: a scored Doc.
    :param spans: what they are on; those over several sentences or without words are left out.
    """
    touched = [list(store.stretches(doc, span.start_char, span.end_char)) for span in spans]
    return [_opinion(doc, found[0]) for found in touched if len(found) == 1]


def write_opinion_spans(doc: "Doc", key: str = SPANS) -> None:
    """Write what a document has opinions on to ``doc.spans[key]``, labelled with the sentiment towards it.

    ``displacy.render(doc, style="span", options={"spans_key": key})`` draws them.

    :param doc: a scored Doc.
    :param key: of the group, which is replaced.
    """
    from spacy.tokens import Span

    doc.spans[key] = [Span(doc, o.target.start, o.target.end, o.sentiment.label) for o in doc_opinions(doc)]


def _targets(doc: "Doc") -> Iterator[Stretch]:
    for offset, record in store.read(doc):
        if record.target is None:
            continue
        ends = np.append(np.flatnonzero(record.target != 2), len(record.target))
        for first in np.flatnonzero(record.target == 1).tolist():
            last = int(ends[np.searchsorted(ends, first, "right")])
            tree = record.trees_of(first, first + 1)[0]
            yield Stretch(record, offset, tree, first, min(last, int(record.words[tree + 1])))


def _opinion(doc: "Doc", stretch: Stretch) -> Opinion:
    record, tree, first = stretch.record, stretch.tree, int(stretch.record.words[stretch.tree])
    target = _span(doc, stretch, stretch.first, stretch.last)
    probs = towards_probs(stretch) if tells(record) else in_context(stretch)
    unknown = float(record.unknown[stretch.first : stretch.last].mean())
    sentiment = sentiment_of(record, probs, unknown, target.text)
    chosen = list(record.labels).index(sentiment.label)
    node = evidence(stretch, int(np.nan_to_num(np.sign(record.polarity[chosen]))))
    if node is None:
        return Opinion(target, sentiment, None, _span(doc, stretch, first, int(record.words[tree + 1])))
    nodes = record.nodes(tree)
    begin, end = first + int(record.start[nodes][node]), first + int(record.end[nodes][node])
    around = together(record, tree, min(begin, stretch.first), max(end, stretch.last))
    words = _span(doc, stretch, begin, end)
    clause = (first + int(record.start[nodes][around]), first + int(record.end[nodes][around]))
    return Opinion(target, sentiment, words, _span(doc, stretch, *clause))


def _span(doc: "Doc", stretch: Stretch, first: int, last: int) -> "Span":
    """Words of a record as a span of its Doc."""
    record: Record = stretch.record
    begin, end = record.chars[[first, last - 1], [0, 1]] + stretch.offset
    size = doc[-1].idx + len(doc[-1])
    span = doc.char_span(max(int(begin), 0), min(int(end), size), alignment_mode="expand")
    assert span is not None
    return span
