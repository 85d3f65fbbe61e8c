import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treesent.errors import VectorsError
from treesent.vectors.quantise import dequantise, quantise_rows
from treesent.vectors.subwords import SubwordVectors
from treesent.vectors.table import FILE, VectorTable, normalise


def random_table(n_words=200, width=12, seed=0, **parts):
    matrix = np.random.default_rng(seed).standard_normal((n_words, width)).astype(np.float32)
    return VectorTable([f"w{i}" for i in range(n_words)], matrix, **parts)


def subwords(width=12):
    rng = np.random.default_rng(1)
    hashes = np.sort(rng.choice(2**32, 50, replace=False).astype(np.uint32))
    return SubwordVectors(hashes, rng.standard_normal((50, width)).astype(np.float32), None, 3, 5)


def overlap(a, b, n=10):
    """Mean share of the n nearest neighbours by cosine that two matrices agree on."""

    def nearest(matrix):
        unit = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
        similarity = unit @ unit.T
        np.fill_diagonal(similarity, -np.inf)
        return np.argsort(-similarity, axis=1)[:, :n]

    return np.mean([len(np.intersect1d(x, y)) / n for x, y in zip(nearest(a), nearest(b), strict=True)])


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        ("Good", "good"),
        ("-LRB-", "("),
        ("-rsb-", "]"),
        ("and\\/or", "and/or"),
        ("\\*", "*"),
        ("``", '"'),
        ("''", '"'),
    ],
)
def test_normalise(raw, plain):
    assert normalise(raw) == plain
    assert VectorTable.normalise(raw) == plain


@given(st.text())
def test_a_normalised_word_stays_as_it_is(word):
    once = normalise(word)
    if "\\" not in once and once not in {"``", "''"} and not once.startswith("-"):
        assert normalise(once) == once


def test_rows_and_vectors_agree():
    table = random_table()
    words = ["w3", "missing", "W7", "w0", "w3"]
    assert table.rows(words).tolist() == [3, -1, 7, 0, 3] == [table.row(word) for word in words]
    np.testing.assert_array_equal(table.vector("W7"), table.matrix[7])
    assert "w7" in table and "nope" not in table and 3 not in table


def test_a_table_with_capitals_keeps_them_apart():
    table = VectorTable(["us", "US"], np.eye(2, dtype=np.float32))
    assert table.rows(["us", "US", "Us"]).tolist() == [0, 1, 0]


def test_lookup_makes_one_vector_for_each_distinct_unknown_word():
    table = random_table(subwords=subwords())
    found = table.lookup(["w1", "zzz", "w2", "ZZZ", "yyy"])
    assert found.rows.tolist() == [1, 200, 2, 200, 201]
    assert found.unknown.tolist() == [False, True, False, True, True]
    assert found.extra.shape == (2, 12) and found.extra.dtype == np.float32
    np.testing.assert_array_equal(found.extra[0], table.vector("zzz"))
    assert table.lookup(["w1"]).extra.shape == (0, 12)


@pytest.mark.parametrize("convert", ["half", "quantise", None])
def test_an_unknown_word_is_never_zero(convert):
    table = random_table()
    table = getattr(table, convert)() if convert else table
    extra = table.lookup(["zzz"]).extra
    assert np.abs(extra).sum() > 0
    np.testing.assert_allclose(extra[0], table.dense().mean(axis=0), rtol=1e-5, atol=1e-6)


def test_an_unknown_word_of_a_centred_table_is_not_zero_either():
    matrix = np.array([[3, 0], [-3, 0], [0, 1], [0, -1]], np.float32)
    blank = SubwordVectors(np.zeros(1, np.uint32), np.zeros((1, 2), np.float32), None, 3, 5)
    for pieces in (None, blank):
        table = VectorTable(list("abcd"), matrix, None, pieces)
        assert table.vector("zzz").tolist() == [0, 1]


def test_most_frequent_and_take_keep_rows_with_words():
    table = random_table(subwords=subwords()).quantise()
    for smaller in (
        table.most_frequent(50),
        table.take(np.array([9, 3])),
    ):
        assert smaller.subwords is table.subwords
        for word in smaller.words:
            np.testing.assert_array_equal(smaller.vector(word), table.vector(word))
    assert table.take(np.array([9, 3])).words == ["w9", "w3"]
    with pytest.raises(VectorsError, match="expected at least 1"):
        table.most_frequent(0)


def test_half_and_int8_are_close():
    table = random_table(500, 50)
    np.testing.assert_allclose(table.half().dense(), table.matrix, atol=2e-3)
    int8 = table.quantise()
    assert int8.matrix.dtype == np.int8 and int8.scale.shape == (500,)
    assert (np.abs(int8.dense() - table.matrix) <= int8.scale[:, None] * 0.5001).all()


def test_int8_neighbours_are_the_floats_neighbours():
    matrix = random_table(2000, 60).matrix
    assert overlap(matrix, dequantise(*quantise_rows(matrix))) >= 0.97


def test_int8_neighbours_of_glove(glove):
    matrix = np.load(glove / "glove_6B_50d_emb.npy", mmap_mode="r")[:3000]
    assert overlap(matrix, dequantise(*quantise_rows(matrix))) >= 0.97


def test_a_row_of_zeros_survives_int8():
    values, scale = quantise_rows(np.zeros((2, 3), np.float32))
    assert not values.any() and np.isfinite(scale).all()


@pytest.mark.parametrize("convert", ["half", "quantise", None])
@pytest.mark.parametrize("pieces", [True, False])
def test_save_and_load_give_the_same_table(tmp_path, convert, pieces):
    table = random_table(subwords=subwords() if pieces else None)
    table = getattr(table, convert)() if convert else table
    table = VectorTable(["ÿ\u2028 x", *table.words[1:]], table.matrix, table.scale, table.subwords)
    table.save(tmp_path / "new" / "folder")
    assert [file.name for file in (tmp_path / "new" / "folder").iterdir()] == [FILE]
    loaded = VectorTable.load(tmp_path / "new" / "folder")
    assert loaded.words == table.words
    assert loaded.matrix.dtype == table.matrix.dtype
    np.testing.assert_array_equal(loaded.matrix, table.matrix)
    np.testing.assert_array_equal(loaded.lookup(["zzz"]).extra, table.lookup(["zzz"]).extra)


def test_a_failed_save_leaves_the_old_file(tmp_path):
    table = random_table()
    table.save(tmp_path)
    with pytest.raises(VectorsError, match="line break"):
        VectorTable(["a\nb"], np.ones((1, 2), np.float32)).save(tmp_path)
    assert VectorTable.load(tmp_path).words == table.words
    assert [file.name for file in tmp_path.iterdir()] == [FILE]


def test_a_cut_or_flipped_file_is_refused(tmp_path):
    random_table(subwords=subwords()).quantise().save(tmp_path)
    whole = (tmp_path / FILE).read_bytes()
    header = int.from_bytes(whole[:8], "little") + 8
    for place in [*range(header, len(whole), 97), len(whole) - 1]:
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        (tmp_path / FILE).write_bytes(damaged)
        with pytest.raises(VectorsError, match=FILE):
            VectorTable.load(tmp_path)
    for length in (0, 4, 20, header, len(whole) // 2, len(whole) - 1):
        (tmp_path / FILE).write_bytes(whole[:length])
        with pytest.raises(VectorsError, match=FILE):
            VectorTable.load(tmp_path)
    with pytest.raises(VectorsError, match="does not exist"):
        VectorTable.load(tmp_path / "missing")


def test_a_word_that_utf8_cannot_encode_is_not_saved(tmp_path):
    with pytest.raises(VectorsError, match="leave it out"):
        VectorTable(["a\ud800"], np.ones((1, 2), np.float32)).save(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "matrix", "scale", "message"),
    [
        (["a"], np.ones((2, 3), np.float32), None, "1 words for 2 rows"),
        ([], np.ones((0, 3), np.float32), None, "is empty; give at least one word"),
        (["a"], np.ones(3, np.float32), None, r"not \(3,\)"),
        (["a"], np.ones((1, 0), np.float32), None, r"not \(1, 0\)"),
        (["a", "b", "a"], np.ones((3, 2), np.float32), None, "'a' is in rows 0 and 2"),
        (["a", "b"], np.array([[1], [np.nan]], np.float32), None, "row 1 .'b'. holds NaN"),
        (["a"], np.ones((1, 2), np.int8), None, "need a scale"),
        (["a"], np.ones((1, 2), np.float32), np.ones(1, np.float32), "only they take one"),
        (["a"], np.ones((1, 2), np.int8), np.ones(2, np.float32), "2,. scales for 1 rows"),
        (["a"], np.ones((1, 2)), None, "not float64"),
    ],
)
def test_parts_that_disagree_are_refused(words, matrix, scale, message):
    with pytest.raises(VectorsError, match=message):
        VectorTable(words, matrix, scale)


def test_subwords_of_another_width_are_refused():
    with pytest.raises(VectorsError, match="width 3 beside vectors of width 12"):
        random_table(subwords=subwords(3))
