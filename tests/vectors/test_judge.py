"""Health and evaluation of tables."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from treesent.cli import app
from treesent.errors import VectorsError
from treesent.vectors.evaluate import analogies, coverage, similarity
from treesent.vectors.formats import read_vectors
from treesent.vectors.health import TELLING, check_health, require_apart
from treesent.vectors.table import VectorTable


def table(words, matrix=None):
    if matrix is None:
        matrix = np.random.default_rng(0).standard_normal((len(words), 20))
    return VectorTable(list(words), np.asarray(matrix, np.float32))


@pytest.mark.parametrize("convert", ["half", "quantise", None])
def test_a_table_that_merges_good_and_bad_is_refused(convert):
    fit = table([*TELLING, "film", "movie"])
    pruned = fit.matrix.copy()
    pruned[[1, 2]] = pruned[0]  # good, bad and not, as in spaCy's md tables
    pruned[8] = pruned[7]
    pruned = table(fit.words, pruned)
    if convert:
        fit, pruned = getattr(fit, convert)(), getattr(pruned, convert)()
    require_apart(fit, "mine")
    assert check_health(fit).merged == () and check_health(fit).problem is None
    health = check_health(pruned)
    assert set(health.merged) == {("good", "bad"), ("good", "not"), ("bad", "not")}
    assert health.shared_rows == 5
    with pytest.raises(VectorsError, match=r"mine: 'good' and 'bad', .* 10903 and 10985"):
        require_apart(pruned, "mine")


def test_zero_rows_and_strange_tables():
    matrix = np.eye(4, 5)
    matrix[[1, 3]] = 0
    health = check_health(table(["good", "x", "bad", "y"], matrix))
    assert health.zero_rows == 2 and health.shared_rows == 2
    assert health.cosines == {"good/bad": 0.0} and "love" in health.missing
    assert check_health(table(["bon", "mal"])).problem is None
    require_apart(table(["bon", "mal"]))
    matrix[0] = 0
    assert "was not filled" in check_health(table(["good", "x", "bad", "y"], matrix)).problem


def test_cosines_are_cosines():
    health = check_health(table(["good", "bad"], [[1, 0], [1, 1]]))
    assert health.cosines == {"good/bad": pytest.approx(2**-0.5)}


def test_analogies_by_hand(tmp_path):
    matrix = np.array([[1, 0, 1], [0, 1, 1], [1, 0, -1], [0, 1, -1], [5, 5, 5]])
    (tmp_path / "q.txt").write_text(
        ": royal\nman woman king queen\nking queen man woman\nman king woman nobody\n: none\na b c d\n"
    )
    result = analogies(table(["man", "woman", "king", "queen", "the"], matrix), tmp_path / "q.txt")
    assert (result.n, result.n_questions, result.accuracy) == (2, 4, 100.0)
    assert result.sections == {"royal": 100.0}


def test_similarity_by_hand(tmp_path):
    pairs = ["# comment", "a\tb\t9", "a\tc\t5", "a\td\t1", "a\tabsent\t2"]
    (tmp_path / "s.tsv").write_text("\n".join(pairs) + "\n")
    close = table(["a", "b", "c", "d"], [[1, 0], [1, 0.1], [1, 1], [0, 1]])
    (result,) = similarity(close, tmp_path / "s.tsv")
    assert (result.name, result.n, result.n_pairs) == ("s", 3, 4)
    assert result.spearman == pytest.approx(100)
    (result,) = similarity(table(["x", "y"]), tmp_path / "s.tsv")
    assert result.n == 0


def test_similarity_and_analogies_of_glove(glove):
    read = read_vectors(
        glove / "glove_6B_50d_emb.npy", words=glove / "glove_6B_index.parquet", most_frequent=10_000
    )
    by_name = {result.name: result for result in similarity(read)}
    assert by_name["wordsim353"].spearman > 45 and by_name["simlex999"].spearman > 20
    with pytest.raises(VectorsError, match="does not exist"):
        analogies(read, "nowhere.txt")


def test_coverage_counts_words_and_types():
    result = coverage(table(["a", "b"]), [["A", "b", "zz"], ["zz", "a", "y"]], most_missing=1)
    assert (result.n_words, result.n_types) == (6, 4)
    assert (result.words, result.types) == (50, 50)
    assert result.missing == (("zz", 2),)
    with pytest.raises(VectorsError, match="has no words"):
        coverage(table(["a"]), [])


def test_the_command_prints_everything_and_refuses_a_pruned_table(tmp_path):
    table([*TELLING, "film"]).save(tmp_path / "fit")
    (tmp_path / "t.txt").write_text("Good film!\nUnseen film.\n")
    command = [
        "vectors",
        "evaluate",
        str(tmp_path / "fit"),
        "--corpus",
        str(tmp_path / "t.txt"),
        "--no-analogies",
    ]
    result = CliRunner().invoke(app, [*command, "--json"])
    found = json.loads(result.stdout)
    assert result.exit_code == 0 and found["health"]["problem"] is None
    assert found["coverage"]["n_words"] == 6 and found["coverage"]["words"] == 50
    assert "coverage: 50.00 % of 6 words" in CliRunner().invoke(app, command).stdout
    table(TELLING, np.ones((len(TELLING), 2))).save(tmp_path / "pruned")
    result = CliRunner().invoke(app, ["vectors", "evaluate", str(tmp_path / "pruned"), "--no-analogies"])
    assert result.exit_code == 1 and "10985" in result.stderr
