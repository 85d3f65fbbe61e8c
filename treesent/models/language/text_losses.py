"""What a language model says of whole texts, and of endings after a beginning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from treesent.models.language.count import bucket_starts
from treesent.models.language.model import LanguageModel
from treesent.text.vocabulary import EOS

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
WINDOW = 128
"""Steps at a time, which bounds the memory of a long text."""
ROOM = 1 << 24
"""Scores of symbols at a time, which bounds that of a large vocabulary."""


@torch.inference_mode()
def text_losses(
    model: LanguageModel,
    texts: Sequence[Int64],
    batch: int = 64,
    *,
    skip: int = 0,
    lengths: Int64 | None = None,
    progress_bar: bool = False,
) -> Float64:
    """Give the negative log-probability of each text, every one read from the state before any.

    :param model: in evaluation mode.
    :param texts: symbols of each, with an end where that counts too; none is empty.
    :param batch: texts side by side.
    :param skip: symbols at the beginning of each that do not count.
    :param lengths: of a model that draws lengths first: those of the texts that these are the beginnings of.
        None if these are whole, with their ends; how probable their lengths are counts then too.
        *Shape:* (n_texts,)
    :param progress_bar: draw one on standard error, where that is a terminal.
    :returns: in nats. *Shape:* (n_texts,)
    """
    device = model.device
    losses = np.zeros(len(texts))
    sizes = np.array([len(text) for text in texts], np.int64)
    of_texts = torch.from_numpy(sizes - 1 if lengths is None else lengths).to(device)
    order = np.argsort(-sizes, kind="stable")
    begins = range(0, len(order), batch)
    for begin in tqdm(begins, "evaluating", disable=None if progress_bar else True, leave=False):
        chosen = order[begin : begin + batch]
        own = None if model.count is None else of_texts[torch.from_numpy(chosen).to(device)]
        longest, state = int(sizes[chosen[0]]), model.initial_state(len(chosen), device, own)
        symbols = np.full((longest + 1, len(chosen)), EOS)
        for lane, text in enumerate(chosen.tolist()):
            symbols[1 : 1 + sizes[text], lane] = texts[text]
        total = torch.zeros(len(chosen), dtype=torch.float64, device=device)
        steps = max(1, min(WINDOW, ROOM // (len(chosen) * len(model.vocabulary))))
        for at in range(0, longest, steps):
            # The longest come first: those that have ended are the last ones, and are read no further.
            going = int(np.count_nonzero(sizes[chosen] > at))
            if going < state.recent.shape[1]:
                state = state.select(torch.arange(going, device=device))
            window = torch.from_numpy(symbols[at : at + steps + 1, :going]).to(device)
            features, state = model(window[:-1], state)
            found = model.losses(features.flatten(0, 1), window[1:].flatten()).view(len(window) - 1, going)
            place = torch.arange(at, at + len(window) - 1, device=device)
            counts = place[:, None] < torch.from_numpy(sizes[chosen[:going]]).to(device)
            counts = counts & (place[:, None] >= skip)
            total[:going] += (found.double() * counts).sum(0)
        losses[chosen] = total.cpu().numpy()
    if model.count is not None and lengths is None:
        losses -= model.count.log_prob(of_texts).double().cpu().numpy()
    return losses


def ending_log_probs(
    model: LanguageModel, endings: Sequence[Int64], prefix: Int64 | None = None, batch: int = 64
) -> Float64:
    r"""Give :math:`\log p(\text{ending} \mid \text{prefix})`, the text's end included.

    :param model: in evaluation mode.
    :param endings: symbols of each, without an end. *Shape of each:* (n_symbols,)
    :param prefix: the symbols before; None for whole texts. *Shape:* (n_prefix,)
    :param batch: texts side by side.
    :returns: in nats. *Shape:* (n_endings,)
    """
    given = np.zeros(0, np.int64) if prefix is None else prefix
    texts = [np.concatenate([given, ending, [EOS]]) for ending in endings]
    if model.count is None or not len(given):
        return -text_losses(model, texts, batch, skip=len(given))
    # What the length tells of the prefix counts too: the whole text's, less that of the prefix.
    of_prefix = float(np.logaddexp.reduce(lengths_with(model, given).log_probs))
    return -text_losses(model, texts, batch) - of_prefix


@dataclass(frozen=True, slots=True)
class Lengths:
    """How probable each length of a text is together with its beginning.

    :param first: the shortest length: that of the beginning.
    :param log_probs: of this length and of those that follow. *Shape:* (n,)
    """

    first: int
    log_probs: Float64


def lengths_with(model: LanguageModel, prefix: Int64) -> Lengths:
    """Give the log-probabilities of lengths together with a beginning.

    :param model: one that draws lengths first, in evaluation mode.
    :param prefix: symbols. *Shape:* (n_prefix,)
    """
    assert model.count is not None
    first = len(prefix)
    # A beginning longer than any text in training may continue for as long again.
    end = max(model.count.longest() + 1, 2 * first + 2)
    lengths = np.arange(first, end)
    log_probs = model.count.log_prob(torch.arange(first, end, device=model.device)).double().cpu().numpy()
    if not first:
        return Lengths(first, log_probs)
    # The network sees buckets: lengths that lie in the same ones at every step are read once.
    buckets = np.searchsorted(bucket_starts(), lengths[:, None] - np.arange(first), "right")
    _, chosen, row = np.unique(buckets, axis=0, return_index=True, return_inverse=True)
    losses = text_losses(model, [prefix] * len(chosen), 512, lengths=lengths[chosen])
    return Lengths(first, log_probs - losses[row.reshape(-1)])
