r"""Search for the symbols that a decoder gives the highest score: greedily, or by beams.

Scores of whole sequences are those of Wu et al. (2016, arXiv:1609.08144, eq. 14):

.. math::
    s(Y, X) = \frac{\log P(Y | X)}{lp(Y)} + cp(X, Y), \quad
    lp(Y) = \frac{(5 + |Y|)^\alpha}{(5 + 1)^\alpha}, \quad
    cp(X, Y) = \beta \sum_i \log \min\Bigl(\sum_j p_{ij}, 1\Bigr)

with :math:`p_{ij}` the attention that symbol :math:`j` pays to word :math:`i`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import NonNegativeFloat, PositiveInt
from torch import Tensor

from treesent.config import section
from treesent.models.parser.decoding import DecoderState, EncodedSentences
from treesent.models.parser.encoder_decoder import EncoderDecoder


class Constraint(Protocol):
    """What may be written next; it sees the symbols that are written, and the decoder does not see it.

    From every state some symbol must be allowed.
    """

    def begin(self) -> Tensor:
        """Give the state before the first symbol. *Shape:* (n_sentences, ...)."""

    def allowed(self, state: Tensor) -> Tensor:
        """Tell which symbols may come next.

        :param state: *Shape:* (n, ...)
        :returns: *Shape:* (n, n_symbols)
        """

    def advance(self, state: Tensor, symbols: Tensor) -> Tensor:
        """Give the state after one more symbol.

        :param state: *Shape:* (n, ...)
        :param symbols: *Shape:* (n,)
        :returns: *Shape:* (n, ...)
        """


@section
class SearchConfig:
    """Settings of a search."""

    beam: PositiveInt = 1
    """Sequences kept per sentence; 1 is greedy search."""
    length_penalty: NonNegativeFloat = 0.0
    r"""Length normalisation, :math:`\alpha`; 0 for none."""
    coverage_penalty: NonNegativeFloat = 0.0
    r"""Coverage penalty, :math:`\beta`; 0 for none."""


@dataclass(frozen=True, slots=True, eq=False)
class Hypotheses:
    r"""The best sequence of each sentence.

    :param symbols: without the end symbol, whatever behind it. *Shape:* (n_sentences, steps)
    :param lengths: symbols of each, without the end symbol. *Shape:* (n_sentences,)
    :param log_probs: :math:`\log P(Y | X)`, of the end symbol too. *Shape:* (n_sentences,)
    :param scores: of eq. 14. *Shape:* (n_sentences,)
    :param attention: weights of each symbol, where they were asked for. *Shape:* (n_sentences, steps,
        n_words)
    """

    symbols: NDArray[np.int64]
    lengths: NDArray[np.int64]
    log_probs: NDArray[np.float32]
    scores: NDArray[np.float32]
    attention: NDArray[np.float32] | None = None


def length_penalty(lengths: Tensor, alpha: float) -> Tensor:
    """Give lp(Y) of eq. 14.

    :param lengths: symbols of each sequence, the end symbol included.
    :param alpha: see :class:`SearchConfig`.
    """
    return ((5.0 + lengths) / 6.0) ** alpha


def coverage_penalty(covered: Tensor, present: Tensor, beta: float) -> Tensor:
    """Give cp(X, Y) of eq. 14.

    :param covered: attention that each word got from all symbols. *Shape:* (n, n_words)
    :param present: whether there is a word. *Shape:* (n, n_words)
    :param beta: see :class:`SearchConfig`.
    :returns: *Shape:* (n,)
    """
    tiny = torch.finfo(covered.dtype).tiny
    return beta * covered.clamp(tiny, 1.0).log().masked_fill(~present, 0.0).sum(1)


def search(
    model: EncoderDecoder,
    sentences: EncodedSentences,
    state: DecoderState,
    end: int,
    max_steps: int,
    config: SearchConfig | None = None,
    constraint: Constraint | None = None,
    keep_attention: bool = False,
) -> Hypotheses:
    """Write a sequence for each sentence; all sentences and all beams at once.

    A sequence ends with the end symbol, or without it after ``max_steps``. A sentence is done when none of
    its beams is open.

    :param model: the network.
    :param sentences: what :meth:`EncoderDecoder.encode` gave.
    :param state: what it gave too.
    :param end: the end symbol.
    :param max_steps: symbols at most, the end symbol included.
    :param config: the settings; greedy by default.
    :param constraint: masks symbols; None to allow all.
    :param keep_attention: give the weights of attention too.
    """
    config = config or SearchConfig()
    with torch.no_grad():
        beams = _Beams(model, sentences, state, end, max_steps, config, constraint, keep_attention)
        number = 0
        while number < max_steps:
            beams.step(number)
            number += 1
            # A look at the device every few steps, not at each.
            if number % 8 == 0 and bool(beams.done.all()):
                break
        return beams.found(number)


class _Beams:
    """The sequences that are being written: ``beam`` of each sentence, those that are done at -inf."""

    def __init__(
        self,
        model: EncoderDecoder,
        sentences: EncodedSentences,
        state: DecoderState,
        end: int,
        max_steps: int,
        config: SearchConfig,
        constraint: Constraint | None,
        keep_attention: bool,
    ) -> None:
        self.model, self.end, self.config, self.constraint = model, end, config, constraint
        self.n, device = len(state.copied), state.copied.device
        self.max_steps, width = max_steps, config.beam
        rows = torch.arange(self.n, device=device).repeat_interleave(width)
        self.sentences, self.state = sentences.select(rows), state.select(rows)
        self.base = torch.arange(self.n, device=device)[:, None] * width
        self.last = torch.full((self.n * width,), model.begin, device=device)
        self.limits = None if constraint is None else constraint.begin().index_select(0, rows)
        self.log_probs = torch.full((self.n, width), -torch.inf, device=device)
        self.log_probs[:, 0] = 0.0
        self.history = torch.full((self.n * width, max_steps), end, device=device)
        memory = self.sentences.memory
        self.covered = None if memory is None else memory.values.new_zeros(memory.present.shape)
        self.seen: Tensor | None = None
        if keep_attention and self.covered is not None:
            self.seen = self.covered.new_zeros(len(rows), max_steps, self.covered.shape[1])
        self.best = torch.full((self.n,), -torch.inf, device=device)
        self.best_log_prob = self.best.clone()
        self.best_length = torch.zeros(self.n, dtype=torch.int64, device=device)
        self.best_symbols = torch.full((self.n, max_steps), end, device=device)
        self.best_seen: Tensor | None = None
        if self.seen is not None:
            self.best_seen = self.seen.new_zeros(self.n, *self.seen.shape[1:])

    @property
    def done(self) -> Tensor:
        """Whether no open sequence can come to be the best. *Shape:* (n_sentences,)."""
        longest = self.best.new_full((), float(self.max_steps))
        ceiling = self.log_probs.amax(1) / length_penalty(longest, self.config.length_penalty)
        return ceiling <= self.best

    def step(self, number: int) -> None:
        """Write one more symbol to each."""
        logits, after = self.model.step(self.last, self.state, self.sentences)
        steps = torch.log_softmax(logits.float(), 1)
        if self.constraint is not None and self.limits is not None:
            steps = steps.masked_fill(~self.constraint.allowed(self.limits), -torch.inf)
        n_symbols = steps.shape[1]
        candidates = (self.log_probs.view(-1, 1) + steps).view(self.n, -1)
        self.log_probs, chosen = candidates.topk(self.config.beam, 1)
        rows = (self.base + torch.div(chosen, n_symbols, rounding_mode="floor")).flatten()
        self.last = (chosen % n_symbols).flatten()
        self.state = after.select(rows)
        self.history = self.history.index_select(0, rows)
        self.history[:, number] = self.last
        if self.constraint is not None and self.limits is not None:
            self.limits = self.constraint.advance(self.limits.index_select(0, rows), self.last)
        if self.covered is not None and self.state.weights is not None:
            self.covered = self.covered.index_select(0, rows) + self.state.weights
        if self.seen is not None and self.state.weights is not None:
            self.seen = self.seen.index_select(0, rows)
            self.seen[:, number] = self.state.weights
        ended = (self.last == self.end).view(self.n, -1) & self.log_probs.isfinite()
        self._close(ended, number + 1)
        self.log_probs = self.log_probs.masked_fill(ended, -torch.inf)

    def _close(self, which: Tensor, length: int) -> None:
        """Keep the best of some sequences where it is better than that before. *Shape:* (n, beam)."""
        lengths = self.log_probs.new_full((), float(length))
        scores = self.log_probs / length_penalty(lengths, self.config.length_penalty)
        memory = self.sentences.memory
        if self.config.coverage_penalty and self.covered is not None and memory is not None:
            beta = self.config.coverage_penalty
            scores = scores + coverage_penalty(self.covered, memory.present, beta).view(scores.shape)
        score, beam = scores.masked_fill(~which, -torch.inf).max(1)
        better = score > self.best
        rows = self.base[:, 0] + beam
        self.best = torch.where(better, score, self.best)
        log_prob = self.log_probs.flatten().index_select(0, rows)
        self.best_log_prob = torch.where(better, log_prob, self.best_log_prob)
        self.best_length = torch.where(better, length, self.best_length)
        symbols = self.history.index_select(0, rows)
        self.best_symbols = torch.where(better[:, None], symbols, self.best_symbols)
        if self.seen is not None and self.best_seen is not None:
            seen = self.seen.index_select(0, rows)
            self.best_seen = torch.where(better[:, None, None], seen, self.best_seen)

    def found(self, steps: int) -> Hypotheses:
        """The best sequences, those that have not ended by then too."""
        self._close(self.log_probs.isfinite(), steps)
        symbols, length = self.best_symbols.cpu().numpy(), self.best_length.cpu().numpy()
        last = symbols[np.arange(self.n), np.maximum(length - 1, 0)]
        length = length - ((last == self.end) & (length > 0))
        return Hypotheses(
            symbols[:, : int(length.max(initial=0))],
            length,
            self.best_log_prob.cpu().numpy(),
            self.best.cpu().numpy(),
            None if self.best_seen is None else self.best_seen.cpu().numpy(),
        )
