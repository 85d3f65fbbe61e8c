"""Servers for several tests."""

import pytest

from tests.serve.servers import served
from tests.toy_pipeline import toy_nlp


@pytest.fixture(scope="package")
def toy():
    """A pipeline that scores in no time."""
    return toy_nlp()


@pytest.fixture(scope="package")
def server(toy):
    """A server with small limits."""
    with served(toy, max_texts=8, max_length=500, max_body=4000) as one:
        yield one
