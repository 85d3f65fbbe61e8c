"""``treesent train`` and ``treesent evaluate`` as a user runs them."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from typer.testing import CliRunner

import treesent
from treesent.cli import app
from treesent.cli.train import parse_overrides
from treesent.files import packaged, recipe_path
from treesent.models.registry import FAMILIES
from treesent.models.train import train
from treesent.training.recipe import read_recipe
from treesent.trees.brackets import read_trees
from treesent.vectors.table import VectorTable

TREES = """\
(3 (2 a) (3 (3 good) (2 film)))
(1 (2 a) (1 (1 bad) (2 film)))
(1 (2 (2 the) (2 film)) (1 (2 is) (1 (2 not) (3 good))))
(3 (2 (2 the) (2 film)) (3 (2 is) (3 (2 not) (1 bad))))
(4 (2 a) (4 (4 great) (2 film)))
(0 (2 an) (0 (0 awful) (2 film)))
(2 (2 the) (2 film))
"""
RECIPE = """
[vectors]
@misc = "treesent.VectorFile.v1"
path = "vectors"

[model]
@architectures = "treesent.TreeLSTM.v1"
hidden = 12

[corpora]
train = "trees.txt"
dev = "trees.txt"

[training]
max_epochs = 60
patience = 0
metric = "nodes.accuracy_5"
batch_size = 3

[training.optimizer]
learn_rate = 0.02
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A recipe with its trees and vectors, and the pipeline it trains."""
    folder = tmp_path_factory.mktemp("train")
    (folder / "trees.txt").write_text(TREES)
    (folder / "recipe.cfg").write_text(RECIPE)
    words = ["the", "film", "a", "an", "is", "not", "good", "bad", "great", "awful", "."]
    vectors = np.random.default_rng(0).normal(size=(len(words), 8)).astype(np.float32)
    VectorTable(words, vectors).half().save(folder / "vectors")
    train(folder / "recipe.cfg", folder / "out")
    return folder


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def files(folder):
    """Everything that the component's folder holds."""
    return {p.name: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_trees_learned_by_heart_are_known_after_saving_and_loading(folder):
    result = run("evaluate", folder / "out", folder / "trees.txt", "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["root"]["accuracy_5"] == report["nodes"]["accuracy_5"] == 100
    assert report["root"]["accuracy_2"] == report["nodes"]["macro_f1"] == 100
    assert (report["root"]["n"], report["nodes"]["n"]) == (7, 41)
    nlp = treesent.load(folder / "out")
    assert nlp.meta["performance"]["dev_nodes_accuracy_5"] == 100
    assert nlp("superb")._.sentiment.probs.sum() == pytest.approx(1)


def test_the_report_for_people(folder):
    result = run("evaluate", folder / "out", folder / "trees.txt")
    assert result.exit_code == 0
    assert "in percent" in result.stdout
    assert "accuracy_5" in result.stdout
    assert "very positive" in result.stdout.splitlines()[-1]


@pytest.mark.parametrize("name", ["t.tsv", "t.csv", "t.jsonl"])
def test_a_table_is_measured_from_raw_text(folder, name):
    texts = [" ".join(tree.words) for tree in read_trees(folder / "trees.txt")]
    labels = ["3", "negative", "1", "Positive", "4", "0", "2"]
    rows = [*zip(texts, labels, strict=True), ("", "9"), ("  ", "")]
    if name == "t.jsonl":
        content = "\n".join(json.dumps({"raw": t, "y": y}) for t, y in rows)
    else:
        tab = "\t" if name == "t.tsv" else ","
        content = "\n".join(tab.join(row) for row in [("raw", "y"), *rows])
    (folder / name).write_text(content + "\n")
    arguments = ["evaluate", folder / "out", folder / name, "--text-column", "raw", "--label-column", "y"]
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert set(report) == {"root", "n_empty", "calibration_error"}
    assert (report["root"]["n"], report["n_empty"]) == (7, 2)
    assert report["root"]["accuracy_5"] > 50
    assert "2 rows without text left out" in result.stderr
    (folder / name).write_text(content.replace("negative", "negativ"))
    result = run(*arguments)
    assert result.exit_code == 1
    assert f"{name}: row 2 (line " in result.stderr
    assert "'y' is 'negativ'" in result.stderr
    assert "did you mean 'negative'" in result.stderr


def test_trees_from_elsewhere_are_scored_at_their_roots(folder):
    result = run("evaluate", folder / "out", folder / "trees.txt", "--trees", "right-branching", "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert set(report) == {"root", "calibration_error"}
    assert report["root"]["n"] == 7


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere", "trees.txt"], 1, "nowhere"),
        (["out", "nowhere.txt"], 1, "nowhere.txt"),
        (["out", "nowhere.csv"], 1, "no such file"),
        (["out", "broken.txt"], 1, "broken.txt:1:"),
        (["out", "t.csv", "--text-column", "rw"], 1, "did you mean 'raw'"),
        (["out", "trees.txt", "--trees", "learnd"], 2, "learnd"),
    ],
)
def test_what_cannot_be_evaluated(folder, arguments, code, message):
    (folder / "broken.txt").write_text("(7 (2 a) (2 b))\n")
    (folder / "t.csv").write_text("raw,label\nfine,2\n")
    places = [folder / a if "." in a or a in ("out", "nowhere") else a for a in arguments]
    result = run("evaluate", *places)
    assert result.exit_code == code
    assert message in result.stderr


def test_the_same_seed_writes_the_same_bytes(folder):
    overrides = {"training.max_epochs": 3, "training.average": 0.9}
    for name in ("first", "second"):
        train(folder / "recipe.cfg", folder / name, overrides=overrides)
    train(folder / "recipe.cfg", folder / "third", overrides=overrides | {"training.seed": 1})
    first, second, third = (files(folder / name / "treesent") for name in ("first", "second", "third"))
    assert first == second
    assert first["weights.safetensors"] != third["weights.safetensors"]


def test_tuned_vectors_are_saved_with_the_pipeline(folder):
    overrides = {"training.tune_vectors": True, "training.max_epochs": 10}
    trained = train(folder / "recipe.cfg", folder / "tuned", overrides=overrides)
    table = treesent.load(folder / "tuned").get_pipe("treesent").trained.table
    before = VectorTable.load(folder / "vectors")
    assert table.matrix.dtype == np.float16
    assert np.array_equal(table.vector("."), before.vector("."))
    assert not np.array_equal(table.vector("film"), before.vector("film"))
    report = json.loads(run("evaluate", folder / "tuned", folder / "trees.txt", "--json").stdout)
    assert 0 <= report.pop("calibration_error") <= 1
    assert report == trained.dev.to_dict()


@pytest.mark.slow
def test_a_run_killed_in_the_middle_of_an_epoch_goes_on_to_the_same_bytes(folder):
    numbers = ["--training.max_epochs", "40", "--training.checkpoint_every=2", "--training.average", "0.99"]
    whole, cut = folder / "whole", folder / "cut"
    assert (
        run("train", folder / "recipe.cfg", "-o", whole, "--log", folder / "w.jsonl", *numbers).exit_code == 0
    )
    command = [sys.executable, "-m", "treesent", "train", str(folder / "recipe.cfg"), "-o", str(cut)]
    command += ["--log", str(folder / "c.jsonl"), *numbers]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env=os.environ | {"OMP_NUM_THREADS": "1"})
    waited = time.monotonic() + 300
    while not (folder / "cut.checkpoint" / "checkpoint.safetensors").exists() and time.monotonic() < waited:
        time.sleep(0.01)
    time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not cut.exists()
    assert (folder / "cut.checkpoint" / "checkpoint.safetensors").exists()
    refused = run(*command[3:])
    assert refused.exit_code == 1
    assert "--resume" in refused.stderr
    other = run(*command[3:], "--resume", "--training.seed", "5")
    assert other.exit_code == 1
    assert "training.seed is 5, but 0 in the run to resume" in other.stderr
    result = run(*command[3:], "--resume")
    assert result.exit_code == 0, result.output
    assert files(cut / "treesent") == files(whole / "treesent")
    assert not (folder / "cut.checkpoint").exists()

    def steps(name):
        lines = map(json.loads, (folder / name).read_text().splitlines())
        return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]

    assert steps("c.jsonl") == steps("w.jsonl")
    assert len([step for step in steps("w.jsonl") if "loss" in step]) == 3 * 40


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--training.sed", "1"], 1, "training.sed is unknown; did you mean 'seed'"),
        (["--sed", "1"], 2, "--section.key VALUE"),
        (["--training.seed"], 1, "training.seed is true; must be an integer of at least 0"),
        (["--model.hiden", "1"], 1, "hiden"),
        (["--model.hidden", "0"], 1, "hidden is 0"),
        (["--vectors.path", "nowhere"], 1, "there is no file 'nowhere'"),
        (["--corpora.train", "broken.txt"], 1, "broken.txt:1:"),
        (["--corpora.train", "empty.txt"], 1, "no tree"),
        (["--device", "quantum"], 1, "use auto, cpu, cuda, cuda:1 or mps"),
        (["--training.metric", "root.accuracy_3"], 1, "no metric 'accuracy_3' for 5 classes"),
        (
            ["--training.optimizer.learn_rate", "1e38", "--training.optimizer.kind", "sgd"],
            1,
            "lower training",
        ),
        (["-o", "taken"], 1, "holds notes.txt, which treesent did not write there"),
    ],
)
def test_what_cannot_be_trained(folder, arguments, code, message, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "broken.txt").write_text("(2 (2 a))\n")
    (folder / "empty.txt").write_text("\n")
    (folder / "taken").mkdir(exist_ok=True)
    (folder / "taken" / "notes.txt").touch()
    result = run("train", "recipe.cfg", "-o", folder / "refused", "--overwrite", *arguments)
    assert result.exit_code == code, result.output
    assert message in result.stderr
    assert not (folder / "refused").exists()


def test_overrides_are_json_or_text():
    read = parse_overrides(["--a.b", "3", "--a.c=x", "--a.d", '["x"]', "--a.e", "null", "--a.f=-1e-3"])
    assert read == {"a.b": 3, "a.c": "x", "a.d": ["x"], "a.e": None, "a.f": -0.001}


def test_a_trained_pipeline_is_replaced_only_when_the_new_one_is_whole(folder):
    recipe, out = folder / "recipe.cfg", folder / "again"
    train(recipe, out, overrides={"training.max_epochs": 1})
    before = files(out)
    result = run("train", recipe, "-o", out, "--training.metric", "root.accuracy_4")
    assert result.exit_code == 1
    assert files(out) == before
    train(recipe, out, overrides={"training.max_epochs": 2}, overwrite=True)
    assert files(out) != before


def test_classes_without_polarity_are_trained_and_have_no_binary_figure(folder):
    (folder / "two.txt").write_text("(1 (- a) (1 (1 good) (- film)))\n(0 (- a) (0 (0 bad) (- film)))\n")
    overrides = {"labels.names": ["spam", "ham"], "corpora.train": "two.txt", "corpora.dev": "two.txt"}
    overrides["training.metric"] = "nodes.accuracy"
    trained = train(folder / "recipe.cfg", folder / "topics", overrides=overrides)
    assert trained.dev.root.accuracy == 100
    nlp = treesent.load(folder / "topics")
    assert nlp("good")._.sentiment.label == "ham"
    report = json.loads(run("evaluate", folder / "topics", folder / "two.txt", "--json").stdout)
    assert (report["nodes"]["n"], report["nodes"]["accuracy_2"]) == (6, 100)


def test_polarity_that_does_not_rise_is_refused_before_anything_is_read(folder):
    result = run("train", folder / "recipe.cfg", "-o", folder / "x", "--labels.polarity", "[1,0.5,0,-0.5,-1]")
    assert result.exit_code == 1
    assert "polarity" in result.stderr


RECIPES = sorted(path.stem for path in packaged("pipelines").glob("*.cfg"))


@pytest.mark.parametrize("name", RECIPES)
def test_every_setting_of_a_packaged_recipe_is_explained(name):
    result = CliRunner().invoke(app, ["train", name, "--explain", "--training.seed", "9"])
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("seed "))
    assert lines[at].endswith("= 9")
    assert lines[at + 1 : at + 3] == [
        "    an integer of at least 0",
        "    Fixes the initial weights, the order of the trees, and dropout.",
    ]
    assert "[training.optimizer]" in lines and "[model]" in lines
    # Every setting has its value, the allowed values and a meaning.
    first = lines.index("[model]")
    starts = [i for i, line in enumerate(lines) if i > first and line[:1].isalpha() and " = " in line]
    bare = [lines[i] for i in starts if not all(line.startswith("    ") for line in lines[i + 1 : i + 3])]
    assert len(starts) > 30 and not bare


def test_a_copied_recipe_finds_packaged_files(tmp_path, monkeypatch):
    recipe = tmp_path / "mine.cfg"
    recipe.write_text(recipe_path("imdb").read_text("utf-8"), "utf-8")
    (tmp_path / "reviews.csv").write_text("text,label\nGood.,pos\n")
    monkeypatch.chdir("/")
    read = read_recipe(recipe, FAMILIES, {"paths.table": "reviews.csv"})
    assert read.vectors["path"] == str(packaged("pipelines") / "en_treesent_sm" / "treesent" / "vectors")
    assert read.corpora.train == str(tmp_path / "reviews.csv")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--a.b", "1"], {"a.b": 1}),
        (["--a.b=x y"], {"a.b": "x y"}),
        (["--training.tune-vectors", "--a.b", "-1"], {"training.tune_vectors": True, "a.b": -1}),
        (["--a.b", "[1,2]", "--c.d"], {"a.b": [1, 2], "c.d": True}),
    ],
)
def test_overrides_are_spacys(arguments, expected):
    assert parse_overrides(arguments) == expected
