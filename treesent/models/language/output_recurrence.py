r"""Recurrence from the output: the next state depends on the last outputs, not on the last hidden state.

Goodfellow et al. 2016, section 10.2.1 and figure 10.4: only the output connects one step to the next,

.. math:: h_t = \tanh\Big(b + U x_t + \sum_{j=1}^{k} W_j y_{t-j}\Big).

With :math:`k = 1` this is the network of the figure, whose only memory is one output, which for text is one
symbol; a delay line over the last :math:`k` outputs (NARX networks, Lin et al. 1996) extends it.

Under teacher forcing no step waits for another, so that a whole sequence is one matrix product. This is not
possible with recurrence from hidden states.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from treesent.models.language.config import LanguageModelConfig
from treesent.models.language.embedding import SymbolEmbedding
from treesent.models.language.state import LanguageState
from treesent.nn.cells import State
from treesent.nn.dropout import dropout
from treesent.nn.initial import glorot_blocks
from treesent.nn.matmul import linear
from treesent.text.vocabulary import EOS


class OutputRecurrence(nn.Module):
    """One layer whose state depends on the last outputs.

    :param width: of the vector of an output.
    :param hidden: of the states.
    :param delays: how many last outputs it reads, the ``k`` above. With 1, the inputs may be any vectors of a
        step, as those of a layer below.
    :param generator: source of the initial weights.
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
        """Take all steps of a window at once; their last outputs are known.

        :param outputs: the vector of the last output before each step, preceded by those of the
            ``delays - 1`` earlier outputs. *Shape:* (delays - 1 + steps, batch, width)
        :param others: the contribution of other inputs, the :math:`U x_t` above. *Shape:* (steps, batch, hidden)
        :param keep: 0 at an output that begins a sequence and so has none before it, 1 elsewhere.
            *Shape:* (delays - 1 + steps, batch, 1)
        :returns: the states. *Shape:* (steps, batch, hidden)
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


class OutputRecurrentStack(nn.Module):
    """Layers whose only recurrence is from the last outputs; those above the first have none.

    :param config: the model's settings.
    :param width: of the symbols' vectors.
    :param generator: source of the initial weights.
    """

    def __init__(
        self, config: LanguageModelConfig, width: int, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.config = config
        self.n_before = config.output_recurrence - 1
        self.n_features = config.hidden
        widths = (width, *[config.hidden] * (config.layers - 1))
        delays = (config.output_recurrence, *[1] * (config.layers - 1))
        self.layers = nn.ModuleList(
            OutputRecurrence(each, config.hidden, delay, generator)
            for each, delay in zip(widths, delays, strict=True)
        )

    def initial_states(self, zeros: Tensor) -> tuple[State, ...]:
        """Give the states before any symbol: there are none.

        :param zeros: *Shape:* ``(batch, hidden)``
        """
        return ()

    def forward(
        self,
        embedding: SymbolEmbedding,
        symbols: Tensor,
        state: LanguageState,
        added: Sequence[Tensor],
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, tuple[State, ...]]:
        """Read a window; see :meth:`~treesent.models.language.hidden_recurrence.HiddenRecurrence.forward`.

        :param embedding: of the symbols.
        :param symbols: of the window. *Shape:* ``(steps, batch)``
        :param state: before the window, with the outputs before it.
        :param added: other inputs of the first layer. *Shape of each:* ``(steps, batch, hidden)``
        :param generator: source of dropout masks in training; None for torch's own.
        """
        history = torch.cat([state.recent, symbols])
        outputs, others = embedding(history, generator), sum(added[1:], added[0]) if added else None
        for number, layer in enumerate(self.layers):
            if not number:
                outputs = layer(outputs, others, (history != EOS)[:, :, None])
                continue
            below = dropout(outputs, self.config.layer_dropout, self.training, generator)
            outputs = layer(below) + below if self.config.residual else layer(below)
        return outputs, ()
