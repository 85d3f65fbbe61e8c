"""``treesent project``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from treesent.cli.options import Encoding, Null, QuotedTsv, Separator


class Format(StrEnum):
    """What is written."""

    html = "html"
    tensorboard = "tensorboard"
    parquet = "parquet"


def project(
    vectors: Annotated[
        Path,
        typer.Argument(help="Word vectors of any known format, or a pipeline; with --from-pipeline, a text."),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT", help="The page to write (tensorboard: a folder).")
    ] = Path("map.html"),
    layouts: Annotated[
        str,
        typer.Option(help="Of pca, tsne and umap, with commas between; tsne and umap need treesent[viz]."),
    ] = "pca",
    after: Annotated[
        Path | None, typer.Option(help="A second table of the same words: where did training move them?")
    ] = None,
    from_pipeline: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Project every phrase of the text by its hidden state in MODEL."),
    ] = None,
    most_frequent: Annotated[int, typer.Option(help="Take the first so many words or phrases.")] = 20_000,
    sentiment: Annotated[
        str, typer.Option(metavar="MODEL", help="Scores each word: auto, none, or a pipeline.")
    ] = "auto",
    clusters: Annotated[int, typer.Option(help="Groups to colour by; 0 for none.")] = 12,
    metadata: Annotated[
        Path | None, typer.Option(help="A table (csv, tsv, jsonl, parquet) with columns to colour by.")
    ] = None,
    metadata_key: Annotated[
        str | None,
        typer.Option(help="Its column of words; by default 'word', 'phrase', 'name' or the first."),
    ] = None,
    format: Annotated[Format, typer.Option(help="The page, or files for other viewers.")] = Format.html,
    title: Annotated[str | None, typer.Option(help="The title of the page.")] = None,
    seed: Annotated[int, typer.Option(help="Fixes t-SNE, UMAP and the groups.")] = 0,
    serve: Annotated[
        bool, typer.Option("--serve", help="Show the page on this machine when it is done.")
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="For --serve; 0 takes a free one.")] = 0,
    trust_pickle: Annotated[
        bool,
        typer.Option("--trust-pickle", help="Open gensim's own files: pickles, which can run code."),
    ] = False,
    quoted_tsv: QuotedTsv = False,
    separator: Separator = None,
    encoding: Encoding = None,
    null: Null = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an output that exists.")] = False,
) -> None:
    """Draw word vectors, or the phrases of a text, as one page that needs no network."""
    from treesent.data.dialect import Dialect
    from treesent.errors import TreesentError
    from treesent.projector import MapOptions, project, project_phrases
    from treesent.projector.map import check_output
    from treesent.vectors.formats import files_of

    def tell(message: str) -> None:
        typer.echo(message, err=True)

    if serve and format is not Format.html:
        raise TreesentError(f"--serve shows a page, not {format.value}: leave --format out")
    check_output(output, format.value, [*files_of(vectors), after, metadata], overwrite)
    options = MapOptions(
        layouts=tuple(key.strip() for key in layouts.split(",") if key.strip()),
        most=most_frequent,
        sentiment=sentiment,
        n_clusters=clusters,
        metadata=metadata,
        metadata_key=metadata_key,
        format=format.value,
        title=title,
        seed=seed,
        trust_pickle=trust_pickle,
        dialect=Dialect(quoted_tsv, separator, encoding, tuple(null or ())),
    )
    if from_pipeline is None:
        project(vectors, output, after, options, tell)
    elif after is not None:
        raise TreesentError("--after compares tables of words: it has no use beside --from-pipeline")
    else:
        project_phrases(from_pipeline, vectors, output, options, tell)
    if serve:
        _serve(output, port)


def _serve(page: Path, port: int) -> None:
    from treesent.errors import TreesentError
    from treesent.projector.serve import make_server

    try:
        server = make_server(page.read_bytes(), port)
    except OSError as error:
        raise TreesentError(
            f"port {port} cannot be used ({error.strerror}): give another, or --port 0"
        ) from error
    typer.echo(f"http://127.0.0.1:{server.server_port}/ (Ctrl+C ends)")
    with server:
        server.serve_forever()
