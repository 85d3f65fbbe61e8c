"""``treesent heads``."""

from pathlib import Path
from typing import Annotated

import typer


def heads(
    trees: Annotated[Path, typer.Argument(help="Bracketed trees, one a line.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT", help="The file of heads to write.")
    ],
    pipeline: Annotated[
        str | None,
        typer.Option(
            help="A spaCy pipeline with a dependency parser; an installed en_core_web_* without it."
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an output that exists.")] = False,
) -> None:
    """Parse the sentences of a treebank and write their dependency heads, one sentence a line.

    A network that reads dependency trees, such as the Child-Sum Tree-LSTM, is trained on this file.
    """
    from treesent.data.heads import write_heads
    from treesent.files import check_outputs, english_parser

    check_outputs([output], [trees], overwrite, make_folders=True)
    typer.echo(f"{output}: {write_heads(trees, output, pipeline or english_parser()):,} sentences", err=True)
