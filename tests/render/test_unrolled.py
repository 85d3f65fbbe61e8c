"""A recurrent network at work on a sentence: what is drawn is what it computes."""

import numpy as np
import pytest
import spacy
import torch
from typer.testing import CliRunner

from tests.toy_pipeline import toy_model, toy_nlp
from treesent.cli import app
from treesent.errors import DataError, ModelError
from treesent.models.classifier.networks import build_network
from treesent.nn.embedding import VectorEmbedding
from treesent.pipeline.unrolled import gate_map, unrolled
from treesent.render.unrolled import unrolled_drawing

TEXT = "the acting is superb . a terrible movie !"
WORDS = ["the", "acting", "is", "superb", "."]


def recurrent(name, **settings):
    nlp, model = spacy.blank("en"), toy_model(parser=False)
    nlp.add_pipe("treesent", config={"pretrained": None, "trees": "right-branching"})
    model.block = {"@architectures": name, "hidden": 6, **settings}
    embedding = VectorEmbedding(model.table.matrix, model.table.scale)
    generator = torch.Generator().manual_seed(1)
    model.network = build_network(model.block, model.table.width, 5, embedding, generator).eval()
    nlp.get_pipe("treesent").trained = model
    return nlp


def test_a_network_says_after_each_word_what_it_says_of_the_words_so_far():
    nlp = recurrent("treesent.LSTM.v1")
    found = unrolled(nlp, TEXT)
    assert found.words == WORDS
    for n in range(1, len(WORDS) + 1):
        probs = nlp(" ".join(WORDS[:n]))._.sentiment.probs
        np.testing.assert_allclose(found.probs[n - 1], probs, atol=1e-5)
    picture = unrolled_drawing(found).svg()
    assert picture.count("norm of the state") == 5
    assert picture.count(f">{found.labels[int(found.probs[0].argmax())]}</text>") >= 1
    assert nlp(TEXT)._.sentiment is not None  # the cells are as they were


def test_the_norms_are_those_of_the_states():
    nlp = recurrent("treesent.RNN.v1")
    network, table = nlp.get_pipe("treesent").trained.network, nlp.get_pipe("treesent").trained.table
    cell, h, norms = network.layers[0].forward_cell, torch.zeros(1, 6), []
    with torch.no_grad():
        for word in WORDS:
            x = cell.project(torch.from_numpy(table.vector(word)[None]))
            h = torch.tanh(x + h @ cell.recurrent_weight())
            norms.append(float(h.norm()))
    np.testing.assert_allclose(unrolled(nlp, TEXT).norms[0], norms, rtol=1e-5)


def test_two_directions_say_something_at_the_end():
    nlp = recurrent("treesent.GRU.v1", bidirectional=True, layers=2)
    found = unrolled(nlp, TEXT)
    names = ["layer 1", "layer 1, backwards", "layer 2", "layer 2, backwards"]
    assert [name for name, _ in found.rows] == names
    assert np.isnan(found.probs[:-1]).all()
    np.testing.assert_allclose(found.probs[-1], nlp(" ".join(WORDS))._.sentiment.probs, atol=1e-5)
    alone = unrolled(nlp, "superb")
    last, first = found.norms[1, 4], unrolled(nlp, ".").norms[1, 0]
    assert last == pytest.approx(first, rel=1e-5)  # read from the right, the last word comes first
    assert alone.norms.shape == (4, 1)


def test_the_gates_are_those_of_the_equations():
    nlp = recurrent("treesent.LSTM.v1")
    model = nlp.get_pipe("treesent").trained
    found = gate_map(nlp, TEXT)
    assert list(found.rows) == ["input gate", "forget gate", "output gate"]
    with torch.no_grad():
        first = model.network.layers[0].forward_cell.project(
            torch.from_numpy(model.table.vector("the")[None])
        )
    i, f, _, o = first.sigmoid().view(4, 6).mean(1).tolist()
    np.testing.assert_allclose(found.weights[:, 0], [i, f, o], rtol=1e-5)
    assert list(gate_map(recurrent("treesent.GRU.v1"), TEXT).rows) == ["reset gate", "update gate"]
    with pytest.raises(ModelError, match="have no gates to show; take a network of LSTM or GRU"):
        gate_map(recurrent("treesent.RNN.v1"), TEXT)


def test_what_cannot_be_unrolled():
    with pytest.raises(ModelError, match="only recurrent networks can be unrolled"):
        unrolled(toy_nlp(), TEXT)
    with pytest.raises(DataError, match="no words"):
        unrolled(recurrent("treesent.RNN.v1"), " ")


@pytest.mark.parametrize("option", ["--unrolled", "--gates"])
@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_the_command_draws(tmp_path, option, suffix):
    recurrent("treesent.LSTM.v1").to_disk(tmp_path / "lstm")
    words = ["show", TEXT, option, "--model", str(tmp_path / "lstm")]
    result = CliRunner().invoke(app, [*words, "-o", str(tmp_path / "new" / f"a.{suffix}")])
    assert result.exit_code == 0, result.output
    data = (tmp_path / "new" / f"a.{suffix}").read_bytes()
    assert data.startswith(b"<svg" if suffix == "svg" else b"\x89PNG")
    assert "name it with -o" in CliRunner().invoke(app, words).stderr
