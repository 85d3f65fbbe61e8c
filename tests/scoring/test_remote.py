"""Addresses that fsspec knows, for input and output; the files of ``memory://`` stand for those of a store."""

import json
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from tests.fakes import FakePipeline
from treesent.data.many import input_files
from treesent.data.remote import RemotePath, place_of
from treesent.data.tables import read_rows
from treesent.errors import DataError, OutputError
from treesent.scoring import ScoreOptions, parts, score

CSV = b"id,text\n" + b"".join(b"%d,Text %d is good.\n" % (i, i) for i in range(60))


@pytest.fixture
def store(monkeypatch, tmp_path):
    monkeypatch.setattr(parts, "PART_TEXTS", dict.fromkeys(parts.PART_TEXTS, 7))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pipe("/in/a.csv", CSV)
    yield system
    system.store.clear()


def local(tmp_path, kind, content=CSV):
    """What a run on local files writes."""
    (tmp_path / "in.csv").write_bytes(content)
    score(
        tmp_path / "in.csv",
        tmp_path / f"out.{kind}",
        FakePipeline(),
        ScoreOptions(on_error="skip", overwrite=True),
    )
    return (tmp_path / f"out.{kind}").read_bytes()


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "csv.gz"])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_store_holds_the_bytes_of_a_local_run(store, tmp_path, kind, workers):
    summary = score(
        "memory://in/a.csv", f"memory://out/b.{kind}", FakePipeline(), ScoreOptions(workers=workers)
    )
    assert store.cat(f"/out/b.{kind}") == local(tmp_path, kind)
    assert summary.rows == 60 and store.find("/out") == [f"/out/b.{kind}"]
    assert not list((tmp_path / "cache" / "treesent").iterdir())


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "csv.xz"])
def test_every_kind_is_read_from_a_store(store, tmp_path, kind):
    score("memory://in/a.csv", f"memory://mid/b.{kind}", FakePipeline(), ScoreOptions(prefix="x_"))
    told = []
    score(
        f"memory://mid/b.{kind}",
        tmp_path / "c.csv",
        FakePipeline(),
        progress=lambda done, total: told.append((done, total)),
    )
    assert [row.values["text"] for row in read_rows(tmp_path / "c.csv")] == [
        f"Text {i} is good." for i in range(60)
    ]
    assert told[-1] == (60, 60)


def test_folders_and_patterns_of_a_store(store, tmp_path):
    for name in ("in/b.csv", "in/deep/c.csv", "in/_SUCCESS", "in/deep/.hidden"):
        store.pipe(f"/{name}", CSV)
    assert [file.name for file in input_files("memory://in")] == ["a.csv", "b.csv", "c.csv"]
    assert [file.name for file in input_files("memory://in/*.csv")] == ["a.csv", "b.csv"]
    assert score("memory://in", tmp_path / "o.csv", FakePipeline(), ScoreOptions(workers=2)).rows == 180
    with pytest.raises(DataError, match="no file has such a name"):
        input_files("memory://in/*.tsv")
    with pytest.raises(DataError, match=r"memory://none.csv: no such file"):
        score("memory://none.csv", tmp_path / "p.csv", FakePipeline())


def test_rejects_go_beside_the_output(store, tmp_path):
    store.pipe("/in/a.csv", CSV + b"1,2,3\n")
    options = ScoreOptions(on_error="skip")
    summary = score("memory://in/a.csv", "memory://out/b.csv", FakePipeline(), options)
    (reject,) = store.cat("/out/b.csv.rejects.jsonl").splitlines()
    assert json.loads(reject)["row"] == 61 and str(summary.rejects) == "memory://out/b.csv.rejects.jsonl"
    assert store.cat("/out/b.csv") == local(tmp_path, "csv", CSV + b"1,2,3\n")
    store.pipe("/in/a.csv", CSV)
    score("memory://in/a.csv", "memory://out/b.csv", FakePipeline(), ScoreOptions(overwrite=True))
    assert store.find("/out") == ["/out/b.csv"]


def test_what_is_in_a_store_is_replaced_only_when_asked(store):
    store.pipe("/out/b.csv", b"precious")
    with pytest.raises(OutputError, match=r"memory://out/b.csv exists already.*--overwrite"):
        score("memory://in/a.csv", "memory://out/b.csv", FakePipeline())
    with pytest.raises(OutputError, match="is the input as well"):
        score("memory://in/a.csv", "memory://in/a.csv", FakePipeline(), ScoreOptions(overwrite=True))
    assert (store.cat("/out/b.csv"), store.cat("/in/a.csv")) == (b"precious", CSV)


def test_a_run_into_a_store_resumes(store, tmp_path):
    def stop(done, total):
        if done >= 28:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score("memory://in/a.csv", "memory://out/b.csv", FakePipeline(), progress=stop)
    assert not store.exists("/out/b.csv")
    nlp = FakePipeline()
    score("memory://in/a.csv", "memory://out/b.csv", nlp, ScoreOptions(resume=True))
    assert len(nlp.texts) == 32 and store.cat("/out/b.csv") == local(tmp_path, "csv")


def test_an_input_that_changes_in_its_store_is_noticed(store):
    def change(done, total):
        store.pipe("/in/a.csv", CSV)

    with pytest.raises(DataError, match=r"memory://in/a.csv: changed while it was read"):
        score("memory://in/a.csv", "memory://out/b.csv", FakePipeline(), progress=change)
    assert not store.exists("/out/b.csv")


class Failing(MemoryFileSystem):
    """A store that shows files while they are written, and fails on the way."""

    protocol, cachable, fail = "failing", False, True

    def put_file(self, lpath, rpath, **options):
        self.pipe(rpath, Path(lpath).read_bytes()[:10] if self.fail else Path(lpath).read_bytes())
        if self.fail:
            raise ConnectionResetError("the line is dead")

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.replace("failing://", "memory://"))


def test_an_upload_that_fails_leaves_nothing_under_the_name_and_resumes(store, tmp_path, monkeypatch):
    fsspec.register_implementation("failing", Failing, clobber=True)
    with pytest.raises(OutputError, match=r"failing://out/b.csv: the line is dead"):
        score("memory://in/a.csv", "failing://out/b.csv", FakePipeline())
    assert not store.exists("/out/b.csv")
    monkeypatch.setattr(Failing, "fail", False)
    nlp = FakePipeline()
    score("memory://in/a.csv", "failing://out/b.csv", nlp, ScoreOptions(resume=True))
    assert nlp.texts == [] and store.cat("/out/b.csv") == local(tmp_path, "csv")
    assert store.find("/out") == ["/out/b.csv"]


def test_no_message_holds_a_secret(tmp_path):
    place = place_of("s3://KEY:SECRET@bucket/a.csv?X-Amz-Signature=SECRET#x")
    assert str(place) == "s3://bucket/a.csv" and "SECRET" not in repr(place)
    assert (place.name, place.suffix, str(place.parent)) == ("a.csv", ".csv", "s3://bucket")
    with pytest.raises(DataError) as caught:
        score("nosuch://KEY:SECRET@bucket/a.csv", tmp_path / "b.csv", FakePipeline())
    assert str(caught.value).startswith("nosuch://bucket/a.csv: Protocol not known: nosuch")
    assert "SECRET" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_name_of_this_machine_is_no_address():
    assert isinstance(place_of("memory://a.csv"), RemotePath)
    assert [place_of(name) for name in ("a.csv", "c:/a.csv")] == [Path("a.csv"), Path("c:/a.csv")]


def test_a_damaged_file_in_a_store_is_named(store, tmp_path):
    store.pipe("/in/a.parquet", b"PAR1 no")
    store.pipe("/in/a.csv.gz", b"no")
    for name in ("a.parquet", "a.csv.gz"):
        with pytest.raises(DataError, match=f"memory://in/{name}: "):
            score(f"memory://in/{name}", tmp_path / "b.csv", FakePipeline())
    pq.write_table(pa.table({"texts": ["x"]}), tmp_path / "a.parquet")
    store.put_file(str(tmp_path / "a.parquet"), "/in/a.parquet")
    with pytest.raises(DataError, match=r"memory://in/a.parquet: no column 'text'; did you mean 'texts'"):
        score("memory://in/a.parquet", tmp_path / "b.csv", FakePipeline())
