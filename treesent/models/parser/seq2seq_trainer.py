"""Train an encoder-decoder that parses: from a recipe to its file, which ``[parser]`` of another names."""

from collections.abc import Mapping
from typing import Any

from treesent.config import read_section
from treesent.models.classifier.architectures import KEY
from treesent.models.parser.seq2seq import Seq2SeqParser, Seq2SeqParserConfig
from treesent.models.parser.seq2seq_task import LinearisedTask
from treesent.models.parser.trainer import ENCODER_DECODER_FILE, read_data, train_on
from treesent.training.run import Run, Trained

NAME = "treesent.EncoderDecoder.v1"


def encoder_decoder_config(block: Mapping[str, Any]) -> Seq2SeqParserConfig:
    """The settings of an encoder-decoder's ``[model]`` block, checked.

    :param block: ``@architectures`` and the settings that are not left at their defaults.
    :raises RecipeError: a key or value makes no sense.
    """
    settings = {key: value for key, value in block.items() if key != KEY}
    return read_section(Seq2SeqParserConfig, settings, "model")


def train(run: Run) -> Trained:
    """Train a parser that writes symbols, and write it; of the trees only the brackets count.

    :param run: its recipe, with an encoder-decoder as its model, and how to train.
    :raises TreesentError: the recipe, its data or its vectors cannot be used.
    """
    data = read_data(run.recipe)
    parser = Seq2SeqParser(encoder_decoder_config(run.recipe.model), data.table.width, run.generator())
    task = LinearisedTask(data.train, data.dev, parser.network.read is not None)
    return train_on(run, data, parser, task, ENCODER_DECODER_FILE)
