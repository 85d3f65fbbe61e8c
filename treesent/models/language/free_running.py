"""How a language model does on its own output: what it says of true texts while it reads what it drew."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from treesent.models.language.model import LanguageModel
from treesent.models.language.scheduled_sampling import feed
from treesent.models.language.state import LanguageState
from treesent.text.vocabulary import EOS
from treesent.types import Float64, Int64

HORIZON = 16
"""Symbols after which a model is put back on the true text."""
BEGINNING = 256
"""Symbols of a text that are looked at."""


@dataclass(frozen=True, slots=True, eq=False)
class FreeRunning:
    """What a model says of true symbols after how many of its own.

    :param nats: negative log-probability of the symbols predicted after 0, 1, 2... draws since the true text.
        *Shape:* (horizon,)
    :param counts: how many these are. *Shape:* (horizon,)
    """

    nats: Float64
    counts: Int64

    @property
    def perplexity(self) -> float:
        """Of a symbol, at all distances from the true text together."""
        return math.exp(min(float(self.nats.sum()) / max(int(self.counts.sum()), 1), 700.0))

    def by_distance(self) -> list[float]:
        """Give the perplexity after 0, 1, 2... draws."""
        means = self.nats / np.maximum(self.counts, 1)
        return [math.exp(min(mean, 700.0)) for mean in means.tolist()]


@torch.inference_mode()
def run_freely(
    model: LanguageModel, texts: Sequence[Int64], batch: int = 64, *, horizon: int = HORIZON, seed: int = 0
) -> FreeRunning:
    """Let a model read the beginning of each text in windows: a true symbol, then what it draws itself.

    Each window continues from the true text before it. This is what scheduled sampling with no true inputs
    trains for, with windows as long as the training's.

    :param model: in evaluation mode.
    :param texts: symbols of each, with an end. *Shape of each:* (n_symbols,)
    :param batch: texts side by side.
    :param horizon: steps of a window.
    :param seed: of the draws.
    """
    device = model.device
    generator = torch.Generator(device).manual_seed(seed)
    nats = torch.zeros(horizon, dtype=torch.float64, device=device)
    counts = np.zeros(horizon, np.int64)
    sizes = np.array([len(text) for text in texts], np.int64)
    order = np.argsort(-sizes, kind="stable")
    for begin in range(0, len(order), batch):
        chosen = order[begin : begin + batch]
        lengths = torch.from_numpy(sizes[chosen] - 1).to(device)
        state = model.initial_state(len(chosen), device, None if model.count is None else lengths)
        longest = min(int(sizes[chosen[0]]), BEGINNING)
        symbols = np.full((longest + 1, len(chosen)), EOS)
        for lane, text in enumerate(chosen.tolist()):
            some = texts[text][:longest]
            symbols[1 : 1 + len(some), lane] = some
        for at in range(0, longest, horizon):
            window = torch.from_numpy(symbols[at : at + horizon + 1]).to(device)
            counted = np.arange(at, at + len(window) - 1)[:, None] < sizes[chosen]
            found = free_losses(model, window, state, 0.0, generator)[0]
            kept = torch.from_numpy(counted).to(device)
            nats[: len(found)] += torch.where(kept, found.double(), 0.0).sum(1)
            counts[: len(found)] += counted.sum(1)
            state = model(window[:-1], state)[1]
    return FreeRunning(nats.cpu().numpy(), counts)


def free_losses(
    model: LanguageModel,
    symbols: Tensor,
    state: LanguageState,
    ratio: float,
    generator: torch.Generator | None = None,
    remaining: Tensor | None = None,
) -> tuple[Tensor, LanguageState]:
    """Give the losses of a window whose inputs are partly the model's own draws.

    Where the model draws an end the true symbol is fed instead: what follows is still this text.

    :param model: the model.
    :param symbols: the true ones, one more than there are steps. *Shape:* (steps + 1, batch)
    :param state: before the window.
    :param ratio: teacher-forcing ratio, see :func:`~treesent.models.language.scheduled_sampling.feed`.
    :param generator: where draws and dropout masks come from.
    :param remaining: see :meth:`~treesent.models.language.model.LanguageModel.forward`. *Shape:* (steps, batch)
    :returns: negative log-probabilities, *shape* (steps, batch), and the state after the window.
    """
    inputs, targets = symbols[:-1], symbols[1:]
    rows = iter(() if remaining is None else remaining)

    def step(read: Tensor, before: LanguageState) -> tuple[Tensor, LanguageState]:
        left = None if remaining is None else next(rows)[None]
        log_probs, after = model.window(read[None], before, generator, left)
        return log_probs[0], after

    log_probs, state = feed(step, state, inputs, ratio, generator, fixed=inputs == EOS, never=EOS)
    return -log_probs.gather(2, targets[..., None])[..., 0], state
