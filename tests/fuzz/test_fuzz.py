"""The fuzz suite finds what it is there to find, and makes its inputs again."""

import os
import pickle
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.fuzz import session
from tests.fuzz.guard import ForbiddenError, Guard
from tests.fuzz.inputs import BLOCK, Inputs, lay_out
from tests.fuzz.kinds import all_kinds
from tests.fuzz.mutate import mutate_files, mutate_json
from tests.fuzz.session import Failures


def inputs(name, folder, seed=0):
    kind = all_kinds()[name]
    (folder / "seeds").mkdir(parents=True)
    return Inputs(kind, kind.make(folder / "seeds"), seed)


@pytest.mark.parametrize("name", ["brackets", "csv", "vectors zip", "model sealed"])
def test_equal_seeds_give_equal_inputs_and_each_is_made_again_alone(tmp_path, name):
    first, second, other = (inputs(name, tmp_path / str(i), seed) for i, seed in enumerate((1, 1, 2)))
    for number in (0, 2, 3):
        block = list(first.block(number))
        assert block == list(second.block(number))
        assert block != list(other.block(number))
        index, files = block[-1]
        assert index == number * BLOCK + BLOCK - 1
        assert first.one(index) == files


def test_the_first_inputs_are_the_seeds_and_the_others_differ(tmp_path):
    tried = inputs("csv", tmp_path)
    block = [files for _, files in tried.block(0)]
    assert block[: len(tried.seeds)] == tried.seeds
    damaged = block[len(tried.seeds) :]
    assert sum(files not in tried.seeds for files in damaged) > 0.9 * len(damaged)
    assert len({tuple(files.items()) for files in damaged}) > 0.8 * len(damaged)


def test_arguments_are_neither_damaged_nor_written(tmp_path):
    import random

    files = {"@a": b"kept", "b/c": b"[1, 2]"}
    for seed in range(50):
        assert mutate_files(files, [files], random.Random(seed))["@a"] == b"kept"
    lay_out(files, tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == ["b", "c"]


def test_json_is_damaged_in_its_values():
    import json
    import random

    document = b'{"a": [1, {"b": "x"}], "c": 2.5}'
    found = {mutate_json(document, random.Random(seed)) for seed in range(60)}
    assert len(found) > 40
    assert all(json.loads(data) is not Ellipsis for data in found)


class Harmful:
    def __reduce__(self):
        return len, ("",)


#: What a reader may not do, and what stands in the failure.
DEEDS = {
    "raises": (lambda: {}["key"], "KeyError", "'key'"),
    "writes outside": (lambda: Path("/tmp/treesent-fuzz-outside").write_text(""), "ForbiddenError", "open"),
    "makes a folder outside": (
        lambda: Path("/tmp/treesent-fuzz-outside").mkdir(),
        "ForbiddenError",
        "os.mkdir",
    ),
    "unpickles": (lambda: pickle.loads(pickle.dumps(Harmful())), "ForbiddenError", "pickle.find_class"),
    "starts a program": (lambda: subprocess.run(["true"]), "ForbiddenError", "subprocess.Popen"),
    "imports": (lambda: __import__("treesent_fuzz_nowhere"), "ForbiddenError", "import"),
    "hides it": (lambda: _hidden(), "ForbiddenError", "os.system"),
    "never ends": (lambda: time.sleep(60), "TooSlowError", "seconds"),
}


def _hidden():
    try:
        os.system("true")
    except BaseException:
        return


DEED_SCRIPT = """
import sys
from pathlib import Path
from tests.fuzz import test_fuzz, worker
from tests.fuzz.kinds import Kind
worker.SECONDS = 0.5
armed = []
def run(folder, files):
    return armed and test_fuzz.DEEDS[files["deed"].decode()][0]()
kind = Kind("deed", lambda folder: [{"deed": name.encode()} for name in test_fuzz.DEEDS], run)
worker.all_kinds = lambda: {"deed": kind}
runs = worker.Worker(["deed"], 0, Path(sys.argv[1]))
armed.append(True)
for files in runs.inputs["deed"].seeds:
    place, story = runs.try_one("deed", files) or ("nothing", "")
    print(files["deed"].decode(), "|", place, "|", story.replace(chr(10), " "))
armed.clear()
print("nothing done", "|", runs.try_one("deed", {"deed": b"raises"}), "|", "")
"""


@pytest.fixture(scope="module")
def deeds(tmp_path_factory):
    import sys

    command = [sys.executable, "-c", DEED_SCRIPT, str(tmp_path_factory.mktemp("home"))]
    root = Path(__file__).parent.parent.parent
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True, timeout=120)
    return {line.split(" | ")[0]: line.split(" | ")[1:] for line in done.stdout.splitlines()}


@pytest.mark.parametrize("deed", DEEDS)
def test_what_no_input_may_do_is_found(deeds, deed):
    _, error, piece = DEEDS[deed]
    place, story = deeds[deed]
    assert place.startswith(error) and piece in story
    assert not Path("/tmp/treesent-fuzz-outside").exists()


def test_an_input_that_ends_well_is_no_failure(deeds):
    assert deeds["nothing done"][0] == "None"


def test_a_failure_is_saved_and_told_once(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(session, "SAVED", tmp_path)
    failures = Failures(7)
    for index in range(5):
        failures.add("a kind", index, "KeyError at x.py:1", "the story", {"a/b": b"x", "@c": b"y"})
    assert failures.places == {("a kind", "KeyError at x.py:1"): 5}
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"a_kind-7-{i}" for i in range(3)]
    assert (tmp_path / "a_kind-7-0" / "a" / "b").read_bytes() == b"x"
    out = capsys.readouterr().out
    assert out.count("FAILED") == 1 and "--seed 7 --replay 'a kind:0'" in out


def test_a_worker_that_dies_is_told_by_its_signal():
    assert session._reason(-signal.SIGSEGV) == "SIGSEGV"
    assert session._reason(3) == "exit code 3"


def test_relative_names_are_judged_where_they_lie(tmp_path, monkeypatch):
    guard = Guard.__new__(Guard)
    guard.folder = f"{tmp_path}{os.sep}"
    assert guard._inside(tmp_path / "a") and guard._inside(tmp_path) and guard._inside("/dev/null")
    assert not guard._inside(tmp_path / ".." / "a")
    (tmp_path / "link").symlink_to("/tmp")
    assert not guard._inside(tmp_path / "link" / "x")
    monkeypatch.chdir(tmp_path)
    assert guard._inside("b")
    assert issubclass(ForbiddenError, BaseException) and not issubclass(ForbiddenError, Exception)
