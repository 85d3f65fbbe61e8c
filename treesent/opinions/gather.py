"""Count opinions by topic, from the table that `treesent opinions` writes, in two passes and constant memory."""

import datetime
import heapq
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from treesent.data.label_names import side_of
from treesent.opinions.topics import OTHER, grouped_topics, normal, own_topics
from treesent.vectors.table import VectorTable

MOST_TARGETS = 50_000
"""Distinct targets that are counted; the rarest are dropped when there are twice as many."""
QUOTES = {-1: 20, 0: 5, 1: 20}
"""Quotes kept of each topic, by sign."""
GROUPS = 12
"""Values of a column that are compared; the others are one."""
OTHERS = "(others)"
AROUND = 160
"""Characters of a text that a quote has around its clause."""


@dataclass(slots=True)
class Topic:
    """What is said of a topic.

    :param name: of the topic.
    :param signs: opinions that are negative, neutral and positive.
    :param total: the sum of their polarities.
    :param squares: the sum of their squares.
    :param names: how often each target stands.
    :param groups: the signs by the value of a column.
    :param dates: the signs by month.
    :param quotes: the most telling ones of each sign, as heaps.
    """

    name: str
    signs: list[int] = field(default_factory=lambda: [0, 0, 0])
    total: float = 0.0
    squares: float = 0.0
    names: Counter[str] = field(default_factory=Counter)
    groups: dict[str, list[int]] = field(default_factory=dict)
    dates: dict[str, list[int]] = field(default_factory=dict)
    quotes: dict[int, list[tuple[float, int, dict[str, Any]]]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for the page, with the mean polarity and its 95% interval."""
        n = sum(self.signs)
        mean = self.total / n
        error = 1.96 * math.sqrt(max(self.squares / n - mean**2, 1 / n) / n)
        quotes = [entry for heap in self.quotes.values() for entry in heap]
        return {
            "name": self.name,
            "signs": self.signs,
            "mean": round(mean, 3),
            "low": round(max(mean - error, -1), 3),
            "high": round(min(mean + error, 1), 3),
            "names": [name for name, _ in self.names.most_common(8)],
            "groups": self.groups,
            "dates": dict(sorted(self.dates.items())),
            "quotes": [quote for _, _, quote in sorted(quotes, key=lambda e: (-e[0], -e[1]))],
        }


@dataclass(frozen=True, slots=True)
class Gathered:
    """All that a report shows.

    :param topics: the most frequent first, the rest of them last.
    :param counts: rows, rows without text, rows without an opinion, opinions, and rows whose date cannot be read.
    """

    topics: list[Topic]
    counts: dict[str, int]


Rows = Callable[[], Iterable[Mapping[str, Any]]]


def gather(
    rows: Rows,
    table: VectorTable,
    own: Mapping[str, Sequence[str]] | None = None,
    *,
    text: str = "text",
    by: str | None = None,
    date: str | None = None,
) -> Gathered:
    """Count opinions by topic.

    :param rows: gives the rows, with a column ``opinions`` each; called twice.
    :param table: the vectors of words, by which targets are grouped.
    :param own: topics of the user's own, see :func:`treesent.opinions.topics.read_topics`.
    :param text: the column of the texts.
    :param by: a column whose values are compared.
    :param date: a column of dates.
    """
    targets: Counter[str] = Counter()
    values: Counter[str] = Counter()
    for row in rows():
        targets.update(normal(opinion["target"]["text"]) for opinion in row.get("opinions") or ())
        if by is not None:
            values[_value(row.get(by))] += 1
        for counter in (targets, values):
            if len(counter) > 2 * MOST_TARGETS:
                kept = counter.most_common(MOST_TARGETS)
                counter.clear()
                counter.update(dict(kept))
    topics = own_topics(targets, own, table) if own else grouped_topics(targets, table)
    shown = {value for value, _ in values.most_common(GROUPS)}
    counts = dict.fromkeys(("rows", "empty", "silent", "opinions", "undated"), 0)
    found: dict[str, Topic] = {}
    for place, row in enumerate(rows()):
        opinions = row.get("opinions") or ()
        month = _month(row.get(date)) if date is not None else None
        counts["rows"] += 1
        counts["empty"] += row.get("label") is None
        counts["silent"] += row.get("label") is not None and not opinions
        counts["undated"] += date is not None and month is None
        group = _value(row.get(by)) if by is not None else None
        group = group if group is None or group in shown else OTHERS
        for opinion in opinions:
            counts["opinions"] += 1
            name = topics.topic(opinion["target"]["text"])
            topic = found.setdefault(name, Topic(name))
            _add(topic, opinion, str(row[text]), group, month, place)
    return Gathered(
        sorted(found.values(), key=lambda topic: (topic.name == OTHER, -sum(topic.signs), topic.name)), counts
    )


def _add(
    topic: Topic, opinion: Mapping[str, Any], text: str, group: str | None, month: str | None, place: int
) -> None:
    sign = side_of(opinion["label"]) or 0
    topic.signs[sign + 1] += 1
    polarity = float(opinion["polarity"] or 0)
    topic.total += polarity
    topic.squares += polarity**2
    name = opinion["target"]["text"].lower()
    if name in topic.names or len(topic.names) < 1000:
        topic.names[name] += 1
    for key, signs in ((group, topic.groups), (month, topic.dates)):
        if key is not None:
            signs.setdefault(key, [0, 0, 0])[sign + 1] += 1
    # Of equally clear quotes the first ones stay.
    entry = (round(abs(polarity) * float(opinion["confidence"]), 3), -place)
    heap = topic.quotes.setdefault(sign, [])
    if len(heap) == QUOTES[sign] and entry <= heap[0][:2]:
        return
    if any(other[1] == -place for other in heap):
        return
    quote = _quote(opinion, text) | {
        "sign": sign,
        "polarity": round(polarity, 2),
        "group": group,
        "date": month,
    }
    (heapq.heappush if len(heap) < QUOTES[sign] else heapq.heapreplace)(heap, (*entry, quote))


def _quote(opinion: Mapping[str, Any], text: str) -> dict[str, Any]:
    """The clause with some of the text around it; places are characters of that."""
    clause, target, words = opinion["clause"], opinion["target"], opinion["words"]
    first, last = min(clause["start"], target["start"]), max(clause["end"], target["end"])
    last = min(last, first + 3 * AROUND)
    begin, end = max(0, first - AROUND), min(len(text), last + AROUND)
    return {
        "text": text[begin:end],
        "cut": [begin > 0, end < len(text)],
        "clause": [first - begin, last - begin],
        "target": [target["start"] - begin, target["end"] - begin],
        "words": None if words is None else [words["start"] - begin, words["end"] - begin],
    }


def _value(value: Any) -> str:
    return "" if value is None else str(value)[:60]


def _month(value: Any) -> str | None:
    """The month of a date as 2026-11; None if it is none."""
    if isinstance(value, datetime.date):
        return f"{value:%Y-%m}"
    try:
        return f"{datetime.datetime.fromisoformat(str(value).strip()):%Y-%m}"
    except ValueError:
        return None


def topic_rows(gathered: Gathered) -> Iterator[dict[str, Any]]:
    """The topics as plain rows."""
    for topic in gathered.topics:
        plain = topic.to_dict()
        negative, neutral, positive = topic.signs
        yield {
            "topic": topic.name,
            "opinions": sum(topic.signs),
            "negative": negative,
            "neutral": neutral,
            "positive": positive,
            **{key: plain[key] for key in ("mean", "low", "high")},
        }
