"""Score batches of ``datasets``: ``ds.map(treesent.batch_scorer(), batched=True, num_proc=2)``."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from treesent.data.rows import missing_column
from treesent.errors import DataError, ModelError
from treesent.files import pipeline_path
from treesent.scoring.arrow import score_fields
from treesent.scoring.frames import score_columns, text_of
from treesent.scoring.identity import folder_digest
from treesent.scoring.options import Nodes
from treesent.scoring.results import Columns, class_names
from treesent.text.opening import load_pipeline
from treesent.version import __version__

if TYPE_CHECKING:
    import pyarrow
    from spacy.language import Language


class BatchScorer:
    """A function of batches that pickles as its settings and the hash of its model.

    So a process that gets it, on this machine or another, opens the model for itself, once, and the fingerprint that
    ``datasets`` makes of it is the same in every process, until the settings or the model change.
    """

    def __init__(
        self,
        model: str | Path = "en_treesent_sm",
        *,
        text_column: str = "text",
        nodes: Nodes = "none",
        batch_size: int = 64,
        prefix: str = "",
    ) -> None:
        """Make one; the model is opened at the first batch.

        :param model: a packaged pipeline's name, or a folder.
        :param text_column: the column of the texts.
        :param nodes: ``none``, ``sentences``, or ``all`` for a column ``sentences`` with each phrase.
        :param batch_size: texts that go through the network together.
        :param prefix: stands before the names of the columns.
        :raises ModelError: there is no such pipeline.
        """
        if not isinstance(model, str | Path):
            raise DataError(
                f"the model is a {type(model).__name__}; batch_scorer needs a name or a folder, which every process "
                "can open: write the pipeline with nlp.to_disk"
            )
        # A packaged name, unlike its folder, is the same on all machines.
        self._model = str(Path(model).absolute()) if Path(model).exists() else str(model)
        self.text_column, self._nodes, self._batch_size, self._prefix = text_column, nodes, batch_size, prefix
        self._version, self._digest = __version__, folder_digest(pipeline_path(model))

    def __call__(self, batch: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
        """Score a batch.

        :param batch: columns by their names.
        :returns: the columns that are added.
        :raises DataError: the column is missing, or an added one exists, or an element is no text.
        """
        name, columns = self.text_column, list(batch)
        if fault := missing_column(columns, [name]):
            raise DataError(f"the dataset: {fault}")
        nlp, added = self._opened()
        self.refuse_clash(columns)
        texts = [text_of(value, f"{name!r}, element {i} of a batch,") for i, value in enumerate(batch[name])]
        with _one_thread():
            return score_columns(texts, nlp, added, self._batch_size)

    def refuse_clash(self, columns: Sequence[str]) -> None:
        """Make sure that nothing of the user's would be overwritten.

        :param columns: those there are.
        :raises DataError: one of them has the name of one to add.
        """
        if both := [column for column in self._opened()[1].names if column in columns]:
            raise DataError(
                f"the dataset has {', '.join(map(repr, both))} already, which scoring would add; "
                "set the added columns apart with prefix='sentiment_'"
            )

    def features(self, own: Any) -> Any:
        """Give the types of a scored dataset, for ``map(features=...)``.

        Without them ``datasets`` tells the types of the new columns by the first rows, which fails where thousands
        of blank texts come first.

        :param own: the ``features`` of the dataset.
        """
        import pyarrow as pa
        from datasets import Features

        return Features({**own, **Features.from_arrow_schema(pa.schema(self.added_fields()))})

    def added_fields(self) -> "list[pyarrow.Field]":
        """The Arrow fields of the columns that are added."""
        return score_fields(self._opened()[1])

    def table(self, table: "pyarrow.Table") -> "pyarrow.Table":
        """Score an Arrow table.

        :param table: the table; columns that are not scored pass unchanged.
        :returns: the table with the columns that are added.
        :raises DataError: as for a batch.
        """
        import pyarrow as pa

        batch: dict[str, list[Any]] = {name: [] for name in table.column_names}
        if self.text_column in batch:
            batch[self.text_column] = table[self.text_column].to_pylist()
        added = self(batch)
        for field in self.added_fields():
            table = table.append_column(field, pa.array(added[field.name], field.type))
        return table

    def _opened(self) -> "tuple[Language, Columns]":
        nlp = _checked(self._model, self._digest)
        return nlp, Columns(class_names(nlp), self._nodes, self._prefix)


@lru_cache(maxsize=2)
def _checked(model: str, digest: str) -> "Language":
    """Open a pipeline, once in a process, and make sure that it is the one that is meant."""
    folder = pipeline_path(model)
    if folder_digest(folder) != digest:
        raise ModelError(
            f"{folder}: this is not the pipeline that the scorer was made with; bring the same files to all "
            "machines, or make the scorer anew"
        )
    return load_pipeline(folder)


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread of torch: trees are small, and several processes share the cores."""
    torch = sys.modules["torch"]
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
