"""Trees and labels that training examples hold, and how well predictions agree with them.

A reference Doc holds a tree as spans: ``doc.spans["sentiment"]`` has one span for each labelled constituent,
whose label is the name of its class. Where the spans of a sentence, with its single words, are those of a
whole
binary tree, that tree is used; else their labels are laid on the constituents of the tree that the pipeline
makes, and the others count for nothing. Without spans, ``doc.cats`` labels the root of a Doc of one sentence.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from treesent.errors import DataError, ModelError
from treesent.models.classifier.folder import FIVE, TWO, check_classes, default_polarity
from treesent.nn.batch import ForestBatch
from treesent.pipeline.predict import Predictor
from treesent.pipeline.record import read
from treesent.pipeline.tree_sources import Batch, source_of, structure_of
from treesent.text.docs import Sentences
from treesent.trees.forest import Forest
from treesent.trees.structure import Structure
from treesent.trees.tree import Tree
from treesent.types import Bool, Float32, Int64

if TYPE_CHECKING:
    from spacy.tokens import Doc
    from spacy.training import Example
    from spacy.vocab import Vocab

SPANS = "sentiment"
SCORE_WEIGHTS = {
    "sentiment_root_acc": 1.0,
    "sentiment_root_acc_2": None,
    "sentiment_node_acc": 0.0,
}


def tree_to_doc(tree: Tree, vocab: "Vocab", labels: Sequence[str] = FIVE) -> "Doc":
    """A reference Doc from a labelled tree, for spaCy's own corpora.

    :param tree: its unlabelled nodes get no span.
    :param labels: the names of the classes.
    """
    from spacy.tokens import Doc, Span

    starts: list[bool | int | None] = [True, *[False] * (tree.n_words - 1)]
    doc = Doc(vocab, words=list(tree.words), sent_starts=starts)
    labelled = np.flatnonzero(tree.label >= 0)
    doc.spans[SPANS] = [
        Span(doc, int(tree.start[node]), int(tree.end[node]), labels[tree.label[node]]) for node in labelled
    ]
    return doc


def classes(
    get_examples: "Callable[[], Iterable[Example]]", labels: Sequence[str] | None = None
) -> tuple[str, ...]:
    """The classes of a new network, the most negative first.

    :param get_examples: whose labels to take where none are given.
    :param labels: the classes, where the user names them.
    :raises ModelError: where neither tells them and their order.
    """
    if labels is not None:
        names = tuple(labels)
        check_classes(names, default_polarity(len(names)))
        return names
    found: set[str] = set()
    for example in get_examples():
        group = example.reference.spans.get(SPANS, ())
        found.update(span.label_ for span in group)
        found.update(example.reference.cats)
    for known in (TWO, FIVE[1:4], FIVE):
        if found and found <= set(known):
            return known
    if found and all(name.isdecimal() for name in found):
        return tuple(map(str, range(max(map(int, found)) + 1)))
    raise ModelError(
        f"the examples have the labels {sorted(found)}, and nothing says which is the most negative: list "
        "them in that order as labels in [initialize.components.treesent]"
    )


@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    """Labelled spans of many Docs, in words counted over all of them.

    :param start: *Shape:* ``(n_spans,)``.
    :param end: *Shape:* ``(n_spans,)``.
    :param label: the class. *Shape:* ``(n_spans,)``.
    """

    start: Int64
    end: Int64
    label: Int64


def batch(predictor: Predictor, examples: "Sequence[Example]") -> ForestBatch:
    """Examples as the network takes them: the trees and labels of the references over the predicted tokens.

    :param predictor: the component's.
    :param examples: at least one of them with tokens.
    :raises DataError: where a label is none of the component's classes.
    """
    docs = [example.predicted for example in examples]
    read_batch = predictor.read(docs)
    spans, starts = _spans(examples, read_batch, predictor.model.labels)
    sentences = Sentences.of(read_batch.tokens, starts)
    whole = Batch(docs, read_batch.tokens, starts, sentences, read_batch.lookup)
    structure = _structure(predictor, whole, spans)
    label = _labels(structure, sentences, spans)
    _label_roots(examples, structure, sentences, label, predictor.model.labels)
    return predictor.to_device(Forest.build(structure, whole.lookup.rows, label), whole.lookup)


def _spans(examples: "Sequence[Example]", read_batch: Batch, labels: tuple[str, ...]) -> tuple[Spans, Bool]:
    """The labelled spans, and where sentences start once the outermost spans are sentences."""
    number = {name: place for place, name in enumerate(labels)}
    tokens, starts = read_batch.tokens, read_batch.starts.copy()
    word = np.concatenate([[0], np.cumsum(~tokens.blank)])
    found: list[tuple[int, int, int]] = []
    for example, offset in zip(examples, tokens.offsets.tolist(), strict=False):
        group = example.reference.spans.get(SPANS, ())
        if not len(group):
            continue
        if [token.orth for token in example.reference] != [token.orth for token in example.predicted]:
            group = example.get_aligned_spans_y2x(group, allow_overlap=True)
        try:
            here = [(offset + s.start, offset + s.end, number[s.label_]) for s in group if len(s)]
        except KeyError as error:
            raise DataError(f"the label {error} of an example is none of {list(labels)}") from error
        found += here
        for begin, end in _outermost(here):
            starts[begin:end] = False
            starts[begin] = True
            if end < offset + len(example.predicted):
                starts[end] = True
    array = np.array(found, np.int64).reshape(-1, 3)
    return Spans(word[array[:, 0]], word[array[:, 1]], array[:, 2]), starts


def _outermost(spans: list[tuple[int, int, int]]) -> list[tuple[int, int]]:
    kept: list[tuple[int, int]] = []
    for begin, end, _ in sorted(spans, key=lambda span: (span[0], -span[1])):
        if not kept or begin >= kept[-1][1]:
            kept.append((begin, end))
    return kept


def _structure(predictor: Predictor, whole: Batch, spans: Spans) -> Structure:
    """The examples' own trees where they are whole, else those that the pipeline makes."""
    lengths = whole.sentences.lengths
    n_words = int(lengths.sum())
    first = np.cumsum(lengths) - lengths
    sentence = np.repeat(np.arange(len(lengths)), lengths)
    # Every word is a constituent, whether it has a label or not. In this order a tree is in post-order.
    start = np.concatenate([spans.start, np.arange(n_words)])
    end = np.concatenate([spans.end, np.arange(1, n_words + 1)])
    kept = start < end
    key = np.unique(end[kept] * (n_words + 1) + n_words - start[kept])
    start, end = n_words - key % (n_words + 1), key // (n_words + 1)
    inner = np.flatnonzero(end - start > 1)
    split = start[inner - 1]
    left = np.isin(split * (n_words + 1) + n_words - start[inner], key)
    good = left & (end[inner - 1] == end[inner]) & (sentence[start[inner]] == sentence[end[inner] - 1])
    tree = sentence[start[inner]]
    count = np.bincount(tree[good], minlength=len(lengths))
    whole_trees = (count == lengths - 1) & (np.bincount(tree[~good], minlength=len(lengths)) == 0)
    roots = np.isin((first + lengths) * (n_words + 1) + n_words - first, key)
    whole_trees &= roots
    triples = np.stack([start[inner], end[inner], split])[:, whole_trees[tree]]
    if not whole_trees.all():
        other = _pipeline_trees(predictor, whole)
        local = np.flatnonzero(other.left >= 0)
        shift = np.repeat(first, 2 * lengths - 1)
        begins, ends = other.start + shift, other.end + shift
        more = np.stack([begins[local], ends[local], begins[local - 1]])
        triples = np.concatenate([triples, more[:, ~whole_trees[sentence[begins[local]]]]], axis=1)
    triples = triples[:, np.argsort(triples[2])]
    return Structure.from_splits(triples[0], triples[1], lengths)


def _pipeline_trees(predictor: Predictor, whole: Batch) -> Structure:
    sources = {source_of(doc, predictor.trees, predictor.model.parsed) for doc in whole.docs if len(doc)}
    if len(sources) != 1:
        raise DataError(
            f"one batch of examples takes its trees from {sorted(sources)}: set trees to one of them"
        )
    return structure_of(whole, sources.pop(), predictor.model)


def _labels(structure: Structure, sentences: Sentences, spans: Spans) -> Int64:
    lengths = sentences.lengths
    n_words = int(lengths.sum())
    shift = np.repeat(np.cumsum(lengths) - lengths, 2 * lengths - 1)
    key = (structure.start + shift) * (n_words + 1) + structure.end + shift
    label = np.full(structure.n_nodes, -1, np.int64)
    given = spans.start * (n_words + 1) + spans.end
    order = np.argsort(given)
    place = np.searchsorted(given[order], key)
    place[place == len(given)] = 0
    if len(given):
        same = given[order][place] == key
        label[same] = spans.label[order][place[same]]
    return label


def _label_roots(
    examples: "Sequence[Example]",
    structure: Structure,
    sentences: Sentences,
    label: Int64,
    labels: tuple[str, ...],
) -> None:
    single = np.flatnonzero(np.diff(sentences.offsets) == 1)
    for place in single.tolist():
        cats = examples[place].reference.cats
        best = max(cats, key=cats.__getitem__) if cats else None
        root = structure.offsets[sentences.offsets[place] + 1] - 1
        if best in labels and label[root] < 0:
            label[root] = labels.index(best)


def cross_entropy(logits: Float32, label: npt.NDArray[Any]) -> tuple[float, Float32]:
    """Mean cross-entropy over the labelled nodes, and its gradient.

    :param logits: *Shape:* ``(n_nodes, n_classes)``.
    :param label: -1 if there is none. *Shape:* ``(n_nodes,)``.
    """
    labelled = np.flatnonzero(label >= 0)
    gradient = np.zeros_like(logits)
    if not len(labelled):
        return 0.0, gradient
    rows = logits[labelled] - logits[labelled].max(axis=1, keepdims=True)
    logs = rows - np.log(np.exp(rows).sum(axis=1, keepdims=True))
    gold = label[labelled]
    here = np.arange(len(gold))
    gradient[labelled] = np.exp(logs) / len(gold)
    gradient[labelled, gold] -= 1 / len(gold)
    return float(-logs[here, gold].mean()), gradient


def score(examples: "Iterable[Example]", **kwargs: Any) -> dict[str, float | None]:
    """How often the labels agree, from 0 to 1, as spaCy scores.

    ``sentiment_root_acc`` and ``sentiment_root_acc_2`` are over labelled sentences (the second asks only for
    the side and leaves out neutral ones), ``sentiment_node_acc`` over all labelled constituents that the
    predicted tree has. None if there is nothing to compare.

    :param examples: predicted and reference Docs.
    """
    root: list[bool] = []
    side: list[bool] = []
    node: list[bool] = []
    for example in examples:
        _compare(example, root, side, node)
    return {
        "sentiment_root_acc": float(np.mean(root)) if root else None,
        "sentiment_root_acc_2": float(np.mean(side)) if side else None,
        "sentiment_node_acc": float(np.mean(node)) if node else None,
    }


def _compare(example: "Example", root: list[bool], side: list[bool], node: list[bool]) -> None:
    found = read(example.predicted)
    if not found:
        return
    record = found[0][1]
    labels, polarity = list(record.labels), record.polarity
    for begin, end, gold in _reference(example, labels):
        first, last = record.words_of(begin, end)
        trees = record.trees_of(first, last)
        if len(trees) != 1:
            continue
        at = record.node(trees[0], first, last)
        if at < 0:
            continue
        nodes = record.nodes(trees[0])
        probs = record.probs[nodes.start + at]
        node.append(int(probs.argmax()) == gold)
        if nodes.start + at == nodes.stop - 1:
            root.append(node[-1])
            if len(polarity) and polarity[gold] != 0:
                good, bad = probs[polarity > 0].sum(), probs[polarity < 0].sum()
                side.append(bool((good > bad) == (polarity[gold] > 0)))


def _reference(example: "Example", labels: list[str]) -> list[tuple[int, int, int]]:
    """Characters and class of everything that the reference labels."""
    doc = example.reference
    group = doc.spans.get(SPANS, ())
    if len(group):
        return [(s.start_char, s.end_char, labels.index(s.label_)) for s in group if s.label_ in labels]
    best = max(doc.cats, key=doc.cats.__getitem__) if doc.cats else None
    return [(0, len(doc.text), labels.index(best))] if best in labels else []
