"""Settings and weights in one file: parsers of both architectures, and heads on a classifier."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from torch import nn

from treesent.config import read_section
from treesent.errors import ModelError, TreesentError
from treesent.files import replacing_path
from treesent.nn.recurrent_layer import current_names
from treesent.nn.weights import build, read_weights, write_weights

AnyParser = TypeVar("AnyParser", bound=nn.Module)


def save_parser(parser: nn.Module, path: str | Path, form: str) -> None:
    """Write settings and weights to one file, the weights in half precision.

    :param parser: a parser, with its ``config``, a dataclass, and the ``width`` of the vectors that it reads.
    :param path: the file.
    :param form: name and version of the format.
    """
    tensors = {name: t.detach().cpu().half().contiguous() for name, t in parser.state_dict().items()}
    settings: Any = parser.config
    config = json.dumps({"width": parser.width, **asdict(settings)})
    with replacing_path(path) as partial:
        write_weights(partial, tensors, {"format": form, "config": config})


def read_parser_file(path: str | Path, *kinds: type[AnyParser]) -> AnyParser:
    """Read what :func:`save_parser` wrote, ready to parse.

    :param path: the file.
    :param kinds: the classes that the parser may be of.
    :raises ModelError: it is missing, damaged, or of another kind or version.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"{path}: there is no such file; train a parser with pipelines/parser.cfg")
    metadata, tensors = read_weights(path)
    kind: Any = next(
        (kind for kind in kinds if getattr(kind, "format", None) == metadata.get("format")), None
    )
    if kind is None:
        raise ModelError(f"{path}: not a parser or head of this version of treesent; train it again")
    try:
        settings = json.loads(metadata["config"])
        width = settings.pop("width")
        if type(width) is not int:
            raise ModelError(f"width is {width!r}; expected an integer")
        config: Any = read_section(kind.config_type, settings, "config")
    except (TreesentError, LookupError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: cut short or damaged ({error}); copy or train it again") from error

    def make() -> AnyParser:
        made: AnyParser = kind(config, width)
        return made

    return build(make, current_names(tensors), path, settings)
