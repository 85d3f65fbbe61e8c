"""Every promise of the security page names tests that are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and "`tests/" in line]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[2:40])
def test_a_promise_is_held_by_tests(row):
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", row)
    assert named
    for file, test in named:
        content = (ROOT / file).read_text(encoding="utf-8")
        assert not test or f"def {test}(" in content, (file, test)


def test_the_page_has_all_its_promises():
    assert len(ROWS) > 15
