"""Sentences of a small grammar as labelled trees, and as texts: ``python docs/course/toy_trees.py TREES TEXTS``."""

import csv
import random
import sys
from pathlib import Path

N_TREES = 300
NOUNS = ["film", "plot", "story", "acting", "director", "actor", "scene", "music"]
ADJECTIVES = {"good": 3, "great": 4, "superb": 4, "bad": 1, "awful": 0, "boring": 1, "funny": 3, "dull": 1}


def clause(chance: random.Random) -> tuple[str, int]:
    """Make a clause and its label: "not" turns the adjective's round, and makes it weaker."""
    adjective, noun = chance.choice(list(ADJECTIVES)), chance.choice(NOUNS)
    label, predicate = ADJECTIVES[adjective], f"({ADJECTIVES[adjective]} {adjective})"
    if chance.random() < 0.4:
        label = {0: 3, 1: 3, 3: 1, 4: 1}[label]
        predicate = f"({label} (2 not) {predicate})"
    return f"({label} (2 (2 the) (2 {noun})) ({label} (2 is) {predicate}))", label


def trees(seed: int = 0) -> list[str]:
    """Make the trees: of two clauses with "but" between them the second decides.

    :param seed: equal seeds give equal trees.
    """
    chance, made = random.Random(seed), []
    for _ in range(N_TREES):
        tree, _ = clause(chance)
        if chance.random() < 0.5:
            other, label = clause(chance)
            tree = f"({label} {tree} ({label} (2 but) {other}))"
        made.append(tree)
    return made


if __name__ == "__main__":
    found = trees()
    Path(sys.argv[1]).write_text("\n".join(found) + "\n", encoding="utf-8")
    with Path(sys.argv[2]).open("w", encoding="utf-8", newline="") as file:
        texts = [
            " ".join(word.rstrip(")") for word in tree.split() if not word.startswith("(")) for tree in found
        ]
        csv.writer(file, lineterminator="\n").writerows([["text"], *([text] for text in texts)])
