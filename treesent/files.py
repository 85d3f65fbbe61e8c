"""Find a packaged file by its name; write a file or a folder whole or not at all.

Whatever treesent writes goes through :func:`replacing`, :func:`replacing_path` or :func:`replacing_folder`.
Every command names all its outputs to :func:`check_outputs` or :func:`check_output_folder` before it starts.
"""

import fnmatch
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from secrets import token_hex
from typing import IO, Any

from treesent.errors import ModelError, OutputError, RecipeError, TreesentError, VectorsError

_PACKAGE = Path(__file__).parent


def pipeline_path(name: str | Path) -> Path:
    """The folder of a trained pipeline.

    :param name: a folder, the name of a packaged pipeline such as ``en_treesent_sm``, or the name of an
        installed spaCy pipeline.
    :raises ModelError: there is none of them.
    """
    installed = None if Path(name).exists() else installed_pipeline(str(name))
    if installed is not None:
        return installed
    return _find(name, "pipelines", "", "pipeline", ModelError, _is_pipeline)


def installed_pipeline(name: str) -> Path | None:
    """The folder of an installed spaCy pipeline, found without importing its package; None if there is none.

    :param name: of the package, such as ``en_core_web_sm``.
    """
    if name not in installed_pipelines():
        return None
    spec = find_spec(name)
    package = Path(spec.origin).parent if spec is not None and spec.origin is not None else Path(name)
    folders = [meta.parent for meta in (*package.glob("*/meta.json"), package / "meta.json")]
    return next((folder for folder in folders if (folder / "vocab").is_dir()), None)


def installed_pipelines() -> list[str]:
    """The names of all installed packages that say that they are spaCy pipelines."""
    return sorted({entry.name for entry in entry_points(group="spacy_models")})


def english_parser() -> str:
    """Name a spaCy pipeline that parses English: one that is installed, if there is any."""
    return next((name for name in installed_pipelines() if name.startswith("en_core_web")), "en_core_web_sm")


def recipe_path(name: str | Path) -> Path:
    """The file of a training recipe.

    :param name: a file, or the name of a packaged recipe such as ``tree_lstm``.
    :raises RecipeError: where neither exists.
    """
    return _find(name, "pipelines", ".cfg", "recipe", RecipeError, Path.is_file)


def embeddings_path(name: str | Path) -> Path:
    """A file of the ``embeddings`` folder, such as ``sources.toml``.

    :param name: a file, or the name of a packaged one.
    :raises VectorsError: where neither exists.
    """
    return _find(name, "embeddings", "", "file about vectors", VectorsError, Path.is_file)


def data_path(name: str | Path, folder: Path) -> Path:
    """A file or folder that a recipe names, as an absolute path.

    :param name: relative to the recipe's folder or to the working directory, or the name of something packaged,
        such as ``en_treesent_sm/treesent/vectors``.
    :param folder: the recipe's.
    :raises RecipeError: if there is nothing at any of these places.
    """
    name = Path(name).expanduser()
    homes = [packaged(home) for home in ("pipelines", "embeddings")]
    places = list(dict.fromkeys((home / name).absolute() for home in (folder, Path(), *homes)))
    for place in places:
        if os.path.exists(place):  # noqa: PTH110  Path.exists raises where a name is too long
            return place.resolve()
    raise RecipeError(f"there is no file {str(name)!r}; tried {', '.join(map(str, places))}")


def packaged(folder: str) -> Path:
    """Where package data lies: inside an installed wheel, or beside the code in a checkout.

    :param folder: ``pipelines`` or ``embeddings``.
    """
    installed = _PACKAGE / folder
    return installed if installed.is_dir() else _PACKAGE.parent / folder


def _is_pipeline(path: Path) -> bool:
    return (path / "meta.json").is_file() or (path / "config.cfg").is_file()


def _find(
    name: str | Path,
    folder: str,
    suffix: str,
    what: str,
    error: type[TreesentError],
    fits: Callable[[Path], bool],
) -> Path:
    home = packaged(folder)
    tried = [Path(name), home / name]
    if suffix and Path(name).suffix != suffix:
        tried += [Path(f"{name}{suffix}"), home / f"{name}{suffix}"]
    for path in tried:
        if fits(path):
            return path
    known = sorted(path.stem if suffix else path.name for path in _known(home, suffix) if fits(path))
    near = get_close_matches(Path(name).stem if suffix else Path(name).name, known, n=3, cutoff=0.5)
    hint = (
        f"did you mean {' or '.join(map(repr, near))}?" if near else f"the packaged ones: {known or 'none'}"
    )
    places = ", ".join(str(path.absolute()) for path in dict.fromkeys(tried))
    raise error(f"there is no {what} {str(name)!r}: {hint} (tried {places})")


def _known(home: Path, suffix: str) -> list[Path]:
    return list(home.glob(f"*{suffix}")) if home.is_dir() else []


@contextmanager
def replacing(path: str | Path, mode: str = "wb", **options: Any) -> Iterator[IO[Any]]:
    """Write a file whole: what was there before stays until the new one is complete.

    The new file takes the permissions of the old one. A symbolic link is followed: its target is replaced.
    A device, a FIFO or ``/dev/null`` is written into.

    :param path: the file.
    :param mode: ``wb`` or ``w``.
    :param options: as ``open`` takes them, such as ``encoding``.
    :returns: a context that yields the open file. If the body raises, the old file stays and nothing else is
        left behind.
    :raises OutputError: the file cannot be written, because the disk is full for example.
    """
    with replacing_path(path) as partial, _named(path), partial.open(mode, **options) as file:
        yield file
        file.flush()


@contextmanager
def replacing_path(path: str | Path) -> Iterator[Path]:
    """Write a file whole with a function that takes a path: see :func:`replacing`.

    :param path: the file; its folder is made.
    :returns: a context that yields the path to write to, an empty file beside ``path``; ``path`` itself if it
        is a device or a FIFO.
    :raises OutputError: the file cannot be written.
    """
    target = _target(path)
    with _named(path):
        if target.is_dir():
            raise OutputError(f"{path} is a folder; name a file")
        if target.exists() and not target.is_file():
            yield target
            return
        partial = _beside(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            permissions = stat.S_IMODE((target if target.exists() else partial).stat().st_mode)
            yield partial
            partial.chmod(permissions)  # safetensors makes its files readable by their owner alone
            _sync(partial)
            partial.replace(target)
            _sync(target.parent)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: str | Path, holds: Iterable[str] = ()) -> Iterator[Path]:
    """Write a folder whole: what was there before stays until the new one is complete.

    :param path: the folder; its parents are made. A symbolic link is followed.
    :param holds: patterns of the files that treesent writes there, such as ``vocab/*``. A folder that holds
        anything else is not replaced.
    :returns: a context that yields the empty folder to write to, beside ``path``.
    :raises OutputError: the folder cannot be written, or holds files that treesent did not write.
    """
    target = _target(path)
    _check_folder(path, target, holds)
    with _named(path):
        target.parent.mkdir(parents=True, exist_ok=True)
        partial, old = _beside(target), _beside(target, "replaced")
        try:
            partial.mkdir()
            yield partial
            for file in partial.rglob("*"):
                if file.is_file():
                    _sync(file)
            _check_folder(path, target, holds)
            if target.exists():
                target.rename(old)
            try:
                partial.rename(target)
            except OSError:
                if old.exists():
                    old.rename(target)
                raise
            _sync(target.parent)
            shutil.rmtree(old, ignore_errors=True)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def check_outputs(
    outputs: Iterable[str | Path | None],
    inputs: Iterable[str | Path | None] = (),
    overwrite: bool = False,
    *,
    make_folders: bool = False,
) -> None:
    """Refuse files that a command must not or cannot write, before it starts.

    :param outputs: all files that it will write, those beside its main output too; None is passed over.
    :param inputs: all files and folders that it reads.
    :param overwrite: whether files that exist may be replaced.
    :param make_folders: whether the command makes the folders of its outputs; else they must be there.
    :raises OutputError: an output exists, is an input or another output, or its folder cannot hold it.
    """
    seen: dict[Path, str | Path] = {}
    read = [Path(os.path.realpath(path)) for path in inputs if path is not None]
    for path in outputs:
        if path is None:
            continue
        target = _target(path)
        if target in seen:
            raise OutputError(f"{path} is written twice, as {seen[target]} too; give another name")
        seen[target] = path
        if target.is_dir():
            raise OutputError(f"{path} is a folder; name a file")
        if target.exists() and not target.is_file():
            continue
        _check_inputs(path, target, read)
        if target.exists() and not overwrite:
            raise OutputError(f"{path} exists already; name another output, or replace it with --overwrite")
        if not target.parent.is_dir() and not make_folders:
            raise OutputError(f"{path}: there is no folder {target.parent}; make it first")
        _check_writable(path, target.parent)


def check_output_folder(
    path: str | Path,
    holds: Iterable[str] = (),
    inputs: Iterable[str | Path | None] = (),
    overwrite: bool = False,
) -> None:
    """Refuse a folder that a command must not or cannot write, before it starts.

    :param path: the folder; an empty one may be there.
    :param holds: patterns of the files that treesent writes there, as in :func:`replacing_folder`.
    :param inputs: all files and folders that the command reads.
    :param overwrite: whether a folder that treesent wrote may be replaced.
    :raises OutputError: the folder exists, holds other files or an input, or cannot be made.
    """
    target = _target(path)
    _check_folder(path, target, holds)
    _check_inputs(path, target, [Path(os.path.realpath(name)) for name in inputs if name is not None])
    if target.exists() and any(target.iterdir()) and not overwrite:
        raise OutputError(f"{path} exists already; name another output, or replace it with --overwrite")
    _check_writable(path, target.parent)


def _target(path: str | Path) -> Path:
    """The file behind a name, links followed."""
    try:
        target = Path(os.path.realpath(path))
        target.stat()
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        raise OutputError(f"{str(path)!r} cannot be written: {error}; name another output") from error
    return target


def _check_folder(path: str | Path, target: Path, holds: Iterable[str]) -> None:
    """Refuse to replace a folder that is not treesent's."""
    if not target.exists():
        return
    if not target.is_dir():
        raise OutputError(f"{path} is a file; name a folder that does not exist yet")
    if Path.cwd().resolve().is_relative_to(target):
        raise OutputError(f"{path} is, or holds, the working folder; name another output")
    patterns = list(holds)
    for file in target.rglob("*"):
        name = file.relative_to(target).as_posix()
        known = any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
        if not known and (file.is_symlink() or not file.is_dir()):
            raise OutputError(
                f"{path} holds {name}, which treesent did not write there; "
                "name another output, or move it away"
            )


def _check_inputs(path: str | Path, target: Path, inputs: Iterable[Path]) -> None:
    for source in inputs:
        same = source == target or (source.exists() and target.exists() and source.samefile(target))
        if same or source.is_relative_to(target):
            raise OutputError(f"{path} is the input as well ({source}); name another output")


def _check_writable(path: str | Path, folder: Path) -> None:
    """Refuse a place if the nearest folder above it that exists takes no file."""
    parent = next(place for place in (folder, *folder.parents) if place.exists())
    if not parent.is_dir():
        raise OutputError(f"{path}: {parent} is a file; name another output")
    try:
        with tempfile.TemporaryFile(dir=parent):
            pass
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}; name another output") from error


def _beside(target: Path, what: str = "partial") -> Path:
    """A name in the same folder, and so on the same disk, that no other run uses."""
    return Path(f"{_short(target)}.{os.getpid()}.{token_hex(4)}.{what}")


def _short(target: Path) -> Path:
    """The name, cut so that more letters fit behind it."""
    return target.with_name(target.name[:200]) if target.name else target


@contextmanager
def _named(path: str | Path) -> Iterator[None]:
    """Turn an error of writing into one that names the output; one about another file passes through."""
    try:
        yield
    except OSError as error:
        target = Path(os.path.realpath(path))
        place = str(error.filename or target)
        ours = place.startswith(str(_short(target))) or target.is_relative_to(place)
        if isinstance(error, TreesentError) or not ours:
            raise
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
