"""``treesent train``."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from treesent.cli.options import Device, Threads, set_threads

CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True}
"""Overrides of the recipe are options that the command does not declare."""


def train(
    context: typer.Context,
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE", help="A .cfg file, or the name of a packaged recipe.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="OUT", help="The pipeline's folder; out/RECIPE by default."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted run.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace OUT, and drop an interrupted run.")
    ] = False,
    device: Device = "auto",
    threads: Threads = 1,
    log: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a JSON object per step, and one per epoch.")
    ] = None,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Print all settings of RECIPE, with values and meaning, and stop."),
    ] = False,
    gradients: Annotated[
        bool, typer.Option("--gradients", help="Log the norm of each layer's gradient too, for curves.")
    ] = False,
) -> None:
    """Train a network on trees or labelled texts and write a pipeline that spacy.load opens.

    Set any value of the recipe with --section.key VALUE, for example --training.seed 3; --explain lists all. A
    path in the recipe is looked up in its folder, in the working directory, and among the packaged files.
    Metrics are in percent.

    While it runs, OUT.checkpoint holds the checkpoint. --resume continues it and ends with the same weights as
    an uninterrupted run. OUT appears when it is complete; --overwrite replaces one that treesent has written.
    Small trees train fastest with one thread per process. For several processes, which compute every batch
    together, run: torchrun --nproc-per-node 2 -m -- treesent train RECIPE
    (-- keeps torchrun from reading the options after it).
    """
    overrides = parse_overrides(context.args)
    if explain:
        from treesent.models.explain import explain_recipe

        typer.echo(explain_recipe(recipe, overrides))
        return
    from treesent.models.train import train as run
    from treesent.training.processes import is_first, leave

    set_threads(threads)
    output = output or Path("out") / Path(recipe).stem
    trained = run(
        recipe,
        output,
        overrides=overrides,
        resume=resume,
        overwrite=overwrite,
        device=device,
        log=log,
        gradients=gradients,
        report=lambda record: typer.echo(in_words(record), err=True),
        progress_bar=sys.stderr is not None and sys.stderr.isatty() and is_first(),
        announce=lambda text: typer.echo(text, err=True),
    )
    best = trained.progress.best_epoch
    if is_first():
        typer.echo(
            f"{output}: the weights of epoch {best}; on dev {metrics(trained.dev.to_dict())}", err=True
        )
    leave()


def parse_overrides(arguments: list[str]) -> dict[str, Any]:
    """Read ``--section.key value`` pairs as spaCy does: values as JSON if they are, else as text.

    ``--section.key=value`` is the same, dashes in the key stand for underscores, and a key without a value is
    true.

    :param arguments: what the command's own options left.
    :raises typer.BadParameter: if an argument is not such a pair.
    """
    import json

    overrides: dict[str, Any] = {}
    rest = list(arguments)
    while rest:
        name = rest.pop(0)
        key, equals, value = name.removeprefix("--").partition("=")
        if not name.startswith("--") or "." not in key:
            raise typer.BadParameter(
                f"{name!r}: no such option; set a value of the recipe with --section.key VALUE"
            )
        if not equals:
            value = "true" if not rest or rest[0].startswith("--") else rest.pop(0)
        try:
            overrides[key.replace("-", "_")] = json.loads(value)
        except ValueError:
            overrides[key.replace("-", "_")] = value
    return overrides


def in_words(record: dict[str, Any]) -> str:
    """Describe an epoch in one line.

    :param record: its line of the log, see :func:`treesent.training.loop.fit`.
    """
    mark = "  best so far" if record["best"] else ""
    return (
        f"epoch {record['epoch']:3}  loss {record['mean_loss']:.4f}  dev {metrics(record['dev'])}  "
        f"{record['seconds']:.0f} s{mark}"
    )


def metrics(scores: dict[str, Any]) -> str:
    """The accuracies of roots and nodes, or a parser's metrics, in percent.

    :param scores: see :meth:`treesent.metrics.accuracy.TreeScores.to_dict`.
    """
    if "root" not in scores:
        return "  ".join(
            f"{name} {value:.2f}" for name, value in scores.items() if not f"{name}_".startswith("n_")
        )
    return "  ".join(
        f"{place} "
        + " / ".join(f"{value:.1f}" for name, value in scores[place].items() if "accuracy" in name)
        for place in ("root", "nodes")
    )
