"""What each rule of reading words is worth: the accuracy on labelled tables with it and without it.

    python -m tests.benchmarks.word_rules FOLDER [--model MODEL] [--most 400]

FOLDER holds tables as ``treesent evaluate --suite`` takes them. A line for each rule: the mean over the tables of the
change in accuracy (three classes, sign) that the rule brings, then every table that it costs more than 0.2.
"""

import argparse
from contextlib import ExitStack, contextmanager
from unittest import mock

import treesent
from treesent.pipeline.lookup import component_of
from treesent.pipeline.suite import pipeline_scorer, run_suite
from treesent.text import context, forms, rows


def _without(bits):
    """Take flags away from every token."""
    flags_of = context._flags
    return mock.patch.object(context, "_flags", lambda text: flags_of(text) & ~bits)


def _nothing(module, name):
    return mock.patch.object(module, name, lambda *ignored: ())


def _never(name):
    return mock.patch.object(forms, name, mock.Mock(fullmatch=lambda text: None))


RULES = {
    "contractions": lambda: [_without(context._CLITIC), _never("_NEGATED")],
    "characters": lambda: [
        mock.patch.object(forms, "clean", lambda text: text),
        _without(context._INVISIBLE),
    ],
    "repeated letters": lambda: [_nothing(forms, "shortened"), _nothing(rows, "shortened")],
    "hashtags": lambda: [_without(context._HASH), _nothing(forms, "hashtag")],
    "emoji, emoticons": lambda: [_nothing(forms, "picture_words")],
    "ratings": lambda: [_without(context._STAR | context._STARS | context._OUT), _never("_RATING")],
    "links, names": lambda: [_nothing(forms, "placeholder"), _nothing(context, "placeholder")],
    "markup": lambda: [_without(context._MARKUP)],
    "signatures": lambda: [_without(context._SENT)],
}


@contextmanager
def without(rule):
    """Switch a rule off; pipelines opened inside do not have it."""
    with ExitStack() as stack:
        for patch in RULES[rule]():
            stack.enter_context(patch)
        yield


def measure(model, folder, most):
    """The accuracies by table."""
    nlp = treesent.load(model)
    component_of(nlp).trained  # noqa: B018  the weights are read while the rule is off
    found = run_suite(folder, pipeline_scorer(nlp), most=most)
    return {score.name: (score.accuracy, score.binary) for score in found}


def main():
    """Measure every rule."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.word_rules", description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--model", default="en_treesent_sm")
    parser.add_argument("--most", type=int, default=400)
    options = parser.parse_args()
    whole = measure(options.model, options.folder, options.most)
    for rule in RULES:
        with without(rule):
            bare = measure(options.model, options.folder, options.most)
        gain = {name: whole[name][0] - bare[name][0] for name in whole}
        signs = [whole[name][1] - bare[name][1] for name in whole if whole[name][1] is not None]
        mean, sign = sum(gain.values()) / len(gain), sum(signs) / len(signs)
        costs = ", ".join(f"{name} {change:+.1f}" for name, change in gain.items() if change < -0.2)
        print(f"{rule:<18}{mean:+7.2f}{sign:+7.2f}  {costs}", flush=True)


if __name__ == "__main__":
    main()
