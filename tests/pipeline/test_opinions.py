"""The sentiment towards a span, opinions, and the head that finds them."""

import json

import numpy as np
import pytest
import torch
from spacy.tokens import Doc, DocBin

from tests.toy_opinions import lessons, opinions_nlp
from tests.toy_pipeline import TEXT, toy_nlp
from treesent.errors import ModelError
from treesent.models.classifier import folder as pipeline_io
from treesent.models.classifier.opinion_head import OpinionHead, OpinionHeadConfig
from treesent.nn.relations import CONTEXT, LONGEST, N_RELATIONS, views
from treesent.opinions.measure import measure
from treesent.pipeline.opinions import opinions_on, write_opinion_spans
from treesent.pipeline.towards import towards
from treesent.trees.structure import Structure


@pytest.fixture(scope="module")
def nlp():
    return opinions_nlp()


def test_the_head_learns_what_is_said_of_each_thing(nlp):
    score = measure(nlp, "toy", list(lessons())[::5])
    assert score.n == score.n_differ == 116
    assert score.towards > 90 and score.differ == score.towards
    assert score.sentence <= 50
    assert score.f1 > 95


def test_sentiment_towards(nlp):
    doc = nlp("the plot is thin but the acting is superb .")
    plot, acting = doc[1:2]._.sentiment_towards, doc._.sentiment_towards(doc[6:7])
    assert "negative" in plot.label and plot.polarity < 0 and plot.text == "plot"
    assert "positive" in acting.label and acting.polarity > 0
    assert acting.probs.sum() == pytest.approx(1, abs=1e-5)
    assert doc[1:7]._.sentiment_towards.text == "plot is thin but the acting"
    assert nlp(" ")[0:1]._.sentiment_towards is None


def test_opinions(nlp):
    text = "the plot is thin but the acting is superb ."
    doc = nlp(text)
    plot, acting = doc._.opinions
    assert (plot.target.text, acting.target.text) == ("plot", "acting")
    assert plot.sentiment == doc[1:2]._.sentiment_towards
    for opinion in doc._.opinions:
        if opinion.words is not None:
            assert opinion.clause.start <= min(opinion.target.start, opinion.words.start)
            assert opinion.clause.end >= max(opinion.target.end, opinion.words.end)
    plain = json.loads(json.dumps([o.to_dict() for o in doc._.opinions]))
    assert [text[p["target"]["start"] : p["target"]["end"]] for p in plain] == ["plot", "acting"]
    write_opinion_spans(doc)
    assert [(s.text, s.label_) for s in doc.spans["opinions"]] == [
        ("plot", plot.sentiment.label),
        ("acting", acting.sentiment.label),
    ]


def test_opinions_on_given_spans(nlp):
    doc = nlp("the plot is thin . the acting is superb .")
    found = opinions_on(doc, [doc[0:2], doc[3:7]])
    assert [o.target.text for o in found] == ["the plot"]  # the other is in two sentences


def test_what_a_doc_holds_travels(nlp):
    doc = nlp("the plot is thin but the acting is superb .")
    bare = toy_nlp().vocab
    copies = [
        Doc(bare).from_bytes(doc.to_bytes()),
        next(iter(DocBin(docs=[doc], store_user_data=True).get_docs(bare))),
        Doc.from_docs([nlp("A terrible movie!"), doc])[-10:].as_doc(copy_user_data=True),
    ]
    for copy in copies[:2]:
        assert [o.to_dict() for o in copy._.opinions] == [o.to_dict() for o in doc._.opinions]
    assert [o.sentiment.probs.tolist() for o in copies[2]._.opinions] == [
        o.sentiment.probs.tolist() for o in doc._.opinions
    ]


def test_a_batch_says_what_single_texts_do(nlp):
    texts = ["the plot is thin .", "", "a good bad movie was not it and film of great terrible !", TEXT]
    for doc, text in zip(nlp.pipe(texts), texts, strict=True):
        for token, same in zip(doc, nlp(text), strict=True):
            one, other = doc[token.i : token.i + 1], same.doc[token.i : token.i + 1]
            assert np.allclose(one._.sentiment_towards.probs, other._.sentiment_towards.probs, atol=1e-5)


def test_without_a_head_it_is_the_sentiment_in_context():
    nlp = toy_nlp()
    doc = nlp(TEXT)
    assert towards(doc[1:2]) is None and doc._.opinions == []
    assert doc[1:2]._.sentiment_towards == doc._.sentiment_in_context(doc[1:2])
    assert opinions_on(doc, [doc[1:2]])[0].target.text == "plot"


def test_opinions_can_be_left_out(nlp):
    component = nlp.get_pipe("treesent")
    quiet = toy_nlp(trees="right-branching", opinions=False)
    quiet.get_pipe("treesent").trained = component.trained
    doc = quiet("the plot is thin .")
    assert doc._.opinions == []
    assert np.array_equal(doc._.sentiment.probs, nlp("the plot is thin .")._.sentiment.probs)


def test_the_head_is_a_file_of_the_folder(nlp, tmp_path):
    model = nlp.get_pipe("treesent").trained
    pipeline_io.save_model(tmp_path, model)
    again = pipeline_io.load_model(tmp_path)
    for name, weight in model.opinions.state_dict().items():
        assert torch.equal(weight.half(), again.opinions.state_dict()[name].half())
    path = tmp_path / pipeline_io.OPINIONS
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelError, match=r"opinions\.safetensors is cut short or damaged"):
        pipeline_io.load_model(tmp_path)
    model = pipeline_io.SentimentModel(*(getattr(model, n) for n in model.__slots__[:-1]))
    pipeline_io.save_model(tmp_path, model)
    assert not path.exists() and pipeline_io.load_model(tmp_path).opinions is None


@pytest.mark.parametrize(
    ("change", "message"),
    [({"width": 13}, "states = 13"), ({"vectors": 9}, "vectors = 9"), ({"classes": 3}, "classes = 3")],
)
def test_a_head_of_another_network_is_refused(nlp, tmp_path, change, message):
    model = nlp.get_pipe("treesent").trained
    settings = {"width": 12, "vectors": 16, "classes": 5} | change
    head = OpinionHead(
        OpinionHeadConfig(vectors=settings["vectors"], classes=settings["classes"]), settings["width"]
    )
    parts = {n: getattr(model, n) for n in model.__slots__} | {"opinions": head}
    pipeline_io.save_model(tmp_path, pipeline_io.SentimentModel(**parts))
    with pytest.raises(ModelError, match=message):
        pipeline_io.load_model(tmp_path)


def relation(structure, word, node):
    """By walking up."""
    nodes = range(structure.n_nodes)
    above_word = [n for n in nodes if structure.start[n] <= word < structure.end[n]]
    above_node = [
        n
        for n in nodes
        if structure.start[n] <= structure.start[node] and structure.end[n] >= structure.end[node]
    ]
    shared = len(set(above_word) & set(above_node))
    up, down = min(len(above_word) - shared, 6), min(len(above_node) - shared, 3)
    if node in above_word:
        return (up * 4 + down) * 8
    right = bool(structure.start[node] > word)
    gap = structure.start[node] - word - 1 if right else word - structure.end[node]
    return ((up * 4 + down) * 2 + right) * 4 + int(gap > 0) + int(gap > 2) + int(gap > 6)


def test_relations():
    rng = np.random.default_rng(0)
    lengths = np.array([1, 9, 14])
    structure = Structure.from_distances(rng.normal(size=sum(lengths - 1)), lengths)
    seen = 0
    for view in views(structure):
        found = view.relations()
        assert found.max() < N_RELATIONS
        for b in range(len(view.word)):
            tree = int(np.searchsorted(structure.offsets, int(view.node[b, 0]), "right")) - 1
            own = structure.part(tree, tree + 1)
            for j in range(view.word.shape[1]):
                for k in range(view.node.shape[1]):
                    if view.looks[b, j] and view.seen[b, k]:
                        word = int(view.word[b, j]) - int(structure.lengths[:tree].sum())
                        node = int(view.node[b, k]) - int(structure.offsets[tree])
                        assert found[b, j, k] == relation(own, word, node)
                        seen += 1
    assert seen == sum(int(n) * (2 * int(n) - 1) for n in lengths)


def test_every_word_of_a_long_sentence_looks_once_and_sees_its_neighbours():
    structure = Structure.right_branching([LONGEST + 300, 3, LONGEST])
    looked = np.concatenate([view.word[view.looks].numpy() for view in views(structure)])
    assert sorted(looked) == list(range(structure.n_words))
    for view in views(structure):
        assert view.node.shape[1] <= 2 * max(LONGEST, 3 * CONTEXT)
    asked = np.array([0, 5, LONGEST + 299, LONGEST + 301])
    looked = np.concatenate([view.word[view.looks].numpy() for view in views(structure, asked)])
    assert sorted(looked) == asked.tolist()
