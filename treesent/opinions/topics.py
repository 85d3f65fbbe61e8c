"""Topics: "waiter" and "staff" are one, by a list of the user's own or by the vectors of the words."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from treesent.errors import DataError
from treesent.text.rows import lookup
from treesent.types import Float32
from treesent.vectors.table import VectorTable

OTHER = "other"
"""What no topic of a list is near."""
NEAR, NEAR_OWN = 0.65, 0.55
"""From this cosine on, a target joins a more frequent one; or a topic of the user's own."""
MOST = 60
"""Topics made of targets; the others are :data:`OTHER`."""
_LEAD = frozenset(
    ("the", "a", "an", "this", "that", "these", "those", "my", "our", "their", "your", "its", "his", "her")
)


def normal(target: str) -> str:
    """Give a target as it is counted: in lower case, without an article, the plural of its last word undone.

    :param target: as the text has it.
    """
    words = target.lower().split()
    while len(words) > 1 and words[0] in _LEAD:
        words = words[1:]
    if (
        words
        and len(words[-1]) > 3
        and words[-1].endswith("s")
        and not words[-1].endswith(("ss", "us", "is"))
    ):
        words[-1] = f"{words[-1][:-3]}y" if words[-1].endswith("ies") else words[-1][:-1]
    return " ".join(words)


def read_topics(names: str | None = None, path: str | Path | None = None) -> dict[str, list[str]]:
    """Read a list of topics, each with its synonyms.

    :param names: names with commas between them.
    :param path: a text file with a line ``battery: battery life, charger`` for each topic.
    :returns: the synonyms of each topic, itself first; empty if neither is given.
    :raises DataError: the file cannot be read, or a topic has no name or stands twice.
    """
    lines = [name for name in (names or "").split(",") if name.strip()]
    if path is not None:
        try:
            text = Path(path).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path}: {error}; give a UTF-8 text file, a topic a line") from error
        lines += [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    found: dict[str, list[str]] = {}
    for line in lines:
        name, _, rest = line.partition(":")
        name = name.strip()
        if not name:
            raise DataError(f"the topic {line!r:.60} has no name; write battery: battery life, charger")
        if name in found:
            raise DataError(f"the topic {name!r} is given twice; put its synonyms behind one name")
        found[name] = list(
            dict.fromkeys([normal(name), *(normal(word) for word in rest.split(",") if word.strip())])
        )
    return found


@dataclass(frozen=True, slots=True)
class Topics:
    """Which topic each target is of.

    :param of: topics by normal targets.
    :param other: the topic of a target that is not there.
    """

    of: Mapping[str, str] = field(default_factory=dict)
    other: str = OTHER

    def topic(self, target: str) -> str:
        """Give the topic of a target.

        :param target: as the text has it.
        """
        return self.of.get(normal(target), self.other)


def own_topics(targets: Iterable[str], topics: Mapping[str, Sequence[str]], table: VectorTable) -> Topics:
    """Put targets to topics of the user's own: by name, by a synonym in the target, or by the nearest vector.

    :param targets: the targets.
    :param topics: what :func:`read_topics` gave.
    :param table: the vectors of words.
    """
    distinct = list(dict.fromkeys(map(normal, targets)))
    synonyms = [(name, word) for name, words in topics.items() for word in words]
    near = _vectors(distinct, table) @ _vectors([word for _, word in synonyms], table).T
    found = {}
    for target, row in zip(distinct, near, strict=True):
        named = next((name for name, word in synonyms if f" {word} " in f" {target} "), None)
        best = int(row.argmax())
        found[target] = named or (synonyms[best][0] if row[best] >= NEAR_OWN else OTHER)
    return Topics(found)


def grouped_topics(counts: Mapping[str, int], table: VectorTable, most: int = MOST) -> Topics:
    """Group targets by their vectors: each joins the nearest more frequent one, if that is near enough.

    :param counts: how often each normal target stands.
    :param table: the vectors of words.
    :param most: topics; rarer ones are :data:`OTHER`.
    """
    targets = [target for target, _ in Counter(counts).most_common()]
    vectors = _vectors(targets, table)
    heads: list[int] = []
    found: dict[str, str] = {}
    for place, target in enumerate(targets):
        near = vectors[heads] @ vectors[place] if heads else np.zeros(0)
        best = int(near.argmax()) if len(near) else -1
        if best >= 0 and near[best] >= NEAR:
            found[target] = targets[heads[best]]
        elif len(heads) < most:
            heads.append(place)
            found[target] = target
        else:
            found[target] = OTHER
    return Topics(found)


def _vectors(targets: Sequence[str], table: VectorTable) -> Float32:
    """The mean vector of the words of each target, of length one. *Shape:* ``(n, width)``."""
    words = [target.split() or [""] for target in targets]
    flat = [word for some in words for word in some]
    if not flat:
        return np.zeros((0, table.width), np.float32)
    found = lookup(table, flat)
    known = np.minimum(found.rows, len(table) - 1)
    vectors = table.dense(known)
    extra = found.rows >= len(table)
    vectors[extra] = found.extra[found.rows[extra] - len(table)]
    vectors[found.unknown] = 0
    begins = np.cumsum([0, *map(len, words)])[:-1]
    mean = np.add.reduceat(vectors, begins)
    length = np.linalg.norm(mean, axis=1, keepdims=True)
    return np.asarray(mean / np.maximum(length, 1e-9), np.float32)
