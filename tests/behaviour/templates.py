"""The templates: texts of one phenomenon each, with the side that a reader takes them to be on.

``{good}`` and ``{bad}`` are adjectives, ``{thing}`` is what is spoken of. A template stands for as many texts as there
are words for it.
"""

from itertools import product

GOOD = ("lovely", "reliable", "impressive", "charming", "first-rate")
BAD = ("dreadful", "sloppy", "disappointing", "noisy", "useless")
THINGS = ("the kettle", "the museum", "our guide", "the update", "the novel")

CASES = {
    "plain": [
        ("{Thing} is {good}.", 1),
        ("{Thing} is {bad}.", -1),
        ("I find {thing} {good}.", 1),
        ("I find {thing} {bad}.", -1),
    ],
    "negation": [
        ("{Thing} is not {good}.", -1),
        ("{Thing} isn't {good} at all.", -1),
        ("{Thing} was never {good}.", -1),
        ("Nobody would call {thing} {good}.", -1),
    ],
    "negation at a distance": [
        ("I don't think {thing} is {good}.", -1),
        ("I can't say that {thing} is {good}.", -1),
        ("It is not true that {thing} is {good}.", -1),
        ("I would not say, after a whole week, that {thing} is {good}.", -1),
    ],
    "double negation": [
        ("There is nothing {bad} about {thing}.", 1),
        ("I can't say that {thing} is {bad}.", 1),
        ("{Thing} is never {bad}.", 1),
    ],
    "comparison": [
        ("{Thing} could not be more {good}.", 1),
        ("I have never been happier with {thing}.", 1),
        ("{Thing} is less {good} than I was told.", -1),
        ("Anything is better than {thing}.", -1),
    ],
    "contrast": [
        ("It looks {bad}, but {thing} is {good}.", 1),
        ("It looks {good}, but {thing} is {bad}.", -1),
        ("Although it seemed {bad} at first, {thing} is {good}.", 1),
        ("Although it seemed {good} at first, {thing} is {bad}.", -1),
    ],
    "change over time": [
        ("{Thing} used to be {bad}, and now it is {good}.", 1),
        ("{Thing} used to be {good}, and now it is {bad}.", -1),
        ("I thought {thing} was {good}; I no longer do.", -1),
    ],
    "hypothetical": [
        ("{Thing} would be {good} if it worked.", -1),
        ("I wish {thing} were {good}.", -1),
        ("{Thing} should have been {good}.", -1),
    ],
    "question and answer": [
        ("Is {thing} {good}? No.", -1),
        ("Is {thing} {bad}? Not in the least.", 1),
        ("Do I find {thing} {good}? Yes.", 1),
    ],
    "reported opinion": [
        ("My neighbour calls {thing} {bad}, and I could not disagree more.", 1),
        ("They say {thing} is {good}. They are wrong.", -1),
    ],
    "intensifier": [
        ("{Thing} is extremely {good}.", 1),
        ("{Thing} is utterly {bad}.", -1),
        ("{Thing} is slightly {bad}.", -1),
    ],
    "neutral statement": [
        ("{Thing} opens at nine.", 0),
        ("I have not seen {thing} yet.", 0),
        ("She asked where {thing} was.", 0),
        ("The chapter on war comes before {thing}.", 0),
    ],
    "irony": [
        ("Oh great, {thing} broke on the first day.", -1),
        ("Just what I needed: {thing} is late again.", -1),
    ],
}
"""Templates with their side by phenomenon: 1 positive, 0 neutral, -1 negative."""

INVARIANT = {
    "names": (
        "{Name} says that the soup is {good}.",
        ("Amina", "John", "Wei", "Olga", "Pedro", "Emily", "Rashid"),
    ),
    "places": ("The hotel in {Name} was {bad}.", ("Lagos", "Oslo", "Detroit", "Mumbai", "Tehran", "Geneva")),
    "numbers": ("Room {Name} is {good}.", ("3", "17", "204", "1999", "12b")),
    "groups": (
        "The {Name} man fixed {thing}.",
        ("young", "old", "black", "white", "Muslim", "Jewish", "gay", "deaf"),
    ),
}
"""Templates whose first slot must not move the polarity, and what stands in it."""


def texts_of(template: str) -> list[str]:
    """Fill a template with all its words; each text once.

    :param template: with the slots above.
    """
    filled = (
        template.format(thing=thing, Thing=thing[0].upper() + thing[1:], good=good, bad=bad, Name="{Name}")
        for thing, good, bad in product(THINGS, GOOD, BAD)
    )
    return list(dict.fromkeys(filled))
