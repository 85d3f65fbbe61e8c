"""``treesent sample`` and ``treesent rank``: what they print, and what they say to senseless input."""

import json
import math

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from treesent.cli import app
from treesent.models.language.config import LanguageModelConfig
from treesent.models.language.model import LanguageModel
from treesent.models.language.text_losses import text_losses
from treesent.text.vocabulary import EOS, Vocabulary

LINES = ["good film", "bad film", "", "good film", "zzz", "a\tb"]


def make(**settings):
    unit = settings.get("unit", "character")
    symbols = "abdfgilmo \n" if unit == "character" else ["good", "bad", "film"]
    generator = torch.Generator().manual_seed(0)
    model = LanguageModel(
        Vocabulary(unit, list(symbols)),
        LanguageModelConfig(**{"hidden": 12, "embedding_width": 6, **settings}),
        generator=generator,
    )
    model.fit_lengths(np.array([4, 9, 12]))
    return model


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make().save("lm")
    (tmp_path / "t.txt").write_text("\n".join(LINES) + "\n")
    return tmp_path


def run(*arguments, code=0, **more):
    result = CliRunner().invoke(app, list(arguments), **more)
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result


def table(text):
    header, *rows = [line.split("\t") for line in text.splitlines()]
    return [dict(zip(header, row, strict=True)) for row in rows]


def test_every_line_is_ranked_with_its_number(folder):
    rows = table(run("rank", "lm", "t.txt").stdout)
    assert sorted(int(row["line"]) for row in rows) == [1, 2, 3, 4, 5, 6]
    assert [row["rank"] for row in rows] == list("123456")
    assert {int(row["line"]): row["text"] for row in rows} == dict(
        enumerate(["good film", "bad film", "", "good film", "zzz", "a b"], 1)
    )
    scores = [float(row["log_prob"]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    model = LanguageModel.load("lm")
    for row in rows:
        line = LINES[int(row["line"]) - 1]
        symbols = np.append(model.vocabulary.encode(line), EOS)
        wanted = -text_losses(model, [symbols])[0]
        assert float(row["log_prob"]) == pytest.approx(wanted, abs=1e-4)
        assert float(row["perplexity"]) == pytest.approx(math.exp(-wanted / len(symbols)), rel=1e-4)
        assert (int(row["symbols"]), int(row["unknown"])) == (len(line), line.count("z") + line.count("\t"))


def test_a_ranking_by_perplexity(folder):
    rows = table(run("rank", "lm", "t.txt", "--by", "perplexity").stdout)
    found = [float(row["perplexity"]) for row in rows]
    assert found == sorted(found) and len(found) == 6


@pytest.mark.parametrize("length", ["end", "go_on", "count"])
def test_endings_of_a_prefix(folder, length):
    """The ranking of endings is that of the wholes, and the differences are the same."""
    make(length=length).save("other")
    (folder / "e.jsonl").write_text('{"ending": "film"}\n\n{"ending": "good"}\n{"ending": null}\n')
    ends = run(
        "rank", "other", "e.jsonl", "--prefix", "good ", "--text-column", "ending", "--format", "jsonl"
    )
    rows = {row["line"]: row for row in map(json.loads, ends.stdout.splitlines())}
    assert list(sorted(rows)) == [1, 3, 4]
    (folder / "w.txt").write_text("good film\ngood good\ngood \n")
    wholes = {int(row["line"]): float(row["log_prob"]) for row in table(run("rank", "other", "w.txt").stdout)}
    apart = [
        wholes[1] - rows[1]["log_prob"],
        wholes[2] - rows[3]["log_prob"],
        wholes[3] - rows[4]["log_prob"],
    ]
    assert apart == pytest.approx([apart[0]] * 3, abs=1e-4)


def test_a_ranking_goes_to_a_file(folder):
    run("rank", "lm", "t.txt", "-o", "out.tsv")
    assert (folder / "out.tsv").read_text() == run("rank", "lm", "t.txt").stdout
    run("rank", "lm", "-", "-o", "out.jsonl", input="good film\n")
    assert json.loads((folder / "out.jsonl").read_text())["text"] == "good film"


def test_samples_go_to_a_file(folder):
    run("sample", "lm", "-n", "2", "--max-length", "9", "-o", "s.txt")
    assert (folder / "s.txt").read_text() == run("sample", "lm", "-n", "2", "--max-length", "9").stdout


@pytest.mark.parametrize("command", [["sample", "lm"], ["rank", "lm", "t.txt"]])
def test_an_output_that_exists_or_is_read_is_refused(folder, command):
    (folder / "o.tsv").write_text("mine")
    assert "--overwrite" in run(*command, "-o", "o.tsv", code=1).stderr
    assert (folder / "o.tsv").read_text() == "mine"
    run(*command, "-o", "o.tsv", "--overwrite")
    assert (folder / "o.tsv").read_text() == run(*command).stdout
    if command[0] == "rank":
        inside = run(*command, "-o", "t.txt", "--format", "tsv", "--overwrite", code=1)
        assert "is the input" in inside.stderr and (folder / "t.txt").read_text() == "\n".join(LINES) + "\n"


def test_one_at_a_time_is_all_together(folder):
    one, all_ = (table(run("rank", "lm", "t.txt", "--batch-size", size).stdout) for size in ("1", "64"))
    for a, b in zip(one, all_, strict=True):
        assert float(a["log_prob"]) == pytest.approx(float(b["log_prob"]), abs=1e-4)


def samples(*arguments):
    return [json.loads(line) for line in run("sample", "lm", "--json", *arguments).stdout.splitlines()]


def test_samples(folder):
    texts = samples("--prompt", "good ", "--max-length", "12", "--seed", "3")
    assert len(texts) == 8 and all(row["text"].startswith("good ") for row in texts)
    assert all(len(row["text"]) == 5 + row["symbols"] for row in texts)
    assert all(row["symbols"] <= 12 for row in texts) and not all(row["ended"] for row in texts)
    assert samples("--prompt", "good ", "--max-length", "12", "--seed", "3", "-n", "3") == texts[:3]
    assert samples("--prompt", "good ", "--max-length", "12", "--seed", "4") != texts
    lines = run("sample", "lm", "-n", "5", "--max-length", "30").stdout.splitlines()
    assert len(lines) == 5
    for line, row in zip(lines, samples("-n", "5", "--max-length", "30"), strict=True):
        assert (
            line == row["text"].replace("\n", " ").rstrip(" ") + ("" if row["ended"] else "…")
            or "\n" in row["text"]
        )


def test_options_reach_the_distribution(folder):
    greedy = samples("--temperature", "0", "--max-length", "20", "-n", "3")
    assert len({row["text"] for row in greedy}) == 1
    assert samples("--top-k", "1", "--max-length", "20", "-n", "3") == greedy
    assert samples("--top-p", "0.0001", "--max-length", "20", "-n", "3") == greedy
    assert samples("--length", "end", "-n", "2", "--max-length", "9") == samples(
        "-n", "2", "--max-length", "9"
    )


def test_words(folder):
    make(unit="word").save("words")
    texts = run(
        "sample", "words", "--prompt", "good film", "-n", "4", "--max-length", "6"
    ).stdout.splitlines()
    assert all(
        text.startswith("good film") and set(text.rstrip("…").split()) <= {"good", "bad", "film"}
        for text in texts
    )
    rows = table(run("rank", "words", "t.txt").stdout)
    assert {row["line"]: row["unknown"] for row in rows} == {
        "1": "0",
        "2": "0",
        "3": "0",
        "4": "0",
        "5": "1",
        "6": "2",
    }


def test_a_model_that_reads_backward(folder):
    make(backward=True).save("lm")
    texts = samples("--prompt", " film", "-n", "3", "--max-length", "8")
    assert all(row["text"].endswith(" film") for row in texts)
    model = LanguageModel.load("lm")
    first = table(run("rank", "lm", "t.txt").stdout)[0]
    symbols = np.append(model.vocabulary.encode(LINES[int(first["line"]) - 1])[::-1], EOS)
    assert float(first["log_prob"]) == pytest.approx(-text_losses(model, [symbols])[0], abs=1e-4)


BROKEN = {
    "unknown character": (
        ["sample", "lm", "--prompt", "goxd"],
        1,
        ["the prompt, character 3", "'x'", "write it in"],
    ),
    "unknown word": (["sample", "words", "--prompt", "good zzz"], 1, ["the prompt, word 2", "'zzz'"]),
    "unknown prefix": (["rank", "lm", "t.txt", "--prefix", "é"], 1, ["the prefix, character 1", "'é'"]),
    "another way to end": (
        ["sample", "lm", "--length", "count"],
        1,
        ["'end', not by 'count'", "--model.length"],
    ),
    "no such way": (["sample", "lm", "--length", "never"], 2, ["--length", "go_on"]),
    "no samples": (["sample", "lm", "-n", "0"], 2, ["-n", "greater than or equal to 1"]),
    "temperature below 0": (["sample", "lm", "--temperature", "-1"], 2, ["--temperature"]),
    "top-p of 0": (["sample", "lm", "--top-p", "0"], 1, ["top_p is 0.0", "must be in (0, 1]"]),
    "no such model": (["sample", "none"], 1, ["none", "language_model.safetensors", "train"]),
    "model of another kind": (
        ["rank", "pipeline", "t.txt"],
        1,
        ["pipeline", "language_model.safetensors", "char_lm"],
    ),
    "no such file": (["rank", "lm", "none.txt"], 1, ["none.txt: no such file"]),
    "empty file": (["rank", "lm", "empty.txt"], 1, ["empty.txt: no text to rank", "one per line"]),
    "no such column": (["rank", "lm", "t.csv", "--text-column", "txt"], 1, ["t.csv", "'txt'", "'text'"]),
    "a number for a text": (["rank", "lm", "t.jsonl"], 1, ["t.jsonl: row 2 (line 2)", "'text' is 5"]),
    "broken row": (["rank", "lm", "broken.jsonl"], 1, ["broken.jsonl: row 1 (line 1)", "broken JSON"]),
    "output of no kind": (
        ["rank", "lm", "t.txt", "-o", "out.xlsx"],
        1,
        ["out.xlsx", ".tsv or .jsonl", "--format"],
    ),
    "output in no folder": (
        ["rank", "lm", "t.txt", "-o", "none/out.tsv"],
        1,
        ["none/out.tsv", "no folder", "make it first"],
    ),
    "prefix of a backward model": (
        ["rank", "back", "t.txt", "--prefix", "good"],
        1,
        ["right to left", "backward"],
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_makes_no_sense_is_told(folder, case):
    make(unit="word").save("words")
    make(backward=True).save("back")
    (folder / "pipeline").mkdir()
    (folder / "pipeline" / "meta.json").write_text("{}")
    for name, content in {
        "empty.txt": "",
        "t.csv": "text\ngood\n",
        "t.jsonl": '{"text": "a"}\n{"text": 5}\n',
        "broken.jsonl": "{\n",
    }.items():
        (folder / name).write_text(content)
    arguments, code, pieces = BROKEN[case]
    result = run(*arguments, code=code)
    missing = [piece for piece in pieces if piece not in result.stderr]
    assert not missing, f"{missing} not in: {result.stderr}"
    assert result.stdout == "" and not list(folder.glob("out.*"))


def test_a_damaged_model_is_told(folder):
    path = folder / "lm" / "language_model.safetensors"
    path.write_bytes(path.read_bytes()[:50])
    assert "copy or train it again" in run("sample", "lm", code=1).stderr


def test_half_precision_keeps_lengths(folder):
    model = make(length="count")
    model.save("half", half=True)
    model.save("whole")
    half, whole = (table(run("rank", name, "t.txt").stdout) for name in ("half", "whole"))
    scores = {row["line"]: float(row["log_prob"]) for row in whole}
    for row in half:
        assert float(row["log_prob"]) == pytest.approx(scores[row["line"]], abs=0.1)
