"""``treesent vectors train``."""

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from treesent.cli.vectors.options import Output, Overwrite, TextColumn

if TYPE_CHECKING:
    from treesent.vectors.train import Progress


def train(
    corpus: Annotated[
        list[str],
        typer.Argument(
            metavar="CORPUS...",
            help=".txt (a text a line), .csv, .tsv, .jsonl, .parquet, a saved dataset's folder, or hf:NAME.",
        ),
    ],
    output: Output,
    recipe: Annotated[
        str | None, typer.Option(metavar="CFG", help="Settings; a file, or a name from embeddings/.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting: width=100.")
    ] = None,
    text_column: TextColumn = "text",
    split: Annotated[str, typer.Option(help="Of a dataset: the split.")] = "train",
    format: Annotated[str | None, typer.Option(help="If the name of OUT does not tell.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Train vectors with gensim's Word2Vec or FastText.

    The corpus is streamed and tokenised as the component does. One worker and one seed give the same vectors.
    """
    from treesent.data.texts import read_texts
    from treesent.vectors.formats import check_vectors_output, write_vectors
    from treesent.vectors.train import train_vectors

    check_vectors_output(output, format, corpus, overwrite)
    settings = read_settings(recipe, set_ or [])
    table = train_vectors(read_texts(corpus, text_column, split), settings, _teller())
    write_vectors(table, output, format)
    typer.echo(f"{output}: {len(table)} words, width {table.width}", err=True)


def _teller() -> Any:
    terminal = sys.stderr.isatty()

    def tell(progress: "Progress") -> None:
        if progress.stage == "tokenise":
            if terminal:
                typer.echo(f"\r{progress.done:,} texts", err=True, nl=False)
            return
        if progress.stage == "phrases":
            typer.echo(f"{progress.done:,} phrases", err=True)
            return
        loss = "" if progress.loss is None else f", loss {progress.loss:.4f} a word"
        start = "\r" if terminal else ""
        typer.echo(f"{start}epoch {progress.done} of {progress.total}{loss}", err=True)

    return tell


def read_settings(recipe: str | None, changes: list[str]) -> Any:
    """Read the settings of a recipe, and change some.

    :param recipe: a file, or the name of a packaged one; None for the defaults.
    :param changes: each ``KEY=VALUE``.
    :returns: the settings.
    :raises RecipeError: the recipe cannot be read, or a setting is unknown or wrong.
    """
    from treesent.config import read_section
    from treesent.errors import RecipeError
    from treesent.files import embeddings_path
    from treesent.vectors.train import TrainSettings

    values: dict[str, Any] = {}
    section = "vectors_training"
    if recipe is not None:
        from confection import Config

        path = embeddings_path(recipe if recipe.endswith(".cfg") else f"{recipe}.cfg")
        try:
            config = Config().from_disk(path)
        except ValueError as error:
            raise RecipeError(f"{path} cannot be read: {error}") from error
        if list(config) != [section]:
            raise RecipeError(f"{path} has the sections {list(config)}; expected [{section}]")
        values = dict(config[section])
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals:
            raise RecipeError(f"--set {change!r} is not KEY=VALUE")
        try:
            values[key.strip()] = json.loads(value)
        except json.JSONDecodeError:
            values[key.strip()] = value
    return read_section(TrainSettings, values, section)
