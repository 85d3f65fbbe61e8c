"""A tiny pipeline with a head for opinions, trained in seconds on made sentences."""

from functools import cache

from tests.toy_pipeline import toy_nlp
from treesent.models.classifier.opinion_head import OpinionHeadConfig
from treesent.opinions.aspects import Aspect, AspectText
from treesent.opinions.learn import LearnConfig, train_head

GOOD, BAD = ("superb", "good", "great"), ("thin", "bad", "terrible")
THINGS = ("plot", "acting", "film", "movie")


def lessons():
    """Sentences of two clauses, whose things differ in what is said of them."""
    for first in THINGS:
        for second in THINGS:
            for good in GOOD:
                for bad in BAD:
                    for one, other, signs in ((good, bad, (1, -1)), (bad, good, (-1, 1))):
                        text = f"the {first} is {one} but the {second} is {other} ."
                        at = text.rindex(second)
                        places = ((4, 4 + len(first)), (at, at + len(second)))
                        aspects = (Aspect(*place, sign) for place, sign in zip(places, signs, strict=True))
                        yield AspectText(text, tuple(aspects))


@cache
def _head():
    learned = [text for place, text in enumerate(lessons()) if place % 5]
    config = LearnConfig(epochs=8, batch_size=8, learn_rate=0.01)
    return train_head(
        toy_nlp(trees="right-branching"), {"toy": learned}, config, OpinionHeadConfig(dropout=0.0)
    )


def opinions_nlp(**config):
    """The pipeline; its settings are those of the component."""
    nlp = toy_nlp(trees="right-branching", **config)
    nlp.get_pipe("treesent").trained.opinions = _head()
    return nlp
