"""What tokens can be, found out once for each text and remembered."""

from collections.abc import Callable

import numpy as np

from treesent.text.docs import Tokens
from treesent.types import Int64

MOST = 1 << 16
"""Texts that are remembered; then only those of the last batch are kept."""


class Flags:
    """Gives the flags of tokens, looking at each distinct text once.

    :param flags_of: gives the flags of a text, as a sum of powers of two.
    """

    def __init__(self, flags_of: Callable[[str], int]) -> None:
        self._flags_of, self._known = flags_of, dict[int, int]()

    def __call__(self, tokens: Tokens) -> Int64:
        """Give the flags of tokens.

        :param tokens: the tokens of many Docs.
        :returns: *Shape:* ``(n_tokens,)``.
        """
        distinct, inverse = np.unique(tokens.orth, return_inverse=True)
        known, keys = self._known, distinct.tolist()
        fresh = [key for key in keys if key not in known]
        if len(known) + len(fresh) > MOST:
            known = self._known = {key: known[key] for key in keys if key in known}
        for key in fresh:
            known[key] = self._flags_of(tokens.strings[key])
        return np.array([known[key] for key in keys], np.int64)[inverse]
