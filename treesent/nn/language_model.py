"""Language models: recurrent networks that predict the next symbol of a text, character or word."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from treesent.errors import ModelError, RecipeError, TreesentError
from treesent.nn.cells import Cell, State
from treesent.nn.dropout import dropout_mask
from treesent.nn.embedding import VectorEmbedding
from treesent.nn.language_config import CELLS, LanguageModelConfig
from treesent.nn.levels import weight_block
from treesent.nn.matmul import linear
from treesent.nn.ngrams import NgramEmbedding
from treesent.nn.vocabulary import END, SPECIAL, Vocabulary
from treesent.nn.windows import gather, run_window
from treesent.paths import readable

FEW = 1024
"""Symbols whose share of the gates is made once for a window."""
FORMAT = "treesent.language_model.1"
WEIGHTS, CONFIG, VOCABULARY = "language_model.safetensors", "config.json", "vocabulary.json"


@dataclass(frozen=True, slots=True)
class LanguageState:
    """What has been read of some streams.

    :param layers: the states of each layer. *Shape of each:* (batch, hidden)
    :param recent: the last symbols, where n-grams are read. *Shape:* (n, batch)
    :param number: how many symbols there were, which clocks count by.
    """

    layers: tuple[State, ...]
    recent: Tensor
    number: int = 0

    def detach(self) -> LanguageState:
        """Cut it off from the graph: gradients go no further back."""
        layers = tuple(tuple(each.detach() for each in layer) for layer in self.layers)
        return replace(self, layers=layers)

    def select(self, rows: Tensor) -> LanguageState:
        """Take some of the streams, in any order and as often as they are named.

        :param rows: which. *Shape:* (n,)
        """
        layers = tuple(tuple(each.index_select(0, rows) for each in layer) for layer in self.layers)
        return LanguageState(layers, self.recent.index_select(1, rows), self.number)


class LanguageModel(nn.Module):
    """Vectors of symbols, recurrent layers, a softmax over the next symbol.

    A text's first symbol is predicted from :data:`~treesent.nn.vocabulary.END`, which also stands after its
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

    def _make_layers(self, width: int, generator: torch.Generator | None) -> None:
        config = self.config
        cells = CELLS[config.cell](hidden=config.hidden)
        below = (width, *[config.hidden] * (config.layers - 1))
        self.layers = nn.ModuleList(cells.cell(each, generator) for each in below)
        self.ngrams: NgramEmbedding | None = None
        if config.orders:
            first = self._cells()[0]
            self.ngrams = NgramEmbedding(config.orders, config.ngram_bits, config.ngram_width, generator)
            rows = first.gates * config.hidden
            self.from_ngrams = nn.Parameter(weight_block(rows, [config.ngram_width], generator))

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
            self.between = nn.Parameter(weight_block(width, [config.hidden], generator))
        if not config.tied:
            self.weight = nn.Parameter(weight_block(n_symbols, [features], generator))
        self.bias = nn.Parameter(torch.zeros(n_symbols))

    def initial_state(self, batch: int, device: torch.device | str | None = None) -> LanguageState:
        """Give the state before any text: :data:`END` is the symbol to go on from.

        :param batch: streams.
        :param device: of the tensors; None for the model's own.
        """
        weight = next(self.parameters())
        device = weight.device if device is None else torch.device(device)
        zeros = torch.zeros(batch, self.config.hidden, device=device, dtype=weight.dtype)
        before = self.ngrams.before if self.ngrams is not None else 0
        recent = torch.full((before, batch), END, device=device)
        return LanguageState(tuple((zeros,) * cell.memories for cell in self._cells()), recent)

    def forward(
        self, symbols: Tensor, state: LanguageState, generator: torch.Generator | None = None
    ) -> tuple[Tensor, LanguageState]:
        """Read a window of each stream.

        :param symbols: *Shape:* (steps, batch)
        :param state: before the window; gradients go back into it unless it is detached.
        :param generator: where dropout masks come from in training; None for torch's own.
        :return: what the output layer reads after each symbol, *shape* (steps, batch, features), for
            :meth:`losses` and :meth:`log_probs`; and the state after the window.
        """
        config = self.config
        grams, recent = None, state.recent
        if self.ngrams is not None:
            seen = torch.cat([state.recent, symbols])
            grams, recent = self.ngrams(seen), seen[len(symbols) :]
        # The share of the first layer's inputs is a gather: no product where symbols are few.
        gates, after, keep = self._gates(symbols, grams, generator), [], (symbols != END)[:, :, None]
        outputs = gates
        for number, (cell, before) in enumerate(zip(self._cells(), state.layers, strict=True)):
            below = self._drop(outputs, config.layer_dropout, generator) if number else outputs
            gates = cell.project(below) if number else gates
            mask = self._mask(len(before[0]), generator)
            outputs, last = run_window(cell, gates, before, keep, mask, state.number)
            if number and config.residual:
                outputs = outputs + below
            after.append(last)
        if grams is not None:
            outputs = torch.cat([outputs, grams.to(outputs.dtype)], 2)
        features = self._drop(outputs, config.output_dropout, generator)
        return features, LanguageState(tuple(after), recent, state.number + len(symbols))

    def losses(self, features: Tensor, symbols: Tensor) -> Tensor:
        """Give the negative log-probability of each symbol, in nats.

        :param features: what :meth:`forward` gives after the symbol before. *Shape:* (n, features)
        :param symbols: *Shape:* (n,)
        :return: *Shape:* (n,)
        """
        if self.config.cutoffs:
            # It puts its numbers into a tensor of the input's type: that must be the products'.
            device = features.device.type
            if torch.is_autocast_enabled(device):
                features = features.to(torch.get_autocast_dtype(device))
            found: Tensor = self.adaptive(features, symbols).output
            return -found.to(torch.promote_types(found.dtype, torch.float32))
        return functional.cross_entropy(self.logits(features), symbols, reduction="none")

    def log_probs(self, features: Tensor) -> Tensor:
        """Give the log-probabilities of all symbols.

        :param features: *Shape:* (n, features)
        :return: *Shape:* (n, n_symbols)
        """
        if self.config.cutoffs:
            found: Tensor = self.adaptive.log_prob(features)
            return found
        return functional.log_softmax(self.logits(features).float(), 1)

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
        features, state = self.forward(symbols[None], state)
        return self.log_probs(features[0]), state

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

    def _cells(self) -> list[Cell]:
        return [cell for cell in self.layers if isinstance(cell, Cell)]

    def _vectors(self, symbols: Tensor, generator: torch.Generator | None) -> Tensor:
        """Vectors of a window. *Shape:* (steps, batch, width)."""
        flat = symbols.reshape(-1)
        gathered = None if self.embedding is None else self.embedding(flat)
        found = functional.embedding(flat, self.vectors) if gathered is None else gathered
        return self._drop(found, self.config.input_dropout, generator).view(*symbols.shape, -1)

    def _gates(self, symbols: Tensor, grams: Tensor | None, generator: torch.Generator | None) -> Tensor:
        """Project a window's input. *Shape:* (steps, batch, gates * hidden)."""
        cell = self._cells()[0]
        if self.embedding is None and len(self.vectors) <= min(symbols.numel(), FEW):
            # A symbol's share is the same wherever it stands.
            rows = self._drop(self.vectors, self.config.input_dropout, generator)
            gates = gather(cell.project(rows), symbols.reshape(-1)).view(*symbols.shape, -1)
        else:
            gates = cell.project(self._vectors(symbols, generator))
        if grams is None:
            return gates
        return gates + linear(grams.flatten(0, 1), self.from_ngrams).view_as(gates)

    def _mask(self, batch: int, generator: torch.Generator | None) -> Tensor | None:
        rate = self.config.recurrent_dropout
        if not self.training or not rate:
            return None
        return dropout_mask((batch, self.config.hidden), rate, next(self.parameters()), generator)

    def _drop(self, states: Tensor, rate: float, generator: torch.Generator | None) -> Tensor:
        if not self.training or not rate:
            return states
        return states * dropout_mask(tuple(states.shape), rate, states, generator)
