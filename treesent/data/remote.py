"""Files behind addresses such as ``s3://bucket/reviews.csv``, with those methods of ``Path`` that tables need.

The address goes to fsspec as it stands. Messages have it without what may be a secret.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Self, cast

from treesent.errors import DataError, OutputError, TreesentError

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_SECRET = re.compile(r"(://)[^/@]*@|[?#].*$")
_WHOLE = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oci", "memory"}
"""Stores that show a file only when all of it is there."""


def place_of(name: "str | Path | RemotePath") -> "Path | RemotePath":
    """Give the place that a name or an address stands for.

    :param name: of a file or folder.
    """
    if isinstance(name, str):
        return RemotePath(name) if _ADDRESS.match(name) else Path(name)
    return name


@dataclass(frozen=True, slots=True)
class RemotePath:
    """A file or folder behind an address."""

    address: str

    def __str__(self) -> str:
        """The address without user, password and query."""
        return _SECRET.sub(r"\1", self.address)

    def __repr__(self) -> str:
        return f"RemotePath({str(self)!r})"

    @property
    def name(self) -> str:
        """The last part."""
        return PurePosixPath(str(self)).name

    @property
    def suffix(self) -> str:
        """The suffix of the last part."""
        return PurePosixPath(str(self)).suffix

    @property
    def parent(self) -> str:
        """The address without its last part."""
        return str(self).rpartition("/")[0]

    def beside(self, ending: str) -> Self:
        """The file whose name has something more behind it."""
        return type(self)(self.address + ending)

    def exists(self) -> bool:
        """Whether there is something."""
        return bool(self._ask(lambda system, path: system.exists(path)))

    def is_file(self) -> bool:
        """Whether there is a file."""
        return bool(self._ask(lambda system, path: system.isfile(path)))

    def is_dir(self) -> bool:
        """Whether there is a folder."""
        return bool(self._ask(lambda system, path: system.isdir(path)))

    def size(self) -> int:
        """Bytes of the file; 0 if the store does not tell."""
        return int(self._ask(lambda system, path: system.size(path)) or 0)

    def version(self) -> str:
        """What changes when the file does."""
        return str(self._ask(lambda system, path: system.ukey(path)))

    def inner(self) -> list[str]:
        """The addresses of all files of the folder, those of inner folders too, in order."""
        return self._listed(lambda system, path: system.find(path))

    def matching(self) -> list[str]:
        """The addresses of all files that the pattern fits, in order."""
        return self._listed(lambda system, path: [p for p in system.glob(path) if system.isfile(p)])

    def open(self) -> IO[bytes]:
        """Open the file to read here and there."""
        return cast(IO[bytes], self._ask(lambda system, path: system.open(path, "rb")))

    @contextmanager
    def reading(self) -> Iterator[IO[bytes]]:
        """Open the file to read; errors on the way name the address."""
        with self._told(DataError), self.open() as stream:
            yield stream

    def write(self, whole: Path) -> None:
        """Bring a local file here: all of it or nothing.

        :param whole: the file.
        :raises OutputError: it cannot be written.
        """

        def put(system: Any, path: str) -> None:
            if _protocols(system) & _WHOLE:
                system.put_file(str(whole), path)
                return
            partial = f"{path}.partial"
            system.put_file(str(whole), partial)
            system.mv(partial, path)

        self._ask(put, OutputError)

    def unlink(self) -> None:
        """Delete the file, if it is there."""
        self._ask(lambda system, path: system.exists(path) and system.rm_file(path), OutputError)

    def _listed(self, find: Callable[[Any, str], list[str]]) -> list[str]:
        return list(self._ask(lambda system, path: sorted(map(system.unstrip_protocol, find(system, path)))))

    def _ask(self, question: Callable[[Any, str], Any], kind: type[TreesentError] = DataError) -> Any:
        from fsspec.core import url_to_fs

        with self._told(kind):
            return question(*url_to_fs(self.address))

    @contextmanager
    def _told(self, kind: type[TreesentError]) -> Iterator[None]:
        """Name the address in errors, whose types differ from store to store."""
        try:
            yield
        except TreesentError:
            raise
        except Exception as error:
            reason = str(error).replace(self.address, str(self)) or type(error).__name__
            raise kind(f"{self}: {reason}") from None


def _protocols(system: Any) -> set[str]:
    return {system.protocol} if isinstance(system.protocol, str) else set(system.protocol)
