"""Very long runs of characters without a blank, on which spaCy's tokeniser takes quadratic time.

spaCy's rule-based tokeniser takes prefixes and suffixes off a run one at a time and looks at all the rest each
time: 16,000 brackets around a word take twenty seconds. No word is that long.
"""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spacy.language import Language

LONGEST = 256
"""Characters of the longest run that is split into tokens; a longer one stays one token."""
_LONG = rf"[\s\S]{{{LONGEST + 1}}}"


def keep_long_runs(nlp: "Language") -> None:
    """Have a pipeline's tokeniser keep runs of more than :data:`LONGEST` characters whole.

    The rule is added to the tokeniser's ``token_match`` and is saved with it. Shorter runs are split as before;
    a tokeniser other than spaCy's rule-based one is left alone.

    :param nlp: the pipeline.
    """
    from spacy.tokenizer import Tokenizer

    tokenizer = nlp.tokenizer
    if not isinstance(tokenizer, Tokenizer):
        return
    # A bound method, since spaCy saves the pattern that it is of.
    known = getattr(getattr(tokenizer.token_match, "__self__", None), "pattern", None)
    if tokenizer.token_match is not None and known is None:
        return
    if known is None or _LONG not in known:
        pattern = _LONG if known is None else f"(?:{known})|{_LONG}"
        tokenizer.token_match = re.compile(pattern).match
