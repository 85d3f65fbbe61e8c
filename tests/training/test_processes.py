"""Several processes train as one does with the whole batch."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

import treesent
from tests.data.test_own_data import ROWS, write
from tests.data.test_own_data import folder as folder
from tests.models.language.test_trainer import RECIPE
from treesent.training.processes import Processes

TREES = """\
(3 (2 a) (3 (3 good) (2 film)))
(1 (2 a) (1 (1 bad) (2 film)))
(4 great)
(0 (- an) (0 (0 awful) (- film)))
(2 film)
"""


def test_shares_are_the_batch_and_nobody_is_idle():
    batch = np.arange(5)
    parts = [Processes(rank, 2).shard(batch) for rank in range(2)]
    assert sorted(np.concatenate([part for part, _ in parts])) == batch.tolist()
    assert all(counts for _, counts in parts)
    assert Processes(1, 2).shard(batch[:1]) == (np.array([0]), False)
    alone = Processes()
    module = torch.nn.Linear(1, 1)
    assert alone.wrap(module) is module
    assert alone.broadcast("x") == "x"
    assert float(alone.sum(torch.ones(()))) == 1


def launch(folder, *arguments, n=2):
    """Start ``treesent`` in some processes; one knows nothing of torchrun."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(n), "-m", "--"]
    return subprocess.Popen(
        [sys.executable, *(launcher if n > 1 else ["-m"]), "treesent", *arguments],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process):
    """Wait for it; give its exit code and what it said."""
    errors = process.communicate(timeout=300)[1]
    return process.returncode, errors


@pytest.mark.slow
@pytest.mark.parametrize("tune", [False, True])
def test_two_processes_have_the_losses_of_one(folder, tune):
    """Trees with labels here and there, texts, and a last batch that only one process has a share of."""
    (folder / "trees.txt").write_text(TREES)
    names = ["bad", "2", "so so", "good", "4"]
    write(folder / "texts.csv", ROWS)
    arguments = ["train", "recipe.cfg", "--overwrite", "--gradients"]
    arguments += ["--training.max_epochs", "3", "--training.batch_size", "5"]
    arguments += ["--corpora.train", '["trees.txt","texts.csv"]', "--labels.names", json.dumps(names)]
    arguments += ["--training.class_weights", "balanced", "--training.root_weight", "2"]
    arguments += ["--training.tune_vectors", json.dumps(tune)]
    found = {}
    for name, n in {"one": 1, "two": 2}.items():
        code, errors = finished(launch(folder, *arguments, "-o", name, "--log", f"{name}.jsonl", n=n))
        assert code == 0, errors
        assert errors.count(": the weights of epoch") == 1
        found[name] = [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]
    for one, two in zip(found["one"], found["two"], strict=True):
        assert one["step"] == two["step"]
        if "loss" in one:
            assert two["loss"] == pytest.approx(one["loss"], rel=1e-4)
            assert two["gradient_norm"] == pytest.approx(one["gradient_norm"], rel=1e-3)
            assert two["layers"] == pytest.approx(one["layers"], rel=5e-3, abs=1e-6)
        else:
            assert two["dev"] == one["dev"]
    assert len([record for record in found["one"] if "loss" in record]) == 3 * 3
    one, two = (treesent.load(folder / name)("A good film . It is bad .") for name in ("one", "two"))
    np.testing.assert_allclose(two._.sentiment.probs, one._.sentiment.probs, atol=1e-3)
    assert not list(folder.glob("*.checkpoint"))


@pytest.mark.slow
def test_a_language_model_of_two_processes_has_the_losses_of_one_and_goes_on_after_a_kill(tmp_path):
    (tmp_path / "char.cfg").write_text(RECIPE)
    texts = [{"text": text} for text in ["abcab", "bca", "cabca", "ab"] * 30]
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in texts))
    options = {"batch_size": "4", "checkpoint_every": "1", "average": "0.9", "max_epochs": "6"}

    def command(name):
        settings = [part for key, value in options.items() for part in (f"--training.{key}", value)]
        return ["train", "char.cfg", "-o", name, "--log", f"{name}.jsonl", *settings]

    def losses(name):
        lines = (tmp_path / f"{name}.jsonl").read_text().splitlines()
        return [record["loss"] for record in map(json.loads, lines) if "loss" in record]

    for name, n in {"one": 1, "two": 2}.items():
        code, errors = finished(launch(tmp_path, *command(name), n=n))
        assert code == 0, errors
    assert losses("two") == pytest.approx(losses("one"), rel=1e-4)

    process, log = launch(tmp_path, *command("cut")), tmp_path / "cut.jsonl"
    # A line is written before the checkpoint of its step.
    while process.poll() is None and not (log.exists() and log.read_text().count("\n") > 10):
        time.sleep(0.01)
    process.terminate()  # torchrun ends its processes; they would outlive its own sudden end
    assert finished(process)[0] != 0
    code, errors = finished(launch(tmp_path, *command("cut"), "--resume", n=3))
    assert code != 0 and "had 2 processes, each with a stream state, but there are 3 now" in errors
    code, errors = finished(launch(tmp_path, *command("cut"), "--resume"))
    assert code == 0, errors
    assert losses("cut") == losses("two")
    models = [(tmp_path / name / "language_model.safetensors").read_bytes() for name in ("two", "cut")]
    assert models[0] == models[1]
