"""``treesent vectors``: read, train, judge, join and fetch word vectors."""

import json
import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from treesent.vectors.table import VectorTable
    from treesent.vectors.train import Progress

app = typer.Typer(no_args_is_help=True, help="Word vectors: train, evaluate, convert, join, download, info.")


class Precision(StrEnum):
    """What a table's numbers are held in."""

    float32 = "float32"
    half = "half"
    int8 = "int8"


class Missing(StrEnum):
    """What a word gets from a table that lacks it."""

    pieces = "pieces"
    mean = "mean"
    random = "random"


class Duplicates(StrEnum):
    """What to do where a word stands twice."""

    fail = "fail"
    first = "first"


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
Most = Annotated[int | None, typer.Option(min=1, help="Read the first so many rows only.")]
Vocabulary = Annotated[Path | None, typer.Option(metavar="FILE", help="Keep its words only, one a line.")]
Words = Annotated[Path | None, typer.Option(metavar="FILE", help="The words of an .npy: .txt or .parquet.")]
Member = Annotated[str | None, typer.Option(help="Which file of a zip archive.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
TrustPickle = Annotated[
    bool,
    typer.Option("--trust-pickle", help="Open gensim's own files: pickles, which can run any program."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an output that exists.")]
TextColumn = Annotated[str, typer.Option(help="Of a table or dataset: the column of the texts.")]


@app.command()
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
    settings = _settings(recipe, set_ or [])
    table = train_vectors(read_texts(corpus, text_column, split), settings, _teller())
    write_vectors(table, output, format)
    typer.echo(f"{output}: {len(table)} words, width {table.width}", err=True)


@app.command()
def evaluate(
    vectors: Vectors,
    corpus: Annotated[
        list[str] | None, typer.Option(help="Measure coverage of it; may be given several times.")
    ] = None,
    analogies: Annotated[bool, typer.Option(help="Answer gensim's analogy questions.")] = True,
    similarity: Annotated[bool, typer.Option(help="WordSim-353 and SimLex-999.")] = True,
    most_frequent: Most = None,
    text_column: TextColumn = "text",
    words: Words = None,
    member: Member = None,
    trust_pickle: TrustPickle = False,
    as_json: AsJson = False,
) -> None:
    """Judge vectors: health, analogies, similarity, coverage of a corpus.

    Exits with 1 where no sentiment can be learned on them, saying why.
    """
    from treesent.data.texts import read_texts
    from treesent.vectors import evaluate as judge
    from treesent.vectors.formats import read_vectors
    from treesent.vectors.health import check_health
    from treesent.vectors.train import tokenise

    table = read_vectors(
        _vectors_of(vectors),
        most_frequent=most_frequent,
        words=words,
        member=member,
        trust_pickle=trust_pickle,
    )
    health = check_health(table)
    found: dict[str, Any] = {"health": asdict(health) | {"problem": health.problem}}
    if similarity:
        found["similarity"] = [asdict(result) for result in judge.similarity(table)]
    if analogies:
        found["analogies"] = asdict(judge.analogies(table))
    if corpus:
        texts = read_texts(corpus, text_column)
        found["coverage"] = asdict(judge.coverage(table, tokenise(texts)))
    typer.echo(json.dumps(found) if as_json else _in_words(found))
    if health.problem is not None:
        typer.echo(f"treesent: error: {vectors}: {health.problem}", err=True)
        raise typer.Exit(1)


@app.command()
def convert(
    vectors: Vectors,
    output: Output,
    most_frequent: Most = None,
    vocabulary: Vocabulary = None,
    precision: Annotated[Precision, typer.Option(help="Of a folder of treesent's own.")] = Precision.float32,
    lower: Annotated[bool, typer.Option("--lower", help="Normalise the words, the first stays.")] = False,
    duplicates: Annotated[Duplicates, typer.Option(help="Where a word stands twice.")] = Duplicates.fail,
    width: Annotated[int | None, typer.Option(min=1, help="Reduce to so many principal components.")] = None,
    subwords: Annotated[int, typer.Option(min=0, help="Fit so many word pieces for unknown words.")] = 0,
    randomise: Annotated[
        int | None, typer.Option(metavar="SEED", help="Random vectors for the same words, to compare with.")
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
    from treesent.vectors.formats import check_vectors_output, files_of, read_vectors, write_vectors

    source = _vectors_of(vectors)
    check_vectors_output(output, format, [*files_of(source, words), vocabulary], overwrite)
    table = read_vectors(
        source,
        most_frequent=most_frequent,
        vocabulary=_vocabulary(vocabulary),
        lower=lower,
        duplicates=duplicates.value,
        words=words,
        member=member,
        trust_pickle=trust_pickle,
    )
    if randomise is not None:
        table = combine.randomise(table, randomise)
    table = _finish(table, width, subwords, precision)
    write_vectors(table, output, format)
    typer.echo(f"{output}: {len(table)} words, width {table.width}, {table.matrix.dtype}", err=True)


@app.command()
def join(
    vectors: Annotated[
        list[str], typer.Argument(metavar="VECTORS...", help="Files or folders of any known format.")
    ],
    output: Output,
    transformer: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Add vectors read word by word from its model.")
    ] = None,
    most_frequent: Most = None,
    vocabulary: Vocabulary = None,
    width: Annotated[int | None, typer.Option(min=1, help="Reduce to so many principal components.")] = None,
    subwords: Annotated[int, typer.Option(min=0, help="Fit so many word pieces for unknown words.")] = 0,
    precision: Annotated[Precision, typer.Option(help="Of a folder of treesent's own.")] = Precision.float32,
    missing: Annotated[
        Missing, typer.Option(help="What a word gets from a table that lacks it: from its pieces, ...")
    ] = Missing.pieces,
    seed: Annotated[int, typer.Option(help="Of random vectors.")] = 0,
    format: Annotated[str | None, typer.Option(help="If the name of OUT does not tell.")] = None,
    trust_pickle: TrustPickle = False,
    overwrite: Overwrite = False,
) -> None:
    """Put tables side by side, each at the same mean length."""
    from treesent.vectors.combine import join as join_tables
    from treesent.vectors.combine import words_of
    from treesent.vectors.fit import with_fitted_subwords
    from treesent.vectors.formats import check_vectors_output, files_of, read_vectors, write_vectors

    sources = [_vectors_of(path) for path in vectors]
    inputs = [file for source in sources for file in files_of(source)]
    check_vectors_output(output, format, [*inputs, vocabulary], overwrite)
    wanted = _vocabulary(vocabulary)
    tables = [
        read_vectors(source, vocabulary=wanted, lower=True, trust_pickle=trust_pickle) for source in sources
    ]
    names = words_of(tables)[:most_frequent]
    if missing is Missing.pieces:
        tables = [table if table.subwords is not None else with_fitted_subwords(table) for table in tables]
    if transformer is not None:
        from treesent.vectors.transformer import read_transformer

        tables.append(read_transformer(transformer, names))
    table = _finish(join_tables(tables, names, missing.value, seed), width, subwords, precision)
    write_vectors(table, output, format)
    typer.echo(f"{output}: {len(table)} words, width {table.width}, {table.matrix.dtype}", err=True)


@app.command()
def download(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Which; without it, all are listed.")
    ] = None,
    folder: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where it goes.")] = Path(
        "embeddings/downloads"
    ),
    sources: Annotated[Path | None, typer.Option(help="A file like embeddings/sources.toml.")] = None,
) -> None:
    """Fetch public vectors. An interrupted download goes on where it stopped."""
    from treesent.vectors.download import download_source, find_source, read_sources

    if name is None:
        for source in read_sources(sources).values():
            typer.echo(f"{source.name:26} {source.n_words:>9,} x {source.width:<3}  {source.licence}")
        return
    source = find_source(name, sources)
    with _Bar(name) as bar:
        done = download_source(source, folder, bar.report)
    checked = "as expected" if done.verified else "recorded beside the file; none was known"
    typer.echo(f"sha256 {done.sha256} ({checked})", err=True)
    member = f" --member {source.member}" if source.member else ""
    typer.echo(f"{done.path}{member}")


@app.command()
def info(
    vectors: Vectors,
    words: Words = None,
    member: Member = None,
    trust_pickle: TrustPickle = False,
    as_json: AsJson = False,
) -> None:
    """Say what a file of vectors holds."""
    from treesent.vectors.formats import read_vectors
    from treesent.vectors.health import check_health

    table = read_vectors(_vectors_of(vectors), words=words, member=member, trust_pickle=trust_pickle)
    health = check_health(table)
    found = {
        "words": len(table),
        "width": table.width,
        "numbers": str(table.matrix.dtype),
        "subwords": 0 if table.subwords is None else len(table.subwords),
        "first": table.words[:8],
        "zero rows": health.zero_rows,
        "shared rows": health.shared_rows,
        "problem": health.problem,
    }
    typer.echo(json.dumps(found) if as_json else "\n".join(f"{key}: {value}" for key, value in found.items()))


class _Bar:
    """A progress bar of bytes on standard error, where that is a terminal."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> "_Bar":
        from tqdm import tqdm

        hide = not sys.stderr.isatty()
        self.bar = tqdm(desc=self.name, unit="B", unit_scale=True, unit_divisor=1024, disable=hide)
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def report(self, done: int, total: int | None) -> None:
        self.bar.total = total
        self.bar.update(done - self.bar.n)


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


def _settings(recipe: str | None, changes: list[str]) -> Any:
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


def _vocabulary(path: Path | None) -> list[str] | None:
    from treesent.vectors.formats.arrays import read_words

    return None if path is None else read_words(path)


def _vectors_of(path: str) -> str:
    """The vectors of a pipeline that treesent trained, or the path as it is."""
    inner = Path(path) / "treesent" / "vectors"
    return str(inner) if inner.is_dir() else path


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


def _in_words(found: dict[str, Any]) -> str:
    health = found["health"]
    shared = f"{health['zero_rows']:,} zero rows; {health['shared_rows']:,} words share a row"
    cosines = [f"{pair} {value:.2f}" for pair, value in health["cosines"].items()]
    lines = [f"{health['n_words']:,} words; {shared}", f"cosines: {', '.join(cosines[:6])}"]
    for result in found.get("similarity", []):
        known = f"{result['n']} of {result['n_pairs']} pairs"
        lines.append(f"{result['name']}: Spearman {result['spearman']:.1f} ({known})")
    if "analogies" in found:
        answers = found["analogies"]
        known = f"{answers['n']:,} of {answers['n_questions']:,} questions"
        lines.append(f"analogies: {answers['accuracy']:.1f} % ({known})")
    if "coverage" in found:
        cover = found["coverage"]
        missing = ", ".join(f"{word} ({n})" for word, n in cover["missing"][:10])
        words = f"{cover['words']:.2f} % of {cover['n_words']:,} words"
        types = f"{cover['types']:.2f} % of {cover['n_types']:,} distinct ones"
        lines.append(f"coverage: {words}, {types}; missing most: {missing}")
    return "\n".join(lines)
