"""Labels as people write them, read as the classes of a network or as sets of these.

``POS``, ``Positive`` and ``LABEL_2`` are names of classes too. A source that tells fewer classes apart than the
network (positive and negative for a network of five classes, say) states sets: its "positive" is positive or very
positive (:mod:`treesent.trees.label_sets`).
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from treesent.trees.label_sets import set_label

_ALIASES = {
    "pos": "positive",
    "neg": "negative",
    "neu": "neutral",
    "neut": "neutral",
    "very pos": "very positive",
    "very neg": "very negative",
}
_NUMBERED = re.compile(r"(?:label|class)? ?(-?\d{1,9})")
_TWO, _THREE = (-1, 1), (-1, 0, 1)
_SCHEMES: dict[frozenset[int], tuple[int, ...]] = {
    frozenset({0, 1}): _TWO,
    frozenset({-1, 1}): _TWO,
    frozenset({0, 1, 2}): _THREE,
    frozenset({-1, 0, 1}): _THREE,
}
"""What the numbers of a source stand for, the lowest first, where they are all that it has."""


def label_text(value: Any) -> str | None:
    """Give a label as a name; None for what cannot be one.

    :param value: the value in the data.
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else None
    if isinstance(value, int):
        return str(value)
    return value.strip() or None if isinstance(value, str) else None


def tidy(value: Any) -> str | None:
    """Give a label's name in lower case, with blanks between its words and abbreviations written out.

    :param value: the value in the data.
    :returns: None for what cannot be a label.
    """
    value = label_text(value)
    if value is None:
        return None
    text = " ".join(value.casefold().replace("_", " ").replace("-", " ", value[1:].count("-")).split())
    return _ALIASES.get(text, text)


class LabelNames:
    """Reads the labels of one source.

    :param names: the network's classes, in order; compared without regard to case.
    :param n_classes: their number, where they have no names.
    :param values: all labels of the source, each once: they tell how fine it is.
    """

    def __init__(self, names: Sequence[str], n_classes: int, values: Iterable[Any]) -> None:
        self.n_classes = n_classes
        self._known = {tidy(name) or name: number for number, name in enumerate(names)}
        self._sides = [side_of(name) for name in self._known]
        self._numbers: dict[int, int] = {}
        self.note: str | None = None
        """What a person should know of how the labels are read."""
        self._coarse = False
        found = {name for value in values if (name := tidy(value)) is not None}
        if self._known and None not in self._sides and {-1, 1} <= set(self._sides):
            self._compare(found, names)

    def _compare(self, found: set[str], names: Sequence[str]) -> None:
        """Find out whether the source is coarser than the network, and what its numbers stand for."""
        numbers = {name: int(match[1]) for name in found if (match := _NUMBERED.fullmatch(name))}
        scheme = _SCHEMES.get(frozenset(numbers.values())) if len(numbers) == len(found) else None
        plain = set(numbers.values()) == set(range(self.n_classes))
        if scheme is not None and not plain:
            self._numbers = dict(zip(sorted(numbers.values()), scheme, strict=True))
            read = ", ".join(f"{n} as {_named(side)}" for n, side in self._numbers.items())
            self.note = (
                f"the labels are {sorted(numbers.values())}, read as the classes of their own data: {read}"
            )
        elif found & {"positive", "negative"} and found <= {"positive", "negative", "neutral"}:
            self._coarse = self._sides.count(1) > 1 or self._sides.count(-1) > 1
            if self._coarse:
                self.note = (
                    f"the labels are {sorted(found)}: each stands for both strengths of {', '.join(names)}"
                )

    def read(self, value: Any) -> int | None:
        """Read a label.

        :param value: what stands in the data: a name, a number, or names joined by ``|``.
        :returns: a class or a set of classes; None for what is neither.
        """
        if isinstance(value, str) and "|" in value:
            parts = [self._class(tidy(part)) for part in value.split("|")]
            return (
                None
                if None in parts
                else set_label([part for part in parts if part is not None], self.n_classes)
            )
        name = tidy(value)
        if name is None:
            return None
        number = _NUMBERED.fullmatch(name)
        if number and int(number[1]) in self._numbers:
            return self._of_side(self._numbers[int(number[1])])
        if self._coarse and (side := side_of(name)) is not None:
            return self._of_side(side)
        if isinstance(value, bool) and name not in self._known:
            return None
        return self._class(name)

    def _class(self, name: str | None) -> int | None:
        if name is None or name in self._known:
            return None if name is None else self._known[name]
        number = _NUMBERED.fullmatch(name)
        if number is None or (self._known and all(map(_NUMBERED.fullmatch, self._known))):
            return None
        return int(number[1]) if 0 <= int(number[1]) < self.n_classes else None

    def _of_side(self, side: int) -> int | None:
        """The set of the classes of one side; None where the network has none."""
        found = [number for number, its in enumerate(self._sides) if its == side]
        return set_label(found, self.n_classes) if found else None


def side_of(name: str) -> int | None:
    """Give the side of a class that treesent names itself: -1, 0 or 1; None for any other name.

    :param name: in lower case.
    """
    sides = {"negative": -1, "very negative": -1, "neutral": 0, "positive": 1, "very positive": 1}
    return sides.get(name)


def _named(side: int) -> str:
    return {-1: "negative", 0: "neutral", 1: "positive"}[side]
