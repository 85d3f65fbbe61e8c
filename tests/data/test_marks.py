"""Reading that begins at a mark gives the rows that reading from the beginning gives there."""

import gzip

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from treesent.data.dialect import Dialect
from treesent.data.tables import read_rows

LINES = st.sampled_from(
    [
        b"a,b",
        b'"a',
        b'"a\nb",c',
        b'a""b,"c',
        b'"',
        b"a,b,c",
        b"\xff,b",
        b"",
        b"\xef\xbb\xbfa,b",
        b'{"text": "x"}',
        b"x" * 60,
        b"\0",
    ]
)
ENDS = st.sampled_from([b"\n", b"\r\n"])


def check(path, **options):
    every, marks = [], []
    rows = read_rows(path, longest=50, **options)
    marks.append(rows.mark())
    for row in rows:
        every.append(row)
        marks.append(rows.mark())
    for number, mark in enumerate(marks):
        if mark is not None:
            again = read_rows(path, longest=50, start=mark, **options)
            assert again.columns == rows.columns
            assert list(again) == every[number:]
    return marks


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "txt"])
@given(st.lists(LINES, max_size=9), ENDS, st.booleans(), st.booleans())
@example([b"a,b"], b"\n", True, True)
def test_any_mark_of_any_table(tmp_path_factory, kind, lines, end, bom, told):
    path = tmp_path_factory.mktemp("marks") / f"a.{kind}"
    header = {"csv": b"text,k", "tsv": b"text\tk"}.get(kind)
    told = [b"sep=,"] if told and kind == "csv" else []
    content = end.join([*told, *([header] if header else []), *lines])
    path.write_bytes((b"\xef\xbb\xbf" if bom else b"") + content)
    check(path)


def test_every_row_of_a_plain_table_can_be_marked(tmp_path):
    (tmp_path / "a.csv").write_text("text,k\n" + '"two\nlines",1\nb,2\n' * 20)
    assert None not in check(tmp_path / "a.csv")
    assert [mark.rows for mark in check(tmp_path / "a.csv")] == list(range(41))


def test_no_mark_is_told_where_lines_behind_it_are_read(tmp_path):
    (tmp_path / "a.csv").write_text('text,k\n"a,1\nb,2\nc,3\n')
    marks = check(tmp_path / "a.csv")
    assert [mark is None for mark in marks] == [False, True, True, False]


def test_packed_and_recoded_tables_have_no_marks(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"text\na\n"))
    (tmp_path / "b.csv").write_text("text\nä\n", "utf-16")
    (tmp_path / "c.csv").write_text("text\nä\n", "cp1252")
    assert set(check(tmp_path / "a.csv.gz")) == {None}
    assert set(check(tmp_path / "b.csv")) == {None}
    assert set(check(tmp_path / "c.csv", dialect=Dialect(encoding="cp1252"))) == {None}
