"""Train a language model: from a recipe to the folder that ``LanguageModel.load`` opens."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from treesent.config import read_section
from treesent.data.streams import Encoded
from treesent.data.texts import read_texts
from treesent.errors import DataError, RecipeError
from treesent.models.classifier.architectures import KEY
from treesent.models.language.config import LanguageModelConfig
from treesent.models.language.model import LanguageModel
from treesent.models.language.task import LanguageScores, LanguageTask, score_language
from treesent.text.vocabulary import SPECIAL, Vocabulary
from treesent.training.recipe import CorporaConfig, Recipe
from treesent.training.run import Run, Trained
from treesent.vectors.sources import load_vectors
from treesent.vectors.table import VectorTable

NAME = "treesent.LanguageModel.v1"
VECTORS = "vectors"


def language_model_config(block: Mapping[str, Any]) -> LanguageModelConfig:
    """The settings of a language model's ``[model]`` block, checked.

    :param block: ``@architectures`` and the settings that are not left at their defaults.
    :raises RecipeError: a key or value makes no sense.
    """
    settings = {key: value for key, value in block.items() if key != KEY}
    return read_section(LanguageModelConfig, settings, "model")


def train(run: Run) -> Trained:
    """Train a language model and write it.

    :param run: its recipe, with a language model as its model, and how to train.
    :raises TreesentError: the recipe, its data or its vectors cannot be used.
    """
    recipe = run.recipe
    config = language_model_config(recipe.model)
    figures = ["perplexity", *(["bits_per_character"] if config.unit == "character" else [])]
    figures += ["free_perplexity"] if recipe.training.free_running else []
    if recipe.training.metric not in figures:
        raise RecipeError(
            f"training.metric is {recipe.training.metric!r}; a model of {config.unit}s has "
            f"{' and '.join(map(repr, figures))}"
        )
    if config.recurrent_dropout and recipe.training.scheduled_sampling.decay != "none":
        raise RecipeError(
            f"model.recurrent_dropout is {config.recurrent_dropout}, one mask for a window, but scheduled "
            "sampling reads symbol by symbol; leave one of them out"
        )
    texts, dev_texts = read_language_texts(recipe.corpora)
    vocabulary = Vocabulary.of(texts, config.unit, config.least, config.most, config.lowercase)
    train, dev = (Encoded.of(vocabulary, part, config.backward) for part in (texts, dev_texts))
    del texts, dev_texts
    vectors = symbol_vectors(recipe, vocabulary) if recipe.vectors else None
    tune = vectors is None or recipe.training.tune_vectors
    model = LanguageModel(vocabulary, config, vectors, tune, run.generator()).to(run.device)
    model.fit_lengths(np.diff(train.offsets) - 1)
    task = LanguageTask(train, dev, recipe.training)
    signature = {"model": recipe.model, "vectors": recipe.vectors, "corpora": recipe.corpora.train}
    progress = run.fit(model, task, signature)
    if not run.team.first:
        return Trained(run.output, progress, run.team.share(LanguageScores(0.0, 1, 0, 1, True)))
    half = recipe.training.save_precision != "float32"
    if half:
        # Judged as it is saved.
        for tensor in (*model.parameters(), *model.buffers()):
            if tensor.is_floating_point():
                tensor.data.copy_(tensor.data.half())
    scores = score_language(model, dev, recipe.training.eval_batch_size, recipe.training.free_running)
    table = tuned_table(model, recipe) if tune and model.embedding.rowwise else None
    run.write(lambda folder: write_language_model(folder, model, scores, half, table))
    return Trained(run.output, progress, run.team.share(scores))


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
        raise RecipeError("corpora.dev_share is of classifiers; give dev_last = 2000, say, or dev")
    texts, dev = (list(read_texts(config.files(name), config.text_column)) for name in ("train", "dev"))
    if config.dev_last:
        texts, dev = texts[: -config.dev_last], texts[-config.dev_last :]
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
