"""How words and trees are written in Penn treebank brackets."""

import re
from typing import TYPE_CHECKING

from treesent.errors import TreesentError

if TYPE_CHECKING:
    from treesent.trees.tree import Tree

NO_LABEL = "-"
"""How an unlabelled node is written."""

_SPACE = re.compile(r"[ \t\r\n\f\v]")
_ESCAPED = re.compile(r"-([LR][RSC])B-|\\([/*])|``|''", re.IGNORECASE)
_PLAIN = {"lr": "(", "rr": ")", "ls": "[", "rs": "]", "lc": "{", "rc": "}"}


def format_tree(tree: "Tree") -> str:
    """Write a tree in brackets, on one line.

    :param tree: the tree.
    """
    # A node's text ends where its last word's does, so closing brackets follow words and opening ones precede
    # them.
    opening: list[list[str]] = [[] for _ in tree.words]
    closing = [0] * tree.n_words
    leaf = [""] * tree.n_words
    nodes = zip(tree.left.tolist(), tree.start.tolist(), tree.end.tolist(), tree.label.tolist(), strict=True)
    for left, start, end, label in nodes:
        name = NO_LABEL if label < 0 else str(label)
        if left < 0:
            leaf[start] = name
        else:
            opening[start].append(f"({name} ")
            closing[end - 1] += 1
    return " ".join(
        f"{''.join(reversed(outer))}({name} {escape(word)}){')' * n}"
        for outer, name, word, n in zip(opening, leaf, tree.words, closing, strict=True)
    )


def escape(word: str) -> str:
    """Write a word so that it can stand in brackets; what has been written so stays as it is.

    :param word: any word with at least one character.
    :raises TreesentError: if it is empty.
    """
    if not word:
        raise TreesentError("an empty word cannot stand in a tree: leave the word out")
    if "(" in word or ")" in word:
        word = word.replace("(", "-LRB-").replace(")", "-RRB-")
    return _SPACE.sub("␣", word)


def unescape(word: str) -> str:
    r"""Turn a Penn treebank word into the one people write.

    ``-LRB-`` becomes ``(``, ``\/`` becomes ``/``, two single quotes or backquotes become ``"``.

    :param word: a word as it stands in a tree, in any case.
    """
    if "\\" not in word and "-" not in word and "``" not in word and "''" not in word:
        return word
    return _ESCAPED.sub(_plain, word)


def _plain(match: re.Match[str]) -> str:
    """Give what an escape stands for."""
    bracket, character = match.groups()
    return _PLAIN[bracket.lower()] if bracket else character or '"'
