"""Several files, folders and patterns are one table."""

import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.fakes import FakePipeline
from treesent.data.many import common_kind, input_files
from treesent.data.tables import read_rows
from treesent.errors import DataError, OutputError
from treesent.scoring import ScoreOptions, parts, score

KINDS = ("txt", "csv", "jsonl", "parquet")


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(parts, "PART_TEXTS", dict.fromkeys(parts.PART_TEXTS, 7))


def write(path, numbers):
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{"id": str(i), "text": f"Text {i} is good."} for i in numbers]
    if path.suffix == ".parquet":
        table = pa.Table.from_pylist(rows, pa.schema([("id", "string"), ("text", "string")]))
        # Each file has metadata of its own, as pandas writes it.
        pq.write_table(table.replace_schema_metadata({"file": path.name}), path)
    elif path.suffix == ".csv":
        path.write_text("id,text\n" + "".join(f"{r['id']},{r['text']}\n" for r in rows))
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        path.write_text("".join(f"{row['text']}\n" for row in rows))
    return path


@pytest.fixture(params=KINDS)
def hive(request, tmp_path):
    """A folder of folders of files, and the one file that they make."""
    kind = request.param
    for day, numbers in enumerate([range(10), range(10, 11), range(11, 11), range(11, 30)]):
        write(tmp_path / "in" / f"day={day}" / f"part.{kind}", numbers)
    (tmp_path / "in" / "_SUCCESS").touch()
    (tmp_path / "in" / f".part.{kind}.crc").write_bytes(b"\0")
    return tmp_path / "in", write(tmp_path / f"whole.{kind}", range(30))


@pytest.mark.parametrize("output", ["csv", "parquet"])
def test_a_folder_scores_as_the_file_that_its_files_make(hive, tmp_path, output):
    folder, whole = hive
    score(whole, tmp_path / f"whole-out.{output}", FakePipeline())
    sources = {
        "folder": folder,
        "pattern": str(folder / "**" / f"*{whole.suffix}"),
        "files": sorted(folder.rglob(f"part{whole.suffix}")),
    }
    expected = [row.values for row in read_rows(tmp_path / f"whole-out.{output}")]
    for name, source in sources.items():
        for workers in (1, 2):
            path = tmp_path / f"{name}-{workers}.{output}"
            summary = score(source, path, FakePipeline(), ScoreOptions(workers=workers))
            assert summary.rows == 30
            assert [row.values for row in read_rows(path)] == expected
            if workers == 2:
                assert path.read_bytes() == (tmp_path / f"{name}-1.{output}").read_bytes()


def test_rejects_and_errors_name_the_file(tmp_path):
    write(tmp_path / "in" / "a.csv", range(9))
    write(tmp_path / "in" / "b.csv", range(9)).write_text("id,text\n1,fine\n2\n")
    with pytest.raises(DataError, match=r"b.csv:3: row 2: 1 columns"):
        score(tmp_path / "in", tmp_path / "out.csv", FakePipeline())
    options = ScoreOptions(on_error="skip", overwrite=True)
    summary = score(tmp_path / "in", tmp_path / "out.csv", FakePipeline(), options)
    (reject,) = map(json.loads, summary.rejects.read_text().splitlines())
    assert (reject["file"], reject["row"], reject["line"]) == (str(tmp_path / "in" / "b.csv"), 2, 3)
    assert (summary.rows, summary.rejected) == (11, 1)


def test_progress_goes_from_nothing_to_all(tmp_path):
    for name in "abc":
        write(tmp_path / "in" / f"{name}.csv", range(50))
    told = []
    score(
        tmp_path / "in",
        tmp_path / "out.csv",
        FakePipeline(),
        progress=lambda done, total: told.append((done, total)),
    )
    assert told[-1] == (150, 150)
    assert all(total == pytest.approx(150, rel=0.5) for done, total in told if done > 60)


def test_files_that_do_not_fit_together_are_refused(tmp_path):
    first = write(tmp_path / "in" / "a.csv", range(3))
    other = tmp_path / "in" / "b.csv"
    other.write_text("text,id\nfine,1\n")
    with pytest.raises(
        DataError, match=r"b.csv: the columns are 'text', 'id', and those of .*a.csv are 'id', 'text'"
    ):
        score(tmp_path / "in", tmp_path / "out.csv", FakePipeline())
    other.rename(tmp_path / "in" / "b.jsonl")
    with pytest.raises(DataError, match=r"a.csv is csv .*b.jsonl is jsonl|b.jsonl is jsonl .*a.csv is csv"):
        score(tmp_path / "in", tmp_path / "out.csv", FakePipeline())
    pq.write_table(pa.table({"id": ["1"], "text": ["x"]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"id": [1], "text": ["x"]}), tmp_path / "b.parquet")
    with pytest.raises(DataError, match=r"b.parquet: the column 'id' is int64, and string in .*a.parquet"):
        score(str(tmp_path / "*.parquet"), tmp_path / "out.csv", FakePipeline())
    assert common_kind([first, tmp_path / "x.csv.gz"]) == "csv"


def test_what_names_no_file_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    for source, message in {
        tmp_path / "empty": "empty: a folder without files",
        str(tmp_path / "*.csv"): "no file has such a name",
        tmp_path / "none.csv": "none.csv: no such file",
    }.items():
        with pytest.raises(DataError, match=message):
            score(source, tmp_path / "out.csv", FakePipeline())
    with pytest.raises(DataError, match="standard input is read alone"):
        score(["-", write(tmp_path / "a.csv", range(2))], tmp_path / "out.csv", FakePipeline())


def test_a_name_with_the_marks_of_a_pattern_is_the_file_of_that_name(tmp_path):
    path = write(tmp_path / "a[1].csv", range(2))
    assert input_files(path) == (path,)
    assert input_files([path, tmp_path / "b.csv", path]) == (path, tmp_path / "b.csv")


def test_an_output_among_the_inputs_is_refused(tmp_path):
    write(tmp_path / "in" / "a.csv", range(2))
    score(tmp_path / "in", tmp_path / "in" / "out.csv", FakePipeline())
    with pytest.raises(OutputError, match="is the input as well"):
        score(tmp_path / "in", tmp_path / "in" / "out.csv", FakePipeline(), ScoreOptions(overwrite=True))


def test_a_file_that_changes_or_another_file_keeps_a_run_from_going_on(tmp_path):
    for name in "ab":
        write(tmp_path / "in" / f"{name}.csv", range(20))

    def stop(done, total):
        if done >= 14:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score(tmp_path / "in", tmp_path / "out.csv", FakePipeline(), progress=stop)
    write(tmp_path / "in" / "c.csv", range(1))
    with pytest.raises(DataError, match="the input's content was"):
        score(tmp_path / "in", tmp_path / "out.csv", FakePipeline(), ScoreOptions(resume=True))
    (tmp_path / "in" / "c.csv").unlink()
    nlp = FakePipeline()
    assert score(tmp_path / "in", tmp_path / "out.csv", nlp, ScoreOptions(resume=True)).rows == 40
    assert len(nlp.texts) == 26

    def touch(done, total):
        os.utime(tmp_path / "in" / "b.csv", (1, 1))

    with pytest.raises(DataError, match="changed while it was read"):
        score(tmp_path / "in", tmp_path / "o.csv", FakePipeline(), progress=touch)
