"""From words to word pieces: what a transformer reads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from treesent.errors import MissingExtraError, ModelError, TreesentError
from treesent.trees.arrays import ranges, run_offsets
from treesent.trees.notation import unescape
from treesent.types import Int64

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# Words whose pieces are kept from batch to batch.
_REMEMBERED = 1 << 17
_LONGEST = 4000
"""Characters of a word that are read at once: the time that a tokeniser takes can grow with their square."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What stands around every sequence of pieces.

    :param prefix: pieces before it, ``[CLS]`` for example.
    :param suffix: pieces after it, ``[SEP]`` for example.
    """

    prefix: tuple[int, ...]
    suffix: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """The pieces of words, at least one for each word.

    :param ids: numbers of the pieces, word after word. *Shape:* ``(n_pieces,)``
    :param offsets: where the pieces of each word begin, and their number. *Shape:* ``(n_words + 1,)``
    :param marks: what stands around a sequence.
    """

    ids: Int64
    offsets: Int64
    marks: Marks

    def __len__(self) -> int:
        """Count the words."""
        return len(self.offsets) - 1

    def take(self, words: Int64) -> Pieces:
        """Select words.

        :param words: which, in the order wanted. *Shape:* ``(n_taken,)``
        """
        sizes = np.diff(self.offsets)[words]
        return Pieces(self.ids[ranges(self.offsets[words], sizes)], run_offsets(sizes), self.marks)

    def add(self, piece: int) -> Pieces:
        """Add a word of one piece.

        :param piece: its number.
        """
        return Pieces(np.append(self.ids, piece), np.append(self.offsets, len(self.ids) + 1), self.marks)


class PieceReader:
    """Cuts words into the pieces of a transformer, each word on its own, and remembers them.

    :param tokenizer: the transformer's, a fast one.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        tokenizer.no_truncation()
        tokenizer.no_padding()
        with _tokenizing():
            probe = tokenizer.encode("a")
        own = np.flatnonzero(np.array(probe.special_tokens_mask) == 0)
        if not len(own):
            raise ModelError("the transformer's tokenizer has no piece for the letter a; give another one")
        self.marks = Marks(tuple(probe.ids[: own[0]]), tuple(probe.ids[own[-1] + 1 :]))
        name = getattr(tokenizer.model, "unk_token", None)
        unknown = None if name is None else tokenizer.token_to_id(name)
        self._unknown = probe.ids[int(own[0])] if unknown is None else int(unknown)
        masks = (tokenizer.token_to_id(name) for name in ("[MASK]", "<mask>"))
        self.mask = next((mask for mask in masks if mask is not None), self._unknown)
        self._known: dict[str, tuple[int, ...]] = {}

    def __call__(self, words: Sequence[str]) -> Pieces:
        """Cut words into pieces; a word that has none gets the unknown piece.

        :param words: what tokens are looked up as, or words of a treebank.
        """
        found = {word: self._known.get(word) or self._cut(word) for word in dict.fromkeys(words)}
        if len(self._known) + len(found) > _REMEMBERED:
            self._known = {}
        self._known |= found
        pieces = [found[word] for word in words]
        ids = np.fromiter((piece for word in pieces for piece in word), np.int64)
        return Pieces(ids, run_offsets([len(word) for word in pieces]), self.marks)

    def _cut(self, word: str) -> tuple[int, ...]:
        text = unescape(word)
        parts = [text] if len(text) <= _LONGEST else re.findall(rf"(?s).{{1,{_LONGEST}}}", text)
        ids: list[int] = []
        with _tokenizing():
            for part in parts:
                ids += self.tokenizer.encode([part], is_pretokenized=True, add_special_tokens=False).ids
        return tuple(ids) or (self._unknown,)

    def to_json(self) -> str:
        """Give the tokenizer as text."""
        return str(self.tokenizer.to_str())

    @classmethod
    def load(cls, path: str | Path) -> PieceReader:
        """Read a tokenizer.

        :param path: a file with what :meth:`to_json` gave.
        :raises MissingExtraError: ``transformers`` is not installed.
        :raises ModelError: the file cannot be read.
        """
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise MissingExtraError("tokenizers", "transformers") from error
        try:
            with _tokenizing():
                return cls(Tokenizer.from_str(Path(path).read_text("utf-8")))
        except (ModelError, OSError, ValueError) as error:
            raise ModelError(f"{path} is damaged ({error}); copy or train the model again") from error


@contextmanager
def _tokenizing() -> Iterator[None]:
    """Turn what the library raises into errors: plain exceptions, and panics, which are no exceptions even."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit, TreesentError):
        raise
    except BaseException as error:
        raise ModelError(
            f"the transformer's tokenizer fails ({error}); copy or train the model again"
        ) from error
