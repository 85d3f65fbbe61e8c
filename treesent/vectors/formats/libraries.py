"""Vectors that gensim, fastText or spaCy wrote, read through gensim and spaCy."""

import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np

from treesent.errors import VectorsError
from treesent.vectors.buckets import BucketVectors
from treesent.vectors.formats.select import Selection
from treesent.vectors.table import VectorTable

_UNREADABLE = (
    pickle.UnpicklingError,
    EOFError,
    AttributeError,
    ImportError,
    IndexError,
    KeyError,
    ValueError,
    OSError,
)


def read_fasttext(path: Path, selection: Selection) -> VectorTable:
    """Read fastText's ``.bin`` through gensim; unknown words get the mean of their n-grams' buckets."""
    from gensim.models.fasttext import load_facebook_vectors

    _check_fasttext(path)
    try:
        vectors = load_facebook_vectors(str(path))
    except Exception as error:
        raise VectorsError(f"{path} is cut short or not a fastText file ({error}): fetch it again") from error
    return from_gensim(vectors, selection)


def _check_fasttext(path: Path) -> None:
    """Refuse a ``.bin`` whose vocabulary or matrices are cut: gensim looks for the end of a word for ever.

    The layout (``fasttext.cc``): magic and version, 12 settings and a double, the sizes
    of the dictionary, its words (closed by a zero byte, then a count and a type), the pruned n-grams, and two
    matrices with a flag and two sizes before each.
    """
    size = path.stat().st_size
    damaged = VectorsError(f"{path} is cut short or not a fastText model: fetch it again")
    with path.open("rb") as file:
        head = file.read(8 + 12 * 4 + 8 + 3 * 4 + 2 * 8)
        if len(head) < 92:
            raise damaged
        width, buckets = struct.unpack_from("<i", head, 8)[0], struct.unpack_from("<i", head, 8 + 8 * 4)[0]
        n_entries, n_words, n_labels = struct.unpack_from("<3i", head, 64)
        pruned = struct.unpack_from("<q", head, 84)[0]
        if not (0 < width <= 1 << 16 and buckets >= 0 and 0 <= n_words <= n_entries == n_words + n_labels):
            raise damaged
        rest, place = b"", 0
        for _ in range(n_entries):
            end = rest.find(b"\0", place)
            if end < 0 or end + 10 > len(rest):
                rest, place = rest[place:] + file.read(1 << 20), 0
                end = rest.find(b"\0")
                if end < 0 or end + 10 > len(rest):
                    raise damaged
            place = end + 10
        at = file.tell() - len(rest) + place + 8 * max(pruned, 0)
        if at >= size:
            raise damaged
        file.seek(at + 1)
        shape = file.read(16)
        if len(shape) < 16:
            raise damaged
        rows, columns = struct.unpack("<2q", shape)
        if columns != width or not 0 < rows <= n_words + buckets or at + 17 + 4 * rows * columns > size:
            raise damaged


def read_gensim(path: Path, selection: Selection, trust_pickle: bool = False) -> VectorTable:
    """Read what gensim saved: KeyedVectors, or a whole model, with its ``.npy`` files mapped from disk.

    gensim's files are pickles: only open those whose maker you trust.

    :raises VectorsError: without ``trust_pickle``, or if the file cannot be read.
    """
    from gensim.utils import SaveLoad

    if not trust_pickle:
        raise VectorsError(
            f"{path} is a Python pickle, as gensim saves them. Opening it can run any program that its maker "
            "put into it. Convert it where it was made, with vectors.save_word2vec_format(NAME), or open it "
            "with --trust-pickle if you trust its maker"
        )

    try:
        loaded = SaveLoad.load(str(path), mmap="r")
    except _UNREADABLE as error:
        raise VectorsError(
            f"{path} is not a file that gensim saved, or lacks its .npy files beside it ({error}): "
            "convert it where it was made with vectors.save_word2vec_format(NAME)"
        ) from error
    vectors = getattr(loaded, "wv", loaded)
    if not hasattr(vectors, "key_to_index"):
        raise VectorsError(f"{path} holds a {type(loaded).__name__}, not gensim's KeyedVectors")
    return from_gensim(vectors, selection)


def from_gensim(vectors: Any, selection: Selection | None = None) -> VectorTable:
    """The table of gensim's KeyedVectors; FastText's buckets come along for unknown words."""
    table = (selection or Selection()).table(list(vectors.index_to_key), np.asarray(vectors.vectors))
    if not hasattr(vectors, "vectors_ngrams"):
        return table
    buckets = BucketVectors(np.asarray(vectors.vectors_ngrams), None, vectors.min_n, vectors.max_n)
    return table.with_subwords(buckets.half() if selection is not None and selection.half else buckets)


def to_gensim(table: VectorTable) -> Any:
    """Gensim's KeyedVectors of a table, in float32; the subwords stay behind."""
    from gensim.models import KeyedVectors

    vectors = KeyedVectors(table.width)
    vectors.add_vectors(table.words, table.dense())
    return vectors


def read_spacy(path: str | Path, selection: Selection) -> VectorTable:
    """Read the vectors of a spaCy pipeline's folder, or of a vocab's.

    Vectors in floret mode make a vector for any word and have no words of their own: they need a vocabulary.
    """
    from spacy.vocab import Vocab

    folder = Path(path)
    inside = folder if (folder / "strings.json").is_file() else folder / "vocab"
    try:
        vocab = Vocab().from_disk(inside)
    except Exception as error:  # spaCy's readers do not check what they read
        raise VectorsError(f"{path} is not a spaCy pipeline or vocab, or is damaged ({error})") from error
    return from_spacy(vocab, selection, str(path))


def from_spacy(vocab: Any, selection: Selection | None = None, source: str = "the vocab") -> VectorTable:
    """The table of a spaCy vocab's vectors, in the order of their rows."""
    selection = selection or Selection()
    if str(vocab.vectors.mode) == "floret":
        if selection.vocabulary is None:
            raise VectorsError(f"{source} has floret vectors, which know no words: give --vocabulary")
        words = sorted(selection.vocabulary)
        matrix = np.asarray(vocab.vectors.get_batch(words), np.float32)
        return VectorTable(words, matrix.astype(selection.dtype))
    rows = sorted(vocab.vectors.key2row.items(), key=lambda item: item[1])
    if not rows:
        raise VectorsError(f"{source} has no word vectors: take a pipeline that ships them")
    try:
        words = [vocab.strings[key] for key, _ in rows]
        matrix = np.asarray(vocab.vectors.data, np.float32)[[row for _, row in rows]]
    except (LookupError, OverflowError) as error:
        raise VectorsError(
            f"{source} is damaged: its vectors have a word or a row that the rest lacks ({error}); copy it again"
        ) from error
    return selection.table(words, matrix)
