"""Train a parser: from a recipe to a parser's file, which a classifier's recipe names in ``[parser]``."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from treesent.architectures import KEY
from treesent.data.sst import read_treebank
from treesent.errors import ModelError, RecipeError
from treesent.nn.embedding import VectorEmbedding
from treesent.nn.parser import DistanceParser, ParserConfig
from treesent.train.run import Run, Trained
from treesent.training.bracket_score import BracketScores
from treesent.training.parsing import ParserOnVectors, ParserTask
from treesent.training.settings import read_section
from treesent.training.vector_sources import load_vectors
from treesent.training.vectors import working_vectors

NAME = "treesent.DistanceParser.v1"
PARSER_FILE = "parser.safetensors"


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
    recipe = run.recipe
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
    parser = DistanceParser(parser_config(recipe.model), table.width, run.generator())
    model = ParserOnVectors(parser, VectorEmbedding(working.matrix)).to(run.device)
    task = ParserTask(train, dev)
    signature = {"model": recipe.model, "vectors": recipe.vectors, "corpora": recipe.corpora.train}
    progress = run.fit(model, task, signature)
    model = model.to("cpu")
    for parameter in parser.parameters():
        parameter.data = parameter.data.half().float()  # the precision that is saved
    if not run.team.first:
        return Trained(run.output, progress, run.team.share(BracketScores(0, 0.0, 0.0)))
    scores = task.evaluate(model, torch.device("cpu"), recipe.training.eval_batch_size)
    run.write(lambda folder: write_parser(folder, parser, scores))
    return Trained(run.output, progress, run.team.share(scores))


def write_parser(folder: Path, parser: DistanceParser, dev: BracketScores) -> None:
    """Write a parser's folder: the parser and, for people, its figures.

    :param folder: the folder, which does not exist yet.
    :param parser: the parser.
    :param dev: its figures.
    """
    folder.mkdir(parents=True)
    (folder / "scores.json").write_text(json.dumps(dev.to_dict(), indent=1) + "\n", "utf-8")
    parser.save(folder / PARSER_FILE)


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
