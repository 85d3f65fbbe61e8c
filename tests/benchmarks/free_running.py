"""How language models of characters do on their own output, beside what they do on true texts.

    python -m tests.benchmarks.free_running pipelines/output_recurrence.cfg MODEL... [--section.key VALUE]

For each model that the recipe has trained: the perplexity of a true symbol after 0, 1, 2... symbols of its
own, and how many bits a character of texts that it wrote costs an n-gram model of the recipe's texts, which
is no judge of meaning and a fair one of spelling. True texts' bits stand beside them.
"""

import argparse

import numpy as np

from tests.benchmarks.ngram import probabilities
from treesent.data.streams import Encoded
from treesent.files import recipe_path
from treesent.models.language.free_running import run_freely
from treesent.models.language.inference import load_language_model, sample
from treesent.models.language.trainer import read_language_texts
from treesent.models.registry import FAMILIES
from treesent.training.recipe import read_recipe

ORDER = 5
TEXTS, CHARACTERS, LEARNED = 200, 250, 8_000_000
"""Texts that are written or read, characters of each, and those that the n-gram model learns from."""


def bits(vocabulary, known, texts):
    """Bits a character of texts."""
    part = Encoded.of(vocabulary, texts)
    return -np.log2(probabilities(known, part.symbols, ORDER, len(vocabulary))).sum() / part.characters.sum()


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.free_running", description=__doc__)
    parser.add_argument("recipe")
    parser.add_argument("models", nargs="+", help="folders that treesent train wrote from it")
    options, rest = parser.parse_known_args()
    overrides = dict(zip((name.removeprefix("--") for name in rest[::2]), rest[1::2], strict=True))
    texts, dev = read_language_texts(read_recipe(recipe_path(options.recipe), FAMILIES, overrides).corpora)
    vocabulary = load_language_model(options.models[0]).vocabulary
    known = Encoded.of(vocabulary, texts[:8000]).symbols[:LEARNED]
    true = [text[:CHARACTERS] for text in dev[:TEXTS]]
    print(f"true texts: {bits(vocabulary, known, true):.3f} bits a character of a {ORDER}-gram model")
    for folder in options.models:
        model = load_language_model(folder)
        written = [text.text for text in sample(model, TEXTS, max_length=CHARACTERS)]
        free = run_freely(model, Encoded.of(vocabulary, dev[:TEXTS]).texts())
        distances = free.by_distance()
        after = "  ".join(f"{n}: {distances[n]:.2f}" for n in (0, 1, 2, 4, 8, 15))
        cost = bits(vocabulary, known, written)
        print(f"{folder}: perplexity after own symbols {after}; its texts {cost:.3f}")


if __name__ == "__main__":
    main()
