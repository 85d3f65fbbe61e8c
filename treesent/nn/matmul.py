"""The faster of torch's two float32 matrix products on a CPU.

torch multiplies float32 matrices with MKL, which is the fastest on Intel's processors and uses half the width
of other vendors' vector units (AMD's). torch's oneDNN uses all of it at the same precision, and is what
torch's compiler calls. If a build of torch lacks it, MKL is used.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from treesent.nn.precision import autocast_dtype

# oneDNN compiles a kernel for each new number of rows, which takes as long as hundreds of rows: the numbers
# are rounded up to few.
STEP = 16
LONG_STEP = 64
# Taller matrices take longer steps, or there would be too many numbers.
MANY, LONGEST_STEP = 1024, 256


@cache
def onednn() -> Callable[..., Tensor] | None:
    """Return torch's oneDNN product, or None if MKL is faster here or oneDNN is missing.

    The first call probes the processor. Threads that make it together probe more than once, with one result.
    """
    return None if _is_intel() else _find_onednn()


def padded(n: int) -> int:
    """Return how many rows :func:`product` multiplies for ``n``: a buffer of that size needs no copy.

    :param n: number of rows.
    """
    step = STEP if n <= MANY else LONGEST_STEP
    return n if n < STEP else -(-n // step) * step


def product(rows: Tensor, weight: Tensor, bias: Tensor | None = None, sigmoid: bool = False) -> Tensor:
    """Compute ``rows @ weight.t() + bias``.

    :param rows: *Shape:* ``(n, n_in)``
    :param weight: contiguous, or oneDNN falls back to a slow loop. *Shape:* ``(n_out, n_in)``
    :param bias: *Shape:* ``(n_out,)``
    :param sigmoid: apply the logistic function to the result.
    :returns: *Shape:* ``(n, n_out)``
    """
    n, multiply = len(rows), onednn()
    if multiply is None or n < STEP or not (_fits(rows, weight) and weight.is_contiguous()):
        result = torch.mm(rows, weight.t()) if bias is None else torch.addmm(bias, rows, weight.t())
        return result.sigmoid_() if sigmoid else result
    if padded(n) > n:
        rows = functional.pad(rows, (0, 0, 0, padded(n) - n))
    # It reads a bias without its strides.
    bias = None if bias is None else bias.contiguous()
    return multiply(rows.contiguous(), weight, bias, "sigmoid" if sigmoid else "none", [], "")[:n]


def linear(rows: Tensor, weight: Tensor, bias: Tensor | None = None, sigmoid: bool = False) -> Tensor:
    """Compute ``torch.nn.functional.linear``, by the faster product if no gradient is needed.

    :param rows: *Shape:* ``(n, n_in)``
    :param weight: *Shape:* ``(n_out, n_in)``
    :param bias: *Shape:* ``(n_out,)``
    :param sigmoid: apply the logistic function to the result.
    :returns: *Shape:* ``(n, n_out)``
    """
    if torch.is_grad_enabled() or autocast_dtype(rows.device) is not None:
        result = functional.linear(rows, weight, bias)
        return torch.sigmoid(result) if sigmoid else result
    return product(rows, weight, bias, sigmoid)


def gradient(outer: Tensor, rows: Tensor) -> Tensor:
    """Compute ``outer.t() @ rows``, the gradient of a weight.

    :param outer: gradient of the product. *Shape:* ``(n, n_out)``
    :param rows: what the weight multiplied. *Shape:* ``(n, n_in)``
    :returns: *Shape:* ``(n_out, n_in)``
    """
    multiply = onednn()
    if multiply is None or len(rows) < LONG_STEP or not _fits(outer, rows):
        return torch.mm(outer.t(), rows)
    if short := -len(rows) % LONG_STEP:
        outer, rows = (functional.pad(side, (0, 0, 0, short)) for side in (outer, rows))
    return multiply(outer.t().contiguous(), rows.t().contiguous(), None, "none", [], "")


def _find_onednn() -> Callable[..., Tensor] | None:
    """Return torch's oneDNN product, which has no public name, or None if this build lacks it."""
    try:
        multiply: Any = torch.ops.mkldnn._linear_pointwise
        left, right = torch.ones(STEP, 1), torch.full((2, 1), 3.0)
        if torch.equal(multiply(left, right, None, "none", [], ""), torch.mm(left, right.t())):
            return multiply  # type: ignore[no-any-return]
    except (AttributeError, NotImplementedError, RuntimeError, TypeError):
        pass
    return None


def _is_intel() -> bool:
    """Whether MKL uses the whole vector unit of this processor."""
    vendor = platform.processor()
    with suppress(OSError), Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as file:
        vendor += file.read(1000)
    return "GenuineIntel" in vendor and bool(torch.backends.mkl.is_available())  # type: ignore[no-untyped-call]


def _fits(first: Tensor, second: Tensor) -> bool:
    return first.device.type == "cpu" and first.dtype == second.dtype == torch.float32
