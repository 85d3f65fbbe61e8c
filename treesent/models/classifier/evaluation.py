"""Run a network over trees and score its predictions."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from treesent.data.batches import Corpus, EncodedCorpus, in_order
from treesent.metrics.accuracy import TreeScores, score, score_trees
from treesent.metrics.aggregation import Aggregate, document_probs
from treesent.nn.batch import ForestBatch
from treesent.text.pieces import PieceReader
from treesent.text.rows import lookup
from treesent.types import Float32
from treesent.vectors.table import VectorTable


def predict(model: nn.Module, batches: Iterable[ForestBatch]) -> Float32:
    """Give the probabilities of all nodes, batch after batch, each tree in post-order.

    :param model: any of the networks; its mode is put back afterwards.
    :param batches: on the model's device.
    :returns: *Shape:* ``(n_nodes, n_classes)``.
    """
    mode = model.training
    model.eval()
    try:
        with torch.inference_mode():
            probs = [model(b).logits.index_select(0, b.order).float().softmax(1) for b in batches]
        return np.concatenate([p.cpu().numpy() for p in probs])
    finally:
        model.train(mode)


def encode(table: VectorTable, corpus: Corpus) -> tuple[EncodedCorpus, Float32]:
    """Look the words of a corpus up.

    :param table: the vectors.
    :param corpus: the trees.
    :returns: the corpus with rows for words, and the vectors of unknown words, to which rows from the
        table's end on point. *Shape:* ``(n_extra, width)``.
    """
    found = lookup(table, corpus.words)
    return EncodedCorpus(corpus.structure, found.rows, corpus.label, corpus.documents), found.extra


def evaluate_trees(
    model: nn.Module,
    table: VectorTable,
    corpus: Corpus,
    polarity: Sequence[float] | None,
    batch_size: int = 256,
    aggregate: Aggregate = "mean",
    pieces: PieceReader | None = None,
) -> TreeScores:
    """Score a network on trees: their own words and structure, no tokeniser and no parser.

    :param model: with its embedding set to the table's vectors.
    :param table: the vectors.
    :param corpus: the trees with their labels.
    :param polarity: a number for each class, or None if classes have none.
    :param batch_size: trees a batch.
    :param aggregate: how sentences make the class of a text.
    :param pieces: what cuts words for a transformer.
    """
    probs, encoded = predict_corpus(model, table, corpus, batch_size, pieces)
    return score_corpus(probs, encoded, polarity, aggregate)


def predict_corpus(
    model: nn.Module,
    table: VectorTable,
    corpus: Corpus,
    batch_size: int = 256,
    pieces: PieceReader | None = None,
) -> tuple[Float32, EncodedCorpus]:
    """Give the probabilities of all nodes of trees, on their own words and structure.

    :param model: with its embedding set to the table's vectors.
    :param table: the vectors.
    :param corpus: the trees.
    :param batch_size: trees a batch.
    :param pieces: what cuts words for a transformer.
    :returns: in post-order, *Shape:* ``(n_nodes, n_classes)``; and the corpus with rows for words.
    """
    device = next(model.parameters()).device
    encoded, extra = encode(table, corpus)
    batches = forest_batches(model, encoded, extra, pieces, corpus.words, batch_size, device)
    return predict(model, batches), encoded


def forest_batches(
    model: Any,
    encoded: EncodedCorpus,
    extra: Float32,
    reader: PieceReader | None,
    words: Sequence[str],
    batch_size: int,
    device: torch.device,
) -> Iterator[ForestBatch]:
    """Lay a corpus out, with the pieces of its words for a transformer.

    :param model: the network.
    :param encoded: the trees.
    :param extra: vectors of words outside the table.
    :param reader: what cuts words for the network's transformer; None without one.
    :param words: of all trees, in order.
    :param batch_size: trees a batch.
    :param device: where the network is.
    """
    if reader is None:
        yield from (ForestBatch.from_forest(f, device, extra=extra) for f in in_order(encoded, batch_size))
        return
    begin, longest = 0, model.transformer.longest
    for forest in in_order(encoded, batch_size):
        pieces = reader(words[begin : begin + forest.n_words])
        begin += forest.n_words
        yield ForestBatch.from_forest(forest, device, False, extra, pieces, longest)


def score_corpus(
    probs: Float32, corpus: EncodedCorpus, polarity: Sequence[float] | None, aggregate: Aggregate = "mean"
) -> TreeScores:
    """Score texts and all labelled nodes.

    :param probs: of all nodes, each tree in post-order. *Shape:* ``(n_nodes, n_classes)``.
    :param corpus: the texts and their labels.
    :param polarity: a number for each class, or None if classes have none.
    :param aggregate: how sentences make the class of a text.
    :returns: the scores of whole texts under ``root``.
    """
    roots = corpus.structure.offsets[1:] - 1
    documents = corpus.documents
    if documents is None:
        return score_trees(probs, corpus.label, roots, polarity)
    values = None if polarity is None else np.array(polarity, np.float32)
    texts = document_probs(probs[roots], documents.offsets, corpus.structure.lengths, aggregate, values)
    several = np.diff(documents.offsets) > 1
    label = np.where(several, documents.target, corpus.label[roots[documents.offsets[1:] - 1]])
    nodes = score(
        np.concatenate([probs, texts[several]]), np.concatenate([corpus.label, label[several]]), polarity
    )
    return TreeScores(score(texts, label, polarity), nodes)
