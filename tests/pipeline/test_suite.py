"""Many tables at once."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treesent.errors import DataError
from treesent.metrics.calibration import reliability
from treesent.pipeline.suite import run_suite, vader_scorer

ROWS = [
    {"text": "a great film", "label": "positive", "split": "dev"},
    {"text": "a terrible film", "label": "very negative", "split": "dev"},
    {"text": "a film", "label": "neutral", "split": "dev"},
    {"text": "a good film", "label": "negative", "split": "dev"},
    {"text": "a bad film", "label": "negative", "split": "train"},
    {"text": "so so", "label": "neutral", "split": "dev", "mixed": True},
    {"text": "both", "label": None, "split": "dev"},
]


def scorer(texts):
    polarity = np.array(
        [{"great": 0.9, "good": 0.5, "terrible": -0.9}.get(text.split()[1], 0.0) for text in texts]
    )
    return polarity, np.sign(polarity).astype(np.int64), np.full(len(texts), 0.75)


def test_a_table_is_measured_on_its_dev_rows(tmp_path):
    (tmp_path / "films.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (tmp_path / "plain.jsonl").write_text(json.dumps({"text": "a"}) + "\n")
    with pytest.warns(UserWarning, match="plain.jsonl: left out"):
        (found,) = run_suite(tmp_path, scorer)
    assert (found.name, found.n) == ("films", 4)
    assert found.accuracy == pytest.approx(75)
    assert found.recall == pytest.approx(100 * (1 + 1 + 0.5) / 3)
    assert found.binary == pytest.approx(100 * 2 / 3)
    assert found.calibration_error == pytest.approx(0)


def test_a_word_list_is_measured_too(tmp_path):
    (tmp_path / "films.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS[:3]))
    (found,) = run_suite(tmp_path, vader_scorer())
    assert found.accuracy == found.binary == 100


@pytest.mark.parametrize(
    ("name", "label", "message"),
    [
        ("a.jsonl", "splendid", "the label 'splendid' has no side"),
        ("a.txt", "positive", "no table NAME.jsonl"),
    ],
)
def test_what_cannot_be_measured(tmp_path, name, label, message):
    (tmp_path / name).write_text(json.dumps({"text": "a", "label": label, "split": "dev"}) + "\n")
    with pytest.raises(DataError, match=message):
        list(run_suite(tmp_path, scorer))


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=30))
def test_calibration_error_is_a_mean_gap(pairs):
    confidence, right = np.array([c for c, _ in pairs]), np.array([r for _, r in pairs])
    error = reliability(confidence, right).error
    assert abs(confidence.mean() - right.mean()) - 1e-9 <= error <= 1 + 1e-9
    assert reliability(np.ones(4), np.array([True, True, False, False])).error == pytest.approx(0.5)
