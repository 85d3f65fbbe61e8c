"""``treesent trees``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from treesent.cli.options import Overwrite
from treesent.files import check_outputs, replacing

if TYPE_CHECKING:
    from treesent.data.phrases import Unplaced
    from treesent.pipeline.tree_sources import Trees
    from treesent.trees.align import AlignmentCounts
    from treesent.trees.tree import Tree

SHOWN = 20
"""Rows without a node that are told one by one; all of them are in the rejects."""


class From(StrEnum):
    """Where trees come from."""

    auto = "auto"
    constituency = "constituency"
    dependency = "dependency"
    learned = "learned"
    seq2seq = "seq2seq"
    right_branching = "right-branching"


@dataclass(frozen=True, slots=True)
class TreesSummary:
    """What a run made.

    :param texts: texts read.
    :param trees: trees written.
    :param labelled: nodes of theirs that have a label.
    :param rows: rows of labels.
    :param unplaced: rows of labels that lie on no node.
    """

    texts: int
    trees: int
    labelled: int
    rows: int
    unplaced: tuple[Unplaced, ...]


def trees(
    file: Annotated[
        str,
        typer.Argument(
            help="Texts: .txt (one a line), .csv, .tsv, .jsonl, .parquet; - is stdin, a text a line."
        ),
    ],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="OUT", help="The file of bracketed trees; - is stdout.")
    ] = "-",
    source: Annotated[
        From,
        typer.Option("--trees", help="Where trees come from; auto takes the best that the pipeline has."),
    ] = From.auto,
    model: Annotated[
        str | None,
        typer.Option(help="A pipeline: packaged, a folder or a spaCy package. By default the packaged one."),
    ] = None,
    text_column: Annotated[str, typer.Option(help="The column of the texts.")] = "text",
    whole: Annotated[
        bool, typer.Option("--whole", help="Every text is one sentence: do not look for more.")
    ] = False,
    labels: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Labels of phrases: a table with columns sentence, phrase, label."),
    ] = None,
    names: Annotated[
        str | None, typer.Option(help="Names of the classes, with commas; may stand for numbers in labels.")
    ] = None,
    n_classes: Annotated[int, typer.Option(min=2, help="Labels run from 0 below this.")] = 5,
    align: Annotated[
        Path | None,
        typer.Option(
            metavar="RAW",
            help="FILE holds trees: lay them over spaCy's tokens of the sentences in RAW (.tsv: line, raw).",
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write bracketed trees for plain text, one a line; every node without a label has -.

    With --labels, each phrase's label goes to its node; a phrase that is not a node is reported with its row, and is
    in OUT.rejects.jsonl. What is written can be trained on.

    Exit codes: 0 done; 1 an error, nothing at OUT; 2 a command line that makes no sense; 3 done, some labels
    in OUT.rejects.jsonl.
    """
    if output != "-":
        inputs = [None if file == "-" else file, labels, align]
        rejects = _rejects(Path(output)) if labels else None
        check_outputs([output, rejects], inputs, overwrite, make_folders=True)
    if align is not None:
        if labels is not None or model is not None or source != From.auto or whole:
            raise typer.BadParameter("stands alone: only -o and --n-classes go with it", param_hint="--align")
        typer.echo(align_file(file, align, output, n_classes).summary(), err=True)
        return
    classes = tuple(name.strip() for name in names.split(",")) if names else None
    summary = trees_of_file(
        file,
        output,
        trees=source.value,
        model=model,
        text_column=text_column,
        whole=whole,
        labels=labels,
        names=classes,
        n_classes=len(classes) if classes else n_classes,
    )
    typer.echo(in_words(summary), err=True)
    if summary.unplaced:
        typer.echo("\n".join(_reports(summary.unplaced, labels, output)), err=True)
        raise typer.Exit(3)


def trees_of_file(
    file: str,
    output: str = "-",
    *,
    trees: Trees = "auto",
    model: str | None = None,
    text_column: str = "text",
    whole: bool = False,
    labels: str | Path | None = None,
    names: tuple[str, ...] | None = None,
    n_classes: int = 5,
) -> TreesSummary:
    """Write the trees of a table of texts.

    :param file: what to read, ``-`` for standard input.
    :param output: what to write, ``-`` for standard output. Rows of labels without a node go to
        ``OUT.rejects.jsonl``, with the reason.
    :param trees: where trees come from.
    :param model: the pipeline; None for the packaged one.
    :param text_column: the column of the texts.
    :param whole: every text is one sentence.
    :param labels: labels of phrases, see :func:`treesent.data.phrases.read_phrases`.
    :param names: names of the classes; None for the usual ones of two, three or five.
    :param n_classes: labels are numbers from 0 below this.
    :raises TreesentError: if a file or row cannot be read, or the pipeline cannot make such trees.
    """
    from treesent.data.phrases import PhraseLabels, read_phrases
    from treesent.models.classifier.folder import default_labels
    from treesent.pipeline.treebank import grow_trees, open_pipeline

    given = PhraseLabels(
        read_phrases(labels, names or default_labels(n_classes), n_classes) if labels else []
    )
    nlp = open_pipeline(model, trees)
    counts = {"texts": 0, "labelled": 0}

    def counted() -> Iterator[str]:
        for text in _texts(file, text_column):
            counts["texts"] += 1
            yield text

    def labelled() -> Iterator[Tree]:
        for sentences in grow_trees(counted(), nlp, trees, whole=whole):
            for tree in map(given.lay, sentences):
                counts["labelled"] += int((tree.label >= 0).sum())
                yield tree

    n_trees = _write(labelled(), output)
    unplaced = tuple(given.unplaced())
    if output != "-":
        _reject(unplaced, Path(output))
    return TreesSummary(counts["texts"], n_trees, counts["labelled"], len(given.rows), unplaced)


def align_file(file: str | Path, raw: str | Path, output: str, n_classes: int = 5) -> AlignmentCounts:
    """Lay a file of trees over spaCy's tokens and write them.

    :param file: bracketed trees.
    :param raw: the sentences as they were written, see :func:`treesent.trees.align.align_treebank`.
    :param output: what to write, ``-`` for standard output.
    :param n_classes: labels run from 0 below this.
    """
    from treesent.text.tokenizer import spacy_tokenizer
    from treesent.trees.align import align_treebank

    aligned = align_treebank(file, raw, spacy_tokenizer(), n_classes)
    _write(aligned.trees, output)
    return aligned.counts


def in_words(summary: TreesSummary) -> str:
    """One line on what a run made."""
    line = f"treesent: {summary.texts:,} texts, {summary.trees:,} trees"
    if summary.rows:
        placed = summary.rows - len(summary.unplaced)
        line += f", {placed:,} of {summary.rows:,} labels on {summary.labelled:,} nodes"
    return line


def _texts(file: str, column: str) -> Iterator[str]:
    """Read the texts; a row that cannot be read ends the run."""
    from treesent.data.tables import read_rows
    from treesent.errors import DataError

    rows = read_rows(sys.stdin.buffer, "txt") if file == "-" else read_rows(file, need=[column])
    for row in rows:
        if row.fault:
            raise DataError(f"{file}: row {row.number} (line {row.line}): {row.fault}")
        text = row.values["text" if file == "-" else column]
        if text is not None and not isinstance(text, str):
            raise DataError(
                f"{file}: row {row.number} (line {row.line}): {column!r} is {text!r}: expected text"
            )
        yield text or ""


def _write(trees: Iterable[Tree], output: str) -> int:
    """Write trees to a file, whole or not at all, or to standard output."""
    from treesent.trees.brackets import write_trees
    from treesent.trees.notation import format_tree

    if output != "-":
        return write_trees(trees, output)
    n_trees = 0
    for tree in trees:
        typer.echo(format_tree(tree))
        n_trees += 1
    return n_trees


def _rejects(output: Path) -> Path:
    return output.with_name(output.name + ".rejects.jsonl")


def _reject(unplaced: Iterable[Unplaced], output: Path) -> None:
    """Write the rows without a node, and take away what an earlier run left."""
    lines = [json.dumps({**asdict(row.given), "reason": row.reason}, ensure_ascii=False) for row in unplaced]
    if lines:
        with replacing(_rejects(output), "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
    else:
        _rejects(output).unlink(missing_ok=True)


def _reports(unplaced: tuple[Unplaced, ...], labels: Path | None, output: str) -> Iterator[str]:
    """Tell the rows without a node; all of them where no file will hold them."""
    shown = len(unplaced) if output == "-" else SHOWN
    for row in unplaced[:shown]:
        yield f"{labels}: row {row.given.row} (line {row.given.line}): {row.given.phrase!r}: {row.reason}"
    if len(unplaced) > shown:
        yield f"... and {len(unplaced) - shown:,} more"
    if output != "-":
        yield f"treesent: {len(unplaced):,} labels lie on no node; they are in {_rejects(Path(output))}"
