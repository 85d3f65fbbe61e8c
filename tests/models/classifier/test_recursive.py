"""The recursive networks on numbers: against their equations, torch's LSTM, and themselves in another way."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.device_guard import DeviceGuard
from tests.strategies import structures
from treesent.errors import RecipeError
from treesent.models.classifier.fused_tree_lstm import FusedTreeLSTM
from treesent.models.classifier.node_states import node_loss
from treesent.models.classifier.recursive_config import build
from treesent.models.classifier.tree_lstm import BinaryTreeLSTM, TreeLSTMConfig
from treesent.nn.batch import ForestBatch
from treesent.nn.embedding import VectorEmbedding
from treesent.nn.levels import Composition
from treesent.trees.forest import Forest
from treesent.trees.structure import Structure

N_ROWS, WIDTH, HIDDEN, CLASSES = 11, 4, 3, 5
TABLE = np.random.default_rng(0).normal(size=(N_ROWS, WIDTH))
OPTIONS = {
    "plain": {},
    "leaf": {"leaf": 6},
    "encoder": {"encoder_hidden": 2},
    "units": {"projection": 3, "encoder": "sru", "encoder_hidden": 2, "encoder_layers": 2},
    "dropout": {"input_dropout": 0.4, "output_dropout": 0.3},
    "variational": {"recurrent_dropout": 0.5},
    "everything": {
        "leaf": 6,
        "encoder_hidden": 2,
        "encoder_dropout": 0.2,
        "input_dropout": 0.4,
        "recurrent_dropout": 0.5,
    },
}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def network(seed=0, **options):
    made = build(
        TreeLSTMConfig(hidden=HIDDEN, **options), WIDTH, CLASSES, VectorEmbedding(TABLE), generator(seed)
    )
    with torch.no_grad():
        made.composition.bias.uniform_(-1, 1, generator=generator(seed))
    return made.double()


def forest(structure, seed=0):
    random = np.random.default_rng(seed)
    rows = random.integers(0, N_ROWS, structure.n_words)
    return Forest.build(structure, rows, random.integers(-1, CLASSES, structure.n_nodes))


def batch(structure, seed=0):
    return ForestBatch.from_forest(forest(structure, seed))


def test_a_chain_is_an_lstm():
    """With the right forget gate shut, a left-branching tree reads leaves as torch's LSTM reads inputs."""
    steps, model = 9, BinaryTreeLSTM(WIDTH, HIDDEN, generator()).double()
    shut = 1e4
    with torch.no_grad():
        model.bias.uniform_(-1, 1, generator=generator())
        # The last number of every vector is 1 and drives the last unit of a leaf to h = tanh(1).
        model.input.view(3, HIDDEN, WIDTH)[:, -1, -1] = shut
        model.recurrent.view(5, HIDDEN, 2 * HIDDEN)[1, :, -1] = -shut
    vectors = torch.randn(steps, WIDTH, generator=generator(), dtype=torch.float64)
    vectors[:, -1] = 1
    structure = Structure.from_distances(np.arange(steps - 1.0), [steps])
    layout = ForestBatch.from_forest(Forest.build(structure, np.arange(steps))).layout(deduplicate=False)
    h, c = model(vectors, layout)

    lstm = torch.nn.LSTM(HIDDEN, HIDDEN).double()
    u_fl, _, u_i, u_o, u_u = model.recurrent.detach().view(5, HIDDEN, 2 * HIDDEN)
    b_f, b_i, b_o, b_u = model.bias.detach()
    gates = torch.cat([u_i, u_fl, u_u, u_o])  # torch's order: i, f, g, o
    with torch.no_grad():
        lstm.weight_hh_l0.copy_(gates[:, :HIDDEN])
        lstm.weight_ih_l0.copy_(gates[:, HIDDEN:])
        lstm.bias_ih_l0.copy_(torch.cat([b_i, b_f, b_u, b_o]))
        lstm.bias_hh_l0.zero_()
    output, (_, last) = lstm(h[1:steps, None], (h[:1, None], c[:1, None]))
    torch.testing.assert_close(h[steps:], output[:, 0])
    torch.testing.assert_close(c[-1:], last[0])


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@given(structures(max_trees=5, max_words=12))
@settings(max_examples=15)
def test_a_batch_is_its_trees_one_by_one(options, structure):
    made, trees = network(**options).float().eval(), forest(structure)
    logits = made(ForestBatch.from_forest(trees)).logits[trees.order]
    words = np.split(trees.rows, np.cumsum(trees.lengths)[:-1])
    for tree, rows in enumerate(words):
        alone = Forest.build(structure.take([tree]), rows)
        found = made(ForestBatch.from_forest(alone)).logits[alone.order]
        expected = logits[structure.offsets[tree] : structure.offsets[tree + 1]]
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def learn(made, trees, seed=3):
    """Logits and gradients of one step."""
    made.zero_grad()
    logits = made(trees, generator(seed)).logits
    node_loss(logits, trees.label).backward()
    return logits.detach(), {name: weight.grad.clone() for name, weight in made.named_parameters()}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@given(structures(), st.integers(0, 9))
@settings(max_examples=10)
def test_by_hand_is_by_autograd(training, options, structure, seed):
    made, trees = network(**options).train(training), batch(structure, seed)
    by_hand = learn(made, trees)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BinaryTreeLSTM, "forward", Composition.forward)
        by_autograd = learn(made, trees)
    torch.testing.assert_close(by_hand, by_autograd, atol=1e-12, rtol=1e-9)
    with torch.no_grad():
        torch.testing.assert_close(made(trees, generator(3)).logits, by_hand[0], atol=1e-12, rtol=1e-9)


def naive(model, vectors, layout):
    """Autograd all the way, the states of each level appended to those below."""
    h, c = model.leaf(vectors)
    for begin, end in layout.blocks:
        children = layout.children[begin:end]
        more = model.compose((h[children], c[children]))
        h, c = torch.cat([h, more[0]]), torch.cat([c, more[1]])
    return h, c


@given(structures(max_trees=4, max_words=9))
@settings(max_examples=20)
def test_level_by_level_gradients_are_those_of_one_graph(structure):
    model = BinaryTreeLSTM(WIDTH, HIDDEN, generator()).double()
    trees = batch(structure)
    vectors = torch.randn(
        len(trees.distinct), WIDTH, dtype=torch.float64, generator=generator()
    ).requires_grad_()
    layout, found = trees.layout(deduplicate=True), []
    for forward in (naive, Composition.forward, BinaryTreeLSTM.forward):
        h, c = forward(model, vectors, layout)
        weights = (vectors, *model.parameters())
        found.append(
            torch.autograd.grad((h * h.detach().cos()).sum() + (c * c).sum(), weights, materialize_grads=True)
        )
    torch.testing.assert_close(found[1], found[0])
    torch.testing.assert_close(found[2], found[0])


@pytest.mark.parametrize("masked", [False, True])
def test_gradients_by_hand_are_those_of_finite_differences(masked):
    trees = batch(Structure.from_distances([3, 1, 2, 0, 1, 2, 2], [5, 1, 4]))
    layout = trees.layout(deduplicate=not masked)
    model = BinaryTreeLSTM(2, 2, generator()).double()
    vectors = torch.randn(layout.n_leaves, 2, dtype=torch.float64, generator=generator()).requires_grad_()
    mask = torch.tensor([[0.0, 2], [2, 2], [2, 0]], dtype=torch.float64) if masked else None
    inputs = (vectors, model.input, model.recurrent, model.bias)
    assert torch.autograd.gradcheck(lambda *given: FusedTreeLSTM.apply(*given, mask, layout, True), inputs)


def test_the_order_of_trees_changes_nothing_else():
    structure = Structure.from_distances([3, 1, 2, 0, 1, 2, 2], [5, 1, 4])
    rows = np.split(np.array([1, 2, 3, 4, 5, 6, 7, 8, 9, 1]), [5, 6])
    made, permutation = network(), [2, 0, 1]
    first = Forest.build(structure, np.concatenate(rows))
    second = Forest.build(structure.take(permutation), np.concatenate([rows[i] for i in permutation]))
    logits = (
        made(ForestBatch.from_forest(first)).logits[first.order].split(np.diff(structure.offsets).tolist())
    )
    other = made(ForestBatch.from_forest(second)).logits[second.order]
    torch.testing.assert_close(other, torch.cat([logits[i] for i in permutation]))


def test_unlabelled_nodes_have_no_gradient():
    logits = torch.randn(4, CLASSES, generator=generator(), requires_grad=True)
    node_loss(logits, torch.tensor([2, -1, 0, -1])).backward()
    assert (logits.grad.abs().sum(1) > 0).tolist() == [True, False, True, False]
    loss = node_loss(logits, torch.full((4,), -1))
    assert loss.item() == 0
    assert not torch.autograd.grad(loss, logits)[0].any()


def test_a_weight_counts_a_node_so_many_times():
    logits = torch.randn(3, CLASSES, generator=generator())
    label = torch.tensor([1, 4, -1])
    twice = node_loss(logits[[0, 1, 1]], label[[0, 1, 1]])
    torch.testing.assert_close(node_loss(logits, label, torch.tensor([1.0, 2.0, 5.0])), twice)


def test_one_word_is_a_tree():
    made, trees = network(), batch(Structure.right_branching([1]))
    logits, grads = learn(made, trees)
    h, _ = made.composition.leaf(made.embedding(trees.distinct))
    expected = h @ made.weight.t() + made.bias
    torch.testing.assert_close(logits, expected)
    wanted = torch.autograd.grad(node_loss(expected, trees.label), made.composition.input)[0]
    torch.testing.assert_close(grads["composition.input"], wanted)
    assert not grads["composition.recurrent"].any() and not grads["composition.bias"][0].any()


def test_no_trees_is_a_batch():
    """It scores nothing, and leaves a step as it was."""
    made, trees = network(), batch(Structure.right_branching([]))
    logits, grads = learn(made, trees)
    assert logits.tolist() == [] and logits.shape[1] == CLASSES
    assert not any(grad.any() for grad in grads.values())


def test_masks_follow_the_seed():
    made, trees = (
        network(**OPTIONS["everything"], output_dropout=0.3),
        batch(Structure.right_branching([5, 3])),
    )
    logits = [made(trees, generator(seed)).logits for seed in (1, 1, 2)]
    assert torch.equal(logits[0], logits[1])
    assert not torch.allclose(logits[0], logits[2])


def test_weights_follow_the_seed_and_leave_torchs_own_generator_alone():
    before = torch.random.get_rng_state()
    states = [network(seed, **OPTIONS["everything"]).state_dict() for seed in (1, 1, 2)]
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not torch.equal(states[0]["composition.recurrent"], states[2]["composition.recurrent"])


def test_vectors_are_tuned_through_the_tree():
    trees = batch(Structure.right_branching([4, 2]))
    made = network()
    made.embedding = VectorEmbedding(TABLE, tune=True)
    made.double()
    learnt = learn(made, trees)[1]["embedding.table"]
    assert learnt.is_sparse
    assert (learnt.to_dense().abs().sum(1) > 0).nonzero()[:, 0].tolist() == trees.distinct.tolist()


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize(
    "forward", [BinaryTreeLSTM.forward, Composition.forward], ids=["by hand", "by autograd"]
)
def test_a_step_makes_no_tensor_without_a_device_and_waits_for_none(forward, options, monkeypatch):
    monkeypatch.setattr(BinaryTreeLSTM, "forward", forward)
    made, trees = network(**options), batch(Structure.right_branching([5, 1, 3]))
    with DeviceGuard():
        node_loss(made(trees, generator()).logits, trees.label).backward()


def test_the_guard_sees_what_it_should():
    mask = torch.ones(2, dtype=torch.bool)
    for fault in (lambda: torch.zeros(2), lambda: mask[0].item(), lambda: mask[mask]):
        with DeviceGuard(), pytest.raises(AssertionError):
            fault()


@pytest.mark.parametrize("options", [OPTIONS["plain"], OPTIONS["variational"]])
def test_a_step_stays_on_its_device(options):
    made = network(**options).to("meta")
    trees = ForestBatch.from_forest(forest(Structure.right_branching([5, 1, 3])), "meta")
    loss = node_loss(made(trees).logits, trees.label)
    loss.backward()
    assert loss.device.type == "meta" and made.composition.recurrent.grad.device.type == "meta"


@pytest.mark.parametrize("kind", ["module", "autocast"])
def test_half_precision_is_near(kind):
    trees = batch(Structure.right_branching([6, 1, 3]))
    expected = learn(network().float(), trees)
    if kind == "module":
        found = learn(network().to(torch.bfloat16), trees)
    else:
        with torch.autocast("cpu", torch.bfloat16):
            found = learn(network().float(), trees)
    torch.testing.assert_close(found[0].float(), expected[0], atol=0.05, rtol=0.05)
    for name, grad in found[1].items():
        torch.testing.assert_close(grad.float(), expected[1][name], atol=0.02, rtol=0.1)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("options", [OPTIONS["plain"], OPTIONS["encoder"]])
def test_a_gpu_gives_the_same_numbers(options):
    trees = forest(Structure.right_branching([5, 1, 3]))
    expected = learn(network(**options), ForestBatch.from_forest(trees))
    found = learn(network(**options).cuda(), ForestBatch.from_forest(trees, "cuda"))
    torch.testing.assert_close(found[0].cpu(), expected[0])


@pytest.mark.parametrize(
    ("setting", "value"), [("hidden", 0), ("leaf", -1), ("encoder_hidden", -1), ("output_dropout", 1.0)]
)
def test_settings_that_make_no_sense_are_refused(setting, value):
    with pytest.raises(RecipeError, match=f"{setting} is {value}"):
        TreeLSTMConfig(**{setting: value})


def test_a_network_without_vectors_says_so():
    made = build(TreeLSTMConfig(hidden=HIDDEN), WIDTH, CLASSES)
    with pytest.raises(RecipeError, match="embedding"):
        made(batch(Structure.right_branching([2])))
