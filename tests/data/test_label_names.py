"""Labels as people write them."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treesent.data.label_names import LabelNames
from treesent.data.labelled import read_labelled_rows
from treesent.data.row_rules import RowRules
from treesent.errors import DataError
from treesent.trees.label_sets import members, set_label

FIVE = ("very negative", "negative", "neutral", "positive", "very positive")
THREE, TWO = FIVE[1:4], ("negative", "positive")
BAD, NEUTRAL, GOOD = {0, 1}, {2}, {3, 4}


def read(names, values):
    """The classes that each value names."""
    reader = LabelNames(names, len(names), set(values))
    found = [reader.read(value) for value in values]
    return [
        None if f is None else set(np.flatnonzero(members(np.array([f]), len(names))[0]).tolist())
        for f in found
    ]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["negative", "positive"], [BAD, GOOD]),
        (["NEG", "neu", "Pos"], [BAD, NEUTRAL, GOOD]),
        (["negative", "very positive"], [{1}, {4}]),
        (["very_negative", "Very-Positive"], [{0}, {4}]),
        (["positive|very positive", "negative"], [GOOD, {1}]),
        ([0, 1], [BAD, GOOD]),
        (["0", "1"], [BAD, GOOD]),
        (["LABEL_0", "LABEL_1"], [BAD, GOOD]),
        ([-1, 0, 1], [BAD, NEUTRAL, GOOD]),
        ([0, 1, 2], [BAD, NEUTRAL, GOOD]),
        ([0, 1, 2, 3, 4], [{0}, {1}, {2}, {3}, {4}]),
        ([0, 4], [{0}, {4}]),
        ([5, "good", "", "positive|good"], [None] * 4),
        ([True, False], [None, None]),
    ],
)
def test_labels_for_five_classes(values, expected):
    assert read(FIVE, values) == expected


@pytest.mark.parametrize(
    ("names", "values", "expected"),
    [
        (THREE, [0, 1], [{0}, {2}]),
        (THREE, [0, 1, 2], [{0}, {1}, {2}]),
        (THREE, ["neg", "POSITIVE"], [{0}, {2}]),
        (TWO, [0, 1], [{0}, {1}]),
        (TWO, [-1, 1], [{0}, {1}]),
        (TWO, ["neutral"], [None]),
        (("good", "bad"), [0, 1], [{0}, {1}]),
        (("1", "2", "3"), [1, 3, 0], [{0}, {2}, None]),
    ],
)
def test_labels_for_other_classes(names, values, expected):
    assert read(names, values) == expected


@pytest.mark.parametrize(
    ("values", "note"),
    [
        ([0, 1], "0 as negative, 1 as positive"),
        (["pos", "neg"], "both strengths"),
        ([0, 1, 2, 3, 4], None),
        (["very negative", "positive"], None),
    ],
)
def test_what_is_not_taken_literally_is_said(values, note):
    said = LabelNames(FIVE, 5, values).note
    assert said is None if note is None else note in said


@given(st.sets(st.integers(0, 4), min_size=1))
def test_a_set_keeps_its_members(classes):
    label = set_label(classes, 5)
    assert set(np.flatnonzero(members(np.array([label]), 5)[0]).tolist()) == classes
    assert (label < 5) == (len(classes) == 1)


def test_no_label_names_no_class_and_many_classes_take_no_sets():
    assert not members(np.array([-1]), 5).any()
    with pytest.raises(DataError, match="sets need at most 32 classes"):
        set_label([0, 1], 33)


ROWS = [
    {"text": "a", "label": "positive", "scale": 3, "split": "train"},
    {"text": "b", "label": "positive", "scale": 5, "split": "train"},
    {"text": "c", "label": "very negative", "scale": 5, "split": "train"},
    {"text": "d", "label": "neutral", "scale": 5, "split": "train", "mixed": True},
    {"text": "e", "label": None, "scale": 3, "split": "train"},
    {"text": "f", "label": "negative", "scale": 3, "split": "dev"},
]


def table(tmp_path, rows=ROWS):
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_rules_choose_rows_and_widen_coarse_labels(tmp_path):
    rules = RowRules("scale", "split", "train", "mixed", True)
    rows = read_labelled_rows(table(tmp_path), rules=rules)
    assert rows.texts == ["a", "b", "c"]
    assert rows.numbers(FIVE) == [set_label([3, 4], 5), 3, 0]


def test_a_part_of_the_texts_is_drawn_and_stays_in_order(tmp_path):
    rows = [{"text": str(n), "label": n % 5} for n in range(100)]
    found = read_labelled_rows(table(tmp_path, rows), rules=RowRules(most=10)).texts
    assert found == read_labelled_rows(table(tmp_path, rows), rules=RowRules(most=10)).texts
    assert len(found) == 10 and found == sorted(found, key=int) and found != [str(n) for n in range(10)]
    assert len(read_labelled_rows(table(tmp_path, rows), rules=RowRules(most=1000)).texts) == 100


def test_a_scale_that_is_no_number_is_named(tmp_path):
    rows = [{"text": "a", "label": "positive", "scale": "many"}]
    with pytest.raises(DataError, match=r"row 1 \(line 1\): 'scale' is 'many'; must be the number"):
        read_labelled_rows(table(tmp_path, rows), rules=RowRules("scale"))
