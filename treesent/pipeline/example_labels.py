"""The labels of training examples: ``doc.cats`` and ``doc.spans["sentiment"]``, in names as people write them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from treesent.data.label_names import LabelNames
from treesent.errors import DataError
from treesent.trees.label_sets import set_label

if TYPE_CHECKING:
    from spacy.training import Example

SPANS = "sentiment"
"""The key of the labelled spans of a Doc."""


def cats_label(cats: Mapping[str, float], labels: Sequence[str]) -> int | None:
    """Read the class, or the set of classes, that a Doc's categories name.

    Names are matched without regard to case: ``POS``, ``Positive`` and ``LABEL_1`` too. Categories that know but
    two or three classes (``POSITIVE`` and ``NEGATIVE``, ``0`` and ``1``) name sets of the classes of a network that
    tells more apart. A category of value 0 says nothing.

    :param cats: of the reference Doc.
    :param labels: the network's classes.
    :returns: None where nothing is named, or nothing that is a class.
    """
    if not cats:
        return None
    names = LabelNames(labels, len(labels), cats)
    read = {name: names.read(name) for name, value in cats.items() if value > 0}
    best = max((cats[name] for name in read), default=0.0)
    chosen = {label for name, label in read.items() if cats[name] == best and label is not None}
    if len(chosen) < 2:
        return next(iter(chosen), None)
    return set_label(chosen, len(labels)) if max(chosen) < len(labels) else None


def span_label(name: str, labels: Sequence[str]) -> int:
    """Read the class that the label of a span names.

    :param name: the label.
    :param labels: the network's classes.
    :raises DataError: it is none of them.
    """
    found = LabelNames(labels, len(labels), ()).read(name)
    if found is None:
        raise DataError(
            f"the label {name!r} of an example is none of {list(labels)}; rename it to one of these"
        )
    return found


def check_usable(examples: "Iterable[Example]", labels: Sequence[str]) -> None:
    """Refuse examples whose labels teach nothing.

    Examples without any label are let through: other components may learn from them.

    :param examples: of one batch.
    :param labels: the network's classes.
    :raises DataError: there are labels, and none of them can be used; found and expected ones are listed.
    """
    found: set[str] = set()
    elsewhere: dict[str, set[str]] = {}
    for example in examples:
        doc = example.reference
        if len(doc.spans.get(SPANS, ())) or cats_label(doc.cats, labels) is not None:
            return
        found.update(name for name, value in doc.cats.items() if value > 0)
        for key, group in doc.spans.items():
            elsewhere.setdefault(key, set()).update(span.label_ for span in group)
    if found:
        raise DataError(
            f"the examples have the categories {sorted(found)}, and none of them is a class; expected "
            f"{list(labels)} in doc.cats, or spans with these labels in doc.spans[{SPANS!r}]"
        )
    names = LabelNames(labels, len(labels), ())
    for key, its in elsewhere.items():
        if any(names.read(name) is not None for name in its):
            raise DataError(
                f"the examples have spans labelled {sorted(its)} in doc.spans[{key!r}]; treesent learns from "
                f"doc.spans[{SPANS!r}]: put them there"
            )
