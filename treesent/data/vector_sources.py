"""The functions that ``[vectors]`` of a recipe can name: each makes a table, and they can be nested.

.. code-block:: ini

    [vectors]
    @misc = "treesent.JoinVectors.v1"
    frequent = 30000

    [vectors.sources.glove]
    @misc = "treesent.VectorFile.v1"
    path = "glove.6B.50d.txt"

    [vectors.sources.reviews]
    @misc = "treesent.VectorFile.v1"
    path = "reviews.model"
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from treesent.errors import RecipeError, VectorsError
from treesent.trees.brackets import read_trees
from treesent.vectors import combine
from treesent.vectors.fit import SubwordSettings, with_fitted_subwords
from treesent.vectors.health import require_apart
from treesent.vectors.open import open_vectors
from treesent.vectors.table import VectorTable, normalise

NAMES = ("treesent.VectorFile.v1", "treesent.JoinVectors.v1")


def load_vectors(block: Mapping[str, Any]) -> VectorTable:
    """Make the table that a recipe's ``[vectors]`` describes.

    :param block: a block whose ``@misc`` is a registered function, with its arguments.
    :returns: the table.
    :raises RecipeError: the function is not registered, or does not take these arguments.
    :raises VectorsError: the table cannot be read, or no network can learn sentiment on it.
    """
    from catalogue import RegistryError
    from confection import ConfigValidationError
    from spacy.util import registry

    _register(registry)
    if not block:
        raise RecipeError("the section [vectors] is missing; add it with a line @misc = NAME")
    if "@misc" not in block:
        raise RecipeError(f"[vectors] needs a line @misc = NAME; treesent has {' and '.join(NAMES)}")
    try:
        table = registry.resolve({"vectors": dict(block)})["vectors"]
    except (ConfigValidationError, RegistryError) as error:
        raise RecipeError(f"[vectors]: {' '.join(str(error).split())}") from error
    if not isinstance(table, VectorTable):
        raise RecipeError(f"[vectors] gives {type(table).__name__}; expected a VectorTable")
    require_apart(table, "[vectors]")
    return table


def vector_file(
    path: str,
    limit: int | None = None,
    words_path: str | None = None,
    lower: bool = False,
    trust_pickle: bool = False,
) -> VectorTable:
    """Read vectors in any format that treesent knows: its own folders, GloVe, word2vec, gensim and others.

    :param path: a file or folder, see :func:`treesent.vectors.formats.read_vectors`.
    :param limit: take the first rows only.
    :param words_path: the file with the words of a matrix (``.npy``).
    :param lower: normalise the words; of words that become equal, the first is kept.
    :param trust_pickle: open gensim's own files, which are pickles and can run any program when opened.
    :returns: the table.
    """
    if limit is not None and limit < 1:
        raise VectorsError(f"[vectors] limit is {limit}; expected at least 1, or null for all")
    # The table may be joined with others; what the recipe ends with is judged.
    return open_vectors(
        path, judge=False, most_frequent=limit, words=words_path, lower=lower, trust_pickle=trust_pickle
    )


def join_vectors(
    sources: dict[str, Any],  # of tables, which confection's check does not see through
    frequent: int | None = None,
    trees_path: list[str] | None = None,
    width: int | None = None,
    subwords: int = 0,
    precision: Literal["float32", "float16", "int8"] = "float32",
) -> VectorTable:
    """Join tables side by side, restrict the vocabulary, and compress the result.

    :param sources: the tables by name; their order is the order of the columns.
    :param frequent: the number of most frequent words to keep, by the best rank in any table; None for all.
    :param trees_path: files of bracketed trees whose words are kept as well.
    :param width: the number of principal components to reduce to; None to keep all columns.
    :param subwords: the number of word pieces to fit, from which the vectors of unknown words are made; 0
        for none.
    :param precision: of the rows.
    :returns: the joined table.
    """
    if not sources:
        raise VectorsError("[vectors.sources] is empty; add a section [vectors.sources.NAME] for each table")
    for name, table in sources.items():
        if not isinstance(table, VectorTable):
            raise VectorsError(
                f"[vectors.sources.{name}] gives {type(table).__name__}; expected a VectorTable"
            )
    tables: list[VectorTable] = list(sources.values())
    table = combine.join(tables, _vocabulary(tables, frequent, trees_path or []))
    if width is not None:
        table = combine.reduce(table, width)
    if subwords:
        table = with_fitted_subwords(table, SubwordSettings(pieces=subwords))
    if precision == "float32":
        return table
    return table.half() if precision == "float16" else table.quantise()


def _vocabulary(tables: Sequence[VectorTable], frequent: int | None, paths: Sequence[str]) -> list[str]:
    """The words to keep, ordered by their best rank in any table."""
    words = combine.words_of(tables)
    if frequent is None:
        return words
    met = {normalise(word) for path in paths for tree in read_trees(path) for word in tree.words}
    return words[:frequent] + [word for word in words[frequent:] if word in met]


def _register(registry: Any) -> None:
    """Register the functions if the installed entry points do not."""
    for name, function in zip(NAMES, (vector_file, join_vectors), strict=True):
        if name not in registry.misc:
            registry.misc(name)(function)
