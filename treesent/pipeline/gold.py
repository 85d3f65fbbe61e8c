"""Trees and labels that training examples hold.

A reference Doc holds a tree as spans: ``doc.spans["sentiment"]`` has one span for each labelled constituent,
whose label is the name of its class. Where the spans of a sentence, with its single words, are those of a whole
binary tree, that tree is used; else their labels are laid on the constituents of the tree that the pipeline
makes, and the others count for nothing. ``doc.cats`` labels the Doc as a whole, whatever its number of sentences;
see :mod:`treesent.pipeline.example_labels` for the names that are understood.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from treesent.data.label_names import tidy
from treesent.errors import DataError, ModelError
from treesent.metrics.aggregation import check_aggregate, sentence_weights
from treesent.models.classifier.folder import FIVE, TWO, check_classes, default_polarity
from treesent.models.classifier.node_states import label_losses
from treesent.models.classifier.texts import TextBatch, Texts, document_log_probs_of
from treesent.pipeline.example_labels import SPANS, cats_label, check_usable, span_label
from treesent.pipeline.predict import Predictor
from treesent.pipeline.tree_sources import Batch, source_of, structure_of
from treesent.text.docs import Sentences
from treesent.trees.structure import Structure
from treesent.trees.tree import Tree
from treesent.types import Bool, Float32, Int64

if TYPE_CHECKING:
    from spacy.tokens import Doc
    from spacy.training import Example
    from spacy.vocab import Vocab


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
    tidied = {tidy(name) for name in found}
    for known in (TWO, FIVE[1:4], FIVE):
        if found and tidied <= set(known):
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


def batch(predictor: Predictor, examples: "Sequence[Example]") -> TextBatch:
    """Examples as the network takes them: the trees and labels of the references over the predicted tokens.

    :param predictor: the component's.
    :param examples: at least one of them with tokens.
    :raises DataError: labels that are none of the component's classes; found and expected ones are listed.
    """
    labels = predictor.model.labels
    check_usable(examples, labels)
    docs = [example.predicted for example in examples]
    read_batch = predictor.read(docs)
    spans, starts = _spans(examples, read_batch, labels)
    sentences = Sentences.of(read_batch.tokens, starts)
    whole = Batch(docs, read_batch.tokens, starts, sentences, read_batch.lookup, read_batch.pieces)
    structure = _structure(predictor, whole, spans)
    label = _labels(structure, sentences, spans)
    target = _label_roots(examples, structure, sentences, label, labels)
    forest = predictor.to_device(structure, whole, label)
    return TextBatch(forest, _texts(sentences, target, predictor.aggregate, forest.device))


def _texts(sentences: Sentences, target: Int64, aggregate: str, device: torch.device) -> Texts | None:
    """The Docs of several sentences that have a label; None where there are none."""
    if not (target >= 0).any():
        return None
    n_trees = np.diff(sentences.offsets)
    filled = n_trees > 0
    offsets = np.concatenate([[0], np.cumsum(n_trees[filled])])
    weights = sentence_weights(offsets, sentences.lengths, check_aggregate(aggregate), sentences.silent)
    of_tree = np.repeat(np.arange(int(filled.sum())), n_trees[filled])
    document, weight, texts = (
        torch.from_numpy(array).to(device) for array in (of_tree, weights, target[filled])
    )
    return Texts(document, weight, texts)


def _spans(examples: "Sequence[Example]", read_batch: Batch, labels: tuple[str, ...]) -> tuple[Spans, Bool]:
    """The labelled spans, and where sentences start once the outermost spans are sentences."""
    tokens, starts = read_batch.tokens, read_batch.starts.copy()
    word = np.concatenate([[0], np.cumsum(~tokens.blank)])
    found: list[tuple[int, int, int]] = []
    for example, offset in zip(examples, tokens.offsets.tolist(), strict=False):
        group = example.reference.spans.get(SPANS, ())
        if not len(group):
            continue
        if [token.orth for token in example.reference] != [token.orth for token in example.predicted]:
            group = example.get_aligned_spans_y2x(group, allow_overlap=True)
        here = [(offset + s.start, offset + s.end, span_label(s.label_, labels)) for s in group if len(s)]
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
) -> Int64:
    """Label the roots of Docs of one sentence, and give the label of each Doc of several, -1 for none."""
    target = np.full(len(examples), -1, np.int64)
    for place, example in enumerate(examples):
        found = cats_label(example.reference.cats, labels)
        first, last = sentences.offsets[place : place + 2].tolist()
        if found is None or first == last:
            continue
        if last - first > 1:
            target[place] = found
            continue
        root = structure.offsets[last] - 1
        if label[root] < 0:
            label[root] = found
    return target


def cross_entropy(logits: Float32, batch: TextBatch, aggregate: str) -> tuple[float, Float32]:
    """Mean negative log-probability of the labels of nodes and Docs, and its gradient.

    :param logits: in forest order. *Shape:* ``(n_nodes, n_classes)``.
    :param batch: made by :func:`batch`.
    :param aggregate: how sentences make the probabilities of a Doc.
    :returns: the loss, and the gradient of the logits. *Shape:* ``(n_nodes, n_classes)``.
    """
    scores = torch.from_numpy(np.array(logits)).requires_grad_()
    log_probs = scores.log_softmax(1)
    label = batch.forest.label.cpu()
    losses, count = label_losses(log_probs, label, True).sum(), (label >= 0).sum()
    if batch.texts is not None:
        texts = Texts(*(getattr(batch.texts, name).cpu() for name in ("document", "weight", "target")))
        together = document_log_probs_of(
            log_probs[batch.forest.roots.cpu()], texts, check_aggregate(aggregate)
        )
        losses = losses + label_losses(together, texts.target, True).sum()
        count = count + (texts.target >= 0).sum()
    if not int(count):
        return 0.0, np.zeros_like(logits)
    loss = losses / count
    loss.backward()  # type: ignore[no-untyped-call]
    assert scores.grad is not None
    return float(loss.detach()), scores.grad.numpy()
