"""spaCy's English tokenizer as a plain function."""

from collections.abc import Callable


def spacy_tokenizer() -> Callable[[str], list[str]]:
    """Make a function that gives the tokens of a text, without white space."""
    import spacy

    tokenizer = spacy.blank("en").tokenizer
    return lambda text: [token.text for token in tokenizer(text) if not token.is_space]
