"""Texts drawn from a language model, all of them in one batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from treesent.errors import RecipeError
from treesent.models.language.model import LanguageModel
from treesent.models.language.sampling import PLAIN, SamplingConfig, Streams, adjusted_probs, pick
from treesent.models.language.text_losses import lengths_with
from treesent.text.vocabulary import EOS, UNK
from treesent.types import Int64

LOOK = 32
"""Steps between two looks at whether all texts have ended, each of which waits for the device."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """Texts that a model drew.

    :param symbols: of each, without its prompt and its end. *Shape of each:* (n_symbols,)
    :param ended: whether each came to its end. *Shape:* (n,)
    """

    symbols: tuple[Int64, ...]
    ended: npt.NDArray[np.bool_]


@torch.inference_mode()
def draw_texts(
    model: LanguageModel,
    n: int,
    *,
    prompt: Int64 | None = None,
    config: SamplingConfig = PLAIN,
    longest: int = 1000,
    seed: int = 0,
) -> Drawn:
    """Draw texts symbol by symbol.

    A text depends on the seed and its own number: the first three of eight are those of three. The symbol for
    unknown ones is never drawn.

    :param model: in evaluation mode, on the device to use.
    :param n: how many texts.
    :param prompt: symbols that every text begins with. *Shape:* (n_prompt,)
    :param config: how distributions over symbols are changed. Where a text ends is left as it is, unless its
        end is a symbol like any other.
    :param longest: a text is cut short after so many symbols, those of the prompt not counted.
    :param seed: 0 or more.
    :raises RecipeError: a number makes no sense.
    """
    if n < 1 or longest < 1:
        raise RecipeError(f"{n} texts of at most {longest} symbols are asked for; give 1 or more of both")
    device = model.device
    given = np.zeros(0, np.int64) if prompt is None else prompt
    streams = Streams(seed, n)
    uniform = streams.draw(1, device)[0]  # every way to end takes one, so that none shifts the others
    lengths = None if model.count is None else _draw_lengths(model, given, uniform)
    state = model.initial_state(n, device, lengths)
    read = torch.from_numpy(np.concatenate([[EOS], given])).to(device)
    for symbol in read:
        log_probs, state = model.step(symbol.expand(n), state)
    over = torch.zeros(n, dtype=torch.bool, device=device)
    taken: list[Tensor] = []
    while len(taken) <= longest:
        for number in streams.draw(min(LOOK, longest + 1 - len(taken)), device):
            symbols = pick(distribution(log_probs, config, model.ending.in_softmax), number)
            symbols = symbols.masked_fill(over, EOS)
            over = symbols == EOS
            taken.append(symbols)
            log_probs, state = model.step(symbols, state)
        if bool(over.all()):
            break
    table = torch.stack(taken, 1).cpu().numpy()
    ended = (table == EOS).any(1)
    sizes = np.where(ended, (table == EOS).argmax(1), longest)
    return Drawn(tuple(row[:size] for row, size in zip(table, sizes, strict=True)), ended)


def distribution(log_probs: Tensor, config: SamplingConfig, in_softmax: bool) -> Tensor:
    """Give the distribution that a symbol is drawn from.

    :param log_probs: what the model says. *Shape:* (batch, n_symbols)
    :param config: how that is changed.
    :param in_softmax: whether EOS is one of the softmax's symbols; if not, its probability is kept.
    :returns: *Shape:* (batch, n_symbols)
    """
    symbol = torch.arange(log_probs.shape[1], device=log_probs.device)
    known = log_probs.masked_fill(symbol == UNK, -torch.inf)
    if in_softmax:
        return adjusted_probs(known, config)
    end = log_probs[:, EOS : EOS + 1].exp()
    # Where the end is certain no other symbol is possible, and any distribution over them serves.
    probs = adjusted_probs(torch.where(end >= 1, 0.0, known).masked_fill(symbol == EOS, -torch.inf), config)
    end = end.to(probs.dtype)
    return torch.where(symbol == EOS, end, probs * (1 - end))


def _draw_lengths(model: LanguageModel, prompt: Int64, uniform: Tensor) -> Tensor:
    """Draw the lengths of texts that begin with a prompt. *Shape:* (n,)."""
    lengths = lengths_with(model, prompt)
    log_probs = torch.from_numpy(lengths.log_probs).to(uniform.device, uniform.dtype)
    return lengths.first + pick(log_probs.softmax(0).expand(len(uniform), -1), uniform)
