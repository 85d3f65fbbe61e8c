"""Short texts with what a person would say."""

import json

import pytest

from tests.toy_pipeline import toy_nlp
from treesent.errors import DataError
from treesent.pipeline.cases import Case, read_cases, try_cases
from treesent.pipeline.sentiment import Sentiment


def sentiment(label, polarity):
    return Sentiment(label, [], polarity, 1.0, 0.0, "x")


@pytest.mark.parametrize(
    ("expected", "label", "polarity", "right"),
    [
        ("pos", "positive", 0.05, True),
        ("pos", "neutral", 0.05, True),
        ("pos", "neutral", 0.04, False),
        ("pos", "very negative", 0.5, False),
        ("neg", "very negative", -0.05, True),
        ("neg", "neutral", -0.04, False),
        ("neu", "neutral", -0.5, True),
        ("neu", "positive", 0.0, False),
        ("notpos", "positive", 0.4, False),
        ("notpos", "neutral", 0.4, True),
        ("notneg", "very negative", -0.4, False),
        ("notneg", "neutral", -0.4, True),
        ("mixed", "positive", 0.3, True),
        ("mixed", "positive", 0.31, False),
        ("mixed", "neutral", 0.31, True),
    ],
)
def test_what_is_right(expected, label, polarity, right):
    assert Case("a", "x", expected).holds(sentiment(label, polarity)) is right


def test_a_text_without_words_is_neutral():
    assert Case("a", "", "neu").holds(None)
    assert not Case("a", "", "pos").holds(None)


def test_cases_are_read_and_tried(tmp_path):
    rows = [
        {"kind": "a", "text": "A terrible movie!", "expected": "neu"},
        {"kind": "b", "text": " ", "expected": "neu"},
    ]
    (tmp_path / "c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    nlp = toy_nlp()
    tried = try_cases(nlp, read_cases(tmp_path / "c.jsonl"))
    assert [case.text for case, *_ in tried] == ["A terrible movie!", " "]
    assert tried[0][1] == nlp("A terrible movie!")._.sentiment
    assert tried[1][1:] == (None, True)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"kind": "a", "text": "x"}, "row 1 has no expected"),
        ({"kind": "a", "text": "x", "expected": "good"}, "row 1: expected is 'good'; use one of pos, neg"),
    ],
)
def test_bad_cases_are_named(tmp_path, row, message):
    (tmp_path / "c.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(DataError, match=message):
        read_cases(tmp_path / "c.jsonl")
