"""A language model from a recipe: what it learns, resumed runs, figures, folders."""

import dataclasses
import json
import math

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from tests.benchmarks.ngram import measure
from treesent.cli import app
from treesent.data.streams import Encoded
from treesent.errors import DataError, RecipeError, TreesentError
from treesent.models.language.config import LanguageModelConfig
from treesent.models.language.model import LanguageModel
from treesent.models.language.sections import LanguageTrainingConfig
from treesent.models.language.task import UNKNOWN_BITS, LanguageScores, LanguageTask, score_language
from treesent.models.registry import FAMILIES
from treesent.models.train import train
from treesent.text.vocabulary import EOS, Vocabulary
from treesent.training import trainer
from treesent.training.loop import fit
from treesent.training.recipe import read_recipe
from treesent.training.sections import OptimizerConfig
from treesent.vectors.table import VectorTable

RECIPE = """
[model]
@architectures = "treesent.LanguageModel.v1"
hidden = 12
embedding_width = 6
orders = [2,3]
ngram_bits = 8
ngram_width = 4

[corpora]
train = "texts.jsonl"
dev_last = 4

[training]
max_epochs = 3
metric = "bits_per_character"
batch_size = 3
window = 8

[training.optimizer]
learn_rate = 0.02
"""
WORDS = """
[vectors]
@misc = "treesent.VectorFile.v1"
path = "vectors"

[model]
@architectures = "treesent.LanguageModel.v1"
unit = "word"
cell = "gru"
hidden = 8
cutoffs = [4]
backward = true

[corpora]
train = "texts.txt"
dev = "texts.txt"

[training]
max_epochs = 2
metric = "perplexity"
batch_size = 2
window = 4
"""
TEXTS = [f"the film number {n} is {'good' if n % 3 else 'bad'}" for n in range(20)]
CONFIG = LanguageTrainingConfig(
    max_epochs=3,
    patience=0,
    metric="perplexity",
    batch_size=3,
    window=6,
    optimizer=OptimizerConfig("adamw", 0.01),
)


@pytest.fixture
def folder(tmp_path):
    """Recipes, texts and vectors."""
    (tmp_path / "char.cfg").write_text(RECIPE)
    (tmp_path / "word.cfg").write_text(WORDS)
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS))
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS) + "\n")
    words = ["the", "film", "is", "good"]
    vectors = np.random.default_rng(0).normal(size=(len(words), 5)).astype(np.float32)
    VectorTable(words, vectors).save(tmp_path / "vectors")
    return tmp_path


def setting(texts, config=CONFIG, dev=None, **settings):
    vocabulary = Vocabulary.of(texts, "character")
    shape = LanguageModelConfig(**{"hidden": 12, "embedding_width": 6, **settings})
    model = LanguageModel(vocabulary, shape, generator=torch.Generator().manual_seed(0))
    train, held = (Encoded.of(vocabulary, part) for part in (texts, dev or texts))
    return model, LanguageTask(train, held, config)


def by_steps(model, texts):
    """Nats of texts, one symbol after the other."""
    nats = 0.0
    for text in texts:
        state, last = model.initial_state(1), torch.tensor([EOS])
        for symbol in [*model.vocabulary.encode(text).tolist(), EOS]:
            found, state = model.step(last, state)
            nats, last = nats - float(found[0, symbol]), torch.tensor([symbol])
    return nats


def test_a_sequence_without_chance_is_learned():
    config = dataclasses.replace(
        CONFIG, max_epochs=60, batch_size=4, window=10, optimizer=OptimizerConfig("adamw", 0.02)
    )
    model, task = setting(["abcabcabcabcabcabc"] * 8, config)
    progress = fit(model, task, config)
    # What follows "c" is "a" or, after the sixth, the end: a count to six.
    assert progress.best < 1.05
    assert task.evaluate(model, torch.device("cpu"), 4).bits_per_character < 0.07


@pytest.mark.parametrize("settings", [{}, {"orders": (2, 3), "ngram_bits": 8}, {"cell": "gru", "layers": 2}])
def test_the_figures_are_those_of_reading_step_by_step(settings):
    texts, dev = TEXTS, ["the film", "is bad é", ""]
    model, task = setting(texts, dev=dev, **settings)
    fit(model, task, CONFIG)
    with torch.no_grad():
        nats = by_steps(model, dev)
    scores = task.evaluate(model, torch.device("cpu"), 2)
    assert scores.perplexity == pytest.approx(math.exp(nats / 19), rel=1e-5)
    assert scores.bits_per_character == pytest.approx((nats / math.log(2) + UNKNOWN_BITS) / 16, rel=1e-5)
    assert scores.n_unknown == 1


def test_figures_of_a_uniform_model_are_the_logarithm_of_its_symbols():
    texts = ["abcd" * 5]
    model, task = setting(texts)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    scores = task.evaluate(model, torch.device("cpu"), 2)
    assert scores.perplexity == pytest.approx(6)
    assert scores.bits_per_character == pytest.approx(math.log2(6) * 21 / 20)
    with pytest.raises(TreesentError, match="no metric 'accuracy'"):
        scores.metric("accuracy")
    of_words = LanguageScores(10.0, 5, 0, 20, characters=False)
    with pytest.raises(TreesentError, match="no metric 'bits_per_character'"):
        of_words.metric("bits_per_character")


class Killed(BaseException):
    """Stands for a kill."""


@pytest.mark.parametrize("kill", [3, 9, 14])
@pytest.mark.parametrize(
    "settings", [{}, {"orders": (2, 4), "ngram_bits": 8}, {"cell": "clockwork", "layers": 2}]
)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_resumed_run_equals_an_undisturbed_one(tmp_path, monkeypatch, kill, settings, precision):
    # A pass has more windows than an epoch: states are carried over the end of an epoch, too.
    config = dataclasses.replace(CONFIG, checkpoint_every=3, epoch_steps=7, precision=precision)
    settings = {"output_dropout": 0.2, **settings}
    model, task = setting(TEXTS, config, **settings)
    whole = fit(model, task, config)
    expected = {name: t.clone() for name, t in model.state_dict().items()}
    write = trainer.write_checkpoint

    def until(path, checkpoint):
        write(path, checkpoint)
        if checkpoint.values["progress"]["step"] >= kill:
            raise Killed

    monkeypatch.setattr(trainer, "write_checkpoint", until)
    model, task = setting(TEXTS, config, **settings)
    with pytest.raises(Killed):
        fit(model, task, config, checkpoint=tmp_path / "run")
    monkeypatch.setattr(trainer, "write_checkpoint", write)
    model, task = setting(TEXTS, config, **settings)
    assert fit(model, task, config, checkpoint=tmp_path / "run", resume=True) == whole
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, expected[name]), name


def test_an_epoch_goes_on_where_the_one_before_has_ended():
    config = dataclasses.replace(CONFIG, epoch_steps=5)
    _, task = setting(TEXTS, config)
    seen = []
    for epoch in range(30):
        steps = task.order(config, epoch)
        assert len(steps) == 5
        for items in steps:
            batch = task.batch(items, torch.device("cpu"), non_blocking=False)
            if batch.first:
                seen.append([])
            seen[-1].append(batch.targets)
    whole = [torch.cat(part) for part in seen[:-1]]
    assert len(whole) >= 2
    for part in whole:
        # Every pass asks for all symbols, and passes have other orders.
        assert len(part) == task.lanes.length
        assert len(part) * 3 - len(task.train.symbols) < 3
    assert not torch.equal(whole[0], whole[1])


def test_a_window_is_read_from_the_state_that_the_one_before_left():
    config = dataclasses.replace(CONFIG, batch_size=2, window=5)
    model, task = setting(TEXTS, config)
    windows = [task.batch(items, torch.device("cpu"), False) for items in task.order(config, 0)]
    state, found = {}, []
    with torch.no_grad():
        for window in windows:
            loss, state = task.stream_loss(model, window, state, torch.Generator(), config)
            found.append(float(loss) * window.n_nodes)
        features, _ = model(torch.cat([w.symbols for w in windows]), model.initial_state(2))
        targets = torch.cat([w.targets for w in windows])
        expected = float(model.losses(features.flatten(0, 1), targets.flatten()).sum())
    assert sum(found) == pytest.approx(expected, rel=1e-5)
    # A gradient of the second window does not reach the first.
    _, state = task.stream_loss(model, windows[0], {}, torch.Generator(), config)
    assert all(not part.requires_grad for part in state.values())


def test_a_recipe_gives_a_folder_that_opens(folder):
    lines = []
    trained = train(folder / "char.cfg", folder / "out", log=folder / "log.jsonl", report=lines.append)
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    model = LanguageModel.load(folder / "out")
    assert model.vocabulary.symbols[2:] == Vocabulary.of(TEXTS[:-4], "character").symbols[2:]
    dev = Encoded.of(model.vocabulary, TEXTS[-4:])
    assert trained.dev == score_language(model, dev, 256)
    assert json.loads((folder / "out" / "scores.json").read_text()) == trained.dev.to_dict()
    assert trained.progress.best == min(line["dev"]["bits_per_character"] for line in lines)
    assert trained.dev.bits_per_character == trained.progress.best
    assert trained.dev.n_characters == sum(map(len, TEXTS[-4:]))


@pytest.mark.parametrize(("recipe", "texts"), [("char.cfg", TEXTS[-4:]), ("word.cfg", TEXTS)])
def test_figures_are_of_the_model_as_it_is_saved(folder, recipe, texts):
    trained = train(folder / recipe, folder / "out", overrides={"training.save_precision": "float16"})
    model = LanguageModel.load(folder / "out")
    dev = Encoded.of(model.vocabulary, texts, model.config.backward)
    assert trained.dev == score_language(model, dev, 256)
    assert trained.dev.metric("perplexity") != trained.progress.history[-1]["dev"]["perplexity"]


def test_a_few_texts_of_dev_are_looked_at_after_an_epoch_and_all_at_the_end(folder):
    lines = []
    trained = train(
        folder / "char.cfg", folder / "out", overrides={"training.eval_texts": 2}, report=lines.append
    )
    sizes = [len(text) for text in TEXTS[-4:]]
    assert {line["dev"]["n_characters"] for line in lines} == {sizes[0] + sizes[2]}
    assert trained.dev.n_characters == sum(sizes)


def test_a_model_of_words_reads_vectors_from_the_end(folder):
    trained = train(folder / "word.cfg", folder / "out")
    model = LanguageModel.load(folder / "out")
    number = model.vocabulary.encode("film")[0]
    table = VectorTable.load(folder / "vectors")
    np.testing.assert_array_equal(model.embedding.table[number].detach().numpy(), table.vector("film"))
    assert not model.embedding.table[:2].detach().any()
    assert model.config.backward
    with torch.no_grad():
        nats = by_steps(model, [" ".join(text.split()[::-1]) for text in TEXTS])
    assert trained.dev.perplexity == pytest.approx(math.exp(nats / trained.dev.n_symbols), rel=1e-5)
    assert trained.dev.bits_per_character is None


def test_vectors_are_tuned_where_the_recipe_says_so(folder):
    for cutoffs, tied in ((None, False), ([], True)):
        overrides = {"training.tune_vectors": True, "model.tied": tied}
        if cutoffs is not None:
            overrides["model.cutoffs"] = cutoffs
        train(folder / "word.cfg", folder / "out", overrides=overrides, overwrite=True)
        model = LanguageModel.load(folder / "out")
        rows = model.embedding.table
        vector = VectorTable.load(folder / "vectors").vector("film")
        assert not np.allclose(rows[model.vocabulary.encode("film")[0]].detach().numpy(), vector, atol=1e-4)
        assert (folder / "out" / "vectors").is_dir() != tied


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            {"training.metric": "root.accuracy"},
            "metric is 'root.accuracy'; must be 'perplexity' or 'bits_per_character' for a model of",
        ),
        ({"corpora.dev_share": 0.1}, "dev_share is 0.1, but dev_last is set too"),
        ({"corpora.dev_last": 0, "corpora.dev_share": 0.1}, "dev_share is for classifiers"),
        ({"model.hiden": 3}, "did you mean 'hidden'"),
        ({"model.unit": "syllable"}, "unit is 'syllable'"),
        ({"vectors": {"@misc": "treesent.VectorFile.v1", "path": "vectors"}}, "vectors. are of words"),
    ],
)
def test_recipes_that_make_no_sense_are_refused(folder, overrides, message):
    if "vectors" in overrides:
        overrides = {f"vectors.{key}": value for key, value in overrides["vectors"].items()}
        (folder / "char.cfg").write_text("[vectors]\n" + RECIPE)
    with pytest.raises((RecipeError, DataError), match=message):
        train(folder / "char.cfg", folder / "out", overrides=overrides)
    assert not (folder / "out").exists()


def test_the_command_line_trains_one(folder):
    result = CliRunner().invoke(app, ["train", str(folder / "char.cfg"), "-o", str(folder / "out")])
    assert result.exit_code == 0, result.output
    assert "bits_per_character" in result.output
    assert LanguageModel.load(folder / "out")


def test_an_n_gram_model_gives_each_context_a_distribution(folder):
    from tests.benchmarks.ngram import probabilities

    train_, n_symbols = np.random.default_rng(0).integers(0, 4, 60), 4
    for order in (1, 2, 4):
        context = np.random.default_rng(order).integers(0, 4, order - 1)
        total = sum(
            probabilities(train_, np.append(context, symbol), order, n_symbols)[-1]
            for symbol in range(n_symbols)
        )
        assert total == pytest.approx(1)
    # By hand: "a" follows "b" in 2 of 3 places, two kinds follow it; 3 "a" among 6, two kinds in all.
    found = probabilities(np.array([0, 1, 0, 1, 0, 1, 1]), np.array([1, 0]), 2, 2)[-1]
    lower = (3 + 2 * 0.5) / (7 + 2)
    assert found == pytest.approx((2 + 2 * lower) / (3 + 2))
    scores, _ = measure(read_recipe(folder / "char.cfg", FAMILIES), 5)
    assert 0 < scores.bits_per_character < 3


def test_a_recipe_for_many_texts_takes_few(folder):
    overrides = {"model.cutoffs": [4, 2000, 10000], "model.unit": "word", "training.max_epochs": 1}
    overrides |= {"model.orders": [], "training.metric": "perplexity", "corpora.dev_last": 2000}
    told = []
    with pytest.warns(
        UserWarning, match="dev_last is 2000, and there are 20 texts: the last 4, a fifth, are held"
    ):
        trained = train(folder / "char.cfg", folder / "out", overrides=overrides, announce=told.append)
    assert told == ["evaluating the weights of epoch 1 on dev, as they are saved"]
    assert trained.dev.n_symbols == sum(len(text.split()) + 1 for text in TEXTS[-4:])
    assert LanguageModel.load(folder / "out").output.softmax.cutoffs == [4, 24]
