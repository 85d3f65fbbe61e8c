"""The one way to open vectors, and its check that a table can tell good from bad."""

from pathlib import Path

import numpy as np
import pytest
import spacy
from typer.testing import CliRunner

from treesent.cli import app
from treesent.data.vector_sources import load_vectors
from treesent.errors import VectorsError
from treesent.vectors import open as opening
from treesent.vectors.formats import write_vectors
from treesent.vectors.open import locate, open_vectors
from treesent.vectors.table import VectorTable

WORDS = ["good", "bad", "film"]
FIT = VectorTable(WORDS, np.array([[1, 2], [3, 4], [5, 6]], np.float32))
UNFIT = VectorTable(WORDS, np.array([[1, 2], [1, 2], [5, 6]], np.float32))


def vocab_of(table):
    vocab = spacy.blank("en").vocab
    for word in table.words:
        vocab.set_vector(word, table.vector(word))
    return vocab


def sources(table, folder):
    """The same table in every kind of place."""
    write_vectors(table, folder / "v.vec")
    table.save(folder / "table")
    table.save(folder / "pipeline" / "treesent" / "vectors")
    return [table, folder / "v.vec", str(folder / "table"), folder / "pipeline", vocab_of(table)]


def test_a_table_is_the_same_from_every_place(tmp_path):
    for source in sources(FIT, tmp_path):
        opened = open_vectors(source)
        assert opened.words == WORDS
        np.testing.assert_array_equal(opened.dense(), FIT.matrix)


def test_a_table_that_cannot_tell_good_from_bad_is_refused_from_every_place(tmp_path):
    for source in sources(UNFIT, tmp_path):
        with pytest.raises(VectorsError, match=r": 'good' and 'bad' have the same vector.*use an unpruned"):
            open_vectors(source)
        np.testing.assert_array_equal(open_vectors(source, judge=False).dense(), UNFIT.matrix)


def test_a_packaged_name_is_a_pipelines_table(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "packaged", lambda folder: tmp_path / folder)
    table = tmp_path / "pipelines" / "en_small" / "treesent" / "vectors"
    FIT.save(table)
    assert locate("en_small") == locate("en_small/treesent/vectors") == table
    assert locate("nothing.vec") == Path("nothing.vec")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(VectorsError, match=r"nothing\.vec does not exist"):
        open_vectors(tmp_path / "nothing.vec")


def test_commands_warn_of_such_a_table_and_recipes_refuse_it(tmp_path):
    write_vectors(UNFIT, tmp_path / "v.vec")
    write_vectors(FIT, tmp_path / "fit.vec")
    for command in (["convert"], ["join"]):
        out = tmp_path / f"{command[0]}.txt"
        result = CliRunner().invoke(app, ["vectors", *command, str(tmp_path / "v.vec"), "-o", str(out)])
        assert result.exit_code == 0 and "have the same vector" in result.stderr
        assert len(out.read_text().splitlines()) == 3
    file = {"@misc": "treesent.VectorFile.v1"}
    unfit, fit = (file | {"path": str(tmp_path / name)} for name in ("v.vec", "fit.vec"))
    with pytest.raises(VectorsError, match=r"^\[vectors\]: .*same vector"):
        load_vectors(unfit)
    # Beside a table that tells them apart, it does no harm.
    joined = load_vectors({"@misc": "treesent.JoinVectors.v1", "sources": {"a": unfit, "b": fit}})
    assert joined.words == WORDS and joined.width == 4
