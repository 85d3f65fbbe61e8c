"""How well predictions agree with examples, as spaCy scores."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from treesent.pipeline.example_labels import SPANS, cats_label, span_label
from treesent.pipeline.extensions import span_sentiment
from treesent.pipeline.record import read
from treesent.trees.label_sets import members
from treesent.types import Bool, Float32

if TYPE_CHECKING:
    from spacy.training import Example

SCORE_WEIGHTS = {
    "sentiment_root_acc": 1.0,
    "sentiment_root_acc_2": None,
    "sentiment_node_acc": 0.0,
}


def score(examples: "Iterable[Example]", **kwargs: Any) -> dict[str, Any]:
    """How often the labels agree, from 0 to 1.

    ``sentiment_root_acc`` and ``sentiment_root_acc_2`` are over labelled sentences and Docs (the second asks only for
    the side and leaves out neutral ones), ``sentiment_node_acc`` over all labelled constituents that the
    predicted tree has. None if there is nothing to compare. ``spacy evaluate`` shows the first as ``cats_score``
    where no other component fills ``doc.cats``, and with ``--spans-key sentiment`` how many labelled spans are
    constituents with that label.

    :param examples: predicted and reference Docs.
    """
    root: list[bool] = []
    side: list[bool] = []
    node: list[bool] = []
    n_spans, has_cats = 0, False
    for example in examples:
        n_spans += _compare(example, root, side, node)
        has_cats |= bool(example.predicted.cats)
    found: dict[str, Any] = {
        "sentiment_root_acc": float(np.mean(root)) if root else None,
        "sentiment_root_acc_2": float(np.mean(side)) if side else None,
        "sentiment_node_acc": float(np.mean(node)) if node else None,
    }
    if root and not has_cats:
        found |= {"cats_score": found["sentiment_root_acc"], "cats_score_desc": "sentiment, accuracy"}
    if n_spans:
        precision, recall = (float(np.mean(node)) if node else 0.0), sum(node) / n_spans
        total = precision + recall
        harmonic = 2 * precision * recall / total if total else 0.0
        found |= {f"spans_{SPANS}_{k}": v for k, v in zip("prf", (precision, recall, harmonic), strict=True)}
    return found


def _compare(example: "Example", root: list[bool], side: list[bool], node: list[bool]) -> int:
    """Compare one example, and count its labelled spans."""
    records = read(example.predicted)
    if not records:
        return 0
    record, doc = records[0][1], example.reference
    labels = list(record.labels)
    group = doc.spans.get(SPANS, ())
    for span in group:
        first, last = record.words_of(span.start_char, span.end_char)
        trees = record.trees_of(first, last)
        at = record.node(trees[0], first, last) if len(trees) == 1 else -1
        if at < 0:
            continue
        nodes = record.nodes(trees[0])
        probs = record.probs[nodes.start + at]
        named = members(np.array([span_label(span.label_, labels)]), len(labels))[0]
        node.append(bool(named[probs.argmax()]))
        if nodes.start + at == nodes.stop - 1:
            _judge(probs, named, record.polarity, root, side)
    label = None if len(group) else cats_label(doc.cats, labels)
    whole = None if label is None else span_sentiment(example.predicted[:])
    if whole is not None:
        named = members(np.array([label]), len(labels))[0]
        _judge(whole.probs, named, record.polarity, root, side)
        if record.n_trees == 1:
            node.append(root[-1])
    return len(group)


def _judge(probs: Float32, named: Bool, polarity: Float32, root: list[bool], side: list[bool]) -> None:
    """Compare probabilities with the classes that a label names."""
    root.append(bool(named[probs.argmax()]))
    sides = set(np.sign(polarity[named]).tolist())
    if sides in ({1.0}, {-1.0}):
        good, bad = probs[polarity > 0].sum(), probs[polarity < 0].sum()
        side.append(bool((good > bad) == (sides == {1.0})))
