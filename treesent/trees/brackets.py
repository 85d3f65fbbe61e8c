r"""Read and write trees in Penn treebank brackets, one tree a line.

``(3 (2 the) (3 (4 superb) (- acting)))``: every node is its label and its word or its two children. The label
is a class, counted from 0, or ``-`` for a node without one. Words stand as they are in the file: ``-LRB-``
and ``\/`` are kept (:func:`unescape` gives the word people write). In a word that is written, round brackets
become ``-LRB-`` and ``-RRB-`` and white space becomes ``␣``, since the notation needs those characters for
itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import NoReturn

import numpy as np

from treesent.errors import DataError, TreeFormatError
from treesent.files import replacing
from treesent.trees.notation import NO_LABEL, format_tree
from treesent.trees.tree import UNLABELLED, Tree

# A leaf as a whole, an opening bracket with its label, a closing bracket, or text that belongs nowhere. A
# no-break space is part of a word ("2 1\/2" is one word of the treebank), so only blanks and tabs separate.
_TOKEN = re.compile(
    r"\([ \t]*([^ \t()]+)[ \t]+([^ \t()]+)[ \t]*\)"  # 1, 2: label and word of a leaf
    r"|\([ \t]*([^ \t()]*)"  # 3: label of an inner node
    r"|(\))|([^ \t()]+)"
)


def read_trees(path: str | Path, n_classes: int = 5) -> Iterator[Tree]:
    """Read a file of bracketed trees, one a line; blank lines are skipped.

    :param path: a text file in UTF-8.
    :param n_classes: labels run from 0 to one less; ``-`` is a node without one.
    :raises TreeFormatError: at the first broken tree, with its file, line and column, or where the file holds
        none.
    :raises DataError: if the file cannot be opened.
    """
    path, found = Path(path), False
    try:
        file = path.open("rb")
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}): give a file of bracketed trees"
        ) from error
    with file:
        for number, raw in enumerate(file, start=1):
            try:
                text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                column = len(raw[: error.start].decode("utf-8", "replace")) + 1
                message = f"byte 0x{raw[error.start]:02x} is not UTF-8: save the file as UTF-8"
                raise TreeFormatError(message, path, number, column) from error
            if text.strip(" \t\r\n"):
                found = True
                yield parse_tree(text, n_classes, path, number)
    if not found:
        raise TreeFormatError("the file holds no tree: expected one bracketed tree a line", path)


def parse_tree(text: str, n_classes: int = 5, path: str | Path | None = None, line: int = 1) -> Tree:  # noqa: C901
    """Read one bracketed tree, in one pass and without recursion.

    :param text: the tree, on one line.
    :param n_classes: labels run from 0 to one less; ``-`` is a node without one.
    :param path: the file it came from, for errors.
    :param line: its line there, for errors.
    :raises TreeFormatError: if it is not one binary tree with a label on every node.
    """
    text = text.rstrip(" \t\r\n")
    # One loop of plain cases: the treebank has 320,000 nodes and a call for each would double the time.
    known = _known_labels(n_classes)
    words: list[str] = []
    left: list[int] = []
    right: list[int] = []
    start: list[int] = []
    label: list[int] = []
    end: list[int] = []
    done: list[int] = []  # complete nodes that wait for their parent
    began: list[int] = []  # for each open bracket: its token,
    given: list[str] = []  # its label,
    below: list[int] = []  # and how many nodes were waiting when it opened
    floor = 0
    for k, (leaf, word, inner, close, stray) in enumerate(_TOKEN.findall(text)):
        if leaf:
            if leaf not in known:
                _refuse_label(text, k, leaf, n_classes, path, line)
            begin = len(words)
            words.append(word)
            left.append(-1)
            right.append(-1)
            label.append(known[leaf])
            opened = k
        elif close:
            if not began:
                _refuse(text, k, "closing bracket without an opening one: remove it", path, line)
            opened, name, floor = began.pop(), given.pop(), below.pop()
            if len(done) - floor != 2:
                _refuse_node(text, opened, k, len(done) - floor, name, path, line)
            if name not in known:
                _refuse_label(text, opened, name, n_classes, path, line)
            right.append(done.pop())
            left.append(done.pop())
            label.append(known[name])
            begin = start[left[-1]]
            floor = below[-1] if below else 0
        elif stray:
            _refuse_stray(text, k, stray, began, path, line)
        else:
            if not began and done:
                _refuse(text, k, "a second tree after the root: write one tree a line", path, line)
            began.append(k)
            given.append(inner)
            floor = len(done)
            below.append(floor)
            continue
        start.append(begin)
        end.append(len(words))
        done.append(len(left) - 1)
        if len(done) - floor > 2:
            message = "a third child: trees are binary, so binarise this node (two children each)"
            _refuse(text, opened, message, path, line)
        if not began and len(done) > 1:
            _refuse(text, opened, "a second tree after the root: write one tree a line", path, line)
    if began:
        message = f"this bracket is never closed: expected {len(began)} more ')' at the end of the line"
        _refuse(text, began[-1], message, path, line)
    if not done:
        raise TreeFormatError("no tree here: expected one like (3 (2 good) (2 film))", path, line)
    return Tree(tuple(words), *(np.array(values, np.int32) for values in (left, right, start, end, label)))


def write_trees(trees: Iterable[Tree], path: str | Path) -> int:
    """Write trees to a file, one a line.

    :param trees: the trees.
    :param path: the file, in UTF-8; it is replaced only when all trees are written.
    :returns: the number of trees.
    :raises OutputError: the file cannot be written.
    """
    n_trees = 0
    with replacing(path, "w", encoding="utf-8", newline="\n") as file:
        for tree in trees:
            file.write(format_tree(tree) + "\n")
            n_trees += 1
    return n_trees


@lru_cache(maxsize=16)
def _known_labels(n_classes: int) -> dict[str, int]:
    """Give what each label's text means."""
    return {NO_LABEL: UNLABELLED, **{str(label): label for label in range(n_classes)}}


def _refuse(text: str, token: int, message: str, path: str | Path | None, line: int) -> NoReturn:
    """Raise at a token, whose column is only now looked up."""
    matches = list(_TOKEN.finditer(text))
    raise TreeFormatError(message, path, line, matches[token].start() + 1)


def _refuse_label(
    text: str, token: int, label: str, n_classes: int, path: str | Path | None, line: int
) -> NoReturn:
    """Raise for a bad label, and tell a number out of range from text that is not a number."""
    wanted = f"expected 0 to {n_classes - 1}, or {NO_LABEL} for none"
    if not label:
        message = f"a node without a label: {wanted}, after the opening bracket"
    elif re.fullmatch(r"[+-]?\d+", label):
        message = f"label {label} is outside the range: {wanted}"
    else:
        message = f"label {label!r} is not a number: {wanted}, after the opening bracket"
    _refuse(text, token, message, path, line)


def _refuse_node(
    text: str, opened: int, closed: int, children: int, name: str, path: str | Path | None, line: int
) -> NoReturn:
    """Raise for a bracket that closed with no child or one."""
    if children == 1:
        message = "a node with one child: expected two, so remove the bracket around the child"
    elif not name:
        message = "an empty bracket: expected a label and a word or two children, like (2 film)"
    elif name.lstrip("+-").isdigit() or name == NO_LABEL:
        message = (
            f"a node with nothing after its label {name}: expected a word or two children, like ({name} film)"
        )
    else:
        message = f"a leaf without a label: write a number before its word, like (2 {name})"
    _refuse(text, opened, message, path, line)


def _refuse_stray(
    text: str, token: int, stray: str, began: list[int], path: str | Path | None, line: int
) -> NoReturn:
    """Raise for text that is neither bracket, label nor the word of a leaf."""
    if began:
        message = f"{stray!r} where a bracket should be: a leaf is a label and one word, like (2 film)"
    elif token:
        message = f"text after the root: {stray!r}; remove it, or write one tree a line"
    else:
        message = f"{stray!r} where the tree should begin: expected '(', as in (3 (2 good) (2 film))"
    _refuse(text, token, message, path, line)
