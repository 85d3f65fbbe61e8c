"""Print every setting of a recipe: its value, the allowed values and what it means."""

import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from treesent.config import KEY, Setting, explain
from treesent.errors import RecipeError
from treesent.files import recipe_path
from treesent.models.registry import FAMILIES
from treesent.training.recipe import COMMON, parse_recipe
from treesent.training.sections import LabelsConfig
from treesent.training.syntax import parse_config

WIDTH = 100


def explain_recipe(recipe: str | Path, overrides: Mapping[str, Any] | None = None) -> str:
    """Describe all settings of a recipe; the files that it names need not exist.

    :param recipe: a ``.cfg``, or the name of a packaged one.
    :param overrides: values by dotted key.
    :returns: lines of text: a paragraph per setting, under a heading per section.
    :raises RecipeError: if the recipe cannot be read, or a key or value in it is wrong.
    """
    path = recipe_path(recipe)
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: the recipe cannot be read: {error}") from error
    read = parse_recipe(text, FAMILIES, overrides, path, find=False)
    given = parse_config(text, overrides or {}, path)
    kinds = {"model": type(read.settings), **COMMON, "labels": LabelsConfig, **read.family.sections}
    settings = [setting for name, kind in kinds.items() for setting in explain(kind, name)]
    lines = [f"{path}: {read.model[KEY]}", *_vectors(read.vectors)]
    width = max(len(setting.key) for setting in settings)
    section = ""
    for setting in settings:
        if setting.section != section:
            section = setting.section
            lines += ["", f"[{section}]"]
        lines += _lines(setting, given, width)
    return "\n".join(lines)


def _lines(setting: Setting, given: Mapping[str, Any], width: int) -> Iterator[str]:
    """A line of the value, one of the allowed values, and the meaning."""
    place: Any = given
    for name in setting.section.split("."):
        place = place.get(name, {}) if isinstance(place, Mapping) else {}
    is_set = isinstance(place, Mapping) and setting.key in place
    if is_set or not setting.required:
        value = json.dumps(place[setting.key] if is_set else setting.default, ensure_ascii=False)
        yield f"{setting.key:<{width}} = {value}{'' if is_set else '  (default)'}"
    else:
        yield f"{setting.key:<{width}}   (not set; required in this section)"
    meaning = re.sub(r":\w+:`~?(?:[\w.]*\.)?(\w+)`|``", lambda match: match[1] or "", setting.meaning)
    for text in (setting.expected, meaning):
        yield from textwrap.wrap(text, WIDTH, initial_indent="    ", subsequent_indent="    ")


def _vectors(block: Mapping[str, Any]) -> Iterator[str]:
    """The block ``[vectors]`` as it stands, whose keys are the arguments of a registered function."""
    if block:
        yield from ["", "[vectors]"]
        yield from (f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in block.items())
