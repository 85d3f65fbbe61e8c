"""The reader of settings: what it takes, what it refuses, and what it says."""

import pickle
from dataclasses import field, replace
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, PositiveInt

from treesent.config import Dropout, File, OneOf, explain, map_files, read_section, section
from treesent.errors import RecipeError


@section
class Inner:
    """A section inside another."""

    kind: Literal["a", "b"] = "a"
    """The kind."""
    rate: Annotated[float, Field(gt=0)] = 1.0


@section
class Base:
    """What another class extends."""

    hidden: PositiveInt = 3
    """Width of
    the states."""


@section
class Outer(Base):
    """A section with every kind of value."""

    drop: Dropout = 0.0
    flag: bool = False
    cell: Annotated[str, OneOf(("lstm", "gru"))] = "lstm"
    files: File | tuple[File, ...] = ()
    weights: Literal["balanced"] | tuple[float, ...] | None = None
    inner: Inner = field(default_factory=Inner)

    def __post_init__(self) -> None:
        if self.hidden == 7:
            raise RecipeError("hidden is 7; must be another number")


def test_values_are_taken():
    values = {"hidden": 5, "drop": 0, "files": ["x", "y"], "weights": [1, 2.5], "inner": {"rate": 2}}
    read = read_section(Outer, values, "model")
    assert read == Outer(5, 0.0, files=("x", "y"), weights=(1.0, 2.5), inner=Inner(rate=2.0))
    assert pickle.loads(pickle.dumps(read)) == read
    assert replace(read, hidden=6).hidden == 6
    with pytest.raises(AttributeError):
        read.hidden = 6


REFUSED = [
    ({"hidden": 0}, "model.hidden is 0; must be at least 1"),
    ({"hidden": 7}, "model.hidden is 7; must be another number"),
    ({"hidden": 150.5}, "model.hidden is 150.5; must be an integer of at least 1"),
    ({"hidden": True}, "model.hidden is true; must be an integer of at least 1"),
    ({"flag": "false"}, "model.flag is 'false'; must be true or false"),
    ({"flag": 1}, "model.flag is 1; must be true or false"),
    ({"drop": 1}, "model.drop is 1; must be in [0, 1)"),
    ({"drop": float("nan")}, "model.drop is NaN; must be a number in [0, 1)"),
    ({"cell": "lstn"}, "model.cell is 'lstn'; must be 'lstm' or 'gru'"),
    ({"files": 3}, "model.files is 3; must be a path or a list of paths"),
    ({"weights": "balance"}, "model.weights is 'balance'; must be 'balanced', a list of numbers or null"),
    ({"inner": 3}, "model.inner is 3; must be a section, [model.inner]"),
    ({"inner": {"rate": 0}}, "model.inner.rate is 0; must be above 0"),
    ({"inner": {"kind": "c"}}, "model.inner.kind is 'c'; must be 'a' or 'b'"),
    ({"inner": {"knd": "a"}}, "model.inner.knd is unknown; did you mean 'kind'? known: kind, rate"),
    ({"hiden": 3}, "model.hiden is unknown; did you mean 'hidden'? known: cell, drop, "),
]


@pytest.mark.parametrize(("values", "message"), REFUSED, ids=lambda value: str(value)[:40])
def test_values_are_refused(values, message):
    with pytest.raises(RecipeError) as caught:
        read_section(Outer, values, "model")
    assert str(caught.value).startswith(message)


def test_a_constructor_is_as_strict_as_the_reader():
    with pytest.raises(RecipeError, match=r"^hidden is '5'; must be an integer of at least 1$"):
        Outer(hidden="5")
    with pytest.raises(RecipeError, match=r"^kind is 'c'; must be"):
        Inner("c")
    with pytest.raises(TypeError, match="2 values"):
        Inner("a", 1.0, 2)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(["hidden", "drop", "flag", "cell", "files", "weights", "inner"]), JSON)
def test_any_value_is_read_as_it_is_or_refused_by_its_name(key, value):
    try:
        read = read_section(Outer, {key: value}, "model")
    except RecipeError as error:
        assert str(error).startswith(f"model.{key}") and "\n" not in str(error)
        return
    found = getattr(read, key)
    if key == "inner":
        assert found == Inner(**value)
    else:
        assert found == (tuple(value) if isinstance(value, list) else value)
        assert isinstance(value, bool) == (key == "flag")


@given(st.dictionaries(st.text(max_size=8), JSON, min_size=1))
def test_unknown_keys_are_refused_before_anything_else(values):
    values = {key: value for key, value in values.items() if key not in Outer.__dataclass_fields__}
    if values:
        with pytest.raises(RecipeError, match="is unknown; "):
            read_section(Outer, {"hidden": 0, **values}, "model")


def test_every_setting_is_explained():
    settings = {f"{setting.section}.{setting.key}": setting for setting in explain(Outer, "model")}
    assert settings["model.hidden"].meaning == "Width of the states."
    assert settings["model.hidden"].expected == "an integer of at least 1"
    assert settings["model.inner.kind"].meaning == "The kind."
    assert (settings["model.inner.rate"].default, settings["model.drop"].expected) == (
        1.0,
        "a number in [0, 1)",
    )
    assert "model.inner" not in settings


def test_paths_are_found():
    assert map_files(Outer(files=("a", "b")), str.upper).files == ("A", "B")
    assert map_files(Outer(files="a"), str.upper).files == "A"
    assert map_files(Outer(cell="gru"), str.upper).cell == "gru"
