"""Train a classifier of phrases: from a recipe to a pipeline folder that ``spacy.load`` opens."""

import zlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from treesent.data.batches import Corpus, EncodedCorpus
from treesent.data.vector_sources import load_vectors
from treesent.data.vectors import WorkingVectors, working_vectors
from treesent.errors import RecipeError, TreesentError
from treesent.metrics.accuracy import TreeScores, score_trees
from treesent.models.classifier.calibration import check_calibration, cool, fit_temperature
from treesent.models.classifier.class_weights import class_weights, has_sets
from treesent.models.classifier.compact import fold_projection, round_table, round_weights
from treesent.models.classifier.corpora import read_corpora, warn_of_chains, with_parser
from treesent.models.classifier.evaluation import evaluate_trees, predict_corpus
from treesent.models.classifier.folder import SentimentModel, check_classes, load_model
from treesent.models.classifier.networks import NETWORKS, build_network
from treesent.models.classifier.parsers import CURE, find_parser
from treesent.models.classifier.pretrained import init_encoder
from treesent.models.classifier.reparse import reparsed
from treesent.models.classifier.sections import (
    EncoderSource,
    ParserSource,
    TeacherSource,
    TransformerSource,
)
from treesent.models.classifier.task import ClassifierTask
from treesent.models.classifier.teacher import with_teacher
from treesent.models.classifier.transformer_source import number_words, open_transformer, prepare_transformer
from treesent.models.classifier.word_input import check_encoder
from treesent.models.classifier.writer import write_pipeline
from treesent.nn.embedding import VectorEmbedding
from treesent.nn.pieces import MOST_PIECES
from treesent.nn.transformer import longest_window
from treesent.text.pieces import PieceReader
from treesent.training.family import Family
from treesent.training.recipe import Recipe
from treesent.training.sections import LabelsConfig
from treesent.vectors.table import VectorTable
from treesent.version import __version__


@dataclass(frozen=True, slots=True, eq=False)
class ClassifierData:
    """What a classifier learns from.

    :param labels: the classes, named by the recipe or by the data.
    :param table: all vectors.
    :param working: those of the words of train and dev.
    :param parser: see :func:`~treesent.models.classifier.parsers.find_parser`.
    :param transformer: that of ``[transformer]`` with what cuts words for it, or None.
    :param dev: the dev trees, with the trees that the parser gave to texts.
    :param task: what is learned.
    :param signature: see :class:`~treesent.training.family.Prepared`.
    """

    labels: LabelsConfig
    table: VectorTable
    working: WorkingVectors
    parser: Any
    transformer: tuple[Any, PieceReader] | None
    dev: Corpus
    task: ClassifierTask
    signature: dict[str, Any]


def prepare(recipe: Recipe, device: torch.device) -> ClassifierData:
    """Read the data of a classifier.

    :param recipe: the recipe.
    :param device: where it is trained.
    :raises TreesentError: if the recipe, its data or its vectors cannot be used.
    """
    if recipe.labels is not None:
        _check_classes(recipe, recipe.labels)
    if recipe.training.calibrate:
        check_calibration(recipe.settings)
    corpora = read_corpora(recipe)
    labels = corpora.labels
    _check_classes(recipe, labels)
    table = load_vectors(recipe.vectors)
    transformer = _open_transformer(recipe)
    parts = [corpora.train.corpus, corpora.dev.corpus]
    working, (train, dev) = working_vectors(table, parts)
    teacher = _teacher(recipe)
    words: list[str] = []
    if transformer is not None or teacher is not None:
        words, (train_words, dev_words) = number_words([part.words for part in parts])
        train, dev = replace(train, words=train_words), replace(dev, words=dev_words)
    parser = find_parser(recipe, table.width)
    if parser is None:
        if recipe.corpora.reparse:
            raise RecipeError(f"corpora.reparse is true, but there is no parser for these vectors; {CURE}")
        if recipe.sections.get("parser", ParserSource()).use:
            warn_of_chains(corpora.train)
    else:
        train = with_parser(train, corpora.train, working.matrix, parser)
        dev = with_parser(dev, corpora.dev, working.matrix, parser)
        if recipe.corpora.reparse and corpora.train.n_gold:
            gold = train.take(np.arange(corpora.train.n_gold))
            train += reparsed(gold, working.matrix, parser)
    if teacher is not None:
        train = with_teacher(train, words, teacher, labels.names, device)
    weights = class_weights(recipe.training.class_weights, train, len(labels.names))
    task = ClassifierTask(
        train,
        dev,
        labels.polarity,
        recipe.training.aggregate,
        None if weights is None else torch.from_numpy(weights).to(device),
        recipe.training.word_dropout,
        len(working.matrix),
        table.width,
        recipe.training.seed,
        has_sets(train, len(labels.names)),
        None if transformer is None else transformer[1](words),
        MOST_PIECES if transformer is None else longest_window(transformer[0]),
        recipe.training.node_fraction,
        0.0 if teacher is None else teacher.share,
    )
    trees = replace(corpora.dev.corpus, structure=dev.structure)
    return ClassifierData(
        labels, table, working, parser, transformer, trees, task, _signature(recipe, labels, working, train)
    )


def _teacher(recipe: Recipe) -> TeacherSource | None:
    source: TeacherSource | None = recipe.sections.get("teacher")
    if recipe.corpora.files("unlabelled") and source is None:
        raise RecipeError(
            "corpora.unlabelled is set, but the section [teacher] is missing; add it with a path"
        )
    return source


def build(recipe: Recipe, data: ClassifierData, generator: torch.Generator) -> nn.Module:
    """Make a network with its initial weights.

    :param recipe: the recipe.
    :param data: what :func:`prepare` has read.
    :param generator: source of the weights.
    :raises RecipeError: if ``[model.encoder]`` does not fit the network.
    """
    embedding = VectorEmbedding(data.working.matrix, tune=recipe.training.tune_vectors)
    transformer = None
    if data.transformer is not None:
        source: TransformerSource = recipe.sections["transformer"]
        transformer = prepare_transformer(data.transformer[0], source, recipe.settings.word_pieces)
    network = build_network(
        recipe.model, data.table.width, len(data.labels.names), embedding, generator, transformer
    )
    if (cells := recipe.sections.get("model.encoder")) is not None:
        init_encoder(network, cells, data.table)
    return network


def _open_transformer(recipe: Recipe) -> tuple[Any, PieceReader] | None:
    source: TransformerSource | None = recipe.sections.get("transformer")
    check_encoder(recipe.settings.encoder, source)
    return None if source is None else open_transformer(source.path)


def write(recipe: Recipe, data: ClassifierData, network: Any, folder: Path, name: str) -> TreeScores:
    """Write a trained network as a spaCy pipeline, and evaluate it as it is saved.

    :param recipe: the recipe.
    :param data: what :func:`prepare` has read.
    :param network: the trained network.
    :param folder: the folder, which does not exist yet.
    :param name: the name that it will have, which becomes the pipeline's.
    :returns: the scores on dev.
    """
    network, table, labels, training = network.to("cpu"), data.table, data.labels, recipe.training
    if training.tune_vectors:
        table = data.working.tuned(network.embedding.table.detach().numpy())
    table = round_table(fold_projection(network, table), training.save_precision)
    network.embedding = VectorEmbedding(table.matrix, table.scale)
    pieces = None if data.transformer is None else data.transformer[1]
    if training.calibrate:
        cool(network, _temperature(network, table, data.dev, pieces))
    if table.matrix.dtype != np.float32:
        round_weights(network)
    scores = evaluate_trees(
        network, table, data.dev, labels.polarity, aggregate=training.aggregate, pieces=pieces
    )
    model = _model(recipe, labels, network, table)
    model.parser, model.pieces = data.parser, pieces
    write_pipeline(folder, model, aggregate=training.aggregate, meta=_meta(name, scores))
    return scores


def _temperature(network: Any, table: VectorTable, dev: Corpus, pieces: PieceReader | None) -> float:
    """Fit a temperature on the labelled roots of dev."""
    probs, _ = predict_corpus(network, table, dev, pieces=pieces)
    return fit_temperature(probs[dev.roots], dev.label[dev.roots])


def _model(recipe: Recipe, labels: LabelsConfig, network: Any, table: VectorTable) -> SentimentModel:
    block = {**recipe.model, "projection": 0} if "projection" in recipe.model else dict(recipe.model)
    return SentimentModel(network.eval(), block, table, labels.names, labels.polarity)


def _check_classes(recipe: Recipe, labels: LabelsConfig) -> None:
    """Refuse invalid classes, weights and metrics before an epoch is trained."""
    check_classes(labels.names, labels.polarity)
    weights, n_classes = recipe.training.class_weights, len(labels.names)
    if isinstance(weights, tuple) and len(weights) != n_classes:
        raise RecipeError(
            f"training.class_weights has {len(weights)} numbers for {n_classes} classes "
            f"({', '.join(labels.names)}); give one for each"
        )
    try:
        _nothing(labels).metric(recipe.training.metric)
    except TreesentError as error:
        raise RecipeError(
            f"training.metric is {recipe.training.metric!r}; {error}. With these classes, give "
            f"--training.metric root.accuracy_{n_classes}"
        ) from error


def _nothing(labels: LabelsConfig) -> TreeScores:
    """The scores of an empty corpus, whose names of metrics are those of any other."""
    none = np.zeros(0, np.int64)
    return score_trees(np.zeros((0, len(labels.names)), np.float32), none, none, labels.polarity)


def _signature(
    recipe: Recipe, labels: LabelsConfig, working: WorkingVectors, trees: EncodedCorpus
) -> dict[str, Any]:
    """What a resumed run must have in common with the interrupted one, data included."""
    arrays: list[Any] = [working.matrix, trees.rows, trees.label, trees.structure.left]
    if trees.words is not None:
        arrays.append(trees.words)
    if trees.documents is not None:
        arrays += [trees.documents.offsets, trees.documents.target]
    return {
        "model": recipe.model,
        **{name: _plain(recipe.sections.get(f"{home}{name}")) for home, name in _UNDER},
        "labels": asdict(labels),
        "vectors": recipe.vectors,
        "corpora": {
            "train": recipe.corpora.train,
            "checksum": [zlib.crc32(np.ascontiguousarray(array).data) for array in arrays],
        },
    }


_UNDER = (("model.", "encoder"), ("", "transformer"), ("", "teacher"))


def _plain(section: Any) -> dict[str, Any] | None:
    return None if section is None else asdict(section)


def _meta(name: str, dev: TreeScores) -> dict[str, Any]:
    """What meta.json says of the pipeline."""
    name = name if name.isidentifier() else "treesent"
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


CLASSIFIERS = Family(
    config={name: network.config for name, network in NETWORKS.items()},
    task=prepare,
    build=build,
    write=write,
    read=lambda folder: load_model(folder / "treesent"),
    files=("config.cfg", "meta.json", "tokenizer", "vocab/*", "treesent/*"),
    sections={
        "parser": ParserSource,
        "teacher": TeacherSource,
        "transformer": TransformerSource,
        "model.encoder": EncoderSource,
    },
)
