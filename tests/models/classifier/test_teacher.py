"""Learning from a teacher: soft targets of every phrase, and texts without labels."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.toy_pipeline import WORDS, toy_model, toy_table
from treesent.data.batches import Corpus
from treesent.data.vectors import working_vectors
from treesent.errors import RecipeError
from treesent.models.classifier.evaluation import evaluate_trees
from treesent.models.classifier.networks import build_network
from treesent.models.classifier.sections import TeacherSource
from treesent.models.classifier.task import ClassifierTask
from treesent.models.classifier.teacher import soften, teach, with_teacher
from treesent.models.classifier.writer import write_pipeline
from treesent.models.train import train
from treesent.nn.embedding import VectorEmbedding
from treesent.training.sections import TrainingConfig
from treesent.trees.brackets import parse_tree

TREES = ["(3 (2 the) (3 (2 plot) (4 superb)))", "(1 (0 terrible) (2 film))", "(2 (2 a) (2 movie))"]
RECIPE = """
[vectors]
@misc = "treesent.VectorFile.v1"
path = "vectors"

[model]
@architectures = "treesent.TreeLSTM.v1"
hidden = 12

[parser]
path = "teacher/treesent"

[teacher]
path = "teacher"
share = 1.0

[corpora]
train = "trees.txt"
unlabelled = "texts.jsonl"
dev = "trees.txt"

[training]
max_epochs = 30
patience = 0
batch_size = 8
metric = "nodes.accuracy_5"

[training.optimizer]
learn_rate = 0.02
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("taught")
    write_pipeline(folder / "teacher", toy_model())
    toy_table().save(folder / "vectors")
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS[:18], 5)) for _ in range(150)]
    (folder / "texts.jsonl").write_text("".join(f'{{"text": "{text}"}}\n' for text in texts), "utf-8")
    (folder / "trees.txt").write_text("\n".join(TREES) + "\n", "utf-8")
    (folder / "recipe.cfg").write_text(RECIPE, "utf-8")
    return folder


def corpus():
    return Corpus.from_trees([parse_tree(tree) for tree in TREES])


def task(share, soft=None, **settings):
    table = toy_table()
    working, [train_] = working_vectors(table, [corpus()])
    train_ = replace(train_, soft=soft)
    built = ClassifierTask(train_, train_, (-1.0, -0.5, 0.0, 0.5, 1.0), teacher_share=share, **settings)
    network = build_network(
        {"@architectures": "treesent.TreeLSTM.v1", "hidden": 12},
        table.width,
        5,
        VectorEmbedding(working.matrix),
        torch.Generator().manual_seed(3),
    ).eval()
    return built, network


def loss_of(built, network, config=None):
    config = config or TrainingConfig()
    batch = built.batch(np.array([2, 0, 1]), torch.device("cpu"), False)
    return float(built.loss(network, batch, torch.Generator(), config).detach()), built.weight(batch, config)


def test_the_loss_is_the_cross_entropy_with_the_teachers_probabilities():
    rng = np.random.default_rng(1)
    soft = rng.dirichlet(np.ones(5), size=11).astype(np.float16)
    built, network = task(0.25, soft)
    found, weight = loss_of(built, network, TrainingConfig(root_weight=3.0))
    whole = built.batch(np.arange(3), torch.device("cpu"), False)
    log_probs = (
        network(whole.forest).logits.log_softmax(1).index_select(0, whole.forest.order).detach().numpy()
    )
    label = built.train.label
    of_node = np.ones(11)
    of_node[built.train.structure.offsets[1:] - 1] = 3
    hard = -log_probs[np.arange(11), label]
    taught = -(soft.astype(np.float32) * log_probs).sum(1)
    expected = ((0.75 * hard + 0.25 * taught) * of_node).sum() / of_node.sum()
    assert found == pytest.approx(expected, rel=1e-5)
    assert float(weight) == pytest.approx(of_node.sum())
    # Where the teacher says nothing, the label counts in full.
    soft[:5] = 0
    share = np.where(np.arange(11) < 5, 0.0, 0.25)
    expected = (((1 - share) * hard + share * taught) * of_node).sum() / of_node.sum()
    built, network = task(0.25, soft)
    assert loss_of(built, network, TrainingConfig(root_weight=3.0))[0] == pytest.approx(expected, rel=1e-5)


def test_the_teacher_scores_so_many_trees(folder):
    built, _ = task(0.5)
    words = sorted(set(corpus().words))
    numbered = replace(built.train, words=np.array([words.index(word) for word in corpus().words]))
    labels = toy_model().labels
    whole = with_teacher(
        numbered, words, TeacherSource(path=str(folder / "teacher")), labels, torch.device("cpu")
    )
    part = with_teacher(
        numbered, words, TeacherSource(path=str(folder / "teacher"), max_trees=2), labels, torch.device("cpu")
    )
    sizes = np.diff(built.train.structure.offsets)
    taught = np.split(part.soft.any(axis=1), np.cumsum(sizes)[:-1])
    assert sorted((bool(each.all()), bool(each.any())) for each in taught) == [
        (False, False),
        (True, True),
        (True, True),
    ]
    rows = part.soft.any(axis=1)
    np.testing.assert_allclose(part.soft[rows], whole.soft[rows], atol=2e-3)


def test_without_a_teacher_the_loss_is_as_it_was():
    hard = loss_of(*task(0.0))[0]
    certain = np.eye(5, dtype=np.float16)[corpus().label]
    assert loss_of(*task(0.5, certain))[0] == pytest.approx(hard, rel=1e-6)


def test_fewer_nodes_are_learned_from_but_every_root():
    built, _ = task(0.0, node_fraction=0.3, seed=1)
    batch = built.batch(np.arange(3), torch.device("cpu"), False)
    label = batch.forest.label.numpy()
    assert (
        label[batch.forest.roots.numpy()] == built.train.label[built.train.structure.offsets[1:] - 1]
    ).all()
    assert 3 <= (label >= 0).sum() < 11
    again = built.batch(np.arange(3), torch.device("cpu"), False)
    assert torch.equal(batch.forest.label, again.forest.label)


def test_a_temperature_divides_the_logits():
    logits = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    probs = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    cooler = np.exp(logits / 2) / np.exp(logits / 2).sum(1, keepdims=True)
    np.testing.assert_allclose(soften(probs, 2.0), cooler, atol=1e-3)
    np.testing.assert_allclose(soften(probs, 1.0), probs, atol=1e-3)


def test_a_pupil_of_a_teacher_alone_agrees_with_it(folder, tmp_path):
    trained = train(folder / "recipe.cfg", tmp_path / "pupil").folder
    from treesent.models.classifier.folder import load_model

    pupil, teacher = (load_model(path / "treesent") for path in (trained, folder / "teacher"))
    words, trees = corpus().words, corpus()
    _, [encoded] = working_vectors(teacher.table, [trees])
    device = torch.device("cpu")
    own, wanted = (teach(model, words, encoded, device).argmax(1) for model in (pupil, teacher))
    # It has never learned the labels of the treebank, and does not know them.
    assert (own == wanted).mean() > 0.8
    assert evaluate_trees(pupil.network, pupil.table, trees, pupil.polarity).nodes.accuracy < 100


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (RECIPE.replace('[teacher]\npath = "teacher"\nshare = 1.0\n', ""), r"\[teacher\] is missing"),
        (RECIPE + '\n[labels]\nnames = ["a", "b", "c", "d", "e"]\n', "has the classes very negative"),
        (RECIPE.replace("share = 1.0", "share = 0.0"), "share is 0"),
    ],
)
def test_what_does_not_fit_is_refused(folder, tmp_path, text, message):
    (folder / "wrong.cfg").write_text(text, "utf-8")
    with pytest.raises(RecipeError, match=message):
        train(folder / "wrong.cfg", tmp_path / "m")
