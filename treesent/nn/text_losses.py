"""What a language model says of whole texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from treesent.nn.language_model import LanguageModel
from treesent.nn.vocabulary import END

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
WINDOW = 128
"""Steps at a time, which bounds the memory of a long text."""


@torch.inference_mode()
def text_losses(model: LanguageModel, texts: Sequence[Int64], batch: int = 64) -> Float64:
    """Give the negative log-probability of each text, every one read from the state before any.

    :param model: in evaluation mode.
    :param texts: symbols of each, with an end where that counts too; none is empty.
    :param batch: texts side by side.
    :return: in nats. *Shape:* (n_texts,)
    """
    device = next(model.parameters()).device
    losses = np.zeros(len(texts))
    sizes = np.array([len(text) for text in texts], np.int64)
    order = np.argsort(-sizes, kind="stable")
    for begin in range(0, len(order), batch):
        chosen = order[begin : begin + batch]
        longest, state = int(sizes[chosen[0]]), model.initial_state(len(chosen))
        symbols = np.full((longest + 1, len(chosen)), END)
        for lane, text in enumerate(chosen.tolist()):
            symbols[1 : 1 + sizes[text], lane] = texts[text]
        total = torch.zeros(len(chosen), dtype=torch.float64, device=device)
        for at in range(0, longest, WINDOW):
            # The longest come first: those that have ended are the last ones, and are read no further.
            going = int(np.count_nonzero(sizes[chosen] > at))
            if going < state.recent.shape[1]:
                state = state.select(torch.arange(going, device=device))
            window = torch.from_numpy(symbols[at : at + WINDOW + 1, :going]).to(device)
            features, state = model(window[:-1], state)
            found = model.losses(features.flatten(0, 1), window[1:].flatten()).view(len(window) - 1, going)
            place = torch.arange(at, at + len(window) - 1, device=device)
            counts = place[:, None] < torch.from_numpy(sizes[chosen[:going]]).to(device)
            total[:going] += (found.double() * counts).sum(0)
        losses[chosen] = total.cpu().numpy()
    return losses
