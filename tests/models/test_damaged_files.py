"""Damaged files of language models and parsers: a model that works, or an error that names the file."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from treesent.errors import ModelError
from treesent.models.language.config import LanguageModelConfig
from treesent.models.language.inference import load_language_model, sample
from treesent.models.language.model import LanguageModel
from treesent.models.parser.chart_parser import ChartParser, ParserConfig
from treesent.models.parser.kinds import load_parser
from treesent.models.parser.seq2seq import Seq2SeqParser, Seq2SeqParserConfig
from treesent.text.vocabulary import Vocabulary

WIDTH = 4


def write_language(folder):
    config = LanguageModelConfig(hidden=6, embedding_width=WIDTH, orders=(2,), ngram_bits=3, ngram_width=2)
    LanguageModel(Vocabulary("character", "abc"), config).save(folder / "m")


def write_chart(folder):
    ChartParser(ParserConfig(hidden=3, layers=2, gap=4, span=3), WIDTH).save(folder / "parser.safetensors")


def write_seq2seq(folder):
    config = Seq2SeqParserConfig(encoder_hidden=3, hidden=4, attention_hidden=3, embedding=2)
    Seq2SeqParser(config, WIDTH).save(folder / "parser.safetensors")


def use_language(folder):
    sample(load_language_model(folder / "m"), 2, max_length=3)


def use_parser(folder):
    parser = load_parser(folder / "parser.safetensors")
    parser.parse(torch.ones(4, parser.width), torch.arange(4), np.array([3, 1]))


KINDS = {
    "language": (write_language, use_language),
    "chart": (write_chart, use_parser),
    "seq2seq": (write_seq2seq, use_parser),
}
HUGE = [-1, 0, 10**6, 10**9, 10**30, 1.5, float("nan"), "x", None, True, [], {}]


def mutate(path, random):
    """Damage a file: flip bytes, cut it, lie in its header, or set a number of its settings."""
    data = bytearray(path.read_bytes())
    kind = random.integers(4)
    if kind == 0:
        for place in random.integers(len(data), size=random.integers(1, 6)):
            data[place] ^= int(random.integers(1, 256))
    elif kind == 1:
        del data[random.integers(len(data)) :]
    elif kind == 2 and path.suffix == ".safetensors":
        size = int.from_bytes(data[:8], "little")
        header = data[8 : 8 + size].decode()
        old, new = [("F32", "BF16"), ("F16", "F8_E4M3"), ("F32", "I32"), ("F16", "BF16")][random.integers(4)]
        header = header.replace(f'"{old}"', f'"{new}"', 1).encode()
        data = bytearray(len(header).to_bytes(8, "little") + header + bytes(data[8 + size :]))
    elif path.suffix == ".json":
        values = json.loads(data)
        place = (
            str(random.choice(list(values)))
            if isinstance(values, dict)
            else int(random.integers(len(values)))
        )
        values[place] = HUGE[random.integers(len(HUGE))]
        data = json.dumps(values).encode()
    else:
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
        if "config" in metadata:
            config = json.loads(metadata["config"])
            config[str(random.choice(list(config)))] = HUGE[random.integers(len(HUGE))]
            metadata["config"] = json.dumps(config)
        save_file(load_file(path), path, metadata)
        return
    path.write_bytes(data)


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_read_or_named(kind, tmp_path):
    write, use = KINDS[kind]
    random, refused = np.random.default_rng(0), 0
    for number in range(60):
        folder = tmp_path / str(number)
        folder.mkdir()
        write(folder)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        mutate(files[random.integers(len(files))], random)
        try:
            use(folder)
        except ModelError as error:
            assert str(folder) in str(error)
            refused += 1
    assert refused > 20


def set_weights(path, change):
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    weights = load_file(path)
    name = sorted(weights)[0]
    weights[name] = change(weights[name])
    save_file(weights, path, metadata)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda weight: weight * float("nan"), "not finite"),
        (lambda weight: weight.bfloat16(), "bfloat16"),
        (lambda weight: weight.to(torch.float8_e4m3fn), "float8"),
        (lambda weight: weight.int(), "int32"),
        (lambda weight: weight[:0], "settings ask for"),
    ],
    ids=["NaN", "BF16", "F8", "I32", "empty"],
)
def test_weights_of_a_wrong_type_or_value_are_refused(kind, change, message, tmp_path):
    write, use = KINDS[kind]
    write(tmp_path)
    (path,) = tmp_path.rglob("*.safetensors")
    set_weights(path, change)
    with pytest.raises(ModelError, match=message) as caught:
        use(tmp_path)
    assert str(path) in str(caught.value)


def test_huge_settings_take_neither_memory_nor_time(tmp_path):
    write_language(tmp_path)
    path = tmp_path / "m" / "config.json"
    settings = json.loads(path.read_text())
    for name, value in {"hidden": 10**9, "layers": 10**9, "ngram_width": 10**8, "ngram_bits": 24}.items():
        path.write_text(json.dumps({**settings, name: value}))
        with pytest.raises(ModelError, match=str(tmp_path)):
            load_language_model(Path(tmp_path, "m"))


def test_a_file_that_is_no_safetensors_is_not_unpickled(tmp_path):
    """torch.save writes a pickle, which could run anything."""
    torch.save({"weights": torch.ones(3)}, tmp_path / "parser.safetensors")
    with pytest.raises(ModelError, match=r"parser\.safetensors: cut short or damaged"):
        load_parser(tmp_path / "parser.safetensors")
