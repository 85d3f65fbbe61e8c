"""``treesent sample``."""

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from treesent.cli.options import Device, Overwrite, Threads, set_threads
from treesent.files import check_outputs, replacing

if TYPE_CHECKING:
    from treesent.models.language.inference import Sample


class Length(StrEnum):
    """How a model decides where a text ends."""

    by_end = "end"
    by_go_on = "go_on"
    by_count = "count"


def _length(value: str) -> Length:
    """Read a length; ``go-on`` is ``go_on``."""
    try:
        return Length(str(value).replace("-", "_"))
    except ValueError:
        raise typer.BadParameter(f"{value!r} is not one of {', '.join(Length)}") from None


def sample(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The folder of a language model.")],
    prompt: Annotated[str, typer.Option(help="The beginning of every text.")] = "",
    n: Annotated[int, typer.Option("-n", min=1, help="Number of texts, all drawn in one batch.")] = 8,
    temperature: Annotated[
        float, typer.Option(min=0, help="Values below 1 sharpen the distribution; 0 is greedy.")
    ] = 1.0,
    top_k: Annotated[
        int, typer.Option(min=0, help="Draw from the K most probable symbols only; 0 for all.")
    ] = 0,
    top_p: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Nucleus sampling: the smallest set of symbols with this total probability."
        ),
    ] = 1.0,
    length: Annotated[
        Length | None,
        typer.Option(
            help="Require a model that was trained to end texts this way.",
            parser=_length,
            metavar="[end|go_on|count]",
        ),
    ] = None,
    max_length: Annotated[
        int, typer.Option(min=1, help="Cut texts after this many symbols, not counting the prompt.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds give equal texts.")] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Write one JSON object per line: text, symbols, ended.")
    ] = False,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="OUT", help="The file to write; - is stdout.")
    ] = "-",
    overwrite: Overwrite = False,
    device: Device = "auto",
    threads: Threads = 1,
) -> None:
    """Draw texts from a language model, symbol by symbol.

    Models end texts in one of three ways (model.length): with an end-of-text symbol, with a binary decision
    at each step, or after a length that is drawn first. A text depends only on the seed and its own number:
    -n 3 gives the first three texts of -n 8.

    A text that was cut ends with an ellipsis; line breaks in a text are written as spaces (--json keeps
    them).
    """
    from treesent.models.language.inference import load_language_model
    from treesent.models.language.inference import sample as draw

    if output != "-":
        check_outputs([output], [model], overwrite)
    set_threads(threads)
    wanted = None if length is None else length.value
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
    lines = [_line(text, as_json) for text in texts]
    if output == "-":
        typer.echo("".join(lines), nl=False)
    else:
        with replacing(output, "w", encoding="utf-8", newline="") as file:
            file.writelines(lines)


def _line(text: "Sample", as_json: bool) -> str:
    if as_json:
        row = {"text": text.text, "symbols": text.symbols, "ended": text.ended}
        return json.dumps(row, ensure_ascii=False) + "\n"
    return " ".join(text.text.splitlines()) + ("" if text.ended else "…") + "\n"
