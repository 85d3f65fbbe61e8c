r"""Align a treebank's trees with other tokens of the same text, by characters.

The Stanford Sentiment Treebank is tokenised the Penn way (``ca n't``, ``-LRB-``, ``\/``), and a pipeline is
not. Leaves are split and merged until the tree stands over the pipeline's tokens. A constituent that still
begins and ends between two tokens keeps its label; every other node of the new tree is unlabelled.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np

from treesent.errors import DataError, TreesentError
from treesent.trees.arrays import run_offsets
from treesent.trees.brackets import read_trees
from treesent.trees.constituency import from_constituents
from treesent.trees.notation import unescape
from treesent.trees.tree import UNLABELLED, Tree
from treesent.types import Int64

Tokenize = Callable[[str], Sequence[str]]

_SPACE = re.compile(r"\s+")
_PENN = re.compile(r"-[LR][RSC]B-|\\[/*]", re.IGNORECASE)
# Quotes are what the two sides differ in most: all are counted as one or two apostrophes.
_SAME = str.maketrans(
    {"`": "'", "´": "'", "‘": "'", "’": "'", '"': "''", "“": "''", "”": "''", "–": "--", "—": "--"}
)


@dataclass(frozen=True, slots=True)
class AlignmentCounts:
    """How many trees and nodes an alignment kept.

    :param trees: number of trees.
    :param without_raw: trees with an empty raw text, for which their own words were used.
    :param exact: trees whose characters are those of the text, apart from white space, escapes and kinds of
        quotes.
    :param whole: trees of which every node was kept.
    :param nodes: nodes of the trees.
    :param kept: nodes that are nodes of the new trees.
    :param new_nodes: nodes of the new trees.
    :param labelled: nodes of the new trees with a label.
    """

    trees: int = 0
    without_raw: int = 0
    exact: int = 0
    whole: int = 0
    nodes: int = 0
    kept: int = 0
    new_nodes: int = 0
    labelled: int = 0

    def __add__(self, other: AlignmentCounts) -> AlignmentCounts:
        """Add the counts of two sets of trees."""
        return AlignmentCounts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def summary(self) -> str:
        """Describe the counts in four lines."""
        trees, nodes, new = max(self.trees, 1), max(self.nodes, 1), max(self.new_nodes, 1)
        return (
            f"{self.trees:,} trees, {self.without_raw:,} of them without raw text "
            "(their own words, joined with spaces, are used)\n"
            f"{self.exact:,} trees ({self.exact / trees:.2%}) have the characters of their text\n"
            f"{self.whole:,} trees ({self.whole / trees:.2%}) and {self.kept:,} of {self.nodes:,} nodes "
            f"({self.kept / nodes:.2%}) are kept\n"
            f"{self.labelled:,} of {self.new_nodes:,} nodes ({self.labelled / new:.2%}) of the new trees "
            "have a label"
        )


@dataclass(frozen=True, slots=True)
class AlignedTree:
    """One tree over other tokens.

    :param tree: the new tree.
    :param counts: how many of its nodes were kept.
    """

    tree: Tree
    counts: AlignmentCounts


@dataclass(frozen=True, slots=True)
class AlignedTreebank:
    """Many trees over other tokens.

    :param trees: the new trees, in the order of the old ones.
    :param counts: how many trees and nodes were kept.
    """

    trees: list[Tree]
    counts: AlignmentCounts


def align_tree(tree: Tree, tokens: Sequence[str]) -> AlignedTree:
    """Align a tree with other tokens of its text.

    If the tokens split a word, it becomes a node with its label over unlabelled parts, combined from the
    right. If the tokens merge words, they become one leaf, labelled if they were a constituent. If a new node
    corresponds to several old ones, it gets the label of the outermost.

    :param tree: the tree, its words in Penn or plain spelling.
    :param tokens: the tokens: at least one, and none of white space.
    :returns: the tree over the tokens, and counts of what was kept.
    :raises TreesentError: there are no tokens, or a token is white space.
    """
    tokens = list(tokens)
    theirs = [_plain(token) for token in tokens]
    if not all(theirs):
        raise TreesentError(f"tokens {tokens}: one has no character but white space; leave it out")
    if not tokens:
        raise TreesentError(f"no tokens for the tree over {' '.join(tree.words)[:60]!r}: leave the tree out")
    ours = [_plain(word) for word in tree.words]
    exact = "".join(ours) == "".join(theirs)
    boundary = _boundaries(ours, theirs, exact)

    start, end = boundary[tree.start], boundary[tree.end]
    kept = np.flatnonzero((start >= 0) & (end > start))
    structure = from_constituents(start[kept], end[kept], [len(tokens)])
    _, _, new_start, new_end = structure.arrays(0)
    node_of = {span: node for node, span in enumerate(zip(new_start.tolist(), new_end.tolist(), strict=True))}
    label = np.full(structure.n_nodes, UNLABELLED, np.int32)
    reached = [node_of[span] for span in zip(start[kept].tolist(), end[kept].tolist(), strict=True)]
    label[reached] = tree.label[kept]  # post-order: the outermost comes last and stays
    n_kept = len(set(reached))
    counts = AlignmentCounts(
        trees=1,
        exact=int(exact),
        whole=int(n_kept == tree.n_nodes),
        nodes=tree.n_nodes,
        kept=n_kept,
        new_nodes=structure.n_nodes,
        labelled=int((label != UNLABELLED).sum()),
    )
    return AlignedTree(Tree.from_batch(structure, 0, tokens, label), counts)


def align_treebank(
    trees: str | Path, raw: str | Path, tokenize: Tokenize, n_classes: int = 5
) -> AlignedTreebank:
    """Align a file of trees with the tokens of the sentences as they were written.

    If the raw sentence is empty, the tree's own words are used, unescaped and joined with spaces.

    :param trees: bracketed trees, one a line.
    :param raw: tab-separated, with a header and the columns ``line`` (of the tree, from 0) and ``raw`` (the
        sentence).
    :param tokenize: gives the tokens of a sentence, without white space; see
        :func:`treesent.text.tokenizer.spacy_tokenizer`.
    :param n_classes: number of classes; labels are below it.
    :returns: the trees over the tokens, and counts of what was kept.
    :raises TreesentError: a file is broken, or there is not one row for each tree.
    """
    sentences = dict(_raw_sentences(Path(raw)))
    aligned: list[Tree] = []
    counts = AlignmentCounts()
    for number, tree in enumerate(read_trees(trees, n_classes)):
        if number not in sentences:
            raise DataError(
                f"{raw}: no row for tree {number} of {trees} (counted from 0): give one row for each tree"
            )
        text = sentences[number].strip()
        tokens = tokenize(text or " ".join(unescape(word) for word in tree.words))
        result = align_tree(tree, tokens)
        aligned.append(result.tree)
        counts += result.counts + AlignmentCounts(without_raw=int(not text))
    if len(sentences) != len(aligned):
        raise DataError(
            f"{raw}: {len(sentences)} rows for {len(aligned)} trees of {trees}: give one row for each tree"
        )
    return AlignedTreebank(aligned, counts)


def _raw_sentences(path: Path) -> Iterator[tuple[int, str]]:
    """Read the number and the raw text of each row; quotes are ordinary characters there."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error}): give a tab-separated file in UTF-8") from error
    header = lines[0].rstrip("\r").split("\t")
    if "line" not in header or "raw" not in header:
        raise DataError(
            f"{path}:1: the header is {header}: expected tab-separated columns, line and raw among them"
        )
    line, raw = header.index("line"), header.index("raw")
    seen: set[int] = set()
    for number, text in enumerate(lines[1:], start=2):
        cells = text.rstrip("\r").split("\t")
        if cells == [""]:
            continue
        if len(cells) != len(header) or not cells[line].isdecimal():
            raise DataError(
                f"{path}:{number}: expected {len(header)} tab-separated cells with a number under 'line', "
                f"found {cells}"
            )
        if int(cells[line]) in seen:
            raise DataError(
                f"{path}:{number}: a second row for tree {cells[line]}: give one row for each tree"
            )
        seen.add(int(cells[line]))
        yield int(cells[line]), cells[raw]


def _plain(word: str) -> str:
    """Spell a word so that equal characters are equal: no escapes, one kind of quote and dash."""
    word = _SPACE.sub("", _PENN.sub(lambda match: unescape(match.group()), word))
    return word.translate(_SAME)


def _boundaries(ours: list[str], theirs: list[str], exact: bool) -> Int64:
    """Give, for the place before each of our words and after the last, the same place in their words, or -1.

    :param ours: words, plainly spelt.
    :param theirs: words, plainly spelt.
    :param exact: whether their characters are the same.
    """
    at = run_offsets([len(word) for word in ours])
    their_at = run_offsets([len(word) for word in theirs])
    token_at = np.full(int(their_at[-1]) + 1, -1, np.int64)
    token_at[their_at] = np.arange(len(their_at))
    if exact:
        return token_at[at]
    # The place in their characters of each place in ours; where they have characters that we lack, these go
    # to the word before, unless only the place before them is between two tokens.
    place = np.full(int(at[-1]) + 1, -1, np.int64)
    matcher = SequenceMatcher(None, "".join(ours), "".join(theirs), autojunk=False)
    for kind, begin, end, their_begin, their_end in matcher.get_opcodes():
        if kind == "insert":
            place[begin] = their_end if token_at[their_end] >= 0 or token_at[their_begin] < 0 else their_begin
        elif kind == "delete":
            place[begin : end + 1] = their_begin
        elif end - begin == their_end - their_begin:
            begin += place[begin] >= 0 and kind == "equal"
            place[begin : end + 1] = np.arange(their_end - (end - begin), their_end + 1)
        else:
            place[begin], place[end] = their_begin, their_end
    place[0], place[-1] = 0, their_at[-1]
    boundary = np.full(len(at), -1, np.int64)
    boundary[place[at] >= 0] = token_at[place[at[place[at] >= 0]]]
    return boundary
