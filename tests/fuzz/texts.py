"""Brackets, heads, sources of vectors, and plain text through a pipeline and into a picture."""

from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from hypothesis import strategies as st

from tests import strategies, toy_pipeline
from tests.fuzz.kinds import Files, Kind
from treesent.data.heads import read_heads
from treesent.trees.brackets import read_trees
from treesent.vectors.download import read_sources

TREES = b"""(3 (2 the) (3 (4 superb) (- acting)))
(1 (2 (2 the) (2 film)) (1 (2 is) (1 (2 not) (3 good))))

(4 (2 2\xc2\xa01\\/2) (4 (4 -LRB-) (2 ``)))
(2 ok)
"""
HEADS = b"2 0\n0\n2 3 0 3\n3 3 0 5 3\n0 1 1 1 1\n"
SOURCES = b"""[glove]
address = "https://example.org/glove.zip"
file = "glove.zip"
member = "glove.50d.txt"
width = 50
n_words = 400000
licence = "PDDL"
sha256 = "00"
[other]
gensim = "word2vec-google-news-300"
width = 300
n_words = 3000000
licence = "none stated"
"""
TEXTS = [
    toy_pipeline.TEXT.encode(),
    b"Good. Bad! (What?) http://example.org/a-b_c?d=e a.b.c :-) 10:30 a.m. $5 it's don't ...",
    "Ünï 🙂🙂 ok\u2028naïve\u00a0x \u202ertl\u200d".encode(),
    b"(" * 300 + b"good" + b")" * 300,
    b"\n\n \t film \r\n\x07 bad \x1b[31m",
    b"a" * 700 + b" good " + b"!?" * 200,
]


def _trees() -> st.SearchStrategy[Files]:
    lines = st.lists(strategies.trees(max_words=8).map(str), min_size=1, max_size=4)
    return lines.map(lambda trees: {"t.txt": "\n".join(trees).encode()})


def _heads() -> st.SearchStrategy[Files]:
    lines = st.lists(st.lists(st.integers(-1, 6), max_size=6), min_size=1, max_size=3)
    text = lines.map(lambda rows: "\n".join(" ".join(map(str, row)) for row in rows))
    return text.map(lambda text: {"heads.txt": text.encode()})


def _words() -> st.SearchStrategy[Files]:
    return st.text(max_size=120).map(lambda text: {"text.txt": text.encode("utf-8", "replace")})


@cache
def _nlp(parser: bool):
    return toy_pipeline.toy_nlp(parser=parser)


def _score(folder: Path, files: Files) -> None:
    text = (folder / "text.txt").read_bytes().decode("utf-8", "replace")
    doc = _nlp(len(text) % 2 == 0)(text)
    sentiment = doc._.sentiment
    if sentiment is None:
        assert not text.strip() or not len(doc), "a text with words has no sentiment"
        return
    assert np.isfinite(sentiment.probs).all() and abs(sum(sentiment.probs) - 1) < 1e-3, "probabilities"
    for sentence in list(doc.sents)[:2]:
        ElementTree.fromstring(sentence._.tree.to_svg())


KINDS = [
    Kind(
        "brackets", lambda folder: [{"t.txt": TREES}], lambda f, _: list(read_trees(f / "t.txt")), 2, _trees
    ),
    Kind(
        "heads",
        lambda folder: [{"heads.txt": HEADS}],
        lambda f, _: read_heads([f / "heads.txt"]),
        0.5,
        _heads,
    ),
    Kind("sources", lambda folder: [{"s.toml": SOURCES}], lambda f, _: read_sources(f / "s.toml"), 0.3),
    Kind("text", lambda folder: [{"text.txt": text} for text in TEXTS], _score, 2, _words),
]
