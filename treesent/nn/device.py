"""Devices by name."""

import torch

from treesent.errors import TreesentError


def choose_device(name: str) -> torch.device:
    """Find a device by name.

    :param name: ``auto`` (a CUDA device if there is one, else the CPU), ``cpu``, ``cuda``, ``cuda:1`` or
        ``mps``.
    :raises TreesentError: if this machine has no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, number = name.partition(":")
    here = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if kind not in here or (number and not number.isdigit()):
        raise TreesentError(f"--device {name}: unknown; use auto, cpu, cuda, cuda:1 or mps")
    if int(number or 0) >= here[kind]:
        there = ", ".join(device for device, count in here.items() if count)
        raise TreesentError(f"--device {name}: not on this machine, which has {there}; use --device auto")
    return torch.device(name)
