"""Temperatures that make confidence mean what it says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.toy_pipeline import toy_table
from treesent.errors import RecipeError
from treesent.models.classifier.calibration import fit_temperature
from treesent.models.classifier.folder import load_model
from treesent.models.train import train
from treesent.trees.label_sets import set_label

TREES = ["(3 (2 the) (3 (2 plot) (4 superb)))", "(1 (0 terrible) (2 film))", "(2 (2 a) (2 movie))"]
RECIPE = """
[vectors]
@misc = "treesent.VectorFile.v1"
path = "vectors"

[model]
@architectures = "treesent.TreeLSTM.v1"
hidden = 12

[corpora]
train = "trees.txt"
dev = "dev.txt"

[training]
max_epochs = 40
patience = 0
batch_size = 3

[training.optimizer]
learn_rate = 0.03
"""


def softmax(logits):
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    return (shifted / shifted.sum(1, keepdims=True)).astype(np.float32)


@settings(deadline=None, max_examples=20)
@given(temperature=st.floats(0.3, 4), seed=st.integers(0, 99))
def test_the_temperature_of_overconfident_probabilities_is_found(temperature, seed):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, size=(4000, 5))
    label = np.array([rng.choice(5, p=row / row.sum()) for row in softmax(logits).astype(np.float64)])
    assert fit_temperature(softmax(logits * temperature), label) == pytest.approx(temperature, rel=0.2)


def test_sets_of_classes_count_and_missing_labels_do_not():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, size=(4000, 5))
    classes = np.array([rng.choice(5, p=row / row.sum()) for row in softmax(logits).astype(np.float64)])
    sides = [set_label([0, 1], 5), set_label([0, 1], 5), 2, set_label([3, 4], 5), set_label([3, 4], 5)]
    label = np.array(sides)[classes]
    assert fit_temperature(softmax(logits * 3), label) == pytest.approx(3, rel=0.2)
    label[::2] = -1
    logits[::2] *= 100
    assert fit_temperature(softmax(logits * 3), label) == pytest.approx(3, rel=0.2)
    assert fit_temperature(softmax(logits), np.full(4000, -1)) == 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calibrated")
    toy_table().save(folder / "vectors")
    (folder / "trees.txt").write_text("\n".join(TREES) + "\n", "utf-8")
    # Half of the labels of dev contradict those of train, so certainty is wrong half of the time.
    (folder / "dev.txt").write_text("\n".join([*TREES, *("(0" + tree[2:] for tree in TREES)]) + "\n", "utf-8")
    (folder / "recipe.cfg").write_text(RECIPE, "utf-8")
    return folder


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_a_recipe_calibrates_and_predicts_the_same(folder, tmp_path, precision):
    import spacy

    found = {}
    for calibrate in (False, True):
        changes = {"training.calibrate": calibrate, "training.save_precision": precision}
        made = train(folder / "recipe.cfg", tmp_path / str(calibrate), overrides=changes).folder
        nlp = spacy.load(made, config={"components": {"treesent": {"trees": "right-branching"}}})
        found[calibrate] = [nlp(text)._.sentiment for text in ("the plot superb", "terrible film", "a movie")]
    for plain, cooled in zip(found[False], found[True], strict=True):
        assert plain.probs.argmax() == cooled.probs.argmax()
        assert cooled.probs.max() < plain.probs.max() - 0.1
    assert load_model(made / "treesent").network.weight.abs().max() > 0


def test_outputs_at_every_step_cannot_be_calibrated(folder, tmp_path):
    text = RECIPE.replace("TreeLSTM.v1", "RNN.v1").replace("hidden = 12", 'hidden = 12\npooling = "outputs"')
    (folder / "outputs.cfg").write_text(text, "utf-8")
    with pytest.raises(RecipeError, match="no single temperature"):
        train(folder / "outputs.cfg", tmp_path / "m", overrides={"training.calibrate": True})
