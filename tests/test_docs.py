"""Every command and every line of Python of the README and the docs runs and prints what it says."""

import contextlib
import io
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from treesent.cli import app

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", "docs/start.md", "docs/use.md", "docs/serve.md", "docs/train.md", "docs/vectors.md"]
FENCE = re.compile(r"```(python|bash|ini)\n(.*?)```", re.DOTALL)
TREES = """\
(3 (2 (2 The) (2 acting)) (3 (2 is) (4 superb)))
(1 (2 (2 The) (2 plot)) (1 (2 is) (0 dull)))
(4 (2 A) (4 (4 great) (2 film)))
(0 (2 A) (0 (0 terrible) (2 film)))
"""
REVIEWS = {"A great film.": "positive", "A dull film.": "negative", "Superb!": "positive", "Bad.": "negative"}


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """A folder with the files that the pages name."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "tests" / "data" / "reviews.csv", tmp_path)
    for name in ("train.txt", "dev.txt"):
        (tmp_path / name).write_text(TREES)
    rows = [f'"{text}",{label}\n' for text, label in REVIEWS.items()] * 5
    (tmp_path / "labelled.csv").write_text("text,label\n" + "".join(rows))
    (tmp_path / "rated.csv").write_text("text,label\nA dull film.,negative\nSuperb!,very positive\n")
    (tmp_path / "reviews.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in REVIEWS) * 20)
    (tmp_path / "texts.txt").write_text("The acting is superb.\nA dull film.\n")
    aspects = [{"from": 4, "to": 8, "label": "negative"}, {"from": 26, "to": 32, "label": "positive"}]
    rows = [
        {"text": "The plot is thin, but the acting is superb.", "aspects": aspects, "split": s}
        for s in ("train", "dev")
    ]
    (tmp_path / "aspects.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "phrases.csv").write_text("text,phrase,label\nA dull film.,dull,negative\n")
    return tmp_path


def run_command(line):
    """Run a line of a shell block; what only installs or builds is not run here."""
    words = shlex.split(line, comments=True)
    if words[:4] == ["python", "-m", "treesent", "serve"]:
        run_server(words[1:])
    elif words[:3] == ["python", "-m", "treesent"]:
        result = CliRunner().invoke(app, words[3:])
        assert result.exit_code == 0, (line, result.output, result.exception)
    elif words[:3] == ["python", "-m", "spacy"]:
        subprocess.run([sys.executable, *words[1:]], check=True, capture_output=True)
    else:
        assert words[0] in ("make", "pip", "git"), f"{line}: no test runs this"


def run_server(words):
    """Start a server as a line says, on a free port, and ask whether it is ready."""
    command = [sys.executable, *words, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            answer = httpx.get(f"{server.stdout.readline().strip()}readyz", timeout=60, trust_env=False)
            assert (answer.status_code, answer.text) == (200, "ready\n")
        finally:
            server.terminate()
        assert server.wait(60) == 0


def run_python(code, names):
    """Run a block of Python and compare what it prints with its comments."""
    expected = [line.removeprefix("# ") for line in code.splitlines() if line.startswith("# ")]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "page", "exec"), names)
    lines = printed.getvalue().splitlines()
    assert len(lines) == len(expected), (lines, expected)
    for line, comment in zip(lines, expected, strict=True):
        assert line.startswith(comment.removesuffix("...").rstrip()), (line, comment)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_a_page_does_what_it_says(page, workplace):
    names = {}
    for kind, text in FENCE.findall((ROOT / page).read_text(encoding="utf-8")):
        if kind == "python":
            run_python(text, names)
        elif kind == "ini":
            Path(text.split("\n", 1)[0].removeprefix("# ")).write_text(text)
        else:
            for line in text.replace("\\\n", " ").splitlines():
                if line.strip():
                    run_command(line)
