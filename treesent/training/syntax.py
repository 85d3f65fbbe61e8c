"""The syntax of recipes: confection's, with variables of the environment and overrides."""

import configparser
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from treesent.errors import RecipeError

_ENVIRONMENT = re.compile(r"^[ \t]*[#;].*|\$\{env\.(\w+)\}", re.MULTILINE)  # comments stay as they are
_HEADER = re.compile(r"^\[([^\[\]]+)\][ \t]*$", re.MULTILINE)


def parse_config(text: str, overrides: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Parse a recipe's text into nested sections.

    :param text: as in the file.
    :param overrides: values by dotted key.
    :param path: the recipe's, for messages.
    :raises RecipeError: if it cannot be parsed, or an override names no value.
    """
    from confection import Config, ConfigValidationError

    def variable(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0]
        try:
            return os.environ[match[1]]
        except KeyError:
            raise RecipeError(f"{path}: the environment variable {match[1]} is not set; set it") from None

    try:
        config = Config().from_str(_with_parents(_ENVIRONMENT.sub(variable, text)), interpolate=False)
        for key, value in overrides.items():
            _override(config, key, value)
        return dict(config.interpolate())
    except RecipeError:
        raise
    except KeyError as error:  # confection has met [a.b], but not [a]
        raise RecipeError(
            f"{path}: the section [{error.args[0]}] must stand before the sections inside it; add it"
        ) from error
    except (ConfigValidationError, configparser.Error, ValueError) as error:
        raise RecipeError(f"{path} is not a valid recipe: {_reason(error)}") from error


def _with_parents(text: str) -> str:
    """Declare the sections that a text only implies: ``[a.b.c]`` is inside ``[a.b]``, which confection wants."""
    known = set(_HEADER.findall(text))

    def declared(match: re.Match[str]) -> str:
        parts = match[1].split(".")[:-1]
        parents = [".".join(parts[:depth]) for depth in range(1, len(parts) + 1)]
        missing = [parent for parent in parents if parent not in known and "*" not in parent]
        known.update(missing)
        return "".join(f"[{name}]\n" for name in missing) + match[0]

    return _HEADER.sub(declared, text)


def _override(config: dict[str, Any], key: str, value: Any) -> None:
    *sections, last = key.split(".")
    if not sections:
        raise RecipeError(f"--{key} is not a value of a recipe; write --section.key VALUE")
    for section in sections:
        config = config.setdefault(section, {})
        if not isinstance(config, dict):
            raise RecipeError(f"--{key}: {section} is a value, not a section")
    config[last] = value


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()).removeprefix("Config validation error").strip()
