"""Find a pipeline, a recipe or a file about vectors by its path or its name."""

import os
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path

from treesent.errors import ModelError, RecipeError, TreesentError, VectorsError

_PACKAGE = Path(__file__).parent


def pipeline_path(name: str | Path) -> Path:
    """The folder of a trained pipeline.

    :param name: a folder, or the name of a packaged pipeline such as ``en_treesent_sm``.
    :raises ModelError: where neither exists.
    """
    return _find(name, "pipelines", "", "pipeline", ModelError, _is_pipeline)


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


def readable(path: Path) -> None:
    """Give a file the permissions that any new file of this process gets.

    safetensors makes its files readable by their owner alone, and a model is there to be shared.

    :param path: the file.
    """
    mask = os.umask(0)
    os.umask(mask)
    path.chmod(0o666 & ~mask)
