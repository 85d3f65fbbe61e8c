"""Sentences of 10,000 words against iterative references in float64."""

import numpy as np
import pytest
import torch

from tests.models.classifier import equations
from tests.models.classifier.equations import numbers, sigmoid
from treesent.models.classifier.child_sum import ChildSumConfig
from treesent.models.classifier.recursive_config import build
from treesent.models.classifier.recursive_net import RecursiveNetConfig
from treesent.models.classifier.rntn import RNTNConfig
from treesent.models.classifier.tree_gru import TreeGRUConfig
from treesent.models.classifier.tree_lstm import BinaryTreeLSTM, TreeLSTMConfig
from treesent.nn.batch import ForestBatch
from treesent.nn.embedding import VectorEmbedding
from treesent.nn.levels import Composition
from treesent.nn.top_down import TopDown
from treesent.trees.forest import Forest
from treesent.trees.structure import Structure

N, N_ROWS, WIDTH, HIDDEN, CLASSES = 10_000, 11, 4, 3, 5
TABLE = np.random.default_rng(0).normal(size=(N_ROWS, WIDTH))
ROWS = np.random.default_rng(1).integers(0, N_ROWS, N)
EQUATIONS = {
    RecursiveNetConfig: equations.recursive_net,
    RNTNConfig: equations.rntn,
    TreeGRUConfig: equations.tree_gru,
    TreeLSTMConfig: equations.tree_lstm,
    ChildSumConfig: equations.child_sum,
}
every_network = pytest.mark.parametrize("config", EQUATIONS)


def network(config, dtype=torch.float64):
    made = build(config(hidden=HIDDEN), WIDTH, CLASSES, VectorEmbedding(TABLE), generator())
    with torch.no_grad():
        for name, weight in made.named_parameters():
            if "bias" in name:
                weight.uniform_(-1, 1, generator=generator())
    return made.to(dtype)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def chain(config=None):
    """A right-branching sentence, with heads at random for the network that needs them."""
    structure = Structure.right_branching([N])
    if config is ChildSumConfig:
        head = np.random.default_rng(2).integers(0, 2, structure.n_nodes).astype(np.int8)
        fields = ("left", "right", "start", "end", "offsets")
        structure = Structure(*(getattr(structure, name) for name in fields), head)
    return ForestBatch.from_forest(Forest.build(structure, ROWS))


def suffixes(batch):
    """Rows of the nodes that end with the last word, by their first word."""
    rows = (batch.constituents.end == N).nonzero()[:, 0]
    return rows[batch.constituents.start[rows].argsort()]


def ordered(batch, word, left, right):
    """The children of the node over the words from ``word`` on: the head first, if there are heads."""
    if batch.head is None:
        return left, right
    node = N - 2 - word
    return (right, left) if batch.head[node] else (left, right)


@every_network
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_states_are_those_of_the_equations_word_by_word(config, dtype):
    made, batch = network(config, dtype), chain(config)
    w, state, expected = numbers(made.composition), None, np.empty((N, HIDDEN))
    for word in reversed(range(N)):
        leaf = EQUATIONS[config](w, TABLE[ROWS[word]].astype(np.float32 if dtype == torch.float32 else float))
        state = leaf if state is None else EQUATIONS[config](w, None, *ordered(batch, word, leaf, state))
        expected[word] = state[0]
    with torch.no_grad():
        found = made(batch).hidden[suffixes(batch)].double().numpy()
    assert expected.std() > 0.05
    atol = 1e-10 if dtype == torch.float64 else 2e-5
    np.testing.assert_allclose(found, expected, atol=atol, rtol=0)


def gradients(made, states):
    """Of a loss of all states, with respect to the weights."""
    factors = torch.linspace(-1, 1, states.numel(), dtype=torch.float64).view_as(states)
    return torch.autograd.grad((states * factors).sum(), list(made.composition.parameters()))


def one_graph(made, batch):
    """States of the suffixes in one plain graph, node by node, with torch's own gradients."""
    model = made.composition
    leaves = [part.unbind() for part in model.leaf(made.embedding(torch.from_numpy(ROWS)))]
    state, states = None, []
    for word in reversed(range(N)):
        leaf = tuple(part[word] for part in leaves)
        if state is None:
            state = leaf
        else:
            pairs = zip(*ordered(batch, word, leaf, state), strict=True)
            state = tuple(each[0] for each in model.compose(tuple(torch.stack(pair)[None] for pair in pairs)))
        states.append(state[0])
    return torch.stack(states[::-1])


@pytest.mark.parametrize(
    ("config", "forward"),
    [
        (TreeLSTMConfig, BinaryTreeLSTM.forward),
        *(pytest.param(each, Composition.forward, marks=pytest.mark.slow) for each in EQUATIONS),
    ],
    ids=lambda value: value.__qualname__,
)
def test_gradients_are_those_of_one_plain_graph(config, forward, monkeypatch):
    monkeypatch.setattr(BinaryTreeLSTM, "forward", forward)
    made, batch = network(config), chain(config)
    states, plain = made(batch).hidden[suffixes(batch)], one_graph(made, batch)
    torch.testing.assert_close(states, plain, atol=1e-10, rtol=0)
    found, expected = gradients(made, states), gradients(made, plain)
    for one, other in zip(found, expected, strict=True):
        assert other.abs().max() > 1e-3
        torch.testing.assert_close(one, other, atol=1e-8, rtol=1e-8)


def test_the_top_down_pass_is_an_lstm_from_the_root():
    down, batch = TopDown(WIDTH, HIDDEN, generator()).double(), chain()
    with torch.no_grad():
        down.bias.uniform_(-1, 1, generator=generator())
    up = torch.randn(batch.n_nodes, WIDTH, generator=generator(), dtype=torch.float64)
    with torch.no_grad():
        found, w = down(up, batch).numpy(), numbers(down)
    inputs = up.numpy() @ w["input"].T + w["bias"]
    left, right = w["recurrent"].reshape(2, 4 * HIDDEN, HIDDEN)

    def step(x, h, c, recurrent):
        i, f, o, g = np.split(x + recurrent @ h, 4)
        c = sigmoid(i) * np.tanh(g) + sigmoid(f) * c
        return sigmoid(o) * np.tanh(c), c

    nodes, state = suffixes(batch).tolist(), np.zeros((2, HIDDEN))
    words = (batch.constituents.length == 1).nonzero()[:, 0]
    words = words[batch.constituents.start[words].argsort()].tolist()
    expected = np.zeros_like(found)
    for word, node in enumerate(nodes):
        above, state = state, step(inputs[node], *state, right)
        expected[node] = state[0]
        if word:
            # The word before is the left child of the node above.
            expected[words[word - 1]] = step(inputs[words[word - 1]], *above, left)[0]
    np.testing.assert_allclose(found, expected, atol=1e-10, rtol=0)
