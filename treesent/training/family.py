"""A family of models: the one object by which training, and whoever opens a model, knows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from treesent.config import KEY, nearest
from treesent.errors import RecipeError

if TYPE_CHECKING:
    import torch
    from torch import nn

    from treesent.training.recipe import Recipe
    from treesent.training.task import Scored, Task


class Prepared(Protocol):
    """A task with its data read; a family adds what it needs to build and write the model."""

    @property
    def task(self) -> Task:
        """What the model learns."""

    @property
    def signature(self) -> dict[str, Any]:
        """What a resumed run must have in common with the interrupted one."""


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """A family of models.

    :param config: the class of the settings of each ``@architectures`` name.
    :param task: reads the data of a recipe, for training on a device.
    :param build: makes the model with its initial weights, which come from the generator.
    :param write: rounds the trained model to the precision that is saved, evaluates it, and writes it to a
        folder, which does not exist yet; the last argument is the name of the folder that it will become.
        Returns the scores on dev.
    :param read: opens what ``write`` has written.
    :param files: patterns of the files that ``write`` makes, such as ``vocab/*``: a folder that holds any other
        file is never replaced.
    :param sections: the classes of the sections that only this family's recipes have (``parser``), of sections
        inside the model's block that are not settings of the network (``model.encoder``), and of common
        sections that the family extends (``training``).
    """

    config: Mapping[str, type[Any]]
    task: Callable[[Recipe, torch.device], Any]
    build: Callable[[Recipe, Any, torch.Generator], nn.Module]
    write: Callable[[Recipe, Any, Any, Path, str], Scored]
    read: Callable[[Path], Any]
    files: tuple[str, ...]
    sections: Mapping[str, type[Any]] = field(default_factory=dict)


def family_of(block: Mapping[str, Any], families: Iterable[Family]) -> Family:
    """Find the family of a ``[model]`` block.

    :param block: ``@architectures`` and settings.
    :param families: those to search.
    :raises RecipeError: if the name is missing or unknown.
    """
    by_name = {name: family for family in families for name in family.config}
    name = block.get(KEY)
    if name is None:
        raise RecipeError(f"model.{KEY} is missing; known: {', '.join(sorted(by_name))}")
    if not isinstance(name, str) or name not in by_name:
        raise RecipeError(
            f"model.{KEY} is {name!r}, which is not a known model; {nearest(str(name), by_name)}"
        )
    return by_name[name]
