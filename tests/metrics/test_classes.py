"""Labels that agree with their polarity."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treesent.metrics.aggregation import AGGREGATES, document_probs
from treesent.metrics.classes import REACH, confidences, predicted_classes

FIVE = np.linspace(-1, 1, 5, dtype=np.float32)


@st.composite
def distributions(draw, n_classes=5):
    n = draw(st.integers(1, 6))
    weights = draw(st.lists(st.integers(0, 100), min_size=n * n_classes, max_size=n * n_classes))
    table = np.array(weights, np.float32).reshape(n, n_classes) + 1e-3
    return table / table.sum(1, keepdims=True)


@given(distributions(), st.sampled_from(AGGREGATES), st.data())
def test_label_and_polarity_agree_whatever_the_aggregate(probs, aggregate, data):
    lengths = np.array(data.draw(st.lists(st.integers(1, 9), min_size=len(probs), max_size=len(probs))))
    whole = document_probs(probs, np.array([0, len(probs)]), lengths, aggregate, FIVE)
    for rows in (probs, whole):
        value = FIVE[predicted_classes(rows, FIVE)]
        polarity = rows @ FIVE
        assert (value * polarity >= 0).all()
        assert (np.abs(value - polarity) <= REACH * 0.5 + 1e-5).all()


@given(distributions())
def test_the_most_probable_class_is_chosen_where_it_agrees(probs):
    best = probs.argmax(1)
    polarity = probs @ FIVE
    agrees = (FIVE[best] * polarity >= 0) & (np.abs(FIVE[best] - polarity) <= REACH * 0.5)
    chosen = predicted_classes(probs, FIVE)
    own = np.take_along_axis(probs, chosen[:, None], 1)[:, 0]
    assert (own[agrees] >= probs.max(1)[agrees] - 3e-6).all()


@given(distributions(2), distributions(3))
def test_two_classes_and_classes_without_values_take_the_most_probable(two, three):
    assert np.array_equal(predicted_classes(two, np.array([-1, 1], np.float32)), two.argmax(1))
    assert np.array_equal(predicted_classes(three, np.full(3, np.nan, np.float32)), three.argmax(1))


@given(distributions(3))
def test_classes_far_apart_still_have_one_that_agrees(probs):
    values = np.array([-1, 0.9, 1], np.float32)
    assert (values[predicted_classes(probs, values)] * (probs @ values) >= 0).all()


def test_two_equal_peaks_are_neither():
    torn = np.array([[0.46, 0.02, 0.03, 0.01, 0.48], [0.5, 0, 0, 0, 0.5]], np.float32)
    assert predicted_classes(torn, FIVE).tolist() == [2, 2]


@pytest.mark.parametrize(("unknown", "expected"), [(0, 0.9), (0.5, 0.9), (0.75, 0.55), (1, 0.2)])
def test_a_text_of_unknown_words_is_a_guess(unknown, expected):
    probs = np.array([[0.025, 0.025, 0.9, 0.025, 0.025]], np.float32)
    assert confidences(probs, np.array([2]), np.array([unknown]))[0] == pytest.approx(expected, abs=1e-6)
