"""A mode that fails where a forward pass makes a tensor without a device or waits for the device."""

import torch
from torch.overrides import TorchFunctionMode

FACTORIES = {
    torch.arange, torch.as_tensor, torch.empty, torch.eye, torch.from_numpy, torch.full, torch.linspace,
    torch.ones, torch.rand, torch.randint, torch.randn, torch.randperm, torch.scalar_tensor, torch.tensor,
    torch.zeros,
}  # fmt: skip
WAITS = {
    torch.Tensor.__bool__, torch.Tensor.__float__, torch.Tensor.__int__, torch.Tensor.cpu, torch.Tensor.item,
    torch.Tensor.nonzero, torch.Tensor.numpy, torch.Tensor.tolist, torch.masked_select, torch.nonzero,
}  # fmt: skip


class DeviceGuard(TorchFunctionMode):
    """Raises on what works on a CPU and is slow or broken on a GPU."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        """Let a call through unless it is one of the two kinds."""
        kwargs = kwargs or {}
        if func in FACTORIES and kwargs.get("device") is None:
            raise AssertionError(f"torch.{func.__name__} without a device inside a forward pass")
        if func in WAITS:
            raise AssertionError(f"{func.__name__} waits for the device inside a forward pass")
        index = args[1] if func is torch.Tensor.__getitem__ and len(args) > 1 else None
        if isinstance(index, torch.Tensor) and index.dtype == torch.bool:
            raise AssertionError("a boolean mask waits for the device inside a forward pass")
        return func(*args, **kwargs)
