"""``treesent evaluate``."""

import json
import warnings
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from treesent.cli.options import (
    Device,
    Encoding,
    Null,
    Overwrite,
    QuotedTsv,
    Separator,
    Threads,
    open_pipeline,
)

if TYPE_CHECKING:
    from treesent.metrics.accuracy import Scores


class Source(StrEnum):
    """Where trees come from."""

    gold = "gold"
    auto = "auto"
    constituency = "constituency"
    dependency = "dependency"
    learned = "learned"
    seq2seq = "seq2seq"
    right_branching = "right-branching"


def evaluate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A pipeline's folder, or a packaged name.")],
    data: Annotated[
        str, typer.Argument(metavar="TREES", help="Bracketed trees, or a table: .csv .tsv .jsonl .parquet.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    text_column: Annotated[str, typer.Option(help="Of a table: the column of the texts.")] = "text",
    label_column: Annotated[
        str, typer.Option(help="Of a table: the column of the labels, integers from 0 or names.")
    ] = "label",
    trees: Annotated[
        Source,
        typer.Option(help="Of bracketed trees: score their words with trees from elsewhere, roots only."),
    ] = Source.gold,
    quoted_tsv: QuotedTsv = False,
    separator: Separator = None,
    encoding: Encoding = None,
    null: Null = None,
    cases: Annotated[
        bool,
        typer.Option(
            "--cases", help="DATA has the columns kind, text and expected; print what is right by kind."
        ),
    ] = False,
    suite: Annotated[
        bool,
        typer.Option(
            "--suite",
            help="DATA is a folder of tables (text, label, split); print a line for each, dev rows alone.",
        ),
    ] = False,
    word_lists: Annotated[
        bool, typer.Option("--word-lists", help="With --suite: VADER and TextBlob too.")
    ] = False,
    reliability: Annotated[
        Path | None,
        typer.Option(metavar="FILE.svg", help="Draw confidence beside accuracy; also FILE.png."),
    ] = None,
    overwrite: Overwrite = False,
    batch_size: Annotated[int, typer.Option(min=1, help="Trees or texts scored together.")] = 256,
    threads: Threads = 1,
    device: Device = "auto",
) -> None:
    """Measure a pipeline on bracketed trees, or on a table of texts and labels.

    All numbers are in percent. Bracketed trees are scored on their own words and structure: no tokeniser,
    no parser. A table's texts go through the whole pipeline, and the document's sentiment is the prediction;
    rows with empty text are left out and counted (n_empty).

    Binary accuracy (accuracy_2) leaves neutral labels out; a prediction is positive where the positive
    classes are together more probable than the negative ones.
    """
    from treesent.data.dialect import Dialect
    from treesent.files import check_outputs
    from treesent.pipeline.evaluation import evaluate_file
    from treesent.render.style import check_picture

    if cases:
        _print_cases(model, data, threads, device, as_json)
        return
    if suite:
        _print_suite(model, data, threads, device, as_json, word_lists)
        return
    if reliability is not None:
        check_picture(reliability)
    check_outputs([reliability], [data], overwrite=overwrite)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        report = evaluate_file(
            open_pipeline(model, threads, device),
            data,
            text_column=text_column,
            label_column=label_column,
            trees=trees.value,
            dialect=Dialect(quoted_tsv, separator, encoding, tuple(null or ())),
            batch_size=batch_size,
        )
    for warning in caught:
        if issubclass(warning.category, UserWarning):
            typer.echo(f"treesent: warning: {warning.message}", err=True)
    if reliability is not None and report.reliability is not None:
        from treesent.render.reliability import draw_reliability

        draw_reliability(report.reliability, reliability)
    if as_json:
        typer.echo(json.dumps(report.to_dict()))
        return
    typer.echo(f"{model} on {data}, in percent")
    typer.echo(table({"root": report.root} | ({} if report.nodes is None else {"nodes": report.nodes})))
    if report.n_empty:
        typer.echo(f"{report.n_empty} rows without text left out")
    if report.reliability is not None:
        typer.echo(f"expected calibration error of the roots: {report.reliability.error:.3f} (0 to 1)")
    typer.echo("\nroots: label by row, prediction by column\n" + confusion_table(report.root, report.labels))


def _print_suite(model: str, data: str, threads: int, device: str, as_json: bool, word_lists: bool) -> None:
    from treesent.pipeline.suite import pipeline_scorer, run_suite, textblob_scorer, vader_scorer

    scorers = {model: pipeline_scorer(open_pipeline(model, threads, device))}
    if word_lists:
        scorers |= {"VADER": vader_scorer(), "TextBlob": textblob_scorer()}
    found = {name: list(run_suite(data, scorer)) for name, scorer in scorers.items()}
    if as_json:
        typer.echo(json.dumps({name: [asdict(score) for score in scores] for name, scores in found.items()}))
        return
    for name, scores in found.items():
        typer.echo(
            f"{name}\n{'':<22}{'n':>7}{'3 classes':>11}{'recall':>9}{'binary':>9}{'ECE':>8}{'texts/s':>10}"
        )
        for score in scores:
            binary = "" if score.binary is None else f"{score.binary:.1f}"
            cells = f"{score.accuracy:>11.1f}{score.recall:>9.1f}{binary:>9}{score.calibration_error:>8.3f}"
            typer.echo(f"{score.name:<22}{score.n:>7,}{cells}{score.texts_per_second:>10,.0f}")
        binaries = [score.binary for score in scores if score.binary is not None]
        means = [
            sum(values) / max(len(values), 1)
            for values in ([s.accuracy for s in scores], [s.recall for s in scores], binaries)
        ]
        error = sum(score.calibration_error for score in scores) / len(scores)
        typer.echo(f"{'mean':<22}{'':>7}{means[0]:>11.1f}{means[1]:>9.1f}{means[2]:>9.1f}{error:>8.3f}\n")


def _print_cases(model: str, data: str, threads: int, device: str, as_json: bool) -> None:
    from treesent.pipeline.cases import read_cases, try_cases

    tried = try_cases(open_pipeline(model, threads, device), read_cases(data))
    kinds = {case.kind: [its for other, _, its in tried if other.kind == case.kind] for case, *_ in tried}
    if as_json:
        counts = {kind: {"right": sum(right), "n": len(right)} for kind, right in kinds.items()}
        typer.echo(json.dumps({"right": sum(right for *_, right in tried), "n": len(tried), "kinds": counts}))
        return
    for kind, its in kinds.items():
        typer.echo(f"{sum(its):>4} of {len(its):<4} {kind}")
    typer.echo(f"{sum(right for *_, right in tried):>4} of {len(tried):<4} in all\n\nNot as expected:")
    for case, found, right in tried:
        if not right:
            said = "no words" if found is None else f"{found.label} {found.polarity or 0:+.2f}"
            typer.echo(f"  {case.expected:<8}{said:<22}{case.text}")


def table(scores: "dict[str, Scores]") -> str:
    """The metrics, a row for each part.

    :param scores: by the part's name.
    """
    parts: dict[str, dict[str, Any]] = {name: part.to_dict() for name, part in scores.items()}
    names = [name for name in next(iter(parts.values())) if name != "confusion"]
    lines = [" " * 8 + "".join(f"{name:>12}" for name in names)]
    for part, values in parts.items():
        cells = [f"{values[n]:>12,}" if n == "n" else f"{values[n]:>12.2f}" for n in names]
        lines.append(f"{part:<8}" + "".join(cells))
    return "\n".join(lines)


def confusion_table(scores: "Scores", labels: tuple[str, ...]) -> str:
    """Counts of labels and predictions.

    :param scores: of the roots.
    :param labels: names of the classes.
    """
    width = max(map(len, labels))
    cell = max(width + 2, 7)
    lines = [" " * width + "".join(f"{name:>{cell}}" for name in labels)]
    for name, row in zip(labels, scores.confusion.tolist(), strict=True):
        lines.append(f"{name:<{width}}" + "".join(f"{count:>{cell}}" for count in row))
    return "\n".join(lines)
