"""Corrected labels: kept at once, kept through crashes, and read by training."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

import httpx
import numpy as np
import pytest
from typer.testing import CliRunner

from tests.serve.servers import command, log_lines, served
from tests.toy_pipeline import TEXT, toy_table
from treesent.cli import app
from treesent.data.sst import read_treebank
from treesent.errors import OutputError, TreeFormatError
from treesent.models.train import train
from treesent.pipeline.treeview import trees_of
from treesent.serve.corrections import Corrections
from treesent.trees.brackets import parse_tree, read_trees

TREE = parse_tree("(2 (2 not) (3 (2 so) (2 bad)))")
OTHER = parse_tree("(2 (2 a) (2 -LRB-))")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "corrections.txt"


def test_a_correction_is_a_line(path):
    file = Corrections(path, 5)
    assert file.kept(TREE) == {} and path.read_text() == ""
    assert file.correct(TREE, {4: 1}) == {4: 1}
    assert path.read_text() == "(1 (- not) (- (- so) (- bad)))\n"
    assert file.correct(OTHER, {0: 2}) == {0: 2}
    assert file.correct(TREE, {3: 0, 0: 4}) == {0: 4, 3: 0, 4: 1}
    assert path.read_text() == "(1 (4 not) (0 (- so) (- bad)))\n(- (2 a) (- -LRB-))\n"
    assert file.correct(TREE, {3: None, 0: 3}) == {0: 3, 4: 1}
    assert file.correct(TREE, {0: None, 4: None}) == {}
    assert path.read_text() == "(- (2 a) (- -LRB-))\n"
    assert Corrections(path, 5).kept(OTHER) == {0: 2}


def test_what_is_not_changed_is_not_written(path):
    file = Corrections(path, 5)
    file.correct(TREE, {4: 1})
    before = path.stat()
    file.correct(TREE, {4: 1, 0: None})
    file.correct(OTHER, {1: None})
    assert path.stat().st_mtime_ns == before.st_mtime_ns and path.stat().st_ino == before.st_ino


def test_words_and_shapes_are_told_apart(path):
    file = Corrections(path, 5)
    spaced = TREE.__class__(
        ("not so", "(bad)"), *(getattr(OTHER, name) for name in ("left", "right", "start", "end", "label"))
    )
    file.correct(spaced, {0: 1})
    assert path.read_text() == "(- (1 not␣so) (- -LRB-bad-RRB-))\n"
    assert Corrections(path, 5).kept(spaced) == {0: 1}
    file.correct(TREE, {4: 0})
    file.correct(parse_tree("(2 (2 (2 not) (2 so)) (2 bad))"), {4: 4})
    assert len(path.read_text().splitlines()) == 3


def test_lines_of_others_stay(path):
    path.write_text("(3 (2 good) (2 film))\n\n(- (2 a) (- b))\n")
    file = Corrections(path, 5)
    file.correct(TREE, {4: 1})
    with path.open("a") as other:
        other.write("(4 superb)\n")
    file.correct(TREE, {4: 0})
    assert (
        path.read_text()
        == "(3 (2 good) (2 film))\n\n(- (2 a) (- b))\n(0 (- not) (- (- so) (- bad)))\n(4 superb)\n"
    )


@pytest.mark.parametrize("cut", range(1, 30))
def test_a_line_that_a_crash_cut_short_is_set_aside(path, cut):
    file = Corrections(path, 5)
    file.correct(OTHER, {0: 2})
    whole = path.read_bytes()
    file.correct(TREE, {4: 1})
    line = path.read_bytes()[len(whole) :]
    path.write_bytes(whole + line[:cut])
    again = Corrections(path, 5)
    assert again.kept(OTHER) == {0: 2} and again.kept(TREE) == {}
    assert again.correct(TREE, {4: 3}) == {4: 3}
    assert path.read_bytes() == whole + b"(3 (- not) (- (- so) (- bad)))\n"
    assert (path.parent / "corrections.txt.unfinished").read_bytes() == line[:cut] + b"\n"


def test_a_last_line_without_its_end_is_kept(path):
    path.write_text("(3 (2 good) (2 film))")
    Corrections(path, 5).correct(OTHER, {0: 2})
    assert path.read_text() == "(3 (2 good) (2 film))\n(- (2 a) (- -LRB-))\n"


def test_a_file_of_something_else_is_refused(path):
    path.write_text("name,label\na,b\n")
    with pytest.raises(TreeFormatError, match=r"corrections\.txt:1:1: 'name,label'"):
        Corrections(path, 5)
    path.write_bytes(b"(3 \xff)\n")
    with pytest.raises(TreeFormatError, match="1:4: not UTF-8"):
        Corrections(path, 5)
    path.write_text("(4 good)\n")
    with pytest.raises(TreeFormatError, match="label 4 is outside"):
        Corrections(path, 3)
    with pytest.raises(OutputError, match="No such file or directory; name another file"):
        Corrections(path.parent / "none" / "c.txt", 5)


def test_a_full_disk_keeps_what_was_there(path, monkeypatch):
    file = Corrections(path, 5)
    file.correct(OTHER, {0: 2})
    before = path.read_bytes()
    write = os.write
    monkeypatch.setattr("os.write", lambda handle, data: write(handle, data[:7]))
    with pytest.raises(OutputError, match=r"corrections\.txt cannot be written"):
        file.correct(TREE, {4: 1})
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert file.correct(TREE, {4: 1}) == {4: 1} and path.read_bytes().startswith(before)


WRITER = """
import sys
from tests.serve.test_corrections import Corrections, parse_tree
file = Corrections(sys.argv[1], 5)
for number in range(int(sys.argv[3])):
    file.correct(parse_tree(f"(2 (2 {sys.argv[2]}) (2 w{number}))"), {0: number % 5, 2: 1})
    print(number, flush=True)
"""


def writer(path, name, count):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), name, str(count)], stdout=subprocess.PIPE, text=True
    )


@pytest.mark.slow
def test_writers_in_several_processes_lose_nothing(path):
    writers = [writer(path, name, 40) for name in "abc"]
    for one in writers:
        one.communicate(timeout=120)
        assert one.returncode == 0
    lines = path.read_text().splitlines()
    assert sorted(lines) == sorted(f"(1 ({n % 5} {name}) (- w{n}))" for name in "abc" for n in range(40))


@pytest.mark.slow
def test_what_was_acknowledged_survives_kill_9(path):
    rng = random.Random(0)
    for turn in range(3):
        with writer(path, f"t{turn}", 100_000) as process:
            acknowledged = [process.stdout.readline() for _ in range(rng.randint(3, 40))]
            process.kill()
            acknowledged += process.stdout.read().splitlines(keepends=True)
        known = {line for line in path.read_text().splitlines() if f" t{turn})" in line}
        done = [int(number) for number in acknowledged if number.endswith("\n")]
        assert {f"(1 ({n % 5} t{turn}) (- w{n}))" for n in done} <= known
        Corrections(path, 5)


# -- over HTTP


def test_labels_are_kept_over_http(toy, path):
    (first, second) = trees_of(toy(TEXT))
    labels = toy.get_pipe("treesent").labels
    with served(toy, corrections=path) as server:
        assert server.client.get("/v1/model").json()["corrections"] is True
        root = first.n_nodes - 1
        answer = server.post("/v1/corrections", text=TEXT, labels={str(root): labels[4], "0": labels[1]})
        assert answer.json() == {"labels": {"0": labels[1], str(root): labels[4]}}
        server.post("/v1/corrections", text=TEXT, sentence=1, labels={"1": labels[0]})
        assert server.post("/v1/corrections", text=TEXT).json() == answer.json()
        assert server.metric("treesent_corrections_total") == 3
        taken = server.post("/v1/corrections", text=TEXT, labels={"0": None}).json()
        assert taken == {"labels": {str(root): labels[4]}}
    own, other = read_trees(path)
    assert own.words == tuple(first.words) and other.words == tuple(second.words)
    assert np.array_equal(own.left, first.to_tree().left)
    assert own.label.tolist() == [-1] * root + [4]
    assert other.label.tolist()[:2] == [-1, 0]


@pytest.mark.parametrize(
    ("fields", "place", "piece"),
    [
        ({"labels": {"99": "neutral"}}, "labels", "99 is not there: the sentence has 21 phrases"),
        ({"labels": {"x": "neutral"}}, "labels", "not the number of a phrase"),
        ({"labels": {"²": "neutral"}}, "labels", "not the number of a phrase"),
        ({"labels": {"-1": "neutral"}}, "labels", "not the number of a phrase"),
        ({"labels": {"0": "fine"}}, "0", "'fine' is not one of: very negative"),
        ({"labels": {"0": 1}}, "0", "is not one of"),
        ({"labels": ["neutral"]}, "labels", "found list"),
        ({"sentence": 7}, "sentence", "the text has 2 sentences"),
        ({"label": {}}, "label", "did you mean 'labels'?"),
        ({"text": " "}, "text", "has no words"),
    ],
)
def test_what_makes_no_sense_is_not_kept(toy, path, fields, place, piece):
    with served(toy, corrections=path) as server:
        answer = server.post("/v1/corrections", **{"text": TEXT, **fields})
        assert answer.status_code == 422
        assert answer.json()["error"]["place"] == place and piece in answer.json()["error"]["message"]
    assert path.read_text() == ""


def test_a_server_without_a_file_keeps_nothing(server):
    answer = server.post("/v1/corrections", text=TEXT, labels={"0": "neutral"})
    assert answer.status_code == 404 and "--corrections FILE" in answer.json()["error"]["message"]
    assert "/v1/corrections" not in server.client.get("/openapi.json").json()["paths"]


def test_a_disk_that_fails_is_told_without_its_path(toy, path, capfd):
    with served(toy, corrections=path) as server:
        path.unlink()
        path.mkdir()
        answer = server.post("/v1/corrections", text=TEXT, labels={"0": "neutral"})
        assert answer.status_code == 503 and str(path) not in answer.text
    assert "correction not kept" in capfd.readouterr().err


def test_many_readers_at_once_lose_nothing(toy, path):
    with served(toy, corrections=path) as server:
        nodes = range(trees_of(toy(TEXT))[0].n_nodes)
        threads = [
            threading.Thread(
                target=httpx.post,
                args=(f"{server.url}/v1/corrections",),
                kwargs={
                    "json": {"text": TEXT, "labels": {str(node): "neutral"}},
                    "trust_env": False,
                    "timeout": 60,
                },
            )
            for node in nodes
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    (tree,) = read_trees(path)
    assert set(tree.label.tolist()) == {2}


SERVE = """
import sys
from pathlib import Path
from tests.toy_pipeline import toy_nlp
from treesent.serve import ServeOptions
from treesent.serve.running import serve
options = ServeOptions(port=0, workers=2, corrections=Path(sys.argv[1]))
serve(toy_nlp, options, lambda url: print(url, flush=True))
"""


@pytest.mark.slow
def test_no_correction_is_lost_when_workers_are_killed(path):
    with command(SERVE, str(path)) as (process, url):
        children = f"/proc/{process.pid}/task/{process.pid}/children"
        done, stop = [], threading.Event()

        def kill():
            while not stop.wait(0.4):
                with open(children) as file:  # noqa: PTH123
                    running = file.read().split()
                if running:
                    os.kill(int(running[0]), signal.SIGKILL)
                    stop.wait(2)

        killer = threading.Thread(target=kill)
        killer.start()
        end = time.monotonic() + 6
        number = 0
        while time.monotonic() < end:
            number += 1
            body = {"text": f"good film {number} .", "labels": {"0": "positive"}}
            try:
                answer = httpx.post(f"{url}/v1/corrections", json=body, timeout=20, trust_env=False)
            except httpx.HTTPError:
                continue
            assert answer.status_code == 200
            done.append(number)
        stop.set()
        killer.join()
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        events = [line["event"] for line in log_lines(process.stderr.read())]
    assert events.count("worker died") >= 2
    kept = {tree.words[2] for tree in read_trees(path)}
    assert len(done) >= 5 and {str(number) for number in done} <= kept


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
max_epochs = 40
patience = 0
batch_size = 1
[training.optimizer]
learn_rate = 0.02
"""


@pytest.mark.slow
def test_training_learns_what_was_corrected(toy, path):
    folder = path.parent
    text = "a terrible movie ."
    (tree,) = trees_of(toy(text))
    root = str(tree.n_nodes - 1)
    with served(toy, corrections=path) as server:
        server.post("/v1/corrections", text=text, labels={root: "very positive", "1": "negative"})
    assert sorted(read_treebank([path]).label.tolist()) == [-1] * 5 + [1, 4]
    toy_table().save(folder / "vectors")
    (folder / "trees.txt").write_text("(0 (2 a) (0 (0 bad) (2 movie)))\n(3 (2 a) (3 (3 good) (2 movie)))\n")
    (folder / "recipe.cfg").write_text(RECIPE)
    accuracy = {}
    for name, files in {"before": ["trees.txt"], "after": ["trees.txt", path.name]}.items():
        corpora = {"corpora.train": files, "corpora.dev": files}
        train(folder / "recipe.cfg", folder / name, overrides=corpora)
        told = CliRunner().invoke(app, ["evaluate", str(folder / name), str(path), "--json"])
        nodes = json.loads(told.stdout)["nodes"]
        assert nodes["n"] == 2
        accuracy[name] = nodes["accuracy_5"]
    assert accuracy["before"] < accuracy["after"] == 100
