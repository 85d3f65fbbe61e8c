"""Train a parser: from a recipe to a parser's file, which a classifier's recipe names in ``[parser]``."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from treesent.data.batches import EncodedCorpus
from treesent.data.sst import read_treebank
from treesent.data.vector_sources import load_vectors
from treesent.data.vectors import working_vectors
from treesent.errors import ModelError, RecipeError
from treesent.models.parser.chart_parser import ChartParser, ParserConfig
from treesent.models.parser.kinds import Parser, load_parser
from treesent.models.parser.task import ParserOnVectors, ParserTask
from treesent.nn.embedding import VectorEmbedding
from treesent.training.family import Family
from treesent.training.recipe import Recipe
from treesent.training.task import Scored, Task
from treesent.vectors.table import VectorTable

PARSER_FILE = "parser.safetensors"
ENCODER_DECODER_FILE = "encoder_decoder.safetensors"


@dataclass(frozen=True, slots=True, eq=False)
class ParserData:
    """What parsers of any kind learn from.

    :param table: all vectors.
    :param matrix: those of the trees' words, to which rows of the corpora point. *Shape:* ``(n, width)``.
    :param task: what it learns.
    :param signature: see :class:`~treesent.training.family.Prepared`.
    """

    table: VectorTable
    matrix: npt.NDArray[np.float32]
    task: Task
    signature: dict[str, Any]


def prepare(recipe: Recipe, device: torch.device) -> ParserData:
    """Read the data of a chart parser; of the trees only the brackets count.

    :param recipe: the recipe.
    :param device: where it is trained.
    :raises TreesentError: if the recipe, its data or its vectors cannot be used.
    """
    return read_data(recipe, ParserTask)


def build(recipe: Recipe, data: ParserData, generator: torch.Generator) -> ParserOnVectors:
    """Make a chart parser with its initial weights.

    :param recipe: the recipe.
    :param data: what :func:`prepare` has read.
    :param generator: source of the weights.
    """
    return on_vectors(ChartParser(recipe.settings, data.table.width, generator), data)


def write(recipe: Recipe, data: ParserData, model: ParserOnVectors, folder: Path, name: str) -> Scored:
    """Write a trained chart parser, and evaluate it as it is saved.

    :param recipe: the recipe.
    :param data: what :func:`prepare` has read.
    :param model: the trained parser.
    :param folder: the folder, which does not exist yet.
    :param name: the name that it will have.
    :returns: the scores on dev.
    """
    return write_parser(recipe, data, model, folder / PARSER_FILE)


def on_vectors(parser: Parser, data: ParserData) -> ParserOnVectors:
    """Put the vectors that it reads under a parser.

    :param parser: the parser.
    :param data: the vectors.
    """
    return ParserOnVectors(parser, VectorEmbedding(data.matrix))


def write_parser(recipe: Recipe, data: ParserData, model: ParserOnVectors, path: Path) -> Scored:
    """Write a parser of any kind to a new folder, and its scores beside it.

    :param recipe: the recipe.
    :param data: its data.
    :param model: the trained parser.
    :param path: the parser's file in the folder.
    :returns: the scores on dev.
    """
    model = model.to("cpu")
    parser = model.parser
    for parameter in parser.parameters():
        parameter.data = parameter.data.half().float()  # the precision that is saved
    scores = data.task.evaluate(model, torch.device("cpu"), recipe.training.eval_batch_size)
    path.parent.mkdir(parents=True)
    (path.parent / "scores.json").write_text(json.dumps(scores.to_dict(), indent=1) + "\n", "utf-8")
    parser.save(path)
    return scores


def read_data(recipe: Recipe, task: Callable[[EncodedCorpus, EncodedCorpus], Task]) -> ParserData:
    """Read trees and vectors for a parser.

    :param recipe: a parser's.
    :param task: makes its task from the trees of train and of dev.
    :raises TreesentError: if it asks for what parsers do not do, or its data or vectors cannot be used.
    """
    if recipe.training.tune_vectors:
        raise RecipeError("training.tune_vectors is true, but a parser does not train its vectors; remove it")
    if recipe.training.metric not in ("bracket_f1", "exact_match"):
        metric = recipe.training.metric
        raise RecipeError(
            f"training.metric is {metric!r}; must be 'bracket_f1' or 'exact_match' for a parser"
        )
    if recipe.corpora.has_texts or recipe.labels is None:
        raise RecipeError("[corpora] has labelled texts, but a parser is trained on bracketed trees only")
    if recipe.corpora.dev_share:
        raise RecipeError("corpora.dev_share is for classifiers; set corpora.dev to a file of trees")
    n_classes = len(recipe.labels.names)
    corpora = [read_treebank(recipe.corpora.files(name), n_classes) for name in ("train", "dev")]
    table = load_vectors(recipe.vectors)
    working, (train, dev) = working_vectors(table, corpora)
    signature = {"model": recipe.model, "vectors": recipe.vectors, "corpora": recipe.corpora.train}
    return ParserData(table, working.matrix, task(train, dev), signature)


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


CHART_PARSERS = Family(
    config={"treesent.DistanceParser.v1": ParserConfig},
    task=prepare,
    build=build,
    write=write,
    read=ChartParser.load,
    files=(PARSER_FILE, "scores.json"),
)
