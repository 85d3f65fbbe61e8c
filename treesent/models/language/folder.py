"""The folder of a language model: settings, vocabulary and weights."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from treesent.config import read_section
from treesent.errors import ModelError, TreesentError
from treesent.files import replacing, replacing_path
from treesent.models.language.config import LanguageModelConfig
from treesent.nn.weights import build, read_weights
from treesent.text.vocabulary import SPECIAL, Vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from treesent.models.language.model import LanguageModel

FORMAT = "treesent.language_model.1"
WEIGHTS, CONFIG, VOCABULARY = "language_model.safetensors", "config.json", "vocabulary.json"

# Names of weights in the file differ from those in the model: by its part, the prefix in the file.
_PREFIXES = {
    "recurrence.layers.": "layers.",
    "ngrams.embedding.table": "ngrams.table",
    "ngrams.projection": "from_ngrams",
    "output.softmax.": "adaptive.",
    "output.projection": "between",
    "output.": "",
    "ending.bucket_log_probs": "count.log_share",
}


def save_language_model(model: LanguageModel, folder: str | Path, half: bool = False) -> None:
    """Write a model: settings, vocabulary and weights, including the vectors.

    :param model: the model.
    :param folder: created if missing.
    :param half: write the weights in half precision.
    """
    from safetensors.torch import save_file

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    names = _file_names(model)
    tensors = {names[name]: t.detach().cpu().contiguous() for name, t in model.state_dict().items()}
    # Frozen vectors are not among the weights.
    tensors[names["embedding.lookup.table"]] = model.embedding.table.detach().cpu().contiguous()
    if half:
        tensors = {name: tensor.half() for name, tensor in tensors.items()}
    settings = {"format": FORMAT, **asdict(model.config)}
    symbols = json.dumps(model.vocabulary.symbols[len(SPECIAL) :], ensure_ascii=False)
    with replacing(folder / CONFIG, "w", encoding="utf-8") as file:
        file.write(json.dumps(settings, indent=1) + "\n")
    with replacing(folder / VOCABULARY, "w", encoding="utf-8") as file:
        file.write(symbols + "\n")
    with replacing_path(folder / WEIGHTS) as partial:
        save_file(tensors, partial, {"format": FORMAT})


def read_language_model(
    folder: str | Path, make: Callable[[Vocabulary, LanguageModelConfig, Tensor], LanguageModel]
) -> LanguageModel:
    """Read what :func:`save_language_model` wrote, ready to predict.

    :param folder: the folder.
    :param make: makes the model from its vocabulary, settings and vectors.
    :raises ModelError: it is missing, damaged or of another kind or version.
    """
    folder = Path(folder)
    if not (folder / WEIGHTS).is_file():
        raise ModelError(f"{folder}: it has no {WEIGHTS}; train a model with pipelines/char_lm.cfg")
    settings = _read_json(folder / CONFIG, dict)
    if settings.pop("format", None) != FORMAT:
        raise ModelError(
            f"{folder / CONFIG}: not a language model of this version of treesent; train it again"
        )
    symbols = _read_json(folder / VOCABULARY, list)
    _, tensors = read_weights(folder / WEIGHTS)
    table = tensors.get("vectors", tensors.get("embedding.table"))
    if table is None or table.ndim != 2:
        raise ModelError(f"{folder / WEIGHTS}: it has no vectors of symbols; copy or train it again")
    try:
        config = read_section(LanguageModelConfig, settings, CONFIG)
        vocabulary = Vocabulary(config.unit, symbols, config.lowercase)
    except (TreesentError, TypeError) as error:
        raise ModelError(f"{folder}: damaged ({error}); copy or train it again") from error
    return build(lambda: make(vocabulary, config, table), tensors, folder / WEIGHTS, settings, _file_names)


def _read_json(path: Path, kind: type) -> Any:
    """Read a JSON file that holds a value of a type."""
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: cut short or damaged ({error}); copy or train it again") from error
    if not isinstance(value, kind):
        raise ModelError(f"{path}: cut short or damaged; copy or train it again")
    return value


def _file_names(model: LanguageModel) -> dict[str, str]:
    """Give the name in the file of each weight."""
    rowwise, length = model.embedding.rowwise, model.config.length
    prefixes = {
        "embedding.lookup.table": "embedding.table" if rowwise else "vectors",
        **_PREFIXES,
        "ending.": f"{length}.",
    }
    names = {}
    for name in ("embedding.lookup.table", *model.state_dict()):
        prefix = next(each for each in prefixes if name.startswith(each))
        names[name] = prefixes[prefix] + name.removeprefix(prefix)
    return names
