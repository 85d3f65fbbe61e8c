"""Language models: recurrent networks that predict the next symbol of a text, character or word."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from treesent.errors import ModelError, RecipeError, TreesentError
from treesent.files import readable
from treesent.models.language.config import LanguageModelConfig
from treesent.models.language.lengths import Count, GoOn, without
from treesent.models.language.ngrams import NgramEmbedding
from treesent.models.language.output_recurrence import OutputRecurrence
from treesent.nn.cells import Cell, State, make_cell
from treesent.nn.dropout import dropout, dropout_mask
from treesent.nn.embedding import VectorEmbedding
from treesent.nn.initial import glorot_blocks
from treesent.nn.matmul import linear
from treesent.nn.precision import at_least_float32, cast_for_autocast
from treesent.nn.windows import gather, run_window
from treesent.text.vocabulary import END, SPECIAL, UNKNOWN, Vocabulary

Int64 = NDArray[np.int64]

FEW = 1024
"""Symbols whose share of the gates is made once for a window."""
FORMAT = "treesent.language_model.1"
WEIGHTS, CONFIG, VOCABULARY = "language_model.safetensors", "config.json", "vocabulary.json"


@dataclass(frozen=True, slots=True)
class LanguageState:
    """What has been read of some streams.

    :param layers: the states of each layer. *Shape of each:* (batch, hidden)
    :param recent: the last symbols, where n-grams or the last outputs are read. *Shape:* (n, batch)
    :param number: how many symbols there were, which clocks count by.
    :param remaining: symbols that the texts still have, where their number is drawn first. *Shape:* (batch,)
    """

    layers: tuple[State, ...]
    recent: Tensor
    number: int = 0
    remaining: Tensor | None = None

    def detach(self) -> LanguageState:
        """Cut it off from the graph: gradients go no further back."""
        layers = tuple(tuple(each.detach() for each in layer) for layer in self.layers)
        return replace(self, layers=layers)

    def select(self, rows: Tensor) -> LanguageState:
        """Take some of the streams, in any order and as often as they are named.

        :param rows: which. *Shape:* (n,)
        """
        layers = tuple(tuple(each.index_select(0, rows) for each in layer) for layer in self.layers)
        remaining = None if self.remaining is None else self.remaining.index_select(0, rows)
        return LanguageState(layers, self.recent.index_select(1, rows), self.number, remaining)


class LanguageModel(nn.Module):
    """Vectors of symbols, recurrent layers, a softmax over the next symbol.

    A text's first symbol is predicted from :data:`~treesent.text.vocabulary.END`, which also stands after its
    last one: a stream of texts is texts with an end between them. Reading an end forgets what was before it,
    so that a text in a stream is as probable as it is alone.

    :param vocabulary: the symbols.
    :param config: its settings.
    :param vectors: of the symbols, in the vocabulary's order, their width in place of
        ``config.embedding_width``; None for vectors that training makes. *Shape:* (n_symbols, width)
    :param tune: train these too.
    :param generator: where the first weights come from.
    :raises RecipeError: the settings do not go with the vocabulary or the vectors.
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
        if (vocabulary.unit, vocabulary.lowercase) != (config.unit, config.lowercase):
            raise RecipeError(
                f"unit is {config.unit!r} and lowercase {config.lowercase}, but the vocabulary was made with "
                f"{vocabulary.unit!r} and {vocabulary.lowercase}; give it the same"
            )
        if config.cutoffs and config.cutoffs[-1] >= len(vocabulary):
            raise RecipeError(
                f"cutoffs ends with {config.cutoffs[-1]}, but there are {len(vocabulary)} symbols; give less"
            )
        if vectors is not None and len(vectors) != len(vocabulary):
            raise RecipeError(f"{len(vectors)} vectors for {len(vocabulary)} symbols; give one for each")
        if vectors is not None and config.tied and not tune:
            raise RecipeError("tied is true, so vectors are tuned; set training.tune_vectors = true")
        self.vocabulary, self.config = vocabulary, config
        width = config.embedding_width if vectors is None else vectors.shape[1]
        if vectors is None:
            vectors = torch.empty(len(vocabulary), width).normal_(std=width**-0.5, generator=generator)
        self.embedding: VectorEmbedding | None = None
        if config.unit == "word" and not config.tied:
            self.embedding = VectorEmbedding(vectors, tune=tune)
        else:
            # Each symbol is met in every step, or its output weights are: the gradient has all rows.
            self.vectors = nn.Parameter(vectors.clone(), requires_grad=tune)
        self._make_layers(width, generator)
        self._make_output(width, generator)
        self._make_length()

    def _make_layers(self, width: int, generator: torch.Generator | None) -> None:
        config = self.config
        below = (width, *[config.hidden] * (config.layers - 1))
        self.ngrams: NgramEmbedding | None = None
        if config.output_recurrence:
            delays = (config.output_recurrence, *[1] * (config.layers - 1))
            self.layers = nn.ModuleList(
                OutputRecurrence(each, config.hidden, delay, generator)
                for each, delay in zip(below, delays, strict=True)
            )
            return
        self.layers = nn.ModuleList(make_cell(config.cell, each, config.hidden, generator) for each in below)
        if config.orders:
            first = self._cells()[0]
            self.ngrams = NgramEmbedding(config.orders, config.ngram_bits, config.ngram_width, generator)
            rows = first.n_gates * config.hidden
            self.from_ngrams = nn.Parameter(glorot_blocks(rows, [config.ngram_width], generator))

    def _make_output(self, width: int, generator: torch.Generator | None) -> None:
        config, n_symbols = self.config, len(self.vocabulary)
        features = config.hidden + (config.ngram_width if config.orders else 0)
        self.between: nn.Parameter | None = None
        if config.cutoffs:
            with torch.random.fork_rng(devices=[]):
                # It makes its weights from torch's own generator alone.
                torch.manual_seed(generator.initial_seed() if generator is not None else torch.seed())
                self.adaptive = nn.AdaptiveLogSoftmaxWithLoss(features, n_symbols, list(config.cutoffs))
            return
        if config.tied and config.hidden != width:
            self.between = nn.Parameter(glorot_blocks(width, [config.hidden], generator))
        if not config.tied:
            self.weight = nn.Parameter(glorot_blocks(n_symbols, [features], generator))
        self.bias = nn.Parameter(torch.zeros(n_symbols))

    def _make_length(self) -> None:
        config = self.config
        features = config.hidden + (config.ngram_width if config.orders else 0)
        gates = self._cells()[0].n_gates if self._cells() else 1
        self.go_on = GoOn(features, END) if config.length == "go_on" else None
        self.count = Count(gates * config.hidden, END) if config.length == "count" else None

    @property
    def coin(self) -> bool:
        """Whether the end of a text is no symbol of the softmax layer, but a variable of its own."""
        return self.config.length != "end"

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.parameters()).device

    def fit_lengths(self, lengths: Int64) -> None:
        """Learn how long texts are, as far as that needs no gradient.

        :param lengths: symbols of each text to learn from, ends not counted. *Shape:* ``(n_texts,)``
        """
        for part in (self.go_on, self.count):
            if part is not None:
                part.fit(lengths)

    def initial_state(
        self, batch: int, device: torch.device | str | None = None, lengths: Tensor | None = None
    ) -> LanguageState:
        """Give the state before any text: :data:`END` is the symbol to go on from.

        :param batch: streams.
        :param device: of the tensors; None for the model's own.
        :param lengths: symbols of the texts, of a model whose ``length`` is ``count``. *Shape:* (batch,)
        """
        weight = next(self.parameters())
        device = weight.device if device is None else torch.device(device)
        zeros = torch.zeros(batch, self.config.hidden, device=device, dtype=weight.dtype)
        before = self.ngrams.before if self.ngrams is not None else max(0, self.config.output_recurrence - 1)
        recent = torch.full((before, batch), END, device=device)
        # One more: the end that stands before a text is read first.
        remaining = None if lengths is None else lengths + 1
        return LanguageState(tuple((zeros,) * cell.n_states for cell in self._cells()), recent, 0, remaining)

    def forward(
        self,
        symbols: Tensor,
        state: LanguageState,
        generator: torch.Generator | None = None,
        remaining: Tensor | None = None,
    ) -> tuple[Tensor, LanguageState]:
        """Read a window of each stream.

        :param symbols: *Shape:* (steps, batch)
        :param state: before the window; gradients go back into it unless it is detached.
        :param generator: where dropout masks come from in training; None for torch's own.
        :param remaining: symbols that each one's text has after it, where ``length`` is ``count`` and the
            state does not know. *Shape:* (steps, batch)
        :return: what the output layer reads after each symbol, *shape* (steps, batch, features), for
            :meth:`losses` and :meth:`log_probs`; and the state after the window.
        """
        config = self.config
        grams, recent = None, state.recent
        if self.ngrams is not None:
            seen = torch.cat([state.recent, symbols])
            grams, recent = self.ngrams(seen), seen[len(symbols) :]
        remaining = self._remaining(symbols, state, remaining)
        keep, after = (symbols != END)[:, :, None], list[State]()
        if config.output_recurrence:
            seen = torch.cat([state.recent, symbols])
            recent = seen[len(symbols) :]
            gates = self._from_outputs(seen, remaining, generator)
        else:
            # The share of the first layer's inputs is a gather: no product where symbols are few.
            gates = self._gates(symbols, grams, remaining, generator)
        outputs = gates
        for number, (cell, before) in enumerate(zip(self._cells(), state.layers, strict=True)):
            below = dropout(outputs, config.layer_dropout, self.training, generator) if number else outputs
            gates = cell.project(below) if number else gates
            mask = self._mask(len(before[0]), generator)
            outputs, last = run_window(cell, gates, before, keep, mask, state.number)
            if number and config.residual:
                outputs = outputs + below
            after.append(last)
        if grams is not None:
            outputs = torch.cat([outputs, grams.to(outputs.dtype)], 2)
        features = dropout(outputs, config.output_dropout, self.training, generator)
        left = None if remaining is None else remaining[-1]
        return features, LanguageState(tuple(after), recent, state.number + len(symbols), left)

    def losses(self, features: Tensor, symbols: Tensor) -> Tensor:
        """Give the negative log-probability of each symbol, in nats.

        :param features: what :meth:`forward` gives after the symbol before. *Shape:* (n, features)
        :param symbols: *Shape:* (n,)
        :return: the loss of an end is that of the variable which says so; where lengths are drawn first it is
            0, as the end is certain. *Shape:* (n,)
        """
        if not self.coin:
            return self._symbol_losses(features, symbols)
        end = symbols == END
        # Any symbol will do where there is none.
        losses = self._symbol_losses(features, symbols.masked_fill(end, UNKNOWN)).masked_fill(end, 0.0)
        if self.go_on is None:
            return losses
        go_on = self.go_on.logit(features).to(losses.dtype)
        return losses + functional.binary_cross_entropy_with_logits(
            go_on, 1 - end.to(losses.dtype), reduction="none"
        )

    def _symbol_losses(self, features: Tensor, symbols: Tensor) -> Tensor:
        """Those of the softmax layer, which has no end where that is a variable of its own."""
        if self.config.cutoffs:
            # It writes its results into a tensor of the input's type: that must be the products'.
            features = cast_for_autocast(features)
            found: Tensor = self.adaptive(features, symbols).output
            found = at_least_float32(found)
            if self.coin:
                # The end is among the frequent symbols: what the others share is known without the rest.
                head = functional.log_softmax(self.adaptive.head(features).to(found.dtype), 1)
                found = found - torch.log1p(-head[:, END].exp())
            return -found
        logits = self.logits(features)
        if self.coin:
            symbol = torch.arange(logits.shape[1], device=logits.device)
            logits = logits.masked_fill(symbol == END, -torch.inf)
        return functional.cross_entropy(logits, symbols, reduction="none")

    def log_probs(self, features: Tensor) -> Tensor:
        """Give the log-probabilities of all symbols.

        :param features: *Shape:* (n, features)
        :return: where lengths are drawn first, an end is impossible here, and :meth:`window` knows where it
            is certain. *Shape:* (n, n_symbols)
        """
        if self.config.cutoffs:
            found: Tensor = self.adaptive.log_prob(features)
        else:
            logits = self.logits(features)
            found = functional.log_softmax(at_least_float32(logits), 1)
        if self.go_on is not None:
            joint: Tensor = self.go_on(found, features.to(found.dtype))
            return joint
        return without(found, END) if self.coin else found

    def logits(self, features: Tensor) -> Tensor:
        """Give what a plain softmax is taken of.

        :param features: *Shape:* (n, features)
        :return: *Shape:* (n, n_symbols)
        """
        if not self.config.tied:
            return linear(features, self.weight, self.bias)
        between = features if self.between is None else linear(features, self.between)
        return linear(between, self.vectors, self.bias)

    def step(self, symbols: Tensor, state: LanguageState) -> tuple[Tensor, LanguageState]:
        """Read a symbol of each stream and predict the next.

        :param symbols: *Shape:* (batch,)
        :param state: before it.
        :return: log-probabilities, *shape* (batch, n_symbols), and the state after it.
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
        """Read a window of each stream and predict what follows each symbol.

        :param symbols: *Shape:* (steps, batch)
        :param state: before it.
        :param generator: see :meth:`forward`.
        :param remaining: see :meth:`forward`.
        :return: log-probabilities, *shape* (steps, batch, n_symbols), and the state after it.
        """
        remaining = self._remaining(symbols, state, remaining)
        features, after = self.forward(symbols, state, generator, remaining)
        log_probs = self.log_probs(features.flatten(0, 1)).view(*symbols.shape, -1)
        if self.count is not None:
            assert remaining is not None
            log_probs = self.count(log_probs, remaining)
        return log_probs, after

    def save(self, folder: str | Path, half: bool = False) -> None:
        """Write the model: settings, vocabulary and weights, the vectors among them.

        :param folder: is made where it is not there.
        :param half: write the weights in half precision.
        """
        from safetensors.torch import save_file

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {name: t.detach().cpu().contiguous() for name, t in self.state_dict().items()}
        if self.embedding is not None:
            tensors["embedding.table"] = self.embedding.table.detach().cpu().contiguous()
        if half:
            tensors = {name: tensor.half() for name, tensor in tensors.items()}
        settings = {"format": FORMAT, **asdict(self.config)}
        (folder / CONFIG).write_text(json.dumps(settings, indent=1) + "\n", "utf-8")
        symbols = json.dumps(self.vocabulary.symbols[len(SPECIAL) :], ensure_ascii=False)
        (folder / VOCABULARY).write_text(symbols + "\n", "utf-8")
        save_file(tensors, folder / WEIGHTS, {"format": FORMAT})
        readable(folder / WEIGHTS)

    @classmethod
    def load(cls, folder: str | Path) -> LanguageModel:
        """Read what :meth:`save` wrote, ready to predict.

        :param folder: the folder.
        :raises ModelError: it is missing, damaged or no language model of this version.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        folder = Path(folder)
        if not (folder / WEIGHTS).is_file():
            raise ModelError(
                f"{folder}: there is no {WEIGHTS} in it; train a model with pipelines/char_lm.cfg"
            )
        try:
            settings = json.loads((folder / CONFIG).read_text("utf-8"))
            if settings.pop("format", None) != FORMAT:
                raise ModelError(f"{folder}: no language model of this version of treesent; train it again")
            lists = {name: tuple(value) for name, value in settings.items() if isinstance(value, list)}
            config = LanguageModelConfig(**{**settings, **lists})
            symbols = json.loads((folder / VOCABULARY).read_text("utf-8"))
            tensors = {name: tensor.float() for name, tensor in load_file(folder / WEIGHTS).items()}
            vectors = tensors["vectors" if "vectors" in tensors else "embedding.table"]
            model = cls(Vocabulary(config.unit, symbols, config.lowercase), config, vectors)
            model.load_state_dict(tensors)
        except ModelError:
            raise
        except (
            SafetensorError,
            TreesentError,
            OSError,
            LookupError,
            TypeError,
            ValueError,
            RuntimeError,
        ) as error:
            raise ModelError(f"{folder}: cut short or damaged ({error}); copy or train it again") from error
        return model.eval()

    def _remaining(self, symbols: Tensor, state: LanguageState, remaining: Tensor | None) -> Tensor | None:
        """Count the symbols that texts have after each one. *Shape:* (steps, batch)."""
        if self.count is None or remaining is not None:
            return remaining
        if state.remaining is None:
            raise ModelError("the model draws lengths first: give those of the texts to initial_state()")
        steps = torch.arange(1, len(symbols) + 1, device=symbols.device)
        return state.remaining - steps[:, None]

    def _from_outputs(
        self, seen: Tensor, remaining: Tensor | None, generator: torch.Generator | None
    ) -> Tensor:
        """Run the layers whose only recurrence is from the last outputs. *Shape:* (steps, batch, hidden)."""
        states = self._vectors(seen, generator)
        others = None if remaining is None or self.count is None else self.count.vectors(remaining)
        for number, layer in enumerate(self.layers):
            below = dropout(states, self.config.layer_dropout, self.training, generator) if number else states
            states = layer(below) if number else layer(below, others, (seen != END)[:, :, None])
            if number and self.config.residual:
                states = states + below
        return states

    def _cells(self) -> list[Cell]:
        return [cell for cell in self.layers if isinstance(cell, Cell)]

    def _vectors(self, symbols: Tensor, generator: torch.Generator | None) -> Tensor:
        """Vectors of a window. *Shape:* (steps, batch, width)."""
        flat = symbols.reshape(-1)
        gathered = None if self.embedding is None else self.embedding(flat)
        found = functional.embedding(flat, self.vectors) if gathered is None else gathered
        return dropout(found, self.config.input_dropout, self.training, generator).view(*symbols.shape, -1)

    def _gates(
        self,
        symbols: Tensor,
        grams: Tensor | None,
        remaining: Tensor | None,
        generator: torch.Generator | None,
    ) -> Tensor:
        """Project a window's input. *Shape:* (steps, batch, gates * hidden)."""
        cell = self._cells()[0]
        if self.embedding is None and len(self.vectors) <= min(symbols.numel(), FEW):
            # A symbol's share is the same wherever it stands.
            rows = dropout(self.vectors, self.config.input_dropout, self.training, generator)
            gates = gather(cell.project(rows), symbols.reshape(-1)).view(*symbols.shape, -1)
        else:
            gates = cell.project(self._vectors(symbols, generator))
        if remaining is not None and self.count is not None:
            gates = gates + self.count.vectors(remaining).to(gates.dtype)
        if grams is None:
            return gates
        return gates + linear(grams.flatten(0, 1), self.from_ngrams).view_as(gates)

    def _mask(self, batch: int, generator: torch.Generator | None) -> Tensor | None:
        rate = self.config.recurrent_dropout
        if not self.training or not rate:
            return None
        return dropout_mask((batch, self.config.hidden), rate, next(self.parameters()), generator)
