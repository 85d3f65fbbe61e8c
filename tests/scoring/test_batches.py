"""``datasets`` scored batch by batch, in one process and in two, and found again by its fingerprint."""

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import treesent
from tests.toy_pipeline import WORDS, toy_nlp
from treesent.errors import DataError, ModelError

datasets = pytest.importorskip("datasets")
TEXTS = [" ".join(WORDS[(i * k) % len(WORDS)] for k in range(3 + i % 9)) for i in range(60)] + ["", None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy") / "toy"
    toy_nlp().to_disk(folder)
    return folder


@pytest.fixture
def dataset():
    return datasets.Dataset.from_dict({"text": TEXTS, "id": list(range(len(TEXTS)))})


def test_a_dataset_gets_the_columns_of_score(folder, dataset):
    expected = treesent.score(TEXTS, folder).to_pydict()
    for processes in (None, 2):
        found = dataset.map(
            treesent.batch_scorer(folder), batched=True, batch_size=31, num_proc=processes
        ).to_dict()
        assert (found.pop("text"), found.pop("id")) == (TEXTS, list(range(len(TEXTS))))
        assert found.keys() == expected.keys() and found["label"] == expected["label"]
        for name in set(expected) - {"label"}:
            assert found[name][-2:] == [None, None]
            assert found[name][:-2] == pytest.approx(expected[name][:-2], abs=2e-6)


def test_types_are_known_before_the_first_text(folder):
    dataset = datasets.Dataset.from_dict({"text": [""] * 1500 + ["a good film"]})
    for nodes in ("none", "all"):
        scorer = treesent.batch_scorer(folder, nodes=nodes)
        found = dataset.map(scorer, batched=True, features=scorer.features(dataset.features))
        assert found[0]["label"] is None and found[1500] == {
            "text": "a good film",
            **{name: values[0] for name, values in scorer({"text": ["a good film"]}).items()},
        }


FINGERPRINT = """
import sys, treesent
from datasets.fingerprint import Hasher
print(Hasher.hash(treesent.batch_scorer(sys.argv[1], prefix=sys.argv[2])))
"""


def fingerprint(folder, prefix=""):
    command = [sys.executable, "-c", FINGERPRINT, str(folder), prefix]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    return done.stdout


def test_the_fingerprint_is_the_same_in_every_process_until_something_changes(folder, tmp_path):
    from datasets.fingerprint import Hasher

    scorer = treesent.batch_scorer(folder)
    first = Hasher.hash(scorer)
    scorer({"text": ["a good film"]})
    assert Hasher.hash(scorer) == first
    assert fingerprint(folder) == f"{first}\n"
    assert Hasher.hash(treesent.batch_scorer(folder, prefix="x_")) != first
    toy_nlp(seed=1).to_disk(tmp_path / "other")
    other = treesent.batch_scorer(tmp_path / "other")
    before = Hasher.hash(other)
    assert before != first
    toy_nlp(seed=2).to_disk(tmp_path / "other")
    assert Hasher.hash(treesent.batch_scorer(tmp_path / "other")) != before


def test_a_mapped_dataset_is_found_in_the_cache(folder, tmp_path):
    datasets.Dataset.from_dict({"text": TEXTS}).save_to_disk(tmp_path / "data")
    written = []
    for _ in range(2):
        dataset = datasets.load_from_disk(tmp_path / "data")
        found = dataset.map(treesent.batch_scorer(folder), batched=True)
        written.append(
            [(file["filename"], Path(file["filename"]).stat().st_mtime_ns) for file in found.cache_files]
        )
    assert written[0] == written[1] and len(written[0]) == 1


def test_it_pickles_without_its_model(folder):
    scorer = treesent.batch_scorer(folder, nodes="sentences", prefix="t_")
    batch = {"text": ["a good film", " "]}
    expected = scorer(batch)
    assert len(pickle.dumps(scorer)) < 1000
    assert pickle.loads(pickle.dumps(scorer))(batch) == expected
    assert [len(expected["t_sentences"][0]), expected["t_label"][1]] == [1, None]


def test_torch_keeps_its_threads(folder):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    treesent.batch_scorer(folder)({"text": ["a good film"]})
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ({"texts": ["a"]}, "the dataset: no column 'text'; did you mean 'texts'"),
        ({"text": ["a"], "label": [1]}, "has 'label' already.*with prefix='sentiment_'"),
        ({"text": ["a", 7]}, "'text', element 1 of a batch, is 7, a int; a text was expected"),
    ],
)
def test_what_cannot_be_scored_is_named(folder, batch, message):
    with pytest.raises(DataError, match=message):
        treesent.batch_scorer(folder)(batch)


def test_a_model_that_other_processes_cannot_open_is_refused():
    with pytest.raises(DataError, match="needs a name or a folder"):
        treesent.batch_scorer(toy_nlp())
    with pytest.raises(ModelError, match="en_treesent_xx"):
        treesent.batch_scorer("en_treesent_xx")


def test_an_arrow_table_keeps_its_columns_and_gets_typed_ones(folder):
    import pyarrow as pa

    table = pa.table({"when": pa.array([1, 2], pa.timestamp("s")), "text": ["a good film", ""]})
    scorer = treesent.batch_scorer(folder)
    found = scorer.table(table)
    assert found.select(["when", "text"]).equals(table)
    expected = treesent.score(["a good film", ""], folder)
    assert found["label"].equals(expected["label"])
    assert found["polarity"].to_pylist()[0] == pytest.approx(expected["polarity"].to_pylist()[0], abs=2e-6)
    assert scorer.table(table.slice(0, 0)).schema == found.schema
    assert scorer.table(table.slice(1)).schema == found.schema


def test_another_pipeline_under_the_same_name_is_refused(tmp_path):
    toy_nlp(seed=1).to_disk(tmp_path / "toy")
    scorer = treesent.batch_scorer(tmp_path / "toy")
    toy_nlp(seed=2).to_disk(tmp_path / "toy")
    with pytest.raises(ModelError, match="is not the pipeline that the scorer was made with"):
        scorer({"text": ["a good film"]})
