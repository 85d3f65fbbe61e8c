"""Temperature scaling: confidence that means what it says (Guo et al. 2017, arXiv:1706.04599, section 4.2)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from treesent.errors import RecipeError
from treesent.models.classifier.node_states import label_losses
from treesent.types import Float32, Int64

_BOUNDS = (-2.5, 2.5)
"""The logarithm of a temperature lies between these."""


def fit_temperature(probs: Float32, label: Int64) -> float:
    """Find the temperature that makes labels most probable: logits are divided by it.

    :param probs: before. *Shape:* ``(n, n_classes)``
    :param label: classes or sets of them, -1 for none (:mod:`treesent.trees.label_sets`). *Shape:* ``(n,)``
    :returns: 1 if there is no label.
    """
    from scipy.optimize import minimize_scalar

    kept = label >= 0
    if not kept.any():
        return 1.0
    logits = torch.from_numpy(np.log(np.maximum(probs[kept], np.finfo(np.float32).tiny))).double()
    labels = torch.from_numpy(label[kept])

    def loss(log_temperature: float) -> float:
        log_probs = (logits / float(np.exp(log_temperature))).log_softmax(1)
        return float(label_losses(log_probs, labels, True).mean())

    return float(np.exp(minimize_scalar(loss, bounds=_BOUNDS, method="bounded").x))


def check_calibration(settings: Any) -> None:
    """Refuse a network whose softmax layer does not give its probabilities.

    :param settings: of the network.
    :raises RecipeError: its pooling is ``outputs``.
    """
    if getattr(settings, "pooling", "") == "outputs":
        raise RecipeError(
            "training.calibrate is true, but with pooling = 'outputs' no single temperature scales the network's "
            "probabilities; leave it out"
        )


def cool(network: Any, temperature: float) -> None:
    """Divide a network's logits by a temperature, once and for all; its predictions stay.

    :param network: changed in place.
    :param temperature: above 0.
    """
    with torch.no_grad():
        network.weight.div_(temperature)
        network.bias.div_(temperature)
