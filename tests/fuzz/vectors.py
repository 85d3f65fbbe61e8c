"""Files of word vectors, of every format that treesent reads."""

import gzip
import io
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from tests import toy_pipeline
from tests.fuzz.kinds import Files, Kind, contents
from treesent.vectors.fit import SubwordSettings, with_fitted_subwords
from treesent.vectors.formats import read_vectors, write_vectors
from treesent.vectors.table import VectorTable


class Harmful:
    """Unpickling it would call a function."""

    def __reduce__(self):
        return Path, ("unpickled",)


def _table(width: int = 4) -> VectorTable:
    words = ["the", ",", "naïve", "Good", "good", "#", "it's", "\xa0"]
    return VectorTable(words, np.random.default_rng(0).normal(size=(len(words), width)).astype(np.float32))


def _written(folder: Path, *names: str, format: str | None = None) -> list[Files]:
    seeds = []
    for i, name in enumerate(names):
        place = folder / str(i)
        place.mkdir()
        write_vectors(_table(), place / name, format)
        seeds.append(contents(place))
    return seeds


def _own(folder: Path) -> list[Files]:
    tables = [_table(), _table().half(), _table().quantise()]
    tables.append(with_fitted_subwords(toy_pipeline.toy_table(), SubwordSettings(pieces=6)))
    for i, table in enumerate(tables):
        table.save(folder / str(i))
    return [
        {f"v/{name}": data for name, data in contents(folder / str(i)).items()} for i in range(len(tables))
    ]


def _safetensors(folder: Path) -> list[Files]:
    from safetensors.numpy import save

    matrix = _table().matrix
    words = "\n".join(f"w{i}" for i in range(len(matrix))).encode()
    seeds = []
    for dtype in ("F32", "F16", "F64", "BF16", "F8_E4M3", "I8", "U8", "BOOL", "F4"):
        data = save({"vectors": matrix})
        size = int.from_bytes(data[:8], "little")
        header = data[8 : 8 + size].replace(b'"F32"', f'"{dtype}"'.encode())
        seeds.append(
            {"v.safetensors": len(header).to_bytes(8, "little") + header + data[8 + size :], "v.txt": words}
        )
    return seeds


def _fasttext(folder: Path) -> list[Files]:
    """A small model in fastText's binary format, version 12."""
    words, width, buckets = [b"the", b"good", b"film"], 3, 5
    stream = io.BytesIO()
    stream.write(struct.pack("<ii", 793712314, 12))
    stream.write(struct.pack("<iiiiiiiiiiiid", width, 5, 5, 1, 5, 1, 2, 1, buckets, 3, 6, 100, 1e-4))
    stream.write(struct.pack("<iiiqq", len(words), len(words), 0, 30, -1))
    for word in words:
        stream.write(word + b"\0" + struct.pack("<qb", 10, 0))
    rng = np.random.default_rng(1)
    stream.write(struct.pack("<?qq", False, len(words) + buckets, width))
    stream.write(rng.normal(size=(len(words) + buckets, width)).astype("<f4").tobytes())
    stream.write(struct.pack("<?qq", False, len(words), width))
    stream.write(rng.normal(size=(len(words), width)).astype("<f4").tobytes())
    return [{"v.bin": stream.getvalue()}]


def _zip(folder: Path) -> list[Files]:
    text = "".join(
        f"{word} {' '.join(map(str, row))}\n" for word, row in zip("abc", np.eye(3), strict=True)
    ).encode()
    seeds = []
    for names in (["v.txt"], ["v.txt", "more.txt"], ["../v.txt"]):
        for packing in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA):
            stream = io.BytesIO()
            with zipfile.ZipFile(stream, "w", packing) as archive:
                for name in names:
                    archive.writestr(zipfile.ZipInfo(name), text, packing)
            seeds.append({"v.zip": stream.getvalue()})
    return [*seeds, {"v.zip": gzip.compress(text, mtime=0)}]


def _pickles(folder: Path) -> list[Files]:
    seeds = [{"v.kv": pickle.dumps(Harmful(), protocol)} for protocol in (0, 2, 4)]
    seeds += [{"v.kv": pickle.dumps({"a": [1.5, "b"]}, protocol)} for protocol in (2, 5)]
    stream = io.BytesIO()
    np.save(stream, np.array([Harmful()], object), allow_pickle=True)
    return [*seeds, {"v.kv": stream.getvalue()}]


def _read(folder: Path, files: Files) -> None:
    name = "v" if (folder / "v").is_dir() else min((p.name for p in folder.iterdir()), key=_rank)
    table = read_vectors(folder / name, lower=len(name) % 2 == 0, duplicates="first")
    table.lookup(["the", "unheard-of", ""])


def _rank(name: str) -> tuple[bool, str]:
    return not name.startswith("v.") or name == "v.txt", name


_numbers = st.sampled_from(["1", "-0.5", "1e-3", "nan", "inf", "1e999", "x", "", "1_0", "٣"])
_word = st.text(max_size=5) | st.sampled_from(["the", "3 4", "\xa0", "\u2028", "2 3"])


def _lines() -> st.SearchStrategy[Files]:
    row = st.tuples(_word, st.lists(_numbers, min_size=2, max_size=3)).map(
        lambda row: " ".join([row[0], *row[1]])
    )
    header = st.sampled_from(["", "3 2\n", "2 2\n", "3 1000000000000\n", "1000000000000 2\n", "-1 2\n"])
    both = st.tuples(header, st.lists(row, max_size=5).map("\n".join))
    return both.map(lambda parts: {"v.txt": "".join(parts).encode("utf-8", "surrogatepass")})


KINDS = [
    Kind("vectors text", lambda f: _written(f, "v.txt", "v.vec"), _read, 1.5, _lines),
    Kind("vectors packed", lambda f: _written(f, "v.txt.gz", "v.vec.bz2", "v.bin.xz"), _read),
    Kind("vectors word2vec", lambda f: _written(f, "v.bin"), _read),
    Kind("vectors npy", lambda f: _written(f, "v.npy"), _read),
    Kind("vectors own", _own, _read),
    Kind("vectors safetensors", _safetensors, _read),
    Kind("vectors fastText", _fasttext, _read),
    Kind("vectors spaCy", lambda f: _written(f, "v", format="spacy"), _read, 1.5),
    Kind("vectors zip", _zip, _read),
    Kind("vectors pickle", _pickles, _read),
]
