"""A head on a finished network: the sentiment towards each word, and which words are talked about.

The network stays as it is. Attention over all nodes of the sentence, by their states and by where they stand in the
tree as seen from the word, gives the sentiment towards the word; a small window over the words marks those that
somebody has an opinion on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor, nn
from torch.nn import functional

from treesent.config import Dropout, section
from treesent.errors import ModelError
from treesent.models.parser.file import read_parser_file, save_parser
from treesent.nn.relations import N_RELATIONS, views
from treesent.trees.structure import Structure
from treesent.types import Float32, Int64

SIGNS = ("negative", "neutral", "positive")
OUTSIDE, BEGIN, INSIDE = range(3)
"""Tags of words: no target, the first word of one, a later word of one."""


@section
class OpinionHeadConfig:
    """The head's settings."""

    classes: PositiveInt = 5
    """Classes of the network."""
    vectors: NonNegativeInt = 0
    """Width of the word vectors that the head reads beside the states; 0 for none."""
    heads: PositiveInt = 4
    """How many ways of attention."""
    key: PositiveInt = 16
    """Width of a query and a key."""
    value: PositiveInt = 16
    """Width of what each way of attention takes of a node."""
    hidden: PositiveInt = 64
    """Width of the layers before the outputs."""
    dropout: Dropout = 0.3
    """Dropout rate of what the head reads, and of its layers."""


@dataclass(frozen=True, slots=True)
class HeadOutput:
    """What the head says of the words of all trees, one after the other.

    :param towards: logits of negative, neutral and positive, of the words asked for. *Shape:* ``(n_asked, 3)``
    :param tags: logits of the tags. *Shape:* ``(n_words, 3)``
    """

    towards: Tensor
    tags: Tensor


class OpinionHead(nn.Module):
    """Reads the states of a network's nodes.

    :param config: the settings.
    :param width: of the states.
    """

    format: ClassVar[str] = "treesent.opinions.1"
    config_type: ClassVar[type[OpinionHeadConfig]] = OpinionHeadConfig

    def __init__(self, config: OpinionHeadConfig, width: int) -> None:
        super().__init__()
        self.config, self.width = config, width
        seen, word = width + config.classes, width + config.vectors
        self.word = nn.Linear(word, config.hidden)
        self.query = nn.Linear(config.hidden, config.heads * config.key)
        self.key = nn.Linear(seen, config.heads * config.key)
        self.value = nn.Linear(seen, config.heads * config.value)
        self.relation = nn.Parameter(torch.zeros(N_RELATIONS, config.heads))
        self.mix = nn.Linear(config.heads * config.value + config.hidden, config.hidden)
        self.sign = nn.Linear(config.hidden, len(SIGNS))
        self.near = nn.Linear(3 * config.hidden, config.hidden)
        self.wide = nn.Linear(3 * config.hidden, config.hidden)
        self.tag = nn.Linear(config.hidden, 3)

    def forward(
        self,
        states: Tensor,
        probs: Tensor,
        vectors: Tensor | None,
        structure: Structure,
        asked: Int64 | None = None,
    ) -> HeadOutput:
        """Say what there is to say of every word.

        :param states: of the nodes, in the order of the structure. *Shape:* ``(n_nodes, width)``
        :param probs: their classes. *Shape:* ``(n_nodes, classes)``
        :param vectors: of the words; None where the head reads none. *Shape:* ``(n_words, vectors)``
        :param structure: the trees.
        :param asked: the words whose sentiment is wanted, in order; None for all. *Shape:* ``(n_asked,)``
        """
        leaf = torch.from_numpy((structure.left < 0).nonzero()[0]).to(states.device)
        read = states.index_select(0, leaf)
        if self.config.vectors and vectors is not None:
            read = torch.cat([read, functional.layer_norm(vectors, vectors.shape[1:])], 1)
        words = functional.relu(self.word(self._drop_columns(read)))
        seen = self._drop_columns(torch.cat([states, probs], 1))
        taken = self._attend(words, self.key(seen), self.value(seen), structure, asked)
        looking = words if asked is None else words[torch.from_numpy(asked).to(words.device)]
        mixed = functional.relu(self.mix(self._drop(torch.cat([taken, looking], 1))))
        first = torch.zeros(len(words), dtype=torch.bool)
        first[torch.from_numpy(np.cumsum(structure.lengths) - structure.lengths)] = True
        first = first.to(words.device)
        near = functional.relu(self.near(_window(self._drop(words), first)))
        wide = functional.relu(self.wide(_window(near, first)))
        return HeadOutput(self.sign(self._drop(mixed)), self.tag(self._drop(wide)))

    def _attend(
        self, words: Tensor, key: Tensor, value: Tensor, structure: Structure, asked: Int64 | None
    ) -> Tensor:
        """What each word that is asked for takes of the nodes. *Shape:* ``(n_asked, heads * value)``."""
        heads, found, order = self.config.heads, [], []
        for view in views(structure, asked, words.device):
            batch, n_words = view.word.shape
            n_nodes, flat = view.node.shape[1], view.node.flatten()
            query = self.query(words.index_select(0, view.word.flatten()))
            q = query.view(batch, n_words, heads, -1).transpose(1, 2)
            k = key.index_select(0, flat).view(batch, n_nodes, heads, -1).permute(0, 2, 3, 1)
            v = value.index_select(0, flat).view(batch, n_nodes, heads, -1).transpose(1, 2)
            bias = functional.embedding(view.relations(), self.relation).permute(0, 3, 1, 2)
            scores = (q @ k) * self.config.key**-0.5 + bias
            weights = scores.masked_fill(~view.seen[:, None, None], -1e4).softmax(3)
            found.append((weights @ v).transpose(1, 2).reshape(batch, n_words, -1)[view.looks])
            order.append(view.word[view.looks])
        if not found:
            return value.new_zeros(0, value.shape[1])
        return torch.cat(found)[torch.cat(order).argsort()]

    def _drop(self, values: Tensor) -> Tensor:
        return functional.dropout(values, self.config.dropout, self.training)

    def _drop_columns(self, values: Tensor) -> Tensor:
        """Drop the same columns of all rows: as good against overfitting here, and much cheaper."""
        if not self.training:
            return values
        return values * functional.dropout(values.new_ones(values.shape[1]), self.config.dropout)

    def check_fits(self, network: nn.Module, vectors: int, classes: int) -> None:
        """Refuse a network whose states the head cannot read.

        :param network: the network.
        :param vectors: the width of its word vectors.
        :param classes: how many it has.
        :raises ModelError: a width or the number of classes differs.
        """
        found = {"states": state_width(network), "vectors": vectors, "classes": classes}
        own = {"states": self.width, "vectors": self.config.vectors, "classes": self.config.classes}
        for name, value in own.items():
            if value != found[name] and not (name == "vectors" and value == 0):
                raise ModelError(
                    f"the head for opinions was trained on a network with {name} = {value}, and this one has "
                    f"{found[name]}: train it again with treesent aspects train"
                )

    def save(self, path: str | Path) -> None:
        """Write settings and weights to one file, the weights in half precision.

        :param path: the file, ``opinions.safetensors`` in a pipeline's folder.
        """
        save_parser(self, path, self.format)

    @classmethod
    def load(cls, path: str | Path) -> OpinionHead:
        """Read what :meth:`save` wrote, ready to use.

        :param path: the file.
        :raises ModelError: it is missing, damaged, or not a head of this version.
        """
        return read_parser_file(path, cls)


def opinions_of(
    head: OpinionHead, states: Tensor, probs: Tensor, vectors: Tensor | None, structure: Structure
) -> tuple[Float32, NDArray[np.uint8]]:
    """Run a head, and choose tags that make whole targets.

    :param head: the head; the other arguments are those of its forward.
    :returns: log-probabilities of negative, neutral and positive, *Shape:* ``(n_words, 3)``, and the tag of each word,
        *Shape:* ``(n_words,)``.
    """
    with torch.inference_mode():
        output = head.eval()(states, probs, vectors, structure)
    tags = output.tags.argmax(1).cpu().numpy().astype(np.uint8)
    first = np.zeros(len(tags), bool)
    first[np.cumsum(structure.lengths) - structure.lengths] = True
    before = np.concatenate([[OUTSIDE], tags[:-1]])
    tags[(tags == INSIDE) & (first | (before == OUTSIDE))] = BEGIN
    return output.towards.log_softmax(1).cpu().numpy(), tags


def state_width(network: nn.Module) -> int:
    """Give the width of the states of a network's nodes.

    :param network: a classifier.
    """
    weight: Any = network.weight
    return int(weight.shape[1])


def _window(words: Tensor, first: Tensor) -> Tensor:
    """Each word between its neighbours, zeros at the ends of a sentence. *Shape:* ``(n_words, 3 * hidden)``."""
    before = functional.pad(words, (0, 0, 1, 0))[:-1].masked_fill(first[:, None], 0)
    last = functional.pad(first[1:], (0, 1), value=True)
    after = functional.pad(words, (0, 0, 0, 1))[1:].masked_fill(last[:, None], 0)
    return torch.cat([before, words, after], 1)
