"""Labels of phrases, laid on the nodes of trees: how one's own labelled text becomes a treebank."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from treesent.data.labelled import expected_labels, label_number
from treesent.data.tables import read_rows
from treesent.errors import DataError
from treesent.trees.arrays import run_offsets
from treesent.trees.tree import UNLABELLED, Tree

COLUMNS = ("sentence", "phrase", "label")
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class PhraseLabel:
    """One row of a table of labelled phrases.

    :param row: its number, from 1, the header not counted.
    :param line: the line of the file where it begins, from 1.
    :param sentence: the sentence.
    :param phrase: a phrase of it, or all of it.
    :param label: the class.
    """

    row: int
    line: int
    sentence: str
    phrase: str
    label: int


@dataclass(frozen=True, slots=True)
class Unplaced:
    """A row whose label lies on no node.

    :param given: the row.
    :param reason: why.
    """

    given: PhraseLabel
    reason: str


def read_phrases(path: str | Path, names: Sequence[str] = (), n_classes: int = 5) -> list[PhraseLabel]:
    """Read a table with the columns ``sentence``, ``phrase`` and ``label``.

    :param path: csv, tsv, jsonl or parquet.
    :param names: names of the classes, which may stand for their numbers.
    :param n_classes: labels are numbers from 0 below this.
    :raises DataError: a row that cannot be read, is incomplete or has another label; file, row and value are
        named.
    """
    known = {name.casefold(): number for number, name in enumerate(names)}
    found = []
    for row in read_rows(path, need=COLUMNS):
        place = f"{path}: row {row.number} (line {row.line})"
        if row.fault:
            raise DataError(f"{place}: {row.fault}")
        sentence, phrase, value = (row.values[column] for column in COLUMNS)
        for column, text in (("sentence", sentence), ("phrase", phrase)):
            if not isinstance(text, str) or not text.strip():
                raise DataError(f"{place}: {column!r} is {text!r}: expected text")
        label = label_number(value, known, n_classes)
        if label is None:
            raise DataError(f"{place}: 'label' is {value!r}; {expected_labels(value, names, n_classes)}")
        found.append(PhraseLabel(row.number, row.line, sentence, phrase, label))
    return found


class PhraseLabels:
    """Lays labels on trees and remembers which rows have found no node.

    Sentences and phrases are compared by their characters without white space, so that neither spacing nor
    tokenization matters. A phrase that occurs more than once labels every occurrence that is a constituent.
    """

    def __init__(self, rows: Sequence[PhraseLabel]) -> None:
        """Sort the rows by sentence.

        :param rows: the labelled phrases.
        """
        self.rows = rows
        self._by_sentence: defaultdict[str, list[PhraseLabel]] = defaultdict(list)
        for row in rows:
            self._by_sentence[_squeezed(row.sentence)].append(row)
        self._placed: set[int] = set()
        self._reasons: dict[int, str] = {}

    def lay(self, tree: Tree) -> Tree:
        """Give the tree with the labels of its sentence's phrases; of two rows for one node the first stays.

        :param tree: a tree over the sentence.
        """
        words = [_squeezed(word) for word in tree.words]
        text = "".join(words)
        rows = self._by_sentence.get(text)
        if not rows:
            return tree
        offsets = run_offsets([len(word) for word in words]).tolist()
        spans = {(offsets[start], offsets[end]): node for node, (start, end) in enumerate(tree.spans())}
        label, by = tree.label.copy(), dict.fromkeys(range(tree.n_nodes), 0)
        for row in rows:
            phrase = _squeezed(row.phrase)
            nodes = [spans[span] for span in _occurrences(phrase, text) if span in spans]
            if not nodes:
                self._reasons.setdefault(row.row, _why(phrase, text, offsets, tree, spans))
            for node in nodes:
                if label[node] == UNLABELLED or not by[node]:
                    label[node], by[node] = row.label, row.row
                elif label[node] != row.label:
                    self._reasons.setdefault(row.row, f"row {by[node]} labels it {label[node]}")
                    continue
                self._placed.add(row.row)
        return tree.with_labels(label)

    def unplaced(self) -> list[Unplaced]:
        """Give the rows that have found no node in any tree so far, in order."""
        missing = "no tree is over this sentence: write it as in the text; it may have been split (--whole)"
        return [
            Unplaced(row, self._reasons.get(row.row, missing))
            for row in self.rows
            if row.row not in self._placed
        ]


def _squeezed(text: str) -> str:
    """Take white space out."""
    return _SPACE.sub("", text)


def _occurrences(phrase: str, text: str) -> Iterator[tuple[int, int]]:
    """Give the places of a phrase in a sentence, overlapping ones too."""
    at = text.find(phrase)
    while at >= 0:
        yield at, at + len(phrase)
        at = text.find(phrase, at + 1)


def _why(phrase: str, text: str, offsets: list[int], tree: Tree, spans: dict[tuple[int, int], int]) -> str:
    """Say why a phrase is no node."""
    whole = [span for span in _occurrences(phrase, text) if span[0] in offsets and span[1] in offsets]
    if whole:
        start, end = whole[0]
        around = min((s for s in spans if s[0] <= start and end <= s[1]), key=lambda s: s[1] - s[0])
        return f"no constituent of the tree; the smallest around it is {tree.text(spans[around])!r}"
    if phrase in text:
        return "it begins or ends inside a word"
    return "the sentence does not contain it"
