"""Silver trees: plain text parsed by a teacher that is too large to ship, for a small parser to learn from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np

from treesent.models.parser.silver.hints import hints_of
from treesent.models.parser.silver.teacher import Teacher
from treesent.trees.tree import Tree


def silver_trees(
    teacher: Teacher, hints: str, sentences: Iterable[list[str]], batch_size: int = 5000
) -> Iterator[Tree]:
    """Parse sentences.

    :param teacher: the parser.
    :param hints: the name of a spaCy pipeline.
    :param sentences: the words of each.
    :param batch_size: number of sentences that are sorted by length and parsed together.
    :returns: their trees, in order, without labels.
    """
    sentences = iter(sentences)
    while batch := list(islice(sentences, batch_size)):
        encoded = [teacher.encode(*pair) for pair in zip(batch, hints_of(hints, batch), strict=True)]
        structure = teacher.parse(encoded)
        for number, words in enumerate(batch):
            label = np.full(2 * len(words) - 1, -1, np.int32)
            yield Tree.from_batch(structure, number, words, label)
