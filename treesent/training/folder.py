"""The folder beside the output in which a run keeps its checkpoint, and the lock that keeps other runs out."""

import contextlib
import fnmatch
import os
import re
import shutil
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from treesent.errors import ModelError, OutputError, RecipeError
from treesent.files import check_output_folder, replacing_folder

CHECKPOINT, LOCK, OVERWRITE, DIVERGED = "checkpoint.safetensors", "lock", "overwrite", "diverged"
_HOLDS = (CHECKPOINT, LOCK, OVERWRITE, DIVERGED, "*.partial")


@dataclass(frozen=True, slots=True)
class RunFolder:
    """``OUT.checkpoint``, where a run keeps what ``--resume`` continues.

    It holds the checkpoint; ``lock``, locked while a process trains; ``overwrite`` if the run may replace the
    output; ``diverged`` if it was stopped by a loss that is not finite.

    :param output: the folder that the run writes in the end.
    :param holds: patterns of the files that treesent writes there.
    """

    output: Path
    holds: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """The folder of the checkpoint."""
        return self.output.with_name(self.output.name + ".checkpoint")

    @property
    def checkpoint(self) -> Path:
        """The checkpoint's file."""
        return self.path / CHECKPOINT

    @property
    def diverged(self) -> bool:
        """Whether the run was stopped by a loss that is not finite."""
        return (self.path / DIVERGED).exists()

    def note_divergence(self, error: Exception) -> None:
        """Remember that the run was stopped by a loss that is not finite.

        :param error: what stopped it.
        """
        (self.path / DIVERGED).write_text(f"{error}\n", encoding="utf-8")

    @contextmanager
    def replacing_output(self) -> Iterator[Path]:
        """Write the output whole and keep its README.md, then remove this folder.

        :returns: a context that yields the path of the folder to make, which does not exist yet.
        :raises OutputError: it cannot be written; the checkpoint stays.
        """
        # From here on, a folder at the output is this run's own: a run that is resumed may replace it.
        (self.path / OVERWRITE).touch()
        with replacing_folder(self.output, self.holds) as partial:
            partial.rmdir()
            yield partial
            card = self.output / "README.md"
            if card.is_file():
                (partial / card.name).write_bytes(card.read_bytes())
        self._clear()

    def check(self, resume: bool, overwrite: bool, inputs: Iterable[Path] = ()) -> None:
        """Refuse what the run must not replace or continue, and change nothing.

        :param resume: continue the interrupted run.
        :param overwrite: drop an interrupted run, and replace the output if treesent wrote it.
        :param inputs: what the run reads.
        :raises TreesentError: the output or the checkpoint's folder holds other files, another training uses
            it, or there is nothing to resume.
        """
        check_output_folder(self.output, self.holds, inputs, overwrite=True)  # first, since "." has no name
        if (self.path / LOCK).is_file() and not self.path.is_symlink():
            os.close(self._open_lock())
        self._check(resume, overwrite, inputs)

    def _check(self, resume: bool, overwrite: bool, inputs: Iterable[Path]) -> None:
        check_output_folder(self.output, self.holds, inputs, overwrite=True)
        if self.path.is_symlink() or (self.path.exists() and not self.path.is_dir()):
            raise OutputError(
                f"{self.path} is a file or a link, but the checkpoint of {self.output} would be kept there; "
                "move it away or name another output"
            )
        for file in sorted(self.path.glob("*")):
            known = any(fnmatch.fnmatchcase(file.name, pattern) for pattern in _HOLDS)
            if not known or file.is_symlink() or not file.is_file():
                raise OutputError(
                    f"{self.path} holds {file.name}, which treesent did not write there; "
                    "move it away or name another output"
                )
        if resume:
            self._check_resume()
        elif self.checkpoint.exists() and not overwrite:
            raise RecipeError(
                f"{self.path} is left from an interrupted run; continue it with --resume, or drop it with "
                "--overwrite"
            )

    @contextmanager
    def locked(self, resume: bool, overwrite: bool, inputs: Iterable[Path] = ()) -> Iterator[None]:
        """Refuse what the run must not replace or continue, then keep other runs out of the folder.

        :param resume: continue the interrupted run.
        :param overwrite: drop an interrupted run, and replace the output if treesent wrote it.
        :param inputs: what the run reads.
        :raises TreesentError: the output or the checkpoint's folder holds other files, another training uses
            it, or there is nothing to resume.
        """
        inputs = list(inputs)
        self.check(resume, overwrite, inputs)
        with self._lock():
            self._check(resume, overwrite, inputs)  # the run that held the lock may have changed something
            _recover(self.output)
            may_replace = overwrite or (resume and (self.path / OVERWRITE).exists())
            check_output_folder(self.output, self.holds, inputs, may_replace)
            if not resume:
                for name in (CHECKPOINT, OVERWRITE, DIVERGED):
                    (self.path / name).unlink(missing_ok=True)
            if overwrite:
                (self.path / OVERWRITE).touch()
            for partial in self.path.glob("*.partial"):
                partial.unlink()
            yield

    def _check_resume(self) -> None:
        if self.checkpoint.is_file():
            return
        if self.path.is_dir():
            raise ModelError(
                f"{self.path} holds no {CHECKPOINT}: the run ended before it wrote one, or the file was "
                "deleted; start the training again without --resume"
            )
        if self.output.is_dir() and any(self.output.iterdir()):
            raise ModelError(
                f"{self.output} is finished, so there is nothing to resume; train it again with --overwrite, "
                "or name another output"
            )
        raise ModelError(
            f"{self.path}: there is no such folder, so there is no run to resume; start the training without "
            "--resume"
        )

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Hold the lock; it ends with the process, however that ends."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            handle = self._open_lock()
        except OSError as error:
            raise OutputError(f"{self.path} cannot be written: {error.strerror}") from error
        try:
            os.ftruncate(handle, 0)
            os.write(handle, f"process {os.getpid()} on {socket.gethostname()}".encode())
            yield
        finally:
            if self.path.is_dir() and not self.checkpoint.exists():
                self._clear()  # nothing to resume: leave nothing behind
            else:
                (self.path / LOCK).unlink(missing_ok=True)
            os.close(handle)

    def _open_lock(self) -> int:
        file = self.path / LOCK
        while True:
            handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                _flock(handle)
                # The run that had it may have removed the file in between.
                if file.exists() and os.path.samestat(os.fstat(handle), file.stat()):
                    return handle
                os.close(handle)
                self.path.mkdir(parents=True, exist_ok=True)
            except BlockingIOError as error:
                owner = os.read(handle, 200).decode(errors="replace") or "a process that is not known"
                os.close(handle)
                raise OutputError(
                    f"another training is writing {self.output} ({owner}); wait until it has ended, or name "
                    "another output"
                ) from error

    def _clear(self) -> None:
        for name in (CHECKPOINT, DIVERGED, OVERWRITE, LOCK):
            (self.path / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # somebody else has put a file there
            self.path.rmdir()


def _flock(handle: int) -> None:
    """Lock an open file, or raise BlockingIOError; without file locks on this system, do nothing."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:  # a file system without locks
        return


def _recover(output: Path) -> None:
    """Clean up after a run that was killed while its folder took the place of the old one."""
    home, name = output.absolute().parent, re.escape(output.name[:200])
    if not home.is_dir():
        return
    for path in sorted(home.iterdir()):
        found = re.fullmatch(rf"{name}\.(\d+)\.[0-9a-f]{{8}}\.(partial|replaced)", path.name)
        if found is None or not path.is_dir() or _alive(int(found[1])):
            continue
        if found[2] == "replaced" and not output.exists():
            path.rename(output)
        else:
            shutil.rmtree(path, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
