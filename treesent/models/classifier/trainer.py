"""Train a classifier of phrases: from a recipe to a pipeline folder that ``spacy.load`` opens."""

import zlib
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from treesent import __version__
from treesent.data.batches import EncodedCorpus
from treesent.data.vector_sources import load_vectors
from treesent.data.vectors import WorkingVectors, working_vectors
from treesent.errors import RecipeError, TreesentError
from treesent.metrics.accuracy import TreeScores, score_trees
from treesent.metrics.documents import class_weights
from treesent.models.classifier.architectures import build_network
from treesent.models.classifier.compact import fold_projection, round_table, round_weights
from treesent.models.classifier.corpora import read_corpora, warn_of_chains, with_parser
from treesent.models.classifier.evaluation import evaluate_trees
from treesent.models.classifier.folder import SentimentModel, check_classes
from treesent.models.classifier.pretrained import init_encoder
from treesent.models.classifier.reparse import reparsed
from treesent.models.classifier.task import Data
from treesent.models.parser.trainer import read_parser
from treesent.nn.embedding import VectorEmbedding
from treesent.pipeline.component import write_pipeline
from treesent.training.recipe import LabelsConfig, Recipe
from treesent.training.run import Run, Trained
from treesent.vectors.table import VectorTable


def train(run: Run) -> Trained:
    """Train a classifier of phrases and write it as a spaCy pipeline.

    :param run: its recipe, and how to train.
    :raises TreesentError: the recipe, its data or its vectors cannot be used.
    """
    settings, team = run.recipe, run.team
    if settings.labels is not None:
        _check_classes(settings, settings.labels)
    corpora = read_corpora(settings)
    labels = corpora.labels
    _check_classes(settings, labels)
    n_classes = len(labels.names)
    table = load_vectors(settings.vectors)
    working, (train_rows, dev_rows) = working_vectors(table, [corpora.train.corpus, corpora.dev.corpus])
    parser = None if settings.parser is None else read_parser(settings.parser, table.width)
    if parser is None:
        warn_of_chains(corpora.train)
    else:
        train_rows = with_parser(train_rows, corpora.train, working.matrix, parser)
        dev_rows = with_parser(dev_rows, corpora.dev, working.matrix, parser)
        if settings.corpora.reparse and corpora.train.n_gold:
            gold = train_rows.take(np.arange(corpora.train.n_gold))
            train_rows += reparsed(gold, working.matrix, parser)
    network: Any = build_network(
        settings.model,
        table.width,
        n_classes,
        VectorEmbedding(working.matrix, tune=settings.training.tune_vectors),
        run.generator(),
    )
    if settings.encoder is not None:
        init_encoder(network, settings.encoder, table)
    network = network.to(run.device)
    weights = class_weights(settings.training.class_weights, train_rows, n_classes)
    task = Data(
        train_rows,
        dev_rows,
        labels.polarity,
        settings.training.aggregate,
        None if weights is None else torch.from_numpy(weights).to(run.device),
        settings.training.word_dropout,
        len(working.matrix),
        table.width,
        settings.training.seed,
    )
    progress = run.fit(network, task, _signature(settings, labels, working, train_rows))
    if not team.first:  # the first one's figures are those of all
        return Trained(run.output, progress, team.share(_nothing(labels)))
    network = network.to("cpu")
    if settings.training.tune_vectors:
        table = working.tuned(network.embedding.table.detach().numpy())
    table = round_table(fold_projection(network, table), settings.training.save_precision)
    if table.matrix.dtype != np.float32:
        round_weights(network)
    network.embedding = VectorEmbedding(table.matrix, table.scale)
    dev_trees = replace(corpora.dev.corpus, structure=dev_rows.structure)
    aggregate = settings.training.aggregate
    dev = evaluate_trees(network, table, dev_trees, labels.polarity, aggregate=aggregate)
    model = _model(settings, labels, network, table)
    model.parser = parser
    run.write(lambda folder: write_pipeline(folder, model, aggregate=aggregate, meta=_meta(run.output, dev)))
    return Trained(run.output, progress, team.share(dev))


def _model(recipe: Recipe, labels: LabelsConfig, network: Any, table: VectorTable) -> SentimentModel:
    block = {**recipe.model, "projection": 0} if "projection" in recipe.model else dict(recipe.model)
    return SentimentModel(network.eval(), block, table, labels.names, labels.polarity)


def _check_classes(recipe: Recipe, labels: LabelsConfig) -> None:
    """Refuse classes, weights and a dev figure that make no sense, before an epoch is spent on them."""
    check_classes(labels.names, labels.polarity)
    weights, n_classes = recipe.training.class_weights, len(labels.names)
    if isinstance(weights, tuple) and len(weights) != n_classes:
        raise RecipeError(
            f"training.class_weights has {len(weights)} numbers for {n_classes} classes "
            f"({', '.join(labels.names)}); give one for each"
        )
    try:
        _nothing(labels).figure(recipe.training.metric)
    except TreesentError as error:
        raise RecipeError(f"training.metric is {recipe.training.metric!r}; {error}") from error


def _nothing(labels: LabelsConfig) -> TreeScores:
    """The figures of no tree at all."""
    none = np.zeros(0, np.int64)
    return score_trees(np.zeros((0, len(labels.names)), np.float32), none, none, labels.polarity)


def _signature(
    recipe: Recipe, labels: LabelsConfig, working: WorkingVectors, trees: EncodedCorpus
) -> dict[str, Any]:
    """What a run that goes on must share with the one that was interrupted, data included."""
    arrays: list[Any] = [working.matrix, trees.rows, trees.label, trees.structure.left]
    if trees.documents is not None:
        arrays += [trees.documents.offsets, trees.documents.target]
    return {
        "model": recipe.model,
        "encoder": None if recipe.encoder is None else asdict(recipe.encoder),
        "labels": asdict(labels),
        "vectors": recipe.vectors,
        "corpora": {
            "train": recipe.corpora.train,
            "checksum": [zlib.crc32(np.ascontiguousarray(array).data) for array in arrays],
        },
    }


def _meta(output: Path, dev: TreeScores) -> dict[str, Any]:
    """What meta.json says of the pipeline."""
    name = output.name if output.name.isidentifier() else "treesent"
    return {
        "name": name.removeprefix("en_"),
        "version": __version__,
        "description": "Sentiment of every phrase",
        "performance": _performance(dev),
    }


def _performance(dev: TreeScores) -> dict[str, float]:
    """Figures as meta.json holds them: of the dev trees, in percent."""
    return {
        f"dev_{place}_{figure}": round(value, 2)
        for place, figures in dev.to_dict().items()
        for figure, value in figures.items()
        if figure not in ("n", "confusion")
    }
