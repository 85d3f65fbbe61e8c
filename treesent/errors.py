"""The errors treesent raises: each names the place, the value and the fix."""

from pathlib import Path


class TreesentError(ValueError):
    """Something the caller can put right; the message says how."""


class TreeFormatError(TreesentError):
    """A bracketed tree that cannot be read."""

    def __init__(self, message: str, path: str | Path | None = None, line: int = 1, column: int = 1) -> None:
        """Name the place of the fault.

        :param message: what was found, what was expected and how to mend it.
        :param path: the file, or None for text that came from no file.
        :param line: one-based line.
        :param column: one-based column, counted in characters.
        """
        super().__init__(f"{path or '<text>'}:{line}:{column}: {message}")
        self.path, self.line, self.column = path, line, column


class DataError(TreesentError):
    """A row or file of the user's data that cannot be used."""


class VectorsError(TreesentError):
    """A table of word vectors that cannot be read or should not be used."""


class RecipeError(TreesentError):
    """A recipe with an unknown key or a value that makes no sense."""


class ModelError(TreesentError):
    """A model folder that is missing, cut short or of another kind."""


class DivergenceError(TreesentError):
    """A training whose loss, gradient or weights are not finite any more."""


class OutputError(TreesentError):
    """A file or folder that cannot be written, or must not be replaced."""


class ServerError(TreesentError):
    """A server that refuses a request or cannot be reached."""

    def __init__(self, message: str, status: int | None = None, place: str | None = None) -> None:
        """Name the fault.

        :param message: what the server told.
        :param status: of HTTP; None if no answer came.
        :param place: where in the request, such as ``texts[3]``.
        """
        super().__init__(": ".join(filter(None, (place, f"status {status}" if status else None, message))))
        self.message, self.status, self.place = message, status, place


class MissingExtraError(TreesentError, ImportError):
    """An optional package that is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        """Name the package and the command that installs it.

        :param package: the import that failed.
        :param extra: the extra of treesent that brings it.
        """
        super().__init__(f"{package} is not installed. Run: pip install 'treesent[{extra}]'")
