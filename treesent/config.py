"""Settings: frozen dataclasses that check their own values, and the one reader of a recipe's sections.

A setting is a field of a class under :func:`section`: its annotation says which values are allowed
(``Annotated[int, Field(ge=1)]``), the docstring below it what it means. Checking is strict: ``150.5`` is not
an integer and ``"false"`` is not false; an integer is fine where a number is expected.
"""

import ast
import dataclasses
import difflib
import inspect
import json
import textwrap
import types
import typing
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import cache
from itertools import pairwise
from typing import Annotated, Any, Literal, TypeVar, Union, dataclass_transform, get_args, get_origin

import pydantic
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, core_schema, to_json

from treesent.errors import RecipeError

__all__ = [
    "KEY",
    "Dropout",
    "File",
    "Fraction",
    "OneOf",
    "Setting",
    "explain",
    "map_files",
    "nearest",
    "read_block",
    "read_section",
    "section",
]

KEY = "@architectures"
"""The key of a ``[model]`` block that names the kind of model."""

Section = TypeVar("Section")
Dropout = Annotated[float, Field(ge=0, lt=1)]
"""A probability with which something is dropped."""
Fraction = Annotated[float, Field(ge=0, le=1)]


@dataclasses.dataclass(frozen=True, slots=True)
class OneOf:
    """Annotates text that must be a name in a table: ``Annotated[str, OneOf(CELLS)]``.

    :param names: the names.
    """

    names: Collection[str]

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        """What pydantic asks for."""
        return core_schema.literal_schema(list(self.names))

    def __hash__(self) -> int:
        return hash(tuple(self.names))


_FILE = object()
File = Annotated[str, _FILE]
"""The path of a file or folder, which :func:`map_files` finds."""

_NAMES = {int: "an integer", float: "a number", bool: "true or false", str: "text", type(None): "null"}
_PLURALS = {int: "integers", float: "numbers", str: "texts"}
_RANGE_ERRORS = {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field, Field))
def section(kind: type[Section]) -> type[Section]:
    """Make a class a frozen dataclass whose values are checked whenever one is made.

    ``__post_init__`` may raise :class:`RecipeError` for what one annotation cannot say.

    :param kind: the class.
    """
    config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
    made: Any = pydantic.dataclasses.dataclass(frozen=True, slots=True, config=config)(kind)
    check, names = made.__init__, [field.name for field in dataclasses.fields(made)]

    def init(self: Any, *args: Any, **values: Any) -> None:
        if len(args) > len(names):
            raise TypeError(f"{kind.__name__} takes {len(names)} values, and {len(args)} are given")
        values = dict(zip(names, args, strict=False)) | values
        try:
            check(self, **values)
        except ValidationError as error:
            raise RecipeError(_message(made, values, error)) from None

    made.__init__ = init
    return typing.cast("type[Section]", made)


def read_section(kind: type[Section], values: Any, name: str) -> Section:
    """Read a section of a recipe, and the sections inside it.

    :param kind: a class under :func:`section`.
    :param values: the section, as JSON values.
    :param name: the section's name, for messages.
    :raises RecipeError: a key is unknown (the nearest known one is named) or missing, or a value is not
        allowed.
    """
    if not isinstance(values, Mapping):
        raise RecipeError(f"{name} is {_shown(values)}; must be a section, [{name}]")
    try:
        # As JSON, because that is what a recipe holds: a list is right where a tuple is expected.
        data = to_json(dict(values), fallback=repr, inf_nan_mode="constants")
        return typing.cast(Section, _reader(typing.cast(Any, kind)).validate_json(data))
    except ValidationError as error:
        raise RecipeError(_message(kind, values, error, name)) from None
    except ValueError as error:
        raise RecipeError(f"[{name}] cannot be read: {error}") from error


def read_block(kinds: Mapping[str, type[Any]], block: Mapping[str, Any], name: str = "model") -> Any:
    """Read a block whose :data:`KEY` names its kind.

    :param kinds: the class of the settings of each kind.
    :param block: the name and the settings that differ from their defaults.
    :param name: the section's name, for messages.
    :raises RecipeError: as :func:`read_section`, or the kind is unknown.
    """
    kind = block.get(KEY)
    if kind is None:
        raise RecipeError(f"{name}.{KEY} is missing; known: {', '.join(sorted(kinds))}")
    if not isinstance(kind, str) or kind not in kinds:
        raise RecipeError(f"{name}.{KEY} is {_shown(kind)}, which is not known; {nearest(str(kind), kinds)}")
    return read_section(kinds[kind], {key: value for key, value in block.items() if key != KEY}, name)


def map_files(config: Section, find: Callable[[str], str]) -> Section:
    """Replace the paths in a section, and in the sections inside it.

    :param config: an instance of a class under :func:`section`; its paths are annotated with :data:`File`.
    :param find: gives the path to put in place of one.
    """
    values: Any = config
    hints: dict[str, Any] = _hints(type(values))
    found: dict[str, Any] = {}
    for field in dataclasses.fields(typing.cast(Any, config)):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            found[field.name] = map_files(value, find)
        elif value is not None and _is_file(hints[field.name]):
            found[field.name] = find(value) if isinstance(value, str) else tuple(map(find, value))
    return dataclasses.replace(typing.cast(Any, config), **found) if found else config


def nearest(key: str, known: Iterable[str]) -> str:
    """Say which known name an unknown one is nearest to.

    :param key: the unknown one.
    :param known: the known ones.
    """
    known = sorted(known)
    near = difflib.get_close_matches(key, known, 1, 0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}known: {', '.join(known)}"


@dataclasses.dataclass(frozen=True, slots=True)
class Setting:
    """What there is to know about a setting.

    :param section: dotted name of its section.
    :param key: its name.
    :param default: its value unless the recipe sets it; None with ``required``.
    :param required: whether it has no default.
    :param expected: the allowed values, in words.
    :param meaning: its documentation.
    """

    section: str
    key: str
    default: Any
    required: bool
    expected: str
    meaning: str


def explain(kind: type[Any], name: str) -> Iterator[Setting]:
    """List the settings of a section and of the sections inside it.

    :param kind: a class under :func:`section`.
    :param name: the section's name.
    """
    settings: Any = kind
    hints, docs = _hints(settings), _docs(settings)
    inner = []
    for field in dataclasses.fields(kind):
        key, hint = field.name, hints[field.name]
        if (nested := _nested(hint)) is not None:
            inner.append((nested, f"{name}.{key}"))
            continue
        factory: Any = field.default_factory
        required = field.default is factory is dataclasses.MISSING
        default = None if required else field.default if factory is dataclasses.MISSING else factory()
        yield Setting(name, key, default, required, _expected(hint), docs.get(key, ""))
    for nested, name in inner:
        yield from explain(nested, name)


@cache
def _reader(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _hints(kind: Any) -> dict[str, Any]:
    return _cached_hints(kind)


@cache
def _cached_hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind, include_extras=True)


@cache
def _docs(kind: Any) -> dict[str, str]:
    """The docstrings below the fields of a class and of those that it extends."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if not dataclasses.is_dataclass(base):
            continue
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(typing.cast("type[Any]", base))))
        except (OSError, TypeError):  # installed without its source
            continue
        body = typing.cast("ast.ClassDef", tree.body[0]).body
        for field, text in pairwise(body):
            match field, text:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(doc))):
                    found[name] = " ".join(doc.split())
    return found


def _message(kind: type[Any], values: Any, error: ValidationError, place: str = "") -> str:
    """Say what is wrong with a value: an unknown key first, since it may be why another is missing."""
    order = {"unexpected_keyword_argument": 0, "missing": 1, "missing_keyword_only_argument": 1}
    fault = min(error.errors(include_url=False), key=lambda fault: order.get(fault["type"], 2))
    name, hint, value, rest = _place(kind, values, fault, place)
    if fault["type"] == "value_error":
        reason = fault.get("ctx", {}).get("error")
        return f"{name}.{reason}" if name else str(reason)
    if fault["type"] == "unexpected_keyword_argument":
        known = [field.name for field in dataclasses.fields(hint)]
        return f"{_joined(name, rest)} is unknown; {nearest(rest, known)}"
    if fault["type"].startswith("missing"):
        where = f" in the section [{name}]" if name else ""
        return f"{_joined(name, rest)} is missing{where}; must be {_expected(_hints(hint)[rest])}"
    if fault["type"] in _RANGE_ERRORS and get_origin(hint) is Annotated:
        return f"{name} is {_shown(value)}; must be {_range(hint).removeprefix('of ')}"
    if _nested(hint) is not None:
        return f"{name} is {_shown(value)}; must be a section, [{name}]"
    return f"{name} is {_shown(value)}; must be {_expected(hint)}"


def _place(kind: Any, values: Any, fault: ErrorDetails, name: str) -> tuple[str, Any, Any, str]:
    """Follow an error to the value: its dotted name, its annotation, itself, and a key that is not there."""
    value, *path = values, *fault["loc"]
    absent = path.pop() if fault["type"].startswith(("missing", "unexpected_keyword")) else ""
    for part in path:
        if isinstance(part, str) and (nested := _nested(kind)) is not None and part in _hints(nested):
            name, kind, value = _joined(name, part), _hints(nested)[part], value[part]
        elif isinstance(part, int) and get_origin(_bare(kind)) is tuple:
            name, kind, value = f"{name}[{part}]", get_args(_bare(kind))[0], value[part]
        else:  # which member of a union it was: the whole union is described
            break
    return name, (_nested(kind) if absent else kind), value, str(absent)


def _joined(name: str, key: str) -> str:
    return f"{name}.{key}" if name else key


def _shown(value: Any) -> str:
    """A value as a recipe would have it."""
    shown = repr(value) if isinstance(value, str) else json.dumps(value, default=repr)
    return shown if len(shown) <= 100 else f"{shown[:97]}..."


def _bare(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _is_file(hint: Any) -> bool:
    return any(item is _FILE or _is_file(item) for item in get_args(hint))


def _nested(hint: Any) -> type[Any] | None:
    """The class of a section, where an annotation is of one."""
    members = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    return next((m for m in members if isinstance(m, type) and dataclasses.is_dataclass(m)), None)


def _expected(hint: Any) -> str:
    """The values that an annotation allows, in words."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        if _FILE in arguments:
            return "a path"
        names = next((item.names for item in arguments[1:] if isinstance(item, OneOf)), None)
        if names is not None:
            return _listed([_shown(name) for name in names])
        return f"{_expected(arguments[0])} {_range(hint)}".rstrip()
    if origin in (Union, types.UnionType):
        return _listed([_expected(member) for member in arguments])
    if origin is Literal:
        return _listed([_shown(value) for value in arguments])
    if origin is tuple:
        items = "paths" if _is_file(arguments[0]) else _PLURALS.get(_bare(arguments[0]))
        return f"a list of {items} {_range(arguments[0])}".rstrip() if items else "a list"
    if _nested(hint) is not None:
        return "a section"
    return _NAMES.get(hint, "a value")


def _listed(words: list[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _range(hint: Any) -> str:
    """The bounds of a number, in words."""
    bounds: dict[str, Any] = {}
    if get_origin(hint) is not Annotated:
        return ""
    for item in get_args(hint)[1:]:
        for constraint in item.metadata if isinstance(item, pydantic.fields.FieldInfo) else [item]:
            bounds |= {
                name: b
                for name in ("ge", "gt", "le", "lt")
                if (b := getattr(constraint, name, None)) is not None
            }
    if _bare(hint) is int and "gt" in bounds:
        bounds["ge"] = bounds.pop("gt") + 1
    low, high = bounds.get("ge", bounds.get("gt")), bounds.get("le", bounds.get("lt"))
    if low is not None and high is not None:
        return f"in {'[' if 'ge' in bounds else '('}{low}, {high}{']' if 'le' in bounds else ')'}"
    words: dict[str, Callable[[Any], str]] = {
        "ge": "of at least {}".format,
        "gt": "above {}".format,
        "le": "of at most {}".format,
        "lt": "below {}".format,
    }
    return " and ".join(words[name](bound) for name, bound in bounds.items())
