"""Tables: read row by row, read with labels, and scored into another format, which must read back."""

import bz2
import csv
import datetime
import decimal
import gzip
import io
import json
import lzma
from functools import partial
from pathlib import Path

from hypothesis import strategies as st

from tests.fakes import FakePipeline
from tests.fuzz.kinds import Files, Kind
from treesent.data.dialect import Dialect
from treesent.data.labelled import read_labelled_rows
from treesent.data.tables import read_rows
from treesent.errors import TreesentError
from treesent.scoring import ScoreOptions, score

ROWS = [
    ("A fine film.", 1, "x"),
    ('Not "good", I\nsay', 0, ""),
    ("Ünï 🙂 ok", 4, "=1+1"),
    ("", 2, " "),
    ("b", 3, "é"),
]
OUTPUTS = ("jsonl", "csv", "tsv", "parquet", "txt")
NAMES = {"text": "t.txt", "csv": "t.csv", "tsv": "t.tsv", "jsonl": "t.jsonl", "parquet": "t.parquet"}
NAMES |= {"json": "t.json", "excel": "t.xlsx", "encoded": "t.csv"}
PACKED = {"t.csv.gz": partial(gzip.compress, mtime=0), "t.tsv.xz": lzma.compress, "t.jsonl.bz2": bz2.compress}


def _separated(delimiter: str) -> bytes:
    stream = io.StringIO()
    rows = [(text.replace("\n", " "), *rest) for text, *rest in ROWS] if delimiter == "\t" else ROWS
    csv.writer(stream, delimiter=delimiter).writerows([("text", "label", "note"), *rows])
    return stream.getvalue().encode()


def _jsonl() -> bytes:
    rows = [{"text": t, "label": n, "note": note, "more": [1.5, None, {"a": True}]} for t, n, note in ROWS]
    return "".join(json.dumps(row, ensure_ascii=n % 2 == 0) + "\n" for n, row in enumerate(rows)).encode()


def _parquet(**options) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    day = datetime.datetime(2020, 2, 29, 12, 30, 1, 5)
    columns = {
        "text": [text for text, _, _ in ROWS],
        "label": [label for _, label, _ in ROWS],
        "day": [day.date()] * 4 + [None],
        "stamp": pa.array([day] * 5, pa.timestamp("us", "Europe/Berlin")),
        "sum": [decimal.Decimal("1.25")] * 5,
        "real": [0.5, float("nan"), float("inf"), -0.0, 1e300],
        "raw": [b"\xff"] * 5,
        "list": [[1, 2], [], None, [3], [4]],
        "struct": [{"a": 1, "b": "x"}] * 5,
        "cat": pa.array(["a", "b", "a", "b", None]).dictionary_encode(),
    }
    stream = io.BytesIO()
    pq.write_table(pa.table(columns), stream, **options)
    return stream.getvalue()


def _array() -> bytes:
    return json.dumps([json.loads(line) for line in _jsonl().splitlines()], indent=1).encode()


def _excel() -> bytes:
    from openpyxl import Workbook

    book = Workbook()
    for row in [("text", "label", "note", None), *ROWS, ("x", 1.5, datetime.datetime(2020, 2, 29))]:
        book.active.append(row)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def _encoded() -> list[Files]:
    texts = {"utf-16": ";", "utf-32": ",", "utf-8-sig": "|"}
    return [
        {"t.csv": f"sep={mark}\r\n{_separated(mark).decode()}".encode(encoding)}
        for encoding, mark in texts.items()
    ]


def _seeds(kind: str) -> list[Files]:
    if kind == "encoded":
        return _encoded()
    if kind == "parquet":
        options = [
            {},
            {"compression": "none", "use_dictionary": False},
            {"compression": "zstd", "row_group_size": 2},
        ]
        return [{"t.parquet": _parquet(**one)} for one in options]
    plain = {
        "text": "\n".join(text for text, _, _ in ROWS).encode(),
        "csv": _separated(","),
        "tsv": _separated("\t"),
        "json": _array(),
        "excel": _excel(),
    }
    return [{NAMES[kind]: plain[kind] if kind in plain else _jsonl()}]


def _packed(folder: Path) -> list[Files]:
    plain = (_separated(","), _separated("\t"), _jsonl())
    return [{name: pack(data)} for (name, pack), data in zip(PACKED.items(), plain, strict=True)]


def _source(folder: Path) -> Path:
    return min(path for path in folder.iterdir() if path.name.startswith("t."))


def _read(folder: Path, files: Files) -> None:
    path = _source(folder)
    for quoted in (False, True) if ".tsv" in path.name else (False,):
        for row in read_rows(path, dialect=Dialect(quoted_tsv=quoted)):
            assert row.fault is None or (row.fault and not row.values), row
        try:
            labelled = read_labelled_rows(path, dialect=Dialect(quoted_tsv=quoted))
        except TreesentError:
            continue
        labelled.numbers([], 5)


def _score(folder: Path, files: Files) -> None:
    """Every row is written or rejected, and what is written reads back."""
    path = _source(folder)
    choice = sum(path.read_bytes()[-40:])
    kind = OUTPUTS[choice % 5]
    nodes = ("none", "sentences", "all")[choice % 3] if kind != "txt" else "none"
    options = ScoreOptions(on_error=("skip", "fail")[choice % 2], nodes=nodes, batch_size=4)
    before = {file.name for file in folder.iterdir()}
    try:
        summary = score(path, folder / f"out.{kind}", FakePipeline(), options)
    except TreesentError:
        left = {file.name for file in folder.iterdir()} - before
        assert all(name.endswith(".partial") for name in left), f"left behind: {left}"
        raise
    written = list(read_rows(folder / f"out.{kind}"))
    assert not any(row.fault for row in written), f"written, but refused: {written}"
    assert len(written) == summary.rows - summary.rejected, "rows were lost"


_cell = st.text(max_size=12) | st.sampled_from(
    ["", '"', 'a "b" c', "a,b", "a\tb", "a\nb", "\r", "nan", "1", "\ufeff"]
)
_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _cell,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_cell, inner, max_size=3),
    max_leaves=6,
)


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _rows(name: str, delimiter: str) -> st.SearchStrategy[Files]:
    def make(rows: list[list[str]]) -> Files:
        stream = io.StringIO()
        csv.writer(stream, delimiter=delimiter).writerows([["text", "label", "note"], *rows])
        return {name: _utf8(stream.getvalue())}

    return st.lists(st.lists(_cell, min_size=2, max_size=4), max_size=5).map(make)


def _objects() -> st.SearchStrategy[Files]:
    row = st.fixed_dictionaries(
        {"text": _cell | _value, "label": _value}, optional={"a": _value, "label2": _value}
    )
    return st.lists(row, max_size=5).map(
        lambda rows: {"t.jsonl": b"".join(json.dumps(row).encode() + b"\n" for row in rows)}
    )


def _any() -> st.SearchStrategy[Files]:
    return _rows("t.csv", ",") | _rows("t.tsv", "\t") | _objects()


GENERATED = {"csv": lambda: _rows("t.csv", ","), "tsv": lambda: _rows("t.tsv", "\t"), "jsonl": _objects}
KINDS = [
    *(
        Kind(
            kind,
            lambda folder, kind=kind: _seeds(kind),
            _read,
            2 if kind == "parquet" else 1,
            GENERATED.get(kind),
        )
        for kind in NAMES
    ),
    Kind("packed", _packed, _read),
    Kind(
        "score",
        lambda folder: [seed for kind in NAMES for seed in _seeds(kind)] + _packed(folder),
        _score,
        3,
        _any,
    ),
]
