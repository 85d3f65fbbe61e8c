"""The pipeline that ships keeps what it understands."""

import numpy as np
import pytest

import treesent
from tests.behaviour.run import invariances, phenomena
from tests.behaviour.templates import CASES, texts_of

FLOORS = {"plain": 90, "negation": 70, "contrast": 60, "change over time": 50, "intensifier": 80}
"""Percent; what ships has more, see the model card."""


@pytest.fixture(scope="module")
def nlp():
    return treesent.load()


def test_templates_are_filled_with_every_word():
    assert len(texts_of("{Thing} is {good}.")) == 25
    assert texts_of("A {bad} {Name}.")[0] == "A dreadful {Name}."
    texts = [text for templates in CASES.values() for template, _ in templates for text in texts_of(template)]
    assert len(set(texts)) == len(texts)
    assert not any("{" in text for text in texts)


def test_phenomena_stay_above_their_floors(nlp):
    found = {figure.name: figure.right for figure in phenomena(nlp)}
    assert not {name: found[name] for name, floor in FLOORS.items() if found[name] < floor}
    assert np.mean(list(found.values())) > 55


def test_names_places_and_numbers_hardly_move_the_polarity(nlp):
    found = {figure.name: figure for figure in invariances(nlp)}
    for name in ("names", "places", "numbers"):
        assert found[name].right > 60, found[name]
