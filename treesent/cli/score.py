"""``treesent score``."""

import sys
from contextlib import ExitStack
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from treesent.cli.options import (
    AtBadRow,
    BatchSize,
    Device,
    DropUnfinished,
    Encoding,
    EscapeFormulas,
    Null,
    OnError,
    QuotedTsv,
    Resume,
    Separator,
    Threads,
    open_pipeline,
)
from treesent.errors import TreesentError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from treesent.scoring import ScoreOptions, ScoreSummary


class Kind(StrEnum):
    """Kinds of tables."""

    txt = "txt"
    csv = "csv"
    tsv = "tsv"
    jsonl = "jsonl"
    json = "json"
    excel = "excel"
    parquet = "parquet"


class Nodes(StrEnum):
    """How deep the scores go."""

    none = "none"
    sentences = "sentences"
    all = "all"


def score(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="The table: .txt .csv .tsv .jsonl .json (also .gz .xz .bz2), .xlsx, .parquet; - is stdin. "
            "Several files, folders and patterns are read as one table; addresses (s3://...) too.",
        ),
    ],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="OUT", help="The file to write; - is stdout.")
    ] = "-",
    text_column: Annotated[str, typer.Option(help="The column of the texts.")] = "text",
    id_column: Annotated[
        str | None, typer.Option(help="A column that names the rows: must be filled; rejects carry it.")
    ] = None,
    nodes: Annotated[
        Nodes,
        typer.Option(
            help="A column 'sentences': none, the sentences, or all: with each phrase, its span and probs."
        ),
    ] = Nodes.none,
    kind: Annotated[
        Kind | None,
        typer.Option(
            "--format", help="Kind of FILE and OUT where no suffix tells; else stdin txt, stdout jsonl."
        ),
    ] = None,
    input_kind: Annotated[
        Kind | None, typer.Option("--input-format", help="Kind of FILE, whatever its suffix.")
    ] = None,
    output_kind: Annotated[
        Kind | None, typer.Option("--output-format", help="Kind of OUT, whatever its suffix.")
    ] = None,
    model: Annotated[str, typer.Option(help="A pipeline's folder, or a packaged name.")] = "en_treesent_sm",
    batch_size: BatchSize = 64,
    prefix: Annotated[str, typer.Option(help="Stands before the names of the added columns.")] = "",
    on_error: AtBadRow = OnError.fail,
    rejects: Annotated[str | None, typer.Option(help="Another file for the rejects.")] = None,
    quoted_tsv: QuotedTsv = False,
    separator: Separator = None,
    encoding: Encoding = None,
    null: Null = None,
    max_row_size: Annotated[
        int, typer.Option(min=1, help="Bytes of the longest row; a longer one is a bad row.")
    ] = 16 * 2**20,
    escape_formulas: EscapeFormulas = False,
    overwrite: DropUnfinished = False,
    resume: Resume = False,
    workers: Annotated[
        str,
        typer.Option(
            "--workers", "--n-process", metavar="N", help="Processes that score; auto for as many as pay."
        ),
    ] = "auto",
    threads: Threads = 1,
    device: Device = "auto",
) -> None:
    """Score the texts of a table.

    Writes the table with the columns label, polarity (-1 to 1), confidence, a probability per class (p_...)
    and unknown (the fraction of unknown words). An empty text gets empty scores. OUT appears when it is whole;
    until then OUT.partial holds what --resume continues from.

    Exit codes: 0 done; 1 an error, nothing at OUT; 2 a command line that makes no sense; 3 done, some rows in
    OUT.rejects.jsonl; 130 interrupted, --resume continues.
    """
    from treesent.scoring import ScoreOptions

    if any(mark in prefix for mark in "\r\n\t\0"):
        raise typer.BadParameter(f"{prefix!r} cannot begin the name of a column", param_hint="--prefix")
    options = ScoreOptions(
        text_column=text_column,
        id_column=id_column,
        nodes=nodes.value,
        batch_size=batch_size,
        kind=kind and kind.value,
        input_kind=input_kind and input_kind.value,
        output_kind=output_kind and output_kind.value,
        prefix=prefix,
        on_error=on_error.value,
        rejects=rejects,
        quoted_tsv=quoted_tsv,
        separator=separator,
        encoding=encoding,
        null=tuple(null or ()),
        max_row_size=max_row_size,
        escape_formulas=escape_formulas,
        overwrite=overwrite,
        resume=resume,
        workers=workers_of(workers),
    )
    summary = score_file(files, output, options, model=model, threads=threads, device=device)
    typer.echo(in_words(summary), err=True)
    if summary.rejected:
        raise typer.Exit(3)


def score_file(
    files: "str | Sequence[str]",
    output: str,
    options: "ScoreOptions",
    *,
    model: str = "en_treesent_sm",
    threads: int = 1,
    device: str = "cpu",
) -> "ScoreSummary":
    """Load a pipeline and score a table with it, with a progress bar where standard error is a terminal.

    :param files: what to read, ``-`` for standard input.
    :param output: what to write, ``-`` for standard output.
    :param options: how.
    :param model: the pipeline.
    :param threads: of a tensor operation; 0 for torch's own choice. Trees are small, so that more than one
        costs more than it brings.
    :param device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``; several workers have the processor.
    :raises treesent.errors.TreesentError: no such device here, or one for several workers.
    """
    from treesent.scoring import check, score

    check(files, output, options)  # before the model is loaded, which takes seconds
    options = with_workers(options, threads, device)
    nlp = open_pipeline(
        model, threads, "cpu" if device == "auto" and options.workers not in (1, "auto") else device
    )
    with ExitStack() as stack:
        return score(files, output, nlp, options, progress=bar(stack))


def with_workers(options: "ScoreOptions", threads: int, device: str) -> "ScoreOptions":
    """Give the options with one worker where a device or several threads do the work.

    :param options: the options.
    :param threads: of a tensor operation.
    :param device: the device.
    :raises treesent.errors.TreesentError: several workers, and a device or several threads.
    """
    workers = options.workers
    if workers == 1:
        return options
    if workers == "auto":
        from treesent.nn.device import choose_device

        one = threads != 1 or choose_device(device).type != "cpu"
        return replace(options, workers=1) if one else options
    if device not in ("auto", "cpu"):
        raise TreesentError(
            f"--device {device} with --workers {workers}: one process drives a device; leave one of them out"
        )
    if threads != 1:
        raise TreesentError(
            f"--threads {threads} with --workers {workers}: each worker has one thread; leave one of them out"
        )
    return options


def workers_of(text: str) -> "int | Literal['auto']":
    """Read a number of workers.

    :param text: as it stands on the command line.
    :raises typer.BadParameter: it is neither ``auto`` nor a whole number from 1.
    """
    if text == "auto":
        return "auto"
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise typer.BadParameter(
            f"{text!r} is neither auto nor a whole number from 1", param_hint="--workers"
        )
    return int(text)


def in_words(summary: "ScoreSummary") -> str:
    """One line on what a run did."""
    parts = [f"{summary.rows:,} rows"]
    if summary.empty:
        parts.append(f"{summary.empty:,} without text")
    if summary.rejected:
        parts.append(f"{summary.rejected:,} rejected, in {summary.rejects}")
    if summary.workers > 1:
        own = f", each with at most {summary.memory / 2**20:,.0f} MB of its own" if summary.memory else ""
        parts.append(f"{summary.workers} workers{own}")
    return "treesent: " + ", ".join(parts)


def bar(stack: ExitStack) -> "Callable[[int, int | None], None] | None":
    """Make a progress bar; None where standard error is no terminal.

    :param stack: closes it.
    """
    if not sys.stderr.isatty():
        return None
    from tqdm import tqdm

    shown = stack.enter_context(tqdm(unit=" rows", unit_scale=True, file=sys.stderr))

    def show(done: int, total: int | None) -> None:
        shown.total = total
        shown.update(done - shown.n)

    return show
