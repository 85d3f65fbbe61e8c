"""Words that are not UTF-8, folders that hold one table, and tables on which good is bad."""

import numpy as np
import pytest

from treesent.errors import VectorsError
from treesent.vectors.formats import read_vectors
from treesent.vectors.health import check_health
from treesent.vectors.table import VectorTable

WORDS = [b"good", b"caf\xe9", b"bad"]
NUMBERS = np.array([[1, 2], [3, 4], [5, 6]], "<f4")


def write(path, kind):
    if kind == "text":
        path.write_bytes(
            b"".join(w + b" %d %d\n" % tuple(n) for w, n in zip(WORDS, NUMBERS.astype(int), strict=True))
        )
    else:
        rows = (w + b" " + n.tobytes() + b"\n" for w, n in zip(WORDS, NUMBERS, strict=True))
        path.write_bytes(b"3 2\n" + b"".join(rows))
    return path


@pytest.mark.parametrize("kind", ["text", "binary"])
def test_a_word_that_is_not_utf8(tmp_path, kind):
    path = write(tmp_path / "v.bin", kind)
    with pytest.raises(VectorsError, match=r"is not UTF-8.*--on-bad-word skip or replace"):
        read_vectors(path)
    skipped = read_vectors(path, bad_words="skip")
    assert skipped.words == ["good", "bad"]
    np.testing.assert_array_equal(skipped.matrix, NUMBERS[[0, 2]])
    replaced = read_vectors(path, bad_words="replace")
    assert replaced.words == ["good", "caf\ufffd", "bad"]
    np.testing.assert_array_equal(replaced.matrix, NUMBERS)


def test_a_folder_that_holds_one_table_is_that_table(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "LICENSE").write_text("x")
    with pytest.raises(VectorsError, match="a folder of neither"):
        read_vectors(tmp_path / "data")
    (tmp_path / "data" / "glove.txt").write_text("good 1 2\nbad 3 4\n")
    assert read_vectors(tmp_path / "data").words == ["good", "bad"]
    VectorTable(["a"], np.ones((1, 2), np.float32)).save(tmp_path / "data" / "own")
    with pytest.raises(VectorsError, match=r"several tables of vectors: name one of glove\.txt, own"):
        read_vectors(tmp_path / "data")
    VectorTable(["a"], np.ones((1, 2), np.float32)).save(tmp_path / "out" / "vectors")
    assert read_vectors(tmp_path / "out").words == ["a"]


@pytest.mark.parametrize(("cosine", "fit"), [(0.99, False), (0.98, False), (0.9, True)])
def test_health_gives_a_verdict_where_good_is_nearly_bad(cosine, fit):
    matrix = np.array([[1, 0], [cosine, np.sqrt(1 - cosine**2 - 1e-9)], [0, 1]], np.float32)
    problem = check_health(VectorTable(["good", "bad", "the"], matrix)).problem
    assert (problem is None) is fit
    assert fit or "'good' and 'bad' (0.9" in problem
