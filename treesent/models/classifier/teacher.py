"""A teacher: a trained classifier whose probabilities of every node another one learns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from treesent.data.batches import Corpus, EncodedCorpus
from treesent.errors import RecipeError
from treesent.files import pipeline_path
from treesent.models.classifier.evaluation import predict_corpus
from treesent.models.classifier.folder import SentimentModel, load_model
from treesent.models.classifier.sections import TeacherSource
from treesent.trees.arrays import ranges
from treesent.types import Bool, Float16, Float32


def read_teacher(source: TeacherSource, labels: Sequence[str]) -> SentimentModel:
    """Open a teacher.

    :param source: the section ``[teacher]``.
    :param labels: the classes that are to be learned.
    :raises RecipeError: the teacher has other classes.
    """
    model = load_model(pipeline_path(Path(source.path)) / "treesent")
    if tuple(model.labels) != tuple(labels):
        raise RecipeError(
            f"teacher.path: {source.path} has the classes {', '.join(model.labels)}, and the recipe "
            f"{', '.join(labels)}; give a teacher with the same classes"
        )
    return model


def with_teacher(
    corpus: EncodedCorpus,
    words: Sequence[str],
    source: TeacherSource,
    labels: Sequence[str],
    device: torch.device,
) -> EncodedCorpus:
    """Give trees a teacher's probabilities; those that it does not score have zeros.

    :param corpus: the trees, their words numbered.
    :param words: the words by number.
    :param source: the section ``[teacher]``.
    :param labels: the classes that are to be learned.
    :param device: where to compute.
    :raises RecipeError: the teacher has other classes.
    """
    assert corpus.words is not None
    model, n_trees = read_teacher(source, labels), len(corpus)
    chosen = np.arange(n_trees)
    if source.max_trees:
        drawn = np.random.default_rng(0).permutation(n_trees)
        drawn = drawn[np.argsort(_labelled(corpus)[drawn], kind="stable")]
        chosen = np.sort(drawn[: source.max_trees])
    part = corpus.take(chosen)
    assert part.words is not None
    spelt = [words[number] for number in part.words.tolist()]
    soft = np.zeros((corpus.structure.n_nodes, len(labels)), np.float16)
    offsets = corpus.structure.offsets
    soft[ranges(offsets[chosen], np.diff(offsets)[chosen])] = teach(
        model, spelt, part, device, source.temperature
    )
    return replace(corpus, soft=soft)


def _labelled(corpus: EncodedCorpus) -> Bool:
    """Tell which trees have a label, on a node or on their text. *Shape:* ``(n_trees,)``."""
    found: Bool = np.logical_or.reduceat(corpus.label >= 0, corpus.structure.offsets[:-1])
    if corpus.documents is not None:
        found |= corpus.documents.target[corpus.documents.of_tree] >= 0
    return found


def teach(
    model: SentimentModel,
    words: Sequence[str],
    corpus: EncodedCorpus,
    device: torch.device,
    temperature: float = 1.0,
    batch_size: int = 256,
) -> Float16:
    """Give the teacher's probabilities of every node.

    :param model: the teacher.
    :param words: of the trees, in order.
    :param corpus: the trees.
    :param device: where to compute.
    :param temperature: see :class:`~treesent.models.classifier.sections.TeacherSource`.
    :param batch_size: trees a batch.
    :returns: in post-order. *Shape:* ``(n_nodes, n_classes)``
    """
    trees = Corpus(words, corpus.structure, corpus.label)
    probs, _ = predict_corpus(model.network.to(device), model.table, trees, batch_size, model.pieces)
    return soften(probs, temperature)


def soften(probs: Float32, temperature: float) -> Float16:
    """Even probabilities out: those of the same logits divided by a temperature.

    :param probs: *Shape:* ``(n_nodes, n_classes)``
    :param temperature: above 0.
    """
    if temperature != 1:
        probs = np.maximum(probs, np.finfo(np.float32).tiny) ** np.float32(1 / temperature)
        probs = probs / probs.sum(axis=1, keepdims=True)
    return probs.astype(np.float16)
