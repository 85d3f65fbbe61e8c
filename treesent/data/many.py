"""Many files of one kind, read as one table."""

import glob
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePath

from treesent.data.remote import RemotePath, place_of
from treesent.data.rows import Row, Rows
from treesent.data.tables import table_kind
from treesent.errors import DataError

_MARKS = set("*?[")


File = Path | RemotePath


def input_files(source: str | Path | Sequence[str | Path]) -> tuple[File, ...]:
    """Find the files that an input names.

    :param source: a file; a folder, whose files are read in the order of their paths, those of inner folders too (names
        that begin with ``.`` or ``_`` are passed over, as Spark and Arrow do); a pattern such as ``data/*.csv``, in which
        ``**`` stands for any folders; an address that fsspec knows, such as ``s3://bucket/reviews``, of any of these; or
        several of them.
    :returns: the files, none of them twice. A file that is named and missing is among them.
    :raises DataError: a folder without files, or a pattern that fits none.
    """
    names = [source] if isinstance(source, str | Path) else source
    return tuple(dict.fromkeys(path for name in names for path in _files(name)))


def _files(name: str | Path) -> Sequence[File]:
    path = place_of(name)
    if path.is_dir():
        found = [inner for inner in _inner(path) if not _hidden(str(inner)[len(str(path)) :])]
        if not found:
            raise DataError(f"{path}: a folder without files; name one that has some")
        return found
    if _MARKS & set(str(path)) and not path.exists():
        found = _matching(path)
        if not found:
            raise DataError(f"{path}: no file has such a name")
        return found
    return [path]


def _inner(folder: File) -> list[File]:
    if isinstance(folder, RemotePath):
        return [RemotePath(address) for address in folder.inner()]
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]


def _matching(pattern: File) -> list[File]:
    if isinstance(pattern, RemotePath):
        return [RemotePath(address) for address in pattern.matching()]
    names = glob.glob(str(pattern), recursive=True)  # noqa: PTH207
    return [path for path in map(Path, sorted(names)) if path.is_file()]


def _hidden(inner: str) -> bool:
    return any(part[0] in "._" for part in PurePath(inner.strip("/\\")).parts)


def common_kind(files: Sequence[File]) -> str:
    """Tell the kind of tables by their names.

    :param files: the tables.
    :raises DataError: a suffix that names no kind, or tables of several kinds.
    """
    kinds = {table_kind(str(path)): path for path in reversed(files)}
    if len(kinds) > 1:
        told = " and ".join(f"{path} is {kind}" for kind, path in kinds.items())
        raise DataError(f"{told}; name files of one kind, by a pattern such as '{files[0].parent}/*.csv'")
    return next(iter(kinds))


def size_of(path: File) -> int:
    """Bytes of a file; 0 if there is none.

    :param path: the file.
    """
    if isinstance(path, RemotePath):
        return path.size()
    return path.stat().st_size if path.is_file() else 0


def read_many(files: Sequence[File], read: Callable[[File], Rows], skip: int = 0) -> Rows:
    """Read files one after the other as one table; numbers of rows and lines begin anew in each.

    :param files: at least one.
    :param read: opens one.
    :param skip: rows to leave out at the start.
    :raises DataError: the columns of a file are not those of the first.
    """
    sizes = list(map(size_of, files))
    now, first = [0], read(files[0])
    opened = [first]

    def rows() -> Iterator[Row]:
        left = skip
        for now[0], path in enumerate(files):
            if now[0]:
                opened[0] = read(path)
                _compare(first, opened[0], files[0], path)
            for row in opened[0]:
                if left:
                    left -= 1
                else:
                    yield replace(row, source=str(path))

    def fraction() -> float:
        done = sum(sizes[: now[0]]) + sizes[now[0]] * (opened[0].fraction() or 0)
        return done / max(sum(sizes), 1)

    return Rows(rows(), first.columns, first.schema, fraction, close=lambda: opened[0].close())


def _compare(first: Rows, other: Rows, path: File, other_path: File) -> None:
    if list(first.columns or ()) != list(other.columns or ()):
        raise DataError(
            f"{other_path}: the columns are {', '.join(map(repr, other.columns or ()))}, and those of {path} are "
            f"{', '.join(map(repr, first.columns or ()))}; score files with other columns in a run of their own"
        )
    if first.schema is not None and not first.schema.equals(other.schema):
        changed = next(
            field.name for field, old in zip(other.schema, first.schema, strict=True) if not field.equals(old)
        )
        raise DataError(
            f"{other_path}: the column {changed!r} is {other.schema.field(changed).type}, and "
            f"{first.schema.field(changed).type} in {path}; score it in a run of its own"
        )
