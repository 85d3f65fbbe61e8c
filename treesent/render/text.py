"""A scored tree as lines of text, for a terminal."""

from typing import TYPE_CHECKING

from treesent.render.svg import visible

if TYPE_CHECKING:
    from treesent.pipeline.treeview import TreeView

_COLOURS = ("\x1b[38;5;167m", "\x1b[38;5;246m", "\x1b[38;5;37m")
_RESET = "\x1b[0m"
_BAR = 9
_LEAST = 0.02


def to_text(tree: "TreeView", colour: bool = False) -> str:
    """Draw a tree with one line for each constituent: polarity, a bar of it, label and words.

    Words whose likeliest class is neutral have no line of their own.

    :param tree: the tree.
    :param colour: whether to colour the lines for a terminal.
    """
    lines: list[str] = []
    pending: list[tuple[TreeView, str, str]] = [(tree, "", "")]
    while pending:
        node, stem, under = pending.pop()
        lines.append(_line(node, stem, colour))
        shown = [child for child in node.children if child.children or not child.neutral]
        for child in reversed(shown):
            last = child is shown[-1]
            pending.append((child, under + ("└─ " if last else "├─ "), under + ("   " if last else "│  ")))
    return "\n".join(lines)


def reasons_to_text(tree: "TreeView", most: int = 6) -> str:
    """List the words that carry a sentence's score, the strongest first, with what each adds.

    :param tree: of a Doc that was explained.
    :param most: words at most.
    """
    if tree.reasons is None:
        return ""
    pairs = sorted(zip(tree.words, tree.reasons.tolist(), strict=True), key=lambda pair: -abs(pair[1]))
    shown = [f"{visible(word)} {weight:+.2f}" for word, weight in pairs[:most] if abs(weight) >= _LEAST]
    return "words that carry it: " + (", ".join(shown) or "none")


def _line(node: "TreeView", stem: str, colour: bool) -> str:
    polarity = node.sentiment.polarity
    label = node.label
    if polarity is None:
        return f"{label:<14} {stem}{_words(node)}"
    line = f"{polarity:+.2f} {_bar(polarity)} {label:<13} {stem}{_words(node)}"
    if not colour:
        return line
    tone = _COLOURS[1] if node.neutral else _COLOURS[2 if polarity > 0 else 0]
    return f"{tone}{line}{_RESET}"


def _words(node: "TreeView") -> str:
    return visible(" ".join(node.words)).replace("\n", "\u2424").replace("\t", "\u2409")


def _bar(polarity: float) -> str:
    """A bar that grows from the middle: to the left below zero, to the right above."""
    half = _BAR // 2
    size = min(round(abs(polarity) * half + 0.3), half)
    left, right = ("█" * size, "") if polarity < 0 else ("", "█" * size)
    return f"{left:>{half}}│{right:<{half}}"
