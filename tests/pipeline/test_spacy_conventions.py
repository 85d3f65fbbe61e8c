"""What a spaCy user may expect of a component, each promise where spaCy itself would break it."""

import os
import subprocess
import sys
import warnings
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest
import spacy
from spacy.tokens import DocBin
from spacy.util import registry

from tests.toy_pipeline import BLOCK, TEXT, toy_model, toy_nlp, toy_table
from treesent.files import packaged
from treesent.models.classifier.networks import NETWORKS
from treesent.models.classifier.writer import write_pipeline
from treesent.pipeline import gold
from treesent.trees.brackets import parse_tree

DEFAULT = packaged("pipelines") / "en_treesent_sm"
needs_default = pytest.mark.skipif(not (DEFAULT / "meta.json").is_file(), reason="no trained default yet")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "toy"
    write_pipeline(path, toy_model(), meta={"name": "toy_sm", "version": "1.2.3"})
    return path


def python(code, *args, timeout=120, cwd=None, threads=None):
    """Run code in a fresh process, which has a time limit."""
    env = {k: v for k, v in os.environ.items() if k not in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    if threads:
        env["OMP_NUM_THREADS"] = str(threads)
    command = [sys.executable, "-c", code, *map(str, args)] if code else [sys.executable, *map(str, args)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=timeout, cwd=cwd, env=env, check=False
    )
    assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-3000:]
    return done.stdout


NO_NETWORK = """
import socket
def refuse(*args, **kwargs):
    raise OSError("the network was used")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
"""


def test_a_fresh_process_needs_no_import(folder):
    code = f"""{NO_NETWORK}
import sys, spacy
nlp = spacy.load(sys.argv[1])
doc = nlp("The plot is thin, but the acting is superb.")
print(doc._.sentiment.label, [t._.sentiment.label for t in doc], next(doc.sents)._.tree.brackets())
"""
    doc = spacy.load(folder)("The plot is thin, but the acting is superb.")
    assert python(code, folder, threads=1).startswith(doc._.sentiment.label)


@needs_default
def test_a_fresh_process_adds_the_default():
    code = f"""{NO_NETWORK}
import spacy
nlp = spacy.blank("en")
nlp.add_pipe("treesent")
doc = nlp("The plot is thin, but the acting is superb.")
print(doc._.sentiment.label, "|", nlp("It is terrible.")._.sentiment.label)
"""
    good, bad = python(code, threads=1).strip().split(" | ")
    assert "positive" in good
    assert "negative" in bad


@needs_default
def test_load_by_name():
    import treesent

    assert "positive" in treesent.load("en_treesent_sm")("A superb film.")._.sentiment.label


WORKERS = """
import multiprocessing, sys
import torch

def main():
    import spacy
    multiprocessing.set_start_method(sys.argv[2])
    nlp = spacy.load(sys.argv[1])
    texts = ["The plot is thin, but the acting is superb.", "", "A terrible movie! It was not good."] * 20
    if sys.argv[3] == "warm":
        # Starts the pool of threads that a forked child does not have.
        torch.randn(2000, 2000) @ torch.randn(2000, 2000)
        nlp(texts[0])
    docs = list(nlp.pipe(texts, n_process=2, batch_size=7))
    alone = [nlp(text) for text in texts]
    for a, b in zip(docs, alone, strict=True):
        assert (a._.sentiment is None) == (b._.sentiment is None)
        assert a._.sentiment is None or abs(a._.sentiment.polarity - b._.sentiment.polarity) < 1e-4
        assert [s._.tree.brackets() for s in a.sents] == [s._.tree.brackets() for s in b.sents]
    print("same")

if __name__ == "__main__":
    main()
"""


@pytest.mark.slow
@pytest.mark.parametrize(("how", "warm"), [("fork", "cold"), ("fork", "warm"), ("spawn", "warm")])
def test_two_workers(folder, tmp_path, how, warm):
    script = tmp_path / "workers.py"
    script.write_text(WORKERS)
    assert python("", script, folder, how, warm, timeout=180).strip() == "same"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_has_one_thread(folder):
    code = """
import os, sys, spacy, torch
torch.set_num_threads(2)
nlp = spacy.load(sys.argv[1])
if os.fork() == 0:
    os._exit(torch.get_num_threads())
print(os.waitstatus_to_exitcode(os.wait()[1]), torch.get_num_threads())
"""
    assert python(code, folder, timeout=60).split() == ["1", "2"]


def test_pipe_as_tuples_and_select_pipes():
    nlp = toy_nlp()
    pairs = list(nlp.pipe([(TEXT, 1), ("", 2), ("A good movie", 3)], as_tuples=True))
    assert [context for _, context in pairs] == [1, 2, 3]
    assert pairs[1][0]._.sentiment is None
    with nlp.select_pipes(disable=["treesent"]):
        assert nlp(TEXT)._.sentiment is None
    assert nlp(TEXT)._.sentiment is not None


def test_a_memory_zone_leaves_nothing_behind():
    nlp = toy_nlp()
    nlp("warm up")
    before = len(nlp.vocab.strings)
    found = []
    for _ in range(2):
        with nlp.memory_zone():
            found.append(
                [doc._.sentiment.polarity for doc in nlp.pipe([TEXT, "Unheardof wordses zzyzx.", "ok"])]
            )
        assert len(nlp.vocab.strings) == before
    assert found[0] == found[1]
    assert nlp("Unheardof wordses zzyzx.")._.sentiment.polarity == pytest.approx(found[0][1], abs=1e-6)


def test_replacing_the_component():
    nlp = toy_nlp()
    nlp.replace_pipe("treesent", "treesent", config={"pretrained": None, "trees": "right-branching"})
    nlp.get_pipe("treesent").trained = toy_model(2)
    assert nlp(TEXT)._.sentiment.label in ("negative", "positive")
    nlp.rename_pipe("treesent", "mood")
    assert nlp(TEXT)._.sentiment is not None
    assert nlp.get_pipe("mood").label_data == ["negative", "positive"]
    nlp.remove_pipe("mood")
    assert nlp(TEXT)._.sentiment is None


def test_a_component_can_be_sourced():
    nlp = spacy.blank("en")
    source = toy_nlp()
    nlp.add_pipe("treesent", source=source)
    assert nlp(TEXT)._.sentiment == source(TEXT)._.sentiment


def test_every_registered_name_resolves():
    groups = ("spacy_factories", "spacy_architectures", "spacy_misc", "spacy_scorers", "spacy_cli")
    ours = [e for group in groups for e in entry_points(group=group) if e.value.startswith("treesent.")]
    names = {group: {e.name for e in ours if e.group == group} for group in groups}
    assert all(names.values())
    assert names["spacy_factories"] == {"treesent"}
    assert names["spacy_architectures"] == set(NETWORKS), "a network needs a line in setup.py"
    assert names["spacy_scorers"] == {"treesent.scorer.v1"}
    for entry in ours:
        kind = entry.group.removeprefix("spacy_")
        if kind != "cli":
            found = getattr(registry, "_entry_point_factories" if kind == "factories" else kind).get(
                entry.name
            )
            assert callable(found)


@pytest.mark.slow
def test_spacys_command_line_has_treesents():
    out = python("", "-m", "spacy", "treesent", "--help", threads=1)
    assert "score" in out
    assert "train" in out


def test_analysis_finds_what_is_assigned():
    nlp = toy_nlp()
    summary = nlp.analyze_pipes()["summary"]["treesent"]
    assert "doc._.sentiment" in summary["assigns"]
    assert summary["scores"] == ["sentiment_root_acc", "sentiment_root_acc_2", "sentiment_node_acc"]


CONFIG = """
[paths]
train = null
dev = null
table = null

[nlp]
lang = "en"
pipeline = ["treesent"]

[components]

[components.treesent]
factory = "treesent"
trees = "right-branching"

[components.treesent.model]
@architectures = "treesent.TreeLSTM.v1"
hidden = 12

[corpora]

[corpora.train]
@readers = "spacy.Corpus.v1"
path = ${paths.train}

[corpora.dev]
@readers = "spacy.Corpus.v1"
path = ${paths.dev}

[training]
dev_corpus = "corpora.dev"
train_corpus = "corpora.train"
max_steps = 60
eval_frequency = 20
patience = 0

[training.optimizer]
@optimizers = "Adam.v1"
learn_rate = 0.02

[initialize]

[initialize.components]

[initialize.components.treesent]
vectors = ${paths.table}
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """What ``spacy train`` leaves of a tiny corpus."""
    path = tmp_path_factory.mktemp("train")
    brackets = ["(4 (2 a) (4 (4 great) (2 movie)))", "(0 (2 it) (0 (1 was) (0 (0 terrible) (2 .))))"]
    vocab = spacy.blank("en").vocab
    docs = [gold.tree_to_doc(parse_tree(text), vocab) for text in brackets * 8]
    DocBin(docs=docs).to_disk(path / "corpus.spacy")
    (path / "base.cfg").write_text(CONFIG)
    toy_table().save(path / "vectors")
    python("", "-m", "spacy", "init", "fill-config", path / "base.cfg", path / "config.cfg", threads=1)
    python(
        "", "-m", "spacy", "train", path / "config.cfg", "--output", path / "out", "--paths.train",
        path / "corpus.spacy", "--paths.dev", path / "corpus.spacy", "--paths.table", path / "vectors",
        threads=1, timeout=300,
    )  # fmt: skip
    return path


@pytest.mark.slow
def test_spacy_train(trained):
    nlp = spacy.load(trained / "out" / "model-best")
    assert nlp("a great movie")._.sentiment.label == "very positive"
    assert nlp("it was terrible .")._.sentiment.label == "very negative"


@pytest.mark.slow
def test_spacy_evaluate(trained):
    out = trained / "figures.json"
    python(
        "", "-m", "spacy", "evaluate", trained / "out" / "model-best", trained / "corpus.spacy", "--output",
        out,
        threads=1,
    )  # fmt: skip
    import json

    assert json.loads(out.read_text())["sentiment_root_acc"] == 1.0


@pytest.mark.slow
def test_fine_tuning_with_spacy_train(trained):
    """A pipeline whose network is trained already goes on learning."""
    nlp = spacy.load(trained / "out" / "model-best")
    optimizer = nlp.resume_training()
    optimizer.learn_rate = 0.02
    data = [spacy.training.Example.from_dict(nlp.make_doc("a great movie"), {"cats": {"very negative": 1.0}})]
    for _ in range(40):
        nlp.update(data, sgd=optimizer)
    assert nlp("a great movie")._.sentiment.label == "very negative"


@pytest.mark.slow
def test_spacy_package_installs_and_loads(folder, tmp_path):
    python("", "-m", "spacy", "package", folder, tmp_path, "--build", "none", "--force", threads=1)
    (package,) = (path.parent for path in Path(tmp_path).rglob("setup.py"))
    site = tmp_path / "site"
    python(
        "", "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target",
        site,
        package, threads=1,
    )  # fmt: skip
    code = f"""{NO_NETWORK}
import sys, spacy
sys.path.insert(0, sys.argv[1])
nlp = spacy.load("en_toy_sm")
print(round(nlp("A terrible movie!")._.sentiment.polarity, 4), nlp.meta["version"])
"""
    polarity, version = python(code, site, threads=1).split()
    assert float(polarity) == pytest.approx(
        spacy.load(folder)("A terrible movie!")._.sentiment.polarity, abs=1e-3
    )
    assert version == "1.2.3"


def test_config_round_trip(folder):
    nlp = spacy.load(folder)
    again = spacy.blank("en").from_config(nlp.config)
    again.from_bytes(nlp.to_bytes())
    assert np.isclose(again(TEXT)._.sentiment.polarity, nlp(TEXT)._.sentiment.polarity, atol=1e-4)


def test_an_unknown_key_of_the_model_is_refused():
    from confection import ConfigValidationError

    with pytest.raises(ConfigValidationError, match="hiden"):
        spacy.blank("en").add_pipe("treesent", config={"model": {**BLOCK, "hiden": 3}})


def test_a_pipeline_of_another_language_is_told_once():
    with pytest.warns(UserWarning, match=r"language 'en', and the pipeline's is 'de'") as caught:
        spacy.blank("de").add_pipe("treesent")
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        spacy.blank("en").add_pipe("treesent")
        spacy.blank("xx").add_pipe("treesent")


def test_a_text_of_unknown_words_is_not_sure_of_itself():
    nlp = spacy.blank("xx")
    nlp.add_pipe("treesent")
    found = nlp("这部电影非常好看")._.sentiment
    assert found.unknown == 1
    assert found.confidence == pytest.approx(0.2, abs=1e-6)
