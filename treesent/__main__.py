"""``python -m treesent``, and the command ``treesent``."""

import os
import sys
from pathlib import Path

_TOLD = "treesent: error: standard output cannot be written: {}"


def main() -> None:
    """Run the command line.

    What standard streams lack is told in one line: a stream that is closed, a disk that is full, and Ctrl-C at
    any moment, while modules are imported too.
    """
    try:
        _open_streams()
        from treesent.cli import app

        app(prog_name="treesent" if Path(sys.argv[0]).stem == "treesent" else "python -m treesent")
    except SystemExit as ended:
        try:
            sys.stdout.flush()
        except OSError as error:
            done = ended.code in (None, 0)
            _leave(_TOLD.format(error.strerror) if done else "", 1 if done else int(ended.code or 1))
        raise
    except KeyboardInterrupt:
        _leave("treesent: interrupted", 130)
    except BrokenPipeError:
        _leave("", 1)  # the reader has left, which is no error of ours to tell
    except OSError as error:
        if error.filename is not None:
            raise
        _leave(_TOLD.format(error.strerror), 1)


def _open_streams() -> None:
    """Give closed streams a place, so that no file that is opened later becomes one of them.

    Reading standard input and writing standard output fail then; what would be written to standard error is
    dropped.
    """
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            place = os.open(os.devnull, os.O_RDONLY if name == "stdout" else os.O_WRONLY)
            if place != descriptor:
                os.dup2(place, descriptor)
            setattr(sys, name, os.fdopen(descriptor, "r" if name == "stdin" else "w", encoding="utf-8"))


def _leave(message: str, code: int) -> None:
    """End at once: at its own end Python would try to write what is left, and fail again."""
    if message:
        os.write(2, f"{message}\n".encode())
    os._exit(code)


if __name__ == "__main__":
    main()
