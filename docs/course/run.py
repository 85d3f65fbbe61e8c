"""Run the commands of the course's pages, as they stand there, in one process: ``python docs/course/run.py [PAGE...]``.

A command of a page is a line of a block of shell. Those whose output is newer than the page and the code are left out.
"""

import re
import runpy
import shlex
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
BLOCK = re.compile(r"^```bash\n(.*?)^```", re.DOTALL | re.MULTILINE)


def pages() -> list[str]:
    """The names of the pages that have commands."""
    return sorted(page.stem for page in FOLDER.glob("*.md") if BLOCK.search(page.read_text("utf-8")))


def commands(page: str) -> Iterator[list[str]]:
    """The words of each command of a page.

    :param page: its name.
    """
    for block in BLOCK.findall((FOLDER / f"{page}.md").read_text("utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            if words := shlex.split(line, comments=True):
                yield words


def outputs(words: list[str]) -> list[Path]:
    """The files that a command writes.

    :param words: of the command.
    """
    named = [after for word, after in pairwise(words) if word in ("-o", ">", "--log")]
    return [Path(name) for name in named or words[2:3]]


def run(words: list[str]) -> None:
    """Run a command in this process, which has imported everything already.

    :param words: of the command.
    """
    from treesent.cli import app

    assert words[0] == "python", words
    if words[1] != "-m":
        sys.argv = words[1:]
        runpy.run_path(words[1], run_name="__main__")
        return
    app(words[3:], standalone_mode=False)


def main(names: list[str]) -> None:
    """Run the commands of pages.

    :param names: of the pages; none for all.
    """
    code = max(path.stat().st_mtime for path in (ROOT / "treesent").rglob("*.py"))
    for name in names or pages():
        newest = max(code, (FOLDER / f"{name}.md").stat().st_mtime)
        start = time.perf_counter()
        for words in commands(name):
            made = outputs(words)
            if all(path.exists() and path.stat().st_mtime > newest for path in made):
                continue
            for path in made:
                path.parent.mkdir(parents=True, exist_ok=True)
            run(words)
        sys.stderr.write(f"{name}: {time.perf_counter() - start:.0f} s\n")


if __name__ == "__main__":
    main(sys.argv[1:])
