import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import WORDS, forests, right_branching, trees
from treesent.errors import DataError, OutputError, TreeFormatError, TreesentError
from treesent.trees.brackets import parse_tree, read_trees, write_trees
from treesent.trees.notation import escape, unescape


@given(trees())
def test_brackets_round_trip(tree):
    assert parse_tree(tree.brackets()) == tree


@given(forests())
def test_files_round_trip(tmp_path_factory, trees):
    path = tmp_path_factory.mktemp("trees") / "trees.txt"
    assert write_trees(trees, path) == len(trees)
    assert list(read_trees(path)) == trees


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1, max_size=5))
def test_any_word_can_be_written(words):
    """Brackets and white space are replaced, and what was replaced once stays."""
    tree = right_branching(words)
    assert parse_tree(tree.brackets()).words == tuple(escape(word) for word in words)
    assert [escape(escape(word)) for word in words] == [escape(word) for word in words]


@pytest.mark.parametrize(
    ("name", "counts"), [("train", (8_544, 163_563, 318_582)), ("dev", (1_101, 21_274, 41_447))]
)
def test_the_whole_treebank(sst_dir, tmp_path, name, counts):
    path = sst_dir / f"{name}.txt"
    trees = list(read_trees(path))
    assert (len(trees), sum(t.n_words for t in trees), sum(t.n_nodes for t in trees)) == counts
    write_trees(trees, tmp_path / "again.txt")
    assert (tmp_path / "again.txt").read_bytes() == path.read_bytes()


def test_a_known_tree():
    tree = parse_tree("(3 (2 (1 not) (- bad)) (2 2\xa01\\/2))")
    assert tree.words == ("not", "bad", "2\xa01\\/2")
    assert tree.label.tolist() == [1, -1, 2, 2, 3]
    assert list(tree.spans()) == [(0, 1), (1, 2), (0, 2), (2, 3), (0, 3)]
    assert parse_tree("(4 superb)").n_words == 1


def test_spaces_may_stand_between_brackets():
    assert parse_tree(" ( 3 ( 2 a )( 2  b ) ) \r\n") == parse_tree("(3 (2 a) (2 b))")


@pytest.mark.parametrize("direction", ["left", "right"])
def test_a_chain_of_ten_thousand_words(tmp_path, direction):
    n_words = 10_000
    if direction == "right":
        text = "(1 (2 a) " * (n_words - 1) + "(3 b)" + ")" * (n_words - 1)
    else:
        text = "(1 " * (n_words - 1) + "(3 b)" + " (2 a))" * (n_words - 1)
    (tmp_path / "chain.txt").write_text(text + "\n")
    (tree,) = read_trees(tmp_path / "chain.txt")
    assert tree.n_words == n_words
    write_trees([tree], tmp_path / "again.txt")
    assert (tmp_path / "again.txt").read_text() == text + "\n"


BROKEN = {
    "unclosed": ("(3 (2 a) (2 b)", 1, "never closed: expected 1 more"),
    "unclosed inside": ("(3 (2 a) (2 (2 b) (2 c))", 1, "never closed"),
    "unclosed twice": ("(3 (2 a) (3 (2 b) (2 c)", 10, "never closed: expected 2 more"),
    "unclosed leaf": ("(3 (2 a) (2 b", 13, "'b' where a bracket should be"),
    "only an opening bracket": ("(", 1, "never closed"),
    "closed too often": ("(3 (2 a) (2 b)))", 16, "closing bracket without an opening one"),
    "only a closing bracket": (")", 1, "closing bracket without"),
    "root without label": ("((2 a) (2 b))", 1, "without a label: expected 0 to 4, or - for none"),
    "leaf without label": ("(3 (2 a) (b))", 10, "leaf without a label.*like \\(2 b\\)"),
    "node without label": ("(3 (2 a) ((2 b) (2 c)))", 10, "without a label"),
    "label no number": ("(3 (x a) (2 b))", 4, "label 'x' is not a number"),
    "label of a node no number": ("(NP (2 a) (2 b))", 1, "label 'NP' is not a number"),
    "label a fraction": ("(3 (2.5 a) (2 b))", 4, "label '2.5' is not a number"),
    "label padded": ("(3 (02 a) (2 b))", 4, "label 02 is outside"),
    "label too large": ("(3 (2 a) (5 b))", 10, "label 5 is outside the range: expected 0 to 4"),
    "label negative": ("(3 (2 a) (-1 b))", 10, "label -1 is outside the range.*- for none"),
    "label of a node too large": ("(7 (2 a) (2 b))", 1, "label 7 is outside"),
    "three leaves": ("(3 (2 a) (2 b) (2 c))", 16, "third child: trees are binary, so binarise"),
    "three nodes": ("(3 (2 a) (2 b) (2 (2 c) (2 d)))", 16, "third child"),
    "one child": ("(3 (2 a))", 1, "one child: expected two"),
    "one child inside": ("(3 (2 a) (2 (2 b)))", 10, "one child"),
    "empty bracket": ("()", 1, "empty bracket: expected a label"),
    "empty bracket inside": ("(3 (2 a) ( ))", 10, "empty bracket"),
    "label alone": ("(3 (2 a) (2))", 10, "nothing after its label 2"),
    "label alone, unlabelled": ("(3 (2 a) (-))", 10, "nothing after its label -"),
    "two words in a leaf": ("(3 (2 a b) (2 c))", 7, "'a' where a bracket should be.*one word"),
    "word between nodes": ("(3 (2 a) b (2 c))", 10, "'b' where a bracket should be"),
    "no bracket": ("a good film", 1, "'a' where the tree should begin"),
    "text after the root": ("(3 (2 a) (2 b)) c", 17, "text after the root: 'c'"),
    "second leaf after the root": ("(3 (2 a) (2 b)) (2 c)", 17, "second tree after the root"),
    "second tree after the root": ("(3 (2 a) (2 b)) (2 (2 c) (2 d))", 17, "second tree after the root"),
    "text before the root": ("0\t(3 (2 a) (2 b))", 1, "'0' where the tree should begin"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_tree_is_refused_with_its_place(tmp_path, kind):
    text, column, message = BROKEN[kind]
    path = tmp_path / "broken.txt"
    path.write_text(f"(3 (2 fine) (2 tree))\n\n{text}\n(3 (2 fine) (2 tree))\n")
    with pytest.raises(TreeFormatError, match=message) as caught:
        list(read_trees(path))
    assert str(caught.value).startswith(f"{path}:3:{column}: ")
    assert (caught.value.path, caught.value.line, caught.value.column) == (path, 3, column)


def test_trees_before_the_broken_one_are_given(tmp_path):
    path = tmp_path / "broken.txt"
    path.write_text("(3 (2 a) (2 b))\n(3 (2 a)\n")
    reader = read_trees(path)
    assert next(reader).words == ("a", "b")
    with pytest.raises(TreeFormatError, match=r"broken\.txt:2:1"):
        next(reader)


def test_other_numbers_of_classes():
    assert parse_tree("(1 (0 a) (1 b))", n_classes=2).n_words == 2
    with pytest.raises(TreeFormatError, match="label 2 is outside the range: expected 0 to 1"):
        parse_tree("(1 (0 a) (2 b))", n_classes=2)


@pytest.mark.parametrize("content", [b"", b"\n \n\t\n"])
def test_a_file_without_trees_is_refused(tmp_path, content):
    (tmp_path / "empty.txt").write_bytes(content)
    with pytest.raises(TreeFormatError, match=r"empty\.txt:1:1: the file holds no tree"):
        list(read_trees(tmp_path / "empty.txt"))


@pytest.mark.parametrize("text", ["", "  \n"])
def test_text_without_a_tree_is_refused(text):
    with pytest.raises(TreeFormatError, match="no tree here"):
        parse_tree(text)


def test_bytes_that_are_not_utf8_are_refused_with_their_column(tmp_path):
    (tmp_path / "latin.txt").write_bytes("(2 a)\n(3 (2 é) (2 ".encode() + b"caf\xe9) (2 b))\n")
    with pytest.raises(TreeFormatError, match=r"latin\.txt:2:16: byte 0xe9 is not UTF-8"):
        list(read_trees(tmp_path / "latin.txt"))


def test_a_byte_order_mark_and_other_line_ends_are_no_trouble(tmp_path):
    (tmp_path / "windows.txt").write_bytes(b"\xef\xbb\xbf(3 (2 a) (2 b))\r\n(2 c)\r\n")
    assert [tree.words for tree in read_trees(tmp_path / "windows.txt")] == [("a", "b"), ("c",)]


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "missing.txt", tmp_path):
        with pytest.raises(DataError, match="cannot be read"):
            list(read_trees(path))
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        write_trees([], tmp_path / "file" / "trees.txt")


def test_a_file_is_replaced_only_when_all_is_written(tmp_path):
    path = tmp_path / "trees.txt"
    path.write_text("(2 old)\n")
    with pytest.raises(TreesentError, match="an empty word cannot stand in a tree"):
        write_trees([right_branching(["new"]), right_branching([""])], path)
    assert path.read_text() == "(2 old)\n"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("word", "plain"),
    [
        ("-LRB-", "("), ("-rrb-", ")"), ("-LCB-", "{"), ("-RSB-", "]"), (":-RRB-", ":)"),
        ("co-writer\\/director", "co-writer/director"), ("\\*\\*", "**"), ("``", '"'), ("''", '"'),
        ("'s", "'s"), ("well-made", "well-made"),
    ],
)  # fmt: skip
def test_unescape_gives_the_word_people_write(word, plain):
    assert unescape(word) == plain


@given(WORDS)
def test_words_without_escapes_are_themselves(word):
    if not any(mark in word for mark in ("\\", "-", "``", "''")):
        assert unescape(word) == word
