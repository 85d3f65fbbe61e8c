"""The page's own coding of vectors and bytes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treesent.projector.codec import (
    RADIX,
    UNSAFE,
    deflate,
    deflate_columns,
    from_text,
    neighbour_overlap,
    quantise,
    to_text,
    unit_rows,
)


@given(st.binary(max_size=200))
def test_text_gives_the_bytes_back(data):
    text = to_text(data)
    assert from_text(text, len(data)) == data
    assert not set(text) & set(map(chr, UNSAFE))
    assert all(ord(char) < 0x800 for char in text)


@pytest.mark.parametrize("value", UNSAFE)
def test_runs_of_unsafe_values_survive(value):
    bits = f"{value:07b}" * 40
    data = int(bits, 2).to_bytes(len(bits) // 8, "big")
    assert from_text(to_text(data), len(data)) == data


def test_text_costs_an_eighth_and_a_bit():
    data = np.random.default_rng(0).bytes(70_000)
    assert len(to_text(data).encode()) / len(data) == pytest.approx(8 / 7, abs=0.001)


def test_deflate_is_what_a_browser_reads():
    import zlib

    data = b"king queen " * 100
    assert zlib.decompress(deflate(data), -15) == data
    columns = np.arange(-60, 60, dtype=np.int8).reshape(3, 40)
    assert zlib.decompress(deflate_columns(columns), -15) == columns.tobytes()


def _table(n_words=600, width=40, seed=0):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(30, width))
    return (centres[rng.integers(0, 30, n_words)] + rng.normal(size=(n_words, width))).astype(np.float32)


def test_whole_numbers_keep_cosines():
    matrix = _table()
    coded = quantise(matrix)
    exact, seen = unit_rows(matrix), unit_rows(coded.rows())
    assert np.abs(exact @ exact.T - seen @ seen.T).max() < 0.01
    np.testing.assert_allclose(exact @ coded.rotation, coded.rows() * coded.step, atol=coded.step)


def test_the_step_is_refined_until_neighbours_agree():
    matrix = _table(2000, 8)
    coded = quantise(matrix, target=0.99, step=0.1)
    assert coded.overlap >= 0.99
    assert coded.step < 0.1
    assert coded.overlap == neighbour_overlap(unit_rows(matrix), coded.rows())


def test_a_dominant_direction_takes_two_columns():
    matrix = _table()
    matrix[:, 0] += 100
    coded = quantise(matrix, step=0.002)
    assert coded.scale.max() == RADIX
    seen, exact = unit_rows(coded.rows()), unit_rows(matrix)
    assert np.abs(exact @ exact.T - seen @ seen.T).max() < 1e-3
    assert coded.overlap >= 0.975


def test_zero_rows_and_tiny_tables():
    matrix = np.zeros((4, 3), np.float32)
    matrix[1] = [1, 2, 3]
    coded = quantise(matrix)
    assert not coded.rows()[0].any()
    assert coded.columns.shape[1] == 4
    np.testing.assert_array_equal(unit_rows(np.zeros((2, 2), np.float32)), 0)


def test_overlap_falls_with_noise():
    matrix = unit_rows(_table())
    noise = np.random.default_rng(1).normal(size=matrix.shape).astype(np.float32)
    shares = [neighbour_overlap(matrix, matrix + scale * noise) for scale in (0, 0.02, 0.2)]
    assert shares[0] == 1
    assert shares[0] > shares[1] > shares[2]
