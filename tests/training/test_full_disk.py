"""A disk that is full is a clear error, and what was written before stays."""

import errno
import resource
from pathlib import Path

import pytest
import torch

from treesent.errors import OutputError
from treesent.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from treesent.training.folder import RunFolder
from treesent.training.log import StepLog


def example(value):
    return Checkpoint({"weight": torch.full((4096,), float(value))}, {"step": value})


@pytest.fixture
def small_files():
    """Let no file grow beyond 4 KiB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_the_checkpoint_before_stays_when_a_file_cannot_grow(tmp_path, request):
    file = tmp_path / "run.safetensors"
    write_checkpoint(file, example(1))
    request.getfixturevalue("small_files")
    with pytest.raises(OutputError, match=r"run\.safetensors.* cannot be written"):
        write_checkpoint(file, example(2))
    assert read_checkpoint(file).values == {"step": 1}
    assert list(tmp_path.iterdir()) == [file]


def test_the_checkpoint_before_stays_when_the_disk_is_full(tmp_path, monkeypatch):
    file = tmp_path / "run.safetensors"
    write_checkpoint(file, example(1))

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputError, match=r"run\.safetensors cannot be written: No space left on device"):
        write_checkpoint(file, example(2))
    monkeypatch.undo()
    assert read_checkpoint(file).values == {"step": 1}
    assert list(tmp_path.iterdir()) == [file]


def test_the_checkpoint_stays_when_the_output_cannot_be_written(tmp_path):
    folder = RunFolder(tmp_path / "out", ("model",))
    folder.output.mkdir()
    (folder.output / "model").write_text("old")

    def train():
        with folder.locked(resume=False, overwrite=True):
            write_checkpoint(folder.checkpoint, example(1))
            with folder.replacing_output() as made:
                made.mkdir()
                (made / "model").write_text("half")
                raise OSError(errno.ENOSPC, "No space left on device", str(made / "model"))

    with pytest.raises(OutputError, match=r"out cannot be written: No space left on device"):
        train()
    assert (folder.output / "model").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "out.checkpoint"]
    with folder.locked(resume=True, overwrite=False):
        assert read_checkpoint(folder.checkpoint).values == {"step": 1}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_log_that_cannot_be_written_is_named():
    one = torch.ones(())
    log = StepLog("/dev/full")
    with pytest.raises(OutputError, match="/dev/full: the log cannot be written: No space left"), log:
        log.step({"step": 1, "epoch": 1, "learn_rate": 0.1}, one, one)
        log.flush()
