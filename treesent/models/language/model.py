"""Language models: recurrent networks that predict the next symbol of a text, character or word."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from treesent.errors import ModelError, RecipeError
from treesent.models.language.adaptive_softmax import AdaptiveSoftmax
from treesent.models.language.config import LanguageModelConfig
from treesent.models.language.count import Count
from treesent.models.language.embedding import SymbolEmbedding
from treesent.models.language.end_of_text import EndOfText, EndSymbol
from treesent.models.language.folder import read_language_model, save_language_model
from treesent.models.language.go_on import GoOn
from treesent.models.language.hidden_recurrence import HiddenRecurrence
from treesent.models.language.ngrams import NgramEmbedding, NgramInput
from treesent.models.language.output_recurrence import OutputRecurrentStack
from treesent.models.language.softmax import OutputLayer, Softmax, TiedSoftmax
from treesent.models.language.state import LanguageState
from treesent.nn.dropout import dropout
from treesent.text.vocabulary import EOS, Vocabulary
from treesent.types import Int64


class LanguageModel(nn.Module):
    """Vectors of symbols, recurrent layers, an output layer and a way to end a text.

    A text's first symbol is predicted from :data:`~treesent.text.vocabulary.EOS`, which also follows its last
    one: a stream is texts with EOS between them. Reading EOS resets the state, so that a text in a stream is
    as probable as it is alone.

    :param vocabulary: the symbols.
    :param config: the settings.
    :param vectors: initial vectors of the symbols, in the vocabulary's order, whose width replaces
        ``config.embedding_width``; random ones if None. *Shape:* ``(n_symbols, width)``
    :param tune: train the vectors.
    :param generator: source of the initial weights.
    :raises RecipeError: the settings do not fit the vocabulary or the vectors.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        config: LanguageModelConfig,
        vectors: Tensor | None = None,
        tune: bool = True,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        _check(vocabulary, config, vectors, tune)
        self.vocabulary, self.config = vocabulary, config
        n_symbols = len(vocabulary)
        width = config.embedding_width if vectors is None else vectors.shape[1]
        if vectors is None:
            vectors = torch.empty(n_symbols, width).normal_(std=width**-0.5, generator=generator)
        rowwise = config.unit == "word" and not config.tied
        self.embedding = SymbolEmbedding(vectors, tune, rowwise, config.input_dropout)
        stack = OutputRecurrentStack if config.output_recurrence else HiddenRecurrence
        self.recurrence: HiddenRecurrence | OutputRecurrentStack = stack(config, width, generator)
        n_inputs, features = self.recurrence.n_features, config.hidden
        self.ngrams: NgramInput | None = None
        if config.orders:
            grams = NgramEmbedding(config.orders, config.ngram_bits, config.ngram_width, generator)
            self.ngrams = NgramInput(grams, n_inputs, config.ngram_width, generator)
            features += config.ngram_width
        self.output: OutputLayer
        # A small vocabulary has no rare symbols to put into the last clusters.
        if cutoffs := [cut for cut in config.cutoffs if cut < n_symbols]:
            self.output = AdaptiveSoftmax(features, n_symbols, cutoffs, generator)
        elif config.tied:
            self.output = TiedSoftmax(features, self.embedding, generator)
        else:
            self.output = Softmax(features, n_symbols, generator)
        self.ending: EndOfText
        if config.length == "go_on":
            self.ending = GoOn(features, EOS)
        elif config.length == "count":
            self.ending = Count(n_inputs, EOS)
        else:
            self.ending = EndSymbol(EOS)

    @property
    def count(self) -> Count | None:
        """The distribution of lengths, if a length is drawn first."""
        return self.ending if isinstance(self.ending, Count) else None

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.parameters()).device

    @property
    def n_before(self) -> int:
        """Symbols before a window that the model reads."""
        return self.recurrence.n_before if self.ngrams is None else self.ngrams.embedding.before

    def fit_lengths(self, lengths: Int64) -> None:
        """Learn the lengths of texts as far as that needs no gradient.

        :param lengths: symbols of each text, without EOS. *Shape:* ``(n_texts,)``
        """
        self.ending.fit(lengths)

    def initial_state(
        self, batch: int, device: torch.device | str | None = None, lengths: Tensor | None = None
    ) -> LanguageState:
        """Give the state before any text; the first symbol to read is EOS.

        :param batch: number of streams.
        :param device: of the tensors; None for the model's own.
        :param lengths: symbols of the texts, for a model that draws lengths first. *Shape:* ``(batch,)``
        """
        weight = next(self.parameters())
        device = weight.device if device is None else torch.device(device)
        zeros = torch.zeros(batch, self.config.hidden, device=device, dtype=weight.dtype)
        recent = torch.full((self.n_before, batch), EOS, device=device)
        # One more, because the EOS before a text is read first.
        remaining = None if lengths is None else lengths + 1
        return LanguageState(self.recurrence.initial_states(zeros), recent, 0, remaining)

    def forward(
        self,
        symbols: Tensor,
        state: LanguageState,
        generator: torch.Generator | None = None,
        remaining: Tensor | None = None,
    ) -> tuple[Tensor, LanguageState]:
        """Read a window of each stream.

        :param symbols: *Shape:* ``(steps, batch)``
        :param state: before the window; gradients flow back into it unless it is detached.
        :param generator: source of dropout masks in training; None for torch's own.
        :param remaining: symbols left in each text after each symbol, for a model that draws lengths first
            and a state that does not know them. *Shape:* ``(steps, batch)``
        :returns: the features after each symbol, *Shape:* ``(steps, batch, n_features)``, for :meth:`losses`
            and :meth:`log_probs`; and the state after the window.
        """
        remaining = self._remaining(symbols, state, remaining)
        added = [] if remaining is None else self.ending.inputs(remaining)
        grams = None
        if self.ngrams is not None:
            grams, preactivations = self.ngrams(torch.cat([state.recent, symbols]))
            added.append(preactivations)
        outputs, layers = self.recurrence(self.embedding, symbols, state, added, generator)
        if grams is not None:
            outputs = torch.cat([outputs, grams.to(outputs.dtype)], 2)
        features = dropout(outputs, self.config.output_dropout, self.training, generator)
        recent = torch.cat([state.recent, symbols])[len(symbols) :]
        left = None if remaining is None else remaining[-1]
        return features, LanguageState(layers, recent, state.number + len(symbols), left)

    def losses(self, features: Tensor, symbols: Tensor) -> Tensor:
        """Give the negative log-probability of each symbol, in nats.

        :param features: what :meth:`forward` gives after the symbol before. *Shape:* ``(n, n_features)``
        :param symbols: *Shape:* ``(n,)``
        :returns: for EOS, the loss of the model's way to end a text. *Shape:* ``(n,)``
        """
        return self.ending.losses(self.output, features, symbols)

    def log_probs(self, features: Tensor, remaining: Tensor | None = None) -> Tensor:
        """Give the log-probabilities of all symbols.

        :param features: *Shape:* ``(n, n_features)``
        :param remaining: symbols left in each text, for a model that draws lengths first; EOS is impossible
            if they are not known. *Shape:* ``(n,)``
        :returns: *Shape:* ``(n, n_symbols)``
        """
        return self.ending.log_probs(self.output.log_probs(features), features, remaining)

    def step(self, symbols: Tensor, state: LanguageState) -> tuple[Tensor, LanguageState]:
        """Read a symbol of each stream and predict the next.

        :param symbols: *Shape:* ``(batch,)``
        :param state: before the symbol.
        :returns: log-probabilities, *Shape:* ``(batch, n_symbols)``, and the state after the symbol.
        """
        log_probs, state = self.window(symbols[None], state)
        return log_probs[0], state

    def window(
        self,
        symbols: Tensor,
        state: LanguageState,
        generator: torch.Generator | None = None,
        remaining: Tensor | None = None,
    ) -> tuple[Tensor, LanguageState]:
        """Read a window of each stream and predict the symbol after each.

        :param symbols: *Shape:* ``(steps, batch)``
        :param state: before the window.
        :param generator: see :meth:`forward`.
        :param remaining: see :meth:`forward`.
        :returns: log-probabilities, *Shape:* ``(steps, batch, n_symbols)``, and the state after the window.
        """
        remaining = self._remaining(symbols, state, remaining)
        features, after = self.forward(symbols, state, generator, remaining)
        left = None if remaining is None else remaining.flatten()
        return self.log_probs(features.flatten(0, 1), left).view(*symbols.shape, -1), after

    def save(self, folder: str | Path, half: bool = False) -> None:
        """Write the model; see :func:`~treesent.models.language.folder.save_language_model`.

        :param folder: created if missing.
        :param half: write the weights in half precision.
        """
        save_language_model(self, folder, half)

    @classmethod
    def load(cls, folder: str | Path) -> LanguageModel:
        """Read what :meth:`save` wrote, ready to predict.

        :param folder: the folder.
        :raises ModelError: it is missing, damaged or of another kind or version.
        """
        return read_language_model(folder, cls)

    def _remaining(self, symbols: Tensor, state: LanguageState, remaining: Tensor | None) -> Tensor | None:
        """Count the symbols left in each text after each symbol. *Shape:* ``(steps, batch)``."""
        if self.count is None:
            return None
        if remaining is not None:
            return remaining
        if state.remaining is None:
            raise ModelError(
                "the model draws lengths first: pass the lengths of the texts to initial_state()"
            )
        steps = torch.arange(1, len(symbols) + 1, device=symbols.device)
        return state.remaining - steps[:, None]


def _check(vocabulary: Vocabulary, config: LanguageModelConfig, vectors: Tensor | None, tune: bool) -> None:
    """Refuse settings that do not fit the vocabulary or the vectors."""
    if (vocabulary.unit, vocabulary.lowercase) != (config.unit, config.lowercase):
        raise RecipeError(
            f"unit is {config.unit!r} and lowercase {config.lowercase}, but the vocabulary was made with "
            f"{vocabulary.unit!r} and {vocabulary.lowercase}; use the same settings"
        )
    if vectors is not None and len(vectors) != len(vocabulary):
        raise RecipeError(f"{len(vectors)} vectors for {len(vocabulary)} symbols; give one for each")
    if vectors is not None and config.tied and not tune:
        raise RecipeError("tied is true, so vectors are tuned; set training.tune_vectors = true")
