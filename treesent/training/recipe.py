"""Recipes: what to train, on which vectors, with which settings, as a confection ``.cfg``.

A recipe has the sections

- ``[vectors]``: a block that resolves to a :class:`~treesent.vectors.table.VectorTable`; see
  :mod:`treesent.data.vector_sources` for the registered functions;
- ``[model]``: the same block as ``[components.treesent.model]`` in a spaCy config;
- ``[corpora]``, ``[training]`` and ``[labels]``: see :mod:`treesent.training.sections`;
- what else the family of the model declares, ``[parser]`` for example;
- ``[paths]``: any names, for ``${paths.NAME}`` elsewhere.

``${section.key}`` stands for a value of the recipe, and ``${env.NAME}`` for a variable of the environment. A
relative path is looked up in the recipe's folder, then in the working directory, then among the packaged files
(``en_treesent_sm/treesent/vectors``). The command line overrides values with ``--section.key value``.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, is_dataclass, replace
from pathlib import Path
from typing import Any

from treesent.config import map_files, nearest, read_block, read_section
from treesent.errors import RecipeError
from treesent.training.family import Family, family_of
from treesent.training.inputs import Inputs
from treesent.training.sections import CorporaConfig, LabelsConfig, TrainingConfig
from treesent.training.syntax import parse_config

COMMON: Mapping[str, type[Any]] = {"corpora": CorporaConfig, "training": TrainingConfig}
"""The sections of every recipe, which a family may replace by classes that extend them."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A recipe that has been read and checked; the paths in it are absolute.

    :param family: the kind of model.
    :param model: the block ``[model]`` as it stands, without the sections in it that the family declares.
    :param settings: the same, read; an instance of one of the family's ``configs``.
    :param vectors: the block ``[vectors]``, empty if the recipe has none: not every model reads vectors.
    :param labels: None if the data name the classes.
    :param sections: the other sections that the family declares, by name; only those that the recipe has.
    """

    family: Family
    model: dict[str, Any]
    settings: Any
    vectors: dict[str, Any]
    corpora: Any
    training: Any
    labels: LabelsConfig | None
    sections: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Give the recipe as plain values, defaults filled in."""
        values = {key: getattr(self, key) for key in ("vectors", "corpora", "training", "labels")}
        values |= {"model": self.model, "sections": dict(self.sections)}
        return {key: _plain(value) for key, value in values.items()}


def read_recipe(
    path: str | Path, families: Iterable[Family], overrides: Mapping[str, Any] | None = None
) -> Recipe:
    """Read and check a recipe.

    :param path: the ``.cfg``.
    :param families: the families of models that it may be of.
    :param overrides: values by dotted key, ``{"training.seed": 3}``.
    :raises RecipeError: if the file cannot be read, or a key or value in it is wrong.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: the recipe cannot be read: {error}") from error
    return parse_recipe(text, families, overrides, path)


def parse_recipe(
    text: str,
    families: Iterable[Family],
    overrides: Mapping[str, Any] | None = None,
    path: Path = Path("recipe.cfg"),
    *,
    find: bool = True,
) -> Recipe:
    """Check a recipe's text.

    :param text: as in the file.
    :param families: the families of models that it may be of.
    :param overrides: values by dotted key.
    :param path: its path, for messages and for relative paths in it.
    :param find: find the files that it names; False leaves their paths as they are.
    :raises RecipeError: if a key or value in it is wrong.
    """
    config = parse_config(text, overrides or {}, path)
    inputs = Inputs(text, path, config.get("paths", {}))
    try:
        recipe = _read(config, families)
        return _with_files(recipe, inputs, config.get("labels", {})) if find else recipe
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from error


def _read(config: Mapping[str, Any], families: Iterable[Family]) -> Recipe:
    """Read every section; keys and values are checked before files, which may take long to make."""
    families = tuple(families)
    _refuse_unknown(config, {name for family in families for name in _sections(family)})
    for name in ("model", "corpora"):
        if name not in config:
            raise RecipeError(f"the section [{name}] is missing; add it")
    model = config["model"]
    if not isinstance(model, Mapping):
        raise RecipeError("model is a value; must be a section, [model]")
    family = family_of(model, families)
    _refuse_unknown(config, _sections(family))
    model, sections = dict(model), {}
    for name, kind in {**COMMON, **family.sections}.items():
        outer, _, inner = name.partition(".")
        if inner:  # a value of that name is a setting of the network
            if isinstance(model.get(inner), Mapping):
                sections[name] = read_section(kind, model.pop(inner), name)
        elif outer in config or outer in COMMON:
            sections[name] = read_section(kind, config.get(outer, {}), name)
    return Recipe(
        family=family,
        model=model,
        settings=read_block(family.config, model),
        vectors=dict(config.get("vectors", {})),
        corpora=sections.pop("corpora"),
        training=sections.pop("training"),
        labels=read_section(LabelsConfig, _with_polarity(config.get("labels", {})), "labels"),
        sections=sections,
    )


def _sections(family: Family) -> set[str]:
    """The top sections that a family's recipes may have."""
    return {"paths", "vectors", "model", "labels", *COMMON, *(name.split(".")[0] for name in family.sections)}


def _refuse_unknown(config: Mapping[str, Any], known: set[str]) -> None:
    for name in config:
        if name not in known:
            raise RecipeError(f"[{name}] is unknown; {nearest(name, known)}")


def _with_polarity(labels: Any) -> Any:
    """Classes that a recipe names have the polarity that it gives, or none."""
    return {"polarity": None, **labels} if isinstance(labels, Mapping) and "names" in labels else labels


def _with_files(recipe: Recipe, inputs: Inputs, labels: Mapping[str, Any]) -> Recipe:
    """Find the files of a recipe, and drop its labels if the data name the classes."""

    def find(name: str) -> str:
        if not name.startswith("hf:"):
            return str(inputs.find(name))
        folder, colon, rest = name.removeprefix("hf:").partition(":")
        here = inputs.path.parent / folder  # else it is a dataset of the hub
        return f"hf:{here.resolve()}{colon}{rest}" if here.is_dir() else name

    corpora = map_files(recipe.corpora, find)
    if corpora.files("train_heads") and corpora.has_texts:
        raise RecipeError(
            "train_heads need bracketed trees, but [corpora] has labelled texts; remove one kind"
        )
    named = "names" in labels or corpora.has_trees
    if not named and labels.get("polarity") is not None:
        raise RecipeError("labels.polarity is set without labels.names; name the classes in the same order")
    return replace(
        recipe,
        vectors=_found(recipe.vectors, find),
        corpora=corpora,
        labels=recipe.labels if named else None,
        sections={name: map_files(section, find) for name, section in recipe.sections.items()},
    )


def _found(block: Any, find: Callable[[str], str], key: str = "") -> Any:
    """Find the files of a block: the text values whose key is ``path`` or ends with ``_path``."""
    if isinstance(block, Mapping):
        return {name: _found(value, find, str(name)) for name, value in block.items()}
    if isinstance(block, list):
        return [_found(value, find, key) for value in block]
    return find(block) if isinstance(block, str) and f"_{key}".endswith("_path") else block


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
