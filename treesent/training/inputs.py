"""The files that a recipe reads: where they are, and how to make those that are missing.

The comments of a recipe say how: its commands, each with the file that it writes after ``-o``, and above each key
of ``[paths]`` what it names. A capital word in a command, such as FOLDER in ``--paths.trees FOLDER``, stands for
the value of that key.
"""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from treesent.errors import RecipeError
from treesent.files import data_path, packaged
from treesent.training.syntax import parse_config

_COMMAND = re.compile(r"^# +(python -m treesent (?:.*\\\n#)*.*)$", re.MULTILINE)
_KEY = re.compile(r"((?:^#.*\n)*)^(\w+) *=", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Inputs:
    """The files that a recipe reads.

    :param text: the recipe's, with its comments.
    :param path: of the recipe.
    :param paths: its ``[paths]``, as they are set.
    """

    text: str
    path: Path
    paths: Mapping[str, Any]

    def find(self, name: str) -> Path:
        """Find a file or folder.

        :param name: as in the recipe.
        :raises RecipeError: it is nowhere; the message says what makes it, or which option names another one.
        """
        try:
            return data_path(name, self.path.parent)
        except RecipeError as error:
            advice = self.advice(name)
            raise RecipeError(f"{error}; {advice}" if advice else str(error)) from None

    def advice(self, name: str) -> str:
        """Say what makes a missing file, or which option names it; empty if the recipe says neither.

        :param name: as in the recipe.
        """
        made = list(dict.fromkeys(self._making(name, set())))
        if made:
            return f"make it with: {' && '.join(made)}"
        keys = [key for key, value in self.paths.items() if value and name.startswith(str(value))]
        if not keys:
            return ""
        key = max(keys, key=lambda key: len(str(self.paths[key])))
        meaning = self._meanings().get(key, "").rstrip(".")
        return f"name yours with --paths.{key}" + (f" ({meaning})" if meaning else "")

    def _making(self, name: str, seen: set[str]) -> Iterator[str]:
        """The commands that make a file, those that make their own missing inputs first."""
        for path in dict.fromkeys([self.path, *sorted(packaged("pipelines").glob("*.cfg"))]):
            text = self.text if path == self.path else path.read_text("utf-8")
            for words in documented_commands(text):
                output = words[words.index("-o") + 1] if "-o" in words else ""
                if not output or output in seen or not self._is(name, output, text):
                    continue
                for word in words:
                    if word != output and word.startswith("out/") and not Path(word).exists():
                        yield from self._making(word, {*seen, output})
                yield shlex.join(self._filled(word, text) for word in words)
                return

    def _is(self, name: str, output: str, text: str) -> bool:
        """Whether a file is what a command of a recipe's text writes, or lies in the folder that it writes."""
        return any(
            place == output or place.startswith(f"{output}/") for place in (name, *self._defaults(name, text))
        )

    def _defaults(self, name: str, text: str) -> Iterator[str]:
        """What a file would be called with a recipe's own ``[paths]``."""
        for key, default in _paths_of(text).items():
            value = self.paths.get(key)
            if value and name.startswith(f"{value}/"):
                yield f"{default}{name[len(str(value)) :]}"

    def _filled(self, word: str, text: str) -> str:
        """A word of a command with the values of ``[paths]`` in place of the documented ones."""
        stands_for = dict(re.findall(r"--paths\.(\w+) ([A-Z]+)\b", text))
        for key, value in self.paths.items():
            documented = [stands_for.get(key), _paths_of(text).get(key)]
            for old in filter(None, documented):
                if word == old or word.startswith(f"{old}/"):
                    return f"{value}{word[len(old) :]}"
        return word

    def _meanings(self) -> dict[str, str]:
        """What the comments above the keys say."""
        found: dict[str, str] = {}
        for comment, key in _KEY.findall(self.text):
            lines = [line.lstrip("# ").strip() for line in comment.splitlines()]
            found.setdefault(key, " ".join(filter(None, lines)))
        return found


def documented_commands(text: str) -> Iterator[list[str]]:
    """List the commands in a recipe's comments.

    :param text: the recipe's.
    :returns: the words of each, ``python -m treesent`` among them.
    """
    for command in _COMMAND.findall(text):
        yield shlex.split(re.sub(r"\\\n#", " ", command))


def _paths_of(text: str) -> dict[str, str]:
    values = parse_config(text, {}, Path()).get("paths", {})
    return {key: value for key, value in values.items() if isinstance(value, str)}
