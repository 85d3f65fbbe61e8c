"""Texts from templates."""

import re

import pytest

from tests.behaviour.templates import BAD, CASES, GOOD, THINGS, texts_of
from treesent.data.templates import read_templates
from treesent.errors import DataError
from treesent.files import packaged


def write(folder, *rows):
    path = folder / "templates.tsv"
    path.write_text("label\ttext\n" + "".join(f"{label}\t{text}\n" for label, text in rows), "utf-8")
    return path


def test_every_slot_is_filled_with_every_word(tmp_path):
    path = write(
        tmp_path, ("{a}", "x, y"), ("{b}", "1,2, 3"), ("positive", "{a} and {b}."), ("neutral", "no slot")
    )
    rows = read_templates(path)
    wanted = {f"{a.upper()} and {b}." for a in "xy" for b in "123"}
    assert set(rows.texts) == wanted | {"no slot"}
    assert rows.numbers(["negative", "neutral", "positive"]) == [2] * 6 + [1]


def test_a_template_gives_so_many_texts_and_the_same_ones_again(tmp_path):
    words = ", ".join(f"w{number}" for number in range(30))
    path = write(tmp_path, ("{a}", words), ("positive", "{a} or {a}."))
    found = read_templates(path, most=10).texts
    assert len(set(found)) == 10
    assert found == read_templates(path, most=10).texts
    assert any(len(set(re.findall(r"\d+", text))) == 2 for text in found), (
        "a slot that stands twice is filled twice"
    )


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("positive", "{a} is good")], r"row 1: the slot \{a\} has no words"),
        (
            [("positive", "good"), ("negative", "good")],
            "row 2: 'good' is 'negative' here and 'positive' above",
        ),
    ],
)
def test_what_cannot_be_filled_is_refused(tmp_path, rows, message):
    with pytest.raises(DataError, match=message):
        read_templates(write(tmp_path, *rows))


def test_the_templates_that_train_are_not_those_that_measure():
    trained = set(read_templates(packaged("pipelines") / "phenomena.tsv").texts)
    measured = {
        text for templates in CASES.values() for template, _ in templates for text in texts_of(template)
    }
    assert not trained & measured
    words = set(re.findall(r"[\w-]+", " ".join(GOOD + BAD + THINGS).lower())) - {"the", "our"}
    assert not words & set(re.findall(r"[\w-]+", " ".join(trained).lower()))
