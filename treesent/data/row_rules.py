"""Which rows of a table of labelled texts are read, and how fine their labels are."""

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from treesent.errors import DataError

Row = TypeVar("Row")
COARSE = 3
"""A label of a scale of so many classes, or fewer, states the side of an opinion and not its strength."""


@dataclass(frozen=True, slots=True)
class RowRules:
    """What columns beside text and label say.

    :param scale_column: has the number of classes that the row's label was chosen from: with 3 or fewer, "positive"
        stands for positive and very positive.
    :param split_column: has the name of the part of the data that the row is of.
    :param split: the part to read.
    :param skip_column: rows with true here are left out.
    :param skip_unlabelled: leave rows without a label out; else they are an error.
    :param most: read at most so many texts, drawn with a fixed seed; 0 for all.
    """

    scale_column: str = ""
    split_column: str = ""
    split: str = ""
    skip_column: str = ""
    skip_unlabelled: bool = False
    most: int = 0

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that must be read."""
        return tuple(filter(None, (self.scale_column, self.split_column, self.skip_column)))

    def keeps(self, values: Mapping[str, Any], label: Any) -> bool:
        """Say whether a row is read.

        :param values: of the row.
        :param label: its label.
        """
        if self.split_column and values.get(self.split_column) != self.split:
            return False
        if self.skip_column and values.get(self.skip_column) in (True, "true", "True", 1):
            return False
        return label is not None or not self.skip_unlabelled

    def label(self, values: Mapping[str, Any], label: Any, place: str) -> Any:
        """Give the label of a row with all classes that it states.

        :param values: of the row.
        :param label: as it stands.
        :param place: of the row, for the message.
        :raises DataError: the scale is no number.
        """
        if not self.scale_column:
            return label
        scale = values.get(self.scale_column)
        try:
            coarse = int(scale) <= COARSE  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            raise DataError(
                f"{place}: {self.scale_column!r} is {scale!r}; must be the number of classes of the label's scale"
            ) from None
        name = label.strip().casefold() if isinstance(label, str) else label
        return f"{name}|very {name}" if coarse and name in ("positive", "negative") else label

    def sample(self, rows: Iterable[tuple[str, Any, Any]]) -> Iterator[tuple[str, Any, Any]]:
        """Draw the rows to read, which stay in their order.

        :param rows: places, texts and labels.
        """
        if not self.most:
            yield from rows
            return
        yield from sampled(list(rows), self.most)


def sampled(rows: list[Row], most: int) -> list[Row]:
    """Draw rows with a fixed seed; they stay in their order.

    :param rows: all of them.
    :param most: how many at most; 0 for all.
    """
    if not most:
        return rows
    chosen = sorted(random.Random(0).sample(range(len(rows)), min(most, len(rows))))
    return [rows[place] for place in chosen]
