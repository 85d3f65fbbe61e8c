"""Open a table of vectors wherever it is: the one way in, which refuses a table unfit for sentiment."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

from treesent.files import packaged
from treesent.vectors.formats import Selection, read_vectors
from treesent.vectors.formats.libraries import from_spacy
from treesent.vectors.formats.select import BadWords, Duplicates
from treesent.vectors.health import require_apart
from treesent.vectors.table import VectorTable

if TYPE_CHECKING:
    from spacy.vocab import Vocab

TABLE = Path("treesent", "vectors")
"""Where a pipeline that treesent trained keeps its table."""


class ReadOptions(TypedDict, total=False):
    """What :func:`treesent.vectors.formats.read_vectors` takes."""

    most_frequent: int | None
    vocabulary: Iterable[str] | None
    half: bool
    lower: bool
    duplicates: Duplicates
    bad_words: BadWords
    words: str | Path | None
    member: str | None
    trust_pickle: bool


def open_vectors(
    source: "VectorTable | str | Path | Vocab", *, judge: bool = True, **options: Unpack[ReadOptions]
) -> VectorTable:
    """Open a table of vectors.

    :param source: a table; a spaCy vocab; a file or folder of any format that
        :func:`~treesent.vectors.formats.read_vectors` knows; or a pipeline that treesent trained, by its
        folder or its packaged name, whose table is meant.
    :param judge: refuse a table that gives words of opposite sentiment the same row. Pass False to report
        the problem instead, or to join the table with others first.
    :param options: as for ``read_vectors``, if ``source`` is a path.
    :returns: the table.
    :raises VectorsError: the table cannot be read, or no network can learn sentiment on it.
    """
    if isinstance(source, VectorTable):
        table, name = source, "the table"
    elif isinstance(source, str | Path):
        table, name = read_vectors(locate(source), **options), str(source)
    else:
        table, name = from_spacy(source, Selection()), "the vocab"
    if judge:
        require_apart(table, name)
    return table


def locate(source: str | Path) -> Path:
    """Find the file or folder of a table.

    :param source: as for :func:`open_vectors`.
    :returns: the folder of a pipeline's table, if ``source`` is a pipeline that treesent trained; otherwise
        ``source``.
    """
    path = Path(source)
    if not path.exists() and (packaged("pipelines") / path).exists():
        path = packaged("pipelines") / path
    return path / TABLE if (path / TABLE).is_dir() else path
