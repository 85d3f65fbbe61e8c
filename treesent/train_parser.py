"""From a recipe to a parser's file, which the recipe of a classifier names in ``[parser]``."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from treesent.architectures import KEY
from treesent.data.sst import read_treebank
from treesent.errors import ModelError, RecipeError
from treesent.nn.embedding import VectorEmbedding
from treesent.nn.parser import DistanceParser, ParserConfig
from treesent.training.bracket_score import BracketScores
from treesent.training.loop import Progress, fit, stream
from treesent.training.parsing import ParserOnVectors, ParserTask
from treesent.training.recipe import Recipe
from treesent.training.settings import read_section
from treesent.training.vector_sources import load_vectors
from treesent.training.vectors import working_vectors

if TYPE_CHECKING:
    import torch

PARSER = "treesent.DistanceParser.v1"
PARSER_FILE = "parser.safetensors"


def parser_config(block: Mapping[str, Any]) -> ParserConfig:
    """The settings of a parser's ``[model]`` block, checked.

    :param block: ``@architectures`` and the settings that are not left at their defaults.
    :raises RecipeError: a key or value makes no sense.
    """
    return read_section(ParserConfig, {key: value for key, value in block.items() if key != KEY}, "model")


def train_parser(
    recipe: Recipe,
    checkpoint: Path,
    device: "torch.device",
    run: Mapping[str, Any],
    *,
    resume: bool = False,
) -> tuple[DistanceParser, Progress, BracketScores]:
    """Train a parser; of the trees only the brackets count, whatever labels they have.

    :param recipe: with a parser as its model.
    :param checkpoint: the folder for checkpoints.
    :param device: where to train.
    :param run: further arguments of :func:`treesent.training.loop.fit`: log, report and so on.
    :param resume: go on from a checkpoint.
    :returns: the parser, the run's epochs, and the figures of the parser as it will be saved.
    :raises TreesentError: the recipe, its data or its vectors cannot be used.
    """
    import torch

    if recipe.training.tune_vectors:
        raise RecipeError("training.tune_vectors is true; a parser reads vectors and leaves them as they are")
    if recipe.training.metric != "bracket_f1":
        raise RecipeError(f"training.metric is {recipe.training.metric!r}; a parser has 'bracket_f1' only")
    if recipe.corpora.has_texts or recipe.labels is None:
        raise RecipeError("[corpora] has labelled texts; a parser learns from bracketed trees alone")
    if recipe.corpora.dev_share:
        raise RecipeError("corpora.dev_share is of classifiers; give a parser its own dev trees")
    n_classes = len(recipe.labels.names)
    corpora = [read_treebank(recipe.corpora.files(name), n_classes) for name in ("train", "dev")]
    table = load_vectors(recipe.vectors)
    working, (train, dev) = working_vectors(table, corpora)
    generator = torch.Generator().manual_seed(stream(recipe.training.seed, 0))
    parser = DistanceParser(parser_config(recipe.model), table.width, generator)
    model = ParserOnVectors(parser, VectorEmbedding(working.matrix)).to(device)
    task = ParserTask(train, dev)
    progress = fit(
        model,
        task,
        recipe.training,
        checkpoint=checkpoint / "checkpoint.safetensors",
        resume=resume and checkpoint.exists(),
        signature={"model": recipe.model, "vectors": recipe.vectors, "corpora": recipe.corpora.train},
        **run,
    )
    model = model.to("cpu")
    for parameter in parser.parameters():
        parameter.data = parameter.data.half().float()  # the precision that is saved
    return parser, progress, task.evaluate(model, torch.device("cpu"), recipe.training.eval_batch_size)


def write_parser(output: Path, parser: DistanceParser, dev: BracketScores) -> None:
    """Write a parser's folder: the parser and, for people, its figures.

    :param output: the folder; a pipeline or parser that is there already is replaced.
    :param parser: the parser.
    :param dev: its figures.
    """
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    (output / "scores.json").write_text(json.dumps(dev.to_dict(), indent=1) + "\n", "utf-8")
    parser.save(output / PARSER_FILE)


def read_parser(path: str | Path, width: int) -> DistanceParser:
    """Read a parser for a pipeline.

    :param path: its folder or its file.
    :param width: of the pipeline's vectors.
    :raises ModelError: it cannot be read, or reads other vectors.
    """
    path = Path(path)
    parser = DistanceParser.load(path / PARSER_FILE if path.is_dir() else path)
    if parser.width != width:
        raise ModelError(
            f"{path} reads vectors of width {parser.width}, and [vectors] has {width}: train both on one"
        )
    return parser
