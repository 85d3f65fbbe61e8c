"""Open a vector file for reading as bytes, whatever it is packed with."""

import bz2
import errno
import gzip
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from treesent.errors import VectorsError

PACKED = (".gz", ".bz2", ".xz", ".zip")
_OPENERS: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\0": lzma.open,
}


@contextmanager
def open_bytes(path: Path, member: str | None = None) -> Iterator[BinaryIO]:
    """Open a plain, gz, bz2, xz or zip file; the packing is told by the first bytes, not by the name.

    :param path: the file.
    :param member: which file of a zip archive; needed if it holds several.
    :raises VectorsError: the file is missing, is a folder or is damaged.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise VectorsError(f"{path} {what}: give a file of word vectors")
    with path.open("rb") as probe:
        start = probe.read(6)
    try:
        if start[:4] == b"PK\x03\x04":
            with zipfile.ZipFile(path) as archive, archive.open(_member(path, archive, member)) as file:
                yield cast(BinaryIO, file)
            return
        opener = next((opener for magic, opener in _OPENERS.items() if start.startswith(magic)), None)
        with opener(path, "rb") if opener else path.open("rb") as file:
            yield file
    except (RuntimeError, NotImplementedError) as error:  # how zipfile refuses a password or a method
        raise VectorsError(
            f"{path} cannot be unpacked ({error}): unpack it and give the file inside"
        ) from error
    except (
        EOFError,
        lzma.LZMAError,
        zlib.error,
        zipfile.BadZipFile,
        gzip.BadGzipFile,
        struct.error,
        MemoryError,  # a damaged header of lzma asks for any amount
    ) as error:
        raise VectorsError(f"{path} is cut short or damaged ({error}): fetch it again") from error
    except OSError as error:
        # bz2 says "Invalid data stream"; zipfile seeks to wherever a damaged directory says.
        if "data stream" not in str(error) and error.errno != errno.EINVAL:
            raise
        raise VectorsError(f"{path} is cut short or damaged ({error}): fetch it again") from error


def _member(path: Path, archive: zipfile.ZipFile, member: str | None) -> str:
    names = [name for name in archive.namelist() if not name.endswith("/")]
    if member is None and len(names) == 1:
        return names[0]
    if member in names and member is not None:
        return member
    wanted = f"has no {member!r}" if member else "holds several files"
    raise VectorsError(f"{path} {wanted}; name one with --member: {', '.join(names) or '(it is empty)'}")
