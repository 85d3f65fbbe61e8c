"""The classifiers by name: a network is one entry of :data:`NETWORKS`, and one line of ``setup.py`` for spaCy."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch

from treesent.config import KEY, read_block
from treesent.models.classifier import recurrent_config, recursive_config
from treesent.models.classifier.child_sum import ChildSumConfig
from treesent.models.classifier.clockwork_rnn import ClockworkConfig
from treesent.models.classifier.coupled_lstm import CoupledLSTMConfig
from treesent.models.classifier.gru import GRUConfig
from treesent.models.classifier.leaky_rnn import LeakyConfig
from treesent.models.classifier.lstm import LSTMConfig
from treesent.models.classifier.minimal_gated_unit import MinimalGatedUnitConfig
from treesent.models.classifier.peephole_lstm import PeepholeLSTMConfig
from treesent.models.classifier.recurrent import RecurrentClassifier
from treesent.models.classifier.recursive import RecursiveClassifier
from treesent.models.classifier.recursive_net import RecursiveNetConfig
from treesent.models.classifier.rnn import RNNConfig
from treesent.models.classifier.rntn import RNTNConfig
from treesent.models.classifier.tree_gru import TreeGRUConfig
from treesent.models.classifier.tree_lstm import TreeLSTMConfig
from treesent.nn.embedding import VectorEmbedding
from treesent.nn.transformer import Transformer

Config = TypeVar("Config")
Classifier = RecursiveClassifier | RecurrentClassifier


@dataclass(frozen=True, slots=True)
class Network(Generic[Config]):
    """A network that a ``[model]`` block can name.

    :param config: the dataclass of its settings; its fields are the keys of the block.
    :param build: makes the network from a config, the width of the vectors, the number of classes, an
        embedding or None, a ``torch.Generator`` or None, and a transformer or None.
    """

    config: type[Config]
    build: Callable[..., Classifier]


NETWORKS: Mapping[str, Network[Any]] = {
    "treesent.ChildSumTreeLSTM.v1": Network(ChildSumConfig, recursive_config.build),
    "treesent.RecursiveNet.v1": Network(RecursiveNetConfig, recursive_config.build),
    "treesent.RNTN.v1": Network(RNTNConfig, recursive_config.build),
    "treesent.TreeGRU.v1": Network(TreeGRUConfig, recursive_config.build),
    "treesent.TreeLSTM.v1": Network(TreeLSTMConfig, recursive_config.build),
    "treesent.RNN.v1": Network(RNNConfig, recurrent_config.build),
    "treesent.LeakyRNN.v1": Network(LeakyConfig, recurrent_config.build),
    "treesent.ClockworkRNN.v1": Network(ClockworkConfig, recurrent_config.build),
    "treesent.LSTM.v1": Network(LSTMConfig, recurrent_config.build),
    "treesent.PeepholeLSTM.v1": Network(PeepholeLSTMConfig, recurrent_config.build),
    "treesent.CoupledLSTM.v1": Network(CoupledLSTMConfig, recurrent_config.build),
    "treesent.GRU.v1": Network(GRUConfig, recurrent_config.build),
    "treesent.MinimalGatedUnit.v1": Network(MinimalGatedUnitConfig, recurrent_config.build),
}


def network_config(block: Mapping[str, Any]) -> Any:
    """Read the settings of a ``[model]`` block.

    :param block: ``@architectures`` and the settings that differ from their defaults.
    :raises RecipeError: if the name, a key or a value is wrong.
    """
    return read_block({name: network.config for name, network in NETWORKS.items()}, block)


def build_network(
    block: Mapping[str, Any],
    width: int,
    n_classes: int,
    embedding: VectorEmbedding | None = None,
    generator: torch.Generator | None = None,
    transformer: Transformer | None = None,
) -> Classifier:
    """Make the network of a ``[model]`` block.

    :param block: ``@architectures`` and settings.
    :param width: of the vectors.
    :param n_classes: of every node.
    :param embedding: the vectors; may be set later.
    :param generator: where the first weights come from, so that a seed fixes them.
    :param transformer: under the network, for ``encoder = "transformer"``.
    :raises RecipeError: if the name, a key or a value is wrong.
    """
    config = network_config(block)
    return NETWORKS[block[KEY]].build(config, width, n_classes, embedding, generator, transformer)
