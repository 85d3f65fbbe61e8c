"""Score a column of texts in Python: pandas, polars, Arrow or a list in, a table of the same kind out."""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from treesent.data.dialect import PLAIN
from treesent.errors import DataError
from treesent.scoring.results import Columns, class_names

if TYPE_CHECKING:
    from spacy.language import Language


def score_texts(
    texts: "Iterable[str | None]",
    model: "str | Path | Language" = "en_treesent_sm",
    *,
    nodes: str = "none",
    batch_size: int = 64,
    prefix: str = "",
) -> Any:
    """Score texts, in two lines: ``df = df.join(treesent.score(df["review"]))``.

    :param texts: a column of pandas or polars, an Arrow array, or any iterable. A text that is empty, None or NaN
        gets empty scores.
    :param model: a packaged pipeline's name, a folder, or an open pipeline; one that was opened by name is kept for
        the next call.
    :param nodes: ``none``, ``sentences``, or ``all`` for a column ``sentences`` with each phrase.
    :param batch_size: texts that go through the network together.
    :param prefix: stands before the names of the columns.
    :returns: a row for each text with the columns of ``treesent score`` (label, polarity, confidence, ``p_...``,
        unknown): a DataFrame with the index of a pandas Series, a DataFrame of polars for its Series, else an Arrow
        table.
    :raises DataError: an element is no text.
    :raises ModelError: there is no such pipeline.
    """
    if isinstance(texts, str):
        raise DataError(f"one text is given, {texts[:40]!r}; give a list of texts or a column")
    nlp = _opened(str(model)) if isinstance(model, str | Path) else model
    columns = Columns(class_names(nlp), nodes, prefix)  # type: ignore[arg-type]
    plain = [_text(value, place) for place, value in enumerate(_values(texts))]
    docs = nlp.pipe((text for text in plain if text.strip()), batch_size=batch_size)
    with nlp.memory_zone():
        rows = [columns.row(next(docs) if text.strip() else None) for text in plain]
    found = {name: [row[name] for row in rows] for name in columns.names}
    return _like(texts, found)


@lru_cache(maxsize=2)
def _opened(name: str) -> "Language":
    from treesent.text.opening import load_pipeline

    return load_pipeline(name)


def _values(texts: Any) -> list[Any]:
    """The elements as Python values."""
    for name in ("to_pylist", "to_list"):
        if hasattr(texts, name):
            values: list[Any] = getattr(texts, name)()
            return values
    return list(texts)


def _text(value: Any, place: int) -> str:
    text = PLAIN.text(None if type(value).__name__ in ("NAType", "NaTType") else value)
    if not isinstance(text, str):
        raise DataError(f"element {place} is {text!r:.40}, a {type(text).__name__}; a text was expected")
    return text


def _like(texts: Any, found: dict[str, list[Any]]) -> Any:
    """A table of the library that the texts came in."""
    library = type(texts).__module__.partition(".")[0]
    if library == "pandas":
        import pandas as pd

        return pd.DataFrame(found, index=getattr(texts, "index", None))
    if library == "polars":
        import polars as pl

        return pl.DataFrame(found, strict=False)
    import pyarrow as pa

    return pa.table(found)
