"""Damaged parts, endless lines, odd values: the output is right or there is an error, and no row is lost."""

import datetime
import decimal
import gzip
import itertools
import json
import math
import os
import random
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from tests.fakes import FakePipeline
from treesent.cli import app
from treesent.data.dialect import Dialect
from treesent.data.tables import KINDS, read_rows
from treesent.errors import DataError, TreesentError
from treesent.scoring import ScoreOptions, parts, score
from treesent.scoring.rendering import escaped, to_json

TEXTS = [f"text number {i} is good, {'' if i % 7 else 'very '}bad" for i in range(40)]


class Stop(Exception):
    pass


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory):
    """A run of six parts that stopped after the fourth, and the output of an undisturbed one."""
    folder = tmp_path_factory.mktemp("interrupted")
    rows = [f'{i},"{text}"\n' if i % 9 else f"{i}\n" for i, text in enumerate(TEXTS)]
    (folder / "a.csv").write_text("id,text\n" + "".join(rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(parts.PART_TEXTS, "none", 7)
        options = ScoreOptions(on_error="skip")
        score(folder / "a.csv", folder / "whole.csv", FakePipeline(), options)

        def stop(done, total=None):
            if done >= 28:
                raise Stop

        with pytest.raises(Stop):
            score(folder / "a.csv", folder / "b.csv", FakePipeline(), options, progress=stop)
    assert len(list((folder / "b.csv.partial").glob("part-*.json"))) == 4
    return folder


def damage(folder, rng):
    """Flip, cut, empty, delete, repeat or swap what lies in the folder of an unfinished run."""
    files = sorted(folder.iterdir())
    path, other = rng.choice(files), rng.choice(files)
    data = bytearray(path.read_bytes())
    kind = rng.choice(["flip", "cut", "empty", "delete", "swap", "repeat", "digits"])
    if kind == "flip" and data:
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(data)
    elif kind == "cut" and data:
        path.write_bytes(data[: rng.randrange(len(data))])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "delete":
        path.unlink()
    elif kind == "swap":
        content = other.read_bytes()
        other.write_bytes(data)
        path.write_bytes(content)
    elif kind == "repeat":
        path.write_bytes(data + data[-rng.randint(1, 60) :])
    else:
        digits = [i for i, byte in enumerate(data) if 48 <= byte <= 57]
        for i in rng.sample(digits, min(len(digits), 2)):
            data[i] = rng.choice(b"0123456789")
        path.write_bytes(data)
    return f"{kind} {path.name} {other.name}"


def check_damage(interrupted, tmp_path, monkeypatch, n, seed):
    monkeypatch.setitem(parts.PART_TEXTS, "none", 7)
    rng = random.Random(seed)
    whole = (interrupted / "whole.csv").read_bytes()
    rejects = (interrupted / "whole.csv.rejects.jsonl").read_bytes()
    refused = 0
    for i in range(n):
        output = tmp_path / f"{i}.csv"
        shutil.copytree(interrupted / "b.csv.partial", f"{output}.partial")
        what = damage(Path(f"{output}.partial"), rng)
        try:
            score(interrupted / "a.csv", output, FakePipeline(), ScoreOptions(on_error="skip", resume=True))
        except TreesentError:
            assert not output.exists(), what
            refused += 1
            continue
        assert output.read_bytes() == whole, what
        assert Path(f"{output}.rejects.jsonl").read_bytes() == rejects, what
    return refused


def test_a_damaged_part_is_scored_again(interrupted, tmp_path, monkeypatch):
    assert check_damage(interrupted, tmp_path, monkeypatch, 60, seed=0) < 30


@pytest.mark.slow
def test_1000_damaged_parts(interrupted, tmp_path, monkeypatch):
    assert check_damage(interrupted, tmp_path, monkeypatch, 1000, seed=1) < 400


def test_resume_without_an_unfinished_run_says_so(tmp_path):
    (tmp_path / "a.txt").write_text("good\n")
    with pytest.raises(DataError, match="there is no unfinished run to resume; leave --resume out"):
        score(tmp_path / "a.txt", tmp_path / "b.csv", FakePipeline(), ScoreOptions(resume=True))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt"]


@pytest.mark.parametrize(
    "make", [Path.touch, lambda path: path.symlink_to("/tmp"), lambda path: os.mkfifo(path)]
)
def test_a_partial_that_is_no_folder_is_left_alone(tmp_path, make):
    (tmp_path / "a.txt").write_text("good\n")
    make(tmp_path / "b.csv.partial")
    with pytest.raises(DataError, match="is not part of an unfinished run"):
        score(tmp_path / "a.txt", tmp_path / "b.csv", FakePipeline(), ScoreOptions(overwrite=True))
    assert os.path.lexists(tmp_path / "b.csv.partial")


def test_a_part_that_is_a_link_is_not_written_through(tmp_path, interrupted, monkeypatch):
    monkeypatch.setitem(parts.PART_TEXTS, "none", 7)
    shutil.copytree(interrupted / "b.csv.partial", tmp_path / "b.csv.partial")
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "b.csv.partial" / "part-000004.rows").symlink_to(tmp_path / "precious")
    with pytest.raises(DataError, match="not part of an unfinished run"):
        score(
            interrupted / "a.csv",
            tmp_path / "b.csv",
            FakePipeline(),
            ScoreOptions(on_error="skip", resume=True),
        )
    assert (tmp_path / "precious").read_text() == "mine"


LONG = "x" * 3000
FILES = {
    "a.txt": f"good\n{LONG}\nbad\n",
    "a.csv": f"id,text\n1,good\n2,{LONG}\n3,bad\n",
    "a.tsv": f"id\ttext\n1\tgood\n2\t{LONG}\n3\tbad\n",
    "a.jsonl": f'{{"text": "good"}}\n{{"text": "{LONG}"}}\n{{"text": "bad"}}\n',
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("packed", [False, True])
def test_a_long_line_is_a_bad_row(tmp_path, name, packed):
    source = tmp_path / (name + (".gz" if packed else ""))
    source.write_bytes(gzip.compress(FILES[name].encode()) if packed else FILES[name].encode())
    rows = list(read_rows(source, longest=1000))
    assert [row.values.get("text") for row in rows] == ["good", None, "bad"]
    assert "--max-row-size" in rows[1].fault and len(rows[1].raw) <= 1000 and "x" * 500 in rows[1].raw
    with pytest.raises(DataError, match=r"row 2: .*--max-row-size"):
        score(source, tmp_path / "b.jsonl", FakePipeline(), ScoreOptions(max_row_size=1000))
    done = score(
        source, tmp_path / "b.jsonl", FakePipeline(), ScoreOptions(max_row_size=1000, on_error="skip")
    )
    assert (done.rows, done.rejected) == (3, 1)
    again = score(source, tmp_path / "c.jsonl", FakePipeline(), ScoreOptions(max_row_size=4000))
    assert (again.rows, again.rejected) == (3, 0)


def test_a_long_cell_of_parquet_is_a_bad_row(tmp_path):
    pq.write_table(pa.table({"text": ["good", LONG, "bad"]}), tmp_path / "a.parquet")
    faults = [row.fault for row in read_rows(tmp_path / "a.parquet", longest=1000)]
    assert faults[0] is faults[2] is None and "--max-row-size" in faults[1]


@pytest.mark.parametrize("length", [999, 1000, 1001, 1002])
def test_the_limit_is_exact(tmp_path, length):
    (tmp_path / "a.txt").write_text("x" * length + "\n")
    (row,) = read_rows(tmp_path / "a.txt", longest=1000)
    assert (row.fault is None) == (length <= 1001)


# VmHWM starts anew with the process; ru_maxrss would begin at the peak of the one that started it.
MEMORY = """
import pathlib, re, sys
from treesent.data.tables import read_rows
print(sum(row.fault is not None for row in read_rows(sys.argv[1])))
print(int(re.search(r"VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1]) // 1024)
"""


@pytest.mark.slow
def test_one_line_of_a_gigabyte_takes_little_memory(tmp_path):
    with gzip.open(tmp_path / "a.txt.gz", "wb", compresslevel=1) as file:
        for _ in range(1024):
            file.write(b"x" * 2**20)
    out = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path / "a.txt.gz")], capture_output=True, text=True, check=True
    ).stdout.split()
    assert out[0] == "1" and int(out[1]) < 300, out


def test_numbers_that_json_lacks_become_null():
    value = {"a": [math.nan, 1.5, -math.inf], "b": {"c": math.inf}}
    assert json.loads(to_json(value)) == {"a": [None, 1.5, None], "b": {"c": None}}


CELLS = st.one_of(
    st.none(),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8),
)
VALUES = st.one_of(
    CELLS,
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.lists(st.floats(), max_size=2),
)
COLUMNS = {
    "number": pa.float64(),
    "whole": pa.int64(),
    "when": pa.timestamp("us"),
    "day": pa.date32(),
    "bytes": pa.binary(),
    "yes": pa.bool_(),
    "many": pa.list_(pa.float64()),
    "money": pa.decimal128(20, 2),
    "span": pa.duration("s"),
}
VALUES_OF = {
    "number": st.floats(),
    "whole": st.integers(-(2**63), 2**63 - 1),
    "when": st.datetimes(datetime.datetime(1, 1, 1), datetime.datetime(9999, 1, 1)),
    "day": st.dates(),
    "bytes": st.binary(max_size=6),
    "yes": st.booleans(),
    "many": st.lists(st.floats(), max_size=3),
    "money": st.decimals(-(10**9), 10**9, places=2),
    "span": st.timedeltas(datetime.timedelta(0), datetime.timedelta(10**4)).map(
        lambda d: datetime.timedelta(seconds=int(d.total_seconds()))
    ),
}
table_rows = st.lists(
    st.fixed_dictionaries(
        {"text": st.text("ab \n\t,\"'=é😀", max_size=8)}
        | {name: st.none() | values for name, values in VALUES_OF.items()}
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=8)
@given(rows=table_rows)
@pytest.mark.parametrize(
    "kinds", list(itertools.product(["parquet", "jsonl", "csv", "tsv"], repeat=2)), ids="-".join
)
def test_what_is_written_is_read(tmp_path_factory, kinds, rows):
    """From parquet with every type to a first format, scored again into a second, and read."""
    folder = tmp_path_factory.mktemp("formats")
    arrays = {name: pa.array([row[name] for row in rows], kind) for name, kind in COLUMNS.items()}
    pq.write_table(pa.table({"text": [row["text"] for row in rows], **arrays}), folder / "a.parquet")
    first, second = (folder / f"{name}.{kind}" for name, kind in zip("bc", kinds, strict=True))
    tsv = ScoreOptions(quoted_tsv=True)
    score(folder / "a.parquet", first, FakePipeline(), tsv)
    score(first, second, FakePipeline(), ScoreOptions(quoted_tsv=True, prefix="again_"))
    for path in (first, second):
        read = list(read_rows(path, dialect=Dialect(quoted_tsv=True)))
        assert [row.fault for row in read] == [None] * len(rows)
        assert [row.values["text"] or "" for row in read] == [row["text"] for row in rows]
        assert [str(row.values["whole"]) for row in read] == [
            ("" if kinds[0] in ("csv", "tsv") or path.suffix in (".csv", ".tsv") else "None")
            if row["whole"] is None
            else str(row["whole"])
            for row in rows
        ]


@pytest.mark.parametrize("kind", KINDS)
def test_every_type_of_parquet_has_a_place(tmp_path, kind):
    table = pa.table(
        {
            "text": ["good"],
            "uuid": pa.array([uuid.UUID(int=7).bytes], pa.uuid()),
            "view": pa.array(["seen"], pa.string_view()),
            "money": pa.array([decimal.Decimal("1.10")]),
            "map": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    done = score(tmp_path / "a.parquet", tmp_path / f"b.{kind}", FakePipeline())
    assert done.rows == 1
    (row,) = read_rows(tmp_path / f"b.{kind}")
    if kind != "txt":
        assert str(row.values["uuid"]) == str(uuid.UUID(int=7)) and row.values["view"] == "seen"


def test_a_view_of_text_is_scored(tmp_path):
    pq.write_table(pa.table({"text": pa.array(["good", None], pa.string_view())}), tmp_path / "a.parquet")
    assert [row.values["text"] for row in read_rows(tmp_path / "a.parquet")] == ["good", None]


BAD = {
    "a time zone": pa.array([0, 1], pa.timestamp("s", "Mars/Base")),
    "a date": pa.array([2**31 - 1, 0], pa.int32()).cast(pa.date32()),
    "text": pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0\2\0\0\0"), pa.py_buffer(b"\xffb")]
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_a_cell_of_parquet_that_cannot_be_read_is_a_bad_row(tmp_path, what):
    pq.write_table(pa.table({"text": ["good", "bad"], "odd": BAD[what]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"row 1: 'odd' \(.*\) cannot be read"):
        score(tmp_path / "a.parquet", tmp_path / "b.jsonl", FakePipeline())
    done = score(tmp_path / "a.parquet", tmp_path / "b.jsonl", FakePipeline(), ScoreOptions(on_error="skip"))
    assert done.rows == 2 and done.rejected >= 1
    rejects = [json.loads(line) for line in done.rejects.read_text().splitlines()]
    assert rejects[0]["row"] == 1 and "'odd'" in rejects[0]["reason"] and "good" in rejects[0]["raw"]


@pytest.mark.parametrize("kind", ["parquet", "jsonl", "csv"])
def test_a_text_column_of_numbers_is_rejected_row_by_row(tmp_path, kind):
    pq.write_table(pa.table({"text": [1, 2, None]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="text was expected"):
        score(tmp_path / "a.parquet", tmp_path / f"b.{kind}", FakePipeline())
    options = ScoreOptions(on_error="skip")
    done = score(tmp_path / "a.parquet", tmp_path / f"b.{kind}", FakePipeline(), options)
    assert done.rows == 3 and done.rejected >= 2


def test_damaged_pages_are_told(tmp_path):
    pq.write_table(pa.table({"text": [f"text {i}" for i in range(5000)]}), tmp_path / "a.parquet")
    data = (tmp_path / "a.parquet").read_bytes()
    rng = random.Random(0)
    for i in range(40):
        broken = bytearray(data)
        for _ in range(rng.randint(1, 20)):
            broken[rng.randrange(4, len(broken))] ^= 1 << rng.randrange(8)
        (tmp_path / "b.parquet").write_bytes(broken)
        try:
            score(
                tmp_path / "b.parquet", tmp_path / f"{i}.csv", FakePipeline(), ScoreOptions(on_error="skip")
            )
        except TreesentError as error:
            assert "b.parquet" in str(error)


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("=cmd()", "'=cmd()"), ("+1+1", "'+1+1"), ("-good", "'-good"), ("@sum", "'@sum"), ("\tx", "'\tx"),
        ("-1.5", "-1.5"), ("+2e-3", "+2e-3"), ("good", "good"), ("", ""),
    ],
)  # fmt: skip
def test_formulas_are_escaped_if_asked(cell, shown):
    assert escaped(cell) == shown


def test_the_option_escapes_formulas(tmp_path):
    (tmp_path / "a.csv").write_text('id,text\n=cmd(),"+good"\n')
    for options, cell in ((ScoreOptions(), "=cmd()"), (ScoreOptions(escape_formulas=True), "'=cmd()")):
        score(tmp_path / "a.csv", tmp_path / f"{cell[0]}.csv", FakePipeline(), options)
        assert (tmp_path / f"{cell[0]}.csv").read_text().splitlines()[1].startswith(cell)


@pytest.mark.parametrize("name", [".", "/proc/x", "nowhere/b.csv", "a.txt/b.csv", "a\0b.csv"])
def test_places_that_cannot_be_written(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text("good\n")
    result = CliRunner().invoke(app, ["score", "a.txt", "-o", name])
    assert result.exit_code == 1 and "treesent: error: " in result.stderr, result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt"]
