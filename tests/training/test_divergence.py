"""A run that diverges says where, keeps its last good checkpoint, and can be resumed with a lower learning rate."""

import dataclasses
import math

import pytest
import torch

from tests.training.test_loop import FAST, setting, weights
from treesent.errors import DivergenceError, RecipeError
from treesent.models.classifier.task import ClassifierTask
from treesent.training.checkpoint import read_checkpoint
from treesent.training.loop import fit
from treesent.training.run import MAY_CHANGE
from treesent.training.sections import OptimizerConfig
from treesent.training.seeds import stream
from treesent.training.trainer import Trainer

DIVERGES = dataclasses.replace(FAST, checkpoint_every=2, optimizer=OptimizerConfig(learn_rate=0.02))
LOWER = dataclasses.replace(DIVERGES, optimizer=OptimizerConfig(learn_rate=0.01))
STEPS_PER_EPOCH = 4


@pytest.fixture
def diverging(monkeypatch):
    """Have the loss be NaN from the sixth step on if the learning rate is above 0.01."""
    healthy = ClassifierTask.loss
    late = {stream(FAST.seed, 1, step) for step in range(5, 100)}

    def loss(self, model, batch, generator, config):
        bad = config.optimizer.learn_rate > 0.01 and generator.initial_seed() in late
        return healthy(self, model, batch, generator, config) * (math.nan if bad else 1.0)

    monkeypatch.setattr(ClassifierTask, "loss", loss)


def run(config, **options):
    model, task, _ = setting(config)
    progress = fit(model, task, config, **options)
    return weights(model), progress


MESSAGE = (
    r"step 6, epoch 2, learning rate 0\.02: loss is nan; lower training\.optimizer\.learn_rate or "
    r"training\.clip_norm\. The checkpoint of step 4 is kept: continue it with --resume and a lower value"
)


def test_a_loss_that_is_nan_keeps_the_last_good_checkpoint(tmp_path, diverging):
    file, good = tmp_path / "run.safetensors", tmp_path / "good.safetensors"
    run(dataclasses.replace(DIVERGES, max_epochs=1), checkpoint=good)
    with pytest.raises(DivergenceError, match=MESSAGE):
        run(DIVERGES, checkpoint=file)
    kept, expected = read_checkpoint(file), read_checkpoint(good)
    assert kept.values["progress"] == expected.values["progress"]
    assert kept.values["progress"]["step"] == STEPS_PER_EPOCH
    assert kept.tensors.keys() == expected.tensors.keys()
    assert all(torch.equal(kept.tensors[name], tensor) for name, tensor in expected.tensors.items())
    # With the same settings it diverges again, at the same step, from the same checkpoint.
    with pytest.raises(DivergenceError, match=MESSAGE):
        run(DIVERGES, checkpoint=file, resume=True)


def test_a_diverged_run_is_resumed_with_a_lower_rate(tmp_path, diverging):
    file = tmp_path / "run.safetensors"
    with pytest.raises(DivergenceError, match="loss is nan"):
        run(DIVERGES, checkpoint=file)
    with pytest.raises(RecipeError, match=r"training.optimizer.learn_rate is 0.01, but 0.02"):
        run(LOWER, checkpoint=file, resume=True)
    found, progress = run(LOWER, checkpoint=file, resume=True, may_change=MAY_CHANGE)
    assert progress.epochs == FAST.max_epochs
    assert all(torch.isfinite(torch.from_numpy(weight)).all() for weight in found.values())
    with pytest.raises(RecipeError, match=r"training.batch_size is 3"):
        run(dataclasses.replace(LOWER, batch_size=3), checkpoint=file, resume=True, may_change=MAY_CHANGE)


def test_without_a_checkpoint_it_says_so(diverging):
    with pytest.raises(DivergenceError, match=r"step 6, .*No checkpoint had been written yet: start"):
        run(DIVERGES)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_weights_that_are_not_finite_are_neither_saved_nor_evaluated(tmp_path, value):
    """An update can overflow though the loss and the gradient of its step were finite."""
    model, task, _ = setting(FAST)
    trainer, file = Trainer(model, task, FAST, {}), tmp_path / "run.safetensors"
    for batch in trainer.rest_of_epoch():
        trainer.step(batch)
    trainer.save(file)
    before = file.read_bytes()
    with torch.no_grad():
        model.bias[1] = value
    message = r"step 4, epoch 1, learning rate 0\.01: a weight is not finite"
    with pytest.raises(DivergenceError, match=message):
        trainer.save(file)
    with pytest.raises(DivergenceError, match=message):
        trainer.end_epoch()
    assert file.read_bytes() == before
    assert trainer.progress.epochs == 0


def test_a_huge_learning_rate_diverges_and_leaves_finite_weights(tmp_path):
    """Without a task made for it: steps of 1e38 overflow float32."""
    config = dataclasses.replace(
        FAST, clip_norm=0.0, checkpoint_every=1, optimizer=OptimizerConfig("sgd", 1e38)
    )
    file = tmp_path / "run.safetensors"
    with pytest.raises(
        DivergenceError, match=r"step \d, epoch 1, .* The checkpoint of step \d is kept"
    ) as info:
        run(config, checkpoint=file)
    kept = read_checkpoint(file)
    assert f"The checkpoint of step {kept.values['progress']['step']} is kept" in str(info.value)
    assert kept.values["progress"]["step"] >= 1
    assert all(tensor.isfinite().all() for tensor in kept.part("model.").values())
