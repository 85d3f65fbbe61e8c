import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.parses import dependencies
from tests.strategies import heads, projective_heads
from treesent.errors import TreesentError
from treesent.trees.dependency import Dependencies, from_heads
from treesent.trees.structure import Structure
from treesent.trees.tree import Tree


def below(parent):
    """Every word's subtree, one by one."""
    subtrees = [{word} for word in range(len(parent))]
    for word in range(len(parent)):
        at = word
        while parent[at] >= 0:
            at = parent[at]
            subtrees[at].add(word)
    return subtrees


def spans_of(structure, tree=0):
    _, _, start, end = structure.arrays(tree)
    return set(zip(start.tolist(), end.tolist(), strict=True))


def binarise_one_by_one(parent):
    """Right dependents nearest first, then left ones, written as a recursion."""
    spans = []

    def build(word):
        start, end = word, word + 1
        spans.append((start, end))
        right = [d for d in range(len(parent)) if parent[d] == word and d > word]
        left = [d for d in range(len(parent)) if parent[d] == word and d < word]
        for dependent in right + left[::-1]:
            low, high = build(dependent)
            start, end = min(start, low), max(end, high)
            spans.append((start, end))
        return start, end

    build(int(np.flatnonzero(np.asarray(parent) < 0)[0]))
    return set(spans)


@given(projective_heads())
def test_a_projective_parse_keeps_each_subtree_a_constituent(head):
    trees = Dependencies.from_heads(head)
    assert not trees.crossing().any()
    assert np.array_equal(trees.projective().parent, trees.parent)
    spans = spans_of(trees.binarise())
    for subtree in below(trees.parent):
        assert (min(subtree), max(subtree) + 1) in spans
    assert spans == binarise_one_by_one(trees.parent)


@given(heads())
def test_any_parse_gives_a_binary_tree_and_lifting_makes_it_projective(head):
    trees = Dependencies.from_heads(head)
    contiguous = all(len(subtree) == max(subtree) - min(subtree) + 1 for subtree in below(trees.parent))
    assert trees.crossing().any() == (not contiguous)
    lifted = trees.projective()
    assert all(len(subtree) == max(subtree) - min(subtree) + 1 for subtree in below(lifted.parent))
    for word, parent in enumerate(lifted.parent):  # a lifted arc ends at an ancestor
        assert (parent < 0) == (trees.parent[word] < 0)
        assert parent < 0 or word in below(trees.parent)[parent]
    left, right, _, _ = trees.binarise().arrays(0)
    Tree.from_structure(["x"] * len(head), left, right)


@given(st.lists(heads(), min_size=1, max_size=5))
def test_a_batch_is_its_sentences_one_by_one(sentences):
    bounds = np.cumsum([0, *map(len, sentences)])
    joined = np.concatenate([head + shift for head, shift in zip(sentences, bounds, strict=False)])
    batch = from_heads(joined, bounds[:-1], bounds[1:])
    assert batch == Structure.concatenate([from_heads(head) for head in sentences])


@given(heads())
def test_depth_and_extents_are_those_of_the_subtrees(head):
    trees = Dependencies.from_heads(head)
    subtrees = below(trees.parent)
    assert trees.depth().tolist() == [sum(w in s for s in subtrees) - 1 for w in range(len(head))]
    first, last = trees.extents()
    assert first.tolist() == [min(subtree) for subtree in subtrees]
    assert last.tolist() == [max(subtree) + 1 for subtree in subtrees]


def test_a_known_sentence():
    # the acting is superb: is <- acting <- the, is -> superb
    words = ["the", "acting", "is", "superb", "."]
    structure = from_heads([1, 2, 2, 2, 2])
    assert Tree.from_batch(structure, 0, words).brackets() == (
        "(- (- (- the) (- acting)) (- (- (- is) (- superb)) (- .)))"
    )


def test_crossing_arcs_are_lifted_the_shortest_first():
    # A hearing is scheduled on the issue today: "on" hangs on hearing, across "is" (the root)
    head = [1, 2, 2, 2, 1, 6, 4, 3]
    trees = Dependencies.from_heads(head)
    assert trees.crossing().tolist() == [False] * 4 + [True, False, False, True]
    assert trees.projective().parent.tolist() == [1, 2, -1, 2, 2, 6, 4, 2]


def test_words_left_out_hand_their_dependents_to_the_next_ancestor():
    head = [1, 1, 1, 2, 3]  # a chain to the right of 1 through 2 and 3
    trees = Dependencies.from_heads(head, [0], [5], [True, True, False, False, True])
    assert trees.parent.tolist() == [1, -1, 1]


def test_parts_of_a_sentence_have_their_own_roots():
    head = np.array([1, 2, 2, 2, 3])
    trees = Dependencies.from_heads(head, [0, 3, 0], [2, 5, 5])  # the ranges overlap
    assert trees.lengths.tolist() == [2, 2, 5]
    assert trees.parent.tolist() == [1, -1, -1, 2, 5, 6, -1, 6, 7]


def test_of_several_roots_the_first_takes_the_others():
    assert Dependencies.from_heads([0, 1, 2]).parent.tolist() == [-1, 0, 0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 5],), "token 1 has head 5: expected 0 to 1"),
        (([-1, 0],), "token 0 has head -1"),
        (([1, 0],), "form a cycle"),
        (([0, 2, 1],), "form a cycle"),
        (([0, 2, 3, 1], [0], [1]), None),
        (([0, 2, 3, 1], [1], [3]), "form a cycle"),
        (([0, 0], [0, 1], [1, 1]), "tokens 1:1 hold no word"),
        (([0, 0], [0, 1], [1, 2], [True, False]), "tokens 1:2 hold no word"),
        (([],), "tokens 0:0 hold no word"),
    ],
)
def test_bad_heads_are_refused(arguments, message):
    if message is None:
        assert from_heads(*arguments).n_words == 1
    else:
        with pytest.raises(TreesentError, match=message):
            from_heads(*arguments)


@pytest.mark.parametrize("kind", ["chain", "flat", "reversed chain", "random"])
def test_ten_thousand_words_are_a_tree(kind):
    n_words = 10_000
    word = np.arange(n_words)
    head = {
        "chain": np.maximum(word - 1, 0),
        "flat": word * 0,
        "reversed chain": np.minimum(word + 1, n_words - 1),
        "random": (np.random.default_rng(0).random(n_words) * word).astype(int),
    }[kind]
    trees = Dependencies.from_heads(head).projective()
    first, last = word.copy(), word + 1
    for child in np.argsort(-trees.depth(), kind="stable").tolist():
        if (parent := trees.parent[child]) >= 0:
            first[parent] = min(first[parent], first[child])
            last[parent] = max(last[parent], last[child])
    structure = from_heads(head)
    assert structure.n_nodes == 2 * n_words - 1
    assert spans_of(structure) >= set(zip(first.tolist(), last.tolist(), strict=True))


def test_a_real_parser(parser_nlp):
    texts = [
        "The plot is thin, but the acting is superb.  Nobody, he said, expected that.",
        "A hearing is scheduled on the issue today.",
        "Which film did you say that you liked?",
    ]
    docs = list(parser_nlp.pipe(texts))
    sentences = [sentence for doc in docs for sentence in doc.sents]
    structure = dependencies(docs).binarise()
    assert structure.n_trees == len(sentences)
    for number, sentence in enumerate(sentences):
        words = [token for token in sentence if not token.is_space]
        spans = spans_of(structure, number)
        assert (0, len(words)) in spans
        if not any(token.is_space for token in sentence):
            for token in sentence:
                if len(list(token.subtree)) == token.right_edge.i - token.left_edge.i + 1:
                    assert (
                        token.left_edge.i - sentence.start,
                        token.right_edge.i + 1 - sentence.start,
                    ) in spans
