"""Measure a pipeline on bracketed trees or on a table of texts and labels."""

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from treesent.data.batches import Corpus
from treesent.data.dialect import Dialect
from treesent.data.labelled import read_labelled
from treesent.data.sst import read_treebank
from treesent.data.texts import is_labelled
from treesent.errors import DataError
from treesent.metrics.accuracy import Scores, score
from treesent.metrics.calibration import Reliability, reliability
from treesent.models.classifier.evaluation import predict_corpus, score_corpus
from treesent.models.classifier.folder import default_labels, default_polarity
from treesent.pipeline.lookup import component_of, components_of
from treesent.pipeline.tree_sources import Trees, check_trees
from treesent.trees.label_sets import members
from treesent.trees.notation import unescape
from treesent.types import Float32, Int64

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """How well a pipeline does; metrics are in percent.

    :param root: of whole trees, or whole texts.
    :param nodes: of all labelled nodes; None if only roots have labels.
    :param labels: names of the classes.
    :param n_empty: rows of a table left out because they had no text; None for trees.
    :param reliability: of the labels of whole trees or texts: the probability of the most probable class beside how
        often it is right.
    """

    root: Scores
    nodes: Scores | None
    labels: tuple[str, ...]
    n_empty: int | None = None
    reliability: Reliability | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give plain values for JSON."""
        report: dict[str, Any] = {"root": self.root.to_dict()}
        if self.nodes is not None:
            report["nodes"] = self.nodes.to_dict()
        if self.reliability is not None:
            report["calibration_error"] = self.reliability.error
        return report if self.n_empty is None else report | {"n_empty": self.n_empty}


def evaluate_file(
    nlp: "Language",
    path: str | Path,
    *,
    text_column: str = "text",
    label_column: str = "label",
    trees: str = "gold",
    dialect: Dialect | None = None,
    batch_size: int = 256,
) -> Evaluation:
    """Measure a pipeline on a file.

    A file whose suffix is that of a table (csv, tsv, jsonl, parquet) is one, and so is a dataset (a folder
    that ``datasets`` saved, or ``hf:NAME[:CONFIG][:SPLIT]``); any other holds bracketed trees.

    :param nlp: a pipeline with the component ``treesent``.
    :param path: the file.
    :param text_column: of a table.
    :param label_column: of a table; integers from 0, or names of classes.
    :param trees: of bracketed trees: ``gold`` for their own structure, or a source of the component, whose
        roots alone are then scored, over the same words.
    :param dialect: how the table is written.
    :param batch_size: trees or texts scored together.
    :raises TreesentError: the file, a label in it or the pipeline cannot be used.
    """
    if is_labelled(str(path)):
        return evaluate_table(nlp, path, text_column, label_column, dialect, batch_size)
    model = component_of(nlp).trained
    corpus = read_treebank([path], len(model.labels))
    if trees != "gold":
        return _evaluate_words(nlp, corpus, trees, batch_size)
    probs, encoded = predict_corpus(model.network, model.table, corpus, batch_size, model.pieces)
    scores = score_corpus(probs, encoded, model.polarity)
    sure = _reliability(probs[corpus.roots], corpus.label[corpus.roots])
    return Evaluation(scores.root, scores.nodes, model.labels, reliability=sure)


def evaluate_table(
    nlp: "Language",
    path: str | Path,
    text_column: str = "text",
    label_column: str = "label",
    dialect: Dialect | None = None,
    batch_size: int = 256,
) -> Evaluation:
    """Measure a pipeline on texts as people write them, from the tokeniser on.

    :param nlp: a pipeline with the component ``treesent``.
    :param path: csv, tsv, jsonl or parquet.
    :param text_column: the column of the texts; rows without text are left out, with a warning.
    :param label_column: the column of the labels.
    :param dialect: how the table is written.
    :param batch_size: texts scored together.
    :raises DataError: a row cannot be read, a label is none of the classes, or no row has text.
    """
    model = component_of(nlp).trained
    table = read_labelled(path, text_column, label_column, model.labels, dialect=dialect)
    if not table.texts:
        raise DataError(f"{path}: no row has text in the column {text_column!r}")
    probs, kept = _document_probs(nlp.pipe(table.texts, batch_size=batch_size), len(model.labels))
    n_empty = table.n_empty + int((~kept).sum())
    if n_empty:
        warnings.warn(f"{path}: {n_empty} rows without text left out", stacklevel=2)
    labels = np.array(table.labels)[kept]
    if (labels >= len(model.labels)).any():
        names, probs, labels = by_side(probs[kept], labels, np.array(model.polarity, np.float32))
        root = score(probs, labels, default_polarity(len(names)))
        return Evaluation(root, None, names, n_empty, _reliability(probs, labels))
    root = score(probs[kept], labels, model.polarity)
    return Evaluation(root, None, model.labels, n_empty, _reliability(probs[kept], labels))


def _reliability(probs: Float32, labels: Int64) -> Reliability:
    """Compare the probability of the most probable class with how often it is the label."""
    kept = labels >= 0
    return reliability(probs[kept].max(axis=1).astype(np.float64), probs[kept].argmax(axis=1) == labels[kept])


def by_side(probs: Float32, labels: Int64, polarity: Float32) -> tuple[tuple[str, ...], Float32, Int64]:
    """Bring probabilities and labels to the classes of a source that states signs alone.

    :param probs: *Shape:* ``(n, n_classes)``.
    :param labels: classes, and sets of classes of one side. *Shape:* ``(n,)``.
    :param polarity: the value of each class. *Shape:* ``(n_classes,)``.
    :returns: the names of two or three classes, their probabilities and the label of each text.
    """
    sides = np.sign(polarity)
    label = np.array([sides[row].mean() for row in members(labels, len(polarity))])
    kinds = (-1, 0, 1) if (label == 0).any() else (-1, 1)
    summed = np.stack([probs[:, sides == side].sum(1) for side in kinds], axis=1)
    return default_labels(len(kinds)), summed, np.searchsorted(kinds, label)


def _evaluate_words(nlp: "Language", corpus: Corpus, trees: str, batch_size: int) -> Evaluation:
    """Score the words of trees, a sentence each, with trees from another source."""
    component = component_of(nlp)
    scored = _scored(nlp, _docs(nlp, corpus), check_trees(trees), batch_size)
    probs, kept = _document_probs(scored, len(component.labels))
    labels = corpus.label[corpus.roots][kept]
    root = score(probs[kept], labels, component.trained.polarity)
    return Evaluation(root, None, component.labels, reliability=_reliability(probs[kept], labels))


def _scored(nlp: "Language", docs: "Iterable[Doc]", trees: Trees, batch_size: int) -> "Iterator[Doc]":
    """Run the components up to ``treesent``, which takes its trees from the source given."""
    name, component = next(iter(components_of(nlp).items()))
    with nlp.select_pipes(disable=nlp.pipe_names[nlp.pipe_names.index(name) :]):
        parsed = iter(nlp.pipe(docs, batch_size=batch_size))
        while batch := list(islice(parsed, batch_size)):
            component.set_annotations(batch, component.predictor.predict(batch, trees))
            yield from batch


def _docs(nlp: "Language", corpus: Corpus) -> "Iterable[Doc]":
    from spacy.tokens import Doc

    start = 0
    for length in corpus.structure.lengths.tolist():
        words = [unescape(word) for word in corpus.words[start : start + length]]
        starts: list[bool | int | None] = [True, *[False] * (length - 1)]
        yield Doc(nlp.vocab, words=words, sent_starts=starts)
        start += length


def _document_probs(docs: "Iterable[Doc]", n_classes: int) -> tuple[Any, Any]:
    """Probabilities of documents, and which of them have any."""
    found = [doc._.sentiment for doc in docs]
    kept = np.array([sentiment is not None for sentiment in found])
    nothing = np.zeros(n_classes, np.float32)
    return np.stack([nothing if s is None else s.probs for s in found]), kept
