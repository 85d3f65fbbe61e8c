"""``treesent aspects``: train the head that finds opinions, and measure it."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from treesent.cli.options import Device, Overwrite, Threads, open_pipeline

app = typer.Typer(no_args_is_help=True, help="Train the head that finds opinions, and measure it.")
Tables = Annotated[
    list[Path],
    typer.Argument(
        metavar="TABLE...", help="Tables with the columns text, aspects and split: .jsonl, .parquet."
    ),
]


@app.command()
def train(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A pipeline's folder, or a packaged name.")],
    tables: Tables,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="OUT", help="The folder to write.")],
    untagged: Annotated[
        list[str] | None,
        typer.Option(help="A table whose aspects are not all that its texts speak of; may be repeated."),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="How often every text is seen.")] = 10,
    max_texts: Annotated[int, typer.Option(min=1, help="Texts of a table, at most.")] = 5000,
    seed: Annotated[int, typer.Option(min=0, help="Fixes the outcome.")] = 0,
    overwrite: Overwrite = False,
    threads: Threads = 1,
    device: Device = "auto",
) -> None:
    """Train a head on a pipeline, whose network stays as it is, and write the pipeline with it.

    The head tells the sentiment towards a span, and finds what a text talks about. It learns from the rows of split
    train; without that column, from all.
    """
    from treesent.files import check_output_folder, pipeline_path, replacing_folder
    from treesent.models.classifier.trainer import CLASSIFIERS
    from treesent.opinions.aspects import AspectText, read_aspects
    from treesent.opinions.learn import LearnConfig, train_head
    from treesent.pipeline.lookup import component_of

    check_output_folder(output, CLASSIFIERS.files, [pipeline_path(model), *tables], overwrite)
    rows: dict[str, list[AspectText]] = {}
    for path in tables:
        rows.setdefault(_name(path), []).extend(read_aspects(path, "train"))
    nlp = open_pipeline(model, threads, device)
    head = train_head(
        nlp,
        rows,
        LearnConfig(epochs=epochs, max_texts=max_texts, seed=seed),
        untagged=untagged or (),
        tell=lambda line: typer.echo(line, err=True),
    )
    component_of(nlp).trained.opinions = head
    with replacing_folder(output, CLASSIFIERS.files) as folder:
        nlp.to_disk(folder)


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A pipeline's folder, or a packaged name.")],
    tables: Tables,
    split: Annotated[str, typer.Option(help="The rows to measure on.")] = "dev",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a table.")] = False,
    threads: Threads = 1,
    device: Device = "auto",
) -> None:
    """Measure the sentiment towards given spans, and how well they are found, in percent.

    "towards" is the sentiment towards the span, "context" that in context, "sentence" that of the whole text; "differ"
    is "towards" in texts that praise one thing and blame another. P, R and F1 count exactly found spans.
    """
    from treesent.opinions.aspects import read_aspects
    from treesent.opinions.measure import measure, table_of

    nlp = open_pipeline(model, threads, device)
    scores = [measure(nlp, _name(path), read_aspects(path, split)) for path in tables]
    if as_json:
        for score in scores:
            typer.echo(json.dumps(asdict(score) | {"f1": score.f1}))
        return
    typer.echo(table_of(scores))


def _name(path: Path) -> str:
    return path.name.partition(".")[0]
