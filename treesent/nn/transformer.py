"""A pretrained transformer over the words of sentences: from word pieces to a state for each word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn

from treesent.errors import MissingExtraError, ModelError
from treesent.nn.pieces import MOST_PIECES, Group, PieceBatch, padding_mask
from treesent.nn.pooling import mean_pool

WordPooling = Literal["first", "mean"]


_OTHERS = ("auto_map", "architectures", "dtype", "torch_dtype", "quantization_config", "transformers_version")
"""Settings that say nothing of the network: where its code, its weights and their types came from."""


class Transformer(nn.Module):
    """A transformer of Hugging Face's that reads whole sentences and gives a state for every word.

    :param model: an ``AutoModel`` without a head.
    :param pooling: the state of a word: that of its ``first`` piece, or the ``mean`` over its pieces.
    """

    learn_rate: float = 1.0
    """Factor of the learning rate."""

    def __init__(self, model: Any, pooling: WordPooling = "first") -> None:
        super().__init__()
        if hasattr(model, "pooler"):
            model.pooler = None  # reads the first mark alone
        self.model, self.pooling = model, pooling
        config = model.config
        self.width = int(config.hidden_size)
        self.longest = longest_window(model)
        pad = getattr(config, "pad_token_id", None)
        self._pad = 0 if pad is None else int(pad)

    @property
    def config(self) -> dict[str, Any]:
        """The settings of the model, as JSON holds them."""
        config: Any = self.model.config
        values: dict[str, Any] = {**config.to_diff_dict(), "model_type": config.model_type}
        return {key: value for key, value in values.items() if key not in _OTHERS}

    @classmethod
    def of_config(cls, config: Mapping[str, Any], pooling: WordPooling = "first") -> Transformer:
        """Make a transformer without its weights.

        :param config: what :attr:`config` gave.
        :param pooling: see the class.
        :raises MissingExtraError: ``transformers`` is not installed.
        :raises ModelError: the settings are of no known model.
        """
        try:
            from transformers import AutoConfig, AutoModel
            from transformers.initialization import no_init_weights
        except ImportError as error:
            raise MissingExtraError("transformers", "transformers") from error
        values = {key: value for key, value in config.items() if key not in _OTHERS}
        kind = values.pop("model_type", None)
        try:
            settings = AutoConfig.for_model(kind, **values)
            with no_init_weights():
                make: Any = AutoModel.from_config
                return cls(make(settings, attn_implementation="sdpa", trust_remote_code=False), pooling)
        # The library raises errors of many kinds.
        except Exception as error:
            raise ModelError(f"the transformer's settings are of no known model ({error})") from error

    def layers(self) -> list[nn.Module]:
        """Return the layers, the lowest first."""
        config: Any = self.model.config
        wanted = getattr(config, "num_hidden_layers", None)
        lists = [module for module in self.model.modules() if isinstance(module, nn.ModuleList)]
        return list(next((each for each in lists if len(each) == wanted), nn.ModuleList()))

    def forward(self, pieces: PieceBatch, generator: torch.Generator | None = None) -> Tensor:
        """Read sentences.

        :param pieces: of their words.
        :param generator: its seed fixes the dropout masks in training; None for torch's own state.
        :returns: the state of each word. *Shape:* ``(n_words, width)``
        """
        if not pieces.groups:
            return torch.zeros(0, self.width, device=pieces.ids.device)
        with _seeded(generator if self.training else None, pieces.ids.device):
            states = torch.cat([self._read(pieces, group) for group in pieces.groups])
        if self.pooling == "first":
            return states.index_select(0, pieces.place.index_select(0, pieces.first))
        return mean_pool(states.index_select(0, pieces.place), pieces.word, pieces.count)

    def _read(self, pieces: PieceBatch, group: Group) -> Tensor:
        """Read the windows of a group. *Shape:* ``(rows * width of the group, width)``."""
        rows, width = group.shape
        ids = pieces.ids[group.begin : group.begin + rows * width].view(rows, width)
        mask = None
        if not group.full:
            mask = padding_mask(pieces.sizes[group.first : group.first + rows], width).long()
        output = self.model(
            input_ids=ids.clamp(min=0) if group.full else self._padded(ids), attention_mask=mask
        )
        state: Tensor = output.last_hidden_state
        return state.flatten(0, 1)

    def _padded(self, ids: Tensor) -> Tensor:
        return ids.masked_fill(ids < 0, self._pad)


@contextmanager
def _seeded(generator: torch.Generator | None, device: torch.device) -> Iterator[None]:
    """Draw the masks of foreign layers, which take no generator, from the seed of one."""
    if generator is None:
        yield
        return
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(generator.initial_seed())
        yield


def longest_window(model: nn.Module) -> int:
    """Give the number of pieces that a model's positions allow, marks included.

    :param model: an ``AutoModel``.
    """
    config: Any = model.config
    most = int(getattr(config, "max_position_embeddings", 0) or MOST_PIECES)
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            padding = module.padding_idx  # RoBERTa and MPNet count positions from the one after padding
            most = module.num_embeddings - (0 if padding is None else padding + 1)
    return min(most, MOST_PIECES)
