"""A run replaces only what treesent wrote, keeps other runs out, and resumes only what is there."""

import os
import re
import subprocess
import sys

import pytest

from treesent.errors import ModelError, OutputError, RecipeError
from treesent.training.folder import CHECKPOINT, RunFolder

FILES = ("README.md", "meta.json", "treesent/*")


def run_folder(tmp_path):
    return RunFolder(tmp_path / "out", FILES)


def interrupted(folder, overwrite=False):
    """Leave what an interrupted run leaves."""
    with folder.locked(resume=False, overwrite=overwrite):
        folder.checkpoint.write_bytes(b"checkpoint")


def write(folder, text):
    with folder.replacing_output() as made:
        made.mkdir()
        (made / "meta.json").write_text(text)


def snapshot(path):
    return {p.relative_to(path).as_posix(): p.is_file() and p.read_bytes() for p in sorted(path.rglob("*"))}


def test_a_run_leaves_its_output_and_nothing_else(tmp_path):
    folder = run_folder(tmp_path)
    with folder.locked(resume=False, overwrite=False):
        folder.checkpoint.write_bytes(b"checkpoint")
        write(folder, "new")
    assert snapshot(tmp_path) == {"out": False, "out/meta.json": b"new"}


def test_an_output_that_exists_is_replaced_only_on_demand_and_keeps_its_card(tmp_path):
    folder = run_folder(tmp_path)
    folder.output.mkdir()
    (folder.output / "meta.json").write_text("old")
    (folder.output / "README.md").write_text("card")
    before = snapshot(tmp_path)
    with pytest.raises(OutputError, match=r"exists already; .* --overwrite"), folder.locked(False, False):
        pass
    assert snapshot(tmp_path) == before
    with folder.locked(resume=False, overwrite=True):
        write(folder, "new")
    assert snapshot(tmp_path) == before | {"out/meta.json": b"new"}


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize(
    "place", ["out/notes.txt", "out.checkpoint/notes.txt", "out.checkpoint/sub/notes.txt"]
)
def test_a_folder_with_files_of_others_is_refused(tmp_path, place, resume, overwrite):
    folder = run_folder(tmp_path)
    (tmp_path / place).parent.mkdir(parents=True)
    (tmp_path / place).write_text("mine")
    (folder.output / "meta.json").parent.mkdir(exist_ok=True)
    (folder.output / "meta.json").write_text("{}")
    before = snapshot(tmp_path)
    with (
        pytest.raises(OutputError, match="which treesent did not write there"),
        folder.locked(resume, overwrite),
    ):
        pass
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("what", ["file", "link", "dangling"])
def test_a_file_or_link_where_the_checkpoint_would_be_is_refused(tmp_path, what):
    folder = run_folder(tmp_path)
    if what == "file":
        folder.path.write_text("mine")
    else:
        folder.path.symlink_to(tmp_path if what == "link" else tmp_path / "nowhere")
    with pytest.raises(OutputError, match="is a file or a link"), folder.locked(False, True):
        pass
    assert folder.path.is_symlink() or folder.path.read_text() == "mine"


@pytest.mark.parametrize("output", [".", "..", "/proc/x", "/dev/full", "/", "file", "file/x", "a" * 300])
def test_outputs_that_cannot_be_written_are_refused(tmp_path, monkeypatch, output):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("mine")
    before = snapshot(tmp_path)
    from pathlib import Path

    with pytest.raises(OutputError), RunFolder(Path(output), FILES).locked(False, True):
        pass
    assert snapshot(tmp_path) == before


def test_where_there_is_nothing_to_resume_it_says_why(tmp_path):
    folder = run_folder(tmp_path)
    with pytest.raises(ModelError, match=r"out\.checkpoint: .* no run to resume; .* without --resume"):
        folder.locked(True, False).__enter__()
    folder.path.mkdir()
    with pytest.raises(
        ModelError, match=r"out\.checkpoint holds no checkpoint.safetensors: .* without --resume"
    ):
        folder.locked(True, False).__enter__()
    folder.path.rmdir()
    with folder.locked(False, False):
        write(folder, "done")
    with pytest.raises(ModelError, match="out is finished, so there is nothing to resume"):
        folder.locked(True, False).__enter__()
    assert snapshot(tmp_path) == {"out": False, "out/meta.json": b"done"}


def test_an_interrupted_run_is_resumed_or_dropped_on_demand(tmp_path):
    folder = run_folder(tmp_path)
    interrupted(folder)
    assert [file.name for file in folder.path.iterdir()] == [CHECKPOINT]
    with pytest.raises(RecipeError, match="continue it with --resume, or drop it with --overwrite"):
        folder.locked(False, False).__enter__()
    with folder.locked(True, False):
        assert folder.checkpoint.read_bytes() == b"checkpoint"
    with folder.locked(False, True):
        assert not folder.checkpoint.exists()
    assert not folder.path.exists()


def test_a_resumed_run_may_replace_what_the_interrupted_one_could(tmp_path):
    folder = run_folder(tmp_path)
    folder.output.mkdir()
    (folder.output / "meta.json").write_text("old")
    interrupted(folder, overwrite=True)
    with folder.locked(True, False):
        write(folder, "new")
    assert snapshot(tmp_path) == {"out": False, "out/meta.json": b"new"}
    # Without that permission, what appeared at the output meanwhile is not this run's.
    other = RunFolder(tmp_path / "other", FILES)
    interrupted(other)
    other.output.mkdir()
    (other.output / "meta.json").write_text("of somebody else")
    with pytest.raises(OutputError, match="exists already"):
        other.locked(True, False).__enter__()


HOLD = """
import sys
from pathlib import Path
from treesent.training.folder import RunFolder
folder = RunFolder(Path(sys.argv[1]))
with folder.locked(False, False):
    folder.checkpoint.touch()
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_a_second_training_of_an_output_is_refused_until_the_first_has_died(tmp_path):
    folder = run_folder(tmp_path)
    command = [sys.executable, "-c", HOLD, str(folder.output)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout.readline() == "locked\n"
        for flags in ((False, False), (False, True), (True, False)):
            with pytest.raises(OutputError, match=rf"another training is writing .*\(process {first.pid} on"):
                folder.locked(*flags).__enter__()
        assert (folder.path / "lock").exists()
        first.kill()
        first.wait()
    with folder.locked(False, True):
        assert re.match(f"process {os.getpid()} on", (folder.path / "lock").read_text())
    assert not folder.path.exists()


def test_what_a_kill_left_beside_the_output_is_put_back_or_removed(tmp_path):
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    folder = run_folder(tmp_path)
    interrupted(folder, overwrite=True)
    for kind in ("partial", "replaced"):
        left = tmp_path / f"out.{process.pid}.0123abcd.{kind}"
        left.mkdir()
        (left / "meta.json").write_text(kind)
    (tmp_path / f"outer.{process.pid}.0123abcd.partial").mkdir()
    (folder.path / f"{CHECKPOINT}.1.0123abcd.partial").touch()
    with folder.locked(True, False):
        assert (folder.output / "meta.json").read_text() == "replaced"
        assert sorted(p.name for p in folder.path.iterdir()) == [CHECKPOINT, "lock", "overwrite"]
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "out",
        "out.checkpoint",
        f"outer.{process.pid}.0123abcd.partial",
    ]
