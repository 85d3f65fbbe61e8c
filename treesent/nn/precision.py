"""The floating point types of products, sums and losses."""

from __future__ import annotations

import torch
from torch import Tensor


def autocast_dtype(device: torch.device) -> torch.dtype | None:
    """Return the type of autocast's products on a device, None if autocast is off there.

    :param device: any, also one that autocast does not know (``meta``).
    """
    if not torch.amp.is_autocast_available(device.type) or not torch.is_autocast_enabled(device.type):
        return None
    return torch.get_autocast_dtype(device.type)


def cast_for_autocast(tensor: Tensor) -> Tensor:
    """Cast a tensor as autocast would for a product.

    :param tensor: any.
    :returns: the tensor in autocast's type, or itself if autocast is off.
    """
    dtype = autocast_dtype(tensor.device)
    return tensor if dtype is None else tensor.to(dtype)


def at_least_float32(tensor: Tensor) -> Tensor:
    """Convert half precision to float32, for sums and exponentials; wider types stay as they are.

    :param tensor: any.
    """
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
