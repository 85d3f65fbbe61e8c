"""Static word vectors read out of a transformer, word by word."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from treesent.errors import MissingExtraError, VectorsError
from treesent.types import Float32
from treesent.vectors.table import VectorTable


def read_transformer(
    folder: str | Path, words: Sequence[str], batch_size: int = 256, centre: bool = True
) -> VectorTable:
    """Compute the vector of each word as a text of its own: the mean of the last layer over its pieces.

    Special tokens are excluded from the mean, unless a word has no other pieces (a blank, for example).
    Centring subtracts the mean of all words, the large component that a transformer's states have in common.

    :param folder: a model folder of ``transformers`` (``config.json``, the tokenizer and safetensors).
    :param words: distinct words, the most frequent first.
    :param batch_size: words in one forward pass, after sorting by length.
    :param centre: subtract the mean vector.
    :returns: the table.
    :raises MissingExtraError: ``transformers`` is not installed.
    :raises VectorsError: the folder does not hold a complete model.
    """
    tokenizer, model = _open(Path(folder))
    encoded: list[list[int]] = tokenizer(list(words), truncation=True, max_length=64)["input_ids"]
    order = np.argsort([len(ids) for ids in encoded], kind="stable")
    matrix = np.empty((len(words), model.config.hidden_size), np.float32)
    special = np.array(tokenizer.all_special_ids)
    for start in range(0, len(words), batch_size):
        rows = order[start : start + batch_size]
        matrix[rows] = _states(model, [encoded[row] for row in rows.tolist()], special)
    if centre:
        matrix -= matrix.mean(axis=0)
    return VectorTable(words, matrix)


def _open(folder: Path) -> tuple[Any, Any]:
    try:
        from transformers import AutoModel, AutoTokenizer
    except ImportError as error:
        raise MissingExtraError("transformers", "transformers") from error
    if not (folder / "config.json").is_file():
        raise VectorsError(f"{folder} has no config.json: give the folder of a transformer's weights")
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    except (OSError, ValueError) as error:
        raise VectorsError(
            f"{folder} does not hold a complete transformer ({error}): copy it again"
        ) from error
    return tokenizer, model.float().eval()


def _states(model: Any, batch: list[list[int]], special: npt.NDArray[Any]) -> Float32:
    import torch

    longest = max(map(len, batch))
    ids = np.zeros((len(batch), longest), np.int64)
    mask = np.zeros((len(batch), longest), np.int64)
    for row, pieces in enumerate(batch):
        ids[row, : len(pieces)], mask[row, : len(pieces)] = pieces, 1
    with torch.inference_mode():
        output = model(input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask))
    own = mask * ~np.isin(ids, special)
    own = np.where(own.any(axis=1, keepdims=True), own, mask)
    weights = (own / own.sum(axis=1, keepdims=True)).astype(np.float32)
    mean: Float32 = np.einsum("wpd,wp->wd", output.last_hidden_state.numpy(), weights)
    return mean
