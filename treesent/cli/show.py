"""``python -m treesent show``: a text's trees, drawn in the terminal or as a picture."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from treesent.cli.options import Overwrite

if TYPE_CHECKING:
    from treesent.pipeline.sentiment import Sentiment
    from treesent.pipeline.treeview import TreeView


def show(
    text: Annotated[str, typer.Argument(help="What to score; - reads standard input.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Write a picture of the first sentence: FILE.svg; unrolled or gates also .png.",
        ),
    ] = None,
    model: Annotated[str, typer.Option(help="A trained pipeline: a name or a folder.")] = "en_treesent_sm",
    unrolled: Annotated[
        bool, typer.Option("--unrolled", help="Of a recurrent network: what it says after each word.")
    ] = False,
    gates: Annotated[
        bool, typer.Option("--gates", help="Of an LSTM or a GRU: how open its gates are at each word.")
    ] = False,
    reasons: Annotated[
        bool, typer.Option("--reasons", help="Show what each word adds: the score without it, compared.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Draw the sentiment of every phrase of a text, or a recurrent network at work on a sentence."""
    if unrolled or gates:
        if reasons:
            raise typer.BadParameter(
                "is about a tree; leave it out, or --unrolled and --gates", param_hint="--reasons"
            )
        _draw_steps(model, sys.stdin.read() if text == "-" else text, output, gates, overwrite)
        return
    import treesent
    from treesent.errors import DataError
    from treesent.files import check_outputs, replacing
    from treesent.pipeline.lookup import component_of
    from treesent.render import to_svg

    if output is not None and output.suffix != ".svg":
        raise DataError(f"{output}: pictures are written as .svg; name a file that ends so")
    check_outputs([output], overwrite=overwrite)
    nlp = treesent.load(model)
    whole = sys.stdin.read() if text == "-" else text
    if len(whole) > nlp.max_length:
        raise DataError(f"the text has {len(whole):,} characters; {nlp.max_length:,} is the most; split it")
    doc = nlp(whole)
    if reasons:
        component_of(nlp).explain([doc])
    trees = [sentence._.tree for sentence in doc.sents if sentence._.tree is not None]
    if not trees:
        raise DataError(f"the text {whole[:100]!r} has no words; give a sentence")
    if output is not None:
        with replacing(output, "w", encoding="utf-8") as file:
            file.write(to_svg(trees[0]))
        return
    _print(trees, doc._.sentiment, reasons)


def _print(trees: Sequence["TreeView"], sentiment: "Sentiment", reasons: bool) -> None:
    from treesent.render.text import reasons_to_text, to_text

    for tree in trees:
        typer.echo(to_text(tree, colour=sys.stdout.isatty()))
        if reasons:
            typer.echo(reasons_to_text(tree))
    if len(trees) > 1:
        polarity = "" if sentiment.polarity is None else f"{sentiment.polarity:+.2f} "
        typer.echo(f"whole text: {polarity}{sentiment.label}, confidence {sentiment.confidence:.2f}")
    if sentiment.polarity is not None:
        typer.echo(
            "(polarity from -1.00, very negative, to +1.00, very positive; then the label of each phrase)"
        )


def _draw_steps(model: str, text: str, output: Path | None, gates: bool, overwrite: bool) -> None:
    import treesent
    from treesent.errors import DataError
    from treesent.files import check_outputs
    from treesent.pipeline.unrolled import gate_map, unrolled
    from treesent.render.attention import draw_attention
    from treesent.render.style import check_picture
    from treesent.render.unrolled import unrolled_drawing

    if output is None:
        raise DataError("--unrolled and --gates draw a picture; name it with -o FILE.svg or FILE.png")
    check_outputs([check_picture(output)], overwrite=overwrite, make_folders=True)
    nlp = treesent.load(model)
    if gates:
        draw_attention(gate_map(nlp, text), output)
    else:
        unrolled_drawing(unrolled(nlp, text)).save(output)
