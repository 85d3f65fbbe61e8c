"""Read a section of a recipe into a frozen dataclass, refusing what does not belong there."""

import difflib
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from treesent.errors import RecipeError

Section = TypeVar("Section")


def read_section(kind: type[Section], values: Any, name: str) -> Section:
    """Make a dataclass from a section's values, nested sections too.

    :param kind: a dataclass; its annotations say which types are taken and its ``__post_init__`` may raise
        :class:`RecipeError` with ``key is value; expected``, to which the section's name is added.
    :param values: the section.
    :param name: the section's name, for messages.
    :raises RecipeError: an unknown key (the nearest known one is named), a missing key, or a value of a
        wrong type.
    """
    if not isinstance(values, Mapping):
        raise RecipeError(f"{name} is {values!r}; expected a section, [{name}]")
    known = {field.name: field for field in fields(typing.cast(Any, kind))}
    for key in values:
        if key not in known:
            raise RecipeError(f"{name}.{key} is unknown; {nearest(key, known)}")
    missing = [k for k, f in known.items() if f.default is MISSING and f.default_factory is MISSING]
    for key in missing:
        if key not in values:
            raise RecipeError(f"{name}.{key} is missing; add it to the section [{name}]")
    hints = get_type_hints(kind)
    read = {key: _value(hints[key], value, f"{name}.{key}") for key, value in values.items()}
    try:
        return kind(**read)
    except RecipeError as error:
        raise RecipeError(f"{name}.{error}") from error


def nearest(key: str, known: Iterable[str]) -> str:
    """Say which known key an unknown one is nearest to.

    :param key: the unknown one.
    :param known: those there are.
    """
    known = list(known)
    near = difflib.get_close_matches(key, known, 1, 0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}known: {', '.join(known)}"


def _value(kind: Any, value: Any, name: str) -> Any:
    if is_dataclass(kind):
        return read_section(typing.cast(Any, kind), value, name)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _one_of(arguments, value, name)
    if origin is Literal:
        if value in arguments:
            return value
        raise RecipeError(f"{name} is {value!r}; expected one of {', '.join(map(repr, arguments))}")
    if origin is tuple:
        if isinstance(value, list | tuple):
            return tuple(_value(arguments[0], item, f"{name}[{i}]") for i, item in enumerate(value))
        raise RecipeError(f"{name} is {value!r}; expected a list")
    if kind is Any or _fits(kind, value):
        return float(value) if kind is float else value
    raise RecipeError(f"{name} is {value!r}; expected {_described(kind)}")


def _one_of(kinds: tuple[Any, ...], value: Any, name: str) -> Any:
    """Read a value as the first kind that takes it; the error is that of the first."""
    if value is None and type(None) in kinds:
        return None
    first: RecipeError | None = None
    for kind in kinds:
        try:
            if kind is not type(None):
                return _value(kind, value, name)
        except RecipeError as error:
            first = first or error
    raise first or RecipeError(f"{name} is {value!r}")


def _fits(kind: Any, value: Any) -> bool:
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, int | float) if kind is float else isinstance(value, kind)


def _described(kind: Any) -> str:
    names = {int: "an integer", float: "a number", bool: "true or false", str: "text in quotes"}
    return names.get(kind, "a section" if kind is dict else getattr(kind, "__name__", str(kind)))
