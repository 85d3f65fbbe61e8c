"""``treesent sample``."""

import json
from enum import StrEnum
from typing import Annotated

import typer

from treesent.cli.options import Device, Threads, set_threads


class Length(StrEnum):
    """How a model says where a text ends."""

    by_end = "end"
    by_go_on = "go-on"
    by_count = "count"


def sample(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The folder of a language model.")],
    prompt: Annotated[str, typer.Option(help="What every text begins with.")] = "",
    n: Annotated[int, typer.Option("-n", min=1, help="How many texts, all in one batch.")] = 8,
    temperature: Annotated[
        float, typer.Option(min=0, help="Below 1 the probable gets more probable; 0 takes the most probable.")
    ] = 1.0,
    top_k: Annotated[int, typer.Option(min=0, help="Only the K most probable symbols; 0 for all.")] = 0,
    top_p: Annotated[
        float, typer.Option(min=0, max=1, help="Only the fewest symbols that have this probability together.")
    ] = 1.0,
    length: Annotated[
        Length | None,
        typer.Option(help="How texts end: refuse a model that was trained to end them in another way."),
    ] = None,
    max_length: Annotated[
        int, typer.Option(min=1, help="Cut texts short after so many symbols, the prompt not counted.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds give equal texts.")] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="A JSON object a line: text, symbols, ended.")
    ] = False,
    device: Device = "auto",
    threads: Threads = 1,
) -> None:
    """Draw texts from a language model, symbol by symbol.

    How a text ends is learned in training (model.length): by a symbol, by a variable that says at each step
    whether it goes on, or by a number of symbols that is drawn first. A text depends on the seed and its own
    number alone: the first three of eight are those of -n 3.

    A text that was cut short ends with an ellipsis; line ends in a text are written as spaces (--json keeps
    them).
    """
    from treesent.models.language.inference import load_language_model
    from treesent.models.language.inference import sample as draw

    set_threads(threads)
    wanted = None if length is None else length.value.replace("-", "_")
    texts = draw(
        load_language_model(model, device, length=wanted),
        n,
        prompt=prompt,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        max_length=max_length,
        seed=seed,
    )
    for text in texts:
        if as_json:
            row = {"text": text.text, "symbols": text.symbols, "ended": text.ended}
            typer.echo(json.dumps(row, ensure_ascii=False))
        else:
            typer.echo(" ".join(text.text.splitlines()) + ("" if text.ended else "…"))
