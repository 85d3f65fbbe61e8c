"""What a map shows: named points in a space, and what is known of each."""

from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np

from treesent.errors import VectorsError
from treesent.types import Float32, Int32

Scale = Literal["linear", "log", "diverging"]
MOST = 100_000
"""The most points that the page is made for."""


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """A number or a category of each point, to colour the map by.

    :param name: as the page shows it.
    :param values: a number each, NaN for none; or the index in ``categories``, -1 for none. *Shape:* ``(n_points,)``
    :param categories: the names of the categories; empty for numbers.
    :param scale: how numbers are spread over colours: ``diverging`` is symmetric about zero.
    """

    name: str
    values: Float32 | Int32
    categories: tuple[str, ...] = ()
    scale: Scale = "linear"

    def at(self, i: int) -> float | str | None:
        """Return the value of one point, None if it has none."""
        value = self.values[i]
        if self.categories:
            return self.categories[int(value)] if value >= 0 else None
        return None if np.isnan(value) else float(value)


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Words or phrases and their vectors, the most frequent or most important first.

    :param names: distinct.
    :param matrix: *Shape:* ``(n_points, width)``
    :param columns: what is known of each.
    :param after: the same points in a second table. *Shape:* ``(n_points, width)``
    :param kind: what a point is, for the page's own words.
    :raises VectorsError: no point at all, more than the page can hold, or parts of unequal length.
    """

    names: tuple[str, ...]
    matrix: Float32
    columns: tuple[Column, ...] = ()
    after: Float32 | None = None
    kind: Literal["words", "phrases"] = "words"

    def __post_init__(self) -> None:
        n_points = len(self.names)
        if n_points < 3:
            raise VectorsError(f"a map needs at least 3 {self.kind}, not {n_points}")
        if n_points > MOST:
            raise VectorsError(
                f"a map holds at most {MOST:,} {self.kind}, not {n_points:,}: "
                f"take the most frequent ones (--most-frequent {MOST})"
            )
        if len(self.matrix) != n_points:
            raise VectorsError(f"{n_points} {self.kind} but {len(self.matrix)} vectors: give one for each")
        for column in self.columns:
            if len(column.values) != n_points:
                raise VectorsError(
                    f"the column {column.name!r} has {len(column.values)} values for {n_points} {self.kind}"
                )

    def with_columns(self, *columns: Column) -> Self:
        """Return the points with more columns; a name that is taken gets a number."""
        known = list(self.columns)
        for column in columns:
            taken = {other.name for other in known}
            name, count = column.name, 1
            while name in taken:
                count += 1
                name = f"{column.name} {count}"
            known.append(replace(column, name=name))
        return replace(self, columns=tuple(known))
