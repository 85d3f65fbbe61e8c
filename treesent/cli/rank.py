"""``treesent rank``."""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from treesent.cli.options import (
    Device,
    Encoding,
    Null,
    Overwrite,
    QuotedTsv,
    Separator,
    Threads,
    set_threads,
)
from treesent.files import check_outputs, replacing

if TYPE_CHECKING:
    from treesent.data.dialect import Dialect
    from treesent.models.language.ranking import Candidate, Ranked


class By(StrEnum):
    """The quantity to rank by."""

    log_prob = "log-prob"
    perplexity = "perplexity"


class Form(StrEnum):
    """Table formats that can be written."""

    tsv = "tsv"
    jsonl = "jsonl"


COLUMNS = ("rank", "line", "log_prob", "perplexity", "symbols", "unknown", "text")


def rank(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The folder of a language model.")],
    file: Annotated[
        str,
        typer.Argument(help="Texts: .txt (one per line), .csv, .tsv, .jsonl, .parquet; - is stdin."),
    ],
    output: Annotated[
        str,
        typer.Option("--output", "-o", metavar="OUT", help="The file to write, .tsv or .jsonl; - is stdout."),
    ] = "-",
    prefix: Annotated[
        str, typer.Option(help="The text before each row: FILE then holds its continuations.")
    ] = "",
    by: Annotated[
        By, typer.Option(help="Rank by the log-probability of the whole text, or by perplexity per symbol.")
    ] = By.log_prob,
    form: Annotated[
        Form | None, typer.Option("--format", help="Format of OUT, whatever its suffix; stdout is tsv.")
    ] = None,
    text_column: Annotated[str, typer.Option(help="The column of the texts.")] = "text",
    quoted_tsv: QuotedTsv = False,
    separator: Separator = None,
    encoding: Encoding = None,
    null: Null = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Number of texts scored together.")] = 64,
    overwrite: Overwrite = False,
    device: Device = "auto",
    threads: Threads = 1,
) -> None:
    """Rank texts by how probable a language model finds them, the most probable first.

    Columns: rank, line (the line of the text in FILE), log_prob (natural logarithm of its probability,
    including its end), perplexity (per symbol), symbols, unknown (how many of them are not in the
    vocabulary), text. Every text is ranked, empty ones included.

    With --prefix, log_prob is conditional on the prefix. A character model joins prefix and text without a
    space: end the prefix with one if needed.
    """
    from treesent.data.dialect import Dialect
    from treesent.errors import DataError
    from treesent.models.language.inference import load_language_model
    from treesent.models.language.ranking import rank as order

    kind = _form(output, form)
    if output != "-":
        check_outputs([output], [model, None if file == "-" else file], overwrite)
    set_threads(threads)
    dialect = Dialect(quoted_tsv, separator, encoding, tuple(null or ()))
    candidates = list(_candidates(file, text_column, dialect))
    if not candidates:
        raise DataError(f"{file}: no text to rank; give one per line")
    rows = order(
        load_language_model(model, device),
        candidates,
        prefix=prefix,
        by="log_prob" if by is By.log_prob else "perplexity",
        batch_size=batch_size,
    )
    lines = [_line(row, kind) for row in rows]
    if kind == "tsv":
        lines.insert(0, "\t".join(COLUMNS) + "\n")
    if output == "-":
        typer.echo("".join(lines), nl=False)
    else:
        with replacing(output, "w", encoding="utf-8", newline="") as sink:
            sink.writelines(lines)


def _form(output: str, form: Form | None) -> str:
    """The format of the output."""
    from treesent.errors import DataError

    if form is not None:
        return form.value
    suffix = "tsv" if output == "-" else Path(output).suffix.lstrip(".").lower()
    if suffix not in Form.__members__:
        raise DataError(
            f"{output}: a ranking is written as .tsv or .jsonl; use one of these suffixes, or give --format"
        )
    return suffix


def _line(row: "Ranked", kind: str) -> str:
    values = asdict(row)
    values["log_prob"], values["perplexity"] = round(row.log_prob, 6), float(f"{row.perplexity:.6g}")
    if kind == "jsonl":
        return json.dumps(values, ensure_ascii=False) + "\n"
    # A tab or a line end in a text would split its cell; jsonl keeps them.
    cells = [str(values[name]) for name in COLUMNS[:-1]]
    return "\t".join([*cells, row.text.translate(str.maketrans("\t\r\n", "   "))]) + "\n"


def _candidates(file: str, column: str, dialect: "Dialect") -> "Iterator[Candidate]":
    """Read the texts; a bad row is an error."""
    from treesent.data.tables import read_rows, table_kind
    from treesent.errors import DataError
    from treesent.models.language.ranking import Candidate

    plain = file == "-" or table_kind(file) == "txt"
    rows = (
        read_rows(sys.stdin.buffer, "txt", dialect=dialect)
        if file == "-"
        else read_rows(file, need=["text" if plain else column], dialect=dialect)
    )
    for row in rows:
        if row.fault:
            raise DataError(f"{file}: row {row.number} (line {row.line}): {row.fault}")
        text = dialect.text(row.values["text" if plain else column])
        if not isinstance(text, str):
            raise DataError(
                f"{file}: row {row.number} (line {row.line}): {column!r} is {text!r}: expected text"
            )
        yield Candidate(row.line, text)
