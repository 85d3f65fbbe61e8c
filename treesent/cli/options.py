"""What several commands share: where tensors are computed, and with how many threads."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from spacy.language import Language

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an output that exists.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")]
Threads = Annotated[int, typer.Option(min=0, help="Threads of a tensor operation; 0 for torch's own choice.")]


def set_threads(threads: int) -> None:
    """Say how many threads a tensor operation has.

    :param threads: how many; 0 for torch's own choice.
    """
    if threads:
        import torch

        torch.set_num_threads(threads)


def open_pipeline(model: str, threads: int, device: str) -> "Language":
    """Open a pipeline to score with.

    :param model: a folder or a packaged name.
    :param threads: of a tensor operation; 0 for torch's own choice.
    :param device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``, for treesent's components.
    :raises treesent.errors.TreesentError: there is no such pipeline, or no such device here.
    """
    import treesent
    from treesent.nn.device import choose_device
    from treesent.pipeline.lookup import components_of

    place = choose_device(device)
    nlp = treesent.load(model)
    for component in components_of(nlp).values():
        component.to(place)
    set_threads(threads)
    return nlp


Separator = Annotated[
    str | None,
    typer.Option(
        help="What separates the cells of csv and tsv; told by the header without it. \\t is a tab.",
        callback=lambda value: "\t" if value in ("\\t", "tab") else value,
    ),
]
Encoding = Annotated[
    str | None,
    typer.Option(help="Of a text table: cp1252, say. UTF-8, or what a byte order mark says, without it."),
]
QuotedTsv = Annotated[bool, typer.Option("--quoted-tsv", help="Quotes in tsv work as in csv.")]
Null = Annotated[
    list[str] | None,
    typer.Option("--null", help="A text that stands for no text (NULL, say); may be repeated."),
]
BatchSize = Annotated[int, typer.Option(min=1, help="Texts scored together.")]
EscapeFormulas = Annotated[
    bool,
    typer.Option("--escape-formulas", help="In csv and tsv: ' before cells like =cmd() that Excel runs."),
]
DropUnfinished = Annotated[bool, typer.Option("--overwrite", help="Replace OUT; drop an unfinished run.")]
Resume = Annotated[bool, typer.Option("--resume", help="Continue an unfinished run.")]


class OnError(StrEnum):
    """What a bad row does."""

    fail = "fail"
    skip = "skip"


AtBadRow = Annotated[
    OnError, typer.Option(help="At a bad row: stop, or put it into OUT.rejects.jsonl and continue.")
]
