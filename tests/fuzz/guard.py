"""Watch what an input makes Python do: writes elsewhere, programs, unpickled classes, imports, memory."""

import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {
    *("os.mkdir", "os.rmdir", "os.remove", "os.rename", "os.link", "os.symlink", "os.truncate", "os.chmod"),
    *("shutil.rmtree", "shutil.move", "tempfile.mkstemp", "tempfile.mkdtemp"),
}
_NEVER = {
    *(
        "pickle.find_class",
        "subprocess.Popen",
        "os.system",
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
    ),
    *("os.spawn", "os.startfile", "socket.connect", "socket.bind", "socket.getaddrinfo", "urllib.Request"),
    *("webbrowser.open", "ctypes.dlopen"),
}


class ForbiddenError(BaseException):
    """A reader did what no file may make it do."""


class TooSlowError(BaseException):
    """An input took longer than its limit."""


class Guard:
    """An audit hook that is active while an input runs; a process has one, since hooks cannot be removed."""

    def __init__(self, folder: Path, seconds: float) -> None:
        """Install the hook.

        :param folder: the only place where files may be written.
        :param seconds: the limit of one input.
        """
        self.folder, self.seconds, self.seen, self.active = f"{folder.resolve()}{os.sep}", seconds, "", False
        # pyarrow looks for pytz at the first column with a time zone.
        self.packages, self.learning = {*sys.stdlib_module_names, "pytz"}, True
        sys.addaudithook(self._audit)
        signal.signal(signal.SIGPROF, self._late)
        signal.signal(signal.SIGALRM, self._late)

    def begin(self) -> None:
        """From now on nothing may be imported but packages of which something has been tried before."""
        self.packages |= {name.partition(".")[0] for name in sys.modules}
        self.learning = False

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Watch what is done inside.

        :raises ForbiddenError: something that no input may do, even if the reader caught the first error.
        :raises TooSlowError: the time is over.
        """
        self.seen, self.active = "", True
        # The processor's time, which a busy machine does not stretch; the clock's for what waits and never ends.
        signal.setitimer(signal.ITIMER_PROF, self.seconds)
        signal.setitimer(signal.ITIMER_REAL, 20 * self.seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.setitimer(signal.ITIMER_REAL, 0)
            self.active = False
        if self.seen:
            raise ForbiddenError(self.seen)

    def _late(self, *ignored: Any) -> None:
        if self.active:
            raise TooSlowError(f"more than {self.seconds} seconds")

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.learning and event == "import":
            self.packages.add(arguments[0].partition(".")[0])
        if not self.active:
            return
        if event == "open":
            path, mode, flags = arguments
            writes = bool((flags or 0) & _WRITES) or any(c in (mode or "") for c in "wax+")
            wrong = writes and not self._inside(path)
        elif event == "import":
            wrong = arguments[0].partition(".")[0] not in self.packages
        else:
            wrong = event in _NEVER or (event in _CHANGES and not self._inside(_absolute(arguments)))
        if wrong:
            self.seen = self.seen or f"{event} {arguments!r:.200}"
            raise ForbiddenError(self.seen)

    def _inside(self, path: Any) -> bool:
        if isinstance(path, int) or path is None:
            return True
        path = os.path.realpath(os.fsdecode(path))
        return f"{path}{os.sep}".startswith(self.folder) or path == os.devnull


def _absolute(arguments: tuple[Any, ...]) -> Any:
    """The path that an event names; one that is relative to an open folder in full."""
    path = arguments[0]
    if isinstance(arguments[-1], int) and arguments[-1] > 2 and isinstance(path, str | bytes):
        return Path(f"/proc/self/fd/{arguments[-1]}").readlink() / os.fsdecode(path)
    return path


def limit_memory(more: int) -> None:
    """Let the process have so many bytes more than it has now; allocations beyond fail."""
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc/self/statm").exists() else 0
    if pages:
        most = pages * resource.getpagesize() + more
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
