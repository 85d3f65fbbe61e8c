"""``treesent attention``."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from treesent.cli.options import Overwrite


def attention(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A pipeline, or what train seq2seq_parser wrote.")
    ],
    text: Annotated[str, typer.Argument(metavar="TEXT", help="A sentence; - reads standard input.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="A .png or .svg.")],
    vectors: Annotated[
        str | None,
        typer.Option(help="Of a parser without a pipeline: its recipe's vectors. [en_treesent_sm]"),
    ] = None,
    pooling: Annotated[
        bool, typer.Option("--pooling", help="Of a pipeline with both, show the classifier's.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Draw what a model attends to in a sentence.

    Of an encoder-decoder that parses: the words by the symbols of the tree that it writes. Of a recurrent
    classifier that pools by attention: the words by their weights.
    """
    from treesent.files import check_outputs
    from treesent.pipeline.attention import attention_map
    from treesent.render.attention import draw_attention
    from treesent.render.style import check_picture

    check_outputs([check_picture(output)], overwrite=overwrite, make_folders=True)
    sentence = sys.stdin.read() if text == "-" else text
    draw_attention(attention_map(model, sentence, vectors=vectors, pooling=pooling), output)
