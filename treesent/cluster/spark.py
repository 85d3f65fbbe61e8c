"""Score a DataFrame of Spark: ``treesent.cluster.spark.score(spark.read.parquet("s3a://bucket/reviews"))``."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from treesent.data.rows import missing_column
from treesent.errors import DataError, MissingExtraError
from treesent.scoring.batches import BatchScorer

if TYPE_CHECKING:
    import pyarrow
    from pyspark.sql import DataFrame


class _Partition:
    """Scores the batches of a partition; a Python worker of Spark keeps the pipeline for the next one."""

    def __init__(self, scorer: BatchScorer) -> None:
        self._scorer = scorer

    def __call__(self, batches: "Iterator[pyarrow.RecordBatch]") -> "Iterator[pyarrow.RecordBatch]":
        import pyarrow as pa

        for batch in batches:
            yield from self._scorer.table(pa.Table.from_batches([batch])).combine_chunks().to_batches()


def score(df: "DataFrame", model: str | Path = "en_treesent_sm", **options: Any) -> "DataFrame":
    """Score the texts of a DataFrame, by ``mapInArrow``.

    Nothing is scored before Spark needs the result. A task that fails is done again by Spark. How many rows come at
    once is ``spark.sql.execution.arrow.maxRecordsPerBatch``. A streaming DataFrame is scored too.

    :param df: the DataFrame.
    :param model: a packaged pipeline's name, or a folder that every executor has.
    :param options: see :class:`treesent.scoring.batches.BatchScorer`: ``text_column``, ``nodes``, ``prefix``.
    :returns: the DataFrame with the columns of ``treesent score``.
    :raises MissingExtraError: Spark is not installed.
    :raises ModelError: there is no such pipeline.
    :raises DataError: the column of the texts is missing, or a column to add is there.
    """
    try:
        import pyarrow as pa
        from pyspark.sql.pandas.types import from_arrow_schema
        from pyspark.sql.types import StructType
    except ImportError as error:
        raise MissingExtraError("pyspark", "spark") from error
    scorer = BatchScorer(model, **options)
    if fault := missing_column(df.columns, [scorer.text_column]):
        raise DataError(f"the DataFrame: {fault}")
    fields = scorer.added_fields()
    scorer.refuse_clash(df.columns)
    added = from_arrow_schema(pa.schema(fields))
    return df.mapInArrow(_Partition(scorer), StructType([*df.schema.fields, *added.fields]))
