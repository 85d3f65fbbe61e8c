"""The file of a parser: settings and weights in one, whichever kind it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from torch import nn

from treesent.errors import ModelError
from treesent.files import readable
from treesent.nn.recurrent_layer import current_names

Parser = TypeVar("Parser", bound=nn.Module)


def save_parser(parser: nn.Module, path: str | Path, form: str) -> None:
    """Write settings and weights to one file, the weights in half precision.

    :param parser: with its ``config``, a dataclass, and the ``width`` of the vectors that it reads.
    :param path: the file.
    :param form: name and version of the format.
    """
    from safetensors.torch import save_file

    tensors = {name: t.detach().cpu().half().contiguous() for name, t in parser.state_dict().items()}
    settings: Any = parser.config
    save_file(
        tensors, path, {"format": form, "config": json.dumps({"width": parser.width, **asdict(settings)})}
    )
    readable(Path(path))


def load_parser(
    path: str | Path, form: str, make: Callable[[dict[str, Any]], Parser], kind: str, recipe: str
) -> Parser:
    """Read what :func:`save_parser` wrote, ready to parse.

    :param path: the file.
    :param form: name and version of the format.
    :param make: makes the parser of the settings, ``width`` among them.
    :param kind: what it is, for messages.
    :param recipe: what trains one, for messages.
    :raises ModelError: it is missing, damaged or no parser of this version.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise ModelError(f"{path}: there is no such file; train one with pipelines/{recipe}.cfg")
    try:
        with safe_open(path, "pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        if header.get("format") != form:
            raise ModelError(f"{path}: no {kind} of this version of treesent; train it again")
        broken = next((name for name, tensor in tensors.items() if not tensor.isfinite().all()), None)
        if broken is not None:
            raise ModelError(f"{path}: {broken} holds NaN or infinity; copy or train the parser again")
        parser = make(json.loads(header["config"]))
        parser.load_state_dict(current_names(tensors))
    except ModelError:
        raise
    except (SafetensorError, OSError, KeyError, TypeError, RuntimeError, ValueError) as error:
        raise ModelError(f"{path}: cut short or damaged ({error}); copy or train it again") from error
    return parser.eval()
