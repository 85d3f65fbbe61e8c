import re
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import trees
from treesent.errors import DataError, TreesentError
from treesent.text.tokenizer import spacy_tokenizer
from treesent.trees.align import align_tree, align_treebank
from treesent.trees.brackets import parse_tree, read_trees, write_trees
from treesent.trees.notation import unescape

LETTERS = st.text("abc-'.", min_size=1, max_size=5)


def align(text, tokens):
    result = align_tree(parse_tree(text), tokens.split())
    return result.tree.brackets(), result.counts


@st.composite
def cut_again(draw):
    """A tree, and its characters cut into tokens elsewhere."""
    tree = draw(trees(max_words=8, words=LETTERS))
    characters = "".join(tree.words)
    cuts = draw(st.lists(st.integers(1, len(characters)), max_size=12))
    bounds = sorted({0, *cuts, len(characters)})
    return tree, [characters[i:j] for i, j in pairwise(bounds)]


def character_spans(tree):
    at = np.cumsum([0, *map(len, tree.words)])
    return list(zip(at[tree.start].tolist(), at[tree.end].tolist(), strict=True))


@given(cut_again())
def test_the_words_characters_are_kept_and_every_constituent_that_still_can_be_is(case):
    tree, tokens = case
    result = align_tree(tree, tokens)
    assert result.tree.words == tuple(tokens)
    assert result.counts.exact == 1
    cuts = set(np.cumsum([0, *map(len, tokens)]).tolist())
    given, found = character_spans(tree), character_spans(result.tree)
    label_of = dict(zip(found, result.tree.label.tolist(), strict=True))
    possible = {
        span: label for span, label in zip(given, tree.label.tolist(), strict=True) if cuts.issuperset(span)
    }
    assert {span: label_of[span] for span in possible} == possible
    assert all(label == -1 for span, label in label_of.items() if span not in possible)
    assert result.counts.kept == len(possible)


@given(trees(words=LETTERS))
def test_the_same_tokens_give_the_same_tree(tree):
    result = align_tree(tree, tree.words)
    assert result.tree == tree
    assert (result.counts.whole, result.counts.kept) == (1, tree.n_nodes)


@given(trees(max_words=8, words=LETTERS), st.lists(LETTERS, min_size=1, max_size=8))
def test_any_other_text_still_gives_a_tree_over_its_tokens(tree, tokens):
    result = align_tree(tree, tokens)
    assert result.tree.words == tuple(tokens)
    assert result.tree.label[-1] == tree.label[-1]


@pytest.mark.parametrize(
    ("text", "tokens", "expected"),
    [
        ("(1 (2 ca) (1 n't))", "ca n't", "(1 (2 ca) (1 n't))"),
        ("(1 (2 can) (1 not))", "cannot", "(1 cannot)"),
        ("(3 (3 well-made) (2 film))", "well - made film", "(3 (3 (- well) (- (- -) (- made))) (2 film))"),
        ("(2 (2 -LRB-) (2 sic))", "( sic", "(2 (2 -LRB-) (2 sic))"),
        ("(2 (2 and\\/or) (2 \\*\\*))", "and / or **", "(2 (2 (- and) (- (- /) (- or))) (2 **))"),
        ("(2 (2 (2 ``) (3 fun)) (2 ''))", '" fun "', '(2 (2 (2 ") (3 fun)) (2 "))'),
        ("(2 (2 (2 ``) (3 fun)) (2 ''))", "` ` fun ''", "(2 (2 (2 (- `) (- `)) (3 fun)) (2 ''))"),
        ("(2 (2 (2 `) (3 fun)) (2 '))", "‘ fun ’", "(2 (2 (2 ‘) (3 fun)) (2 ’))"),
        ("(2 2\xa01\\/2)", "2 1/2", "(2 (- 2) (- 1/2))"),
        ("(3 (2 a) (3 (3 good) (2 --)))", "a good –", "(3 (2 a) (3 (3 good) (2 –)))"),
        # merged across a constituent's edge: the constituent is gone, and its words' labels too
        ("(3 (2 (2 a) (1 b)) (4 c))", "a bc", "(3 (2 a) (- bc))"),
        ("(3 (2 (2 a) (1 b)) (4 c))", "abc", "(3 abc)"),
    ],
)  # fmt: skip
def test_known_cases(text, tokens, expected):
    brackets, counts = align(text, tokens)
    assert brackets == expected
    assert counts.exact == 1


@pytest.mark.parametrize(
    ("text", "tokens", "expected"),
    [
        ("(3 (3 naive) (2 film))", "naïve film", "(3 (3 naïve) (2 film))"),
        ("(3 (3 cafÃ©) (2 film))", "café film", "(3 (3 café) (2 film))"),
        # a word that the text lacks goes, one that the tree lacks joins the word before
        ("(3 (2 (2 a) (2 ,)) (3 film))", "a film", "(3 (2 a) (3 film))"),
        ("(3 (2 a) (3 film))", "a - film", "(3 (2 (- a) (- -)) (3 film))"),
    ],
)
def test_characters_that_differ(text, tokens, expected):
    brackets, counts = align(text, tokens)
    assert brackets == expected
    assert counts.exact == 0


def test_tokens_must_have_characters():
    with pytest.raises(TreesentError, match="no tokens for the tree over 'a b'"):
        align("(2 (2 a) (2 b))", "")
    with pytest.raises(TreesentError, match="no character but white space"):
        align_tree(parse_tree("(2 (2 a) (2 b))"), ["a", " ", "b"])


def make_files(folder, rows, header="line\tlabel\traw\ttokens"):
    (folder / "trees.txt").write_text("(3 (2 a) (3 (3 good-ish) (2 film)))\n(1 (1 no) (2 .))\n")
    (folder / "raw.tsv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return folder / "trees.txt", folder / "raw.tsv"


def test_files(tmp_path):
    files = make_files(tmp_path, ["1\t1\t\tno .", '0\t3\ta  "good-ish film\tx'])
    result = align_treebank(*files, spacy_tokenizer())
    assert [tree.words for tree in result.trees] == [("a", '"', "good", "-", "ish", "film"), ("no", ".")]
    assert (result.counts.trees, result.counts.without_raw, result.counts.exact) == (2, 1, 1)
    write_trees(result.trees, tmp_path / "new.txt")
    assert list(read_trees(tmp_path / "new.txt")) == result.trees


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        (["0\t3\ta\tb"], "line\traw", "raw.tsv:2: expected 2 tab-separated cells"),
        (["0\t3\ta\tb"], "id,raw", r"raw.tsv:1: the header is \['id,raw'\]"),
        (["x\t3\ta\tb"], "line\tlabel\traw\ttokens", "raw.tsv:2: expected 4.*a number under 'line'"),
        (["0\t3\ta\tb"], "line\tlabel\traw\ttokens", "no row for tree 1 of"),
        (["0\t3\ta\tb", "0\t3\ta\tb"], "line\tlabel\traw\ttokens", "raw.tsv:3: a second row for tree 0"),
        (["0\t3\ta\tb", "1\t3\ta\tb", "2\t3\ta\tb"], "line\tlabel\traw\ttokens", "3 rows for 2 trees"),
    ],
)
def test_broken_files_are_refused(tmp_path, rows, header, message):
    with pytest.raises(DataError, match=message):
        align_treebank(*make_files(tmp_path, rows, header), str.split)


def test_a_missing_file_is_refused(tmp_path):
    trees_file, _ = make_files(tmp_path, [])
    with pytest.raises(DataError, match="cannot be read"):
        align_treebank(trees_file, tmp_path / "missing.tsv", str.split)


@pytest.mark.parametrize(
    ("name", "trees", "nodes"),
    [("dev", 1101, 41_447), pytest.param("train", 8544, 318_582, marks=pytest.mark.slow)],
)
def test_the_treebank_survives(sst_dir, name, trees, nodes):
    result = align_treebank(sst_dir / f"{name}.txt", sst_dir / f"{name}_raw.tsv", spacy_tokenizer())
    counts = result.counts
    assert (counts.trees, counts.nodes, counts.without_raw) == (trees, nodes, 17 if name == "train" else 0)
    assert counts.exact / trees > 0.995
    assert counts.kept / nodes > 0.997
    assert counts.labelled / counts.new_nodes > 0.96
    old = list(read_trees(sst_dir / f"{name}.txt"))
    assert [tree.label[-1] for tree in result.trees] == [tree.label[-1] for tree in old]
    rows = (sst_dir / f"{name}_raw.tsv").read_text(encoding="utf-8").rstrip("\n").split("\n")[1:]
    tokenize = spacy_tokenizer()
    for number, row in enumerate(rows[:200]):
        text = row.split("\t")[2] or " ".join(unescape(word) for word in old[number].words)
        assert result.trees[number].words == tuple(tokenize(text))
        assert "".join(result.trees[number].words) == re.sub(r"\s", "", text)
    kept = Counter(label for tree in result.trees for label in tree.label.tolist())
    assert kept[-1] == counts.new_nodes - counts.labelled
