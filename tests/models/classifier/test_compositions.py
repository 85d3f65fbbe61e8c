"""The compositions, the top-down pass and attention on numbers: against their equations and themselves."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.device_guard import DeviceGuard
from tests.models.classifier import equations
from tests.models.classifier.equations import numbers, sigmoid
from tests.strategies import heads, structures
from treesent.errors import ModelError
from treesent.models.classifier.child_sum import ChildSumConfig
from treesent.models.classifier.node_states import node_loss
from treesent.models.classifier.recursive_config import build
from treesent.models.classifier.recursive_net import RecursiveNetConfig
from treesent.models.classifier.rntn import RNTNConfig
from treesent.models.classifier.tree_gru import TreeGRUConfig
from treesent.models.classifier.tree_lstm import TreeLSTMConfig
from treesent.nn.batch import ForestBatch
from treesent.nn.embedding import VectorEmbedding
from treesent.nn.levels import scan
from treesent.nn.segments import segment_softmax
from treesent.nn.top_down import TopDown
from treesent.trees.dependency import Dependencies
from treesent.trees.forest import Forest
from treesent.trees.structure import Structure

N_ROWS, WIDTH, HIDDEN, CLASSES = 11, 4, 3, 5
TABLE = np.random.default_rng(0).normal(size=(N_ROWS, WIDTH))
OPTIONS = {
    "plain": {},
    "under": {"projection": 3, "leaf": 6, "encoder": "sru", "encoder_hidden": 2},
    "variational": {"recurrent_dropout": 0.5},
    "down": {"top_down": 2},
    "attention": {"attention": 4},
    "everything": {
        "encoder_hidden": 2,
        "input_dropout": 0.4,
        "recurrent_dropout": 0.5,
        "output_dropout": 0.2,
        "top_down": 2,
        "attention": 4,
    },
}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def network(config, seed=0, **options):
    made = build(
        config(hidden=HIDDEN, **options), WIDTH, CLASSES, VectorEmbedding(TABLE), generator(seed)
    ).double()
    with torch.no_grad():
        for name, weight in made.named_parameters():
            if "bias" in name:
                weight.uniform_(-1, 1, generator=generator(seed))
    return made


def with_heads(structure, seed=0):
    """The same trees with a head in one child of every node, as if they were dependency trees."""
    head = np.random.default_rng(seed).integers(0, 2, structure.n_nodes).astype(np.int8)
    return Structure(*(getattr(structure, f) for f in ("left", "right", "start", "end", "offsets")), head)


def forest(structure, seed=0):
    random = np.random.default_rng(seed)
    rows = random.integers(0, N_ROWS, structure.n_words)
    return Forest.build(with_heads(structure), rows, random.integers(-1, CLASSES, structure.n_nodes))


def batch(structure, seed=0):
    return ForestBatch.from_forest(forest(structure, seed))


EQUATIONS = {
    RecursiveNetConfig: equations.recursive_net,
    RNTNConfig: equations.rntn,
    TreeGRUConfig: equations.tree_gru,
    TreeLSTMConfig: equations.tree_lstm,
}
CONFIGS = [*EQUATIONS, ChildSumConfig]


@pytest.mark.parametrize("config", EQUATIONS)
@given(structures())
@settings(max_examples=20)
def test_a_network_is_its_equations(config, structure):
    made, trees = network(config), forest(structure)
    w, expected, words = numbers(made.composition), [], iter(trees.rows)
    for tree in range(structure.n_trees):
        h = []
        for left, right in zip(*structure.arrays(tree)[:2], strict=True):
            child = {"x": TABLE[next(words)]} if left < 0 else {"left": h[left], "right": h[right]}
            h.append(EQUATIONS[config](w, **child))
        expected += [parts[0] for parts in h]
    hidden = made(ForestBatch.from_forest(trees)).hidden.detach().numpy()[trees.order]
    np.testing.assert_allclose(hidden, np.array(expected), atol=1e-12)


def child_sum(w, parent, x):
    """Tai et al. 2015, eqs. 2-8: the hidden state of every word."""
    (w_f, w_i, w_o, w_u), (u_f, u_i, u_o, u_u), (b_f, b_i, b_o, b_u) = (
        w[name].reshape(4, HIDDEN, -1) for name in ("input", "recurrent", "bias")
    )
    b_f, b_i, b_o, b_u = (b[:, 0] for b in (b_f, b_i, b_o, b_u))
    h, c = np.zeros((2, len(parent), HIDDEN))
    for j in np.argsort(-Dependencies(parent, np.array([len(parent)])).depth(), kind="stable"):
        children = np.flatnonzero(parent == j)
        total = h[children].sum(0)
        f = sigmoid(w_f @ x[j] + h[children] @ u_f.T + b_f)
        i, o = sigmoid(w_i @ x[j] + u_i @ total + b_i), sigmoid(w_o @ x[j] + u_o @ total + b_o)
        c[j] = i * np.tanh(w_u @ x[j] + u_u @ total + b_u) + (f * c[children]).sum(0)
        h[j] = o * np.tanh(c[j])
    return h


@given(st.lists(heads(), min_size=1, max_size=4), st.integers(0, 9))
@settings(max_examples=30)
def test_child_sum_is_its_equations(sentences, seed):
    made, random = network(ChildSumConfig), np.random.default_rng(seed)
    trees = [Dependencies.from_heads(sentence).projective() for sentence in sentences]
    rows = [random.integers(0, N_ROWS, len(sentence)) for sentence in sentences]
    structure = Structure.concatenate([tree.binarise() for tree in trees])
    built = Forest.build(structure, np.concatenate(rows))
    hidden = made(ForestBatch.from_forest(built)).hidden.detach().numpy()[built.order]
    for place, (tree, words) in enumerate(zip(trees, rows, strict=True)):
        first, last = tree.extents()
        *_, start, end = structure.arrays(place)
        node = {span: i for i, span in enumerate(zip(start.tolist(), end.tolist(), strict=True))}
        top = [node[span] for span in zip(first.tolist(), last.tolist(), strict=True)]
        found = hidden[structure.offsets[place] + np.array(top)]
        np.testing.assert_allclose(
            found, child_sum(numbers(made.composition), tree.parent, TABLE[words]), atol=1e-12
        )


def test_child_sum_ignores_the_order_of_siblings():
    made = network(ChildSumConfig)
    # A verb with three dependents, the second of which has one of its own.
    first = Dependencies.from_heads([3, 2, 3, 3, 3]), np.array([1, 2, 3, 4, 5])
    second = Dependencies.from_heads([0, 0, 1, 0, 0]), np.array([4, 3, 2, 5, 1])
    third = Dependencies.from_heads([4, 4, 3, 4, 4]), np.array([5, 1, 2, 3, 4])
    roots = []
    for tree, rows in (first, second, third):
        built = Forest.build(tree.binarise(), rows)
        roots.append(made(ForestBatch.from_forest(built)).hidden[built.roots[0]])
    torch.testing.assert_close(roots[1], roots[0])
    torch.testing.assert_close(roots[2], roots[0])


def test_child_sum_refuses_trees_without_heads():
    trees = ForestBatch.from_forest(Forest.build(Structure.right_branching([3]), np.arange(3)))
    with pytest.raises(ModelError, match="dependency parser before treesent"):
        network(ChildSumConfig)(trees)


@given(structures(max_trees=3))
@settings(max_examples=10)
def test_an_rntn_without_a_tensor_is_a_recursive_net(structure):
    tensor, plain, trees = network(RNTNConfig), network(RecursiveNetConfig), batch(structure)
    with torch.no_grad():
        tensor.composition.tensor.zero_()
    plain.load_state_dict({k: v for k, v in tensor.state_dict().items() if "tensor" not in k})
    torch.testing.assert_close(tensor(trees).logits, plain(trees).logits)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("config", CONFIGS)
@given(structures(max_trees=4, max_words=10))
@settings(max_examples=6)
def test_a_batch_is_its_trees_one_by_one(config, options, structure):
    made, trees = network(config, **options).float().eval(), forest(structure)
    logits = made(ForestBatch.from_forest(trees)).logits[trees.order]
    words = np.split(trees.rows, np.cumsum(trees.lengths)[:-1])
    for tree, rows in enumerate(words):
        alone = Forest.build(with_heads(structure).take([tree]), rows)
        found = made(ForestBatch.from_forest(alone)).logits[alone.order]
        expected = logits[structure.offsets[tree] : structure.offsets[tree + 1]]
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("options", [{}, {"top_down": 2, "attention": 2}], ids=["plain", "options"])
@pytest.mark.parametrize("config", CONFIGS)
def test_gradients_are_those_of_finite_differences(config, options):
    trees, made = batch(Structure.from_distances([3, 1, 2, 0, 1], [5, 2])), network(config, **options)
    weights = dict(made.named_parameters())

    def loss():
        logits = made(trees).logits
        return (logits * torch.linspace(-1, 1, logits.numel(), dtype=torch.float64).view_as(logits)).sum()

    found = torch.autograd.grad(loss(), list(weights.values()))
    for (name, weight), grad in zip(weights.items(), found, strict=True):
        flat, expected, h = weight.detach().view(-1), [], 1e-6
        for place, value in enumerate(flat.tolist()):
            ends = []
            for moved in (value + h, value - h):
                flat[place] = moved
                with torch.no_grad():
                    ends.append(loss().item())
            flat[place] = value
            expected.append((ends[0] - ends[1]) / (2 * h))
        np.testing.assert_allclose(grad.view(-1), expected, atol=1e-7, rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("config", CONFIGS)
def test_equations_pass_gradcheck(config):
    made, random = network(config).composition, generator()
    x = torch.randn(3, WIDTH, generator=random, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(made.leaf, (x,))
    widths = [part.shape[1] for part in made.leaf(x)]
    children = [torch.randn(3, 2, n, generator=random, dtype=torch.float64).requires_grad_() for n in widths]
    assert torch.autograd.gradcheck(lambda *parts: made.compose(parts), children)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("config", CONFIGS)
def test_a_step_makes_no_tensor_without_a_device_and_waits_for_none(config, options):
    made, trees = network(config, **options), batch(Structure.right_branching([5, 1, 3]))
    with DeviceGuard():
        node_loss(made(trees, generator()).logits, trees.label).backward()
    assert all(weight.grad is not None for weight in made.parameters())


@pytest.mark.parametrize("config", CONFIGS)
def test_a_step_stays_on_its_device(config):
    made = network(config, **{**OPTIONS["everything"], "encoder_hidden": 0}).to("meta")
    trees = ForestBatch.from_forest(forest(Structure.right_branching([5, 1, 3])), "meta")
    loss = node_loss(made(trees).logits, trees.label)
    loss.backward()
    assert loss.device.type == "meta"


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("lengths", [[], [1], [1, 1]])
def test_few_words_are_a_batch(config, lengths):
    """A word alone is its tree: attention has nothing to choose, and its downward state is that of a root."""
    made, trees = network(config, top_down=2, attention=2), batch(Structure.right_branching(lengths))
    up = made.composition.leaf(torch.from_numpy(TABLE)[trees.distinct])[0].index_select(0, trees.inverse)
    i, _, o, u = (up @ made.top_down.input.t() + made.top_down.bias).chunk(4, 1)
    down = torch.sigmoid(o) * torch.tanh(torch.sigmoid(i) * torch.tanh(u))
    expected = torch.cat([up, down], 1) @ made.weight.t() + made.bias
    found = made(trees).logits
    torch.testing.assert_close(found, expected)
    weights = [made.weight, made.top_down.input, made.composition.input]
    pairs = (
        torch.autograd.grad(node_loss(each, trees.label), weights) for each in (made(trees).logits, expected)
    )
    torch.testing.assert_close(*pairs)


@pytest.mark.parametrize("config", CONFIGS)
def test_half_precision_is_near(config):
    trees = batch(Structure.right_branching([6, 1, 3]))
    made = network(config, top_down=2, attention=2).float()
    expected = made(trees).logits
    wanted = torch.autograd.grad(node_loss(expected, trees.label), list(made.parameters()))
    with torch.autocast("cpu", torch.bfloat16):
        found = made(trees).logits
        grads = torch.autograd.grad(node_loss(found, trees.label), list(made.parameters()))
    torch.testing.assert_close(found.float(), expected, atol=0.06, rtol=0.06)
    torch.testing.assert_close(grads, wanted, atol=0.03, rtol=0.1)


@given(structures(max_trees=3, max_words=9))
@settings(max_examples=20)
def test_the_top_down_pass_is_an_lstm_from_the_root(structure):
    down, trees = TopDown(WIDTH, HIDDEN, generator()).double(), forest(structure)
    with torch.no_grad():
        down.bias.uniform_(-1, 1, generator=generator())
    up = np.random.default_rng(1).normal(size=(structure.n_nodes, WIDTH))
    placed = np.empty_like(up)
    placed[trees.order] = up
    found = down(torch.from_numpy(placed), ForestBatch.from_forest(trees)).detach().numpy()[trees.order]
    w, u, b = (numbers(down)[name] for name in ("input", "recurrent", "bias"))
    halves = u.reshape(2, 4 * HIDDEN, HIDDEN)
    for tree in range(structure.n_trees):
        left, right = structure.arrays(tree)[:2]
        base, h, c = structure.offsets[tree], {}, {}
        for node in reversed(range(len(left))):
            above = [p for p in range(len(left)) if node in (left[p], right[p])]
            gates = w @ up[base + node] + b
            if above:
                gates = gates + halves[int(right[above[0]] == node)] @ h[above[0]]
            i, f, o, g = np.split(gates, 4)
            c[node] = sigmoid(i) * np.tanh(g) + (sigmoid(f) * c[above[0]] if above else 0)
            h[node] = sigmoid(o) * np.tanh(c[node])
            np.testing.assert_allclose(found[base + node], h[node], atol=1e-12)


@given(structures(max_trees=4, max_words=8))
@settings(max_examples=20)
def test_attention_is_a_weighted_mean_of_each_trees_nodes(structure):
    made, trees = network(TreeLSTMConfig, attention=4), forest(structure)
    plain = network(TreeLSTMConfig)
    plain.load_state_dict({k: v for k, v in made.state_dict().items() if "attention" not in k})
    batched = ForestBatch.from_forest(trees)
    before, after = (n(batched).hidden.detach().numpy() for n in (plain, made))
    w = numbers(made.attention)
    score = w["query"][0] @ np.tanh(before @ w["weight"].T + w["bias"]).T
    for tree, root in enumerate(trees.roots):
        nodes = trees.tree == tree
        share = np.exp(score[nodes]) / np.exp(score[nodes]).sum()
        np.testing.assert_allclose(after[root], share @ before[nodes], atol=1e-12)
    others = np.setdiff1d(np.arange(trees.n_nodes), trees.roots)
    np.testing.assert_array_equal(after[others], before[others])


def test_softmax_of_large_scores():
    share = segment_softmax(torch.tensor([1000.0, 1000.0, -1000.0]), torch.tensor([0, 0, 1]), 2)
    torch.testing.assert_close(share, torch.tensor([0.5, 0.5, 1.0]))


def test_a_new_composition_needs_leaf_and_compose_alone():
    """What CONTRIBUTING promises: level batching by default."""
    made = network(RecursiveNetConfig).composition
    layout = batch(Structure.right_branching([3, 2])).layout(deduplicate=False)
    vectors = torch.randn(5, WIDTH, dtype=torch.float64, generator=generator())
    torch.testing.assert_close(scan(made, made.leaf(vectors), layout)[0], made(vectors, layout)[0])
