import numpy as np
import pytest

from treesent.errors import VectorsError
from treesent.vectors.combine import fill, join, randomise, reduce
from treesent.vectors.fit import with_fitted_subwords
from treesent.vectors.table import VectorTable


def table(words, width, seed=0, size=1.0):
    matrix = size * np.random.default_rng(seed).standard_normal((len(words), width))
    return VectorTable(words, matrix.astype(np.float32))


def test_join_sets_rows_side_by_side_at_one_length():
    a, b = table(["x", "y", "z"], 4, size=100), table(["z", "x", "w"], 6, 1, size=0.01)
    joined = join([a, b], ["z", "x"])
    assert joined.words == ["z", "x"] and joined.width == 10
    for block, source in ((joined.matrix[:, :4], a), (joined.matrix[:, 4:], b)):
        np.testing.assert_allclose(np.linalg.norm(block, axis=1).mean(), np.sqrt(10 / 2), rtol=1e-5)
        rows = source.dense(source.rows(["z", "x"]))
        expected = np.sqrt(10 / 2) * rows / np.linalg.norm(rows, axis=1).mean()
        np.testing.assert_allclose(block, expected, rtol=1e-5)
    np.testing.assert_allclose((joined.matrix**2).mean(), 1, rtol=0.3)


def test_join_takes_every_word_by_its_best_rank():
    joined = join([table(["x", "y", "z"], 2), table(["w", "z", "v"], 2, 1)])
    assert joined.words == ["x", "w", "y", "z", "v"]


def test_a_word_that_one_table_lacks_is_guessed_there():
    a, b = with_fitted_subwords(table(["playing", "played", "acting", "y"], 4)), table(["acted", "y"], 3)
    joined = join([a, b], ["acted", "playing"])
    scale = np.linalg.norm(fill(a, ["acted", "playing"]), axis=1).mean() / np.sqrt(7 / 2)
    np.testing.assert_allclose(joined.vector("acted")[:4] * scale, a.guess(["acted"])[0], rtol=1e-4)
    mean = b.matrix.mean(axis=0)
    np.testing.assert_allclose(
        joined.vector("playing")[4:] / joined.vector("acted")[4:], mean / b.matrix[0], rtol=1e-4
    )


def test_missing_words_by_mean_and_at_random():
    known = with_fitted_subwords(table([f"w{i}" for i in range(400)], 3))
    known = VectorTable(known.words, known.matrix * np.float32([1, 5, 0.1]) + np.float32([0, 2, 0]))
    absent = [f"x{i}" for i in range(2000)]
    np.testing.assert_allclose(
        fill(known, absent, "mean"), np.tile(known.matrix.mean(axis=0), (2000, 1)), rtol=1e-4
    )
    drawn = fill(known, ["w7", *absent], "random", seed=1)
    np.testing.assert_array_equal(drawn[0], known.matrix[7])
    np.testing.assert_allclose(drawn[1:].std(axis=0), known.matrix.std(axis=0), rtol=0.1)
    np.testing.assert_array_equal(drawn, fill(known, ["w7", *absent], "random", seed=1))
    assert not np.array_equal(drawn, fill(known, ["w7", *absent], "random", seed=2))


def test_randomise_keeps_words_and_spread():
    known = table([f"w{i}" for i in range(400)], 6, size=3)
    drawn = randomise(known, 5)
    assert drawn.words == known.words and drawn.matrix.dtype == np.float32
    assert drawn.matrix.std() == pytest.approx(known.matrix.std(), rel=0.05)
    assert abs(np.corrcoef(drawn.matrix.ravel(), known.matrix.ravel())[0, 1]) < 0.1


def test_join_refuses_a_word_from_nowhere():
    with pytest.raises(VectorsError, match=r"1 words \(the first is 'q'\)"):
        join([table(["x"], 2)], ["x", "q"])
    with pytest.raises(VectorsError, match="no tables to join"):
        join([])


def test_reduce_to_the_full_width_keeps_every_product():
    full = table([f"w{i}" for i in range(50)], 8)
    reduced = reduce(full, 8)
    np.testing.assert_allclose(reduced.matrix @ reduced.matrix.T, full.matrix @ full.matrix.T, atol=1e-4)


def test_reduce_is_principal_component_analysis():
    full = table([f"w{i}" for i in range(300)], 10)
    full = VectorTable(full.words, full.matrix * np.linspace(3, 0.1, 10, dtype=np.float32) + 1)
    reduced = reduce(full, 4).matrix
    centred = full.matrix - full.matrix.mean(axis=0)
    _, singular, axes = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(np.std(reduced, axis=0) * np.sqrt(300), singular[:4], rtol=1e-4)
    np.testing.assert_allclose(np.abs(reduced), np.abs(full.matrix @ axes[:4].T), atol=2e-3)


def test_reduce_takes_the_subwords_along():
    full = with_fitted_subwords(table(["playing", "played", "acting", "acted", "plays"], 4))
    reduced = reduce(full, 4)
    words = ["player", "actor", "plays"]
    np.testing.assert_allclose(
        reduced.guess(words) @ reduced.guess(words).T,
        full.guess(words) @ full.guess(words).T,
        rtol=1e-3,
        atol=1e-4,
    )


@pytest.mark.parametrize("width", [0, 5])
def test_reduce_refuses_an_impossible_width(width):
    with pytest.raises(VectorsError, match=f"width 4 cannot be reduced to {width}"):
        reduce(table(["x", "y"], 4), width)
