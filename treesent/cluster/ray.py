"""Score a dataset of Ray Data: ``treesent.cluster.ray.score(ray.data.read_parquet("s3://bucket/reviews"))``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from treesent.errors import DataError, MissingExtraError
from treesent.scoring.batches import BatchScorer

if TYPE_CHECKING:
    import pyarrow
    from ray.data import Dataset


class _Actor:
    """Opens the pipeline once and scores blocks as they come."""

    def __init__(self, scorer: BatchScorer) -> None:
        self._scorer = scorer

    def __call__(self, block: "pyarrow.Table") -> "pyarrow.Table":
        return self._scorer.table(block)


def score(
    dataset: "Dataset",
    model: str | Path = "en_treesent_sm",
    *,
    concurrency: "int | tuple[int, int]" = 1,
    sort_by: str | None = None,
    block_rows: int = 1024,
    ray_options: "dict[str, Any] | None" = None,
    **options: Any,
) -> "Dataset":
    """Score the texts of a dataset with actors that open the pipeline once each.

    Nothing is scored before the dataset is read or written. Blocks stream through the actors, and Ray holds the
    reading back when they fall behind. The blocks of an actor or a node that dies are scored again elsewhere.

    :param dataset: of Ray Data.
    :param model: a packaged pipeline's name, or a folder that every node has.
    :param concurrency: actors: so many, or from so many to so many. Each has one thread.
    :param sort_by: a column to sort the result by; without it Ray decides the order.
    :param block_rows: rows that an actor gets at once, at most.
    :param ray_options: more options of ``Dataset.map_batches``, such as ``{"num_cpus": 2}``.
    :param options: see :class:`treesent.scoring.batches.BatchScorer`: ``text_column``, ``nodes``, ``prefix``.
    :returns: the dataset with the columns of ``treesent score``.
    :raises MissingExtraError: Ray is not installed.
    :raises ModelError: there is no such pipeline.
    :raises DataError: the dataset lacks the column to sort by.
    """
    try:
        import ray.data
    except ImportError as error:
        raise MissingExtraError("ray", "ray") from error
    if not isinstance(dataset, ray.data.Dataset):
        raise DataError(
            f"a dataset of Ray Data was expected, not a {type(dataset).__name__}; see ray.data.from_items"
        )
    if sort_by is not None and sort_by not in (dataset.columns() or ()):
        raise DataError(f"the dataset has no column {sort_by!r} to sort by; it has {dataset.columns()}")
    scored = dataset.map_batches(
        _Actor,
        fn_constructor_args=(BatchScorer(model, **options),),
        batch_format="pyarrow",
        batch_size=block_rows,
        zero_copy_batch=True,
        concurrency=concurrency,
        **(ray_options or {}),
    )
    return scored if sort_by is None else scored.sort(sort_by)
