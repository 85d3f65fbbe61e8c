"""Both matmuls give the product."""

import pytest
import torch

from treesent.nn.matmul import LEAST_ROWS, add_product


@pytest.mark.parametrize("n_rows", [0, 1, LEAST_ROWS - 1, LEAST_ROWS, 300])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("contiguous", [True, False])
def test_the_product_is_added(n_rows, dtype, contiguous):
    generator = torch.Generator().manual_seed(n_rows)
    rows, weight, out = (
        torch.randn(*shape, generator=generator, dtype=dtype)
        for shape in ((n_rows, 30), (40, 60), (n_rows, 40))
    )
    weight = weight[:, :30].contiguous() if contiguous else weight[:, :30]
    expected = out.double() + rows.double() @ weight.double().t()
    add_product(out, rows, weight)
    torch.testing.assert_close(out, expected.to(dtype), atol=1e-5, rtol=1e-5)
