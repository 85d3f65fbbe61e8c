"""Bins of confidence, and the expected calibration error."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from treesent.cli import app
from treesent.metrics.calibration import reliability


def test_the_error_is_the_mean_gap_by_hand():
    confidence = np.array([0.95, 0.95, 0.55, 0.55, 1.0])
    right = np.array([True, False, True, True, True])
    found = reliability(confidence, right)
    assert found.count.tolist() == [0] * 5 + [2] + [0] * 3 + [3]
    assert found.accuracy[5] == 1
    assert found.error == pytest.approx((2 * abs(0.55 - 1) + 3 * abs(2.9 / 3 - 2 / 3)) / 5)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=50))
def test_the_error_lies_between_zero_and_one(pairs):
    confidence, right = (np.array(values) for values in zip(*pairs, strict=True))
    found = reliability(confidence, right)
    assert 0 <= found.error <= 1 + 1e-9
    assert found.count.sum() == len(pairs)


def test_results_as_sure_as_they_are_right_have_no_error():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.2, 1, 200_000)
    assert reliability(confidence, rng.random(200_000) < confidence).error < 0.01
    assert reliability(confidence, rng.random(200_000) < confidence - 0.2).error == pytest.approx(
        0.2, abs=0.01
    )


def test_evaluate_draws_it_and_keeps_a_file_that_is_there(tmp_path):
    pytest.importorskip("matplotlib")
    trees = tmp_path / "dev.txt"
    trees.write_text("(4 (2 acting) (4 (2 was) (4 superb)))\n(1 (0 terrible) (2 film))\n", "utf-8")
    words = ["evaluate", "en_treesent_sm", str(trees), "--reliability", str(tmp_path / "r.svg")]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "expected calibration error of the roots: 0." in result.output
    assert "<svg" in (tmp_path / "r.svg").read_text("utf-8")
    again = CliRunner().invoke(app, words)
    assert again.exit_code == 1
    assert "--overwrite" in again.output
