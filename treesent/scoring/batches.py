"""Score batches of ``datasets``: ``ds.map(treesent.batch_scorer(), batched=True, num_proc=2)``."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from treesent.data.rows import missing_column
from treesent.errors import DataError
from treesent.files import pipeline_path
from treesent.scoring.arrow import score_fields
from treesent.scoring.frames import opened, score_columns, text_of
from treesent.scoring.identity import folder_digest
from treesent.scoring.options import Nodes
from treesent.scoring.results import Columns, class_names
from treesent.version import __version__


class BatchScorer:
    """A function of batches that pickles as its settings and the hash of its model.

    So a process that gets it opens the model for itself, once, and the fingerprint that ``datasets`` makes of it is
    the same in every process, until the settings or the model change.
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
        folder = pipeline_path(model).absolute()
        self._folder, self._text_column = str(folder), text_column
        self._nodes, self._batch_size, self._prefix = nodes, batch_size, prefix
        self._version, self._digest = __version__, folder_digest(folder)

    def __call__(self, batch: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
        """Score a batch.

        :param batch: columns by their names.
        :returns: the columns that are added.
        :raises DataError: the column is missing, or an added one exists, or an element is no text.
        """
        name, columns = self._text_column, list(batch)
        if fault := missing_column(columns, [name]):
            raise DataError(f"the dataset: {fault}")
        nlp = opened(self._folder)
        added = Columns(class_names(nlp), self._nodes, self._prefix)
        if both := [column for column in added.names if column in columns]:
            raise DataError(
                f"the dataset has {', '.join(map(repr, both))} already, which scoring would add; "
                "set the added columns apart: batch_scorer(prefix='sentiment_')"
            )
        texts = [text_of(value, f"{name!r}, element {i} of a batch,") for i, value in enumerate(batch[name])]
        with _one_thread():
            return score_columns(texts, nlp, added, self._batch_size)

    def features(self, own: Any) -> Any:
        """Give the types of a scored dataset, for ``map(features=...)``.

        Without them ``datasets`` tells the types of the new columns by the first rows, which fails where thousands
        of blank texts come first.

        :param own: the ``features`` of the dataset.
        """
        import pyarrow as pa
        from datasets import Features

        columns = Columns(class_names(opened(self._folder)), self._nodes, self._prefix)
        return Features({**own, **Features.from_arrow_schema(pa.schema(score_fields(columns)))})


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
