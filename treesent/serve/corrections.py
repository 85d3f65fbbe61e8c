"""Labels that people corrected, kept in a file of bracketed trees that ``treesent train`` reads as a corpus.

A line is a sentence: the nodes that were corrected have their label, all others ``-``, which trains nothing. A new
sentence is appended and synced before it is acknowledged. Correcting a sentence again replaces its line, by replacing
the file whole. A lock on the folder keeps one writer at work, whatever the number of workers and servers.
"""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from treesent.errors import OutputError, TreeFormatError
from treesent.files import replacing
from treesent.serve import log
from treesent.trees.brackets import parse_tree
from treesent.trees.notation import escape
from treesent.trees.tree import Tree

_Key = tuple[tuple[str, ...], bytes]


class Corrections:
    """The file."""

    def __init__(self, path: str | Path, n_classes: int) -> None:
        """Read what is kept already; the file is made if it is not there.

        :param path: the file.
        :param n_classes: how many classes there are.
        :raises OutputError: it cannot be written.
        :raises TreeFormatError: a line of it is not a tree with labels of the model.
        """
        self.path, self._n_classes = Path(os.path.realpath(path)), n_classes
        self._mutex = threading.Lock()
        self._stamp: tuple[int, ...] = ()
        self._lines: list[bytes] = []
        self._places: dict[_Key, int] = {}
        with self._writing():
            self._read()

    def kept(self, tree: Tree) -> dict[int, int]:
        """The labels that are kept of a sentence, by node.

        :param tree: the sentence.
        """
        with self._writing():
            self._read()
            return self._labels(tree)

    def correct(self, tree: Tree, changes: Mapping[int, int | None]) -> dict[int, int]:
        """Keep labels of a sentence, beside those that are kept already.

        :param tree: the sentence.
        :param changes: the class of each corrected node; None takes a correction back.
        :returns: all labels that are kept of it now. They are on the disk.
        :raises OutputError: the disk is full, say; nothing has changed then.
        """
        with self._writing():
            self._read()
            before = self._labels(tree)
            after = {node: label for node, label in {**before, **changes}.items() if label is not None}
            if after != before:
                self._write(tree, after)
            return after

    def _labels(self, tree: Tree) -> dict[int, int]:
        place = self._places.get(_key(tree))
        if place is None:
            return {}
        line = parse_tree(self._lines[place].decode(), self._n_classes, self.path, place + 1)
        return {node: label for node, label in enumerate(line.label.tolist()) if label >= 0}

    def _write(self, tree: Tree, labels: Mapping[int, int]) -> None:
        line = (
            tree.with_labels([labels.get(node, -1) for node in range(tree.n_nodes)]).brackets().encode()
            + b"\n"
        )
        key = _key(tree)
        place = self._places.get(key)
        if place is None:
            self._append(line)
            self._places[key] = len(self._lines)
            self._lines.append(line)
            self._stamp = self._now()
            return
        lines = [*self._lines]
        lines[place : place + 1] = [line] if labels else []
        with replacing(self.path) as file:
            file.writelines(lines)
        self._read()

    def _append(self, line: bytes) -> None:
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        try:
            size = os.fstat(handle).st_size
            try:
                if os.write(handle, line) < len(line):
                    raise OSError(None, "only a part of the line fits")
                os.fsync(handle)
            except OSError:
                with suppress(OSError):
                    os.ftruncate(handle, size)
                raise
        finally:
            os.close(handle)

    def _read(self) -> None:
        """Read the file if it has changed since, and mend an end that a crash left."""
        if self._now() == self._stamp:
            return
        lines = self.path.read_bytes().splitlines(keepends=True)
        if lines and not lines[-1].endswith(b"\n"):
            lines = self._mended(lines)
        places = {}
        for number, line in enumerate(lines):
            if line.strip():
                places[_key(self._parsed(line, number + 1))] = number
        self._lines, self._places, self._stamp = lines, places, self._now()

    def _now(self) -> tuple[int, ...]:
        """What changes when the file does."""
        status = self.path.stat()
        return status.st_ino, status.st_size, status.st_mtime_ns

    def _mended(self, lines: list[bytes]) -> list[bytes]:
        """End the last line; one that is cut short goes into a file of its own, since nobody was told it is kept."""
        *whole, last = lines
        try:
            self._parsed(last, len(lines))
            whole.append(last + b"\n")
        except TreeFormatError:
            aside = self.path.with_name(f"{self.path.name}.unfinished")
            with aside.open("ab") as file:
                file.write(last + b"\n")
            log.event("unfinished correction", bytes=len(last), line=len(lines), moved_to=str(aside))
        with replacing(self.path) as file:
            file.writelines(whole)
        return whole

    def _parsed(self, line: bytes, number: int) -> Tree:
        try:
            return parse_tree(line.decode(), self._n_classes, self.path, number)
        except UnicodeDecodeError as error:
            raise TreeFormatError(
                "not UTF-8: save the file as UTF-8", self.path, number, error.start + 1
            ) from error

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Be the only one at the file, which is made if it is gone."""
        with self._mutex:
            try:
                with _locked(self.path.parent):
                    os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o666))
                    yield
            except OSError as error:
                if isinstance(error, OutputError):
                    raise
                raise OutputError(
                    f"{self.path} cannot be written: {error.strerror}; name another file"
                ) from error


def _key(tree: Tree) -> _Key:
    """What a sentence is known by: its words as they stand in the file, and its shape."""
    return tuple(map(escape, tree.words)), tree.left.tobytes()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        import fcntl
    except ImportError:  # Windows, where there is one worker
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
