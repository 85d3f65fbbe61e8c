"""The quicker of torch's two float32 matmuls on a CPU.

torch multiplies float32 matrices with MKL, which is the quickest on Intel's processors and uses half the
width of others' vector units (AMD's); torch's oneDNN uses all of it, at the same precision, and is what
torch's compiler calls. Where a build of torch lacks it, MKL serves.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

# oneDNN makes code for each new number of rows, which takes as long as hundreds of rows: it sees few numbers.
STEP = 16
LONG_STEP = 64
# Taller matrices take longer steps, or there would be too many numbers.
MANY, LONGEST_STEP = 1024, 256


def _find_onednn() -> Callable[..., Tensor] | None:
    """Return torch's oneDNN matmul, which has no public name, or None where this build has none."""
    try:
        multiply: Any = torch.ops.mkldnn._linear_pointwise
        left, right = torch.ones(STEP, 1), torch.full((2, 1), 3.0)
        if torch.equal(multiply(left, right, None, "none", [], ""), torch.mm(left, right.t())):
            return multiply  # type: ignore[no-any-return]
    except (AttributeError, NotImplementedError, RuntimeError, TypeError):
        pass
    return None


def _is_intels() -> bool:
    """Whether this processor is one that MKL knows all of."""
    named = platform.processor()
    with suppress(OSError), Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as file:
        named += file.read(1000)
    return "GenuineIntel" in named and bool(torch.backends.mkl.is_available())  # type: ignore[no-untyped-call]


ONEDNN = None if _is_intels() else _find_onednn()


def padded(n: int) -> int:
    """Rows that :func:`product` multiplies for ``n``: where a buffer has as many, it need not copy.

    :param n: rows that count.
    """
    step = STEP if n <= MANY else LONGEST_STEP
    return n if n < STEP else -(-n // step) * step


def product(rows: Tensor, weight: Tensor, bias: Tensor | None = None, sigmoid: bool = False) -> Tensor:
    """Give ``rows @ weight.t() + bias``.

    :param rows: *Shape:* (n, n_in)
    :param weight: contiguous, or oneDNN falls back to a slow loop. *Shape:* (n_out, n_in)
    :param bias: *Shape:* (n_out,)
    :param sigmoid: of the result.
    :return: *Shape:* (n, n_out)
    """
    n = len(rows)
    if ONEDNN is None or n < STEP or not (_fits(rows, weight) and weight.is_contiguous()):
        found = torch.mm(rows, weight.t()) if bias is None else torch.addmm(bias, rows, weight.t())
        return found.sigmoid_() if sigmoid else found
    if padded(n) > n:
        rows = functional.pad(rows, (0, 0, 0, padded(n) - n))
    # It reads a bias without its strides.
    bias = None if bias is None else bias.contiguous()
    return ONEDNN(rows.contiguous(), weight, bias, "sigmoid" if sigmoid else "none", [], "")[:n]


def linear(rows: Tensor, weight: Tensor, bias: Tensor | None = None, sigmoid: bool = False) -> Tensor:
    """Do ``torch.nn.functional.linear``, by the quicker product where no gradient is wanted.

    :param rows: *Shape:* (n, n_in)
    :param weight: *Shape:* (n_out, n_in)
    :param bias: *Shape:* (n_out,)
    :param sigmoid: of the result.
    :return: *Shape:* (n, n_out)
    """
    if torch.is_grad_enabled() or torch.is_autocast_enabled(rows.device.type):
        found = functional.linear(rows, weight, bias)
        return torch.sigmoid(found) if sigmoid else found
    return product(rows, weight, bias, sigmoid)


def gradient(outer: Tensor, rows: Tensor) -> Tensor:
    """Give ``outer.t() @ rows``, the gradient of a weight.

    :param outer: gradient of the product. *Shape:* (n, n_out)
    :param rows: what was multiplied. *Shape:* (n, n_in)
    :return: *Shape:* (n_out, n_in)
    """
    if ONEDNN is None or len(rows) < LONG_STEP or not _fits(outer, rows):
        return torch.mm(outer.t(), rows)
    if short := -len(rows) % LONG_STEP:
        outer, rows = (functional.pad(side, (0, 0, 0, short)) for side in (outer, rows))
    return ONEDNN(outer.t().contiguous(), rows.t().contiguous(), None, "none", [], "")


def _fits(first: Tensor, second: Tensor) -> bool:
    return first.device.type == "cpu" and first.dtype == second.dtype == torch.float32
