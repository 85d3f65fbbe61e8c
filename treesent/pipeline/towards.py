"""The sentiment towards a span, and the words that show it."""

from typing import TYPE_CHECKING

import numpy as np

from treesent.metrics.classes import predicted_classes
from treesent.pipeline import record as store
from treesent.pipeline.record import Record, Stretch
from treesent.pipeline.sentiment import Sentiment, sentiment_of
from treesent.types import Float32, Float64

if TYPE_CHECKING:
    from spacy.tokens import Span

CLEAR = 0.15
"""From this polarity on, words show a sentiment."""
CONTEXT = 0.4
"""The weight of the sentiment in context beside the head's: chosen on dev rows of restaurants, laptops and hotels."""


def towards(span: "Span") -> Sentiment | None:
    """The sentiment towards a span as the model's head for opinions tells it.

    :returns: None if the span has no words, or the model no such head.
    """
    touched = list(store.stretches(span.doc, span.start_char, span.end_char))
    if not touched or not all(tells(stretch.record) for stretch in touched):
        return None
    lengths = np.array([stretch.last - stretch.first for stretch in touched])
    probs = np.stack([towards_probs(stretch) for stretch in touched])
    whole = np.asarray(lengths @ probs / lengths.sum(), np.float32)
    unknown = sum(int(s.record.unknown[s.first : s.last].sum()) for s in touched) / int(lengths.sum())
    return sentiment_of(touched[0].record, whole, unknown, span.text.strip())


def towards_probs(stretch: Stretch) -> Float32:
    """The classes of the sentiment towards some words of one sentence. *Shape:* ``(n_classes,)``.

    The head tells negative, neutral and positive; how strong it is, the words that show it.
    """
    signs = signs_of(stretch)
    record, side = stretch.record, np.sign(stretch.record.polarity)
    node = evidence(stretch, int(signs.argmax()) - 1)
    base = record.probs[record.nodes(stretch.tree)][-1 if node is None else node].astype(np.float64) + 1e-4
    probs = np.zeros(len(side))
    for sign, share in zip((-1, 0, 1), signs, strict=True):
        members = side == sign
        if members.any():
            probs[members] = share * base[members] / base[members].sum()
    return np.asarray(probs / probs.sum(), np.float32)


def signs_of(stretch: Stretch) -> Float64:
    """The probabilities of negative, neutral and positive: the head's, and those in context. *Shape:* ``(3,)``."""
    assert stretch.record.towards is not None
    logits = stretch.record.towards[stretch.first : stretch.last].mean(0, dtype=np.float64)
    signs: Float64 = np.exp(logits - logits.max())
    signs /= signs.sum()
    probs, side = in_context(stretch), np.sign(stretch.record.polarity)
    around = np.array([probs[side == sign].sum() for sign in (-1, 0, 1)], np.float64)
    mixed: Float64 = (1 - CONTEXT) * signs + CONTEXT * around
    return mixed


def in_context(stretch: Stretch) -> Float32:
    """The classes of the smallest constituent around some words that is not neutral. *Shape:* ``(n_classes,)``."""
    record, nodes = stretch.record, stretch.record.nodes(stretch.tree)
    probs = record.probs[nodes][record.around(stretch.tree, stretch.first, stretch.last)]
    clear = np.flatnonzero(np.nan_to_num(record.polarity[predicted_classes(probs, record.polarity)]))
    return np.asarray(probs[clear[0] if len(clear) else -1])


def tells(record: Record) -> bool:
    """Say whether a head for opinions has told the sentiment towards words."""
    return record.towards is not None and not np.isnan(record.polarity).any()


def evidence(stretch: Stretch, sign: int) -> int | None:
    """Find the words that show a sentiment towards others: the clearest ones in the nearest constituent.

    :param stretch: the words that it goes towards.
    :param sign: of the sentiment.
    :returns: a node counted within the tree, or None if no words show that sentiment.
    """
    record, nodes = stretch.record, stretch.record.nodes(stretch.tree)
    if not sign or np.isnan(record.polarity).any():
        return None
    first = int(record.words[stretch.tree])
    start, end = record.start[nodes], record.end[nodes]
    outside = (end <= stretch.first - first) | (start >= stretch.last - first)
    score = sign * (record.probs[nodes] @ record.polarity)
    # Of equally clear words the fewest: a phrase repeats what its strongest word says.
    score = np.where(outside & (score >= CLEAR), score - 0.02 * (end - start), -1)
    surrounding: list[int] = record.around(stretch.tree, stretch.first, stretch.last).tolist()
    for around in surrounding:
        size = 2 * int(end[around] - start[around]) - 1
        inside = slice(around + 1 - size, around + 1)
        best: int = int(score[inside].argmax()) + around + 1 - size
        if score[best] > 0:
            return best
    return None


def together(record: Record, tree: int, first: int, last: int) -> int:
    """The smallest node of a tree over some words, counted within the tree."""
    return int(record.around(tree, first, last)[0])
