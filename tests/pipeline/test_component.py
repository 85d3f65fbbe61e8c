"""The component by itself: prediction, trees, learning, saving."""

import json
import pickle
import shutil
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import spacy
import torch
from spacy.tokens import Doc
from spacy.training import Example

import treesent
from tests.parses import dependencies
from tests.toy_pipeline import BLOCK, TEXT, WORDS, toy_model, toy_nlp, toy_table
from treesent.errors import DataError, ModelError, TreesentError, VectorsError
from treesent.models.classifier.folder import FIVE, load_model, save_model
from treesent.models.classifier.writer import write_pipeline
from treesent.pipeline import gold, scorer
from treesent.pipeline.example_labels import cats_label
from treesent.pipeline.record import read
from treesent.trees.brackets import parse_tree
from treesent.trees.label_sets import members

TEXTS = [
    TEXT,
    "",
    "A good movie!",
    "  ",
    "Not bad, but it was a film of great zzyzx.",
    "Terrible. Great. Superb!",
    "\n",
]


@pytest.fixture(scope="module")
def nlp():
    return toy_nlp()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "toy"
    write_pipeline(path, toy_model())
    return path


def probs(doc):
    return np.concatenate([record.probs for _, record in read(doc)])


def test_predict_touches_no_doc(nlp):
    docs = [nlp.make_doc(text) for text in TEXTS]
    before = [doc.to_bytes() for doc in docs]
    predictions = nlp.get_pipe("treesent").predict(docs)
    assert [doc.to_bytes() for doc in docs] == before
    nlp.get_pipe("treesent").set_annotations(docs, predictions)
    assert docs[0]._.sentiment is not None


def test_a_batch_equals_one_by_one(nlp):
    together = list(nlp.pipe(TEXTS * 3, batch_size=5))
    for doc, text in zip(together, TEXTS * 3, strict=True):
        alone = nlp(text)
        assert np.allclose(probs(doc), probs(alone), atol=1e-6)
        assert [s.start for s in doc.sents] == [s.start for s in alone.sents]


def test_chunks_of_a_batch_change_nothing(nlp, monkeypatch):
    whole = [probs(doc) for doc in nlp.pipe(TEXTS)]
    monkeypatch.setattr("treesent.pipeline.predict.CHUNK", 4)
    assert all(np.allclose(a, probs(b), atol=1e-6) for a, b in zip(whole, nlp.pipe(TEXTS), strict=True))


def test_boundaries_are_written_only_where_there_are_none(nlp):
    doc = nlp("It was good. It was bad.")
    assert [sent.text for sent in doc.sents] == ["It was good.", "It was bad."]
    own = nlp.make_doc("It was good. It was bad.")
    for token in own:
        token.is_sent_start = token.i in (0, 2)
    own = nlp.get_pipe("treesent")(own)
    assert [sent.start for sent in own.sents] == [0, 2]
    assert len(own._.sentiments) == 2


def test_without_parse_and_parser_a_chain_and_one_warning():
    nlp = toy_nlp(parser=False)
    with pytest.warns(UserWarning, match="right-branching tree, which costs accuracy") as caught:
        docs = list(nlp.pipe(TEXTS * 2, batch_size=2))
    assert len(caught) == 1
    sent = next(docs[0].sents)
    assert [n.span.start for n in sent._.tree if n.span.end == sent.end] == list(range(len(sent)))[::-1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        toy_nlp(parser=False, trees="right-branching")(TEXT)


def test_a_dependency_parse_is_used_where_there_is_one(parser_nlp):
    nlp, own = parser_nlp, toy_nlp()
    doc = nlp("The plot, which is thin, was not bad.  But she  said it was superb.")
    scored = own.get_pipe("treesent")(doc)
    expected = dependencies([doc]).binarise()
    ((_, record),) = read(scored)
    assert np.array_equal(record.start, expected.start)
    assert np.array_equal(record.end, expected.end)
    for token in doc:
        subtree = [t.i for t in token.subtree if not t.is_space]
        if subtree and subtree[-1] - subtree[0] + 1 == len(subtree):
            tree = token.sent._.tree
            assert any(n.span.start == subtree[0] and n.span.end == subtree[-1] + 1 for n in tree)


def test_sources_may_be_mixed_in_one_batch(parser_nlp):
    own = toy_nlp().get_pipe("treesent")
    texts = ["The plot was not so thin.", "It was a good film of great acting."]
    docs = [
        parser_nlp(texts[0]),
        toy_nlp().make_doc(texts[1]),
        parser_nlp(texts[1]),
        toy_nlp().make_doc(texts[0]),
    ]
    vocab = docs[0].vocab
    docs = [doc if doc.vocab is vocab else Doc(vocab).from_bytes(doc.to_bytes()) for doc in docs]
    alone = [probs(own(doc.copy())) for doc in docs]
    assert all(np.allclose(a, probs(b)) for a, b in zip(alone, own.pipe(docs), strict=True))


@pytest.mark.parametrize("trees", ["dependency", "constituency"])
def test_a_missing_parser_gets_a_message(trees):
    with pytest.raises(TreesentError, match=f"trees = '{trees}' needs .*trees = 'auto'"):
        toy_nlp(trees=trees)(TEXT)


def test_a_missing_parser_of_its_own_gets_a_message():
    with pytest.raises(ModelError, match="no parser of its own"):
        toy_nlp(trees="learned", parser=False)(TEXT)
    with pytest.raises(TreesentError, match="trees = 'best' is none of auto"):
        toy_nlp(trees="best")


def test_words_are_found_by_hash_as_by_text(nlp):
    doc = nlp("THE Plot -LRB- zzyzx -RRB- good bad")
    component = nlp.get_pipe("treesent")
    batch = component.predictor.read([doc])
    expected = component.trained.table.lookup([t.text for t in doc])
    known = ~expected.unknown
    assert np.array_equal(batch.lookup.unknown, expected.unknown)
    assert np.array_equal(batch.lookup.rows[known], expected.rows[known])
    made = batch.lookup.extra[batch.lookup.rows[~known] - len(WORDS)]
    assert np.allclose(made, expected.extra[expected.rows[~known] - len(WORDS)])


def tree_docs(nlp, *brackets):
    return [gold.tree_to_doc(parse_tree(text), nlp.vocab) for text in brackets]


def examples(nlp, *brackets):
    references = tree_docs(nlp, *brackets)
    return [Example(Doc(nlp.vocab, words=[t.text for t in r]), r) for r in references]


GOOD, BAD = "(4 (2 (2 a) (4 great)) (2 movie))", "(0 (2 it) (0 (1 was) (0 (0 terrible) (2 .))))"


def test_two_examples_are_learned_saved_and_read_back(tmp_path):
    nlp = spacy.blank("en")
    nlp.add_pipe("treesent", config={"model": BLOCK})
    component = nlp.get_pipe("treesent")
    data = examples(nlp, "(4 (2 a) (4 (4 great) (2 movie)))", BAD)
    torch.manual_seed(0)
    component.initialize(lambda: data, nlp=nlp, vectors=toy_table())
    assert component.labels[0] == "very negative"
    sgd = nlp.create_optimizer()
    sgd.learn_rate = 0.02
    losses = [nlp.update(data, sgd=sgd, losses={})["treesent"] for _ in range(80)]
    assert losses[-1] < 0.1 < 1 < losses[0]
    with pytest.warns(UserWarning, match="right-branching"):
        doc = nlp("a great movie")
    nlp.to_disk(tmp_path / "saved")
    again = spacy.load(tmp_path / "saved")
    with pytest.warns(UserWarning, match="right-branching"):
        assert np.array_equal(probs(again("a great movie")), probs(doc))
    assert doc._.sentiment.label == "very positive"


def test_the_gradient_is_that_of_the_loss(nlp):
    component = nlp.get_pipe("treesent")
    data = examples(nlp, GOOD, BAD)
    logits = np.random.default_rng(0).normal(size=(12, 5))
    loss, gradient = component.get_loss(data, logits)
    for node, label in ((0, 1), (5, 4), (11, 0)):
        moved = logits.copy()
        moved[node, label] += 1e-6
        slope = (component.get_loss(data, moved)[0] - loss) / 1e-6
        assert slope == pytest.approx(gradient[node, label], abs=1e-4)


def test_examples_give_the_network_their_trees(nlp):
    component = nlp.get_pipe("treesent")
    batch = gold.batch(component.predictor, examples(nlp, GOOD, BAD)).forest
    label = batch.label[batch.order].tolist()
    assert label == [2, 4, 2, 2, 4, 2, 1, 0, 2, 0, 0, 0]


def test_examples_with_half_a_tree_are_laid_on_the_pipelines(nlp):
    component = nlp.get_pipe("treesent")
    (example,) = examples(nlp, BAD)
    spans = [s for s in example.reference.spans["sentiment"] if len(s) != 2]
    example.reference.spans["sentiment"] = spans
    batch = gold.batch(component.predictor, [example]).forest
    label = batch.label[batch.order].tolist()
    assert len(label) == 7
    assert label[-1] == 0
    given = [n for n in label if n >= 0]
    assert 5 <= len(given) <= len(spans)


def test_cats_label_the_root(nlp):
    example = Example.from_dict(
        nlp.make_doc("a great movie"), {"cats": {"very positive": 1.0, "neutral": 0.0}}
    )
    batch = gold.batch(nlp.get_pipe("treesent").predictor, [example]).forest
    assert batch.label[batch.roots].tolist() == [4]
    assert (batch.label >= 0).sum() == 1


@pytest.mark.parametrize(
    ("cats", "expected"),
    [
        ({"POSITIVE": 1.0, "NEGATIVE": 0.0}, {3, 4}),
        ({"POSITIVE": 0.0, "NEGATIVE": 1.0}, {0, 1}),
        ({"pos": 1, "neu": 0, "neg": 0}, {3, 4}),
        ({"LABEL_0": 0.0, "LABEL_1": 1.0}, {3, 4}),
        ({"0": 1.0, "1": 0.0}, {0, 1}),
        ({"Very Positive": 1.0, "neutral": 0.0}, {4}),
        ({"very_negative": 1.0}, {0}),
        ({"positive": 0.0}, None),
        ({"positive": 1.0, "very positive": 1.0}, {3, 4}),
        ({"sports": 1.0}, None),
        ({}, None),
    ],
)
def test_categories_as_people_name_them(cats, expected):
    found = cats_label(cats, FIVE)
    named = set() if found is None else set(np.flatnonzero(members(np.array([found]), 5)[0]).tolist())
    assert named == (expected or set())


def test_a_doc_of_several_sentences_learns_from_its_categories():
    nlp = toy_nlp()
    component = nlp.get_pipe("treesent")
    data = [
        Example.from_dict(
            nlp.make_doc(text), {"cats": {"positive": float(good), "negative": float(not good)}}
        )
        for text, good in [("A great movie. Really great!", True), ("A bad movie. Very bad!", False)]
    ]
    figures = scorer.score([Example(nlp(example.reference.text), example.reference) for example in data])
    optimizer = nlp.resume_training()
    first = nlp.update(data, sgd=optimizer)["treesent"]
    for _ in range(100):
        last = nlp.update(data, sgd=optimizer)["treesent"]
    assert last < 0.2 * first
    for example in data:
        good, bad = nlp(example.reference.text)._.sentiment.probs[[[3, 4], [0, 1]]].sum(1)
        assert (good > bad) == (example.reference.cats["positive"] == 1)
    after = scorer.score([Example(nlp(example.reference.text), example.reference) for example in data])
    assert after["sentiment_root_acc"] == after["sentiment_root_acc_2"] == after["cats_score"] == 1.0
    assert figures["cats_score_desc"] == "sentiment, accuracy"
    assert component.labels == FIVE


@pytest.mark.parametrize("aggregate", ["mean", "words", "last", "product"])
def test_the_gradient_of_a_doc_of_several_sentences_is_its_slope(aggregate):
    nlp = toy_nlp(aggregate=aggregate)
    predictor = nlp.get_pipe("treesent").predictor
    cats = {"positive": 1.0, "negative": 0.0}
    batch = gold.batch(
        predictor, [Example.from_dict(nlp.make_doc("A movie. A great bad movie!"), {"cats": cats})]
    )
    logits = np.random.default_rng(0).standard_normal((batch.forest.n_nodes, 5)).astype(np.float32)
    gradient = gold.cross_entropy(logits, batch, aggregate)[1]
    for node in batch.forest.roots.tolist():
        for label in range(5):
            moved = logits.copy()
            moved[node, label] += 1e-2
            up = gold.cross_entropy(moved, batch, aggregate)[0]
            moved[node, label] -= 2e-2
            down = gold.cross_entropy(moved, batch, aggregate)[0]
            assert (up - down) / 2e-2 == pytest.approx(gradient[node, label], abs=2e-3)
    assert np.abs(gradient).sum() > 0.01


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        ({"cats": {"sports": 1.0, "news": 0.0}}, r"categories \['sports'\].*expected \['very negative'"),
        ({"spans": {"sc": [(0, 7, "positive")]}}, r"doc.spans\['sc'\].*put them there"),
    ],
)
def test_labels_that_teach_nothing_are_refused(nlp, annotations, message):
    with pytest.raises(DataError, match=message):
        nlp.update([Example.from_dict(nlp.make_doc("a great movie"), annotations)])


def test_examples_of_other_components_are_let_through(nlp):
    doc = nlp.make_doc("a great movie")
    assert nlp.update([Example.from_dict(doc, {"entities": [(2, 7, "ORG")]})]) == {"treesent": 0.0}


def test_other_tokens_than_the_references(nlp):
    (reference,) = tree_docs(nlp, "(4 (2 a) (4 (4 great) (2 movie!)))")
    example = Example(
        Doc(nlp.vocab, words=["a", "great", "movie", "!"], spaces=[True, True, False, False]), reference
    )
    batch = gold.batch(nlp.get_pipe("treesent").predictor, [example]).forest
    assert batch.label[batch.roots].tolist() == [4]


def test_an_unknown_label_is_refused(nlp):
    (example,) = examples(nlp, GOOD)
    example.reference.spans["sentiment"] = [spacy.tokens.Span(example.reference, 0, 1, "splendid")]
    with pytest.raises(DataError, match=r"'splendid'.*none of.*very negative"):
        nlp.update([example])


def test_scores(nlp):
    data = examples(nlp, GOOD, BAD)
    for example in data:
        nlp.get_pipe("treesent")(example.predicted)
    figures = scorer.score(data)
    tree = data[0].predicted[:]._.tree
    right = [tree.label == "very positive", data[1].predicted[:]._.tree.label == "very negative"]
    assert figures["sentiment_root_acc"] == pytest.approx(np.mean(right))
    assert 0 <= figures["sentiment_node_acc"] <= 1
    assert set(scorer.score([Example(d, d) for d in [nlp("a movie")]]).values()) == {None}
    assert figures["cats_score"] == figures["sentiment_root_acc"]
    assert 0 <= figures["spans_sentiment_r"] <= figures["spans_sentiment_p"] <= 1


def test_classes_that_nothing_orders_are_refused(nlp):
    example = Example.from_dict(nlp.make_doc("a movie"), {"cats": {"meh": 1.0, "wow": 0.0}})
    with pytest.raises(ModelError, match=r"\['meh', 'wow'\].*list them"):
        gold.classes(lambda: [example])
    assert gold.classes(lambda: [example], ["meh", "wow"]) == ("meh", "wow")


def test_a_new_network_needs_vectors_and_labels():
    nlp = spacy.blank("en")
    component = nlp.add_pipe("treesent", config={"model": BLOCK})
    with pytest.raises(ModelError, match=r"no weights yet.*nlp.initialize"):
        nlp("a movie")
    assert component.labels == ()
    with pytest.raises(ModelError, match="needs word vectors"):
        component.initialize(lambda: examples(nlp, GOOD), nlp=nlp)


def test_vectors_of_the_vocab_serve():
    nlp, rng = spacy.blank("en"), np.random.default_rng(0)
    for word in WORDS:
        nlp.vocab.set_vector(word, rng.normal(size=8).astype("f"))
    component = nlp.add_pipe("treesent", config={"model": BLOCK, "trees": "right-branching"})
    component.initialize(lambda: examples(nlp, GOOD), nlp=nlp)
    assert component.trained.table.width == 8
    assert nlp("a movie")._.sentiment.unknown == 0


def test_a_vocab_that_cannot_tell_good_from_bad_is_refused():
    nlp = spacy.blank("en")
    for word in ("good", "bad", "not", "a", "movie"):
        nlp.vocab.set_vector(word, np.full(8, len(word) > 1, "f"))
    component = nlp.add_pipe("treesent", config={"model": BLOCK, "trees": "right-branching"})
    with pytest.raises(VectorsError, match=r"the vocab: 'good' and 'bad'.* have the same vector"):
        component.initialize(lambda: examples(nlp, GOOD), nlp=nlp)


def test_an_unknown_pipeline_is_named():
    with pytest.raises(ModelError, match=r"no pipeline 'en_tresent_sm'.*tried"):
        spacy.blank("en").add_pipe("treesent", config={"pretrained": "en_tresent_sm"})


def test_bytes_and_disk_give_the_same_model(nlp, folder, tmp_path):
    expected = probs(nlp(TEXT))
    assert np.allclose(probs(spacy.load(folder)(TEXT)), expected, atol=1e-5)
    other = toy_nlp(seed=1)
    other.from_bytes(nlp.to_bytes())
    assert np.allclose(probs(other(TEXT)), expected, atol=1e-5)
    other.to_disk(tmp_path / "again")
    assert np.array_equal(probs(spacy.load(tmp_path / "again")(TEXT)), probs(other(TEXT)))
    assert not list((tmp_path / "again" / "treesent").glob("vocab*"))


def test_loading_never_unpickles(folder, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("unpickled")

    for place in ("pickle.load", "pickle.loads", "torch.load", "pickle.Unpickler", "srsly.pickle_loads"):
        monkeypatch.setattr(place, refuse)
    assert load_model(folder / "treesent").labels[0] == "very negative"


def test_it_pickles_for_spawned_workers(nlp):
    component = nlp.get_pipe("treesent")
    again = pickle.loads(pickle.dumps(component))
    docs = [nlp.make_doc(TEXT)]
    assert np.allclose(
        again.predict(docs)[0].record.probs, component.predict(docs)[0].record.probs, atol=1e-5
    )


def test_threads_agree_with_one(nlp):
    expected = [probs(doc) for doc in map(nlp, TEXTS)]
    component = nlp.get_pipe("treesent")

    def score(text):
        return component.predict([nlp.make_doc(text)])[0].record.probs

    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            found = list(pool.map(score, TEXTS))
            assert all(np.allclose(a, b, atol=1e-6) for a, b in zip(found, expected, strict=True))


def test_network_and_parser_are_on_one_device(monkeypatch):
    monkeypatch.setattr("thinc.shims.pytorch.get_torch_default_device", lambda: torch.device("meta"))
    model = treesent.load().get_pipe("treesent").trained
    assert {each.device.type for each in model.network.parameters()} == {"meta"}
    assert {each.device.type for each in model.parser.parameters()} == {"meta"}


def test_a_component_moves_with_its_parser_and_says_the_same_when_it_is_back():
    nlp = treesent.load()
    expected, component = nlp(TEXTS[0])._.sentiment, nlp.get_pipe("treesent")
    model = component.to(torch.device("cpu")).trained
    assert nlp(TEXTS[0])._.sentiment == expected
    component.to(torch.device("meta"))
    assert component.predictor.shim.device.type == "meta"
    assert {each.device.type for each in model.network.parameters()} == {"meta"}
    assert {each.device.type for each in model.parser.parameters()} == {"meta"}


@pytest.mark.cuda
def test_a_gpu_says_what_the_processor_says():
    nlp = treesent.load()
    expected = [probs(doc) for doc in nlp.pipe(TEXTS)]
    nlp.get_pipe("treesent").to(torch.device("cuda"))
    for found, wanted in zip(nlp.pipe(TEXTS), expected, strict=True):
        np.testing.assert_allclose(probs(found), wanted, atol=1e-4)


def test_two_pipelines_do_not_meet():
    one, two = toy_nlp(5, seed=0), toy_nlp(2, seed=3)
    before = probs(one(TEXT))
    assert probs(two(TEXT)).shape[1] == 2
    two.update(
        [Example.from_dict(two.make_doc("good"), {"cats": {"positive": 1.0}})], sgd=two.create_optimizer()
    )
    assert np.array_equal(probs(one(TEXT)), before)


def damage(folder, how):
    config = folder / "config.json"
    weights, vectors = folder / "weights.safetensors", folder / "vectors" / "vectors.safetensors"
    parser = folder / "parser.safetensors"
    files = {"weights": weights, "vectors": vectors, "parser": parser, "config": config}
    what, act = how.split()
    path = files[what]
    data = path.read_bytes()
    if act == "missing":
        path.unlink()
    elif act == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif act == "empty":
        path.write_bytes(b"")
    elif act == "flipped":
        place = len(data) - 40 if what != "config" else data.index(b"negative")
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    elif act == "newer":
        path.write_text(json.dumps({**json.loads(data), "format": 99}))
    elif act == "list":
        path.write_text("[]")
    elif act == "edited":
        path.write_text(json.dumps({**json.loads(data), "labels": ["a", "b", "c", "d", "e"]}))
    return path


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("weights missing", "weights.safetensors is missing: copy the whole model"),
        ("weights cut", "weights.safetensors is cut short or damaged"),
        ("weights empty", "weights.safetensors is cut short or damaged"),
        ("weights flipped", "weights.safetensors is cut short or damaged"),
        ("vectors missing", "vectors.safetensors is missing"),
        ("vectors cut", "vectors.safetensors is cut short or damaged"),
        ("vectors flipped", "vectors.safetensors is cut short or damaged"),
        ("parser missing", "parser.safetensors is missing"),
        ("parser flipped", "parser.safetensors is cut short or damaged"),
        ("config missing", "config.json is missing: give the folder"),
        ("config cut", "config.json is damaged"),
        ("config empty", "config.json is damaged"),
        ("config flipped", "config.json was changed"),
        ("config edited", "config.json was changed"),
        ("config list", "config.json is damaged"),
        ("config newer", "config.json is of format 99, and treesent .* reads format 1"),
    ],
)
def test_a_broken_folder_is_named(folder, tmp_path, how, message):
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    path = damage(broken / "treesent", how)
    with pytest.raises(ModelError, match=message) as caught:
        spacy.load(broken)
    assert str(path) in str(caught.value)


def test_weights_of_another_network_are_refused(tmp_path):
    model = toy_model()
    save_model(tmp_path / "a", model)
    model.block = {**BLOCK, "hidden": 13}
    save_model(tmp_path / "b", model)
    with pytest.raises(ModelError, match=r"is \(4, 12\); the settings ask for \(4, 13\)"):
        load_model(tmp_path / "b")


def test_classes_that_make_no_sense_are_refused():
    nlp = toy_nlp()
    component = nlp.get_pipe("treesent")
    for labels, polarity, message in [
        (("a",) * 5, (0.0,) * 5, "two different names"),
        (("a", "b"), (0.0,), "give one value for each"),
        (("a", "b"), (1.0, -1.0), "rise"),
        (("a", "b"), (-2.0, 1.0), "within -1 to 1"),
    ]:
        model = toy_model()
        model.labels, model.polarity = labels, polarity
        with pytest.raises(ModelError, match=message):
            component.trained = model
