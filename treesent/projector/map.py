"""From vectors, or from a text and a model, to a map: the steps in order."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from treesent.data.dialect import PLAIN, Dialect
from treesent.errors import ModelError, VectorsError
from treesent.files import check_output_folder, check_outputs, replacing
from treesent.projector.columns import clusters, frequency, movement, read_columns, sentiment
from treesent.projector.compare import compare
from treesent.projector.export import TENSORBOARD, write_parquet, write_tensorboard
from treesent.projector.layouts import lay_out
from treesent.projector.page import render
from treesent.projector.points import MOST, Points
from treesent.vectors.health import merged_problem
from treesent.vectors.open import open_vectors
from treesent.vectors.table import VectorTable

Format = Literal["html", "tensorboard", "parquet"]
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class MapOptions:
    """How a map is made.

    :param layouts: of ``pca``, ``tsne`` and ``umap``; PCA is always there.
    :param most: take the first so many words or phrases, at most `MOST`.
    :param sentiment: the pipeline that scores each word; ``auto`` is the packaged one where there is one,
        ``none`` leaves the column out. Phrases bring their own.
    :param n_clusters: groups of k-means; 0 leaves the column out.
    :param metadata: a table with columns to colour by.
    :param metadata_key: its column of names.
    :param format: ``html`` is the page; ``tensorboard`` a folder, ``parquet`` a file.
    :param title: of the page; by default the name of what is projected.
    :param seed: fixes t-SNE, UMAP and k-means.
    :param trust_pickle: open gensim's own files, which are pickles and can run any program when opened.
    :param dialect: how the tables of texts and of metadata are written.
    """

    layouts: tuple[str, ...] = ("pca",)
    most: int = 20_000
    sentiment: str = "auto"
    n_clusters: int = 12
    metadata: Path | None = None
    metadata_key: str | None = None
    format: Format = "html"
    title: str | None = None
    seed: int = 0
    trust_pickle: bool = False
    dialect: Dialect = PLAIN

    def __post_init__(self) -> None:
        if not 3 <= self.most <= MOST:
            raise VectorsError(f"--most-frequent {self.most}: a map holds 3 to {MOST:,} points")
        if self.format not in ("html", "tensorboard", "parquet"):
            raise VectorsError(f"no format {self.format!r}; known: html, tensorboard, parquet")
        if self.n_clusters < 0:
            raise VectorsError(f"--clusters {self.n_clusters}: a number of groups, or 0 for none")


def _quiet(message: str) -> None:
    """Say nothing."""


def project(
    vectors: VectorTable | str | Path,
    output: str | Path,
    after: VectorTable | str | Path | None = None,
    options: MapOptions = MapOptions(),
    tell: Tell = _quiet,
) -> Path:
    """Draw a table of word vectors.

    :param vectors: a table, or whatever :mod:`treesent.vectors.formats` reads.
    :param output: the file to write; for TensorBoard a folder.
    :param after: a second table with the same words, to see where training moved them.
    :param options: see `MapOptions`.
    :param tell: hears what is going on, a line at a time.
    :returns: ``output``.
    :raises VectorsError: tables that cannot be read or drawn.
    :raises MissingExtraError: t-SNE or UMAP without the extra ``viz``.
    """
    if after is None:
        table = _open(vectors, options, tell, options.most).most_frequent(options.most)
        words = Points(tuple(table.words), table.dense())
    else:
        words = compare(_open(vectors, options, tell), _open(after, options, tell), options.most)
    names = words.names
    tell(f"{len(names):,} words, {words.matrix.shape[1]} dimensions")
    words = words.with_columns(frequency(len(names)))
    if words.after is not None:
        words = words.with_columns(movement(words.matrix, words.after))
    words = _with_sentiment(words, options.sentiment, tell)
    source = f"{vectors}" if not isinstance(vectors, VectorTable) else ""
    return write(words, output, _name(vectors), source, options, tell)


def project_phrases(
    model: str | Path,
    texts: str | Path,
    output: str | Path,
    options: MapOptions = MapOptions(),
    tell: Tell = _quiet,
) -> Path:
    """Draw every phrase of a text by the hidden state that a model gives it.

    :param model: a pipeline with the component ``treesent``: its folder, or the name of a packaged one.
    :param texts: a line a text, or a table with a column ``text``.
    :param output: the file to write; for TensorBoard a folder.
    :param options: see `MapOptions`.
    :param tell: hears what is going on.
    :returns: ``output``.
    """
    from treesent.projector.phrases import phrases, read_texts
    from treesent.text.opening import load_pipeline

    found = phrases(load_pipeline(model), read_texts(texts, options.dialect), options.most)
    tell(f"{len(found.names):,} phrases, {found.matrix.shape[1]} dimensions")
    source = f"Every phrase of {Path(texts).name} by the hidden state of {Path(model).name}."
    return write(found, output, Path(texts).stem, source, options, tell)


def write(
    points: Points, output: str | Path, name: str, source: str, options: MapOptions, tell: Tell = _quiet
) -> Path:
    """Write points of any origin as a map.

    :param points: names, vectors and columns.
    :param output: the file; for TensorBoard a folder.
    :param name: what is drawn, for the title.
    :param source: where it comes from, for the notes in the page.
    :param options: see `MapOptions`; ``most`` and ``sentiment`` have done their part.
    :param tell: hears what is going on.
    """
    output = Path(output)
    if not np.isfinite(points.matrix).all():
        row = int(np.flatnonzero(~np.isfinite(points.matrix).all(axis=1))[0])
        raise VectorsError(f"the vector of {points.names[row]!r} holds NaN or infinity: leave the word out")
    if options.n_clusters:
        points = points.with_columns(clusters(points.names, points.matrix, options.n_clusters, options.seed))
    if options.metadata is not None:
        points = points.with_columns(
            *read_columns(options.metadata, points.names, options.metadata_key, options.dialect)
        )
    if options.format == "tensorboard":
        return write_tensorboard(points, output)
    extra = [key for key in options.layouts if key != "pca"]
    if extra:
        tell(f"computing {', '.join(extra)}: some minutes for many points")
    layouts = lay_out(points, options.layouts, options.seed)
    if options.format == "parquet":
        return write_parquet(points, layouts, output)
    page = render(points, layouts, options.title or name, source)
    output.parent.mkdir(parents=True, exist_ok=True)
    with replacing(output, "w", encoding="utf-8", newline="\n") as file:
        file.write(page)
    tell(f"{output}: {output.stat().st_size / 1e6:.1f} MB")
    return output


def check_output(
    output: str | Path, format: str, inputs: Iterable[str | Path | None] = (), overwrite: bool = False
) -> None:
    """Refuse an output of a map before any work is done for it.

    :param output: the file; for TensorBoard a folder.
    :param format: as in `MapOptions`.
    :param inputs: all files that are read.
    :param overwrite: whether files that exist may be replaced.
    :raises OutputError: see :func:`treesent.files.check_outputs`.
    """
    output, inputs = Path(output), list(inputs)
    if format == "tensorboard" and output.is_dir():
        check_outputs([output / name for name in TENSORBOARD], inputs, overwrite)
    elif format == "tensorboard":
        check_output_folder(output)
    else:
        check_outputs([output], inputs, overwrite, make_folders=True)


def _open(
    vectors: VectorTable | str | Path, options: MapOptions, tell: Tell, most: int | None = None
) -> VectorTable:
    table = open_vectors(vectors, judge=False, most_frequent=most, trust_pickle=options.trust_pickle)
    if (problem := merged_problem(table)) is not None:
        tell(f"{vectors}: {problem}")
    return table


def _with_sentiment(points: Points, model: str, tell: Tell) -> Points:
    if model == "none":
        return points
    from treesent.text.opening import load_pipeline

    try:
        nlp = load_pipeline("en_treesent_sm" if model == "auto" else model)
    except ModelError:
        if model != "auto":
            raise
        tell("no packaged pipeline: the map has no sentiment (give one with --sentiment)")
        return points
    tell("scoring the sentiment of each word")
    return points.with_columns(sentiment(points.names, nlp))


def _name(vectors: VectorTable | str | Path) -> str:
    if isinstance(vectors, VectorTable):
        return "Word vectors"
    path = Path(vectors)
    return path.name.split(".")[0] or path.resolve().name
