"""Vectors that gensim, fastText or spaCy wrote, read through gensim and spaCy."""

import pickle
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

    try:
        vectors = load_facebook_vectors(str(path))
    except Exception as error:
        raise VectorsError(f"{path} is cut short or no fastText model ({error}): fetch it again") from error
    return from_gensim(vectors, selection)


def read_gensim(path: Path, selection: Selection) -> VectorTable:
    """Read what gensim saved: KeyedVectors, or a whole model, with its ``.npy`` files mapped from disk.

    gensim's files are pickles: only open those whose maker you trust.
    """
    from gensim.utils import SaveLoad

    try:
        loaded = SaveLoad.load(str(path), mmap="r")
    except _UNREADABLE as error:
        raise VectorsError(
            f"{path} is no file that gensim saved, or lacks its .npy files beside it ({error}): "
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
    """Read the vectors of a spaCy pipeline, of a pipeline's folder, or of a vocab's.

    Vectors in floret mode make a vector for any word and have no words of their own: they need a vocabulary.
    """
    import spacy
    from spacy.vocab import Vocab

    folder = Path(path)
    try:
        vocab = Vocab().from_disk(folder) if (folder / "strings.json").is_file() else spacy.load(path).vocab
    except (OSError, ValueError) as error:
        raise VectorsError(f"{path} is no spaCy pipeline or vocab ({error})") from error
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
    words = [vocab.strings[key] for key, _ in rows]
    matrix = np.asarray(vocab.vectors.data, np.float32)[[row for _, row in rows]]
    return selection.table(words, matrix)
