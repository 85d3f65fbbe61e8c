"""Spark on a real Spark on this machine: the rows of a local run, from tables and from streams."""

import json
import shutil
import sys
from importlib.util import find_spec

import pytest

import treesent
from tests.toy_pipeline import WORDS, toy_nlp
from treesent.errors import DataError, MissingExtraError

on_spark = [
    pytest.mark.skipif(find_spec("pyspark") is None, reason="needs Spark: pip install 'treesent[spark]'"),
    pytest.mark.skipif(
        shutil.which("java") is None, reason="Spark needs Java 17: apt-get install openjdk-17-jre-headless"
    ),
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),
]
TEXTS = [" ".join(WORDS[(i * k) % len(WORDS)] for k in range(3 + i % 9)) for i in range(198)] + ["", None]


def test_without_spark_the_extra_is_named(monkeypatch):
    from treesent.cluster import spark

    monkeypatch.setitem(sys.modules, "pyspark", None)
    monkeypatch.setitem(sys.modules, "pyspark.sql.pandas.types", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'treesent\[spark\]'"):
        spark.score(None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy") / "toy"
    toy_nlp().to_disk(folder)
    return folder


@pytest.fixture(scope="module")
def spark():
    from pyspark.sql import SparkSession

    with pytest.MonkeyPatch.context() as patch:
        # The workers of Spark are started by name, and would be those of another Python.
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        settings = {"spark.ui.enabled": "false", "spark.sql.execution.arrow.maxRecordsPerBatch": "30"}
        session = SparkSession.builder.master("local[2]").config(map=settings).getOrCreate()
        yield session
        session.stop()


class TestOnSpark:
    pytestmark = on_spark

    def test_the_rows_are_those_of_a_local_run(self, spark, folder):
        from treesent.cluster.spark import score

        df = spark.createDataFrame(list(enumerate(TEXTS)), "id long, text string").repartition(3)
        rows = sorted(score(df, folder, nodes="sentences").collect(), key=lambda row: row["id"])
        expected = treesent.score(TEXTS, folder, nodes="sentences").to_pydict()
        assert [row["text"] for row in rows] == TEXTS
        assert [row["label"] for row in rows] == expected["label"]
        assert [row["polarity"] for row in rows][:-2] == pytest.approx(expected["polarity"][:-2], abs=2e-6)
        assert rows[-1]["polarity"] is None and rows[-1]["sentences"] is None
        sentence = rows[5]["sentences"][0].asDict(recursive=True)
        assert (
            sentence["text"] == expected["sentences"][5][0]["text"]
            and sentence.keys() == expected["sentences"][5][0].keys()
        )

        with pytest.raises(DataError, match="the DataFrame: no column 'review'"):
            score(df, folder, text_column="review")
        with pytest.raises(DataError, match=r"has 'label' already.*prefix='sentiment_'"):
            score(df.withColumnRenamed("id", "label"), folder)

    def test_a_stream_is_scored_batch_by_batch(self, spark, folder, tmp_path):
        from treesent.cluster.spark import score

        (tmp_path / "in").mkdir()
        for part in range(2):
            lines = [json.dumps({"id": i, "text": TEXTS[i]}) for i in range(part, 20, 2)]
            (tmp_path / "in" / f"{part}.json").write_text("\n".join(lines))
        stream = spark.readStream.schema("id long, text string").option("maxFilesPerTrigger", 1)
        query = (
            score(stream.json(str(tmp_path / "in")), folder)
            .writeStream.trigger(availableNow=True)
            .option("checkpointLocation", str(tmp_path / "checkpoint"))
            .format("parquet")
            .start(str(tmp_path / "out"))
        )
        query.awaitTermination()
        rows = spark.read.parquet(str(tmp_path / "out")).orderBy("id").collect()
        assert [row["label"] for row in rows] == treesent.score(TEXTS[:20], folder)["label"].to_pylist()
