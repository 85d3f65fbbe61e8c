"""Every matmul gives the product, whether or not this build of torch has oneDNN's."""

import io
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from treesent.models.classifier.node_states import node_loss
from treesent.models.classifier.recursive_config import build
from treesent.models.classifier.tree_lstm import TreeLSTMConfig
from treesent.nn import matmul
from treesent.nn.batch import ForestBatch
from treesent.nn.embedding import VectorEmbedding
from treesent.nn.layout import BLOCK
from treesent.nn.matmul import LONG_STEP, MANY, STEP, gradient, linear, padded, product
from treesent.trees.forest import Forest
from treesent.trees.structure import Structure

ROWS = [0, 1, MANY + 1, STEP - 1, STEP, STEP + 1, LONG_STEP - 1, LONG_STEP, LONG_STEP + 1, 300]


@pytest.fixture(params=["onednn", "fallback"])
def either(request, monkeypatch):
    function = matmul._find_onednn() if request.param == "onednn" else None
    monkeypatch.setattr(matmul, "onednn", lambda: function)


def drawn(*shapes, dtype=torch.float32):
    generator = torch.Generator().manual_seed(7)
    return [torch.randn(*shape, generator=generator, dtype=dtype) for shape in shapes]


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("n_rows", ROWS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("contiguous", [True, False])
def test_products(n_rows, dtype, contiguous):
    rows, weight, bias, outer = drawn((n_rows, 60), (40, 60), (40,), (n_rows, 40), dtype=dtype)
    rows, weight = rows[:, :30], weight[:, :30]
    if contiguous:
        rows, weight = rows.contiguous(), weight.contiguous()
    expected = rows.double() @ weight.double().t() + bias.double()
    for function in (product, linear):
        found = function(rows, weight, bias)
        torch.testing.assert_close(found, expected.to(dtype), atol=1e-5, rtol=1e-5)
        found = function(rows, weight, bias, sigmoid=True)
        torch.testing.assert_close(found, torch.sigmoid(expected).to(dtype), atol=1e-5, rtol=1e-5)
    strided = torch.ones(1, dtype=dtype).expand(40)
    found = product(rows, weight, strided)
    torch.testing.assert_close(found, product(rows, weight) + 1, atol=1e-5, rtol=1e-5)
    found, expected = gradient(outer, rows), outer.double().t() @ rows.double()
    torch.testing.assert_close(found, expected.to(dtype), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("named", "mkl", "expected"),
    [("GenuineIntel", True, True), ("GenuineIntel", False, False), ("", True, False)],
)
def test_mkl_is_used_on_intel(monkeypatch, named, mkl, expected):
    monkeypatch.setattr(matmul.Path, "open", lambda *_, **__: io.StringIO("vendor_id: other"))
    monkeypatch.setattr(matmul.platform, "processor", lambda: f"Family 6, {named}")
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: mkl)
    assert matmul._is_intel() is expected


def test_importing_does_not_probe_the_processor():
    """A fresh process in which the probe fails imports, and scores after the first use has probed once."""
    code = """
import platform, pathlib
def probe(*args, **kwargs):
    probes.append(args)
    return opened(*args, **kwargs)
probes, opened = [], pathlib.Path.open
pathlib.Path.open = probe
import treesent.nn.matmul as matmul, treesent.models.classifier.tree_lstm, torch
assert not [path for path, *_ in probes if str(path) == "/proc/cpuinfo"] and not matmul.onednn.cache_info().misses
for _ in range(2):
    print(matmul.product(torch.ones(20, 3), torch.full((2, 3), 2.0))[19].tolist())
print(matmul.onednn.cache_info().misses)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split("\n")[:3] == ["[6.0, 6.0]", "[6.0, 6.0]", "1"]


def test_threads_that_start_together_use_one_function():
    matmul.onednn.cache_clear()
    barrier = threading.Barrier(4)

    def first_use(_):
        barrier.wait()
        return matmul.onednn()

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(first_use, range(4)))
    assert all(function is found[0] for function in found)


def test_linear_carries_gradients():
    rows, weight = drawn((100, 30), (40, 30))
    assert linear(rows, weight.requires_grad_()).requires_grad


def test_few_numbers_of_rows_are_multiplied():
    assert all(n <= padded(n) < n + STEP for n in range(2 * BLOCK))
    assert len({padded(n) for n in range(STEP, BLOCK + 1)}) == BLOCK // STEP


def test_rows_past_those_that_count_change_nothing():
    rows, weight = drawn((STEP + 3, 30), (40, 30))
    spoiled = torch.cat([rows, torch.full((padded(len(rows)) - len(rows), 30), float("nan"))])
    assert torch.equal(product(spoiled, weight)[: len(rows)], product(rows, weight))


def test_torch_without_the_private_function_falls_back(monkeypatch):
    class Older:
        def __getattr__(self, name):
            raise AttributeError(name)

    monkeypatch.setattr(torch.ops, "mkldnn", Older())
    assert matmul._find_onednn() is None


@pytest.mark.parametrize("wrong", [RuntimeError("unsupported"), None])
def test_a_function_that_fails_or_errs_is_not_used(monkeypatch, wrong):
    class Changed:
        @staticmethod
        def _linear_pointwise(rows, weight, *_):
            if wrong is not None:
                raise wrong
            return rows @ weight.t() + 1

    monkeypatch.setattr(torch.ops, "mkldnn", Changed())
    assert matmul._find_onednn() is None


@pytest.mark.parametrize("recurrent_dropout", [0.0, 0.3])
def test_a_network_learns_the_same_without_onednn(monkeypatch, recurrent_dropout):
    onednn = matmul._find_onednn()
    if onednn is None:
        pytest.skip("this build of torch has no oneDNN")
    random = np.random.default_rng(0)
    lengths = random.integers(1, 30, 60)
    structure = Structure.from_distances(random.random(int((lengths - 1).sum())), lengths)
    label = random.integers(-1, 5, structure.n_nodes)
    batch = ForestBatch.from_forest(Forest.build(structure, random.integers(0, 400, lengths.sum()), label))
    table = random.normal(size=(400, 30)).astype(np.float32)
    config, found = TreeLSTMConfig(hidden=20, recurrent_dropout=recurrent_dropout), []
    for function in (onednn, None):
        monkeypatch.setattr(matmul, "onednn", lambda function=function: function)
        made = build(config, 30, 5, VectorEmbedding(table), torch.Generator().manual_seed(0))
        logits = made(batch, torch.Generator().manual_seed(1)).logits
        node_loss(logits, batch.label).backward()
        found.append([logits, *(weight.grad for weight in made.parameters())])
    torch.testing.assert_close(found[0], found[1], atol=1e-6, rtol=1e-4)
