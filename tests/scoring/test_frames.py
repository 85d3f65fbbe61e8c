"""A column of texts in Python."""

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import treesent
from tests.toy_pipeline import toy_nlp
from treesent.errors import DataError

TEXTS = ["A great movie.", "", "A bad movie. Really bad!"]


@pytest.fixture(scope="module")
def nlp():
    return toy_nlp()


def expected(nlp):
    found = [nlp(text)._.sentiment for text in TEXTS]
    return [None if s is None else s.label for s in found], [
        None if s is None else round(s.polarity, 6) for s in found
    ]


def test_pandas_keeps_its_index(nlp):
    column = pd.Series(TEXTS, index=["x", "y", "z"], name="review")
    found = treesent.score(column, nlp)
    assert list(found.index) == ["x", "y", "z"]
    joined = column.to_frame().join(found)
    labels, polarity = expected(nlp)
    assert [None if pd.isna(v) else v for v in joined["label"]] == labels
    assert [None if pd.isna(v) else v for v in joined["polarity"]] == pytest.approx(polarity)


def test_polars_and_arrow_and_lists_get_their_own_kind(nlp):
    labels, _ = expected(nlp)
    assert treesent.score(pl.Series(TEXTS), nlp)["label"].to_list() == labels
    for texts in (pa.array(TEXTS), pa.chunked_array([TEXTS]), TEXTS, iter(TEXTS)):
        found = treesent.score(texts, nlp)
        assert isinstance(found, pa.Table) and found["label"].to_pylist() == labels


def test_missing_texts_get_empty_scores(nlp):
    found = treesent.score(pd.Series(["good", None, float("nan"), pd.NA]), nlp)
    assert found["label"].isna().tolist() == [False, True, True, True]


def test_what_is_no_text_is_named(nlp):
    with pytest.raises(DataError, match="element 1 is 3, a int; a text was expected"):
        treesent.score(["a", 3], nlp)
    with pytest.raises(DataError, match="one text is given"):
        treesent.score("good", nlp)


def test_phrases_and_a_prefix(nlp):
    (row,) = treesent.score(["A bad movie. Really bad!"], nlp, nodes="sentences", prefix="t_").to_pylist()
    assert [sentence["text"] for sentence in row["t_sentences"]] == ["A bad movie.", "Really bad!"]


def test_workers_give_what_one_process_gives(nlp, monkeypatch):
    import torch

    from treesent.scoring import frames

    monkeypatch.setattr(frames, "_TASK", 14)
    texts = [f"{TEXTS[i % 3]} {'bad ' * (i % 5)}" for i in range(80)]
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    alone = treesent.score(texts, nlp, batch_size=7, nodes="all")
    shared = treesent.score(texts, nlp, batch_size=7, nodes="all", workers=3)
    torch.set_num_threads(before)
    assert shared.equals(alone) and shared.num_rows == 80
    assert treesent.score([], nlp, workers=2).num_rows == 0
    with pytest.raises(DataError, match="workers 0: must be a whole number"):
        treesent.score(texts, nlp, workers=0)


def test_a_process_that_dies_is_replaced(nlp, tmp_path, monkeypatch):
    import os
    import signal

    from treesent.scoring import frames

    class Dying:
        def __getattr__(self, name):
            return getattr(nlp, name)

        def pipe(self, texts, batch_size):
            if "bad once" in texts and not (tmp_path / "died").exists():
                (tmp_path / "died").touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return nlp.pipe(texts, batch_size=batch_size)

    monkeypatch.setattr(frames, "_TASK", 5)
    texts = ["A great movie."] * 20 + ["bad once"] + TEXTS
    found = treesent.score(texts, Dying(), batch_size=5, workers=2)
    assert (tmp_path / "died").exists()
    assert found["label"].to_pylist() == treesent.score(texts, nlp)["label"].to_pylist()
