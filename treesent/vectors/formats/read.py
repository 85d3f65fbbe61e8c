"""Read a file of vectors of any known format."""

import struct
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from treesent.errors import VectorsError
from treesent.files import installed_pipeline, installed_pipelines
from treesent.vectors.formats.arrays import read_npy, read_safetensors
from treesent.vectors.formats.binary import read_binary
from treesent.vectors.formats.libraries import read_fasttext, read_gensim, read_spacy
from treesent.vectors.formats.opening import open_bytes
from treesent.vectors.formats.select import BadWords, Duplicates, Selection
from treesent.vectors.formats.text import header_of, read_text
from treesent.vectors.table import FILE, VectorTable

_FASTTEXT_MAGIC = struct.pack("<i", 793712314)


def read_vectors(
    path: str | Path,
    *,
    most_frequent: int | None = None,
    vocabulary: Iterable[str] | None = None,
    half: bool = False,
    lower: bool = False,
    duplicates: Duplicates = "fail",
    bad_words: BadWords = "error",
    words: str | Path | None = None,
    member: str | None = None,
    trust_pickle: bool = False,
) -> VectorTable:
    """Read word vectors; the content of the file decides on the format, not its name.

    Known are: GloVe text, word2vec text and binary, fastText ``.vec`` and ``.bin``, gensim KeyedVectors and
    models, spaCy pipelines and vocabs (floret too), ``.npy`` with words beside it, safetensors and treesent's
    own folders. Text and word2vec binary may be packed as gz, bz2, xz or zip.

    :param path: a file or folder, or the name of an installed spaCy pipeline.
    :param most_frequent: stop after that many rows of the file.
    :param vocabulary: keep these words only.
    :param half: hold the table in float16.
    :param lower: normalise the words; the first of those that fall together is kept.
    :param duplicates: ``"fail"`` refuses a word that occurs twice, ``"first"`` keeps its first row.
    :param bad_words: what to do with a word that is not UTF-8: ``"error"``, ``"skip"`` or ``"replace"``.
    :param words: the file of words of an ``.npy`` or safetensors matrix.
    :param member: which file of a zip archive.
    :param trust_pickle: open gensim's own files, which are pickles and can run any program when opened.
    :raises VectorsError: naming the place and the fix, if the file cannot be read.
    """
    selection = Selection(most_frequent, vocabulary, half, lower, duplicates, bad_words)
    place, beside = Path(path), None if words is None else Path(words)
    if place.is_dir() and not any((place / name).is_file() for name in _OWN):
        place = _inside(place)
    if place.is_dir():
        if (place / FILE).is_file():
            return read_safetensors(place / FILE, selection, beside)
        return read_spacy(place, selection)
    if not place.exists():
        return read_spacy(_installed(str(path)), selection)
    if place.suffix == ".safetensors" and place.is_file():
        return read_safetensors(place, selection, beside)
    with open_bytes(place, member) as file:
        start = file.read(1 << 16)
    if start.startswith(b"\x93NUMPY"):
        return read_npy(place, selection, beside)
    if start.startswith(_FASTTEXT_MAGIC):
        return read_fasttext(place, selection)
    if start.startswith(b"\x80") and header_of(start) is None:
        return read_gensim(place, selection, trust_pickle)
    if _is_binary(start):
        return read_binary(place, selection, member)
    return read_text(place, selection, member)


_OWN = (FILE, "meta.json", "strings.json")
"""One of these is in every folder of treesent's vectors, and of spaCy's."""
_SUFFIXES = (".txt", ".vec", ".bin", ".kv", ".model", ".npy", ".safetensors", ".gz", ".zip", ".bz2", ".xz")


def _inside(folder: Path) -> Path:
    """The one table of vectors that lies in a folder.

    :raises VectorsError: there is none, or several, which are named.
    """
    found = [
        path
        for path in sorted(folder.iterdir())
        if (path.is_file() and path.suffix.lower() in _SUFFIXES)
        or (path.is_dir() and any((path / name).is_file() for name in _OWN))
    ]
    # A matrix of words that stand in a file of the same name.
    found = [path for path in found if path.suffix != ".txt" or path.with_suffix(".npy") not in found]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(path.name for path in found[:8])
        raise VectorsError(f"{folder} holds several tables of vectors: name one of {names}")
    raise VectorsError(f"{folder} is a folder of neither treesent (no {FILE}) nor spaCy (no meta.json)")


def _is_binary(start: bytes) -> bool:
    """Whether what follows a header line is word2vec's binary: no text, and no row of text begins it."""
    first, _, rest = start.partition(b"\n")
    header = header_of(first + b"\n")
    if header is None or _is_text(rest):
        return False
    try:
        numbers = [float(field) for field in rest.partition(b"\n")[0].split(b" ")[-header[1] :] if field]
    except ValueError:
        return True
    return not numbers


def _is_text(data: bytes) -> bool:
    if any(byte < 0x20 and byte not in b"\t\n\r" for byte in set(data)):
        return False
    try:
        data[:-4].decode("utf-8")
    except UnicodeDecodeError as error:
        # The end of what was read may fall inside a character.
        return error.start > len(data) - 8
    return True


def _installed(name: str) -> Path:
    """The folder of an installed spaCy pipeline.

    :raises VectorsError: there is no file, folder or installed pipeline of that name.
    """
    folder = installed_pipeline(name)
    if folder is None:
        near = get_close_matches(name, installed_pipelines(), 1, 0.6)
        hint = f"did you mean {near[0]!r}?" if near else "give a file or folder of word vectors"
        raise VectorsError(f"{name} does not exist: {hint}")
    return folder
