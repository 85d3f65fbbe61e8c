"""Pipelines that spaCy opens, from a folder and from bytes, and recipes."""

import re
from functools import cache
from pathlib import Path
from random import Random

import spacy
import srsly

import treesent
from tests import toy_pipeline
from tests.fuzz.kinds import Files, Kind, contents
from tests.fuzz.models import seal
from tests.fuzz.mutate import mutate
from treesent.files import packaged
from treesent.models.registry import FAMILIES
from treesent.training.recipe import read_recipe

TREES = b"(3 (2 the) (4 superb))\n(1 (2 not) (3 good))\n"
RECIPE = """
[paths]
words = "v.txt"

[vectors]
@misc = "treesent.VectorFile.v1"
path = ${paths.words}

[model]
@architectures = "treesent.TreeLSTM.v1"
hidden = 12

[corpora]
train = ["t.txt", "t.csv"]
dev = "t.txt"
label_column = "label"

[training]
seed = 1
max_epochs = 3
patience = 2
average = 0.9

[training.optimizer]
kind = "sgd"
learn_rate = 0.1

[training.schedule]
kind = "linear"
warmup = 2

[labels]
names = ["bad", "good"]
polarity = [-1.0, 1.0]
"""
_FILE = re.compile(r"^((?:\w*path|train|dev|init\w*|trees|vectors|parser|\w+_heads) *= *).*$", re.MULTILINE)


def _recipes(folder: Path) -> list[Files]:
    beside = {"t.txt": TREES, "v.txt": b"good 1 2\nbad 3 4\n", "t.csv": b"text,label\na,1\n"}
    packed = [path.read_text("utf-8") for path in sorted(packaged("pipelines").glob("*.cfg"))]
    texts = [RECIPE, *(_FILE.sub(r'\1"t.txt"', text) for text in packed)]
    return [{"r.cfg": text.encode(), **{f"@{name}": data for name, data in beside.items()}} for text in texts]


def _recipe(folder: Path, files: Files) -> None:
    for name, data in files.items():
        if name.startswith("@"):
            (folder / name[1:]).write_bytes(data)
    read_recipe(folder / "r.cfg", FAMILIES)


def _pipelines(folder: Path) -> list[Files]:
    # English's tokeniser takes a second to read: other languages stand for it in most inputs.
    small = [_small(parser=True), _small(n_classes=3, parser=False, aggregate="words")]
    seeds = []
    for i, nlp in enumerate([*small, toy_pipeline.toy_nlp()]):
        nlp.to_disk(folder / str(i))
        seeds.append({f"p/{name}": data for name, data in contents(folder / str(i)).items()})
    return [*seeds[:2] * 8, seeds[2]]


def _small(n_classes: int = 5, parser: bool = True, **config):
    nlp = spacy.blank("xx")
    nlp.add_pipe("treesent", config={"pretrained": None, **config})
    nlp.get_pipe("treesent").trained = toy_pipeline.toy_model(n_classes, parser)
    return nlp


def _mend(files: Files, rng: Random) -> Files:
    return seal(files, rng) if rng.random() < 0.3 else files


def _open(folder: Path, files: Files) -> None:
    nlp = treesent.load(folder / "p")
    nlp(toy_pipeline.TEXT)


@cache
def _component():
    return toy_pipeline.toy_nlp().get_pipe("treesent")


def _packed(folder: Path) -> list[Files]:
    data = srsly.msgpack_loads(toy_pipeline.toy_nlp().get_pipe("treesent").to_bytes())
    names = ("../x", "/tmp/x", "vectors/../../x", "", "config.json/x", "a\0b", "vectors", "C:\\x", ".")
    hostile = [{**data, name: b"x"} for name in names]
    odd = [None, [], {}, {"config.json": 1}, {"config.json": "x"}, {1: b"x"}, 7, "x"]
    return [{"component": srsly.msgpack_dumps(one)} for one in (data, *hostile, *odd)]


def _from_bytes(folder: Path, files: Files) -> None:
    _component().from_bytes((folder / "component").read_bytes())


def _mend_bytes(files: Files, rng: Random) -> Files:
    """Damage a file inside, whose checksum is then right, in place of the packed whole."""
    if rng.random() < 0.3:
        return files
    inside = dict(_seed_inside())
    name = rng.choice(sorted(inside))
    inside[name] = mutate(inside[name], b"", rng)
    return {"component": srsly.msgpack_dumps(seal(inside, rng))}


@cache
def _seed_inside() -> Files:
    return srsly.msgpack_loads(_component().to_bytes())


KINDS = [
    Kind("recipe", _recipes, _recipe, 2),
    Kind("pipeline", _pipelines, _open, 4, mend=_mend),
    Kind("component bytes", _packed, _from_bytes, mend=_mend_bytes),
]
