"""Tables are read row by row, and a bad row never ends the file."""

import gzip
import io
import json

import pytest

from treesent.data.dialect import Dialect
from treesent.data.labelled import read_labelled
from treesent.data.tables import read_rows, table_kind
from treesent.errors import DataError

ROWS = [{"text": 'He said "no", twice.', "label": "0"}, {"text": "Zwei Zeilen: ü 🙂", "label": "4"}]


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_all_kinds_give_the_same_rows(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "a.parquet")
    write(tmp_path / "a.csv", 'text,label\r\n"He said ""no"", twice.",0\r\nZwei Zeilen: ü 🙂,4\r\n')
    write(tmp_path / "a.tsv", 'text\tlabel\nHe said "no", twice.\t0\nZwei Zeilen: ü 🙂\t4\n')
    write(tmp_path / "a.jsonl", "\n\n".join(map(json.dumps, ROWS)))
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress((tmp_path / "a.jsonl").read_bytes()))
    for name in ("a.parquet", "a.csv", "a.tsv", "a.jsonl", "a.jsonl.gz"):
        rows = list(read_rows(tmp_path / name, need=["text"]))
        assert [row.values for row in rows] == ROWS, name
        assert [row.number for row in rows] == [1, 2]
        assert not any(row.fault for row in rows)


def test_a_stream_and_a_byte_order_mark(tmp_path):
    assert [r.values for r in read_rows(io.BytesIO("\ufeffa\nb\n".encode()), "txt")] == [
        {"text": "a"},
        {"text": "b"},
    ]
    rows = list(read_rows(write(tmp_path / "a.csv", b"\xef\xbb\xbftext\nx\n"), need=["text"]))
    assert rows[0].values == {"text": "x"}


def test_quotes_are_literal_in_tsv_unless_asked(tmp_path):
    path = write(tmp_path / "a.tsv", 'text\tlabel\n"open\t1\n"a ""b"""\t2\n')
    assert [row.values["text"] for row in read_rows(path)] == ['"open', '"a ""b"""']
    path = write(tmp_path / "b.tsv", 'text\tlabel\n"a ""b"""\t2\n')
    assert next(read_rows(path, dialect=Dialect(quoted_tsv=True))).values["text"] == 'a "b"'


def test_quoted_fields_hold_line_ends(tmp_path):
    rows = list(read_rows(write(tmp_path / "a.csv", 'text,label\n"one\ntwo",1\nx,2\n')))
    assert [(r.number, r.line, r.values["text"]) for r in rows] == [(1, 2, "one\ntwo"), (2, 4, "x")]


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("a.csv", b"text,label\nok,1\nna\xefve,1\nok,1\n", "not UTF-8: byte 0xef at character 3"),
        ("a.csv", b"text,label\nok,1\nonly\nok,1\n", "1 columns where the header has 2"),
        ("a.csv", b"text,label\nok,1\na,b,c\nok,1\n", "3 columns where the header has 2"),
        ("a.csv", b'text,label\nok,1\n"a"b,1\nok,1\n', "after the closing quote"),
        ("a.csv", b'text,label\nok,1\n"a,1\nok,1\n', "never closed"),
        ("a.csv", b"text,label\nok,1\na\0b,1\nok,1\n", "NUL"),
        ("a.jsonl", b'{"text":"ok"}\n{"text":\n{"text":"ok"}\n', "broken JSON"),
        ("a.jsonl", b'{"text":"ok"}\n{"text":NaN}\n{"text":"ok"}\n', "NaN is not a JSON value"),
        ("a.jsonl", b'{"text":"ok"}\n{"text":"\\ud800"}\n{"text":"ok"}\n', "surrogate"),
        ("a.jsonl", b'{"text":"ok"}\n["a"]\n{"text":"ok"}\n', "a JSON object expected, found list"),
        ("a.jsonl", b'{"text":"ok"}\n{"txt":"a"}\n{"text":"ok"}\n', "no column 'text'"),
        ("a.jsonl", b'{"text":"ok"}\n' + b"[" * 100_000 + b'\n{"text":"ok"}\n', "broken JSON"),
        ("a.txt", b"ok\n\xff\nok\n", "not UTF-8: byte 0xff at character 1"),
    ],
)
def test_a_bad_row_does_not_end_the_file(tmp_path, name, content, fault):
    rows = list(read_rows(write(tmp_path / name, content), need=["text"]))
    assert len(rows) == 3
    assert fault in rows[1].fault
    assert rows[1].values == {}
    assert [row.fault for row in rows[::2]] == [None, None]
    assert {row.values["text"] for row in rows[::2]} == {"ok"}


def test_the_record_comes_along_as_it_stands(tmp_path):
    path = write(tmp_path / "a.csv", b'text,n\r\n"a ""b""\r\nc",1\r\nna\xefve,2')
    rows = list(read_rows(path))
    assert [row.raw.encode("utf-8", "surrogateescape") for row in rows] == [
        b'"a ""b""\r\nc",1',
        b"na\xefve,2",
    ]
    long = "x" * 1_000_000
    assert next(read_rows(write(path, f'text\n"{long}"\n'))).values == {"text": long}
    assert [row.number for row in read_rows(path, skip=1)] == []


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "empty; a header"),
        ("a.csv", "txt,label\na,1\n", "no column 'text'; did you mean 'txt'?"),
        ("a.csv", "text,text\na,1\n", "'text' stands twice"),
        ("a.csv", b"te\xffxt,label\na,1\n", "header is refused: not UTF-8"),
        ("a.parquet", "no parquet", "not a parquet file"),
        ("a.jsonl.gz", "no gzip", "cut short or damaged"),
        ("a.doc", "", "the suffix '.doc' names no kind"),
        ("a.xls", "", "not an Excel file, or damaged"),
    ],
)
def test_a_bad_file_is_refused_with_its_reason(tmp_path, name, content, message):
    with pytest.raises(DataError, match=message.replace("?", "\\?")):
        list(read_rows(write(tmp_path / name, content), need=["text"]))


def test_missing_file_and_kinds(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_rows(tmp_path / "none.csv")
    with pytest.raises(DataError, match="a folder"):
        (tmp_path / "d.csv").mkdir()
        read_rows(tmp_path / "d.csv")
    assert table_kind("x/Y.TSV.gz") == "tsv"


def test_labels_are_integers_or_names_and_empty_texts_are_counted(tmp_path):
    path = write(tmp_path / "a.jsonl", "")
    values = [("a", 0), ("b", "1"), ("c", "Good"), ("d", 2.0), ("", 7), (" ", None), (None, "x")]
    path.write_text("\n".join(json.dumps({"text": t, "label": x}) for t, x in values))
    table = read_labelled(path, names=["bad", "so-so", "good"])
    assert table.texts == ["a", "b", "c", "d"]
    assert table.labels == [0, 1, 2, 2]
    assert table.n_empty == 3


@pytest.mark.parametrize("value", [3, -1, "3", "1.5", "goood", None, True, "", [1], 1.5, 1e400, "nan"])
def test_a_bad_label_is_named_with_its_row(tmp_path, value):
    path = write(tmp_path / "a.jsonl", "")
    bad = json.dumps({"text": "b", "label": value}).replace("Infinity", "1e400")
    path.write_text(json.dumps({"text": "a", "label": 1}) + "\n" + bad)
    with pytest.raises(DataError, match=r"row 2 \(line 2\): 'label' is .* from 0 to 2 or one of 'bad'"):
        read_labelled(path, names=["bad", "so-so", "good"])
