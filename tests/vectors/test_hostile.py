"""Hostile and broken files of vectors: nothing runs, nothing hangs, nothing of the user's is lost."""

import gzip
import io
import json
import pickle
import shutil
import struct
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from treesent.cli import app
from treesent.errors import OutputError, VectorsError
from treesent.projector import page
from treesent.vectors.formats import read_vectors, write_vectors
from treesent.vectors.table import VectorTable

FACEBOOK = Path(__import__("gensim").__file__).parent / "test" / "test_data"
RAN = []


class Payload:
    """Unpickled, it appends to a list: what a hostile file would do with a program."""

    def __reduce__(self):
        return (RAN.append, ("ran",))


@pytest.fixture(autouse=True)
def nothing_runs():
    RAN.clear()
    yield
    assert RAN == []


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    return VectorTable(["good", "bad", "film", "plot"], rng.normal(size=(4, 3)).astype(np.float32))


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def refused(result, *parts):
    assert (result.exit_code, type(result.exception)) == (1, SystemExit), result.output
    assert all(part in result.stderr for part in parts), result.stderr


@pytest.mark.parametrize("name", ["glove.6B.50d.txt", "wiki.bin", "v.npy", "v.kv", "v.model", "v.vec", "v"])
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("packed", [False, True])
def test_a_pickle_is_never_opened(tmp_path, name, protocol, packed):
    data = pickle.dumps(Payload(), protocol)
    (tmp_path / name).write_bytes(gzip.compress(data) if packed else data)
    with pytest.raises(VectorsError):
        read_vectors(tmp_path / name)


def test_the_refusal_says_what_a_pickle_is_and_what_to_do(tmp_path):
    (tmp_path / "wiki.txt").write_bytes(pickle.dumps(Payload()))
    for command in (["vectors", "info"], ["vectors", "evaluate"], ["project", "-o", tmp_path / "m.html"]):
        result = run(*command, tmp_path / "wiki.txt")
        refused(result, "is a Python pickle", "can run any program", "save_word2vec_format", "--trust-pickle")


def test_gensims_own_files_open_for_those_who_trust_them(tmp_path, table):
    write_vectors(table, tmp_path / "v.kv")
    with pytest.raises(VectorsError, match="--trust-pickle"):
        read_vectors(tmp_path / "v.kv")
    again = read_vectors(tmp_path / "v.kv", trust_pickle=True)
    assert again.words == table.words and np.array_equal(again.dense(), table.dense())
    assert run("vectors", "info", tmp_path / "v.kv", "--trust-pickle").exit_code == 0


@pytest.mark.parametrize("kind", ["object", "structured"])
def test_an_npy_of_objects_is_refused(tmp_path, kind):
    array = np.array([[Payload()]], object) if kind == "object" else np.zeros(2, [("a", object)])
    np.save(tmp_path / "v.npy", array, allow_pickle=True)
    (tmp_path / "v.txt").write_text("a\nb\n")
    with pytest.raises(VectorsError):
        read_vectors(tmp_path / "v.npy")


def test_a_name_that_is_no_file_imports_nothing(tmp_path, monkeypatch):
    (tmp_path / "hostile_package").mkdir()
    (tmp_path / "hostile_package" / "__init__.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("hostile_package", "numpy", "this"):
        refused(run("vectors", "info", name), f"{name} does not exist")
    assert not {"hostile_package", "this"} & set(sys.modules)


def test_an_installed_pipeline_is_found_without_importing_it(tmp_path, monkeypatch, table):
    package = tmp_path / "en_toy_pipeline"
    write_vectors(table, package / "en_toy-1.0" / "vocab", "spacy")
    (package / "en_toy-1.0" / "meta.json").write_text("{}")
    (package / "__init__.py").write_text("raise SystemExit('imported')")
    info = tmp_path / "en_toy_pipeline-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: en_toy_pipeline\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[spacy_models]\nen_toy_pipeline = en_toy_pipeline\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert sorted(read_vectors("en_toy_pipeline").words) == sorted(table.words)
    with pytest.raises(VectorsError, match="did you mean 'en_toy_pipeline'"):
        read_vectors("en_toy_pipelin")


def header(shape, extra=""):
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}{extra}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


@pytest.mark.parametrize(
    "data",
    [
        header("(3, 1" + "0" * 30 + ")"),
        header("(3, 4"),
        header("((" * 40),
        header("(-1, 2)"),
        header("(1000000000, 1000000000)"),
        b"\x93NUMPY\x01\x00\xff\xff" + b"'" * 100,
        b"\x93NUMPY\x09\x09",
        b"3 1000000000000\ngood \0\0\0\0",
        b"3 99999999999999999999999999\ngood 1 2\n",
        b"1" * 5000 + b" 2\ngood 1 2\n",
        b"999999999 65536\n\x01 \x02\x03",
        b"(\0" * 100,
    ],
)
def test_headers_that_lie(tmp_path, data):
    for name in ("v.npy", "v.bin", "v.txt"):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(VectorsError):
            read_vectors(tmp_path / name)


@pytest.mark.parametrize("dtype", ["BF16", "F8_E4M3", "F8_E5M2", "F4", "I64", "NONE"])
def test_safetensors_of_types_that_numpy_lacks(tmp_path, dtype):
    size = {"I64": 8, "BF16": 2}.get(dtype, 1) * 4
    head = json.dumps({"v": {"dtype": dtype, "shape": [2, 2], "data_offsets": [0, size]}}).encode()
    (tmp_path / "v.safetensors").write_bytes(struct.pack("<Q", len(head)) + head + b"\0" * size)
    (tmp_path / "v.txt").write_text("good\nbad\n")
    with pytest.raises(VectorsError, match=r"v\.safetensors"):
        read_vectors(tmp_path / "v.safetensors")


def test_zips_that_cannot_be_unpacked(tmp_path):
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("v.txt", "good 1 2\nbad 2 1\n")
    plain = raw.getvalue()
    for field, value, at in (("encrypted", b"\x01\x00", (6, 8)), ("method", b"\x63\x00", (8, 10))):
        data = bytearray(plain)
        central = data.index(b"PK\x01\x02")
        data[at[0] : at[0] + 2] = value
        data[central + at[1] : central + at[1] + 2] = value
        path = tmp_path / f"{field}.zip"
        path.write_bytes(bytes(data))
        with pytest.raises(VectorsError, match=r"cannot be unpacked|damaged"):
            read_vectors(path)


def test_a_zip_whose_directory_points_before_the_file(tmp_path):
    with zipfile.ZipFile(tmp_path / "v.zip", "w") as archive:
        archive.writestr("v.txt", "good 1 2\nbad 3 4\n")
    data = bytearray((tmp_path / "v.zip").read_bytes())
    end = data.rindex(b"PK\x05\x06")
    data[end + 16 : end + 20] = struct.pack("<I", 0x7FFF)  # where the directory would begin
    (tmp_path / "v.zip").write_bytes(data)
    with pytest.raises(VectorsError, match=r"v\.zip is cut short or damaged"):
        read_vectors(tmp_path / "v.zip")


def test_spacy_vectors_whose_words_or_rows_are_gone(tmp_path, table):
    write_vectors(table, tmp_path / "v", "spacy")
    strings = (tmp_path / "v" / "strings.json").read_text()
    (tmp_path / "v" / "strings.json").write_text(strings.replace("film", "flim"))
    with pytest.raises(VectorsError, match="damaged: its vectors have a word or a row"):
        read_vectors(tmp_path / "v")
    (tmp_path / "v" / "strings.json").write_text(strings)
    np.save(tmp_path / "v" / "vectors", table.matrix[:2])
    (tmp_path / "v" / "vectors.npy").rename(tmp_path / "v" / "vectors")
    with pytest.raises(VectorsError, match="damaged"):
        read_vectors(tmp_path / "v")


def test_one_endless_line_is_refused_before_it_fills_the_memory(tmp_path):
    with gzip.open(tmp_path / "v.txt.gz", "wb", compresslevel=1) as file:
        file.write(b"good 1 2\n")
        for _ in range(24):
            file.write(b"1" * (1 << 20))
    with pytest.raises(VectorsError, match="longer than 16,777,216 bytes"):
        read_vectors(tmp_path / "v.txt.gz")


@pytest.fixture(scope="module")
def fasttext(tmp_path_factory):
    """A fastText model as Facebook's program writes it."""
    from gensim.models.fasttext import FastText, save_facebook_model

    model = FastText([["good", "film"], ["bad", "plot"]] * 5, vector_size=4, min_count=1, bucket=50, epochs=1)
    path = tmp_path_factory.mktemp("fasttext") / "v.bin"
    save_facebook_model(model, str(path))
    return path


def test_a_whole_fasttext_file_is_read(fasttext):
    assert sorted(read_vectors(fasttext).words) == ["bad", "film", "good", "plot"]


def test_a_cut_fasttext_file_is_refused(fasttext, tmp_path):
    data = fasttext.read_bytes()
    places = [*range(4, 170), *range(170, len(data) - 1, 97)]
    for place in places:
        (tmp_path / "cut.bin").write_bytes(data[:place])
        if place <= len(data) - 4 * 4 * 4 - 17 - 1:  # gensim never reads the output matrix
            with pytest.raises(VectorsError):
                read_vectors(tmp_path / "cut.bin")


def test_nothing_of_the_users_is_overwritten(tmp_path, table, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_vectors(table, "v.txt")
    Path("notes.txt").write_text("years of work")
    Path("precious").mkdir()
    Path("precious/thesis.tex").write_text("years of work")
    Path("log").mkdir()
    Path("log/metadata.tsv").write_text("mine")
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    always = ["is the input as well", "holds thesis.tex"]
    for command in (
        "vectors convert v.txt -o v.npy",
        "vectors convert v.txt -o v.txt",
        "vectors convert v.txt -o notes.npy",
        "vectors convert v.txt -o precious --format spacy",
        "vectors convert v.txt -o precious",
        "vectors join v.txt -o v.txt",
        "vectors train notes.txt -o notes.txt",
        "project v.txt -o v.txt --sentiment none",
        "project v.txt -o notes.txt --sentiment none",
        "project v.txt -o log --format tensorboard --sentiment none",
    ):
        result = run(*command.split())
        refused(result, "treesent: error: ")
        if any(part in result.stderr for part in always):
            refused(run(*command.split(), "--overwrite"), "treesent: error: ")
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before


def test_overwrite_replaces_what_treesent_wrote(tmp_path, table):
    write_vectors(table, tmp_path / "v.txt")
    for name in ("out.npy", "out", "out.kv"):
        assert run("vectors", "convert", tmp_path / "v.txt", "-o", tmp_path / name).exit_code == 0
        refused(run("vectors", "convert", tmp_path / "v.txt", "-o", tmp_path / name), "--overwrite")
        again = run("vectors", "convert", tmp_path / "v.txt", "-o", tmp_path / name, "--overwrite")
        assert again.exit_code == 0, again.output
        assert read_vectors(tmp_path / name, trust_pickle=True).words == table.words


def test_a_folder_that_was_something_else_is_not_replaced(tmp_path, table):
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / "mine").write_text("x")
    with pytest.raises(OutputError, match="holds mine"):
        write_vectors(table, tmp_path / "v", "spacy")
    shutil.rmtree(tmp_path / "v")


@pytest.mark.parametrize("value", ["{{BLOCKS}}", "{{HEADER}}", "{{STYLE}}{{SCRIPT}}", "{{x}}", r"\1 \g<0>"])
def test_a_template_is_filled_once(value, tmp_path):
    from treesent.projector.layouts import lay_out
    from treesent.projector.points import Column, Points

    matrix = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    column = Column(value, np.array([0, 1] * 3, np.int32), categories=(value, "other"))
    points = Points((value, "b", "c", "d", "e", "f"), matrix).with_columns(column)
    text = page.render(points, lay_out(points, ("pca",), 0), value, value)
    plain = page.render(points, lay_out(points, ("pca",), 0), "plain", "plain")
    assert text.count("<script") == plain.count("<script")
    start = text.index('id="header"') if 'id="header"' in text else text.index('"title"')
    assert json.dumps(value).replace("<", "\\u003c") in text[start : start + 2000]


def test_the_served_page_answers_its_own_host_only():
    import threading
    from http.client import HTTPConnection

    from treesent.projector.serve import make_server

    server = make_server(b"<p>page</p>")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    answers = {}
    for host in (f"127.0.0.1:{server.server_port}", f"localhost:{server.server_port}", "evil.example", ""):
        connection = HTTPConnection("127.0.0.1", server.server_port)
        connection.putrequest("GET", "/", skip_host=True)
        connection.putheader("Host", host)
        connection.endheaders()
        answer = connection.getresponse()
        answers[host.split(":")[0]] = (answer.status, b"page" in answer.read())
        connection.close()
    server.shutdown()
    server.server_close()
    assert answers == {
        "127.0.0.1": (200, True), "localhost": (200, True), "evil.example": (421, False), "": (421, False),
    }  # fmt: skip


def test_a_port_that_does_not_exist(tmp_path, table):
    write_vectors(table, tmp_path / "v.txt")
    result = run("project", tmp_path / "v.txt", "-o", tmp_path / "m.html", "--serve", "--port", "99999999")
    assert result.exit_code == 2 and "65535" in result.stderr
