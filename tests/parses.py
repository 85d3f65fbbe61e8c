"""The dependency trees of parsed Docs, read in the plainest way."""

import numpy as np

from treesent.trees.dependency import Dependencies


def dependencies(docs):
    """The trees of all sentences; white space is not a word, and sentences of nothing else are left out."""
    heads, keep, start, end = [], [], [], []
    for doc in docs:
        base = len(heads)
        heads += [base + token.head.i for token in doc]
        keep += [not token.is_space for token in doc]
        for sentence in doc.sents:
            if any(not token.is_space for token in sentence):
                start.append(base + sentence.start)
                end.append(base + sentence.end)
    return Dependencies.from_heads(heads, start, end, np.array(keep, bool))
