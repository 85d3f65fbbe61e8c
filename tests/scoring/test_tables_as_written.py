"""Tables as Excel, pandas and other systems write them."""

import csv
import gzip
import io
import json

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from tests.fakes import FakePipeline
from treesent.cli import app
from treesent.data.dialect import Dialect, separator_of
from treesent.data.tables import read_rows
from treesent.errors import DataError
from treesent.scoring import ScoreOptions, score
from treesent.training.sections import CorporaConfig

TEXTS = ["Größe und Café – “gut”", "a;b, c", "naïve"]


def values(path, column="text", **options):
    rows = list(read_rows(path, need=(column,), **options))
    assert [row.fault for row in rows] == [None] * len(rows)
    return [row.values[column] for row in rows]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("suffix", [".csv", ".tab.csv", ".tsv"])
def test_separators_are_told_by_the_header(tmp_path, separator, told, suffix):
    stream = io.StringIO()
    if told:
        stream.write(f"sep={separator}\n")
    writer = csv.writer(stream, delimiter=separator, lineterminator="\n")
    writer.writerows([["id", "text", "n, m"], *([str(i), text, "x"] for i, text in enumerate(TEXTS))])
    path = tmp_path / f"a{suffix}"
    path.write_text(stream.getvalue())
    dialect = Dialect(quoted_tsv=True)
    assert values(path, dialect=dialect) == TEXTS
    assert values(path, "id", dialect=dialect) == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("header", "kind", "need", "expected"),
    [
        ("text", "csv", ["text"], ","),
        ("a;b", "csv", [], ";"),
        ("a;b,c", "csv", [], ","),
        ("a;text,c", "csv", ["text"], ","),
        ("x;text;c,d", "csv", ["text"], ";"),
        ("a,b", "tsv", ["a"], ","),
        ("a\tb,c", "tsv", ["a"], "\t"),
        ('"a";"text"', "csv", ["text"], ";"),
    ],
)
def test_what_separates(header, kind, need, expected):
    assert separator_of(header, kind, need) == expected


def test_a_separator_that_is_given_is_taken(tmp_path):
    (tmp_path / "a.csv").write_text("text,x#n\na,b#1\n")
    assert values(tmp_path / "a.csv", "text,x", dialect=Dialect(separator="#")) == ["a,b"]
    with pytest.raises(DataError, match="must be one character"):
        Dialect(separator="::")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be", "utf-32-be"])
def test_a_byte_order_mark_tells_the_encoding(tmp_path, encoding):
    text = "id,text\r\n" + "".join(f'{i},"{text}"\r\n' for i, text in enumerate(TEXTS))
    mark = "\ufeff" if encoding.endswith(("le", "be")) else ""
    (tmp_path / "a.csv").write_bytes((mark + text).encode(encoding))
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress((mark + text).encode(encoding)))
    for path in (tmp_path / "a.csv", tmp_path / "a.csv.gz"):
        assert values(path) == TEXTS
        assert values(path, "id") == ["0", "1", "2"]
        with path.open("rb") as stream:
            if path.suffix == ".csv":
                assert [row.values["text"] for row in read_rows(stream, "csv")] == TEXTS


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "utf-16"])
def test_an_encoding_that_is_given(tmp_path, encoding):
    texts = ["Café", "Größe"]
    (tmp_path / "a.txt").write_bytes("\n".join(texts).encode(encoding))
    assert values(tmp_path / "a.txt", dialect=Dialect(encoding=encoding)) == texts


def test_the_error_of_another_encoding_says_what_to_do(tmp_path):
    (tmp_path / "a.csv").write_bytes("text\nCafé\n".encode("cp1252"))
    (row,) = read_rows(tmp_path / "a.csv")
    assert row.fault == (
        "not UTF-8: byte 0xe9 at character 4; if Excel or Windows wrote the file, give --encoding cp1252"
    )
    with pytest.raises(DataError, match="'cp9999' is not a known encoding"):
        Dialect(encoding="cp9999")
    (tmp_path / "b.txt").write_bytes(b"\xff\xfea\x00\xd8\xd8")
    with pytest.raises(DataError, match="not utf-16-le"):
        list(read_rows(tmp_path / "b.txt"))


def test_empty_columns_at_the_end_of_the_header_are_dropped(tmp_path):
    (tmp_path / "a.csv").write_text("id,text,,\n1,a,,\n2,b\n3,c,,x\n")
    rows = list(read_rows(tmp_path / "a.csv"))
    assert [row.values for row in rows[:2]] == [{"id": "1", "text": "a"}, {"id": "2", "text": "b"}]
    assert rows[2].fault == "4 columns where the header has 2"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("kind", ["txt", "csv", "jsonl"])
def test_line_ends_of_any_system(tmp_path, end, kind):
    lines = {"txt": ["a", "b"], "csv": ["text", "a", "b"], "jsonl": ['{"text": "a"}', '{"text": "b"}']}[kind]
    (tmp_path / f"a.{kind}").write_bytes((end.join(lines) + end).encode())
    assert values(tmp_path / f"a.{kind}") == ["a", "b"]


def test_null_and_nan_get_empty_scores(tmp_path):
    pq.write_table(pa.table({"text": ["a", None, "NULL"]}), tmp_path / "a.parquet")
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n{"text": null}\n{"text": "NULL"}\n')
    (tmp_path / "a.csv").write_text('text\na\n""\nNULL\n')
    for kind in ("parquet", "jsonl", "csv"):
        output = tmp_path / f"out_{kind}.jsonl"
        summary = score(tmp_path / f"a.{kind}", output, FakePipeline(), ScoreOptions(null=("NULL",)))
        labels = [json.loads(line)["label"] for line in output.read_text().splitlines()]
        assert (summary.empty, labels) == (2, ["positive", None, None])
    pd.DataFrame({"text": ["a", float("nan")], "n": [1, 2]}).to_parquet(tmp_path / "p.parquet")
    assert score(tmp_path / "p.parquet", tmp_path / "p.csv", FakePipeline()).empty == 1


ROWS = [{"text": "a", "n": 1, "x": None}, {"text": "é", "n": 2.5, "x": [1]}]


def test_a_json_array_is_read_and_written_as_a_table(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(ROWS, indent=2))
    assert [row.values for row in read_rows(tmp_path / "a.json")] == ROWS
    score(tmp_path / "a.json", tmp_path / "b.jsonl", FakePipeline())
    found = [json.loads(line) for line in (tmp_path / "b.jsonl").read_text().splitlines()]
    assert [{key: row[key] for key in ROWS[0]} for row in found] == ROWS
    score(tmp_path / "a.json", tmp_path / "b.csv", FakePipeline())
    assert values(tmp_path / "b.csv") == ["a", "é"]
    (tmp_path / "a.json.gz").write_bytes(gzip.compress((tmp_path / "a.json").read_bytes()))
    assert values(tmp_path / "a.json.gz") == ["a", "é"]
    with pytest.raises(DataError, match="json is read and not written"):
        score(tmp_path / "a.json", tmp_path / "c.json", FakePipeline())


@pytest.mark.parametrize(
    ("content", "message"),
    [("[{", "not an array of JSON objects, or damaged"), ('[{"text": "a"}', "damaged")],
)
def test_a_damaged_array_is_refused(tmp_path, content, message):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(DataError, match=message):
        list(read_rows(tmp_path / "a.json"))


def test_elements_that_are_no_rows_are_faults(tmp_path):
    (tmp_path / "a.json").write_text('[1, {"x": 2}, {"text": "a"}]')
    faults = [row.fault for row in read_rows(tmp_path / "a.json", need=["text"])]
    assert faults == ["a JSON object expected, found int", "no column 'text'; columns: 'x'", None]


def test_an_excel_sheet_is_read(tmp_path):
    book = openpyxl.Workbook()
    for row in [
        ["id", "text", "when", None],
        [1, "good", pd.Timestamp("2026-01-02").to_pydatetime()],
        [2, None, None],
        [3.5, "bad"],
    ]:
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    rows = [row.values for row in read_rows(tmp_path / "a.xlsx")]
    assert [row["id"] for row in rows] == [1, 2, 3.5]
    assert [row["text"] for row in rows] == ["good", None, "bad"]
    assert rows[0]["when"].startswith("2026-01-02")
    summary = score(tmp_path / "a.xlsx", tmp_path / "b.csv", FakePipeline())
    assert (summary.rows, summary.empty) == (3, 1)
    assert values(tmp_path / "b.csv", "id") == ["1", "2", "3.5"]
    with pytest.raises(DataError, match="no column 'review'; columns: 'id', 'text', 'when'"):
        read_rows(tmp_path / "a.xlsx", need=["review"])


@given(
    st.lists(
        st.lists(
            st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=5), min_size=2, max_size=2
        ),
        max_size=5,
    ),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
)
def test_what_a_csv_writer_writes_is_read(tmp_path_factory, rows, separator, encoding):
    stream = io.StringIO()
    csv.writer(stream, delimiter=separator, quoting=csv.QUOTE_ALL).writerows([["text", "b"], *rows])
    try:
        content = stream.getvalue().encode(encoding)
    except UnicodeEncodeError:
        return
    path = tmp_path_factory.mktemp("t") / "a.csv"
    path.write_bytes(content)
    dialect = Dialect(encoding=None if encoding.startswith("utf") else encoding)
    found = [list(row.values.values()) for row in read_rows(path, need=["text"], dialect=dialect)]
    assert found == rows


def test_a_column_that_is_missing_lists_those_there_are(tmp_path):
    (tmp_path / "a.csv").write_text("id;text\n1;a\n")
    with pytest.raises(DataError, match="no column 'texts'; did you mean 'text'\\? columns: 'id', 'text'"):
        read_rows(tmp_path / "a.csv", need=["texts"])


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.jsonl", "a.json", "a.parquet", "a.txt"])
def test_progress_tells_how_many_rows_there_seem_to_be(tmp_path, name):
    frame = pd.DataFrame({"text": [f"text number {i}" for i in range(20_000)]})
    path = tmp_path / name
    match name.partition(".")[2]:
        case "parquet":
            frame.to_parquet(path)
        case "json":
            frame.to_json(path, orient="records")
        case "jsonl":
            frame.to_json(path, orient="records", lines=True)
        case _:
            frame.to_csv(path, index=False)
    seen = []
    score(path, tmp_path / "b.jsonl", FakePipeline(), progress=lambda done, total: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1] == len(frame) + (name == "a.txt")
    # Packed files are read in blocks, so that the first guess is rough.
    assert all(total is None or done <= total <= 3 * len(frame) for done, total in seen[1:])
    assert any(total is not None and done < total for done, total in seen)


def test_an_array_takes_an_encoding_and_its_error_says_so(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(json.dumps([{"text": "Café"}], ensure_ascii=False).encode("cp1252"))
    assert values(path, dialect=Dialect(encoding="cp1252")) == ["Café"]
    with pytest.raises(DataError, match=r"a\.json: not UTF-8; .* give --encoding cp1252"):
        list(read_rows(path))


def test_a_header_that_was_not_split_is_no_hint(tmp_path):
    (tmp_path / "a.csv").write_text("id#text\n1#a\n")
    with pytest.raises(DataError, match="no column 'text'; columns: 'id#text'"):
        read_rows(tmp_path / "a.csv", need=["text"])


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.jsonl", '{"id": 1, "review": "a"}\n'), ("a.json", '[{"id": 1, "review": "a"}]')],
)
def test_objects_without_the_column_list_those_they_have(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    (row,) = read_rows(tmp_path / name, need=["x"])
    assert row.fault == "no column 'x'; columns: 'id', 'review'"


CP1252 = "id#text\n1#Café\n2#NULL\n".encode("cp1252")
AS_WRITTEN = Dialect(separator="#", encoding="cp1252", null=("NULL",))


def test_every_reader_of_texts_takes_the_dialect(tmp_path):
    from treesent.cli.rank import _candidates
    from treesent.data.labelled import read_labelled
    from treesent.data.texts import read_texts
    from treesent.projector.columns import read_columns
    from treesent.projector.phrases import read_texts as texts_to_project

    path = tmp_path / "a.csv"
    path.write_bytes(CP1252)
    assert list(read_texts([str(path)], dialect=AS_WRITTEN)) == ["Café"]
    assert list(texts_to_project(path, AS_WRITTEN)) == ["Café", ""]
    assert [candidate.text for candidate in _candidates(str(path), "text", AS_WRITTEN)] == ["Café", ""]
    (numbers,) = read_columns(path, ["Café", "Tee"], "text", AS_WRITTEN)
    assert numbers.name == "id" and numbers.values[0] == 1
    labelled = read_labelled(path, "text", "id", ("0", "1", "2"), dialect=AS_WRITTEN)
    assert (list(labelled.texts), labelled.n_empty) == (["Café"], 1)


def test_null_is_no_text_to_project(tmp_path):
    from treesent.projector.phrases import read_texts as texts_to_project

    (tmp_path / "a.jsonl").write_text('{"text": null}\n{"text": "a"}\n')
    assert list(texts_to_project(tmp_path / "a.jsonl")) == ["", "a"]


def test_the_corpora_of_a_recipe_have_a_dialect():
    corpora = CorporaConfig(train="a.csv", dev="b.csv", separator="#", encoding="cp1252", null=("NULL",))
    assert corpora.dialect == AS_WRITTEN


@pytest.mark.parametrize("command", ["score", "evaluate", "rank", "project"])
def test_the_commands_that_read_tables_have_the_options(command):
    shown = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).output
    assert all(option in shown for option in ("--separator", "--encoding", "--null", "--quoted-tsv"))
