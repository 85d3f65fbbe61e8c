"""Ray Data on a real Ray on this machine: the rows of a local run, an actor killed on the way too."""

import os
import signal
import sys
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
import pytest

import treesent
from tests.toy_pipeline import WORDS, toy_nlp
from treesent.errors import DataError, MissingExtraError

on_ray = [
    pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray: pip install 'treesent[ray]'"),
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),
]
TEXTS = [" ".join(WORDS[(i * k) % len(WORDS)] for k in range(3 + i % 9)) for i in range(398)] + ["", None]


def test_without_ray_the_extra_is_named(monkeypatch):
    from treesent.cluster import ray

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'treesent\[ray\]'"):
        ray.score(None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy") / "toy"
    toy_nlp().to_disk(folder)
    return folder


@pytest.fixture(scope="module")
def dataset():
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars, context.default_hash_shuffle_parallelism = False, 2
    yield ray.data.from_arrow(pa.table({"id": range(len(TEXTS)), "text": TEXTS})).repartition(8)
    ray.shutdown()


def check(rows, folder):
    """Each row once, with the scores of a local run."""
    expected = treesent.score(TEXTS, folder).to_pydict()
    assert [row["id"] for row in rows] == list(range(len(TEXTS)))
    assert [row["text"] for row in rows] == TEXTS
    assert [row["label"] for row in rows] == expected["label"]
    assert [row["polarity"] for row in rows][:-2] == pytest.approx(expected["polarity"][:-2], abs=2e-6)
    assert rows[-1]["polarity"] is None


class TestOnRay:
    pytestmark = on_ray

    def test_the_rows_are_those_of_a_local_run(self, dataset, folder):
        from treesent.cluster.ray import score

        scored = score(dataset, folder, block_rows=50, sort_by="id")
        assert scored.columns() == ["id", "text", *treesent.score([], folder).column_names]
        check(scored.take_all(), folder)
        with pytest.raises(DataError, match=r"no column 'key' to sort by; it has \['id', 'text'\]"):
            score(dataset, folder, sort_by="key")
        with pytest.raises(DataError, match="a dataset of Ray Data was expected, not a list"):
            score([], folder)

    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for the actor in /proc")
    def test_the_blocks_of_a_killed_actor_are_scored_again(self, dataset, folder):
        from treesent.cluster.ray import score

        rows, killed = [], 0
        for batch in score(dataset, folder, block_rows=10).iter_batches(
            batch_size=20, batch_format="pyarrow"
        ):
            rows += batch.to_pylist()
            if not killed:
                for number in actors():
                    os.kill(number, signal.SIGKILL)
                    killed += 1
        assert killed
        check(sorted(rows, key=lambda row: row["id"]), folder)


def actors():
    """The processes of actors that score."""
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            name = process.read_bytes()
        except OSError:
            continue
        if name.startswith(b"ray::") and b"_Actor" in name:
            yield int(process.parent.name)
