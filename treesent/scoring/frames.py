"""Score a column of texts in Python: pandas, polars, Arrow or a list in, a table of the same kind out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from treesent.data.dialect import PLAIN
from treesent.errors import DataError
from treesent.scoring.cores import check_workers, workers_for
from treesent.scoring.pool import SharedPipeline, Tell, in_order
from treesent.scoring.results import Columns, class_names, only_needed

if TYPE_CHECKING:
    from spacy.language import Language

_TASK = 1024  # texts that a worker gets at once, about


def score_texts(
    texts: "Iterable[str | None]",
    model: "str | Path | Language" = "en_treesent_sm",
    *,
    nodes: str = "none",
    batch_size: int = 64,
    prefix: str = "",
    workers: "int | Literal['auto']" = 1,
) -> Any:
    """Score texts, in two lines: ``df = df.join(treesent.score(df["review"]))``.

    :param texts: a column of pandas or polars, an Arrow array, or any iterable. A text that is empty, None or NaN
        gets empty scores.
    :param model: a packaged pipeline's name, a folder, or an open pipeline; one that was opened by name is kept for
        the next call.
    :param nodes: ``none``, ``sentences``, or ``all`` for a column ``sentences`` with each phrase.
    :param batch_size: texts that go through the network together.
    :param prefix: stands before the names of the columns.
    :param workers: processes that score, each with one thread of torch; ``auto`` for as many as pay. They get the
        pipeline by fork where the platform has it, else by its folder.
    :returns: a row for each text with the columns of ``treesent score`` (label, polarity, confidence, ``p_...``,
        unknown): a DataFrame with the index of a pandas Series, a DataFrame of polars for its Series, else an Arrow
        table.
    :raises DataError: an element is no text.
    :raises ModelError: there is no such pipeline.
    """
    if isinstance(texts, str):
        raise DataError(f"one text is given, {texts[:40]!r}; give a list of texts or a column")
    check_workers(workers)
    nlp = opened(str(model)) if isinstance(model, str | Path) else model
    columns = Columns(class_names(nlp), nodes, prefix)  # type: ignore[arg-type]
    plain = [text_of(value, f"element {place}") for place, value in enumerate(values_of(texts))]
    if workers == "auto":
        workers = workers_for(sum(map(len, plain)))
    return table_like(texts, score_columns(plain, nlp, columns, batch_size, workers))


def score_columns(
    texts: Sequence[str], nlp: "Language", columns: Columns, batch_size: int, workers: int = 1
) -> dict[str, list[Any]]:
    """Score texts.

    :param texts: the texts; a blank one gets empty scores.
    :param nlp: the pipeline.
    :param columns: the columns wanted.
    :param batch_size: texts that go through the network together.
    :param workers: processes.
    :returns: the columns by their names.
    """
    filled = [text for text in texts if text.strip()]
    work = _Texts(SharedPipeline(nlp), columns, filled, batch_size)
    # Whole batches, so that the same texts go through the network together as in one process.
    size = batch_size * max(1, _TASK // batch_size)
    tasks = [(start, start + size) for start in range(0, len(filled), size)]
    if workers == 1 or len(tasks) < 2:
        rows = iter(work((0, len(filled))))
    else:
        rows = chain.from_iterable(in_order(partial(_Texts.begin, work), tasks, workers))
    nothing = tuple(columns.row(None).values())
    every = [next(rows) if text.strip() else nothing for text in texts]
    return (
        dict(zip(columns.names, map(list, zip(*every, strict=True)), strict=True))
        if every
        else {name: [] for name in columns.names}
    )


@dataclass(frozen=True, slots=True)
class _Texts:
    """Scores a slice of texts, in this process or in a worker."""

    pipeline: SharedPipeline
    columns: Columns
    texts: list[str]
    batch_size: int

    def begin(self) -> "_Texts":
        return self

    def __call__(self, task: tuple[int, int], tell: Tell | None = None) -> list[tuple[Any, ...]]:
        nlp = self.pipeline.nlp
        with nlp.memory_zone(), only_needed(nlp, self.columns):
            docs = nlp.pipe(self.texts[slice(*task)], batch_size=self.batch_size)
            return [tuple(self.columns.row(doc).values()) for doc in docs]


@lru_cache(maxsize=2)
def opened(name: str) -> "Language":
    """Open a pipeline, and keep it for the next call.

    :param name: a packaged pipeline's name, or a folder.
    """
    from treesent.text.opening import load_pipeline

    return load_pipeline(name)


def values_of(texts: Any) -> list[Any]:
    """Give the elements of a column as Python values.

    :param texts: of pandas, polars or Arrow, or any iterable.
    """
    for name in ("to_pylist", "to_list"):
        if hasattr(texts, name):
            values: list[Any] = getattr(texts, name)()
            return values
    return list(texts)


def text_of(value: Any, place: str) -> str:
    """Give a text, an empty one for a missing one.

    :param value: an element of a column.
    :param place: where it stands, for the message.
    :raises DataError: it is no text.
    """
    text = PLAIN.text(None if type(value).__name__ in ("NAType", "NaTType") else value)
    if not isinstance(text, str):
        raise DataError(f"{place} is {text!r:.40}, a {type(text).__name__}; a text was expected")
    return text


def table_like(texts: Any, found: dict[str, list[Any]], indexed: bool = True) -> Any:
    """Make a table of the library that the texts came in.

    :param texts: the texts.
    :param found: the columns by name.
    :param indexed: whether a table of pandas has the index of the texts.
    """
    library = type(texts).__module__.partition(".")[0]
    if library == "pandas":
        import pandas as pd

        return pd.DataFrame(found, index=getattr(texts, "index", None) if indexed else None)
    if library == "polars":
        import polars as pl

        return pl.DataFrame(found, strict=False)
    import pyarrow as pa

    return pa.table(found)
