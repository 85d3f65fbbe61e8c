"""``treesent opinions``."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Annotated

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
from treesent.cli.score import bar, in_words, with_workers, workers_of


def opinions(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="The table, as score reads it; several files are one table."),
    ],
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="OUT", help="A page (.html), or a table (.jsonl .csv .tsv .parquet)."
        ),
    ],
    text_column: Annotated[str, typer.Option(help="The column of the texts.")] = "text",
    aspects: Annotated[
        str | None, typer.Option(help="Of a page: topics of your own, with commas between them.")
    ] = None,
    aspects_file: Annotated[
        Path | None,
        typer.Option(help="Of a page: a file of topics, a line each: battery: battery life, charger."),
    ] = None,
    by: Annotated[str | None, typer.Option(help="Of a page: a column whose values are compared.")] = None,
    date: Annotated[str | None, typer.Option(help="Of a page: a column of dates, as 2026-11-28.")] = None,
    title: Annotated[str | None, typer.Option(help="Of a page.")] = None,
    model: Annotated[
        str, typer.Option(help="A pipeline with a head for opinions: its folder, or a packaged name.")
    ] = "en_treesent_sm",
    batch_size: BatchSize = 64,
    prefix: Annotated[
        str, typer.Option(help="Of a table: stands before the names of the added columns.")
    ] = "",
    on_error: AtBadRow = OnError.fail,
    quoted_tsv: QuotedTsv = False,
    separator: Separator = None,
    encoding: Encoding = None,
    null: Null = None,
    escape_formulas: EscapeFormulas = False,
    overwrite: DropUnfinished = False,
    resume: Resume = False,
    workers: Annotated[
        str, typer.Option(metavar="N", help="Processes that score; auto for as many as pay.")
    ] = "auto",
    threads: Threads = 1,
    device: Device = "auto",
) -> None:
    """Find what the texts of a table talk about, and what they think of it.

    A table gets the columns of score and a column 'opinions': a list of the target, the sentiment towards it, the words
    that say so and their clause, JSON in csv. A page shows the topics, how often and how well they are spoken of, and
    quotes; it is one file that asks nobody for anything. Exit codes are those of score.
    """
    from treesent.errors import DataError
    from treesent.files import check_outputs
    from treesent.opinions.run import require_head, write_report
    from treesent.opinions.topics import read_topics
    from treesent.scoring import ScoreOptions, check, score

    page = Path(output).suffix.lower() in (".html", ".htm")
    own = read_topics(aspects, aspects_file)
    if not page and (own or by or date or title):
        raise DataError(f"--aspects, --by, --date and --title are for a page; write {output} as .html")
    options = ScoreOptions(
        text_column=text_column,
        nodes="opinions",
        batch_size=batch_size,
        prefix=prefix,
        on_error=on_error.value,
        quoted_tsv=quoted_tsv,
        separator=separator,
        encoding=encoding,
        null=tuple(null or ()),
        escape_formulas=escape_formulas,
        overwrite=overwrite,
        resume=resume,
        workers=workers_of(workers),
    )
    options = with_workers(options, threads, device)
    if page:
        check_outputs([output], [name for name in files if Path(name).is_file()], overwrite)
    else:
        check(files, output, options)  # before the model is loaded, which takes seconds
    nlp = open_pipeline(
        model, threads, "cpu" if device == "auto" and options.workers not in (1, "auto") else device
    )
    require_head(nlp)
    with ExitStack() as stack:
        if page:
            summary = write_report(
                files,
                output,
                nlp,
                replace(options, prefix=""),
                own=own,
                by=by,
                date=date,
                title=title or "Opinions",
                progress=bar(stack),
            )
        else:
            summary = score(files, output, nlp, options, progress=bar(stack))
    typer.echo(in_words(summary), err=True)
    if summary.rejected:
        raise typer.Exit(3)
