"""Logs of gradients, and the pictures drawn from them."""

import json

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from tests.training.test_loop import FAST, setting
from treesent.cli import app
from treesent.errors import DataError
from treesent.render.curves import draw_curves, read_log
from treesent.render.runs import draw_runs
from treesent.training.gradients import layer_norms, layers
from treesent.training.loop import fit


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """The log of a short run, and its network."""
    path = tmp_path_factory.mktemp("curves") / "log.jsonl"
    model, data, _ = setting(FAST)
    fit(model, data, FAST, log=path, gradients=True)
    return path


def test_norms_of_layers_are_those_of_their_gradients(log):
    records = read_log(log).steps
    assert list(records[0]["layers"]) == ["softmax", "composition"]
    for record in records:
        together = sum(norm**2 for norm in record["layers"].values()) ** 0.5
        assert together == pytest.approx(record["gradient_norm"], rel=1e-3)


def test_layers_of_stacked_networks_are_told_apart():
    model = nn.ModuleDict({"encoder": nn.LSTM(3, 2, num_layers=2, bidirectional=True)})
    found = layers(model)
    assert list(found) == ["encoder.0", "encoder.1"]
    assert [len(parameters) for parameters in found.values()] == [8, 8]
    assert layer_norms(found).tolist() == [0, 0]
    rows = nn.Embedding(4, 2, sparse=True)
    rows(torch.tensor([1, 1, 3])).sum().backward()
    assert float(layer_norms(layers(rows))[0]) == pytest.approx(10**0.5)


def test_without_the_option_the_log_has_no_layers(tmp_path):
    model, data, _ = setting(FAST)
    fit(model, data, FAST, log=tmp_path / "log.jsonl")
    assert "layers" not in read_log(tmp_path / "log.jsonl").steps[0]


class Recurrent(nn.Module):
    """A network that tells how its gradient fades, around one that does not."""

    def __init__(self, model):
        super().__init__()
        self.model, self.record_steps = model, False

    def forward(self, batch, generator=None):
        return self.model(batch, generator)

    def state_gradient_norms(self):
        assert self.record_steps
        return torch.tensor([1.0, 1e-3, 1e-9])


def test_a_recurrent_network_tells_of_its_steps(tmp_path):
    model, data, _ = setting(FAST)
    fit(Recurrent(model), data, FAST, log=tmp_path / "log.jsonl", gradients=True)
    log = read_log(tmp_path / "log.jsonl")
    assert log.steps[0]["state_gradients"] == [1.0, 1e-3, 1e-9]
    draw_curves(log, tmp_path / "curves.svg")
    assert "words from the loss" in (tmp_path / "curves.svg").read_text()


@pytest.mark.parametrize("name", ["curves.png", "pictures/curves.svg"])
def test_curves_are_drawn(log, tmp_path, name):
    result = run("curves", log, "-o", tmp_path / name)
    assert result.exit_code == 0, result.output
    data = (tmp_path / name).read_bytes()
    if name.endswith("svg"):
        text = data.decode()
        for word in ("Loss", "Dev, percent", "root accuracy_5", "composition", "softmax"):
            assert word in text
        draw_curves(read_log(log), tmp_path / "again.svg")
        assert (tmp_path / "again.svg").read_bytes() == data
    else:
        assert data.startswith(b"\x89PNG")


def test_a_run_that_goes_on_is_drawn(log, tmp_path):
    lines = log.read_text().splitlines(keepends=True)
    (tmp_path / "cut.jsonl").write_text(lines[0] + lines[1][:9])
    cut = read_log(tmp_path / "cut.jsonl")
    assert (len(cut.steps), len(cut.epochs)) == (1, 0)
    draw_curves(cut, tmp_path / "cut.png")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no step"),
        ('{"step": 1}\n', "no step"),
        ("step 1\n", "log.jsonl:1: no line of a log"),
        ('[1]\n{"step": 1}\n', "log.jsonl:1: no line of a log"),
    ],
)
def test_what_is_no_log(tmp_path, content, message):
    (tmp_path / "log.jsonl").write_text(content)
    with pytest.raises(DataError, match=message):
        read_log(tmp_path / "log.jsonl")


def test_errors_are_told(log, tmp_path):
    assert "cannot be read" in run("curves", tmp_path / "none", "-o", tmp_path / "a.png").stderr
    assert "use .png or .svg" in run("curves", log, "-o", tmp_path / "a.gif").stderr


def test_missing_points_leave_gaps():
    from treesent.render.log import smooth

    values = np.array([1.0, np.nan, 3.0])
    assert smooth(values)[[0, 2]].tolist() == [1.0, 3.0]
    assert smooth(np.arange(200.0))[-1] == 197.5


def written(path, gradients, dev=None):
    """Write the log of a run of three steps, with the gradients of its states."""
    steps = [
        {
            "step": step,
            "loss": 1 / step,
            "gradient_norm": 1.0,
            "state_gradients": [2.0 * g for g in gradients],
        }
        for step in (1, 2, 3)
    ]
    dev = dev or {"perplexity": 9.5, "bits_per_character": 3.2, "n_symbols": 700}
    epoch = {"step": 3, "epoch": 1, "mean_loss": 0.5, "best": True, "dev": dev}
    path.write_text("".join(json.dumps(line) + "\n" for line in [*steps, epoch]))
    return path


def test_several_runs_share_a_figure(tmp_path):
    vanishing = written(tmp_path / "vanishing.jsonl", [1.0, 0.1, 0.01])
    exploding = written(tmp_path / "exploding.jsonl", [1.0, 10.0])
    assert read_log(vanishing).passed().tolist() == [pytest.approx([1, 0.1, 0.01])] * 3
    result = run("curves", vanishing, exploding, "-o", tmp_path / "both.svg")
    assert result.exit_code == 0, result.output
    text = (tmp_path / "both.svg").read_text()
    for word in (
        "vanishing",
        "exploding",
        "Loss",
        "Dev: perplexity",
        "words from the loss",
        "before clipping",
    ):
        assert word in text
    (tmp_path / "other").mkdir()
    again = written(tmp_path / "other" / "exploding.jsonl", [1.0])
    assert run("curves", exploding, again, "-o", tmp_path / "two.svg").exit_code == 0
    assert "other/exploding.jsonl" in (tmp_path / "two.svg").read_text()


def test_a_language_model_has_perplexities_and_no_percents(tmp_path):
    log = written(tmp_path / "lm.jsonl", [0.0])
    draw_curves(read_log(log), tmp_path / "lm.svg")
    text = (tmp_path / "lm.svg").read_text()
    assert "Dev, less is better" in text
    assert "bits_per_character" in text
    assert "percent" not in text
    assert "n_symbols" not in text
    assert "words from the loss" not in text  # no gradient at the loss, nothing to compare with


def test_a_gradient_that_has_vanished_altogether_is_drawn(tmp_path):
    written(tmp_path / "log.jsonl", [1.0, 0.0, 0.0], {"perplexity": 1.0})
    draw_curves(read_log(tmp_path / "log.jsonl"), tmp_path / "zero.png")
    draw_runs({"a": read_log(tmp_path / "log.jsonl")}, tmp_path / "zero.svg")
