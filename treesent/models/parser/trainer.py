"""Train a parser: from a recipe to a parser's file, which a classifier's recipe names in ``[parser]``."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from treesent.config import read_section
from treesent.data.batches import EncodedCorpus
from treesent.data.sst import read_treebank
from treesent.data.vectors import working_vectors
from treesent.errors import ModelError, RecipeError
from treesent.metrics.brackets import BracketScores
from treesent.models.classifier.architectures import KEY
from treesent.models.parser.chart_parser import ChartParser, ParserConfig
from treesent.models.parser.kinds import Parser, load_parser
from treesent.models.parser.task import ParserOnVectors, ParserTask
from treesent.nn.embedding import VectorEmbedding
from treesent.training.recipe import Recipe
from treesent.training.run import Run, Trained
from treesent.training.task import Task
from treesent.vectors.sources import load_vectors
from treesent.vectors.table import VectorTable

NAME = "treesent.DistanceParser.v1"
PARSER_FILE = "parser.safetensors"
ENCODER_DECODER_FILE = "encoder_decoder.safetensors"


def parser_config(block: Mapping[str, Any]) -> ParserConfig:
    """The settings of a parser's ``[model]`` block, checked.

    :param block: ``@architectures`` and the settings that are not left at their defaults.
    :raises RecipeError: a key or value makes no sense.
    """
    return read_section(ParserConfig, {key: value for key, value in block.items() if key != KEY}, "model")


def train(run: Run) -> Trained:
    """Train a parser and write it; of the trees only the brackets count, whatever labels they have.

    :param run: its recipe, with a parser as its model, and how to train.
    :raises TreesentError: the recipe, its data or its vectors cannot be used.
    """
    data = read_data(run.recipe)
    parser = ChartParser(parser_config(run.recipe.model), data.table.width, run.generator())
    return train_on(run, data, parser, ParserTask(data.train, data.dev), PARSER_FILE)


def train_on(run: Run, data: "ParserData", parser: Parser, task: Task, file: str) -> Trained:
    """Train a parser of any kind and write its folder: the parser and, for people, its figures.

    :param run: how to train.
    :param data: what :func:`read_data` gave.
    :param parser: with its first weights.
    :param task: what it learns.
    :param file: its name in the folder.
    """
    recipe = run.recipe
    model = ParserOnVectors(parser, VectorEmbedding(data.matrix)).to(run.device)
    signature = {"model": recipe.model, "vectors": recipe.vectors, "corpora": recipe.corpora.train}
    progress = run.fit(model, task, signature)
    model = model.to("cpu")
    for parameter in parser.parameters():
        parameter.data = parameter.data.half().float()  # the precision that is saved
    if not run.team.first:
        return Trained(run.output, progress, run.team.share(BracketScores(0, 0.0, 0.0)))
    scores = task.evaluate(model, torch.device("cpu"), recipe.training.eval_batch_size)

    def write(folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "scores.json").write_text(json.dumps(scores.to_dict(), indent=1) + "\n", "utf-8")
        parser.save(folder / file)

    run.write(write)
    return Trained(run.output, progress, run.team.share(scores))


@dataclass(frozen=True, slots=True, eq=False)
class ParserData:
    """What parsers of any kind learn from.

    :param table: all vectors.
    :param matrix: those of the trees' words, to which rows of the corpora point. *Shape:* ``(n, width)``.
    :param train: the trees to learn from.
    :param dev: those to be judged by.
    """

    table: VectorTable
    matrix: npt.NDArray[np.float32]
    train: EncodedCorpus
    dev: EncodedCorpus


def read_data(recipe: Recipe) -> ParserData:
    """Read trees and vectors for a parser.

    :param recipe: a parser's.
    :raises TreesentError: it asks for what parsers do not do, or its data or vectors cannot be used.
    """
    if recipe.training.tune_vectors:
        raise RecipeError("training.tune_vectors is true; a parser reads vectors and leaves them as they are")
    if recipe.training.metric not in ("bracket_f1", "exact_match"):
        metric = recipe.training.metric
        raise RecipeError(f"training.metric is {metric!r}; a parser has 'bracket_f1' and 'exact_match'")
    if recipe.corpora.has_texts or recipe.labels is None:
        raise RecipeError("[corpora] has labelled texts; a parser learns from bracketed trees alone")
    if recipe.corpora.dev_share:
        raise RecipeError("corpora.dev_share is of classifiers; give a parser its own dev trees")
    n_classes = len(recipe.labels.names)
    corpora = [read_treebank(recipe.corpora.files(name), n_classes) for name in ("train", "dev")]
    table = load_vectors(recipe.vectors)
    working, (train, dev) = working_vectors(table, corpora)
    return ParserData(table, working.matrix, train, dev)


def read_parser(path: str | Path, width: int) -> Parser:
    """Read a parser of any kind for a pipeline.

    :param path: its folder or its file.
    :param width: of the pipeline's vectors.
    :raises ModelError: it cannot be read, or reads other vectors.
    """
    path = Path(path)
    if path.is_dir():
        other = path / ENCODER_DECODER_FILE
        path = other if other.is_file() else path / PARSER_FILE
    parser = load_parser(path)
    if parser.width != width:
        raise ModelError(
            f"{path} reads vectors of width {parser.width}, and [vectors] has {width}: train both on one"
        )
    return parser
