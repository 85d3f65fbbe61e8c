"""The training task of a language model: windows of a stream, each of which starts from the states after the one before."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from treesent.data.streams import Encoded, Lanes, shuffled
from treesent.errors import TreesentError
from treesent.models.language.free_running import FreeRunning, free_losses, run_freely
from treesent.models.language.model import LanguageModel
from treesent.models.language.sections import LanguageTrainingConfig
from treesent.models.language.state import LanguageState
from treesent.models.language.text_losses import text_losses
from treesent.training.sections import TrainingConfig
from treesent.training.task import StreamState, Task
from treesent.types import Int64

UNKNOWN_BITS = math.log2(0x110000)
"""What a character that the vocabulary lacks costs beside its symbol: one of all that Unicode has."""


@dataclass(frozen=True, slots=True)
class LanguageScores:
    """How a language model does on held-out texts, each read on its own.

    :param nats: negative log-probability of all symbols, an end after each text among them.
    :param n_symbols: how many these are.
    :param n_unknown: those among them that the vocabulary lacks.
    :param n_characters: of the texts; ends are none.
    :param characters: whether the symbols are characters.
    :param free: how it does on its own draws, where that was measured.
    """

    nats: float
    n_symbols: int
    n_unknown: int
    n_characters: int
    characters: bool
    free: FreeRunning | None = None

    @property
    def perplexity(self) -> float:
        """Of a symbol; one that the vocabulary lacks counts as the symbol for these."""
        return math.exp(self.nats / self.n_symbols)

    @property
    def bits_per_character(self) -> float | None:
        """Bits that the texts take with their ends, by their characters; None for models of words."""
        if not self.characters:
            return None
        return (self.nats / math.log(2) + self.n_unknown * UNKNOWN_BITS) / self.n_characters

    def to_dict(self) -> dict[str, Any]:
        """Give plain values for JSON."""
        found: dict[str, Any] = {"perplexity": self.perplexity}
        if self.characters:
            found["bits_per_character"] = self.bits_per_character
        if self.free is not None:
            found["free_perplexity"] = self.free.perplexity
        return found | {
            "n_symbols": self.n_symbols,
            "n_unknown": self.n_unknown,
            "n_characters": self.n_characters,
        }

    def metric(self, name: str) -> float:
        """Look up a metric by name.

        :param name: ``perplexity``, or of a model of characters ``bits_per_character``; ``free_perplexity``
            where that was measured.
        :raises TreesentError: there is no such metric.
        """
        if name not in ("perplexity", "bits_per_character", "free_perplexity") or name not in self.to_dict():
            raise TreesentError(
                f"a language model has no metric {name!r}; there is perplexity, and of characters "
                "bits_per_character"
            )
        return float(self.to_dict()[name])


def score_language(
    model: LanguageModel,
    texts: Encoded,
    batch_size: int,
    free_running: bool = False,
    progress_bar: bool = False,
) -> LanguageScores:
    """Score held-out texts.

    :param model: its mode is put back afterwards.
    :param texts: encoded with the model's vocabulary.
    :param batch_size: texts side by side.
    :param free_running: measure too how it does on its own draws.
    :param progress_bar: draw one on standard error, where that is a terminal.
    """
    mode = model.training
    model.eval()
    try:
        nats = float(text_losses(model, texts.texts(), batch_size, progress_bar=progress_bar).sum())
        free = run_freely(model, texts.texts(), batch_size) if free_running else None
    finally:
        model.train(mode)
    characters = model.config.unit == "character"
    n_characters = int(texts.characters.sum())
    return LanguageScores(nats, len(texts.symbols), texts.n_unknown, n_characters, characters, free)


@dataclass(frozen=True, slots=True, eq=False)
class WindowBatch:
    """A window of some lanes: parallel streams, as in truncated backpropagation through time.

    :param symbols: inputs. *Shape:* ``(steps, batch)``.
    :param targets: the next symbol of each. *Shape:* ``(steps, batch)``.
    :param remaining: how many symbols of its text follow each input. *Shape:* ``(steps, batch)``.
    :param first: whether it is the first window of a pass, which starts from initial states.
    :param step: the number of the run's step, from 0.
    """

    symbols: Tensor
    targets: Tensor
    remaining: Tensor
    first: bool
    step: int

    @property
    def n_trees(self) -> int:
        """Lanes, which the log counts as trees."""
        return self.symbols.shape[1]

    @property
    def n_nodes(self) -> int:
        """Symbols to predict."""
        return self.symbols.numel()


class LanguageTask(Task):
    """The training task of a language model.

    Items are windows of lanes, numbered over all passes: ``(pass * windows + window) * lanes + lane``. Texts
    are in another order in each pass.

    :param train: training texts.
    :param dev: held-out texts.
    :param config: the recipe's ``[training]``: ``batch_size`` lanes, ``window`` steps, ``epoch_steps``,
        ``eval_texts`` and the seed.
    """

    def __init__(self, train: Encoded, dev: Encoded, config: LanguageTrainingConfig) -> None:
        self.train, self.dev = train, dev
        self.lanes = Lanes(len(train.symbols), config.batch_size, config.window)
        self.epoch_steps = config.epoch_steps or self.lanes.windows
        self.often = dev.some(config.eval_texts)
        self.free_running, self.sampling = config.free_running, config.scheduled_sampling
        # Depends on the pass alone: a cache, not a state.
        self._stream = lru_cache(maxsize=1)(partial(shuffled, train, config.seed))

    @property
    def n_train(self) -> int:
        """Windows of a pass."""
        return self.lanes.windows

    def order(self, config: TrainingConfig, epoch: int) -> list[Int64]:
        """Continue along the stream: an epoch begins where the previous one ended.

        :param config: the recipe's ``[training]``.
        :param epoch: its number, from 0.
        """
        n, first = self.lanes.lanes, epoch * self.epoch_steps
        return list(np.arange(first, first + self.epoch_steps)[:, None] * n + np.arange(n)[None])

    def batch(self, items: Int64, device: torch.device, non_blocking: bool) -> WindowBatch:
        """Cut a window.

        :param items: of one window. *Shape:* ``(batch,)``.
        :param device: where the network is.
        :param non_blocking: copy while the host continues.
        """
        step = int(items[0]) // self.lanes.lanes
        number, window = divmod(step, self.lanes.windows)
        stream = self._stream(number)
        lanes = items % self.lanes.lanes
        cut = self.lanes.cut(stream.symbols, window, lanes)
        remaining = stream.remaining(self.lanes.places(window, lanes)[:-1])
        symbols, targets, left = (
            torch.from_numpy(part).to(device, non_blocking=non_blocking) for part in (*cut, remaining)
        )
        return WindowBatch(symbols, targets, left, first=window == 0, step=step)

    def loss(
        self, model: nn.Module, batch: WindowBatch, generator: torch.Generator, config: TrainingConfig
    ) -> Tensor:
        """Return the mean negative log-probability of a window's symbols, read from the initial state.

        :param model: a :class:`~treesent.models.language.model.LanguageModel`.
        :param batch: made by :meth:`batch`.
        :param generator: the source of dropout masks and of scheduled sampling.
        :param config: the recipe's ``[training]``, for scheduled sampling.
        """
        return self.stream_loss(model, batch, {}, generator, config)[0]

    def stream_loss(
        self,
        model: nn.Module,
        batch: WindowBatch,
        state: StreamState,
        generator: torch.Generator,
        config: TrainingConfig,
    ) -> tuple[Tensor, StreamState]:
        """Return the mean negative log-probability of a window's symbols, and the states after it.

        :param model: a :class:`~treesent.models.language.model.LanguageModel`.
        :param batch: made by :meth:`batch`.
        :param state: the states after the window before; the first window of a pass starts from initial ones.
        :param generator: the source of dropout masks and of scheduled sampling.
        :param config: the recipe's ``[training]``, for scheduled sampling.
        """
        assert isinstance(model, LanguageModel)
        first = batch.first or not state
        before = model.initial_state(batch.n_trees) if first else from_stream_state(state)
        remaining = None if model.count is None else batch.remaining
        ratio = self.sampling.ratio(batch.step)
        if ratio < 1:
            symbols = torch.cat([batch.symbols, batch.targets[-1:]])
            losses, after = free_losses(model, symbols, before, ratio, generator, remaining)
        else:
            features, after = model(batch.symbols, before, generator, remaining)
            losses = model.losses(features.flatten(0, 1), batch.targets.flatten())
        return losses.mean(), to_stream_state(after.detach())

    def weight(self, batch: WindowBatch, config: TrainingConfig) -> Tensor:
        """The number of symbols that the loss is a mean over.

        :param batch: made by :meth:`batch`.
        :param config: unused.
        """
        return torch.tensor(float(batch.n_nodes), device=batch.symbols.device)

    def evaluate(self, model: nn.Module, device: torch.device, batch_size: int) -> LanguageScores:
        """Return the metrics on dev, or on ``training.eval_texts`` of its texts.

        :param model: a :class:`~treesent.models.language.model.LanguageModel`.
        :param device: where it is.
        :param batch_size: texts side by side.
        """
        assert isinstance(model, LanguageModel)
        return score_language(model, self.often, batch_size, self.free_running)


def to_stream_state(state: LanguageState) -> StreamState:
    """Name the tensors of a language model's state, as the loop and a checkpoint hold them.

    :param state: after a window.
    """
    found = {"recent": state.recent, "number": torch.tensor(state.number)}
    for i, layer in enumerate(state.layers):
        found |= {f"{i}.{j}": part for j, part in enumerate(layer)}
    return found


def from_stream_state(state: StreamState) -> LanguageState:
    """Undo :func:`to_stream_state`.

    :param state: what it returned.
    """
    layers: dict[int, list[Tensor]] = {}
    for name in sorted(name for name in state if name[0].isdigit()):
        layers.setdefault(int(name.split(".")[0]), []).append(state[name])
    return LanguageState(
        tuple(tuple(layers[i]) for i in sorted(layers)), state["recent"], int(state["number"])
    )
