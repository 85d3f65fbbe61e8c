"""The families of models: this is where a new family is registered."""

from treesent.models.classifier.trainer import CLASSIFIERS
from treesent.models.language.trainer import LANGUAGE_MODELS
from treesent.models.parser.seq2seq_trainer import SEQ2SEQ_PARSERS
from treesent.models.parser.trainer import CHART_PARSERS
from treesent.training.family import Family

FAMILIES: tuple[Family, ...] = (CLASSIFIERS, CHART_PARSERS, SEQ2SEQ_PARSERS, LANGUAGE_MODELS)
