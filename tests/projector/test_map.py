"""Maps: points, columns, layouts, comparison, the files that are written and the command."""

import csv
import importlib.util
import json
import sys
import threading
import urllib.request

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from treesent.errors import DataError, MissingExtraError, VectorsError
from treesent.projector import MapOptions, project
from treesent.projector.columns import clusters, column, read_columns, sentiment
from treesent.projector.compare import align, compare
from treesent.projector.layouts import lay_out, principal
from treesent.projector.page import label_order
from treesent.projector.points import MOST, Column, Points
from treesent.projector.serve import make_server
from treesent.vectors.table import VectorTable

QUIET = MapOptions(sentiment="none", n_clusters=4)


def words(n):
    return tuple(f"w{chr(97 + i % 26)}{i}" for i in range(n))


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(4, 12))
    matrix = (3 * centres[np.arange(90) % 4] + rng.normal(size=(90, 12))).astype(np.float32)
    return VectorTable(words(90), matrix)


def points(table):
    return Points(tuple(table.words), table.dense())


def header(page):
    return json.loads(page.split('id="header">')[1].split("</script>")[0])


# -- points and columns


def test_points_refuse_what_cannot_be_drawn(table):
    with pytest.raises(VectorsError, match="at least 3 words, not 2"):
        Points(("a", "b"), np.zeros((2, 4), np.float32))
    with pytest.raises(VectorsError, match=r"at most 100,000 .*--most-frequent"):
        Points(("x",) * (MOST + 1), np.zeros((MOST + 1, 1), np.float32))
    with pytest.raises(VectorsError, match="give one for each"):
        Points(("a", "b", "c"), np.zeros((4, 2), np.float32))
    with pytest.raises(VectorsError, match="'size' has 2 values for 90 words"):
        Points(tuple(table.words), table.dense(), (Column("size", np.zeros(2, np.float32)),))


def test_a_second_column_of_a_name_is_numbered(table):
    one = Column("size", np.zeros(90, np.float32))
    assert [c.name for c in points(table).with_columns(one, one, one).columns] == ["size", "size 2", "size 3"]


def test_columns_are_numbers_or_categories():
    numbers = column("n", ["1", "", None, "-2.5"])
    assert numbers.scale == "diverging"
    assert [numbers.at(i) for i in range(4)] == [1.0, None, None, -2.5]
    texts = column("t", ["noun", "verb", None, "noun"])
    assert texts.categories == ("noun", "verb")
    assert [texts.at(i) for i in range(4)] == ["noun", "verb", None, "noun"]
    many = column("m", [f"c{i}" for i in range(100)])
    assert len(many.categories) == 40
    assert many.at(99) == "other"


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_metadata_is_joined_by_name(tmp_path, suffix):
    path = tmp_path / f"m.{suffix}"
    if suffix == "csv":
        path.write_text("word,kind,size\nb,verb,2\nzzz,noun,9\na,noun,1\n")
    else:
        path.write_text(
            '{"word": "b", "kind": "verb", "size": 2}\n{"word": "a", "kind": "noun", "size": 1}\n'
        )
    kind, size = read_columns(path, ("a", "b", "c"))
    assert [kind.at(i) for i in range(3)] == ["noun", "verb", None]
    assert [size.at(i) for i in range(3)] == [1.0, 2.0, None]


def test_metadata_errors_name_the_place(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("word,kind\na,noun\nb,verb,extra\n")
    with pytest.raises(DataError, match=r"m\.csv:3: 3 columns where the header has 2"):
        read_columns(path, ("a", "b"))
    path.write_text("word,kind\nx,noun\n")
    with pytest.raises(DataError, match="--metadata-key"):
        read_columns(path, ("a", "b"))
    with pytest.raises(DataError, match="no column 'wrod'; did you mean 'word'"):
        read_columns(path, ("a", "b"), "wrod")


def test_clusters_find_the_groups_that_are_there(table):
    found = clusters(table.words, table.dense(), 4)
    together = {(i % 4, int(found.values[i])) for i in range(90)}
    assert len(together) == 4
    assert len(found.categories) == 4
    again = clusters(table.words, table.dense(), 4)
    np.testing.assert_array_equal(found.values, again.values)


def test_sentiment_is_the_pipelines_own():
    from tests.fakes import FakePipeline

    names = ["good film", "", "awful"]
    found = sentiment(names, FakePipeline())
    for name, value in zip(names, found.values, strict=True):
        (doc,) = FakePipeline().pipe([name])
        expected = doc._.sentiment
        assert np.isnan(value) if expected is None else value == pytest.approx(expected.polarity)


def test_names_without_letters_and_function_words_are_labelled_late():
    names = ("the", ",", "film", "great", "n't", "1999", "actor")
    order = label_order(Points(names, np.eye(7, dtype=np.float32))).tolist()
    assert [names[i] for i in order[:3]] == ["film", "great", "actor"]
    assert {names[i] for i in order[-2:]} == {",", "1999"}


# -- layouts


def test_pca_is_the_svd(table):
    matrix = table.dense()
    axes, shares = principal(matrix, 3)
    centred = matrix - matrix.mean(axis=0)
    _, values, right = np.linalg.svd(centred.astype(np.float64))
    np.testing.assert_allclose(np.abs(axes), np.abs(centred @ right[:3].T), atol=1e-3)
    np.testing.assert_allclose(shares, values[:3] ** 2 / (values**2).sum(), rtol=1e-4)
    np.testing.assert_array_equal(axes, principal(matrix, 3)[0])


def test_narrow_tables_have_three_axes():
    axes, _ = principal(np.random.default_rng(0).normal(size=(9, 2)).astype(np.float32), 50)
    assert axes.shape == (9, 3)
    assert not axes[:, 2].any()


def test_layouts_lie_in_the_unit_square(table):
    (layout,) = lay_out(points(table))
    assert layout.key == "pca"
    assert np.abs(layout.places).max() == pytest.approx(1)
    assert "% of the variance" in layout.note


def test_an_unknown_layout_is_named(table):
    with pytest.raises(VectorsError, match="no layout 'mds'; known: pca, tsne, umap"):
        lay_out(points(table), ("mds",))


@pytest.mark.parametrize(("key", "module"), [("tsne", "openTSNE"), ("umap", "umap")])
def test_a_missing_extra_names_the_command(table, monkeypatch, key, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'treesent\[viz\]'"):
        lay_out(points(table), (key,))


@pytest.mark.slow
@pytest.mark.parametrize(("key", "module"), [("tsne", "openTSNE"), ("umap", "umap")])
def test_neighbour_layouts_keep_groups_together_and_repeat(table, key, module):
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"needs {module}: pip install 'treesent[viz]'")
    first = lay_out(points(table), (key,), seed=3)[1].places
    far = np.linalg.norm(first[:, None] - first[None], axis=2)
    np.fill_diagonal(far, np.inf)
    nearest = far.argmin(axis=1)
    assert np.mean(nearest % 4 == np.arange(90) % 4) > 0.9
    np.testing.assert_array_equal(first, lay_out(points(table), (key,), seed=3)[1].places)


# -- before and after


def test_align_undoes_a_rotation(table):
    matrix = table.dense()
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(12, 12)))
    turned = align(matrix, (matrix @ turn).astype(np.float32))
    unit = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    np.testing.assert_allclose(turned, unit, atol=1e-4)


def test_compare_takes_common_words_of_any_width(table):
    rng = np.random.default_rng(2)
    other = VectorTable((*reversed(table.words[:50]), "new"), rng.normal(size=(51, 7)).astype(np.float32))
    found = compare(table, other, 20)
    assert found.names == tuple(table.words[:20])
    assert found.after.shape == (20, 12)
    with pytest.raises(VectorsError, match="have 0 words in common"):
        compare(table, VectorTable(("x", "y", "z"), np.eye(3, dtype=np.float32)), 20)


def test_the_word_that_moved_is_found(table, tmp_path):
    matrix = table.dense().copy()
    matrix[7] = -matrix[7]
    project(table, tmp_path / "m.parquet", VectorTable(table.words, matrix), _as("parquet"))
    moved = pq.read_table(tmp_path / "m.parquet")["moved"].to_numpy()
    assert moved.argmax() == 7
    assert np.delete(moved, 7).max() < 0.1 < moved[7]


# -- what is written


def _as(kind, **more):
    return MapOptions(sentiment="none", n_clusters=4, format=kind, **more)


def test_the_page_is_one_file_without_addresses(table, tmp_path):
    out = project(table, tmp_path / "deep" / "map.html", options=QUIET)
    page = out.read_text(encoding="utf-8")
    assert "{{" not in page.split('id="header"')[0]
    code = page.split('<script type="text/plain"')[0] + page.split('<script type="module">')[1]
    assert "https:" not in code
    assert "http:" not in code.replace("http://www.w3.org/2000/svg", "")
    assert header(page)["count"] == 90
    assert [entry["name"] for entry in header(page)["columns"]] == ["frequency rank", "cluster"]
    assert not list(out.parent.glob("*.partial"))


def test_the_same_table_gives_the_same_page(table, tmp_path):
    first, second = (project(table, tmp_path / f"{i}.html", options=QUIET).read_bytes() for i in "ab")
    assert first == second


def test_a_title_is_text_not_markup(table, tmp_path):
    options = MapOptions(sentiment="none", title="</script><b>&{{SCRIPT}}")
    page = project(table, tmp_path / "m.html", options=options).read_text(encoding="utf-8")
    assert "</script><b>" not in page
    assert header(page)["title"] == options.title
    assert page.count("async function boot()") == 1


def test_tensorboard_files(table, tmp_path):
    (tmp_path / "m.csv").write_text("word,kind\nwa0,noun\n")
    out = project(table, tmp_path / "tb", options=_as("tensorboard", metadata=tmp_path / "m.csv"))
    vectors = np.loadtxt(out / "vectors.tsv", delimiter="\t", dtype=np.float32)
    np.testing.assert_allclose(vectors, table.dense(), rtol=1e-4)
    with (out / "metadata.tsv").open(encoding="utf-8") as stream:
        rows = list(csv.reader(stream, delimiter="\t"))
    assert rows[0] == ["name", "frequency rank", "cluster", "kind"]
    assert rows[1][0] == "wa0"
    assert rows[1][3] == "noun"
    assert len(rows) == 91
    assert 'tensor_path: "vectors.tsv"' in (out / "projector_config.pbtxt").read_text()


def test_parquet_has_vectors_columns_and_places(table, tmp_path):
    found = pq.read_table(project(table, tmp_path / "m.parquet", options=_as("parquet")))
    assert found["name"].to_pylist() == list(table.words)
    np.testing.assert_array_equal(np.array(found["vector"].to_pylist(), np.float32), table.dense())
    assert {"frequency rank", "cluster", "pca_x", "pca_y", "pca_z"} <= set(found.column_names)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"most": 2}, "3 to 100,000"),
        ({"most": MOST + 1}, "3 to 100,000"),
        ({"format": "svg"}, "no format 'svg'"),
        ({"n_clusters": -1}, "--clusters -1"),
    ],
)
def test_options_that_make_no_sense(settings, message):
    with pytest.raises(VectorsError, match=message):
        MapOptions(**settings)


def test_nan_is_named(table, tmp_path):
    from treesent.projector.map import write

    matrix = table.dense().copy()
    matrix[3, 2] = np.nan
    with pytest.raises(VectorsError, match=r"'wd3' holds NaN"):
        write(Points(tuple(table.words), matrix), tmp_path / "m.html", "m", "", QUIET)


@pytest.mark.parametrize(
    "matrix", [np.zeros((6, 4)), np.ones((6, 4)), np.eye(6, 1)], ids=["zero", "equal", "narrow"]
)
def test_degenerate_tables_are_drawn(tmp_path, matrix):
    table = VectorTable(list("abcdef"), matrix.astype(np.float32))
    out = project(table, tmp_path / "m.html", options=QUIET)
    assert header(out.read_text(encoding="utf-8"))["count"] == 6


def test_serve_gives_the_page_and_nothing_else():
    server = make_server("<title>ä</title>".encode())
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.server_port}"
        with urllib.request.urlopen(f"{address}/") as answer:
            assert answer.read().decode() == "<title>ä</title>"
            assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        with pytest.raises(urllib.error.HTTPError, match="404") as caught:
            urllib.request.urlopen(f"{address}/etc/passwd")
        caught.value.close()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_the_command_writes_a_map(table, tmp_path):
    from treesent.cli import app

    table.save(tmp_path / "vectors")
    run = CliRunner().invoke(
        app,
        ["project", str(tmp_path / "vectors"), "-o", str(tmp_path / "m.html"), "--sentiment", "none"],
    )
    assert run.exit_code == 0, run.output
    assert header((tmp_path / "m.html").read_text(encoding="utf-8"))["title"] == "vectors"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--layouts", "mds"], "no layout 'mds'"),
        (["--serve", "--format", "parquet"], "leave --format out"),
        (["--after", "x", "--from-pipeline", "y"], "no use beside --from-pipeline"),
        (["--sentiment", "no_such_model"], "no_such_model"),
    ],
)
def test_the_command_says_what_is_wrong(table, tmp_path, arguments, message):
    from treesent.cli import app

    table.save(tmp_path / "vectors")
    if "--sentiment" not in arguments:
        arguments = [*arguments, "--sentiment", "none"]
    run = CliRunner().invoke(
        app, ["project", str(tmp_path / "vectors"), "-o", str(tmp_path / "m.html"), *arguments]
    )
    assert run.exit_code == 1
    assert message in run.stderr
    assert not (tmp_path / "m.html").exists()
