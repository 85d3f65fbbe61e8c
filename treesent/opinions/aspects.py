"""Texts with the sentiment towards some of their spans: what heads for opinions learn from and are measured on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from treesent.data.label_names import side_of, tidy
from treesent.data.tables import read_rows
from treesent.errors import DataError


@dataclass(frozen=True, slots=True)
class Aspect:
    """A span that a text speaks of.

    :param start: its first character.
    :param end: the character after its last.
    :param sign: of the sentiment towards it, -1, 0 or 1; None where it is mixed.
    """

    start: int
    end: int
    sign: int | None


@dataclass(frozen=True, slots=True)
class AspectText:
    """A text with its aspects.

    :param text: the text.
    :param aspects: those that stand in the text.
    :param split: ``train`` or ``dev``; empty where the table has no such column.
    """

    text: str
    aspects: tuple[Aspect, ...]
    split: str = ""

    @property
    def differs(self) -> bool:
        """Whether it is positive towards something and negative towards something else."""
        return {-1, 1} <= {aspect.sign for aspect in self.aspects}


def read_aspects(path: str | Path, split: str | None = None) -> list[AspectText]:
    """Read a table with the columns ``text``, ``aspects`` and, if it likes, ``split``.

    An aspect has ``from`` and ``to``, characters of the text, and a ``label`` as people write it; ``conflict`` is a
    mixed one.

    :param path: jsonl or parquet, also compressed.
    :param split: keep these rows alone.
    :raises DataError: a row that cannot be read; the message has its place.
    """
    found = []
    for row in read_rows(path, need=("text",)):
        place = f"{path}:{row.line}"
        if row.fault:
            raise DataError(f"{place}: {row.fault}")
        text, own = row.values["text"], str(row.values.get("split") or "")
        if not isinstance(text, str):
            raise DataError(f"{place}: 'text' is {text!r:.40}; a text was expected")
        if split is None or not own or own == split:
            found.append(AspectText(text, tuple(_aspects(row.values.get("aspects"), text, place)), own))
    if not any(text.aspects for text in found):
        raise DataError(f"{path}: no row has aspects; each needs from, to and label in a column 'aspects'")
    return found


def _aspects(values: Any, text: str, place: str) -> Iterator[Aspect]:
    if not isinstance(values or (), Sequence) or isinstance(values, str):
        raise DataError(f"{place}: 'aspects' is {values!r:.60}; a list was expected")
    for value in values or ():
        try:
            start, end, label = value["from"], value["to"], value["label"]
        except (TypeError, LookupError) as error:
            raise DataError(f"{place}: the aspect {value!r:.80} lacks {error}") from error
        if start is None or end is None:
            continue  # implied: nothing in the text names it
        if not isinstance(start, int) or not isinstance(end, int):
            raise DataError(f"{place}: from and to of the aspect {value!r:.80} are not both whole numbers")
        if not 0 <= start < end <= len(text):
            raise DataError(
                f"{place}: the aspect {value!r:.80} lies outside the text of {len(text)} characters"
            )
        name = tidy(label)
        sign = side_of(name) if name is not None else None
        if sign is None and name not in ("conflict", "mixed"):
            raise DataError(
                f"{place}: the label {label!r} of an aspect is none of negative, neutral, positive, conflict"
            )
        yield Aspect(start, end, sign)
