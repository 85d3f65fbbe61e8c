"""Files and folders are written whole or not at all, and nothing of the user's is replaced unasked."""

import errno
import os
import stat
import threading
from pathlib import Path

import pytest

from treesent.errors import OutputError
from treesent.files import check_output_folder, check_outputs, replacing, replacing_folder, replacing_path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_when_it_is_whole(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with replacing(tmp_path / "a.txt", "w", encoding="utf-8") as file:
        file.write("nëw")
        file.flush()
        assert (tmp_path / "a.txt").read_text() == "old"
    assert (tmp_path / "a.txt").read_bytes() == "nëw".encode()
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt()])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path, error):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(type(error)), replacing(tmp_path / "a.txt") as file:
        file.write(b"half")
        raise error
    assert (tmp_path / "a.txt").read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_permissions_stay_and_new_files_get_the_usual_ones(tmp_path):
    old, new, plain = tmp_path / "old", tmp_path / "new", tmp_path / "plain"
    old.write_text("")
    old.chmod(0o640)
    plain.write_text("")
    for path in (old, new):
        with replacing_path(path) as partial:
            partial.write_text("x")
            partial.chmod(0o600)
    assert stat.S_IMODE(old.stat().st_mode) == 0o640
    assert stat.S_IMODE(new.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_a_link_is_followed(tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "real.txt").write_text("old")
    (tmp_path / "link").symlink_to(folder / "real.txt")
    with replacing(tmp_path / "link", "w") as file:
        file.write("new")
    assert (tmp_path / "link").is_symlink()
    assert (folder / "real.txt").read_text() == "new"
    assert names(folder) == ["real.txt"]


def test_a_fifo_and_dev_null_are_written_into(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    read = []
    reader = threading.Thread(target=lambda: read.append(fifo.read_bytes()))
    reader.start()
    check_outputs([fifo, "/dev/null"])
    with replacing(fifo) as file:
        file.write(b"through")
    reader.join()
    with replacing("/dev/null") as file:
        file.write(b"gone")
    assert read == [b"through"] and names(tmp_path) == ["fifo"]
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_full_disk_is_named(tmp_path):
    with (
        pytest.raises(OutputError, match="/dev/full cannot be written: No space"),
        replacing("/dev/full") as f,
    ):
        f.write(b"x")
    with pytest.raises(OutputError, match=r"a\.bin cannot be written"), replacing(tmp_path / "a.bin"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert names(tmp_path) == []


def test_an_error_about_another_file_passes_through(tmp_path):
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "a"):
        (tmp_path / "sub" / "input.txt").read_text()


def test_a_folder_is_replaced_when_it_is_whole(tmp_path):
    target = tmp_path / "model"
    for content in ("first", "second"):
        with replacing_folder(target, ["*.txt", "vocab/*"]) as folder:
            (folder / "vocab").mkdir()
            (folder / "vocab" / content).write_text(content)
            (folder / "a.txt").write_text(content)
    assert (target / "a.txt").read_text() == "second"
    assert names(target / "vocab") == ["second"]
    with pytest.raises(RuntimeError), replacing_folder(target, ["*.txt", "vocab/*"]) as folder:
        (folder / "a.txt").write_text("half")
        raise RuntimeError
    assert (target / "a.txt").read_text() == "second"
    assert names(tmp_path) == ["model"]


def test_a_folder_with_foreign_files_is_not_replaced(tmp_path):
    target = tmp_path / "mine"
    target.mkdir()
    (target / "meta.json").write_text("{}")
    (target / "thesis.tex").write_text("years")
    message = "holds thesis.tex, which treesent did not write there"
    with pytest.raises(OutputError, match=message):
        check_output_folder(target, ["meta.json"], overwrite=True)
    with pytest.raises(OutputError, match=message), replacing_folder(target, ["meta.json"]):
        pytest.fail("the body must not run")
    assert names(target) == ["meta.json", "thesis.tex"] and names(tmp_path) == ["mine"]


def test_a_foreign_file_that_appears_meanwhile_is_kept(tmp_path):
    target = tmp_path / "mine"
    with pytest.raises(OutputError, match="holds notes"), replacing_folder(target, ["a"]):
        target.mkdir()
        (target / "notes").write_text("kept")
    assert (target / "notes").read_text() == "kept" and names(tmp_path) == ["mine"]


def test_outputs_that_exist_need_overwrite(tmp_path):
    old = tmp_path / "old.csv"
    old.write_text("x")
    with pytest.raises(OutputError, match=r"old\.csv exists already; .*--overwrite"):
        check_outputs([tmp_path / "new.csv", old])
    check_outputs([tmp_path / "new.csv", None, old], overwrite=True)
    assert names(tmp_path) == ["old.csv"]


def test_an_output_that_is_an_input_is_always_refused(tmp_path):
    source = tmp_path / "in.csv"
    source.write_text("x")
    (tmp_path / "soft").symlink_to(source)
    os.link(source, tmp_path / "hard")
    for name in ("in.csv", "soft", "hard"):
        with pytest.raises(OutputError, match="is the input as well"):
            check_outputs([tmp_path / name], [source], overwrite=True)
    with pytest.raises(OutputError, match="is the input as well"):
        check_output_folder(tmp_path, ["*"], [source], overwrite=True)


def test_an_output_is_named_once(tmp_path):
    with pytest.raises(OutputError, match="is written twice"):
        check_outputs([tmp_path / "a", tmp_path / "b" / ".." / "a"])


@pytest.mark.parametrize("name", ["/proc/x", ".", "nowhere/x", "a\0b", "x" * 300, "file/x"])
def test_places_that_cannot_hold_a_file(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        check_outputs([name])
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("name", ["/proc/x", ".", "..", "a\0b", "x" * 300, "file/x", "file", "/"])
def test_places_that_cannot_hold_a_folder(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        check_output_folder(name, ["*"], overwrite=True)
    with pytest.raises(OutputError), replacing_folder(name, ["*"]):
        pytest.fail("the body must not run")
    assert names(tmp_path) == ["file"]


def test_an_empty_folder_may_be_there(tmp_path):
    (tmp_path / "made").mkdir()
    check_output_folder(tmp_path / "made")
    check_output_folder(tmp_path / "deep" / "er")
    with replacing_folder(tmp_path / "deep" / "er") as folder:
        (folder / "a").write_text("x")
    assert (tmp_path / "deep" / "er" / "a").read_text() == "x"
