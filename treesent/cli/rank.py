"""``treesent rank``."""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from treesent.cli.options import Device, Threads, set_threads

if TYPE_CHECKING:
    from treesent.models.language.ranking import Candidate, Ranked


class By(StrEnum):
    """What decides."""

    log_prob = "log-prob"
    perplexity = "perplexity"


class Form(StrEnum):
    """Kinds of tables that are written."""

    tsv = "tsv"
    jsonl = "jsonl"


COLUMNS = ("rank", "line", "log_prob", "perplexity", "symbols", "unknown", "text")


def rank(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The folder of a language model.")],
    file: Annotated[
        str,
        typer.Argument(help="Texts: .txt (one a line), .csv, .tsv, .jsonl, .parquet; - is stdin."),
    ],
    output: Annotated[
        str,
        typer.Option("--output", "-o", metavar="OUT", help="The file to write, .tsv or .jsonl; - is stdout."),
    ] = "-",
    prefix: Annotated[str, typer.Option(help="What stands before each text: FILE holds endings of it.")] = "",
    by: Annotated[
        By, typer.Option(help="The whole log-probability, or the perplexity per symbol.")
    ] = By.log_prob,
    form: Annotated[
        Form | None, typer.Option("--format", help="Kind of OUT, whatever its suffix; stdout is tsv.")
    ] = None,
    text_column: Annotated[str, typer.Option(help="The column of the texts.")] = "text",
    batch_size: Annotated[int, typer.Option(min=1, help="Texts scored together.")] = 64,
    device: Device = "auto",
    threads: Threads = 1,
) -> None:
    """Rank texts by how probable a language model finds them, the most probable first.

    Columns: rank, line (where the text stands in FILE), log_prob (natural logarithm, the text's end
    included), perplexity (per symbol), symbols, unknown (how many of them the model does not know), text. No
    text is left out.

    With --prefix, log_prob is that of the text given the prefix. A character model joins them as they are:
    end the prefix with a space where one belongs there.
    """
    from treesent.errors import DataError
    from treesent.models.language.inference import load_language_model
    from treesent.models.language.ranking import rank as order

    kind = _form(output, form)
    if output != "-" and not Path(output).parent.is_dir():
        raise DataError(f"{output}: no such folder: {Path(output).parent}; make it first")
    set_threads(threads)
    candidates = list(_candidates(file, text_column))
    if not candidates:
        raise DataError(f"{file}: no text to rank; give one a line")
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
        partial = Path(f"{output}.partial")
        partial.write_text("".join(lines), "utf-8", newline="")
        partial.replace(output)


def _form(output: str, form: Form | None) -> str:
    """Kind of the output."""
    from treesent.errors import DataError

    if form is not None:
        return form.value
    suffix = "tsv" if output == "-" else Path(output).suffix.lstrip(".").lower()
    if suffix not in Form.__members__:
        raise DataError(f"{output}: a ranking is written as .tsv or .jsonl; name it so, or give --format")
    return suffix


def _line(row: "Ranked", kind: str) -> str:
    values = asdict(row)
    values["log_prob"], values["perplexity"] = round(row.log_prob, 6), float(f"{row.perplexity:.6g}")
    if kind == "jsonl":
        return json.dumps(values, ensure_ascii=False) + "\n"
    # A tab or a line end in a text would make more cells of it; jsonl keeps them.
    cells = [str(values[name]) for name in COLUMNS[:-1]]
    return "\t".join([*cells, row.text.translate(str.maketrans("\t\r\n", "   "))]) + "\n"


def _candidates(file: str, column: str) -> "Iterator[Candidate]":
    """Read the texts; a row that cannot be read ends the run."""
    from treesent.data.tables import read_rows, table_kind
    from treesent.errors import DataError
    from treesent.models.language.ranking import Candidate

    plain = file == "-" or table_kind(file) == "txt"
    rows = (
        read_rows(sys.stdin.buffer, "txt")
        if file == "-"
        else read_rows(file, need=["text" if plain else column])
    )
    for row in rows:
        if row.fault:
            raise DataError(f"{file}: row {row.number} (line {row.line}): {row.fault}")
        text = row.values["text" if plain else column]
        if text is not None and not isinstance(text, str):
            raise DataError(
                f"{file}: row {row.number} (line {row.line}): {column!r} is {text!r}: expected text"
            )
        yield Candidate(row.line, text or "")
