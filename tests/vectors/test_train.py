import gzip
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from treesent.cli import app
from treesent.data.texts import read_texts
from treesent.errors import DataError, RecipeError, VectorsError
from treesent.files import packaged
from treesent.vectors.formats import read_vectors
from treesent.vectors.train import TrainSettings, tokenise, train_vectors

SMALL = {"width": 8, "epochs": 2, "min_count": 2, "sample": 0.0, "buckets": 500}


def texts():
    rng = np.random.default_rng(0)
    things = {"film": ["great", "superb", "moving"], "soup": ["hot", "tasty", "salty"]}
    for _ in range(300):
        thing = str(rng.choice(list(things)))
        first, second = rng.choice(things[thing], 2)
        yield f"The {thing} was {first}<br />and {second}, in New York."


def test_tokenise_as_the_component_does():
    parts = list(tokenise(["It's GOOD.<br /><br />Don't -LRB-go-RRB-", "\n\n  \n"]))
    assert parts[0] == ["it", "'s", "good", "."]
    assert parts[1][:2] == ["do", "n't"] and len(parts) == 2


@pytest.mark.parametrize("algorithm", ["word2vec", "fasttext"])
@pytest.mark.parametrize("architecture", ["skip-gram", "cbow"])
def test_same_seed_and_one_worker_give_the_same_vectors(algorithm, architecture):
    settings = TrainSettings(algorithm=algorithm, architecture=architecture, **SMALL)
    first, again = train_vectors(texts(), settings), train_vectors(texts(), settings)
    assert first.words == again.words and first.width == 8
    np.testing.assert_array_equal(first.matrix, again.matrix)
    np.testing.assert_array_equal(first.vector("filmic"), again.vector("filmic"))
    other = train_vectors(
        texts(), TrainSettings(algorithm=algorithm, architecture=architecture, **SMALL, seed=2)
    )
    assert not np.array_equal(first.matrix, other.matrix)


def test_words_of_one_context_come_out_alike():
    table = train_vectors(texts(), TrainSettings(width=16, epochs=30, min_count=2, sample=0.0, window=2))
    unit = table.matrix / np.linalg.norm(table.matrix, axis=1, keepdims=True)
    great, superb, tasty = (unit[table.row(word)] for word in ("great", "superb", "tasty"))
    assert great @ superb > great @ tasty + 0.1


def test_fasttext_brings_its_subwords():
    table = train_vectors(texts(), TrainSettings(algorithm="fasttext", **SMALL))
    assert not np.allclose(table.vector("filmmaker"), table.vector("soupy"))


def test_phrases_join_pairs():
    table = train_vectors(texts(), TrainSettings(**SMALL, phrases=True, phrase_threshold=0.01))
    assert any("_" in word for word in table.words)


def test_progress_tells_texts_and_the_loss_of_each_epoch():
    told = []
    train_vectors(texts(), TrainSettings(**SMALL), told.append)
    assert (told[0].stage, told[0].done) == ("tokenise", 300)
    epochs = [step for step in told if step.stage == "train"]
    assert [(step.done, step.total) for step in epochs] == [(1, 2), (2, 2)]
    assert all(step.loss > 0 for step in epochs)


def test_no_frequent_word_is_an_error():
    for corpus in ([], ["one two three"]):
        with pytest.raises(VectorsError, match="no word stands 4 times"):
            train_vectors(corpus)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"width": 0}, "width is 0"),
        ({"negative": 0}, "negative is 0"),
        ({"shortest": 5, "longest": 4}, "longest is 4"),
        ({"split_at": "("}, "must be a regular expression"),
    ],
)
def test_settings_that_make_no_sense(values, message):
    with pytest.raises(RecipeError, match=message):
        TrainSettings(**values)


def test_texts_from_everything(tmp_path):
    import datasets
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = ["good film", "bad, bad film"]
    (tmp_path / "t.txt").write_text("\n".join(rows) + "\n")
    with gzip.open(tmp_path / "t.txt.gz", "wt") as file:
        file.write("\n".join(rows) + "\n")
    (tmp_path / "t.jsonl").write_text("\n".join(json.dumps({"text": text, "n": 1}) for text in rows) + "\n")
    (tmp_path / "t.csv").write_text('n,text\n1,good film\n2,"bad, bad film"\n')
    pq.write_table(pa.table({"text": [*rows, None]}), tmp_path / "t.parquet")
    data = datasets.Dataset.from_dict({"text": rows})
    data.save_to_disk(tmp_path / "saved")
    datasets.DatasetDict({"train": data}).save_to_disk(tmp_path / "dict")
    for name in ("t.txt", "t.txt.gz", "t.jsonl", "t.csv", "t.parquet", "saved", "dict"):
        assert list(read_texts([str(tmp_path / name)])) == rows, name
    with pytest.raises(DataError, match="no split 'test'"):
        list(read_texts([str(tmp_path / "dict")], split="test"))
    with pytest.raises(DataError, match="no column 'txt'; did you mean 'text'"):
        list(read_texts([str(tmp_path / "saved")], "txt"))
    (tmp_path / "t.jsonl").write_text('{"text": "a"}\n{"text": \n')
    with pytest.raises(DataError, match=r"row 2 .line 2"):
        list(read_texts([str(tmp_path / "t.jsonl")]))
    with pytest.raises(DataError, match="no dataset"):
        list(read_texts([str(tmp_path)]))


def test_the_command_trains_by_recipe_and_settings(tmp_path):
    (tmp_path / "t.txt").write_text("\n".join(texts()) + "\n")
    command = ["vectors", "train", str(tmp_path / "t.txt"), "-o", str(tmp_path / "out.vec")]
    small = [part for key in ("width=8", "epochs=1", "workers=1") for part in ("--set", key)]
    result = CliRunner().invoke(app, [*command, "--recipe", "imdb_word2vec", *small])
    assert result.exit_code == 0, result.output
    assert "epoch 1 of 1, loss" in result.stderr
    assert read_vectors(tmp_path / "out.vec").width == 8
    result = CliRunner().invoke(app, [*command, "--overwrite", "--set", "widht=8"])
    assert result.exit_code == 1 and "did you mean 'width'" in result.stderr
    result = CliRunner().invoke(app, [*command, "--overwrite", "--set", "width"])
    assert result.exit_code == 1 and "KEY=VALUE" in result.stderr


@pytest.mark.parametrize("name", [path.stem for path in packaged("embeddings").glob("*.cfg")])
def test_every_packaged_recipe_is_read(name):
    from treesent.cli.vectors.train import read_settings

    assert isinstance(read_settings(name, []), TrainSettings)
