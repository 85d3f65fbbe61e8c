"""The README says what happens."""

import contextlib
import io
import re
from pathlib import Path

import pytest

from treesent.cli import COMMANDS

ROOT = Path(__file__).parents[1]
DOCUMENTS = ["README.md", "embeddings/README.md", "pipelines/README.md", "pipelines/en_treesent_sm/README.md"]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FENCE = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


def test_the_first_lines_of_code_print_what_their_comments_say():
    code = next(text for kind, text in FENCE.findall(README) if kind == "python")
    expected = [line.removeprefix("# ") for line in code.splitlines() if line.startswith("# ")]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "README.md", "exec"), {})
    lines = printed.getvalue().splitlines()
    assert len(lines) == len(expected) > 3
    for line, comment in zip(lines, expected, strict=True):
        assert line.startswith(comment.removesuffix("...").rstrip()), (line, comment)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_exists(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    named = set(re.findall(r"python -m treesent (\w+)", text))
    assert named <= set(COMMANDS), named - set(COMMANDS)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_file_that_is_linked_is_there(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:|#)([^)]+)\)", text)
    missing = [link for link in links if not _is_there((ROOT / document).parent, link)]
    assert not missing


def _is_there(folder, link):
    """Whether a link leads to a file and, after ``#``, to a heading in it."""
    file, _, heading = link.partition("#")
    if not (folder / file).exists():
        return False
    found = (
        re.findall(r"^#+ (.+)$", (folder / file).read_text(encoding="utf-8"), re.MULTILINE) if heading else []
    )
    return not heading or heading in {
        re.sub(r"[^\w -]", "", name).lower().replace(" ", "-") for name in found
    }


def test_every_make_target_exists():
    named = set(re.findall(r"^make ([\w-]+)", README, re.MULTILINE)) | set(
        re.findall(r"`make ([\w-]+)`", README)
    )
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert named <= targets, named - targets


def test_every_recipe_has_a_row():
    text = (ROOT / "pipelines" / "README.md").read_text(encoding="utf-8")
    recipes = {path.stem for path in (ROOT / "pipelines").glob("*.cfg")}
    assert set(re.findall(r"^\| \[`(\w+)`\]", text, re.MULTILINE)) == recipes
