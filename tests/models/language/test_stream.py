"""The state of a stream belongs to the loop: no step depends on which thread made the batch, or when."""

import dataclasses

import pytest
import torch

from tests.models.language.test_trainer import CONFIG, TEXTS, setting
from treesent.training import trainer
from treesent.training.loop import fit

CPU = torch.device("cpu")
SETTINGS = dataclasses.replace(CONFIG, batch_size=2, window=5, epoch_steps=7, checkpoint_every=4)


def weights(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def trained(**options):
    model, task = setting(TEXTS, SETTINGS, recurrent_dropout=0.2)
    fit(model, task, SETTINGS, **options)
    return weights(model)


class Killed(BaseException):
    """Stands for a kill."""


@pytest.mark.parametrize("thread", [False, True])
def test_prefetching_and_resuming_change_no_weight(tmp_path, monkeypatch, thread):
    """Batches of a pass, and of the next one, are made while earlier steps are still taken."""
    expected = trained()
    monkeypatch.setattr(trainer, "on_thread", lambda device: thread)
    assert same(trained(), expected)
    write = trainer.write_checkpoint

    def write_and_die(path, checkpoint):
        write(path, checkpoint)
        if checkpoint.values["progress"]["step"] == 12:
            raise Killed

    file = tmp_path / "run.safetensors"
    monkeypatch.setattr(trainer, "write_checkpoint", write_and_die)
    with pytest.raises(Killed):
        trained(checkpoint=file)
    monkeypatch.setattr(trainer, "write_checkpoint", write)
    # From here on, it resumes with the other way of making batches.
    monkeypatch.setattr(trainer, "on_thread", lambda device: not thread)
    assert same(trained(checkpoint=file, resume=True), expected)


def test_a_task_has_no_state_of_its_own():
    """Two models that take turns on one task learn what each would alone."""

    def losses(model, task, state, batch):
        loss, state = task.stream_loss(model, batch, state, torch.Generator().manual_seed(0), SETTINGS)
        return float(loss.detach()), state

    (one, task), (two, _) = (setting(TEXTS, SETTINGS, hidden=hidden) for hidden in (12, 9))
    order = task.order(SETTINGS, 0)
    ahead = [task.batch(items, CPU, False) for items in order]  # long before the first step
    alone = []
    for model in (one, two):
        state, found = {}, []
        for batch in ahead:
            loss, state = losses(model, task, state, batch)
            found.append(loss)
        alone.append(found)
    states, turns = [{}, {}], [[], []]
    for items in order:
        for i, model in enumerate((one, two)):
            task.batch(order[-1], CPU, False)
            loss, states[i] = losses(model, task, states[i], task.batch(items, CPU, False))
            turns[i].append(loss)
    assert turns == alone
