"""Find opinions in a table of any length, for a table or for a report."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from treesent.data.tables import read_rows
from treesent.errors import DataError, ModelError
from treesent.files import check_outputs, replacing
from treesent.opinions.gather import gather
from treesent.opinions.report import render
from treesent.pipeline.lookup import component_of
from treesent.scoring import ScoreOptions, ScoreSummary, score
from treesent.scoring.plan import Plan

if TYPE_CHECKING:
    from spacy.language import Language

PREFIX = "treesent_"
"""Stands before the columns that a report is made of, so that any table has room for them."""
Progress = Callable[[int, int | None], Any]


def require_head(nlp: "Language") -> None:
    """Refuse a pipeline that finds no opinions.

    :param nlp: the pipeline.
    :raises ModelError: it has no head for opinions.
    """
    if component_of(nlp).trained.opinions is None:
        raise ModelError(
            f"the pipeline {nlp.meta.get('name')!r} has no head for opinions: train one with treesent aspects train "
            "MODEL TABLE -o OUT, and name OUT with --model"
        )


def write_report(
    source: "str | Sequence[str]",
    output: str | Path,
    nlp: "Language",
    options: ScoreOptions,
    *,
    own: Mapping[str, Sequence[str]] | None = None,
    by: str | None = None,
    date: str | None = None,
    title: str = "Opinions",
    progress: Progress | None = None,
) -> ScoreSummary:
    """Find the opinions in a table and write a page about them.

    What is found goes to ``OUT.rows.jsonl`` first, in constant memory and with a folder of finished parts beside it,
    from which ``options.resume`` continues. That file is deleted when the page is there.

    :param source: as for :func:`treesent.scoring.score`; standard input cannot be read.
    :param output: the page.
    :param nlp: a pipeline with a head for opinions.
    :param options: how to read the table.
    :param own: topics of the user's own; found by grouping otherwise.
    :param by: a column whose values are compared.
    :param date: a column of dates.
    :param title: of the page.
    :param progress: as for :func:`treesent.scoring.score`.
    :returns: what was read.
    :raises TreesentError: the table cannot be read or lacks a column, or the page cannot be written.
    """
    require_head(nlp)
    rows = Path(f"{output}.rows.jsonl")
    if options.resume and not Path(f"{rows}.partial").is_dir():
        rows.unlink(missing_ok=True)
    rejects = options.rejects or Path(f"{output}.rejects.jsonl")
    options = replace(
        options, nodes="opinions", prefix=PREFIX, kind=None, output_kind="jsonl", rejects=rejects
    )
    plan = Plan.of(source, rows, options)
    check_outputs([output], [path for path in plan.files if isinstance(path, Path)], options.overwrite)
    _check_columns(plan, options, [name for name in (by, date) if name is not None])
    summary = score(source, rows, nlp, options, progress=progress)

    def found() -> Iterator[dict[str, Any]]:
        for row in read_rows(rows, longest=1 << 40):
            values = row.values
            yield values | {name: values[PREFIX + name] for name in ("label", "opinions")}

    table = component_of(nlp).trained.table
    gathered = gather(found, table, own, text=options.text_column, by=by, date=date)
    with replacing(output, "w", encoding="utf-8") as file:
        file.write(render(gathered, title, summary.rejected, by))
    rows.unlink(missing_ok=True)
    return summary


def _check_columns(plan: Plan, options: ScoreOptions, names: Sequence[str]) -> None:
    """Refuse a column that the table lacks, before a long run."""
    if not plan.files:
        raise DataError("a report needs a file to read, and standard input is none; name a file")
    rows = read_rows(plan.files[0], kind=plan.kind, dialect=options.dialect, longest=options.max_row_size)
    first = next((row for row in rows if not row.fault), None)
    for name in names:
        if first is not None and name not in first.values:
            raise DataError(
                f"{plan.files[0]} has no column {name!r}; it has {', '.join(map(repr, first.values))}"
            )
