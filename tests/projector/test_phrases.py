"""Phrases of a text by their hidden state."""

import json

import numpy as np
import pytest
import spacy
import torch
from typer.testing import CliRunner

from tests.toy_pipeline import TEXT, toy_nlp
from treesent.cli import app
from treesent.errors import DataError, ModelError, VectorsError
from treesent.pipeline import record as store
from treesent.projector.phrases import hidden_states, phrases, read_texts


@pytest.fixture(scope="module")
def nlp():
    return toy_nlp()


def test_states_and_scores_belong_to_the_same_nodes(nlp):
    docs = list(nlp.pipe([TEXT, "", "good", "Not a bad film.\n\nIt was great!"]))
    predictor = nlp.get_pipe("treesent").predictor
    hidden, records = hidden_states(predictor, docs)
    network = predictor.model.network
    with torch.inference_mode():
        logits = torch.nn.functional.linear(torch.from_numpy(hidden), network.weight, network.bias)
        probs = torch.softmax(logits, dim=1).numpy()
    np.testing.assert_allclose(probs, np.concatenate([record.probs for record in records]), atol=1e-5)


def test_every_phrase_is_a_point(nlp):
    found = phrases(nlp, [TEXT])
    (doc,) = nlp.pipe([TEXT])
    ((_, record),) = store.read(doc)
    expected = set()
    for tree in range(record.n_trees):
        first, nodes = record.words[tree], record.nodes(tree)
        for start, end in zip(first + record.start[nodes], first + record.end[nodes], strict=True):
            expected.add(doc.text[record.chars[start, 0] : record.chars[end - 1, 1]].lower())
    assert {name.lower() for name in found.names} == expected
    assert len(found.names) == len(expected)
    assert found.kind == "phrases"
    assert found.matrix.shape == (len(expected), 12)


def test_columns_are_those_of_the_node(nlp):
    found = phrases(nlp, [TEXT, "The plot is thin, but the acting is superb."])
    columns = {column.name: column for column in found.columns}
    assert list(columns) == ["sentiment", "class", "confidence", "words", "places"]
    name = "A terrible movie!"
    i = found.names.index(name)
    (doc,) = nlp.pipe([TEXT])
    expected = list(doc.sents)[-1]._.sentiment
    assert columns["sentiment"].at(i) == pytest.approx(expected.polarity, abs=1e-5)
    assert columns["class"].at(i) == expected.label
    assert columns["confidence"].at(i) == pytest.approx(expected.confidence, abs=1e-5)
    assert columns["words"].at(i) == 4
    assert columns["places"].at(i) == 1
    assert columns["places"].at(found.names.index("acting")) == 2


def test_short_and_strong_phrases_come_first(nlp):
    found = phrases(nlp, [TEXT])
    columns = {column.name: column.values for column in found.columns}
    long = columns["words"] > 6
    assert not (np.diff(long.astype(int)) < 0).any()
    assert (np.diff(np.abs(columns["sentiment"][~long])) <= 1e-6).all()


def test_the_limit_holds(nlp):
    assert len(phrases(nlp, [TEXT] * 3, most=7).names) == 7


def test_texts_are_lines_or_a_column(tmp_path):
    (tmp_path / "t.txt").write_text("one\ntwo\n")
    (tmp_path / "t.csv").write_text("id,text\n1,one\n2,two\n")
    assert list(read_texts(tmp_path / "t.txt")) == list(read_texts(tmp_path / "t.csv")) == ["one", "two"]
    (tmp_path / "u.csv").write_text("id,review\n1,one\n")
    with pytest.raises(DataError, match="no column 'text'"):
        list(read_texts(tmp_path / "u.csv"))


def test_a_pipeline_without_the_component_is_named():
    with pytest.raises(ModelError, match=r"no component 'treesent'.*add_pipe"):
        phrases(spacy.blank("en"), [TEXT])


def test_too_few_phrases(nlp):
    with pytest.raises(VectorsError, match="at least 3 phrases, not 1"):
        phrases(nlp, ["good", ""])


def test_the_command_draws_phrases(nlp, tmp_path):
    nlp.to_disk(tmp_path / "model")
    (tmp_path / "reviews.txt").write_text(TEXT + "\n")
    out = tmp_path / "map.html"
    run = CliRunner().invoke(
        app,
        [
            "project",
            str(tmp_path / "reviews.txt"),
            "--from-pipeline",
            str(tmp_path / "model"),
            "-o",
            str(out),
        ],
    )
    assert run.exit_code == 0, run.output
    header = json.loads(out.read_text(encoding="utf-8").split('id="header">')[1].split("</script>")[0])
    assert header["kind"] == "phrases"
    assert header["title"] == "reviews"
    assert header["columns"][0]["name"] == "sentiment"
