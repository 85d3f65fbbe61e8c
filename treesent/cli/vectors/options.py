"""Arguments and options of several commands."""

from pathlib import Path
from typing import Annotated

import typer

Vectors = Annotated[str, typer.Argument(metavar="VECTORS", help="A file or folder of any known format.")]
Output = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        metavar="OUT",
        help="A folder of treesent's own, or by suffix: .txt GloVe, .vec word2vec, .bin word2vec binary, "
        ".kv gensim, .npy; .gz .bz2 .xz may follow.",
    ),
]
Most = Annotated[int | None, typer.Option(min=1, help="Number of rows to read, from the first.")]
Vocabulary = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Keep only the words in FILE, one a line.")
]
Words = Annotated[Path | None, typer.Option(metavar="FILE", help="The words of an .npy: .txt or .parquet.")]
Member = Annotated[str | None, typer.Option(help="Which file of a zip archive.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
TrustPickle = Annotated[
    bool,
    typer.Option("--trust-pickle", help="Open gensim's own files: pickles, which can run any program."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an output that exists.")]
TextColumn = Annotated[str, typer.Option(help="Of a table or dataset: the column of the texts.")]


def read_vocabulary(path: Path | None) -> list[str] | None:
    """Read the words of a file, one a line."""
    from treesent.vectors.formats.arrays import read_words

    return None if path is None else read_words(path)
