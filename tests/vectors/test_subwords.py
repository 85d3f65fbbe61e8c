import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treesent.errors import VectorsError
from treesent.vectors.fit import SubwordSettings, held_out, with_fitted_subwords
from treesent.vectors.subwords import SubwordVectors, fnv1a, kind_of, pieces_of
from treesent.vectors.table import VectorTable

STEMS = ["act", "play", "laugh", "jump", "bak", "clean", "paint", "print", "read", "sing", "walk", "talk"]
ENDINGS = ["", "s", "ed", "ing", "er", "ers", "able", "less"]


def regular_table(width=16, noise=0.05):
    """Words whose vectors are the sum of their stem's and their ending's."""
    rng = np.random.default_rng(0)
    stems, endings = rng.standard_normal((len(STEMS), width)), rng.standard_normal((len(ENDINGS), width))
    words = [stem + ending for stem in STEMS for ending in ENDINGS]
    matrix = (stems[:, None] + endings[None] + 0.5).reshape(-1, width)
    return VectorTable(words, (matrix + noise * rng.standard_normal(matrix.shape)).astype(np.float32))


def test_fnv1a_is_the_published_hash():
    # The vectors of the authors' page (isthe.com/chongo/tech/comp/fnv): 32-bit FNV-1a.
    assert fnv1a("") == 0x811C9DC5
    assert fnv1a("a") == 0xE40C292C
    assert fnv1a("foobar") == 0xBF9CF968


@given(st.lists(st.text(max_size=12), max_size=6))
def test_pieces_are_the_n_grams_of_each_word(words):
    pieces = pieces_of(words, 2, 4)
    for index, word in enumerate(words):
        marked = "<" + "".join("0" if character in "0123456789" else character for character in word) + ">"
        grams = [marked[i : i + n] for n in (2, 3, 4) for i in range(len(marked) - n + 1)]
        expected = sorted([fnv1a(gram) for gram in grams] + [fnv1a("\0" + kind_of(word))])
        assert sorted(pieces.hashes[pieces.owner == index].tolist()) == expected


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("good", "word"),
        ("naïve", "foreign"),
        ("1,234", "number"),
        ("90s", "mixed"),
        ("http://x.org", "address"),
        ("imdb.com", "address"),
        ("@me", "@"),
        ("#film", "#"),
        ("feel-good", "hyphen"),
        ("n't", "compound"),
        ("...", "mark"),
        ("😀", "symbol"),
        ("", "mark"),
    ],
)
def test_kinds(word, kind):
    assert kind_of(word) == kind


def test_words_left_out_are_guessed_from_their_pieces():
    result = held_out(regular_table(), SubwordSettings(penalty=0.1), fraction=0.15)
    assert result.n >= 8
    assert result.cosine > 0.85 > result.mean_cosine + 0.2


def test_the_fit_solves_the_ridge_regression():
    table, settings = (
        regular_table(),
        SubwordSettings(pieces=60, shortest=3, longest=4, penalty=2.0, iterations=200),
    )
    weights = np.linspace(2, 0.5, len(table)).astype(np.float32)
    pieces = with_fitted_subwords(table, settings, weights).subwords
    word, piece = pieces.known(table.words)
    counts = np.zeros((len(table), len(pieces)))
    np.add.at(counts, (word, piece), 1)
    counts = counts[:, 1:]
    target = table.matrix - pieces.matrix[0]
    gram = counts.T @ (weights[:, None] * counts) + 2.0 * np.eye(counts.shape[1])
    expected = np.linalg.solve(gram, counts.T @ (weights[:, None] * target))
    np.testing.assert_allclose(pieces.matrix[1:], expected, atol=2e-3)
    np.testing.assert_allclose(pieces.matrix[0], np.average(table.matrix, axis=0, weights=weights), rtol=1e-4)


def test_a_word_is_its_pieces_added_up():
    table = with_fitted_subwords(regular_table())
    pieces = table.subwords
    word, piece = pieces.known(["laughs", "\x01"])
    assert (word[:-1] <= word[1:]).all()
    expected = pieces.matrix[0] + pieces.matrix[piece[word == 0]].sum(axis=0)
    both = pieces.vectors(["laughs", "\x01", "laughs"])
    np.testing.assert_allclose(both[0], expected, rtol=1e-4)
    np.testing.assert_array_equal(both[0], both[2])
    assert pieces.vectors([]).shape == (0, 16)


@pytest.mark.parametrize(
    "word", ["12345", "http://x.org/a?b", "😀", "", "中文", "\x01", "x" * 100_000, "\ud800"]
)
@pytest.mark.parametrize("convert", ["half", "quantise", None])
def test_strange_words_get_finite_vectors_that_are_not_zero(word, convert):
    table = with_fitted_subwords(regular_table())
    table = getattr(table, convert)() if convert else table
    vector = table.vector(word)
    assert np.isfinite(vector).all() and np.abs(vector).sum() > 0


def test_int8_pieces_are_near_the_floats():
    table = with_fitted_subwords(regular_table())
    words = ["laughing-stock", "jumpers", "unreadable"]
    np.testing.assert_allclose(table.quantise().guess(words), table.guess(words), atol=0.05)
    np.testing.assert_allclose(table.half().guess(words), table.guess(words), atol=0.01)


def test_the_size_is_the_callers():
    table = with_fitted_subwords(regular_table(), SubwordSettings(pieces=30))
    assert len(table.subwords) == 30


def test_parts_that_disagree_are_refused():
    with pytest.raises(VectorsError, match="pieces for vectors"):
        SubwordVectors(np.zeros(2, np.uint32), np.zeros((3, 4), np.float32), None, 3, 5)
    with pytest.raises(VectorsError, match="int8 pieces need a scale"):
        SubwordVectors(np.zeros(2, np.uint32), np.zeros((2, 4), np.int8), None, 3, 5)
    with pytest.raises(VectorsError, match=r"lack .'lengths', 'matrix'"):
        SubwordVectors.from_tensors({"hashes": np.zeros(2, np.uint32)})
    with pytest.raises(VectorsError, match="give one for each word"):
        with_fitted_subwords(regular_table(), weights=np.ones(3, np.float32))


def test_glove_words_left_out(glove):
    """On the 10,000 most frequent words: far better than the mean (0.26 there)."""
    import pyarrow.parquet as pq

    words = pq.read_table(glove / "glove_6B_index.parquet")["index"].to_pylist()[:10_000]
    matrix = np.load(glove / "glove_6B_50d_emb.npy", mmap_mode="r")[:10_000].copy()
    result = held_out(VectorTable(words, matrix), SubwordSettings(iterations=10))
    assert result.cosine > result.mean_cosine + 0.08
