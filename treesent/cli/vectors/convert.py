"""``treesent vectors convert`` and ``join``."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from treesent.cli.vectors.options import (
    Member,
    Most,
    Output,
    Overwrite,
    TrustPickle,
    Vectors,
    Vocabulary,
    Words,
    read_vocabulary,
)

if TYPE_CHECKING:
    from treesent.vectors.table import VectorTable


class Precision(StrEnum):
    """The type of a table's numbers."""

    float32 = "float32"
    half = "half"
    int8 = "int8"


class Missing(StrEnum):
    """How the vector of a word is made that a table lacks."""

    pieces = "pieces"
    mean = "mean"
    random = "random"


class Duplicates(StrEnum):
    """What to do with a word that occurs twice."""

    fail = "fail"
    first = "first"


def convert(
    vectors: Vectors,
    output: Output,
    most_frequent: Most = None,
    vocabulary: Vocabulary = None,
    precision: Annotated[
        Precision, typer.Option(help="Of the numbers, in treesent's own format.")
    ] = Precision.float32,
    lower: Annotated[
        bool,
        typer.Option("--lower", help="Lower-case the words; of words that become equal, the first is kept."),
    ] = False,
    duplicates: Annotated[
        Duplicates, typer.Option(help="What to do with a word that occurs twice.")
    ] = Duplicates.fail,
    bad_words: Annotated[
        Literal["error", "skip", "replace"],
        typer.Option("--on-bad-word", help="What to do with a word that is not UTF-8."),
    ] = "error",
    width: Annotated[
        int | None, typer.Option(min=1, help="Number of principal components to reduce to.")
    ] = None,
    subwords: Annotated[
        int, typer.Option(min=0, help="Number of word pieces to fit, for the vectors of unknown words.")
    ] = 0,
    randomise: Annotated[
        int | None, typer.Option(metavar="SEED", help="Random vectors for the same words, as a baseline.")
    ] = None,
    words: Words = None,
    member: Member = None,
    format: Annotated[
        str | None, typer.Option(help="glove word2vec word2vec-binary gensim npy spacy treesent.")
    ] = None,
    trust_pickle: TrustPickle = False,
    overwrite: Overwrite = False,
) -> None:
    """Read vectors, or those of a trained pipeline, and write them in another format."""
    from treesent.vectors import combine
    from treesent.vectors.formats import check_vectors_output, files_of, write_vectors
    from treesent.vectors.open import locate, open_vectors

    source = locate(vectors)
    check_vectors_output(output, format, [*files_of(source, words), vocabulary], overwrite)
    table = open_vectors(
        source,
        judge=False,
        most_frequent=most_frequent,
        vocabulary=read_vocabulary(vocabulary),
        lower=lower,
        duplicates=duplicates.value,
        bad_words=bad_words,
        words=words,
        member=member,
        trust_pickle=trust_pickle,
    )
    _warn(vectors, table)
    if randomise is not None:
        table = combine.randomise(table, randomise)
    table = _finish(table, width, subwords, precision)
    write_vectors(table, output, format)
    typer.echo(f"{output}: {len(table)} words, width {table.width}, {table.matrix.dtype}", err=True)


def join(
    vectors: Annotated[
        list[str], typer.Argument(metavar="VECTORS...", help="Files or folders of any known format.")
    ],
    output: Output,
    transformer: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Add vectors from the transformer in FOLDER.")
    ] = None,
    most_frequent: Most = None,
    vocabulary: Vocabulary = None,
    width: Annotated[
        int | None, typer.Option(min=1, help="Number of principal components to reduce to.")
    ] = None,
    subwords: Annotated[
        int, typer.Option(min=0, help="Number of word pieces to fit, for the vectors of unknown words.")
    ] = 0,
    precision: Annotated[
        Precision, typer.Option(help="Of the numbers, in treesent's own format.")
    ] = Precision.float32,
    missing: Annotated[
        Missing, typer.Option(help="How to make the vector of a word that a table lacks.")
    ] = Missing.pieces,
    seed: Annotated[int, typer.Option(help="Of random vectors.")] = 0,
    format: Annotated[str | None, typer.Option(help="If the name of OUT does not tell.")] = None,
    trust_pickle: TrustPickle = False,
    overwrite: Overwrite = False,
) -> None:
    """Join tables side by side, scaled to the same mean length."""
    from treesent.vectors.combine import join as join_tables
    from treesent.vectors.combine import words_of
    from treesent.vectors.fit import with_fitted_subwords
    from treesent.vectors.formats import check_vectors_output, files_of, write_vectors
    from treesent.vectors.open import locate, open_vectors

    sources = [locate(path) for path in vectors]
    inputs = [file for source in sources for file in files_of(source)]
    check_vectors_output(output, format, [*inputs, vocabulary], overwrite)
    wanted = read_vocabulary(vocabulary)
    tables = [
        open_vectors(source, judge=False, vocabulary=wanted, lower=True, trust_pickle=trust_pickle)
        for source in sources
    ]
    names = words_of(tables)[:most_frequent]
    if missing is Missing.pieces:
        tables = [table if table.subwords is not None else with_fitted_subwords(table) for table in tables]
    if transformer is not None:
        from treesent.vectors.transformer import read_transformer

        tables.append(read_transformer(transformer, names))
    table = join_tables(tables, names, missing.value, seed)
    _warn(str(output), table)
    table = _finish(table, width, subwords, precision)
    write_vectors(table, output, format)
    typer.echo(f"{output}: {len(table)} words, width {table.width}, {table.matrix.dtype}", err=True)


def _warn(name: str, table: "VectorTable") -> None:
    from treesent.vectors.health import merged_problem

    if (problem := merged_problem(table)) is not None:
        typer.echo(f"treesent: warning: {name}: {problem}", err=True)


def _finish(table: "VectorTable", width: int | None, subwords: int, precision: Precision) -> "VectorTable":
    from treesent.vectors.combine import reduce
    from treesent.vectors.fit import SubwordSettings, with_fitted_subwords

    if width is not None:
        table = reduce(table, width)
    if subwords:
        table = with_fitted_subwords(table, SubwordSettings(pieces=subwords))
    if precision is Precision.float32:
        return table
    return table.half() if precision is Precision.half else table.quantise()
