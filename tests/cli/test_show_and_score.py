"""The command line: quick to ask, errors without a traceback, documented exit codes."""

import contextlib
import json
import os
import subprocess
import sys
import termios
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import treesent
from tests.fakes import FakePipeline
from treesent.cli import _Group, app
from treesent.cli.score import score_file
from treesent.errors import DataError
from treesent.scoring import ScoreOptions

HEAVY = ("torch", "spacy", "thinc", "numpy", "pyarrow", "datasets", "gensim")


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setattr(treesent, "load", lambda name: FakePipeline())


def treesent_(*arguments, **options):
    command = [sys.executable, "-m", "treesent", *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, **options)


@pytest.mark.parametrize("arguments", [["--help"], ["score", "--help"]])
def test_help_imports_nothing_heavy(arguments):
    probe = f"""
import sys
from treesent.cli import app
try:
    app({arguments!r})
except SystemExit as error:
    assert not error.code
found = set({HEAVY!r}) & set(sys.modules)
assert not found, found
"""
    done = subprocess.run([sys.executable, "-c", probe], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Exit codes: 0 done" in done.stdout


def test_every_command_is_listed_with_its_line():
    shown = CliRunner().invoke(app, ["--help"]).output
    for name in ("score", "train", "evaluate", "project"):
        assert f"\n  {name} " in shown


def test_an_error_of_the_user_is_a_message_and_any_other_a_traceback():
    tool = typer.Typer(cls=_Group, pretty_exceptions_enable=False)

    @tool.command()
    def user():
        raise DataError("a.csv:3: nothing there")

    @tool.command()
    def bug():
        raise RuntimeError("a bug")

    @tool.command()
    def stop():
        raise KeyboardInterrupt

    result = CliRunner().invoke(tool, ["user"])
    assert (result.exit_code, result.stderr) == (1, "treesent: error: a.csv:3: nothing there\n")
    assert isinstance(CliRunner().invoke(tool, ["bug"]).exception, RuntimeError)
    assert CliRunner().invoke(tool, ["stop"]).exit_code == 130


def test_score_in_a_file_and_its_exit_codes(tmp_path, monkeypatch, fake):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_bytes(b"text\nfine\n\xff\n")
    result = CliRunner().invoke(app, ["score", "a.csv", "-o", "b.jsonl"])
    assert result.exit_code == 1 and "a.csv:3: row 2: not UTF-8" in result.stderr
    result = CliRunner().invoke(app, ["score", "a.csv", "-o", "b.jsonl", "--on-error", "skip"])
    assert result.exit_code == 3
    assert result.stderr == "treesent: 2 rows, 1 rejected, in b.jsonl.rejects.jsonl\n"
    assert json.loads((tmp_path / "b.jsonl").read_text())["text"] == "fine"
    again = CliRunner().invoke(app, ["score", "a.csv", "-o", "b.jsonl", "--on-error", "skip"])
    assert again.exit_code == 1 and "--overwrite" in again.stderr
    result = CliRunner().invoke(app, ["score", "a.csv", "-o", "b.jsonl", "--on-error", "skip", "--overwrite"])
    assert result.exit_code == 3


def test_score_from_and_to_streams(fake):
    result = CliRunner().invoke(app, ["score", "-"], input="A fine film.\n\nA bad one.\n")
    assert result.exit_code == 0
    assert [json.loads(line)["text"] for line in result.stdout.splitlines()] == [
        "A fine film.",
        "",
        "A bad one.",
    ]
    assert result.stderr == "treesent: 3 rows, 1 without text\n"
    result = CliRunner().invoke(app, ["score", "-", "--format", "csv"], input="text,k\nfine,1\n")
    assert result.stdout.startswith("text,k,label,")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--device", "tpu"], "--device tpu: unknown; use auto, cpu, cuda, cuda:1 or mps"),
        (["--device", "cuda:9"], "--device cuda:9: not on this machine"),
        (["--device", "cuda", "--workers", "2"], "one process drives a device"),
    ],
)
def test_a_device_that_cannot_be_used(fake, tmp_path, options, message):
    (tmp_path / "a.txt").write_text("fine\n")
    result = CliRunner().invoke(app, ["score", str(tmp_path / "a.txt"), *options])
    assert (result.exit_code, result.stdout) == (1, "") and message in result.stderr


def test_a_reader_that_stops_early_is_no_error(tmp_path):
    (tmp_path / "a.txt").write_text("fine\n" * 20_000)
    script = (
        f"import sys; sys.path[:0] = [{str(Path(__file__).parents[2])!r}]\n"
        "import treesent\nfrom tests.fakes import FakePipeline\ntreesent.load = lambda name: FakePipeline()\n"
        "from treesent.cli import app\napp()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, "score", str(tmp_path / "a.txt")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        assert "Traceback" not in process.stderr.read()


def _read_all(terminal):
    """What was written to a terminal whose other end is closed: the kernel hands it over piece by piece."""
    drawn = b""
    with contextlib.suppress(OSError):
        while piece := os.read(terminal, 10_000):
            drawn += piece
    return drawn.decode()


def test_the_bar_is_drawn_where_standard_error_is_a_terminal(tmp_path, monkeypatch, fake):
    (tmp_path / "a.txt").write_text("fine\n" * 300)
    main, terminal = os.openpty()
    termios.tcsetwinsize(terminal, (24, 80))
    with os.fdopen(terminal, "w") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        score_file(str(tmp_path / "a.txt"), str(tmp_path / "b.jsonl"), ScoreOptions())
    drawn = _read_all(main)
    os.close(main)
    assert "300/300" in drawn and "rows/s" in drawn


def test_the_module_runs():
    done = treesent_("score", "none.csv")
    assert (done.returncode, done.stderr) == (1, "treesent: error: none.csv: no such file\n")
    assert "Usage: python -m treesent" in treesent_("--help").stdout
