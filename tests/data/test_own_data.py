"""Labelled texts of one's own: read, named, cut into sentences, learned from as the component scores them."""

import json
import warnings

import numpy as np
import pytest
import spacy
import torch

import treesent
from treesent.data.batches import Documents
from treesent.data.labelled import label_number, name_classes, read_labelled_rows
from treesent.errors import DataError, TreesentError
from treesent.metrics.aggregation import (
    document_log_probs,
    normalised_product,
    product_log_probs,
    sentence_weights,
)
from treesent.models.classifier.class_weights import class_weights
from treesent.models.classifier.corpora import held_out, text_corpus
from treesent.models.parser.chart_parser import ChartParser, ParserConfig
from treesent.models.train import train
from treesent.pipeline.evaluation import evaluate_file
from treesent.vectors.table import VectorTable

ROWS = [
    ("A good film . It is great .", "good"),
    ("An awful film . It is not good . A bad film .", "bad"),
    ("A great film .", "good"),
    ("It is bad .", "bad"),
    ("Is it so ?", "so so"),
    ("A film is a film . It is so .", "so so"),
]
RECIPE = """
[vectors]
@misc = "treesent.VectorFile.v1"
path = "vectors"

[parser]
path = "parser.safetensors"

[model]
@architectures = "treesent.TreeLSTM.v1"
hidden = 12

[corpora]
train = "texts.csv"
dev = "texts.csv"

[training]
max_epochs = 40
patience = 0
metric = "root.accuracy"
batch_size = 3

[training.optimizer]
learn_rate = 0.02
"""
CHAINS = RECIPE.replace('[parser]\npath = "parser.safetensors"\n', "")


@pytest.fixture
def folder(tmp_path):
    """A recipe with a table, a parser and vectors."""
    words = sorted({word.lower() for text, _ in ROWS for word in text.split()})
    vectors = np.random.default_rng(0).normal(size=(len(words), 8)).astype(np.float32)
    VectorTable(words, vectors).save(tmp_path / "vectors")
    parser = ChartParser(ParserConfig(hidden=4, gap=4), 8, torch.Generator().manual_seed(0))
    parser.save(tmp_path / "parser.safetensors")
    (tmp_path / "recipe.cfg").write_text(RECIPE)
    (tmp_path / "chains.cfg").write_text(CHAINS)
    write(tmp_path / "texts.csv", ROWS)
    return tmp_path


def write(path, rows, columns=("text", "label")):
    if path.suffix == ".jsonl":
        path.write_text("\n".join(json.dumps(dict(zip(columns, row, strict=True))) for row in rows) + "\n")
    elif path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table(dict(zip(columns, map(list, zip(*rows, strict=True)), strict=True))), path)
    else:
        tab = "\t" if path.suffix == ".tsv" else ","
        path.write_text("\n".join(tab.join(row) for row in [columns, *rows]) + "\n")


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_a_table_is_learned_by_heart_and_known_after_loading(folder, kind):
    write(folder / f"t.{kind}", ROWS)
    overrides = {"corpora.train": f"t.{kind}", "corpora.dev": f"t.{kind}"}
    trained = train(folder / "recipe.cfg", folder / "out", overrides=overrides)
    assert trained.dev.root.accuracy == 100
    assert trained.dev.root.n == 6
    nlp = spacy.load(folder / "out")
    component = nlp.get_pipe("treesent")
    assert component.labels == ("bad", "good", "so so")
    assert component.trained.parser is not None
    for text, label in ROWS:
        found = nlp(text)._.sentiment
        assert (found.label, found.polarity) == (label, None)
    report = evaluate_file(nlp, folder / f"t.{kind}")
    assert report.root.to_dict() == trained.dev.root.to_dict()


@pytest.mark.parametrize("aggregate", ["mean", "words", "last", "product"])
def test_the_loss_is_that_of_what_the_component_says_of_the_text(folder, aggregate):
    overrides = {"training.aggregate": aggregate, "training.max_epochs": 2}
    trained = train(folder / "recipe.cfg", folder / "out", overrides=overrides)
    nlp = treesent.load(folder / "out")
    component = nlp.get_pipe("treesent")
    assert component.aggregate == aggregate
    model = component.trained
    probs = np.stack([nlp(text)._.sentiment.probs for text, _ in ROWS])
    gold = np.array([model.labels.index(label) for _, label in ROWS])
    assert trained.dev.root.accuracy == pytest.approx(100 * (probs.argmax(1) == gold).mean())

    # What the loss sees: each text's sentences apart, then put together.
    sentences = [[s.probs for s in nlp(text)._.sentiments] for text, _ in ROWS]
    corpus = text_corpus([text for text, _ in ROWS], gold.tolist())
    assert np.diff(corpus.documents.offsets).tolist() == [len(own) for own in sentences] == [2, 3, 1, 1, 1, 2]
    roots = torch.from_numpy(np.concatenate(sentences)).log()
    share = torch.from_numpy(sentence_weights(corpus.documents.offsets, corpus.structure.lengths, aggregate))
    of_tree = torch.from_numpy(corpus.documents.of_tree)
    if aggregate == "product":
        together = product_log_probs(roots, of_tree, len(ROWS)).exp().numpy()
    else:
        together = document_log_probs(roots, of_tree, share, len(ROWS)).exp().numpy()
    np.testing.assert_allclose(together, probs, atol=1e-5)
    np.testing.assert_array_equal(corpus.documents.target >= 0, [True, True, False, False, False, True])
    assert (corpus.label >= 0).sum() == 3


def test_the_gradient_of_a_text_that_is_torn_stays_finite():
    logits = torch.tensor([[200.0, 0.0], [-200.0, 0.0], [0.0, 0.0]], requires_grad=True)
    share = torch.tensor([0.5, 0.5, 1.0])
    found = document_log_probs(logits.log_softmax(1), torch.tensor([0, 0, 1]), share, 2)
    assert found.exp().detach().numpy() == pytest.approx(np.full((2, 2), 0.5))
    (-found[:, 0]).sum().backward()
    assert torch.isfinite(logits.grad).all()
    single = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    shares_of = torch.tensor([0.25, 0.75, 1.0], dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda x: document_log_probs(x.log_softmax(1), torch.tensor([0, 0, 1]), shares_of, 2), single
    )


def test_a_product_of_sentences_is_theirs_multiplied_and_nobodys_veto():
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.ones(3), 7).astype(np.float32)
    found = normalised_product(probs, np.array([0, 1, 4]))
    expected = np.stack([probs[0], probs[1:4].prod(0), probs[4:].prod(0)])
    np.testing.assert_allclose(found, expected / expected.sum(1, keepdims=True), rtol=1e-4)
    many = np.tile(np.array([[0.3, 0.7]], np.float32), (5000, 1))
    np.testing.assert_array_equal(normalised_product(many, np.zeros(1, np.int64)), [[0, 1]])
    torn = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    np.testing.assert_allclose(normalised_product(torn, np.zeros(1, np.int64)), [[0.5, 0.5]])


def test_without_a_parser_there_is_a_warning_and_chains(folder):
    with pytest.warns(
        UserWarning, match="there is no parser for these vectors, .* train a parser on the same"
    ):
        train(folder / "chains.cfg", folder / "out", overrides={"training.max_epochs": 1})
    assert treesent.load(folder / "out").get_pipe("treesent").trained.parser is None


def test_a_mix_of_trees_and_texts_trains_one_network(folder):
    (folder / "trees.txt").write_text("(1 (- a) (1 (1 good) (- film)))\n(0 (- it) (0 (- is) (0 bad)))\n")
    write(folder / "more.csv", [row for row in ROWS if row[1] != "so so"])
    overrides = {
        "corpora.train": ["trees.txt", "more.csv"],
        "corpora.dev": ["trees.txt", "more.csv"],
        "corpora.reparse": True,
        "labels.names": ["bad", "good"],
        "labels.polarity": [-1, 1],
    }
    trained = train(folder / "recipe.cfg", folder / "out", overrides=overrides)
    assert (trained.dev.root.n, trained.dev.nodes.n) == (6, 10)
    assert trained.dev.root.accuracy == trained.dev.nodes.accuracy == 100
    assert treesent.load(folder / "out")("A good film .")._.sentiment.polarity > 0


def test_datasets_saved_and_streamed(folder):
    datasets = pytest.importorskip("datasets")
    names = ["so so", "good", "bad"]  # the dataset's own order
    columns = {"text": [t for t, _ in ROWS], "label": [names.index(label) for _, label in ROWS]}
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=names)}
    )
    data = datasets.Dataset.from_dict(columns, features=features)
    data.save_to_disk(folder / "single")
    datasets.DatasetDict({"train": data, "validation": data}).save_to_disk(folder / "saved")
    (folder / "plain").mkdir()
    write(folder / "plain" / "train.parquet", ROWS)
    write(folder / "plain" / "test.parquet", ROWS)
    few = {"training.max_epochs": 1}
    for train_name, dev_name, expected in [
        ("single", "single", tuple(names)),
        ("saved", "hf:saved:validation", tuple(names)),
        ("hf:plain", "hf:plain:test", ("bad", "good", "so so")),
        ("hf:plain:default", "hf:plain:default:test", ("bad", "good", "so so")),
    ]:
        overrides = few | {"corpora.train": train_name, "corpora.dev": dev_name}
        trained = train(folder / "recipe.cfg", folder / "out", overrides=overrides, overwrite=True)
        assert trained.dev.root.n == 6
        assert treesent.load(folder / "out").get_pipe("treesent").labels == expected
    report = evaluate_file(treesent.load(folder / "out"), f"hf:{folder / 'saved'}:validation")
    assert report.root.n == 6
    for wrong, message in [
        ("hf:saved:test", "no split 'test'; there are train, validation"),
        ("hf:plain:dev", "no split 'dev'"),
        ("hf:saved:a:b", "no configurations"),
        ("hf:a:b:c:d", "expected hf:NAME"),
        ("nowhere", "there is no file 'nowhere'"),
    ]:
        with pytest.raises(TreesentError, match=message):
            train(folder / "recipe.cfg", folder / "x", overrides=few | {"corpora.train": wrong})


@pytest.mark.parametrize(
    ("rows", "overrides", "message"),
    [
        ([("fine", "")], {}, r"texts.csv: row 1 \(line 2\): 'label' is ''; expected the name or the number"),
        ([("fine", "good")] * 2, {}, "texts.csv: 1 different labels; expected from 2"),
        (
            ROWS,
            {"labels.names": ["bad", "god"]},
            r"row 1 \(line 2\): 'label' is 'good'; expected an integer from 0 to 1 or one of 'bad', 'god'; "
            "did you mean 'god'",
        ),
        (ROWS, {"corpora.text_column": "txt"}, "no column 'txt'; did you mean 'text'"),
        (ROWS, {"corpora.dev_share": 0.5}, "dev is set too"),
        (ROWS, {"corpora.dev": []}, "dev is missing"),
        (ROWS, {"labels.polarity": [-1, 0, 1]}, "one number from -1 to 1 for each of the 5 names"),
        (ROWS, {"training.class_weights": [1, 2]}, "2 numbers for 3 classes"),
        (ROWS, {"training.class_weights": [0, -1]}, "a list of numbers of at least 0"),
        (ROWS, {"training.class_weights": "balance"}, "class_weights is 'balance'"),
        (ROWS, {"training.metric": "root.accuracy_2"}, "no metric 'accuracy_2' for 3 classes"),
        ([(" ", "good"), ("", "bad")], {"labels.names": ["good", "bad"]}, "nothing for corpora.train"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*rows without text")
def test_what_cannot_be_learned_from(folder, rows, overrides, message):
    write(folder / "texts.csv", rows)
    with pytest.raises(TreesentError, match=message):
        train(folder / "recipe.cfg", folder / "out", overrides=overrides)
    assert not (folder / "out").exists()


def test_a_dev_class_that_training_lacks_is_named(folder):
    write(folder / "dev.csv", [("It is so .", "god")])
    with pytest.raises(DataError, match=r"dev.csv: row 1 \(line 2\): 'label' is 'god'.*did you mean 'good'"):
        train(folder / "recipe.cfg", folder / "out", overrides={"corpora.dev": "dev.csv"})


def test_a_share_is_held_out_whatever_the_seed(folder):
    assert held_out(25_000, 0.2).sum() == 5000
    np.testing.assert_array_equal(held_out(10, 0.3), held_out(10, 0.3))
    signatures = []
    for seed in (0, 1):
        overrides = {"corpora.dev": [], "corpora.dev_share": 1 / 3, "training.max_epochs": 1}
        overrides["training.seed"] = seed
        trained = train(folder / "recipe.cfg", folder / "out", overrides=overrides, overwrite=True)
        signatures.append(trained.dev.root.confusion.sum(1).tolist())
        assert trained.dev.root.n == 2
    assert signatures[0] == signatures[1]


def test_rows_without_text_are_counted(folder):
    write(folder / "texts.csv", [*ROWS, (" ", "good"), ("", "no class")])
    with pytest.warns(UserWarning, match="texts.csv: 2 rows without text left out"):
        trained = train(folder / "recipe.cfg", folder / "out", overrides={"training.max_epochs": 1})
    assert trained.dev.root.n == 6


def test_names_of_classes_that_are_numbers(tmp_path):
    write(tmp_path / "stars.jsonl", [("a", 5), ("b", 1), ("c", "3"), ("d", 10)])
    rows = read_labelled_rows(tmp_path / "stars.jsonl")
    names = name_classes([rows])
    assert names == ("1", "3", "5", "10")
    assert rows.numbers(names) == [2, 0, 1, 3]
    known = {name: i for i, name in enumerate(names)}
    assert label_number(0, known, 4) is None
    assert label_number(3.0, known, 4) == 1
    write(tmp_path / "flags.jsonl", [("a", True), ("b", False)])
    assert name_classes([read_labelled_rows(tmp_path / "flags.jsonl")]) == ("false", "true")


def test_balanced_weights_make_classes_count_alike(folder):
    rows = [ROWS[0]] * 3 + [ROWS[3]]
    corpus = text_corpus([text for text, _ in rows], [1, 1, 1, 0])
    weights = class_weights("balanced", corpus, 3)
    assert weights[:2] == pytest.approx([2, 2 / 3])
    assert class_weights(None, corpus, 3) is None
    # One batch of four texts: the weighted mean of the losses of the classes, both of equal say.
    write(folder / "texts.csv", rows)
    one = {"training.batch_size": 4, "training.max_epochs": 1, "training.class_weights": "balanced"}
    log = folder / "log.jsonl"
    losses = {}
    for name, setting in {"balanced": "balanced", "good": [0, 1], "bad": [1, 0]}.items():
        train(
            folder / "recipe.cfg",
            folder / "out",
            overrides=one | {"training.class_weights": setting},
            log=log,
            overwrite=True,
        )
        losses[name] = json.loads(log.read_text().splitlines()[0])["loss"]
    assert losses["balanced"] == pytest.approx((losses["good"] + losses["bad"]) / 2, rel=1e-5)


def test_texts_of_documents_follow_their_trees():
    documents = Documents(np.array([0, 2, 3, 6]), np.array([1, -1, 0]))
    part, trees = documents.take(np.array([2, 0]))
    assert trees.tolist() == [3, 4, 5, 0, 1]
    assert part.offsets.tolist() == [0, 3, 5]
    assert part.target.tolist() == [0, 1]
    assert part.of_tree.tolist() == [0, 0, 0, 1, 1]


def test_dropped_words_are_zeros_and_fixed_by_the_seed(folder):
    overrides = {"training.word_dropout": 0.5, "training.max_epochs": 3}
    logs = []
    for name in ("a", "b", "c"):
        own = overrides if name != "c" else overrides | {"training.word_dropout": 0.0}
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            train(
                folder / "recipe.cfg",
                folder / name,
                overrides=own,
                log=folder / f"{name}.jsonl",
                overwrite=True,
            )
        logs.append([json.loads(x).get("loss") for x in (folder / f"{name}.jsonl").read_text().splitlines()])
    assert logs[0] == logs[1] != logs[2]
