"""What an n-gram model of characters makes of a recipe's texts: the figure beside a language model's.

    python -m tests.benchmarks.ngram pipelines/char_lm.cfg [MODEL] [--order 5] [--section.key VALUE]

Interpolated by Witten and Bell's method (1991, method C; Chen and Goodman 1999, section 2.5), on the very
characters that the recipe's model reads, and scored as it is: ends of texts cost bits and are no characters.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from treesent.data.streams import Encoded
from treesent.files import recipe_path
from treesent.models.language.task import LanguageScores
from treesent.models.language.trainer import read_language_texts
from treesent.models.registry import FAMILIES
from treesent.text.vocabulary import Vocabulary
from treesent.training.recipe import read_recipe


def keys(symbols, order, n_symbols):
    """A number for each n-gram; those of one context are neighbours. Ends stand before the stream."""
    padded = np.concatenate([np.zeros(order - 1, np.int64), symbols.astype(np.int64)])
    found = np.zeros(len(symbols), np.int64)
    for place in range(order):
        found = found * n_symbols + padded[place : place + len(symbols)]
    return found


def lookup(values, known, wanted):
    """The value of each wanted key, 0 where it is unknown."""
    place = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return np.where(known[place] == wanted, values[place], 0)


def probabilities(train, dev, order, n_symbols):
    """P of each symbol of dev after those before it, contexts of order - 1 symbols at most."""
    p = np.full(len(dev), 1 / n_symbols)
    for n in range(1, order + 1):
        grams, counts = np.unique(keys(train, n, n_symbols), return_counts=True)
        contexts, first = np.unique(grams // n_symbols, return_index=True)
        totals, types = np.add.reduceat(counts, first), np.diff(np.append(first, len(grams)))
        wanted = keys(dev, n, n_symbols)
        count = lookup(counts, grams, wanted)
        total, kinds = (lookup(values, contexts, wanted // n_symbols) for values in (totals, types))
        p = np.where(total > 0, (count + kinds * p) / np.maximum(total + kinds, 1), p)
    return p


def measure(recipe, order):
    """The figures of an n-gram model on a recipe's dev texts, and the seconds that it took."""
    config = recipe.settings
    texts, dev_texts = read_language_texts(recipe.corpora)
    vocabulary = Vocabulary.of(texts, "character", config.least, config.most, config.lowercase)
    train, dev = (Encoded.of(vocabulary, part, config.backward) for part in (texts, dev_texts))
    began = time.perf_counter()
    nats = -np.log(probabilities(train.symbols, dev.symbols, order, len(vocabulary))).sum()
    scores = LanguageScores(float(nats), len(dev.symbols), dev.n_unknown, int(dev.characters.sum()), True)
    return scores, time.perf_counter() - began


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.ngram", description=__doc__)
    parser.add_argument("recipe")
    parser.add_argument("model", type=Path, nargs="?", help="a folder that treesent train wrote from it")
    parser.add_argument("--order", type=int, default=5)
    options, rest = parser.parse_known_args()
    overrides = dict(zip((name.removeprefix("--") for name in rest[::2]), rest[1::2], strict=True))
    scores, seconds = measure(read_recipe(recipe_path(options.recipe), FAMILIES, overrides), options.order)
    print(
        f"{options.order}-gram: {scores.bits_per_character:.3f} bits per character of "
        f"{scores.n_characters:,}, {seconds:.0f} s"
    )
    if options.model is not None:
        found = json.loads((options.model / "scores.json").read_text())
        print(f"{options.model}: {found['bits_per_character']:.3f} of {found['n_characters']:,}")


if __name__ == "__main__":
    main()
