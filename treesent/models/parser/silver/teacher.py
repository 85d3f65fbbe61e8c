"""A large parser whose trees a small one learns: a transformer and a dependency pipeline under a chart.

It serves in training only. Scores of spans are those of Zhang et al. 2020 (arXiv:2008.03736) over the states
of the pieces beside a boundary, plus a number for every hint on the span; trees are those whose spans are
together the most probable (minimum Bayes risk).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from treesent.errors import MissingExtraError, ModelError
from treesent.files import replacing_path
from treesent.models.parser.chart import cky, inside
from treesent.models.parser.silver.hints import Hints
from treesent.nn.weights import write_weights
from treesent.trees.structure import Structure

FORMAT = "treesent.teacher.1"
Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Names:
    """The names that hints can have; any other is number 0."""

    tags: tuple[str, ...]
    deps: tuple[str, ...]
    spans: tuple[str, ...]

    @classmethod
    def of(cls, hints: Sequence[Hints]) -> Names:
        """Collect names.

        :param hints: of the sentences to learn from.
        """
        return cls(
            tuple(sorted({tag for hint in hints for tag in hint.tags})),
            tuple(sorted({dep for hint in hints for dep in hint.deps})),
            tuple(sorted({kind for hint in hints for *_, kind in hint.spans})),
        )


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence as numbers.

    :param ids: pieces, the marks at both ends among them. *Shape:* (n_pieces,)
    :param word: word of each piece, counted from 1, 0 at the marks. *Shape:* (n_pieces,)
    :param first: first piece of each word, the marks counting as words. *Shape:* (n_words + 2,)
    :param last: last piece, alike.
    :param marks: case, tag and arc of each word, alike. *Shape:* (3, n_words + 2)
    :param spans: start, end and number of each hint. *Shape:* (n_hints, 3)
    """

    ids: Int64
    word: Int64
    first: Int64
    last: Int64
    marks: Int64
    spans: Int64

    @property
    def n_words(self) -> int:
        """Words, without the marks."""
        return len(self.first) - 2


class Teacher(nn.Module):
    """Scores of all spans of sentences.

    :param folder: a model folder of ``transformers``; its encoder is trained too, except its table of pieces.
    :param names: what hints can say.
    :param width: of the layers under the scores.
    :param dropout: dropout rate of the boundaries' states.
    :raises MissingExtraError: ``transformers`` is not installed.
    """

    def __init__(self, folder: str | Path, names: Names, width: int = 256, dropout: float = 0.15) -> None:
        super().__init__()
        try:
            from transformers import AutoModel, AutoTokenizer
        except ImportError as error:
            raise MissingExtraError("transformers", "transformers") from error
        self.names = names
        self._numbers = [
            {n: i + 1 for i, n in enumerate(kind)} for kind in (names.tags, names.deps, names.spans)
        ]
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        # The fused attention's backward pass is slow on a CPU for sentences as short as these.
        self.encoder = AutoModel.from_pretrained(folder, local_files_only=True, attn_implementation="eager")
        self.encoder.get_input_embeddings().weight.requires_grad_(False)
        state = self.encoder.config.hidden_size
        self.mix = nn.Parameter(torch.linspace(-2, 1, self.encoder.config.num_hidden_layers + 1))
        sizes = [4, *(len(kind) + 1 for kind in self._numbers[:2])]
        self.marks = nn.ModuleList(nn.Embedding(size, state) for size in sizes)
        self.piece_marks = nn.ModuleList(nn.Embedding(size, state) for size in sizes[1:])
        for embedding in (*self.marks, *self.piece_marks):
            nn.init.normal_(embedding.weight, std=0.02)
        self.hint = nn.Parameter(torch.zeros(len(self._numbers[2]) + 1))
        self.start, self.end = nn.Linear(2 * state, width), nn.Linear(2 * state, width)
        self.pair = nn.Parameter(torch.zeros(width + 1, width))
        self.start_score, self.end_score = nn.Linear(width, 1), nn.Linear(width, 1, bias=False)
        self.dropout = nn.Dropout(dropout)

    def encode(self, words: Sequence[str], hints: Hints) -> Sentence:
        """Turn a sentence into numbers.

        :param words: as people write them, without Penn escapes.
        :param hints: on these words.
        """
        pieces = self.tokenizer(list(words), is_split_into_words=True, truncation=True, max_length=510)
        word = np.array([0 if place is None else place + 1 for place in pieces.word_ids()])
        n = len(words) + 2
        first, last = np.zeros(n, np.int64), np.zeros(n, np.int64)
        places = np.arange(len(word) - 1)
        last[word[:-1]] = places
        first[word[-2::-1]] = places[::-1]
        first[0] = last[0] = 0
        first[-1] = last[-1] = len(word) - 1
        # A word without a piece of its own borrows the one before.
        last = np.maximum.accumulate(last)
        first = np.where(first == 0, last, first)
        tags, deps, kinds = self._numbers
        marks = np.zeros((3, n), np.int64)
        marks[:, 1:-1] = (
            [_case(text) for text in words],
            [tags.get(tag, 0) for tag in hints.tags],
            [deps.get(dep, 0) for dep in hints.deps],
        )
        spans = np.array([(a, b, kinds.get(kind, 0)) for a, b, kind in hints.spans], np.int64).reshape(-1, 3)
        return Sentence(np.array(pieces["input_ids"]), word, first, last, marks, spans)

    def forward(self, sentences: Sequence[Sentence]) -> Tensor:
        """Score spans.

        :param sentences: made by :meth:`encode`.
        :returns: *Shape:* (n, steps + 1, steps + 1)
        """
        device = self.mix.device
        ids, word, first, last, *marks = (
            _pad(arrays, device)
            for arrays in zip(*((s.ids, s.word, s.first, s.last, *s.marks) for s in sentences), strict=True)
        )
        mask = _pad([np.ones(len(s.ids), np.int64) for s in sentences], device)
        inputs = self.encoder.get_input_embeddings()(ids)
        for embedding, mark in zip(self.piece_marks, marks[1:], strict=True):
            inputs = inputs + embedding(mark.gather(1, word))
        states = self.encoder(
            inputs_embeds=inputs, attention_mask=mask, output_hidden_states=True
        ).hidden_states
        mixed = torch.einsum("l,lnps->nps", self.mix.softmax(0), torch.stack(states).float())
        marked = sum(embedding(mark) for embedding, mark in zip(self.marks, marks, strict=True))
        before, after = (
            mixed.gather(1, place[..., None].expand(-1, -1, mixed.shape[-1])) + marked
            for place in (last, first)
        )
        bounds = self.dropout(torch.cat([before[:, :-1], after[:, 1:]], -1))
        start = self.dropout(functional.gelu(self.start(bounds)))
        end = self.dropout(functional.gelu(self.end(bounds)))
        pairs = functional.pad(start, (0, 1), value=1.0) @ self.pair @ end.transpose(1, 2)
        scores = (pairs + self.start_score(start) + self.end_score(end).transpose(1, 2)).float()
        tree = np.repeat(np.arange(len(sentences)), [len(s.spans) for s in sentences])
        spans = torch.from_numpy(np.concatenate([s.spans for s in sentences])).to(device)
        place = (torch.from_numpy(tree).to(device), spans[:, 0], spans[:, 1])
        scored: Tensor = scores.index_put(place, self.hint[spans[:, 2]], accumulate=True)
        return scored

    def loss(self, sentences: Sequence[Sentence], gold: Structure) -> Tensor:
        """Negative log-likelihood of trees, per word.

        :param sentences: *Shape:* (n,)
        :param gold: their trees.
        :returns: *Shape:* ()
        """
        scores = self(sentences)
        lengths = torch.from_numpy(gold.lengths).to(scores.device)
        tree = np.repeat(np.arange(gold.n_trees), np.diff(gold.offsets))
        wide = gold.end - gold.start > 1
        place = (
            torch.from_numpy(array[wide].astype(np.int64)).to(scores.device)
            for array in (tree, gold.start, gold.end)
        )
        loss: Tensor = (inside(scores, lengths).sum() - scores[tuple(place)].sum()) / lengths.sum()
        return loss

    def parse(self, sentences: Sequence[Sentence], n_words: int = 3000) -> Structure:
        """Give the trees whose spans are together the most probable.

        :param sentences: made by :meth:`encode`.
        :param n_words: words in a batch, about.
        """
        self.eval()
        lengths = np.array([sentence.n_words for sentence in sentences], np.int64)
        first = np.cumsum(lengths - 1) - (lengths - 1)
        distances = np.zeros(int((lengths - 1).sum()), np.float32)
        for trees in batches(lengths, n_words):
            sizes = lengths[trees]
            with torch.no_grad(), torch.autocast(self.mix.device.type, torch.bfloat16):
                scores = self([sentences[tree] for tree in trees.tolist()])
            probable = probabilities(scores, torch.from_numpy(sizes).to(scores.device))
            best = cky(probable, sizes)
            before = np.cumsum(sizes - 1) - (sizes - 1)
            distances[np.arange(len(best)) + np.repeat(first[trees] - before, sizes - 1)] = best
        return Structure.from_distances(distances, lengths)

    def save(self, path: str | Path) -> None:
        """Write the weights.

        :param path: the file; one that is there is replaced when all is written.
        """
        from dataclasses import asdict

        tensors = {name: t.detach().cpu().contiguous() for name, t in self.state_dict().items()}
        with replacing_path(Path(path)) as partial:
            write_weights(partial, tensors, {"format": FORMAT, "names": json.dumps(asdict(self.names))})

    @classmethod
    def load(cls, path: str | Path, folder: str | Path) -> Teacher:
        """Read what :meth:`save` wrote.

        :param path: the file.
        :param folder: the transformer it began from.
        :raises ModelError: the file cannot be read.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, "pt") as file:
                header = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            names = json.loads(header["names"])
            kinds = Names(**{name: tuple(values) for name, values in names.items()})
            teacher = cls(folder, kinds, width=tensors["pair"].shape[1])
            teacher.load_state_dict(tensors)
        except (SafetensorError, OSError, KeyError, RuntimeError) as error:
            raise ModelError(f"{path}: no teacher, or a damaged one ({error}); train it again") from error
        return teacher


def probabilities(scores: Tensor, lengths: Tensor) -> Tensor:
    """Give the probability of every span: the gradient of the chart.

    :param scores: *Shape:* (n, steps + 1, steps + 1)
    :param lengths: *Shape:* (n,)
    """
    with torch.enable_grad():
        scores = scores.detach().requires_grad_()
        return torch.autograd.grad(inside(scores, lengths).sum(), scores)[0]


def batches(lengths: Int64, n_words: int, generator: np.random.Generator | None = None) -> Iterator[Int64]:
    """Cut sentences into batches of like length.

    :param lengths: *Shape:* (n,)
    :param n_words: words in a batch, about.
    :param generator: shuffles sentences of like length, and the batches.
    """
    noise = np.zeros(len(lengths)) if generator is None else generator.random(len(lengths)) * 3
    order = np.argsort(lengths + noise, kind="stable")
    cuts = np.flatnonzero(np.diff(np.cumsum(lengths[order]) // n_words)) + 1
    runs = [run for run in np.split(order, cuts) if len(run)]
    if generator is not None:
        generator.shuffle(runs)
    yield from runs


def _case(word: str) -> int:
    """0 for lower case, 1 for a capital first, 2 for capitals, 3 for the word I."""
    if word == "I":
        return 3
    return 2 if word.isupper() and len(word) > 1 else int(word[:1].isupper())


def _pad(arrays: Sequence[Int64], device: torch.device) -> Tensor:
    """Pad arrays with zeros to one length. *Shape:* ``(n_arrays, longest)``."""
    return pad_sequence([torch.from_numpy(array) for array in arrays], batch_first=True).to(device)
