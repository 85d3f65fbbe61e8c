"""Networks by name, made from a recipe's block."""

import pytest
import torch
from confection import Config

from tests.toy_pipeline import BLOCK
from treesent.config import KEY
from treesent.errors import RecipeError
from treesent.models.classifier.networks import NETWORKS, build_network, network_config


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_made_from_a_recipes_block(name):
    block = Config().from_str(f'[model]\n@architectures = "{name}"\nhidden = 10')["model"]
    generator = torch.Generator().manual_seed(0)
    network = build_network(block, 6, 3, generator=generator)
    assert isinstance(network, torch.nn.Module)
    again = build_network(block, 6, 3, generator=torch.Generator().manual_seed(0))
    for a, b in zip(network.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (
            {KEY: "treesent.TreeLSTN.v1"},
            r"model.@architectures is 'treesent.TreeLSTN.v1', which is not known; did you mean "
            r"'treesent.TreeLSTM.v1'\?",
        ),
        ({KEY: 3}, "model.@architectures is 3"),
        ({}, "model.@architectures is missing; known: treesent.ChildSumTreeLSTM.v1, "),
        ({**BLOCK, "hiden": 3}, r"model.hiden is unknown; did you mean 'hidden'\?"),
        ({**BLOCK, "zzz": 3}, "model.zzz is unknown; known: attention, "),
        ({**BLOCK, "hidden": 0}, "model.hidden is 0; must be at least 1"),
        ({**BLOCK, "hidden": "x"}, "model.hidden is 'x'; must be an integer of at least 1"),
        ({**BLOCK, "hidden": 150.5}, "model.hidden is 150.5; must be an integer of at least 1"),
        ({**BLOCK, "input_dropout": 1}, r"model.input_dropout is 1; must be in \[0, 1\)"),
        ({**BLOCK, "encoder": "gru"}, "model.encoder is 'gru'; must be 'lstm', 'sru' or 'transformer'"),
        ({KEY: "treesent.LSTM.v1", "residual": "false"}, "model.residual is 'false'; must be true or false"),
        ({KEY: "treesent.LSTM.v1", "pooling": "sum"}, "model.pooling is 'sum'; must be 'last', 'mean'"),
        ({KEY: "treesent.LeakyRNN.v1", "rate": 0.05}, "model.slowest is 0.1; must be at most rate, 0.05"),
        ({KEY: "treesent.ClockworkRNN.v1", "hidden": 3}, "model.modules is 4; must be at most hidden, 3"),
    ],
)
def test_a_wrong_block_is_refused(block, message):
    with pytest.raises(RecipeError, match=message):
        network_config(block)
