"""Symbols of a vocabulary."""

import pytest

from treesent.errors import DataError
from treesent.text.vocabulary import Vocabulary


@pytest.mark.parametrize("symbol", [None, 1, 0.5])
@pytest.mark.parametrize("unit", ["word", "character"])
def test_a_symbol_that_is_not_text_is_refused(unit, symbol):
    with pytest.raises(DataError, match="is not text"):
        Vocabulary(unit, ["a", symbol])
