"""Train a sequence-to-sequence parser: from a recipe to its file, which ``[parser]`` of another recipe names."""

from pathlib import Path

import torch

from treesent.models.parser.seq2seq import Seq2SeqParser, Seq2SeqParserConfig
from treesent.models.parser.seq2seq_task import LinearisedTask
from treesent.models.parser.task import ParserOnVectors
from treesent.models.parser.trainer import (
    ENCODER_DECODER_FILE,
    ParserData,
    on_vectors,
    read_data,
    write_parser,
)
from treesent.training.family import Family
from treesent.training.recipe import Recipe
from treesent.training.task import Scored


def prepare(recipe: Recipe, device: torch.device) -> ParserData:
    """Read the data of a sequence-to-sequence parser; of the trees only the brackets count.

    :param recipe: the recipe.
    :param device: where it is trained.
    :raises TreesentError: if the recipe, its data or its vectors cannot be used.
    """
    return read_data(recipe, lambda train, dev: LinearisedTask(train, dev, recipe.settings.copy))


def build(recipe: Recipe, data: ParserData, generator: torch.Generator) -> ParserOnVectors:
    """Make a parser with its initial weights.

    :param recipe: the recipe.
    :param data: what :func:`prepare` has read.
    :param generator: source of the weights.
    """
    return on_vectors(Seq2SeqParser(recipe.settings, data.table.width, generator), data)


def write(recipe: Recipe, data: ParserData, model: ParserOnVectors, folder: Path, name: str) -> Scored:
    """Write a trained parser, and evaluate it as it is saved.

    :param recipe: the recipe.
    :param data: what :func:`prepare` has read.
    :param model: the trained parser.
    :param folder: the folder, which does not exist yet.
    :param name: the name that it will have.
    :returns: the scores on dev.
    """
    return write_parser(recipe, data, model, folder / ENCODER_DECODER_FILE)


SEQ2SEQ_PARSERS = Family(
    config={"treesent.EncoderDecoder.v1": Seq2SeqParserConfig},
    task=prepare,
    build=build,
    write=write,
    read=Seq2SeqParser.load,
    files=(ENCODER_DECODER_FILE, "scores.json"),
)
