"""Labels that name a set of classes: what a corpus states where it tells fewer classes apart than the network.

A label below the number of classes is a class. A label from it on is a set, whose members are the bits of what
is left when the number of classes is taken away. -1 is no label.
"""

from collections.abc import Iterable

import numpy as np

from treesent.errors import DataError
from treesent.types import Bool, Int64

MOST_CLASSES = 32
"""Networks of more classes take no sets."""


def set_label(classes: Iterable[int], n_classes: int) -> int:
    """Give the label that names some classes.

    :param classes: at least one.
    :param n_classes: of the network.
    :returns: the class itself where it is alone.
    :raises DataError: there are too many classes for sets.
    """
    members = sorted(set(classes))
    if len(members) == 1:
        return members[0]
    if n_classes > MOST_CLASSES:
        raise DataError(
            f"a label names {len(members)} of {n_classes} classes; sets need at most {MOST_CLASSES} classes"
        )
    return n_classes + sum(1 << member for member in members)


def members(labels: Int64, n_classes: int) -> Bool:
    """Say which classes each label names.

    :param labels: *Shape:* ``(n,)``.
    :param n_classes: of the network.
    :returns: *Shape:* ``(n, n_classes)``; no class where there is no label.
    """
    own = np.arange(n_classes)
    found: Bool = labels[:, None] == own
    sets = np.flatnonzero(labels >= n_classes)
    if len(sets):
        found[sets] = (labels[sets, None] - n_classes) >> own & 1 == 1
    return found
