"""The recurrent networks on numbers: one sequence at a time, torch's own, themselves in another way."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import spacy
import torch
from hypothesis import given, settings
from safetensors.torch import save

from tests.device_guard import DeviceGuard
from tests.strategies import structures
from tests.toy_pipeline import TEXT, toy_model, toy_nlp
from treesent.config import KEY
from treesent.errors import RecipeError
from treesent.models.classifier.clockwork_rnn import ClockworkConfig
from treesent.models.classifier.coupled_lstm import CoupledLSTMConfig
from treesent.models.classifier.gru import GRUConfig
from treesent.models.classifier.leaky_rnn import LeakyConfig
from treesent.models.classifier.lstm import LSTMConfig
from treesent.models.classifier.networks import NETWORKS, build_network
from treesent.models.classifier.node_states import node_loss
from treesent.models.classifier.recurrent_config import RecurrentConfig, build
from treesent.models.classifier.rnn import RNNConfig
from treesent.models.classifier.weights import weights_from_bytes
from treesent.models.registry import FAMILIES
from treesent.nn.batch import ForestBatch
from treesent.nn.embedding import VectorEmbedding
from treesent.nn.sequences import Steps
from treesent.pipeline.record import read
from treesent.training.gradients import RecordsSteps
from treesent.training.recipe import read_recipe
from treesent.trees.forest import Forest
from treesent.trees.structure import Structure

N_ROWS, WIDTH, HIDDEN, CLASSES = 11, 4, 3, 5
TABLE = np.random.default_rng(0).normal(size=(N_ROWS, WIDTH))
RECIPES = Path(__file__).parents[3] / "pipelines"
NAMES = {
    network.config: name for name, network in NETWORKS.items() if issubclass(network.config, RecurrentConfig)
}
CONFIGS = {name: config for config, name in NAMES.items()}
OPTIONS = {
    "plain": {},
    "bidirectional": {"bidirectional": True},
    "deep": {"layers": 3, "residual": True},
    "deep, bidirectional": {"layers": 3, "bidirectional": True, "residual": True},
    "mean": {"pooling": "mean"},
    "max, bidirectional": {"pooling": "max", "bidirectional": True},
    "attention": {"pooling": "attention"},
    "attention, bidirectional, deep": {"pooling": "attention", "bidirectional": True, "layers": 2},
    "outputs": {"pooling": "outputs", "layers": 2},
    "dropout": {"recurrent_dropout": 0.4, "input_dropout": 0.3, "layer_dropout": 0.3, "layers": 2},
}
every_network = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
every_option = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def network(config=LSTMConfig, seed=0, **options):
    extra = {"modules": 2} if config is ClockworkConfig else {}
    made = build(
        config(hidden=HIDDEN, **extra, **options), WIDTH, CLASSES, VectorEmbedding(TABLE), generator(seed)
    )
    return made.double()


def forest(structure, seed=0):
    random = np.random.default_rng(seed)
    rows = random.integers(0, N_ROWS, structure.n_words)
    return Forest.build(structure, rows, random.integers(-1, CLASSES, structure.n_nodes))


def batch(structure, seed=0):
    return ForestBatch.from_forest(forest(structure, seed))


def alone(made, rows):
    """Logits of one sequence of words: plain layers over all of it."""
    steps = Steps.of(np.ones(len(rows), np.int64))
    states = torch.from_numpy(TABLE[rows])
    for number, layer in enumerate(made.layers):
        below, states = states, layer.forward_cell(states, steps)
        if layer.backward_cell is not None:
            states = torch.cat([states, layer.backward_cell(below.flip(0), steps).flip(0)], 1)
        if number and made.residual:
            states = states + below
    if made.pooling == "outputs":
        return torch.log_softmax(states @ made.weight.t() + made.bias, 1).mean(0)
    if made.pooling == "last":
        pooled = torch.cat([states[-1, :HIDDEN], states[0, HIDDEN:]])
    elif made.pooling == "attention":
        pool = made.attention
        scores = torch.tanh(states @ pool.weight.t() + pool.bias) @ pool.context
        pooled = torch.softmax(scores, 0) @ states
    else:
        pooled = states.mean(0) if made.pooling == "mean" else states.amax(0)
    return made.weight @ pooled + made.bias


def check_nodes(made, structure, atol):
    trees = forest(structure)
    found = made(ForestBatch.from_forest(trees)).logits
    for node in range(trees.n_nodes):
        expected = alone(made, trees.rows[trees.start[node] : trees.end[node]])
        torch.testing.assert_close(found[node], expected, atol=atol, rtol=atol)


@every_option
@given(structures(max_trees=3, max_words=9))
@settings(max_examples=8)
def test_a_node_is_its_words_read_alone(options, structure):
    check_nodes(network(**options).eval(), structure, 1e-10)


@every_network
@given(structures(max_trees=3, max_words=9))
@settings(max_examples=5)
def test_each_network_reads_a_node_as_its_words(config, structure):
    check_nodes(network(config, bidirectional=True).eval(), structure, 1e-10)


@every_network
@every_option
@given(structures(max_trees=4, max_words=10))
@settings(max_examples=3)
def test_a_batch_is_its_trees_one_by_one(config, options, structure):
    made, trees = network(config, **options).float().eval(), forest(structure)
    logits = made(ForestBatch.from_forest(trees)).logits[trees.order]
    words = np.split(trees.rows, np.cumsum(trees.lengths)[:-1])
    for tree, rows in enumerate(words):
        one = Forest.build(structure.take([tree]), rows)
        found = made(ForestBatch.from_forest(one)).logits[one.order]
        expected = logits[structure.offsets[tree] : structure.offsets[tree + 1]]
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@given(structures())
@settings(max_examples=20)
def test_prefixes_are_sentences_that_stop_there(structure):
    made, trees = network(RNNConfig).eval(), forest(structure)
    found = made.prefixes(ForestBatch.from_forest(trees))
    ends = np.cumsum(trees.lengths)
    for word in range(trees.n_words):
        begin = ends[np.searchsorted(ends, word, "right")] - trees.lengths[trees.tree[word]]
        torch.testing.assert_close(found[word], alone(made, trees.rows[begin : word + 1]))


@pytest.mark.parametrize("options", [{"bidirectional": True}, {"pooling": "mean"}])
def test_prefixes_need_an_output_at_every_step(options):
    with pytest.raises(RecipeError, match="an output in one direction"):
        network(**options).prefixes(batch(Structure.right_branching([3])))


@pytest.mark.parametrize("options", [{}, {"bidirectional": True}])
def test_gradients_of_shared_prefixes_are_those_of_words_read_alone(options):
    made, trees = network(**options), forest(Structure.from_distances([3, 1, 2, 0, 1], [5, 2]))
    spans = [slice(*ends) for ends in zip(trees.start, trees.end, strict=True)]
    found, expected = [], []
    for gradients, logits in (
        (found, made(ForestBatch.from_forest(trees)).logits),
        (expected, torch.stack([alone(made, trees.rows[span]) for span in spans])),
    ):
        made.zero_grad()
        node_loss(logits, torch.from_numpy(trees.label)).backward()
        gradients += [weight.grad.clone() for weight in made.parameters()]
    torch.testing.assert_close(found, expected)


def test_one_mask_for_a_sentence_and_layer():
    """Equal sentences differ by their masks alone, and a mask held over the steps has few values."""
    made = network(RNNConfig, recurrent_dropout=0.5)
    trees = ForestBatch.from_forest(
        Forest.build(Structure.right_branching([6] * 30), np.tile(np.arange(6), 30))
    )
    hidden = made(trees, generator()).hidden[trees.roots]
    assert 1 < len(torch.unique(hidden.round(decimals=9), dim=0)) <= 2**HIDDEN


@every_network
@every_option
def test_a_step_makes_no_tensor_without_a_device_and_waits_for_none(config, options):
    made, trees = network(config, **options), batch(Structure.right_branching([5, 1, 3]))
    with DeviceGuard():
        node_loss(made(trees, generator()).logits, trees.label).backward()
    assert all(weight.grad is not None for weight in made.parameters())


@every_network
@every_option
def test_no_trees_and_one_word_are_batches(config, options):
    made = network(config, **options).eval()
    empty = made(batch(Structure.right_branching([])))
    assert empty.logits.tolist() == empty.hidden.tolist() == [] and empty.logits.shape[1] == CLASSES
    one = forest(Structure.right_branching([1]))
    torch.testing.assert_close(made(ForestBatch.from_forest(one)).logits[0], alone(made, one.rows))


def test_weights_and_masks_follow_the_seed_and_leave_torchs_own_generator_alone():
    trees, before = batch(Structure.right_branching([5, 3])), torch.random.get_rng_state()
    nets = [network(seed=seed, **OPTIONS["dropout"]) for seed in (1, 1, 2)]
    logits = [made(trees, generator(4)).logits for made in nets]
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(logits[0], logits[1]) and not torch.allclose(logits[0], logits[2])
    assert not torch.allclose(nets[0](trees, generator(5)).logits, logits[0])


@pytest.mark.parametrize("options", [OPTIONS["deep"], OPTIONS["attention, bidirectional, deep"]])
def test_a_step_stays_on_its_device(options):
    made = network(CoupledLSTMConfig, **options).to("meta")
    trees = ForestBatch.from_forest(forest(Structure.right_branching([5, 1, 3])), "meta")
    loss = node_loss(made(trees).logits, trees.label)
    loss.backward()
    assert loss.device.type == "meta"


@every_network
@every_option
@pytest.mark.parametrize("kind", ["module", "autocast"])
def test_half_precision_is_near(kind, config, options):
    trees = batch(Structure.right_branching([6, 1, 3]))
    # Masks of another type are other masks.
    made = network(config, **options).float().train(kind == "autocast" or "recurrent_dropout" not in options)
    logits = made(trees, generator()).logits
    node_loss(logits, trees.label).backward()
    gradients = {name: weight.grad.float() for name, weight in made.named_parameters()}
    made.zero_grad()
    with torch.autocast("cpu", torch.bfloat16, enabled=kind == "autocast"):
        found = made.to(torch.float32 if kind == "autocast" else torch.bfloat16)(trees, generator()).logits
        node_loss(found, trees.label).backward()
    torch.testing.assert_close(found.float(), logits, atol=0.05, rtol=0.05)
    for name, weight in made.named_parameters():
        torch.testing.assert_close(weight.grad.float(), gradients[name], atol=0.03, rtol=0.1, msg=name)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@every_network
@every_option
def test_a_gpu_gives_the_same_numbers(config, options):
    made, trees = network(config, **options).eval(), forest(Structure.right_branching([5, 1, 3]))
    expected = made(ForestBatch.from_forest(trees)).logits
    found = made.cuda()(ForestBatch.from_forest(trees, "cuda")).logits
    torch.testing.assert_close(found.cpu(), expected)


@pytest.mark.parametrize(
    ("config", "settings", "message"),
    [
        (RNNConfig, {"hidden": 0}, "hidden is 0"),
        (RNNConfig, {"layers": 0}, "layers is 0"),
        (RNNConfig, {"pooling": "first"}, "pooling is 'first'; must be 'last'"),
        (RNNConfig, {"pooling": "outputs", "bidirectional": True}, "needs bidirectional = false"),
        (LSTMConfig, {"recurrent_dropout": 1.0}, "recurrent_dropout is 1.0"),
        (LeakyConfig, {"rate": 0.0}, "rate is 0.0"),
        (LeakyConfig, {"rate": 0.2, "slowest": 0.3}, "slowest is 0.3; must be at most rate, 0.2"),
        (LeakyConfig, {"tune_rates": True}, "cannot be learned"),
        (ClockworkConfig, {"modules": 0}, "modules is 0"),
        (ClockworkConfig, {"hidden": 3, "modules": 4}, "modules is 4; must be at most hidden, 3"),
    ],
)
def test_settings_that_make_no_sense_are_refused(config, settings, message):
    with pytest.raises(RecipeError, match=message):
        config(**settings)


def test_a_network_without_vectors_says_so():
    made = build(GRUConfig(hidden=HIDDEN), WIDTH, CLASSES)
    with pytest.raises(RecipeError, match="embedding"):
        made(batch(Structure.right_branching([2])))


def test_the_norms_of_steps_are_those_of_backpropagation_through_time():
    """Elman's network, a loss on the root alone: dL/dh_(t-1) = U' ((1 - h_t^2) dL/dh_t)."""
    made, n = network(RNNConfig), 7
    label = np.full(2 * n - 1, -1)
    label[-1] = 2
    trees = ForestBatch.from_forest(Forest.build(Structure.right_branching([n]), np.arange(n), label))
    made.record_steps = True
    node_loss(made(trees).logits, trees.label).backward()
    found = made.state_gradient_norms()
    cell, states = made.layers[0].forward_cell, [torch.zeros(HIDDEN, dtype=torch.float64)]
    with torch.no_grad():
        for x in cell.project(torch.from_numpy(TABLE[:n])):
            states.append(torch.tanh(x + states[-1] @ cell.recurrent_weight()))
        probs = torch.softmax(made.weight @ states[-1] + made.bias, 0)
        gradient, expected = made.weight.t() @ (probs - torch.eye(CLASSES)[2]), []
        for state in states[:0:-1]:
            expected.append(gradient.norm())
            gradient = cell.recurrent_weight() @ ((1 - state**2) * gradient)
    torch.testing.assert_close(found, torch.stack(expected))
    assert len(made.state_gradient_norms()) == 0


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.5])
@pytest.mark.parametrize("recurrent", [RNNConfig, LeakyConfig])
def test_a_gradient_known_in_closed_form(recurrent, factor):
    """Without inputs the states stay 0, tanh is its argument, and U = a I passes a^k of a gradient back k words.

    The leaky unit of rate r passes (1 - r + r a)^k. Phrases of every length end everywhere in the sentences.
    """
    settings = {"rate": 0.25, "slowest": None} if recurrent is LeakyConfig else {}
    made, trees = network(recurrent, **settings), batch(Structure.right_branching([9, 4, 1, 6]))
    cell = made.layers[0].forward_cell
    with torch.no_grad():
        for name, weight in cell.named_parameters():
            weight.zero_()
            if name in ("recurrent", "kernel.weight_hh_l0"):
                weight.copy_(factor * torch.eye(HIDDEN))
    label = torch.full_like(trees.label, -1)
    label[torch.arange(len(label)) % 3 != 1] = 4
    made.record_steps = True
    node_loss(made(trees).logits, label).backward()
    norms = made.state_gradient_norms()
    passed = factor if recurrent is RNNConfig else 0.75 + 0.25 * factor
    expected = norms[0] * passed ** torch.arange(len(norms), dtype=torch.float64)
    assert len(norms) == 9
    assert norms[0] > 0
    torch.testing.assert_close(norms, expected)


@every_network
@pytest.mark.parametrize("name", ["plain", "bidirectional", "mean", "outputs", "deep"])
def test_recording_leaves_the_scores_as_they_are(config, name):
    made, trees = network(config, **OPTIONS[name]).eval(), batch(Structure.right_branching([5, 1, 3]))
    expected = made(trees).logits
    made.record_steps = True
    torch.testing.assert_close(made(trees).logits, expected)


@every_network
@pytest.mark.parametrize(
    "options", [{"layers": 2, "bidirectional": True}, {}], ids=["deep, bidirectional", "plain"]
)
def test_every_network_tells_of_its_states(config, options):
    """The norms are those of finite differences of the loss by the states after a step."""
    made, trees = network(config, **options), batch(Structure.right_branching([5, 2]))
    assert isinstance(made, RecordsSteps)
    made.record_steps = True
    node_loss(made(trees).logits, trees.label).backward()
    norms, cell = made.state_gradient_norms(), made.stack()[-1].forward_cell
    step = cell.step

    def loss(t, part, place, change):
        def changed(preactivations, h_prev, state, recurrent, number):
            new = list(step(preactivations, h_prev, state, recurrent, number))
            if number == t:
                new[part] = new[part].clone()
                new[part].view(-1)[place] += change
            return tuple(new)

        cell.step = changed
        return node_loss(made(trees).logits, trees.label).item()

    sizes = trees.constituents.steps[2].sizes
    lengths = [sum(size > rank for size in sizes) for rank in range(sizes[0])]
    squares = np.zeros((len(sizes), sizes[0]))
    with torch.no_grad():
        for t, n in enumerate(sizes):
            for part in range(cell.n_states):
                for place in range(n * HIDDEN):
                    up, down = (loss(t, part, place, change) for change in (1e-6, -1e-6))
                    rank = place // HIDDEN
                    squares[lengths[rank] - 1 - t, rank] += ((up - down) / 2e-6) ** 2
    learns = squares[0] > 1e-12
    reached = [[learns[rank] and lengths[rank] > k for rank in range(sizes[0])] for k in range(len(sizes))]
    moved = np.sqrt((squares * reached).sum(1) / np.sum(reached, 1))
    np.testing.assert_allclose(norms, moved, atol=1e-8, rtol=1e-5)


def test_weights_of_files_with_the_old_names_of_cells_are_read():
    """Layers had the cells ``forth`` and ``back`` in files of earlier versions."""
    made, other, trees = (network(LSTMConfig, seed=1, **OPTIONS["deep, bidirectional"]).eval(),
                          network(LSTMConfig, seed=2, **OPTIONS["deep, bidirectional"]).eval(),
                          batch(Structure.right_branching([5, 3])))  # fmt: skip
    old = {
        name.replace("forward_cell", "forth").replace("backward_cell", "back"): weight.contiguous()
        for name, weight in made.state_dict().items()
        if not name.startswith("embedding.")
    }
    assert "layers.0.forth.kernel.weight_ih_l0" in old and "layers.2.back.kernel.bias_ih_l0" in old
    weights_from_bytes(other, save(old))
    assert torch.equal(other(trees).logits, made(trees).logits)


@every_network
def test_a_pipeline_is_written_read_and_scores_every_constituent(config, tmp_path):
    block, model = {KEY: NAMES[config], "hidden": 8, "bidirectional": True}, toy_model()
    network = build_network(block, model.table.width, 5, model.network.embedding, generator()).eval()
    nlp = toy_nlp()
    nlp.get_pipe("treesent").trained = replace(model, block=block, network=network)
    nlp.to_disk(tmp_path / "saved")
    again = spacy.load(tmp_path / "saved")
    found, expected = (
        np.concatenate([record.probs for _, record in read(pipeline(TEXT))]) for pipeline in (again, nlp)
    )
    assert len(found) == 2 * len(nlp(TEXT)) - 2
    assert np.array_equal(found, expected)


@every_network
def test_each_network_has_a_recipe(config, tmp_path):
    for name in ("train.txt", "dev.txt"):
        (tmp_path / name).touch()
    paths = {"paths.trees": str(tmp_path), "paths.vectors": str(tmp_path)}
    recipes = {path.name: path for path in RECIPES.glob("*.cfg") if NAMES[config] in path.read_text("utf-8")}
    assert recipes
    for name, path in recipes.items():
        assert isinstance(read_recipe(path, FAMILIES, paths).settings, config)
        assert f"pipelines/{name} " in path.read_text("utf-8")
