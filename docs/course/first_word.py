"""Texts whose first word says it all: a network must carry it over the others. Writes a table with text and label."""

import csv
import random
import sys
from pathlib import Path

N_TEXTS, N_WORDS = 200, 20
OTHERS = [
    "the",
    "a",
    "film",
    "movie",
    "story",
    "plot",
    "of",
    "and",
    "is",
    "was",
    "it",
    "this",
    "that",
    "in",
    "with",
    "actor",
]
FIRST = {"good": "positive", "great": "positive", "bad": "negative", "terrible": "negative"}


def rows(seed: int = 0) -> list[tuple[str, str]]:
    """Make the rows, half of them of each label.

    :param seed: equal seeds give equal rows.
    """
    chance, firsts = random.Random(seed), list(FIRST)
    made = []
    for number in range(N_TEXTS):
        first = firsts[number % len(firsts)]
        made.append((" ".join([first, *chance.choices(OTHERS, k=N_WORDS - 1)]), FIRST[first]))
    return made


if __name__ == "__main__":
    with Path(sys.argv[1]).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([("text", "label"), *rows()])
