"""Train a language model: from a recipe to the folder that ``LanguageModel.load`` opens."""

import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from treesent.data.streams import Encoded
from treesent.data.texts import read_texts
from treesent.data.vector_sources import load_vectors
from treesent.errors import DataError, RecipeError
from treesent.models.language.config import LanguageModelConfig
from treesent.models.language.model import LanguageModel
from treesent.models.language.sections import LanguageTrainingConfig
from treesent.models.language.task import LanguageScores, LanguageTask, score_language
from treesent.text.vocabulary import SPECIAL, Vocabulary
from treesent.training.family import Family
from treesent.training.recipe import Recipe
from treesent.training.sections import CorporaConfig
from treesent.vectors.table import VectorTable

VECTORS = "vectors"


@dataclass(frozen=True, slots=True, eq=False)
class LanguageData:
    """What a language model learns from.

    :param vocabulary: of the texts to train on.
    :param task: the texts as symbols.
    :param vectors: of the words, from the recipe's ``[vectors]``; None if it has none.
        *Shape:* ``(n_symbols, width)``
    :param signature: see :class:`~treesent.training.family.Prepared`.
    """

    vocabulary: Vocabulary
    task: LanguageTask
    vectors: torch.Tensor | None
    signature: dict[str, Any]


def prepare(recipe: Recipe, device: torch.device) -> LanguageData:
    """Read the data of a language model.

    :param recipe: the recipe.
    :param device: where the model is trained.
    :raises TreesentError: if the recipe, its data or its vectors cannot be used.
    """
    config: LanguageModelConfig = recipe.settings
    metrics = ["perplexity", *(["bits_per_character"] if config.unit == "character" else [])]
    metrics += ["free_perplexity"] if recipe.training.free_running else []
    if recipe.training.metric not in metrics:
        raise RecipeError(
            f"training.metric is {recipe.training.metric!r}; must be {' or '.join(map(repr, metrics))} for a "
            f"model of {config.unit}s"
        )
    if config.recurrent_dropout and recipe.training.scheduled_sampling.decay != "none":
        raise RecipeError(
            f"model.recurrent_dropout is {config.recurrent_dropout}, which uses one mask per window, but "
            "scheduled sampling reads symbol by symbol; remove one of them"
        )
    texts, dev_texts = read_language_texts(recipe.corpora)
    vocabulary = Vocabulary.of(texts, config.unit, config.least, config.most, config.lowercase)
    train, dev = (Encoded.of(vocabulary, part, config.backward) for part in (texts, dev_texts))
    vectors = symbol_vectors(recipe, vocabulary) if recipe.vectors else None
    signature = {"model": recipe.model, "vectors": recipe.vectors, "corpora": recipe.corpora.train}
    return LanguageData(vocabulary, LanguageTask(train, dev, recipe.training), vectors, signature)


def build(recipe: Recipe, data: LanguageData, generator: torch.Generator) -> LanguageModel:
    """Make a language model with its initial weights.

    :param recipe: the recipe.
    :param data: what :func:`prepare` has read.
    :param generator: source of the weights.
    """
    model = LanguageModel(data.vocabulary, recipe.settings, data.vectors, _tunes(recipe), generator)
    model.fit_lengths(np.diff(data.task.train.offsets) - 1)
    return model


def write(
    recipe: Recipe, data: LanguageData, model: LanguageModel, folder: Path, name: str
) -> LanguageScores:
    """Write a trained model, and evaluate it as it is saved.

    :param recipe: the recipe.
    :param data: what :func:`prepare` has read.
    :param model: the trained model.
    :param folder: the folder, which does not exist yet.
    :param name: the name that it will have.
    :returns: the scores on dev.
    """
    half = recipe.training.save_precision != "float32"
    if half:
        for tensor in (*model.parameters(), *model.buffers()):
            if tensor.is_floating_point():
                tensor.data.copy_(tensor.data.half())
    training = recipe.training
    dev = data.task.dev.some(training.final_texts)
    scores = score_language(model, dev, training.eval_batch_size, training.free_running, progress_bar=True)
    table = tuned_table(model, recipe) if _tunes(recipe) and model.embedding.rowwise else None
    write_language_model(folder, model, scores, half, table)
    return scores


def _tunes(recipe: Recipe) -> bool:
    return not recipe.vectors or recipe.training.tune_vectors


def write_language_model(
    folder: Path, model: LanguageModel, dev: LanguageScores, half: bool, vectors: VectorTable | None = None
) -> None:
    """Write a model's folder: the model and, for people, its figures.

    :param folder: the folder, which does not exist yet.
    :param model: the model.
    :param dev: its figures.
    :param half: in half precision.
    :param vectors: those that it tuned, for the folder ``vectors`` inside: other recipes may read them.
    """
    model.save(folder, half)
    if vectors is not None:
        vectors.save(folder / VECTORS)
    (folder / "scores.json").write_text(json.dumps(dev.to_dict(), indent=1) + "\n", "utf-8")


def read_language_texts(config: CorporaConfig) -> tuple[list[str], list[str]]:
    """Read what to learn from and what to be judged by.

    Texts are taken as they stand, in the order of the files; markup such as ``<br />`` is text.

    :param config: the recipe's ``[corpora]``.
    :raises TreesentError: a corpus cannot be read, or one part is left without texts.
    """
    if config.dev_share:
        raise RecipeError(
            "corpora.dev_share is for classifiers; a language model takes dev, or dev_last = 2000 for example"
        )
    texts, dev = (
        list(read_texts(config.files(name), config.text_column, dialect=config.dialect))
        for name in ("train", "dev")
    )
    if config.dev_last:
        n_dev = config.dev_last
        if 2 * n_dev > len(texts) > 1:
            n_dev = max(1, len(texts) // 5)
            warnings.warn(
                f"corpora.dev_last is {config.dev_last}, and there are {len(texts)} texts: the last {n_dev}, a "
                "fifth, are held out",
                stacklevel=2,
            )
        texts, dev = texts[:-n_dev], texts[-n_dev:]
    if not texts or not dev:
        raise DataError(f"{len(texts)} texts to learn from and {len(dev)} for dev; each needs one or more")
    return texts, dev


def tuned_table(model: LanguageModel, recipe: Recipe) -> VectorTable:
    """Give the vectors of words as a model has tuned them, in float32.

    :param model: of words.
    :param recipe: its recipe: words of its vectors that the model does not know keep theirs.
    """
    words = model.vocabulary.symbols[len(SPECIAL) :]
    own = model.embedding.table.detach().float().cpu().numpy()[len(SPECIAL) :]
    if not recipe.vectors:
        return VectorTable(words, own)
    table = load_vectors(recipe.vectors)
    rows, places = table.rows(words), np.arange(len(words))
    known = rows >= 0
    new = {table.normalise(words[place]): place for place in places[~known][::-1].tolist()}
    matrix = table.dense().astype(np.float32)
    # Of words that are one to the table, the most frequent one counts, which comes first.
    matrix[rows[known][::-1]] = own[known][::-1]
    matrix = np.concatenate([matrix, own[list(new.values())]])
    return VectorTable([*table.words, *new], matrix, subwords=table.subwords)


def symbol_vectors(recipe: Recipe, vocabulary: Vocabulary) -> torch.Tensor:
    """Look the words of a vocabulary up in the recipe's vectors; the two special symbols have zeros.

    :param recipe: with ``[vectors]``.
    :param vocabulary: of words.
    :raises RecipeError: it has characters.
    """
    if vocabulary.unit != "word":
        raise RecipeError("[vectors] are of words, but unit is 'character'; leave the section out")
    table = load_vectors(recipe.vectors)
    found = table.lookup(vocabulary.symbols[len(SPECIAL) :])
    vectors = torch.zeros(len(vocabulary), table.width)
    known = found.rows < len(table)
    rows = torch.from_numpy(known.nonzero()[0] + len(SPECIAL))
    vectors[rows] = torch.from_numpy(table.dense(found.rows[known])).float()
    others = torch.from_numpy((~known).nonzero()[0] + len(SPECIAL))
    vectors[others] = torch.from_numpy(found.extra[found.rows[~known] - len(table)]).float()
    return vectors


LANGUAGE_MODELS = Family(
    config={"treesent.LanguageModel.v1": LanguageModelConfig},
    task=prepare,
    build=build,
    write=write,
    read=LanguageModel.load,
    files=("language_model.safetensors", "config.json", "vocabulary.json", "scores.json", "vectors/*"),
    sections={"training": LanguageTrainingConfig},
)
