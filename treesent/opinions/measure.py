"""How well a pipeline tells the sentiment towards given spans, and finds them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from treesent.data.label_names import side_of
from treesent.opinions.aspects import AspectText
from treesent.pipeline.extensions import doc_sentiment_in_context, span_sentiment_towards
from treesent.pipeline.opinions import doc_opinions

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc, Span

    from treesent.pipeline.sentiment import Sentiment


@dataclass(frozen=True, slots=True)
class AspectScore:
    """How well a pipeline does on one table, in percent.

    :param name: the table's.
    :param n: aspects whose sentiment is known.
    :param towards: right of the three classes, by the sentiment towards the span.
    :param context: right by the sentiment in context.
    :param sentence: right by the sentiment of the whole text.
    :param n_differ: aspects in texts that have both a positive and a negative one.
    :param differ: of these, right by the sentiment towards the span; None where there are none.
    :param precision: of the targets found, those that are exactly aspects.
    :param recall: of the aspects, those that are exactly found.
    """

    name: str
    n: int
    towards: float
    context: float
    sentence: float
    n_differ: int
    differ: float | None
    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Of the targets, exact spans."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def measure(nlp: "Language", name: str, texts: Sequence[AspectText]) -> AspectScore:
    """Measure a pipeline on texts with aspects.

    :param nlp: the pipeline.
    :param name: of the table.
    :param texts: its rows.
    """
    signs: list[tuple[int, int, int, int, bool]] = []
    found = right = wanted = 0
    for doc, text in zip(nlp.pipe(text.text for text in texts), texts, strict=True):
        targets = {(o.target.start_char, o.target.end_char) for o in doc_opinions(doc)}
        spans = {(span.start_char, span.end_char) for span, _ in _spans(doc, text)}
        found, wanted, right = found + len(targets), wanted + len(spans), right + len(targets & spans)
        for span, sign in _spans(doc, text):
            if sign is not None:
                told = (_towards(span), _in_context(span), _side(doc._.sentiment))
                signs.append((sign, *told, text.differs))
    table = np.array(signs, np.int64).reshape(-1, 5)
    hit = table[:, 1:4] == table[:, :1]
    differ = hit[table[:, 4] == 1, 0]
    towards, context, sentence = (100 * hit.mean(0) if len(hit) else np.zeros(3)).tolist()
    return AspectScore(
        name,
        len(table),
        towards,
        context,
        sentence,
        len(differ),
        float(100 * differ.mean()) if len(differ) else None,
        100 * right / max(found, 1),
        100 * right / max(wanted, 1),
    )


def _spans(doc: "Doc", text: AspectText) -> "Iterator[tuple[Span, int | None]]":
    for aspect in text.aspects:
        span = doc.char_span(aspect.start, aspect.end, alignment_mode="expand")
        if span is not None:
            yield span, aspect.sign


def _side(sentiment: "Sentiment | None") -> int:
    return 0 if sentiment is None else side_of(sentiment.label) or 0


def _towards(span: "Span") -> int:
    return _side(span_sentiment_towards(span))


def _in_context(span: "Span") -> int:
    return _side(doc_sentiment_in_context(span.doc, span))


def table_of(scores: Sequence[AspectScore]) -> str:
    """Write scores as a table, a line for each.

    :param scores: the scores.
    """
    lines = [
        f"{'':<22}{'n':>7}{'towards':>9}{'context':>9}{'sentence':>10}{'differ':>8}{'(n)':>7}{'P':>7}{'R':>7}{'F1':>7}"
    ]
    for score in scores:
        differ = "" if score.differ is None else f"{score.differ:.1f}"
        lines.append(
            f"{score.name:<22}{score.n:>7,}{score.towards:>9.1f}{score.context:>9.1f}{score.sentence:>10.1f}"
            f"{differ:>8}{score.n_differ:>7,}{score.precision:>7.1f}{score.recall:>7.1f}{score.f1:>7.1f}"
        )
    return "\n".join(lines)
