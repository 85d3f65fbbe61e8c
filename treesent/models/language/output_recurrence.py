r"""Recurrence from the output: a network whose next state comes from what it said, not from what it thought.

Goodfellow et al. 2016, section 10.2.1 and figure 10.4: the only way from a step to the next is the output, so
that

.. math:: h_t = \tanh\Big(b + U x_t + \sum_{j=1}^{k} W_j y_{t-j}\Big).

With :math:`k = 1` this is the figure's network. It knows of the past what fits into one output, which for
text is one symbol; a delay line over the last :math:`k` outputs (NARX networks, Lin et al. 1996) widens that.

Where the true outputs are fed (teacher forcing) no step waits for another, so that a whole sequence is one
matrix product. A network with a recurrence from its hidden state has no such choice.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from treesent.nn.initial import glorot_blocks
from treesent.nn.matmul import linear


class OutputRecurrence(nn.Module):
    """One layer whose state comes from the last outputs.

    :param width: of the vector of an output.
    :param hidden: of the states.
    :param delays: how many outputs back it sees, the ``k`` above. With 1, outputs may be any vectors of a
        step, and the layer is one without recurrence that lies above another.
    :param generator: where the first weights come from.
    """

    def __init__(
        self, width: int, hidden: int, delays: int = 1, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.delays = delays
        # Block j reads the output of j + 1 steps ago.
        self.recurrent = nn.Parameter(glorot_blocks(hidden, [width] * delays, generator) * delays**-0.5)
        self.bias = nn.Parameter(torch.zeros(hidden))

    def forward(self, outputs: Tensor, others: Tensor | None = None, keep: Tensor | None = None) -> Tensor:
        """Take steps whose last outputs are known, all at once.

        :param outputs: the vector of the last output before each step, and first of all those of the
            ``delays - 1`` outputs before them. *Shape:* (delays - 1 + steps, batch, width)
        :param others: the share of other inputs, the :math:`U x_t` above. *Shape:* (steps, batch, hidden)
        :param keep: 0 at an output that begins a sequence, before which there is none, and 1 elsewhere.
            *Shape:* (delays - 1 + steps, batch, 1)
        :return: the states. *Shape:* (steps, batch, hidden)
        """
        steps = len(outputs) - self.delays + 1
        # A delay line: what stands side by side is multiplied in one product.
        line = outputs
        if self.delays > 1:
            starts = range(self.delays - 1, -1, -1)
            parts = [outputs[start : start + steps] for start in starts]
            if keep is not None:
                kept = torch.ones_like(outputs[:1, :, :1])
                for j in range(1, self.delays):
                    kept = kept * keep[starts[j - 1] : starts[j - 1] + steps]
                    parts[j] = parts[j] * kept
            line = torch.cat(parts, 2)
        states = linear(line.flatten(0, 1), self.recurrent, self.bias).view(steps, line.shape[1], -1)
        return (states if others is None else states + others).tanh()
