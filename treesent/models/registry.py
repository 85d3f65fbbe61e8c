"""The kinds of models that are trained, by the names of their ``[model]`` blocks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from treesent.models.classifier import trainer as classifier
from treesent.models.classifier.architectures import KEY, network_config
from treesent.models.language import trainer as language_model
from treesent.models.parser import seq2seq_trainer as encoder_decoder
from treesent.models.parser import trainer as parser
from treesent.training.run import Run, Trained


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of model.

    :param check: refuses a ``[model]`` block that makes no sense, before data are read.
    :param train: trains and writes it.
    """

    check: Callable[[Mapping[str, Any]], Any]
    train: Callable[[Run], Trained]


CLASSIFIER = Kind(network_config, classifier.train)
KINDS: Mapping[str, Kind] = {
    language_model.NAME: Kind(language_model.language_model_config, language_model.train),
    parser.NAME: Kind(parser.parser_config, parser.train),
    encoder_decoder.NAME: Kind(encoder_decoder.encoder_decoder_config, encoder_decoder.train),
}


def kind_of(block: Mapping[str, Any]) -> Kind:
    """Find the kind of a ``[model]`` block; what is none of the others is a classifier.

    :param block: ``@architectures`` and settings.
    """
    return KINDS.get(str(block.get(KEY)), CLASSIFIER)
