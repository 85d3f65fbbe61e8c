"""Tables of aspects, and the commands that train a head and measure it."""

import json

import pytest
from typer.testing import CliRunner

from tests.toy_opinions import lessons
from tests.toy_pipeline import toy_nlp
from treesent.cli import app
from treesent.errors import DataError
from treesent.opinions.aspects import Aspect, read_aspects
from treesent.pipeline.lookup import component_of
from treesent.text.opening import load_pipeline

TEXT = "the plot is thin"


def table(folder, *rows):
    path = folder / "aspects.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_rows_of_a_split(tmp_path):
    plot = {"term": "plot", "from": 4, "to": 8}
    path = table(
        tmp_path,
        {"text": TEXT, "aspects": [plot | {"label": "NEG"}, plot | {"label": "conflict"}], "split": "train"},
        {"text": TEXT, "aspects": [plot | {"label": "positive"}], "split": "dev"},
        {"text": TEXT, "aspects": [{"term": None, "from": None, "to": None, "label": "negative"}]},
        {"text": TEXT, "split": "train"},
    )
    found = read_aspects(path, "train")
    assert [text.aspects for text in found] == [(Aspect(4, 8, -1), Aspect(4, 8, None)), (), ()]
    assert len(read_aspects(path)) == 4


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"text": TEXT, "aspects": [{"from": 4, "to": 99, "label": "positive"}]},
            r":1: .* lies outside the text of 16",
        ),
        ({"text": TEXT, "aspects": [{"from": 4, "to": 8, "label": "meh"}]}, r":1: the label 'meh'"),
        ({"text": TEXT, "aspects": [{"from": 4, "label": "positive"}]}, r":1: .* lacks 'to'"),
        (
            {"text": TEXT, "aspects": [{"from": "x", "to": 8, "label": "positive"}]},
            r":1: from and to of the aspect",
        ),
        ({"text": TEXT, "aspects": "plot"}, r":1: 'aspects' is 'plot'"),
        ({"text": 3, "aspects": []}, r":1: 'text' is 3"),
        ({"text": TEXT}, r"no row has aspects"),
    ],
)
def test_bad_rows_are_named(tmp_path, row, message):
    with pytest.raises(DataError, match=message):
        read_aspects(table(tmp_path, row))


def test_the_commands(tmp_path):
    rows = [
        {
            "text": lesson.text,
            "aspects": [
                {"from": a.start, "to": a.end, "label": ["negative", "neutral", "positive"][a.sign + 1]}
                for a in lesson.aspects
            ],
            "split": "dev" if place % 9 == 0 else "train",
        }
        for place, lesson in enumerate(lessons())
    ]
    data, model, out = table(tmp_path, *rows), tmp_path / "model", tmp_path / "out"
    toy_nlp().to_disk(model)
    command = [
        "aspects",
        "train",
        str(model),
        str(data),
        "-o",
        str(out),
        "--epochs",
        "1",
        "--max-texts",
        "40",
    ]
    for seed in ("0", "0", "1"):
        result = CliRunner().invoke(app, [*command, "--seed", seed, "--overwrite"])
        assert result.exit_code == 0, result.output
        (tmp_path / f"head{len(list(tmp_path.glob('head*')))}").write_bytes(
            (out / "treesent" / "opinions.safetensors").read_bytes()
        )
    first, same, other = ((tmp_path / f"head{n}").read_bytes() for n in range(3))
    assert first == same != other
    for name in ("weights.safetensors", "vectors/vectors.safetensors", "parser.safetensors"):
        assert (out / "treesent" / name).read_bytes() == (model / "treesent" / name).read_bytes()
    assert component_of(load_pipeline(out)).trained.opinions is not None
    assert CliRunner().invoke(app, command).exit_code == 1  # OUT exists
    wrong = CliRunner().invoke(app, [*command, "--overwrite", "--untagged", "aspect"])
    assert "no table 'aspect' among aspects" in wrong.output
    result = CliRunner().invoke(app, ["aspects", "evaluate", str(out), str(data), "--json"])
    score = json.loads(result.output)
    assert (score["name"], score["n"], score["n_differ"]) == ("aspects", 64, 64)
    assert 0 <= score["towards"] <= 100
    assert "aspects  " in CliRunner().invoke(app, ["aspects", "evaluate", str(out), str(data)]).output
