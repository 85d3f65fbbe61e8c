"""Folders and files of models: the classifier's folder, a parser's file, a language model's folder."""

import hashlib
import json
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
import torch

from tests import toy_pipeline
from tests.fuzz.kinds import Files, Kind, contents
from tests.tiny_transformer import tiny_transformer
from treesent.models.classifier.folder import FIVE, SentimentModel, default_polarity, load_model, save_model
from treesent.models.classifier.networks import build_network
from treesent.models.classifier.transformer_source import transformer_for
from treesent.models.language.config import LanguageModelConfig
from treesent.models.language.inference import load_language_model, sample
from treesent.models.language.model import LanguageModel
from treesent.models.parser.kinds import load_parser
from treesent.models.parser.seq2seq import Seq2SeqParser, Seq2SeqParserConfig
from treesent.nn.embedding import VectorEmbedding
from treesent.text.vocabulary import Vocabulary

WIDTH = 16


@cache
def _networks() -> tuple[Seq2SeqParser, LanguageModel, LanguageModel]:
    generator = torch.Generator().manual_seed(0)
    parser = Seq2SeqParser(Seq2SeqParserConfig(hidden=8), WIDTH, generator).eval()
    models = []
    for unit, settings in (("character", {"orders": (2, 3), "ngram_bits": 6}), ("word", {"cell": "gru"})):
        vocabulary = Vocabulary.of([toy_pipeline.TEXT], unit)
        config = LanguageModelConfig(unit=unit, **{"hidden": 8, "embedding_width": 4, **settings})
        models.append(LanguageModel(vocabulary, config, generator=generator))
    return parser, *models


def seal(files: Files, rng: Random) -> Files:
    """Write the checksums that the damaged files of a classifier's folder now have."""
    name = next(
        (name for name in ("m/config.json", *files) if name in files and name.endswith("config.json")), ""
    )
    try:
        config = json.loads(files[name])
        config.pop("sha256", None)
        beside = name.removesuffix("config.json")
        for file in config["files"]:
            config["files"][file] = hashlib.sha256(files[beside + file]).hexdigest()
    except (KeyError, TypeError, ValueError, AttributeError):
        return files
    config["sha256"] = hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()
    return {**files, name: json.dumps(config).encode()}


def _classifiers(folder: Path) -> list[Files]:
    seeds = []
    for i, parser in enumerate((True, False)):
        save_model(folder / str(i), toy_pipeline.toy_model(parser=parser))
        seeds.append({f"m/{name}": data for name, data in contents(folder / str(i)).items()})
    return seeds


def _transformers(folder: Path) -> list[Files]:
    model, table = tiny_transformer(folder / "t"), toy_pipeline.toy_table()
    block = {**toy_pipeline.BLOCK, "encoder": "transformer"}
    transformer, reader = transformer_for(block, str(model))
    network = build_network(block, table.width, 5, VectorEmbedding(table.matrix), None, transformer)
    save_model(folder / "m", SentimentModel(network, block, table, FIVE, default_polarity(5), pieces=reader))
    return [{f"m/{name}": data for name, data in contents(folder / "m").items()}]


def _parsers(folder: Path) -> list[Files]:
    toy_pipeline.toy_model().parser.save(folder / "a")
    _networks()[0].save(folder / "b")
    return [{"parser.safetensors": data} for data in contents(folder).values()]


def _languages(folder: Path) -> list[Files]:
    for i, model in enumerate(_networks()[1:]):
        model.save(folder / str(i))
    return [{f"m/{name}": data for name, data in contents(folder / str(i)).items()} for i in range(2)]


def _parse(folder: Path, files: Files) -> None:
    parser = load_parser(folder / "parser.safetensors")
    vectors = torch.from_numpy(np.random.default_rng(0).normal(size=(4, parser.width)).astype(np.float32))
    parser.parse(vectors, torch.arange(4), np.array([3, 1]))


def _language(folder: Path, files: Files) -> None:
    model = load_language_model(folder / "m")
    sample(model, 1, max_length=3)


KINDS = [
    Kind("model", _classifiers, lambda folder, _: load_model(folder / "m")),
    Kind("model sealed", _classifiers, lambda folder, _: load_model(folder / "m"), 1.5, mend=seal),
    Kind("transformer", _transformers, lambda folder, _: load_model(folder / "m"), mend=seal),
    Kind("parser", _parsers, _parse),
    Kind("language model", _languages, _language),
]
