"""Tables in, tables out: no row is lost, and an interrupted run ends as if nothing had happened."""

import base64
import datetime
import gzip
import io
import json
import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import FakeDoc, FakePipeline, FastDoc
from treesent.data.dialect import Dialect
from treesent.data.tables import read_rows
from treesent.errors import DataError, ModelError, OutputError
from treesent.scoring import ScoreOptions, parts, run, score
from treesent.scoring.results import Columns, class_names, sentences

KINDS = ("txt", "csv", "tsv", "jsonl", "parquet")
TEXTS = [
    "A fine film.",
    "",
    'Not "good", I say.',
    "line\u2028separator stays. Second one.",
    "   ",
    "Ünï 🙂 ok",
]
SCORES = [
    "label",
    "polarity",
    "confidence",
    "p_very_negative",
    "p_negative",
    "p_neutral",
    "p_positive",
    "p_very_positive",
    "unknown",
]


def write_table(path, texts=TEXTS):
    """The texts with an id before and a number behind, in the kind of the suffix."""
    kind = path.name.split(".")[1]
    rows = [{"id": f"r{i}", "text": text, "n": i} for i, text in enumerate(texts)]
    if kind == "parquet":
        pq.write_table(
            pa.Table.from_pylist(rows, pa.schema([("id", "string"), ("text", "string"), ("n", "int64")])),
            path,
        )
        return path
    if kind == "txt":
        content = "\n".join(texts)
    elif kind == "jsonl":
        content = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    elif kind == "tsv":
        content = "id\ttext\tn\n" + "".join(f"{r['id']}\t{r['text']}\t{r['n']}\n" for r in rows)
    else:
        quoted = [r["text"].replace('"', '""') for r in rows]
        content = "id,text,n\n" + "".join(
            f'{r["id"]},"{t}",{r["n"]}\n' for r, t in zip(rows, quoted, strict=True)
        )
    path.write_bytes(content.encode())
    return path


def read(path):
    return [row.values for row in read_rows(path)]


def expected(text):
    found = FakeDoc(text)._.sentiment if text.strip() else None
    return None if found is None else (found.label, round(found.polarity, 6), round(found.confidence, 6))


@pytest.mark.parametrize("output", KINDS[1:])
@pytest.mark.parametrize("source", KINDS)
def test_every_kind_becomes_every_kind(tmp_path, source, output):
    source = write_table(tmp_path / f"in.{source}")
    summary = score(source, tmp_path / f"out.{output}", FakePipeline(), ScoreOptions(batch_size=2))
    rows = read(tmp_path / f"out.{output}")
    assert (summary.rows, summary.empty, summary.rejected) == (6, 2, 0)
    own = ["text"] if source.suffix == ".txt" else ["id", "text", "n"]
    assert all(list(row) == [*own, *SCORES] for row in rows)
    assert [row["text"] for row in rows] == TEXTS
    if "n" in own:
        assert [(row["id"], int(row["n"])) for row in rows] == [(f"r{i}", i) for i in range(6)]
    for row in rows:
        values = [row[name] for name in SCORES]
        if expected(row["text"]) is None:
            assert set(values) <= {None, ""}
        else:
            assert (values[0], float(values[1]), float(values[2])) == expected(row["text"])
            assert sum(map(float, values[3:8])) == pytest.approx(1, abs=1e-5)
    assert not list(tmp_path.glob("*.partial")) and not list(tmp_path.glob("*.rejects.jsonl"))


def test_text_output_is_a_line_per_text(tmp_path):
    write_table(tmp_path / "in.txt", ["A fine film.", "", "b"])
    score(tmp_path / "in.txt", tmp_path / "out.txt", FakePipeline())
    lines = (tmp_path / "out.txt").read_text().split("\n")
    assert lines[1] == "\t\t\t" and lines[3] == ""
    label, polarity, confidence, text = lines[0].split("\t")
    assert (label, float(polarity), float(confidence)) == expected("A fine film.") and text == "A fine film."


def test_fields_of_json_pass_to_the_letter_and_may_differ(tmp_path):
    first = '{"x": 1.10, "text":"a b", "big": 12345678901234567890123, "s": "\\u00e9", "nest": {"k": [1]} }'
    (tmp_path / "a.jsonl").write_text(f'{first}\r\n\r\n{{"text": "c", "late": true}}')
    score(tmp_path / "a.jsonl", tmp_path / "b.jsonl", FakePipeline())
    assert (tmp_path / "b.jsonl").read_text().startswith(first[:-1].rstrip() + ', "label": "')
    score(tmp_path / "a.jsonl", tmp_path / "b.csv", FakePipeline())
    rows = read(tmp_path / "b.csv")
    assert list(rows[0]) == ["x", "text", "big", "s", "nest", "late", *SCORES]
    assert (rows[0]["big"], rows[0]["nest"], rows[0]["late"]) == (
        "12345678901234567890123",
        '{"k": [1]}',
        "",
    )
    assert rows[1]["late"] == "true"
    score(tmp_path / "a.jsonl", tmp_path / "b.parquet", FakePipeline())
    table = pq.read_table(tmp_path / "b.parquet")
    assert table.schema.field("x").type == pa.float64() and table.schema.field("late").type == pa.bool_()
    assert table["big"].to_pylist() == ["12345678901234567890123", None]
    assert table["nest"].to_pylist() == ['{"k": [1]}', None]


def test_numbers_of_json_that_no_double_holds_stay_whole(tmp_path):
    rows = [
        {"text": "a", "n": 2**60 + 1, "m": 2**60 + 1, "e": None},
        {"text": "b", "n": 3, "m": 0.5, "e": "x"},
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    score(tmp_path / "a.jsonl", tmp_path / "b.parquet", FakePipeline())
    table = pq.read_table(tmp_path / "b.parquet")
    assert table["n"].to_pylist() == [2**60 + 1, 3]
    assert table["m"].to_pylist() == [str(2**60 + 1), "0.5"]
    assert table["e"].to_pylist() == [None, "x"]


def test_types_of_parquet_pass_unchanged(tmp_path):
    table = pa.table(
        {
            "when": pa.array([datetime.datetime(2020, 1, 2), None], pa.timestamp("us")),
            "text": pa.array(["good", "bad"]).dictionary_encode(),
            "tags": pa.array([["a"], []], pa.list_(pa.string())),
            "raw": pa.array([b"\xff", b""]),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    score(tmp_path / "a.parquet", tmp_path / "b.parquet", FakePipeline())
    found = pq.read_table(tmp_path / "b.parquet")
    assert found.select(table.column_names).equals(table)
    assert found.column_names == [*table.column_names, *SCORES]
    score(tmp_path / "a.parquet", tmp_path / "b.jsonl", FakePipeline())
    first = read(tmp_path / "b.jsonl")[0]
    assert (first["when"], first["tags"], first["raw"]) == ("2020-01-02T00:00:00", ["a"], "/w==")


def test_line_ends_byte_order_mark_and_quoted_line_ends(tmp_path):
    (tmp_path / "a.csv").write_bytes('\ufefftext,k\r\n"two\r\nlines, ""q""",1\r\nlast,2'.encode())
    score(tmp_path / "a.csv", tmp_path / "b.csv", FakePipeline())
    rows = read(tmp_path / "b.csv")
    assert [(row["text"], row["k"]) for row in rows] == [('two\r\nlines, "q"', "1"), ("last", "2")]
    (tmp_path / "a.txt").write_bytes("\ufeffone\u2028still\x0bone\x85\r\n\r\ntwo".encode())
    score(tmp_path / "a.txt", tmp_path / "b.jsonl", FakePipeline())
    assert [row["text"] for row in read(tmp_path / "b.jsonl")] == ["one\u2028still\x0bone\x85", "", "two"]


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".bz2"])
def test_compressed_tables(tmp_path, suffix):
    plain = write_table(tmp_path / "a.csv")
    score(plain, tmp_path / f"b.csv{suffix}", FakePipeline())
    score(plain, tmp_path / "b.csv", FakePipeline())
    assert read(tmp_path / f"b.csv{suffix}") == read(tmp_path / "b.csv")
    again = (tmp_path / f"b.csv{suffix}").read_bytes()
    score(plain, tmp_path / f"b.csv{suffix}", FakePipeline(), ScoreOptions(overwrite=True))
    assert (tmp_path / f"b.csv{suffix}").read_bytes() == again
    score(tmp_path / f"b.csv{suffix}", tmp_path / "c.csv", FakePipeline(), ScoreOptions(prefix="my_"))
    assert len(read(tmp_path / "c.csv")) == 6


@pytest.mark.parametrize("output", ["jsonl", "csv", "parquet"])
@pytest.mark.parametrize("source", ["jsonl", "csv", "parquet"])
def test_every_phrase_comes_with_its_span(tmp_path, source, output):
    text = "We like it. They  do not like it."
    write_table(tmp_path / f"a.{source}", [text, " "])
    score(tmp_path / f"a.{source}", tmp_path / f"b.{output}", FakePipeline(), ScoreOptions(nodes="all"))
    rows = read(tmp_path / f"b.{output}")
    assert rows[1]["sentences"] in (None, "")
    found = rows[0]["sentences"]
    found = json.loads(found) if isinstance(found, str) else found
    assert [s["text"] for s in found] == ["We like it.", "They  do not like it."]
    phrases = found[1]["phrases"]
    assert [len(s["phrases"]) for s in found] == [5, 9]
    assert {(p["start_token"], p["end_token"]): text[p["start"] : p["end"]] for p in phrases} == {
        (3, 4): "They",
        (4, 5): "do",
        (5, 6): "not",
        (6, 7): "like",
        (7, 8): "it.",
        (6, 8): "like it.",
        (5, 8): "not like it.",
        (4, 8): "do not like it.",
        (3, 8): "They  do not like it.",
    }
    for phrase in phrases:
        if phrase["left"] is not None:
            left, right = phrases[phrase["left"]], phrases[phrase["right"]]
            assert (left["start"], left["end_token"], right["end"]) == (
                phrase["start"],
                right["start_token"],
                phrase["end"],
            )
        assert sum(phrase["probs"]) == pytest.approx(1, abs=1e-5)
    assert {k: v for k, v in phrases[-1].items() if k in found[1]} == {
        k: v for k, v in found[1].items() if k in phrases[-1]
    }
    score(tmp_path / f"a.{source}", tmp_path / f"c.{output}", FakePipeline(), ScoreOptions(nodes="sentences"))
    short = read(tmp_path / f"c.{output}")[0]["sentences"]
    short = json.loads(short) if isinstance(short, str) else short
    assert short == [{k: v for k, v in s.items() if k != "phrases"} for s in found]


def test_a_chain_of_ten_thousand_words_is_written_and_read(tmp_path):
    write_table(tmp_path / "a.txt", ["w " * 10_000])
    score(tmp_path / "a.txt", tmp_path / "b.jsonl", FakePipeline(), ScoreOptions(nodes="all"))
    assert len(read(tmp_path / "b.jsonl")[0]["sentences"][0]["phrases"]) == 19_999


# Bad rows


def lines(*entries):
    return b"".join(entry + b"\n" for entry in entries)


BAD = {
    "not utf-8": ("csv", lines(b"text", b"a", b"na\xefve", b"b"), "0xef", b"na\xefve"),
    "csv, too few": ("csv", lines(b"text,k", b"a,1", b"c", b"b,1"), "1 columns where the header has 2", b"c"),
    "csv, too many": ("csv", lines(b"text,k", b"a,1", b"c,1,2", b"b,1"), "3 columns", b"c,1,2"),
    "csv, open quote": ("csv", lines(b"text,k", b"a,1", b'"c,1', b"b,1"), "never closed", b'"c,1'),
    "csv, junk": ("csv", lines(b"text,k", b"a,1", b'"c"d,1', b"b,1"), "after the closing quote", b'"c"d,1'),
    "csv, nul": ("csv", lines(b"text,k", b"a,1", b"c\0,1", b"b,1"), "NUL", b"c\0,1"),
    "txt, nul": ("txt", lines(b"a", b"c\0", b"b"), "NUL", b"c\0"),
    "txt, not utf-8": ("txt", lines(b"a", b"\xc3(", b"b"), "not UTF-8", b"\xc3("),
    "json, broken": (
        "jsonl",
        lines(b'{"text":"a"}', b'{"text":', b'{"text":"b"}'),
        "broken JSON",
        b'{"text":',
    ),
    "json, list": ("jsonl", lines(b'{"text":"a"}', b'["c"]', b'{"text":"b"}'), "object expected", b'["c"]'),
    "json, missing": (
        "jsonl",
        lines(b'{"text":"a"}', b'{"t":1}', b'{"text":"b"}'),
        "no column 'text'",
        b'{"t":1}',
    ),
    "json, number": (
        "jsonl",
        lines(b'{"text":"a"}', b'{"text":7}', b'{"text":"b"}'),
        "'7', a int",
        b'{"text":7}',
    ),
    "json, nul": (
        "jsonl",
        lines(b'{"text":"a"}', b'{"text":"\\u0000"}', b'{"text":"b"}'),
        "NUL",
        b'{"text":"\\u0000"}',
    ),
    "too long": ("txt", lines(b"a", b"x" * 1_000_001, b"b"), "1000000 is the most", b"x" * 1_000_001),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_row_is_kept_among_the_rejects_or_stops_the_run(tmp_path, case):
    kind, content, reason, raw = BAD[case]
    source, output = tmp_path / f"in.{kind}", tmp_path / "out.jsonl"
    source.write_bytes(content)
    with pytest.raises(DataError) as caught:
        score(source, output, FakePipeline())
    line = 3 if kind == "csv" else 2
    assert reason in str(caught.value) and str(caught.value).startswith(f"{source}:{line}: row 2: ")
    assert [path.name for path in tmp_path.iterdir()] == [source.name]
    summary = score(source, output, FakePipeline(), ScoreOptions(on_error="skip"))
    assert [row["text"] for row in read(output)] == ["a", "b"]
    assert (summary.rows, summary.rejected, summary.rejects) == (3, 1, tmp_path / "out.jsonl.rejects.jsonl")
    (reject,) = read(summary.rejects)
    assert (reject["row"], reject["line"]) == (2, line) and reason in reject["reason"]
    kept = base64.b64decode(reject["raw_base64"]) if "raw_base64" in reject else reject["raw"].encode()
    assert kept == raw


def test_null_in_parquet_gets_empty_scores_and_an_empty_id_is_rejected(tmp_path):
    pq.write_table(pa.table({"text": ["a", None, "b"], "id": [1, 2, None]}), tmp_path / "a.parquet")
    for kind in ("parquet", "csv"):
        output = tmp_path / f"b.{kind}"
        options = ScoreOptions(on_error="skip", id_column="id")
        summary = score(tmp_path / "a.parquet", output, FakePipeline(), options)
        assert (summary.empty, summary.rejected) == (1, 1)
        assert [(row["text"] or None, row["label"] or None) for row in read(output)] == [
            ("a", "positive"),
            (None, None),
        ]
        (reject,) = read(tmp_path / f"b.{kind}.rejects.jsonl")
        assert reject["row"] == 3 and json.loads(reject["raw"])["text"] == "b"


def test_a_tab_has_no_place_in_tsv_without_quotes(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "a\\tb"}\n')
    with pytest.raises(DataError, match="use --quoted-tsv"):
        score(tmp_path / "a.jsonl", tmp_path / "b.tsv", FakePipeline())
    score(tmp_path / "a.jsonl", tmp_path / "b.tsv", FakePipeline(), ScoreOptions(quoted_tsv=True))
    assert next(read_rows(tmp_path / "b.tsv", dialect=Dialect(quoted_tsv=True))).values["text"] == "a\tb"


@given(
    st.lists(
        st.binary(max_size=12) | st.sampled_from([b"a,b", b'"a', b'"a\nb",c', b'"', b"a,b,c", b"\xff,b"])
    )
)
def test_no_row_of_any_csv_is_lost(tmp_path_factory, entries):
    folder = tmp_path_factory.mktemp("csv")
    content = b"text,k\n" + b"\n".join(entries)
    (folder / "a.csv").write_bytes(content)
    options = ScoreOptions(on_error="skip", overwrite=True)
    summary = score(folder / "a.csv", folder / "b.jsonl", FakePipeline(), options)
    raws = [row.raw.encode("utf-8", "surrogateescape") for row in read_rows(folder / "a.csv")]
    kept = b"".join(raws).translate(None, b"\r\n")
    assert kept == content.removeprefix(b"text,k\n").translate(None, b"\r\n")
    assert len(read(folder / "b.jsonl")) + summary.rejected == len(raws) == summary.rows


# Refusals


def test_clashing_names_are_refused_with_the_way_out(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\na,1\n")
    with pytest.raises(DataError, match=r"'label' already.*--prefix"):
        score(tmp_path / "a.csv", tmp_path / "b.csv", FakePipeline())
    score(tmp_path / "a.csv", tmp_path / "b.csv", FakePipeline(), ScoreOptions(prefix="sentiment_"))
    assert list(read(tmp_path / "b.csv")[0]) == ["text", "label", *(f"sentiment_{name}" for name in SCORES)]
    (tmp_path / "a.jsonl").write_text('{"text":"a"}\n{"text":"a","label":1}\n')
    with pytest.raises(DataError, match=r"a.jsonl:2: the input has 'label'"):
        score(tmp_path / "a.jsonl", tmp_path / "b.jsonl", FakePipeline(), ScoreOptions(on_error="skip"))


def test_what_exists_is_kept(tmp_path):
    source, output = write_table(tmp_path / "a.txt"), tmp_path / "b.jsonl"
    output.write_text("precious")
    with pytest.raises(OutputError, match=r"exists already.*--overwrite"):
        score(source, output, FakePipeline())
    assert output.read_text() == "precious"
    score(source, output, FakePipeline(), ScoreOptions(overwrite=True))
    assert len(read(output)) == 6
    with pytest.raises(OutputError, match="is the input as well"):
        score(source, source, FakePipeline(), ScoreOptions(overwrite=True))
    with pytest.raises(OutputError, match="there is no folder"):
        score(source, tmp_path / "none" / "b.jsonl", FakePipeline())
    stale = tmp_path / "b.jsonl.rejects.jsonl"
    stale.write_text("stale")
    score(source, output, FakePipeline(), ScoreOptions(overwrite=True))
    assert not stale.exists()


def test_a_pipeline_without_the_component_is_refused(tmp_path):
    import spacy

    with pytest.raises(ModelError, match="no component 'treesent'"):
        class_names(spacy.blank("en"))


def test_streams():
    out = io.BytesIO()
    summary = score("-", "-", FakePipeline(), stdin=io.BytesIO(b"a b\n\nc"), stdout=out)
    assert [json.loads(line)["text"] for line in out.getvalue().splitlines()] == ["a b", "", "c"]
    assert summary.rows == 3
    out = io.BytesIO()
    score("-", "-", FakePipeline(), ScoreOptions(kind="csv"), stdin=io.BytesIO(b"text\na\n"), stdout=out)
    assert out.getvalue().startswith(b"text,label,polarity")
    with pytest.raises(DataError, match="only in a file"):
        score("-", "-", FakePipeline(), ScoreOptions(input_kind="jsonl", output_kind="csv"))


def test_standard_input_into_a_file(tmp_path):
    score(
        "-", tmp_path / "b.csv", FakePipeline(), ScoreOptions(kind="csv"), stdin=io.BytesIO(b"text,k\na,1\n")
    )
    assert read(tmp_path / "b.csv")[0]["k"] == "1"


@pytest.mark.parametrize("kind", KINDS[1:])
def test_a_table_without_rows(tmp_path, kind):
    source = write_table(tmp_path / f"a.{kind}", [])
    for output in KINDS[1:]:
        score(source, tmp_path / f"b.{output}", FakePipeline())
        assert read(tmp_path / f"b.{output}") == []


def test_the_names_of_the_columns():
    columns = Columns(("so so", "b"), "all", "my_")
    assert columns.names == [
        *("my_label", "my_polarity", "my_confidence", "my_p_so_so", "my_p_b", "my_unknown", "my_sentences"),
    ]
    assert sentences(FakeDoc(""), phrases=True) == []


def flat(value):
    """All numbers in a value, and all else."""
    if isinstance(value, dict | list):
        parts = [flat(item) for item in (value.values() if isinstance(value, dict) else value)]
        return [n for numbers, _ in parts for n in numbers], [t for _, texts in parts for t in texts]
    return ([value], []) if isinstance(value, float) else ([], [value])


def test_the_batch_size_does_not_show(tmp_path):
    from tests.toy_pipeline import TEXT, toy_nlp

    nlp = toy_nlp()
    source = write_table(
        tmp_path / "a.csv", [TEXT, "", "A good film.", "\U0001f642", "It was not bad. " * 40] * 4
    )
    found = []
    for size in (1, 7, 64):
        output = tmp_path / f"{size}.jsonl"
        score(source, output, nlp, ScoreOptions(batch_size=size, nodes="all"))
        found.append(read(output))
    assert [len(row["sentences"] or ()) for row in found[0][:5]] == [2, 0, 1, 1, 40]
    for other in found[1:]:
        (numbers, texts), (others, same) = flat(found[0]), flat(other)
        assert texts == same and numbers == pytest.approx(others, abs=1e-5)
    phrase = found[0][0]["sentences"][1]["phrases"][-1]
    doc = nlp(TEXT)
    assert phrase["probs"] == pytest.approx(list(doc.sents)[1]._.sentiment.probs.tolist(), abs=1e-5)
    assert TEXT[phrase["start"] : phrase["end"]] == doc[phrase["start_token"] : phrase["end_token"]].text


# Interruptions

SCRIPT = """
import sys
sys.path[:0] = [{tests!r}]
from tests.fakes import FakePipeline
import treesent
from treesent.scoring import parts
parts.PART_TEXTS = dict.fromkeys(parts.PART_TEXTS, 20)
pause = float(sys.argv.pop(1))
treesent.load = lambda name: FakePipeline(pause)
from treesent.cli import app
app(sys.argv[1:])
"""


def command(pause, *arguments):
    script = SCRIPT.format(tests=str(Path(__file__).parents[2]))
    return [sys.executable, "-c", script, str(pause), "score", *map(str, arguments)]


def big(path):
    texts = [f"Text number {i}. It is {'good' if i % 3 else 'bad'}." if i % 7 else "" for i in range(300)]
    return write_table(path, texts)


def interrupt(source, output, *options, at=4, how=signal.SIGKILL):
    with subprocess.Popen(
        command(0.002, source, "-o", output, *options),
        stderr=subprocess.PIPE,
        # Under nohup the tests themselves ignore SIGHUP, and would hand that on.
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    ) as process:
        until = time.monotonic() + 60
        while not Path(f"{output}.partial", f"part-{at:06d}.json").exists() and process.poll() is None:
            assert time.monotonic() < until
            time.sleep(0.002)
        process.send_signal(how)
        process.wait(60)
    return process.returncode


@pytest.mark.parametrize(
    ("source", "output"),
    [
        ("csv", "csv"),
        ("txt", "tsv"),
        ("jsonl", "csv"),
        ("parquet", "parquet"),
        pytest.param("jsonl", "jsonl", marks=pytest.mark.slow),
        pytest.param("jsonl", "parquet", marks=pytest.mark.slow),
    ],
)
def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path, source, output):
    source = big(tmp_path / f"a.{source}")
    if source.suffix in (".csv", ".jsonl"):
        source.write_bytes(source.read_bytes() + b"\xff\n")
    quiet = tmp_path / f"quiet.{output}"
    options = ("--on-error", "skip", "--nodes", "all")
    done = subprocess.run(
        command(0, source, "-o", quiet, *options), check=False, capture_output=True, text=True
    )
    assert done.returncode == (3 if source.suffix in (".csv", ".jsonl") else 0), done.stderr
    output = tmp_path / f"out.{output}"
    assert interrupt(source, output, *options) == -signal.SIGKILL
    assert not output.exists()
    assert interrupt(source, output, *options, "--resume", at=9) == -signal.SIGKILL
    assert not output.exists()
    before = sorted(path.name for path in Path(f"{output}.partial").glob("part-*.json"))
    assert len(before) >= 10
    done = subprocess.run(
        command(0, source, "-o", output, *options, "--resume"), check=False, capture_output=True
    )
    assert output.read_bytes() == quiet.read_bytes()
    rejects = Path(f"{quiet}.rejects.jsonl")
    assert rejects.exists() == Path(f"{output}.rejects.jsonl").exists()
    if rejects.exists():
        assert rejects.read_bytes() == Path(f"{output}.rejects.jsonl").read_bytes()
    assert not Path(f"{output}.partial").exists()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_leaves_no_final_file_and_what_resume_needs(tmp_path, number, code):
    source, output = big(tmp_path / "a.csv"), tmp_path / "b.csv"
    assert interrupt(source, output, how=number) == code
    assert not output.exists() and Path(f"{output}.partial").is_dir()
    again = subprocess.run(command(0, source, "-o", output), check=False, capture_output=True, text=True)
    assert again.returncode == 1 and "continue it with --resume" in again.stderr
    assert (
        subprocess.run(
            command(0, source, "-o", output, "--resume"), check=False, capture_output=True
        ).returncode
        == 0
    )


@pytest.fixture
def unfinished(tmp_path, monkeypatch):
    """A source and an output with some parts done."""
    monkeypatch.setattr(parts, "PART_TEXTS", dict.fromkeys(parts.PART_TEXTS, 2))
    source, output = write_table(tmp_path / "a.csv"), tmp_path / "b.csv"

    def stop(done, total=None):
        if done >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score(source, output, FakePipeline(), progress=stop)
    assert Path(f"{output}.partial").is_dir()
    return source, output


def test_only_what_is_left_is_scored(unfinished):
    nlp = FakePipeline()
    score(*unfinished, nlp, ScoreOptions(resume=True))
    assert nlp.texts == [TEXTS[5]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 3}, "--batch-size was 64, now 3"),
        ({"nodes": "all"}, "--nodes was 'none', now 'all'"),
        ({"prefix": "x_"}, "--prefix was '', now 'x_'"),
        ({"id_column": "id"}, "--id-column was None, now 'id'"),
    ],
)
def test_a_run_with_other_options_does_not_go_on(unfinished, change, message):
    with pytest.raises(DataError, match=message):
        score(*unfinished, FakePipeline(), replace(ScoreOptions(resume=True), **change))


def test_a_run_on_a_changed_input_or_with_another_model_does_not_go_on(unfinished):
    source, output = unfinished
    other = FakePipeline()
    other.meta = {"name": "other"}
    with pytest.raises(DataError, match="the model was"):
        score(source, output, other, ScoreOptions(resume=True))
    source.write_bytes(source.read_bytes().replace(b"fine", b"poor"))
    with pytest.raises(DataError, match="the input's content was"):
        score(source, output, FakePipeline(), ScoreOptions(resume=True))
    score(source, output, FakePipeline(), ScoreOptions(overwrite=True))
    assert len(read(output)) == 6


def test_an_input_that_changes_under_way_is_noticed(tmp_path):
    source = write_table(tmp_path / "a.csv")

    def change(done, total=None):
        os.utime(source, (1, 1))

    with pytest.raises(DataError, match="changed while it was read"):
        score(source, tmp_path / "b.csv", FakePipeline(), progress=change)
    assert not (tmp_path / "b.csv").exists()


def test_what_is_not_ours_is_not_cleared_away(tmp_path):
    source, folder = write_table(tmp_path / "a.csv"), tmp_path / "b.csv.partial"
    folder.mkdir()
    (folder / "thesis.tex").write_text("precious")
    for options in (ScoreOptions(), ScoreOptions(overwrite=True)):
        with pytest.raises(DataError, match=r"thesis\.tex is not part"):
            score(source, tmp_path / "b.csv", FakePipeline(), options)
    assert (folder / "thesis.tex").read_text() == "precious"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    source, folder = write_table(tmp_path / "a.csv"), tmp_path / "closed"
    folder.mkdir(mode=0o500)
    with pytest.raises(DataError, match="Permission denied"):
        score(source, folder / "b.csv", FakePipeline())


def test_two_runs_do_not_share_an_output(tmp_path):
    source, output = write_table(tmp_path / "a.csv"), tmp_path / "b.csv"

    def second(done, total=None):
        with pytest.raises(DataError, match="another run is writing"):
            score(source, output, FakePipeline(), ScoreOptions(resume=True))

    score(source, output, FakePipeline(), progress=second)
    assert len(read(output)) == 6


def test_a_kill_between_the_last_part_and_the_file(tmp_path, monkeypatch):
    source, output = write_table(tmp_path / "a.csv"), tmp_path / "b.csv"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(run, "replacing_path", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        score(source, output, FakePipeline())
    assert not output.exists()
    score(source, output, FakePipeline(), ScoreOptions(resume=True))
    score(source, tmp_path / "c.csv", FakePipeline())
    assert output.read_bytes() == (tmp_path / "c.csv").read_bytes()


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_full_disk_leaves_no_final_file(tmp_path, kind):
    source, output = big(tmp_path / f"a.{kind}"), tmp_path / f"b.{kind}"

    def small():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, 9_000))

    full = command(0, source, "-o", output, "--nodes", "sentences")
    done = subprocess.run(full, check=False, capture_output=True, text=True, preexec_fn=small)
    assert done.returncode == 1 and "nothing new stands under that name" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and not output.exists()
    again = [*full, *(["--resume"] if "--resume" in done.stderr else [])]
    assert subprocess.run(again, check=False, capture_output=True).returncode == 0
    assert len(read(output)) == 300


def test_a_damaged_archive_is_told_whatever_on_error_says(tmp_path):
    packed = gzip.compress(write_table(tmp_path / "a.csv").read_bytes())
    (tmp_path / "a.csv.gz").write_bytes(packed[:-12])
    with pytest.raises(DataError, match="cut short or damaged"):
        score(tmp_path / "a.csv.gz", tmp_path / "b.csv", FakePipeline(), ScoreOptions(on_error="skip"))
    assert not (tmp_path / "b.csv").exists()


# VmHWM starts anew with the process; ru_maxrss would begin at the peak of the one that started it.
MEMORY = """
import pathlib, re, sys
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1])
sys.path[:0] = [{tests!r}]
from tests.fakes import FakePipeline, FastDoc
from treesent.scoring import ScoreOptions, score
import pyarrow.parquet
nlp = FakePipeline(doc=FastDoc)
score({small!r}, {small!r} + ".out", nlp, ScoreOptions(output_kind={kind!r}))
before = peak()
print(score({source!r}, {source!r} + ".out", nlp, ScoreOptions(output_kind={kind!r})).rows)
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_memory_stays_flat_over_a_million_rows(tmp_path, kind):
    texts = [f"Short text number {i}." for i in range(1_000_000)]
    source, small = (
        write_table(tmp_path / f"a.{kind}", texts),
        write_table(tmp_path / f"s.{kind}", texts[:20_000]),
    )
    script = MEMORY.format(
        tests=str(Path(__file__).parents[2]), small=str(small), source=str(source), kind=kind
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    rows, grown = map(int, done.stdout.split())
    assert rows == 1_000_000
    assert grown < 60_000, f"{grown} KiB more than with 20,000 rows"
    assert FastDoc is not FakeDoc
