"""The quicker of torch's two float32 matmuls on a CPU."""

import torch
from torch import Tensor
from torch.nn import functional

# oneDNN makes code for each new shape, which small products do not repay.
LEAST_ROWS = 64


def add_product(out: Tensor, rows: Tensor, weight: Tensor) -> None:
    """Add ``rows @ weight.t()`` to ``out`` in place.

    torch multiplies float32 matrices with MKL, which uses half the width of some processors' vector units
    (AMD's); its oneDNN uses all of it, at the same precision, and is what torch's compiler calls.

    :param out: *Shape:* (n, n_out)
    :param rows: *Shape:* (n, n_in)
    :param weight: contiguous, or oneDNN falls back to a slow loop. *Shape:* (n_out, n_in)
    """
    if _suits(rows, weight):
        out.add_(torch.ops.mkldnn._linear_pointwise(rows.contiguous(), weight, None, "none", [], ""))
    else:
        out.addmm_(rows, weight.t())


def linear(rows: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Do ``torch.nn.functional.linear``, by the quicker product where no gradient is wanted.

    :param rows: *Shape:* (n, n_in)
    :param weight: *Shape:* (n_out, n_in)
    :param bias: *Shape:* (n_out,)
    :return: *Shape:* (n, n_out)
    """
    if torch.is_grad_enabled() or torch.is_autocast_enabled(rows.device.type) or not _suits(rows, weight):
        return functional.linear(rows, weight, bias)
    product: Tensor = torch.ops.mkldnn._linear_pointwise(rows.contiguous(), weight, bias, "none", [], "")
    return product


def _suits(rows: Tensor, weight: Tensor) -> bool:
    """Whether oneDNN takes these matrices and is worth its while."""
    return (
        len(rows) >= LEAST_ROWS
        and rows.device.type == "cpu"
        and rows.dtype == weight.dtype == torch.float32
        and weight.is_contiguous()
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    )
