"""The loop learns, masks what has no label, repeats itself bit for bit, and goes on after a kill."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from treesent.data.batches import Corpus, epoch_batches, in_order, prefetch
from treesent.data.vectors import working_vectors
from treesent.errors import RecipeError, TreesentError
from treesent.models.classifier.evaluation import evaluate_trees, predict
from treesent.models.classifier.node_states import node_loss
from treesent.models.classifier.recursive_config import build
from treesent.models.classifier.task import ClassifierTask
from treesent.models.classifier.tree_lstm import TreeLSTMConfig
from treesent.nn.batch import ForestBatch
from treesent.nn.embedding import VectorEmbedding
from treesent.training import trainer
from treesent.training.checkpoint import read_checkpoint
from treesent.training.log import StepLog
from treesent.training.loop import fit
from treesent.training.optimizers import clip, rate_factor
from treesent.training.rowwise import RowOptimizer
from treesent.training.sections import OptimizerConfig, ScheduleConfig, TrainingConfig
from treesent.training.seeds import stream
from treesent.trees.arrays import ranges
from treesent.trees.brackets import parse_tree
from treesent.vectors.table import VectorTable

TREES = [
    "(3 (2 a) (3 (3 good) (2 film)))",
    "(1 (2 a) (1 (1 bad) (2 film)))",
    "(1 (2 (2 the) (2 film)) (1 (2 is) (1 (2 not) (3 good))))",
    "(3 (2 (2 the) (2 film)) (3 (2 is) (3 (2 not) (1 bad))))",
    "(4 (2 a) (4 (4 great) (2 film)))",
    "(0 (2 an) (0 (0 awful) (2 film)))",
    "(4 superb)",
]
POLARITY = (-1.0, -0.5, 0.0, 0.5, 1.0)
FAST = TrainingConfig(
    max_epochs=3,
    patience=0,
    batch_size=2,
    checkpoint_every=1000,
    optimizer=OptimizerConfig(learn_rate=0.01),
)


def corpus(lines=TREES):
    return Corpus.from_trees([parse_tree(line) for line in lines])


def table(words=None, width=8):
    words = words or sorted({word for word in corpus().words})
    return VectorTable(words, np.random.default_rng(0).normal(size=(len(words), width)).astype(np.float32))


def setting(config, train=None, vectors=None, dropout=0.2):
    """A network with its data, as a run begins."""
    train = train or corpus()
    working, encoded = working_vectors(vectors or table(), [train, corpus()])
    model = build(
        TreeLSTMConfig(hidden=12, recurrent_dropout=dropout, input_dropout=dropout),
        working.matrix.shape[1],
        5,
        VectorEmbedding(working.matrix, tune=config.tune_vectors),
        torch.Generator().manual_seed(stream(config.seed, 0)),
    )
    return model, ClassifierTask(*encoded, POLARITY), working


def weights(model):
    return {name: t.numpy().copy() for name, t in model.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize(
    ("kind", "precision"),
    [*((kind, "float32") for kind in ("adamw", "adagrad", "sgd")), ("adamw", "bfloat16"), ("sgd", "float16")],
)
@pytest.mark.parametrize("tune", [False, True])
def test_a_handful_of_trees_is_learned_by_heart(kind, tune, precision):
    rate = {"adamw": 0.02, "adagrad": 0.1, "sgd": 1.0}[kind]
    config = dataclasses.replace(
        FAST,
        max_epochs=60,
        tune_vectors=tune,
        precision=precision,
        optimizer=OptimizerConfig(kind, rate, momentum=0.5),
    )
    model, data, working = setting(config, dropout=0)
    before = working.matrix.copy()
    progress = fit(model, data, config)
    assert progress.best == 100
    assert progress.history[-1]["dev"]["nodes"]["accuracy_5"] == 100
    assert np.array_equal(model.embedding.table.detach().numpy(), before) != tune


def test_the_same_seed_gives_the_same_weights_and_another_seed_does_not():
    runs = []
    for seed in (0, 0, 1):
        config = dataclasses.replace(FAST, seed=seed, average=0.9)
        torch.manual_seed(len(runs))  # torch's own generator plays no part
        state = torch.get_rng_state()
        model, data, _ = setting(config)
        fit(model, data, config)
        assert torch.equal(torch.get_rng_state(), state)
        runs.append(weights(model))
    assert same(runs[0], runs[1])
    assert not same(runs[0], runs[2])


class Killed(BaseException):
    """Stands for a kill."""


def stop_after(step):
    """What writes checkpoints until a step is done, and is killed then."""
    write_checkpoint = trainer.write_checkpoint

    def write(path, checkpoint):
        write_checkpoint(path, checkpoint)
        if checkpoint.values["progress"]["step"] >= step:
            raise Killed

    return write


@pytest.mark.parametrize("tune", [False, True])
@pytest.mark.parametrize("kind", ["adamw", "adagrad", "sgd"])
@pytest.mark.parametrize("kill", [1, 4, 6, 8])
def test_a_resumed_run_equals_an_undisturbed_one(tmp_path, monkeypatch, kill, kind, tune):
    config = dataclasses.replace(
        FAST,
        average=0.9,
        tune_vectors=tune,
        checkpoint_every=3,
        optimizer=OptimizerConfig(kind, 0.01, weight_decay=0.01, momentum=0.5),
        schedule=ScheduleConfig("linear", warmup=2),
    )
    model, data, _ = setting(config)
    whole = fit(model, data, config, log=tmp_path / "whole.jsonl")
    expected = weights(model)

    file, log = tmp_path / "run.safetensors", tmp_path / "log.jsonl"
    model, data, _ = setting(config)
    monkeypatch.setattr(trainer, "write_checkpoint", stop_after(kill))
    with pytest.raises(Killed):
        fit(model, data, config, checkpoint=file, log=log)
    monkeypatch.undo()
    model, data, _ = setting(config)
    resumed = fit(model, data, config, checkpoint=file, resume=True, log=log)
    assert same(weights(model), expected)
    assert resumed == whole

    def lines(path):
        return [
            {k: v for k, v in json.loads(x).items() if k != "seconds"} for x in path.read_text().splitlines()
        ]

    assert lines(log) == lines(tmp_path / "whole.jsonl")


def overflowing(model, until):
    """Have the gradient of the softmax layer's bias overflow as often as the scale is above a limit."""
    scales = []

    def hook(gradient):
        scale = float(gradient.abs().sum())
        scales.append(scale)
        return torch.full_like(gradient, float("inf")) if scale > until else gradient

    model.bias.register_hook(hook)
    return scales


def test_a_step_that_overflows_is_skipped_and_the_loss_scaled_down(tmp_path):
    learning = OptimizerConfig("sgd", 1.0)
    config = dataclasses.replace(FAST, precision="float16", max_epochs=20, optimizer=learning)
    model, data, _ = setting(config, dropout=0)
    before, scales = weights(model), overflowing(model, 2000)
    log = tmp_path / "log.jsonl"
    fit(model, data, config, log=log, gradients=True)
    steps = [record for record in map(json.loads, log.read_text().splitlines()) if "loss" in record]
    skipped = [record["gradient_norm"] is None for record in steps]
    assert skipped[0] and not all(skipped)
    assert [scale > 2000 for scale in scales] == skipped
    assert [None in record["layers"].values() for record in steps] == skipped
    assert not same(weights(model), before)

    model, data, _ = setting(config, dropout=0)
    overflowing(model, -1)
    with pytest.raises(TreesentError, match="gradient_norm is inf; lower training"):
        fit(model, data, config)
    assert same(weights(model), before)


def test_the_scale_of_the_loss_goes_on_after_a_kill(tmp_path, monkeypatch):
    config = dataclasses.replace(FAST, precision="float16", checkpoint_every=3)
    ends = []
    for resume in (False, True):
        model, data, _ = setting(config)
        overflowing(model, 2000)
        file = tmp_path / "run.safetensors"
        if resume:
            monkeypatch.setattr(trainer, "write_checkpoint", stop_after(3))
            with pytest.raises(Killed):
                fit(model, data, config, checkpoint=file)
            monkeypatch.undo()
            model, data, _ = setting(config)
            overflowing(model, 2000)
        ends.append((fit(model, data, config, checkpoint=file, resume=resume), weights(model)))
    assert ends[0][0] == ends[1][0]
    assert same(ends[0][1], ends[1][1])


def test_a_run_is_not_resumed_with_other_settings(tmp_path):
    model, data, _ = setting(FAST)
    file = tmp_path / "run.safetensors"
    fit(model, data, FAST, checkpoint=file)
    other = dataclasses.replace(FAST, optimizer=OptimizerConfig(learn_rate=0.02))
    with pytest.raises(RecipeError, match=r"training.optimizer.learn_rate is 0.02, but 0.01"):
        fit(model, data, other, checkpoint=file, resume=True)
    longer = dataclasses.replace(FAST, max_epochs=4)
    assert fit(model, data, longer, checkpoint=file, resume=True).epochs == 4


def test_nodes_without_a_label_teach_nothing():
    config = dataclasses.replace(FAST, batch_size=10)
    rootless = corpus([TREES[0].replace("(3 (2 a)", "(- (- a)"), TREES[1]])
    wrong = Corpus(rootless.words, rootless.structure, rootless.label.copy())
    gradients = []
    for train in (rootless, wrong):
        model, data, _ = setting(config, train)
        run = trainer.Trainer(model, data, config, {})
        batch = next(run.rest_of_epoch())
        batch = batch.batches[0].forest
        model.eval()
        logits = model(batch).logits
        logits.retain_grad()
        node_loss(logits, batch.label).backward()
        gradients.append(logits.grad)
        assert (logits.grad[batch.label < 0] == 0).all()
        assert (logits.grad[batch.label >= 0] != 0).any(dim=1).all()
    assert torch.equal(*gradients)


def test_a_root_weight_changes_the_share_of_the_roots():
    losses = []
    for weight in (1.0, 1e6):
        config = dataclasses.replace(FAST, batch_size=10, root_weight=weight)
        model, data, _ = setting(config, dropout=0)
        run = trainer.Trainer(model, data, config, {})
        batch = next(run.rest_of_epoch())
        logits = model(batch.batches[0].forest).logits
        roots = torch.nn.functional.cross_entropy(
            logits[batch.batches[0].forest.roots],
            batch.batches[0].forest.label[batch.batches[0].forest.roots],
        )
        _, loss, _ = run.step(batch)
        losses.append(abs(float((loss - roots).detach())))
    assert losses[1] < 1e-4 < losses[0]


def test_early_stopping_keeps_the_best_weights():
    config = dataclasses.replace(FAST, max_epochs=50, patience=2, metric="nodes.accuracy_5")
    model, data, working = setting(config)
    progress = fit(model, data, config)
    assert progress.epochs == progress.best_epoch + 2 < 50
    batches = [ForestBatch.from_forest(forest) for forest in in_order(data.dev, 3)]
    right = predict(model, batches).argmax(1) == data.dev.label
    assert 100 * right.mean() == pytest.approx(progress.best)
    # The network on the whole table says the same as on the rows of the corpora.
    model.embedding = VectorEmbedding(working.table.matrix)
    scores = evaluate_trees(model, working.table, corpus(), POLARITY, 2)
    assert scores.metric(config.metric) == pytest.approx(progress.best)


def test_a_loss_that_is_not_a_number_stops_the_run():
    config = dataclasses.replace(FAST, clip_norm=0.0, optimizer=OptimizerConfig("sgd", 1e38))
    model, data, _ = setting(config)
    with pytest.raises(
        TreesentError,
        match=r"step \d+, epoch 1, learning rate 1e\+38: .* lower training.optimizer.learn_rate",
    ):
        fit(model, data, config)


def test_the_average_is_what_is_kept():
    config = dataclasses.replace(FAST, max_epochs=1, average=0.5)
    model, data, _ = setting(config)
    start = weights(model)
    run = trainer.Trainer(model, data, config, {})
    expected, path = {k: v.copy() for k, v in start.items()}, []
    for step, batch in enumerate(run.rest_of_epoch()):
        run.step(batch)
        path.append(weights(model))
        decay = min(0.5, (1 + step) / (10 + step))
        expected = {k: decay * v + (1 - decay) * path[-1][k] for k, v in expected.items()}
    run.end_epoch()
    assert same(weights(model), path[-1])
    for name, value in expected.items():
        np.testing.assert_allclose(run.best[name].numpy(), value, rtol=1e-5, atol=1e-6)


def test_tuned_vectors_change_only_where_their_words_are_and_go_back_into_the_table():
    vectors = table([*sorted(set(corpus().words) - {"superb"}), "elsewhere"]).half()
    config = dataclasses.replace(FAST, tune_vectors=True)
    model, data, working = setting(config, corpus(TREES[:1] + TREES[-1:]), vectors)
    fit(model, data, config)
    tuned = working.tuned(model.embedding.table.detach().numpy())
    assert tuned.matrix.dtype == np.float16
    assert tuned.words == [*vectors.words, "superb"]
    changed = {w for w in vectors.words if not np.array_equal(tuned.vector(w), vectors.vector(w))}
    assert changed == {"a", "good", "film"}


def test_gradients_are_clipped_by_value_and_by_norm_sparse_ones_too():
    dense, rows = torch.nn.Parameter(torch.zeros(3)), torch.nn.Parameter(torch.zeros(4, 2))
    dense.grad = torch.tensor([3.0, -4.0, 0.5])
    rows.grad = torch.sparse_coo_tensor([[1, 1]], [[6.0, 0.0], [6.0, 0.0]], (4, 2), check_invariants=True)
    assert float(clip([dense, rows], 0, 0)) == pytest.approx((9 + 16 + 0.25 + 144) ** 0.5)
    assert float(clip([dense, rows], 6.5, 0)) == pytest.approx(13.009612)
    joined = torch.cat([dense.grad, rows.grad.to_dense().ravel()])
    assert float(joined.norm()) == pytest.approx(6.5, rel=1e-4)
    clip([dense, rows], 0, 1.0)
    assert dense.grad.tolist() == pytest.approx([1, -1, 0.25], abs=1e-3)
    assert rows.grad.to_dense()[1].tolist() == [1, 0]


def test_schedules():
    def rates(config):
        return [rate_factor(config, step, 2, 5) for step in range(10)]

    assert rates(ScheduleConfig()) == [1.0] * 10
    linear = rates(ScheduleConfig("linear", warmup=2, floor=0.1))
    assert linear[:3] == pytest.approx([1 / 3, 2 / 3, 1])
    assert np.diff(linear[2:]) == pytest.approx(-0.9 / 8)
    assert rates(ScheduleConfig("cosine"))[5] == pytest.approx(0.5)
    assert rates(ScheduleConfig("exponential", decay=0.5))[::2] == [1, 0.5, 0.25, 0.125, 0.0625]


def test_batches_hold_every_tree_once_and_keep_words_and_labels_together():
    train = corpus()
    _, (encoded, _) = working_vectors(table(), [train, train])
    seen = np.concatenate(epoch_batches(len(train), 3, 0, 4))
    assert sorted(seen) == list(range(len(train)))
    assert not np.array_equal(seen, np.concatenate(epoch_batches(len(train), 3, 0, 5)))
    trees = np.array([4, 2, 6])
    forest = encoded.forest(trees)
    expected = Corpus.from_trees([parse_tree(TREES[i]) for i in trees])
    assert forest.label[forest.order].tolist() == expected.label.tolist()
    words = np.array(sorted(set(train.words)))
    assert words[forest.rows].tolist() == list(expected.words)
    assert ranges(np.array([5, 0]), np.array([2, 3])).tolist() == [5, 6, 0, 1, 2]


def test_prefetching_keeps_order_and_passes_errors_on():
    assert list(prefetch(lambda: range(100))) == list(range(100))

    def broken():
        yield 1
        raise KeyError("two")

    items = prefetch(broken)
    assert next(items) == 1
    with pytest.raises(KeyError, match="two"):
        next(items)
    early = prefetch(lambda: iter(range(10**9)))
    assert next(early) == 0
    early.close()  # ends the thread too


def test_checkpoints_do_not_outlive_their_reader(tmp_path):
    model, data, _ = setting(FAST)
    file = tmp_path / "run.safetensors"
    fit(model, data, FAST, checkpoint=file)
    assert [path.name for path in tmp_path.iterdir()] == ["run.safetensors"]
    assert read_checkpoint(file).values["progress"]["epochs"] == 3


@pytest.mark.parametrize(
    ("kind", "reference"),
    [("adamw", torch.optim.Adam), ("adagrad", torch.optim.Adagrad), ("sgd", torch.optim.SGD)],
)
def test_row_wise_updates_equal_dense_ones_where_every_row_is_met(kind, reference):
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(5, 3, generator=generator)
    tables = [torch.nn.Parameter(start.clone()) for _ in range(2)]
    options = {} if kind == "sgd" else {"eps": 1e-8}
    optimizers = [RowOptimizer(tables[:1], kind, 0.1), reference(tables[1:], 0.1, **options)]
    for _ in range(5):
        gradient = torch.randn(5, 3, generator=generator)
        tables[0].grad = torch.sparse_coo_tensor([range(5)], gradient, check_invariants=True)
        tables[1].grad = gradient
        for optimizer in optimizers:
            optimizer.step()
    torch.testing.assert_close(*tables)
    before = tables[0].detach().clone()
    tables[0].grad = torch.sparse_coo_tensor([[2]], gradient[:1], (5, 3), check_invariants=True)
    optimizers[0].step()
    assert (tables[0] != before).any(dim=1).tolist() == [False, False, True, False, False]


def test_a_log_is_on_disk_after_an_epoch_and_keeps_what_is_not_run_again(tmp_path):
    path = tmp_path / "log.jsonl"
    one = torch.ones(())
    log = StepLog(path)
    for step in (1, 2):
        log.step({"step": step, "epoch": 1}, one, one)
    log.epoch({"step": 2, "epoch": 1, "dev": {}})
    lines = path.read_text().splitlines(keepends=True)
    assert [json.loads(line).get("loss") for line in lines] == [1, 1, None]
    with log:
        log.step({"step": 3, "epoch": 2}, one, one)
    with path.open("a") as file:
        file.write('{"step": 4, "epo')
    for step, epochs, kept in [(3, 1, 4), (2, 1, 3), (2, 0, 2), (1, 0, 1), (0, 0, 0)]:
        copy = tmp_path / "copy.jsonl"
        copy.write_bytes(path.read_bytes())
        with StepLog(copy, step, epochs):
            pass
        assert len(copy.read_text().splitlines()) == kept
