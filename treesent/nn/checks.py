"""Checks of numbers that every network's settings share."""

from typing import Any

from treesent.errors import RecipeError


def at_least(config: Any, least: int, *names: str) -> None:
    """Refuse settings below a number.

    :param config: the settings.
    :param least: the number.
    :param names: which settings.
    :raises RecipeError: one of them is below it.
    """
    for name in names:
        if getattr(config, name) < least:
            raise RecipeError(f"{name} is {getattr(config, name)}; give {least} or more")


def shares(config: Any, *names: str) -> None:
    """Refuse dropout rates that are no shares.

    :param config: the settings.
    :param names: which settings.
    :raises RecipeError: one of them is below 0, or 1 or more.
    """
    for name in names:
        if not 0 <= getattr(config, name) < 1:
            raise RecipeError(f"{name} is {getattr(config, name)}; give a share from 0 up to, but not, 1")
