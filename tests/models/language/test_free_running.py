"""A language model on its own draws: scheduled sampling in its task, and the figure for running freely."""

import json
import lzma

import numpy as np
import pytest
import torch

from tests.device_guard import DeviceGuard
from treesent.data.streams import Encoded
from treesent.models.language.config import LENGTHS, LanguageModelConfig
from treesent.models.language.free_running import free_losses, run_freely
from treesent.models.language.generation import distribution
from treesent.models.language.model import LanguageModel
from treesent.models.language.sampling import SamplingConfig, pick
from treesent.models.language.scheduled_sampling import ScheduledSampling
from treesent.models.language.sections import LanguageTrainingConfig
from treesent.models.language.task import LanguageTask
from treesent.models.language.text_losses import text_losses
from treesent.text.vocabulary import EOS, Vocabulary
from treesent.training.loop import fit
from treesent.training.sections import OptimizerConfig

TEXTS = ["abcab", "ca", "bbcabca", "c", "abcabcabc"] * 4
CPU = torch.device("cpu")


def make(**settings):
    settings = {"cell": "rnn", "hidden": 8, "embedding_width": 5, **settings}
    generator = torch.Generator().manual_seed(1)
    model = LanguageModel(
        Vocabulary("character", "abc"), LanguageModelConfig(**settings), generator=generator
    )
    model.fit_lengths(np.array([len(text) for text in TEXTS]))
    return model.double()


def encoded():
    return Encoded.of(Vocabulary("character", "abc"), TEXTS)


def config(**settings):
    return LanguageTrainingConfig(
        **{
            "max_epochs": 1,
            "metric": "perplexity",
            "batch_size": 4,
            "window": 8,
            "epoch_steps": 6,
            **settings,
        }
    )


NETWORKS = [{}, {"cell": "lstm"}, {"output_recurrence": 1}, {"output_recurrence": 3, "layers": 2}]


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_fed_the_truth_alone_it_is_teacher_forcing(network, length):
    """Step by step, with the model's own draws never taken, the losses are those of the whole window."""
    model, task = make(length=length, **network), LanguageTask(encoded(), encoded(), config())
    state = forced_state = model.initial_state(4)
    for items in task.order(config(), 0):
        batch = task.batch(items, CPU, False)
        remaining = None if model.count is None else batch.remaining
        symbols = torch.cat([batch.symbols, batch.targets[-1:]])
        losses, state = free_losses(model, symbols, state, 1.0, None, remaining)
        features, forced_state = model(batch.symbols, forced_state, None, remaining)
        forced = model.losses(features.flatten(0, 1), batch.targets.flatten()).view_as(losses)
        torch.testing.assert_close(losses, forced, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_a_text_in_a_stream_is_as_probable_as_alone(network, length):
    model, texts = make(length=length, **network).eval(), encoded()
    stream = torch.from_numpy(np.append(EOS, texts.symbols).astype(np.int64))[:, None]
    remaining = torch.from_numpy(texts.remaining(np.arange(-1, len(texts.symbols) - 1)))[:, None]
    features, _ = model(stream[:-1], model.initial_state(1), None, remaining)
    losses = model.losses(features[:, 0], stream[1:, 0])
    alone = text_losses(model, texts.texts())
    if model.count is not None:
        alone += model.count.log_prob(torch.tensor([len(text) for text in TEXTS])).numpy()
    assert [part.sum().item() for part in losses.split(np.diff(texts.offsets).tolist())] == pytest.approx(
        alone
    )


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_nothing_waits_for_the_device_in_any_precision(network, length):
    model, task = make(length=length, **network).float(), LanguageTask(encoded(), encoded(), config())
    batch = task.batch(task.order(config(), 0)[0], CPU, False)
    symbols = torch.cat([batch.symbols, batch.targets[-1:]])
    state, generator, uniform = model.initial_state(4), torch.Generator().manual_seed(0), torch.rand(4)
    with DeviceGuard(), torch.autocast("cpu", torch.bfloat16):
        losses, _ = free_losses(model, symbols, state, 0.5, generator, batch.remaining)
        features, _ = model(batch.symbols, state, generator, batch.remaining)
        total = losses.mean() + model.losses(features.flatten(0, 1), batch.targets.flatten()).mean()
        total.backward()
    for name, weight in model.named_parameters():
        assert torch.isfinite(weight.grad).all(), name
    with DeviceGuard():
        log_probs, _ = model.window(batch.symbols, state, None, batch.remaining)
        pick(
            distribution(log_probs[-1], SamplingConfig(top_k=2, top_p=0.5), model.ending.in_softmax),
            uniform,
        )


def test_share_0_feeds_its_own_draws():
    """The loss of a window is that of true symbols after inputs that the model drew, an end left to stand."""
    model = make()
    symbols = torch.tensor([[2, 3], [4, 2], [3, EOS], [2, 2], [4, 3]])
    _, numbers = torch.rand((2, 4, 2), generator=torch.Generator().manual_seed(5))
    state, read, wanted = model.initial_state(2), symbols[0], []
    for place in range(4):
        log_probs, state = model.step(read, state)
        wanted.append(-log_probs.gather(1, symbols[place + 1][:, None])[:, 0])
        if place < 3:
            own = pick(log_probs.float().exp(), numbers[place + 1])
            true = (symbols[place + 1] == EOS) | (own == EOS)
            read = torch.where(true, symbols[place + 1], own)
    found, _ = free_losses(model, symbols, model.initial_state(2), 0.0, torch.Generator().manual_seed(5))
    torch.testing.assert_close(found, torch.stack(wanted))


def test_a_task_samples_on_schedule():
    """The share falls with the step of the run; the loss is then another than with the truth alone."""
    schedule = ScheduledSampling("linear", steps=4)
    settings, forced = config(scheduled_sampling=schedule), config()
    model, task = make(), LanguageTask(encoded(), encoded(), settings)
    other = LanguageTask(encoded(), encoded(), forced)
    for step, items in enumerate(task.order(settings, 0)):
        batch = task.batch(items, CPU, False)
        assert batch.step == step
        losses = [
            each.loss(model, batch, torch.Generator().manual_seed(step), wanted).item()
            for each, wanted in ((task, settings), (other, forced))
        ]
        assert (losses[0] == losses[1]) == (schedule.ratio(step) == 1), step


def test_a_run_goes_on_where_it_was_interrupted(tmp_path):
    """With scheduled sampling, drawn lengths and a state of last outputs, to the same weights."""
    settings = {"length": "count", "output_recurrence": 3}
    wanted = config(scheduled_sampling=ScheduledSampling("linear", steps=6), max_epochs=2, checkpoint_every=3)
    file = tmp_path / "checkpoint.safetensors"
    whole = make(**settings)
    fit(whole, LanguageTask(encoded(), encoded(), wanted), wanted)
    first = config(scheduled_sampling=wanted.scheduled_sampling, checkpoint_every=3)
    fit(make(**settings), LanguageTask(encoded(), encoded(), first), first, checkpoint=file)
    again = make(**settings)
    fit(again, LanguageTask(encoded(), encoded(), wanted), wanted, checkpoint=file, resume=True)
    for one, other in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("length", LENGTHS)
def test_running_freely_begins_with_the_truth(length):
    """Right after the true text it is teacher forcing; with a horizon of 1 everywhere."""
    model = make(length=length).eval()
    texts = encoded().texts()
    free = run_freely(model, texts, 3, horizon=1)
    forced = text_losses(model, texts).sum()
    if model.count is not None:
        forced += model.count.log_prob(torch.tensor([len(text) for text in TEXTS])).sum().item()
    assert free.nats.sum() == pytest.approx(forced)
    assert free.counts.tolist() == [sum(map(len, texts))]
    longer = run_freely(model, texts, 3, horizon=4)
    assert longer.counts.sum() == free.counts.sum() and len(longer.by_distance()) == 4


def test_a_model_that_knows_the_text_by_heart_suffers_on_its_own_draws():
    """One that is sure of what follows abc, and has to guess at the beginning, is led astray by its guess."""
    model = make(cell="gru", hidden=16).float()
    wanted = config(epoch_steps=400, optimizer=OptimizerConfig(learn_rate=0.02), free_running=True)
    texts = Encoded.of(Vocabulary("character", "abc"), ["abababab", "cccccccc"] * 10)
    task = LanguageTask(texts, texts, wanted)
    fit(model, task, wanted)
    free = run_freely(model, texts.texts(), horizon=8, seed=3).by_distance()
    scores = task.evaluate(model, CPU, 8)
    assert scores.perplexity < 1.3
    assert max(free[2:]) > 2 and scores.metric("free_perplexity") > scores.perplexity


@pytest.mark.parametrize("length", LENGTHS)
def test_the_recipe_trains_and_its_model_speaks(tmp_path, length):
    from treesent.models.language.inference import load_language_model, sample
    from treesent.models.language.ranking import rank
    from treesent.models.train import train

    with lzma.open(tmp_path / "unsup.jsonl.xz", "wt") as file:
        file.writelines(json.dumps({"text": text * 20}) + "\n" for text in TEXTS * 5)
    smaller = {"batch_size": 8, "window": 16, "epoch_steps": 20, "max_epochs": 2}
    overrides = {f"training.{name}": value for name, value in smaller.items()}
    overrides |= {"paths.imdb": str(tmp_path), "corpora.dev_last": 20, "model.length": length}
    overrides |= {"model.hidden": 16, "training.scheduled_sampling.steps": 15}
    trained = train("output_recurrence", tmp_path / "out", overrides=overrides, device="cpu")
    first, last = (epoch["dev"] for epoch in trained.progress.history)
    assert last["perplexity"] < first["perplexity"] < 6
    assert trained.dev.metric("free_perplexity") >= 1
    model = load_language_model(tmp_path / "out", length=length)
    assert [text.text for text in sample(model, 2, prompt="ab", max_length=5)] == [
        text.text for text in sample(model, 3, prompt="ab", max_length=5)[:2]
    ]
    ranked = rank(model, ["aacbbacc" * 20, "abcabcab" * 20, "bbacbbaa" * 20], by="perplexity")
    assert sorted(row.line for row in ranked) == [1, 2, 3]
    assert ranked[0].perplexity < ranked[1].perplexity < ranked[2].perplexity
