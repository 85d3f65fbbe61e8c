"""Pictures of scored trees."""

import xml.etree.ElementTree as ET
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.toy_pipeline import TEXT, toy_nlp
from treesent.render import Picture, to_svg
from treesent.render.svg import colour_of
from treesent.trees.structure import Structure

LABELS = ("very negative", "negative", "neutral", "positive", "very positive")
SVG = "{http://www.w3.org/2000/svg}"


def picture(words, seed=0):
    rng = np.random.default_rng(seed)
    structure = Structure.from_distances(rng.random(len(words) - 1), [len(words)])
    probs = rng.dirichlet(np.ones(5), structure.n_nodes).astype(np.float32)
    return Picture(
        words, structure.left, probs, probs.argmax(1), LABELS, np.linspace(-1, 1, 5, dtype=np.float32)
    )


def boxes(root):
    return [
        tuple(float(rect.get(name)) for name in ("x", "y", "width", "height"))
        for rect in root.iter(f"{SVG}rect")
    ]


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@given(st.lists(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1), min_size=1, max_size=40))
def test_any_words_make_an_svg(words):
    root = ET.fromstring(to_svg(picture(words)))
    texts = [
        text.text
        for group in root.iter(f"{SVG}g")
        if group.find(f"{SVG}rect") is not None
        for text in group.iter(f"{SVG}text")
    ]
    assert texts == words
    assert len(list(root.iter(f"{SVG}circle"))) == len(words) - 1
    assert len(list(root.iter(f"{SVG}path"))) == 2 * len(words) - 2


@pytest.mark.parametrize("orientation", ["auto", "down", "right"])
@pytest.mark.parametrize("n_words", [1, 2, 9, 40, 120])
def test_nothing_overlaps_or_leaves_the_page(n_words, orientation):
    words = [f"word{place}" if place % 3 else "a" for place in range(n_words)]
    root = ET.fromstring(to_svg(picture(words), orientation))
    width, height = float(root.get("width")), float(root.get("height"))
    found = boxes(root)
    for x, y, w, h in found:
        assert x >= 0 and x + w <= width
        assert y >= 0 and y + h <= height
    for (x0, y0, w0, h0), (x1, y1, _, _) in pairwise(found):
        assert x0 + w0 <= x1 or y0 + h0 <= y1
    for circle in root.iter(f"{SVG}circle"):
        x, y, r = (float(circle.get(name)) for name in ("cx", "cy", "r"))
        assert r <= x <= width - r
        assert r <= y <= height - r
        assert not any(bx <= x <= bx + bw and by <= y <= by + bh for bx, by, bw, bh in found)


def test_short_sentences_have_words_below_and_long_ones_beside():
    few, many = (boxes(ET.fromstring(to_svg(picture(["word"] * n)))) for n in (9, 40))
    assert len({box[1] for box in few}) == 1
    assert len({box[0] for box in many}) == 1


def test_titles_tell_the_probabilities():
    drawn = picture(["not", "<bad>", "&c"])
    root = ET.fromstring(to_svg(drawn))
    titles = [title.text for title in root.iter(f"{SVG}title")]
    assert len(titles) == 5
    assert titles[-1].splitlines()[0] == "not <bad> &c"
    assert f"very positive: {drawn.probs[-1][4]:.0%}" in titles[-1]


def test_white_text_is_legible_on_every_colour():
    """The contrast that WCAG 2.1 asks for (AA), and chips that stand out from white and from near black."""
    for polarity in np.linspace(-1, 1, 41):
        light = luminance(colour_of(polarity))
        assert 1.05 / (light + 0.05) >= 4.5
        assert (light + 0.05) / (luminance("#111418") + 0.05) >= 2.2
    assert colour_of(-1)[1:3] > colour_of(-1)[5:7]
    assert colour_of(1)[1:3] < colour_of(1)[5:7]


def test_a_notebook_shows_the_tree():
    doc = toy_nlp()(TEXT)
    tree = next(doc.sents)._.tree
    root = ET.fromstring(tree._repr_svg_())
    assert root.get("aria-label").startswith("The plot is thin , but")
    assert root.get("aria-label").endswith(tree.label)
    left = tree.children[0]
    assert len(list(ET.fromstring(to_svg(left)).iter(f"{SVG}rect"))) == left.n_words


def test_classes_without_values_are_drawn_grey():
    drawn = picture(["a", "b"])
    drawn = Picture(
        drawn.words, drawn.left, drawn.probs, drawn.classes, LABELS, np.full(5, np.nan, np.float32)
    )
    assert colour_of(0) in to_svg(drawn)
