"""Scheduled sampling (Bengio et al. 2015): from teacher forcing to a model that reads its own output.

In training, a model of sequences reads the true output of the step before ("teacher forcing"); in use, what
it drew itself, and one slip leads it where it has never been. Scheduled sampling goes from the one to the
other: each input is the true one with a probability that falls over the run, and else the model's own draw.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, TypeVar

import torch
from pydantic import PositiveInt
from torch import Tensor

from treesent.config import Fraction, section
from treesent.models.language.sampling import pick

State = TypeVar("State")
Step = Callable[[Tensor, State], tuple[Tensor, State]]
"""A step of a model: symbols (*Shape:* (batch,)) and a state give log-probabilities of the next symbols
(*Shape:* (batch, n_symbols)) and the next state."""


@section
class ScheduledSampling:
    r"""``[training.scheduled_sampling]``: how the teacher-forcing ratio falls, the fraction of true inputs.

    At step :math:`i` of the run the ratio is (Bengio et al. 2015, section 2.4)

    - ``none``: 1, teacher forcing throughout;
    - ``linear``: :math:`\max(\epsilon, 1 - c\, i)`, with :math:`c = 1 / \text{steps}`;
    - ``exponential``: :math:`\max(\epsilon, k^i)`, with :math:`k = e^{-1 / \text{steps}}`;
    - ``inverse_sigmoid``: :math:`\max(\epsilon, k / (k + \exp(i / k)))`, with :math:`k` such that it is a
      half after ``steps``.

    """

    decay: Literal["none", "linear", "exponential", "inverse_sigmoid"] = "none"
    """The kind of decay."""
    steps: PositiveInt = 1000
    """After how many steps of the run the ratio is 0 (linear), 1/e (exponential) or a half (inverse
    sigmoid)."""
    floor: Fraction = 0.0
    """The ratio never falls below this."""

    def ratio(self, step: int) -> float:
        """Give the teacher-forcing ratio.

        :param step: of the run, from 0.
        """
        if self.decay == "none":
            return 1.0
        if self.decay == "linear":
            ratio = 1 - step / self.steps
        elif self.decay == "exponential":
            ratio = math.exp(-step / self.steps)
        else:
            k = sigmoid_constant(self.steps)
            ratio = k / (k + math.exp(min(step / k, 700.0)))
        return max(self.floor, ratio)


def sigmoid_constant(steps: int) -> float:
    r"""Solve :math:`k \ln k = \text{steps}`, which makes the inverse sigmoid a half after so many steps.

    :param steps: 1 or more.
    """
    k = max(2.0, steps / math.log(steps + 2))
    for _ in range(50):  # Newton's, on a convex function
        k -= (k * math.log(k) - steps) / (math.log(k) + 1)
    return k


def feed(
    step: Step[State],
    state: State,
    truth: Tensor,
    ratio: float,
    generator: torch.Generator | None = None,
    *,
    fixed: Tensor | None = None,
    never: int | None = None,
) -> tuple[Tensor, State]:
    """Run a model whose inputs are the true ones or its own draws.

    Gradients go through the states and not through the draws.

    :param step: of the model.
    :param state: before the first step.
    :param truth: the true inputs, the first of which is always fed. *Shape:* (steps, batch)
    :param ratio: the teacher-forcing ratio, the probability that an input is the true one: 1 is teacher
        forcing, 0 a model that runs freely.
    :param generator: where draws come from; None for torch's own.
    :param fixed: inputs that are the true ones whatever is drawn: where a text begins, where there is none.
        *Shape:* (steps, batch)
    :param never: a symbol that is not fed where it is drawn, but the true input instead: the end of a text,
        say.
    :returns: log-probabilities of what follows each input, and the state after the last. *Shape:* (steps,
        batch, n_symbols)
    """
    shape = (2, *truth.shape)
    coin, number = torch.rand(shape, device=truth.device, generator=generator)
    given = coin < ratio
    if fixed is not None:
        given = given | fixed
    outputs: list[Tensor] = []
    symbols = truth[0]
    for place in range(len(truth)):
        if place:
            own = pick(outputs[-1].detach().float().exp(), number[place])
            true = given[place] if never is None else given[place] | (own == never)
            symbols = torch.where(true, truth[place], own)
        log_probs, state = step(symbols, state)
        outputs.append(log_probs)
    return torch.stack(outputs), state
