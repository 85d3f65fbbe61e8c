"""Training steps of a language model of characters beside the same network with torch.nn.LSTM.

One layer of 512, 138 symbols, windows of 64 steps in 64 lanes, one thread: forward, loss and backward in
float32 and with products in bfloat16. torch's network reads vectors of 64 numbers; ours is once the same and
once has the n-grams of ``pipelines/char_lm.cfg``, with smaller tables.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.benchmarks.timing import interleave, summary, timed
from treesent.models.language.config import LanguageModelConfig
from treesent.models.language.model import LanguageModel
from treesent.text.vocabulary import Vocabulary

STEPS, LANES, HIDDEN, WIDTH, SYMBOLS = 64, 64, 512, 64, 138
NGRAMS = {"orders": (3, 4, 5, 6, 8), "ngram_bits": 14, "ngram_width": 96}
TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def run(repeats: int) -> dict[str, Any]:
    """Time all of them.

    :param repeats: turns that count.
    """
    vocabulary = Vocabulary("character", [chr(0x100 + n) for n in range(SYMBOLS - 2)])
    window = torch.randint(1, SYMBOLS, (STEPS + 1, LANES), generator=torch.Generator().manual_seed(0))
    works = {}
    for name, kind in TYPES.items():
        works[f"torch.nn.LSTM, {name}"] = timed(theirs(window, kind))
        for label, extra in (("ours", {}), ("ours with n-grams", NGRAMS)):
            config = LanguageModelConfig(hidden=HIDDEN, embedding_width=WIDTH, **extra)
            works[f"{label}, {name}"] = timed(ours(LanguageModel(vocabulary, config), window, kind))
    found = interleave(works, repeats)
    return {
        "repeats": repeats,
        "symbols": {name: summary(taken, STEPS * LANES) for name, taken in found.items()},
    }


def report(result: dict[str, Any]) -> str:
    """Lines to read of what :func:`run` found.

    :param result: its result.
    """
    lines = [
        f"language model: one thread (symbols/s: median, slowest, fastest of {result['repeats']}, times "
        "torch.nn.LSTM in float32)"
    ]
    base = result["symbols"]["torch.nn.LSTM, float32"]["per_second"]
    for name, rate in result["symbols"].items():
        numbers = "".join(f"{rate[key]:9.0f}" for key in ("per_second", "slowest", "fastest"))
        lines.append(f"    {name:32}{numbers}{rate['per_second'] / base:8.2f}")
    return "\n".join(lines)


def ours(model: LanguageModel, window: Tensor, kind: torch.dtype) -> Callable[[], None]:
    """A window of ours."""

    def work() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=kind == torch.bfloat16):
            features, _ = model(window[:-1], model.initial_state(LANES))
            loss = model.losses(features.flatten(0, 1), window[1:].flatten()).mean()
        loss.backward()
        model.zero_grad()

    return work


def theirs(window: Tensor, kind: torch.dtype) -> Callable[[], None]:
    """A window of torch's, all of it in one type: under autocast its LSTM stays in float32."""
    network = nn.ModuleList(
        [nn.Embedding(SYMBOLS, WIDTH), nn.LSTM(WIDTH, HIDDEN), nn.Linear(HIDDEN, SYMBOLS)]
    )
    network.to(kind)
    embedding, lstm, output = network

    def work() -> None:
        logits = output(lstm(embedding(window[:-1]))[0]).float()
        functional.cross_entropy(logits.flatten(0, 1), window[1:].flatten()).backward()
        network.zero_grad()

    return work
