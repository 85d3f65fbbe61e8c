"""Use a language model: open it, draw texts from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from treesent.errors import DataError, ModelError

if TYPE_CHECKING:
    from treesent.models.language.model import LanguageModel


Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Sample:
    """A text that was drawn.

    :param text: it, its prompt included.
    :param symbols: how many were drawn, characters or words.
    :param ended: whether it came to its end, or was cut short.
    """

    text: str
    symbols: int
    ended: bool


def load_language_model(
    folder: str | Path, device: str = "cpu", *, length: str | None = None
) -> LanguageModel:
    """Open a language model, ready to predict.

    :param folder: what ``treesent train`` wrote.
    :param device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
    :param length: how it must end its texts, ``end``, ``go_on`` or ``count``; None for any.
    :raises ModelError: it is not a language model, or it ends its texts in another way.
    """
    from treesent.models.language.model import LanguageModel
    from treesent.nn.device import choose_device

    model = LanguageModel.load(folder)
    own = model.config.length
    if length not in (None, own):
        raise ModelError(
            f"{folder} ends its texts by {own!r}, not by {length!r}: leave --length out, or train a model "
            f"with --model.length {length}"
        )
    return model.to(choose_device(device))


def sample(
    model: LanguageModel,
    n: int = 8,
    *,
    prompt: str = "",
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    max_length: int = 1000,
    seed: int = 0,
) -> list[Sample]:
    """Draw texts, all of them in one batch.

    :param model: a language model, in evaluation mode, on the device to use.
    :param n: how many.
    :param prompt: what every text begins with; of a model that reads from right to left, what it ends with.
    :param temperature: see :class:`~treesent.models.language.sampling.SamplingConfig`.
    :param top_k: see there.
    :param top_p: see there.
    :param max_length: texts are cut short after so many symbols, those of the prompt not counted.
    :param seed: equal seeds give equal texts, whatever ``n`` is.
    :raises TreesentError: a number makes no sense, or the prompt has a symbol that the model does not know.
    """
    from treesent.models.language.generation import draw_texts
    from treesent.models.language.sampling import SamplingConfig

    given = encode_known(model, prompt, "the prompt")
    backward = model.config.backward
    drawn = draw_texts(
        model,
        n,
        prompt=given[::-1].copy() if backward else given,
        config=SamplingConfig(temperature=temperature, top_k=top_k, top_p=top_p),
        longest=max_length,
        seed=seed,
    )
    texts = []
    for symbols, ended in zip(drawn.symbols, drawn.ended.tolist(), strict=True):
        whole = (
            [*symbols[::-1].tolist(), *given.tolist()] if backward else [*given.tolist(), *symbols.tolist()]
        )
        texts.append(Sample(model.vocabulary.decode(whole), len(symbols), ended))
    return texts


def encode_known(model: LanguageModel, text: str, what: str) -> Int64:
    """Give a text's symbols, all of which the model knows.

    :param model: whose vocabulary.
    :param text: the text.
    :param what: how a message calls it.
    :raises DataError: there is an unknown one.
    """
    from treesent.text.vocabulary import UNK

    symbols = model.vocabulary.encode(text)
    unknown = (symbols == UNK).nonzero()[0]
    if len(unknown):
        unit = model.config.unit
        place = int(unknown[0])
        found = (text if unit == "character" else text.split())[place]
        raise DataError(
            f"{what}, {unit} {place + 1}: the model does not know {found!r}; write it in {unit}s of the "
            "texts that it learned from"
        )
    return symbols
