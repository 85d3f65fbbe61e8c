r"""Recurrent cells over packed sequences, behind one interface.

Every cell reads sequences that are laid out step by step, the longest first. The product of its inputs with
its weights is done for all steps at once, and for each distinct word only where the inputs are words; a step
then costs one product with the states before it. On a processor that is faster than torch's own kernels
(``tests/benchmarks/speed_cells.py``); on a GPU these run where they exist.

A dropout mask on the states (Gal and Ghahramani 2016, "variational") is drawn once for a sequence and held
over its steps. It masks the :math:`h_{t-1}` of the products; what is carried over unchanged is not masked.

In the equations :math:`\odot` is left out, and :math:`\sigma` is the logistic function.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence

from treesent.errors import RecipeError
from treesent.nn.late import LateGradient
from treesent.nn.spans import Steps

State = tuple[Tensor, ...]


class Cell(nn.Module):
    """A recurrent network of one layer and one direction; a subclass says what a step is.

    Rows of its matrices are blocks of ``hidden``, one for each gate, in the order that the subclass names.

    :param width: of the inputs.
    :param hidden: of the states.
    :param generator: where the first weights come from.
    """

    gates: ClassVar[int] = 1
    """Blocks of the matrices."""
    memories: ClassVar[int] = 1
    """States that a step hands to the next, the output included."""
    plain: ClassVar[bool] = True
    """Whether a step uses its gates and the recurrent weights as ``gates + seen @ recurrent`` only."""
    record: bool
    """Keep the outputs of each step, with the gradients that reach them."""
    outputs: list[Tensor]
    """Those of the last run with gradients, where they are kept."""

    def __init__(self, width: int, hidden: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.width, self.hidden = width, hidden
        self.record, self.outputs = False, []
        self._make(width, generator)

    def _make(self, width: int, generator: torch.Generator | None) -> None:
        """Make the weights."""
        rows, bound = self.gates * self.hidden, self.hidden**-0.5
        self.input = nn.Parameter(torch.empty(rows, width).uniform_(-bound, bound, generator=generator))
        recurrent = torch.empty(rows, self.hidden).uniform_(-bound, bound, generator=generator)
        self.recurrent = nn.Parameter(recurrent)
        self.bias = nn.Parameter(torch.zeros(rows))

    def forward(
        self, inputs: Tensor, steps: Steps, words: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        """Run over sequences, from states of zero.

        :param inputs: of every row, or vectors that rows share. *Shape:* (n_rows or n_vectors, width)
        :param steps: sequences at each step.
        :param words: the vector that each row reads, None where each has its own. *Shape:* (n_rows,)
        :param mask: of the states, the longest sequence first. *Shape:* (n_sequences, hidden)
        :return: the state after each row. *Shape:* (n_rows, hidden)
        """
        return self.run(self.project(inputs), steps, words, mask)

    def run(
        self,
        gates: Tensor,
        steps: Steps,
        words: Tensor | None = None,
        mask: Tensor | None = None,
        state: State | None = None,
    ) -> Tensor:
        """Take the steps.

        :param gates: what :meth:`project` gives. *Shape:* (n_rows or n_vectors, gates * hidden)
        :param steps: sequences at each step.
        :param words: see :meth:`forward`.
        :param mask: see :meth:`forward`.
        :param state: before the first step, None for zeros. *Shape of each:* (n_sequences, hidden)
        :return: the state after each row. *Shape:* (n_rows, hidden)
        """
        if words is not None and torch.is_grad_enabled():
            # One gather has one backward pass. Without gradients one a step takes less memory.
            gates, words = gates.index_select(0, words), None
        late = LateGradient(self.matrix()) if self.plain else None
        recurrent = self.matrix() if late is None else late.weight
        gates = gates if late is None else late.tie(gates)
        if state is None:
            state = (gates.new_zeros(steps.sizes[0], self.hidden),) * self.memories
        outputs = []
        # One split has one backward pass; a slice a step would have many.
        parts: tuple[Tensor, ...] = torch.split(gates if words is None else words, list(steps.sizes))
        for number, rows in enumerate(parts):
            part = rows if words is None else gates.index_select(0, rows)
            n = len(part)
            if n < len(state[0]):
                # Sequences that have ended are the last ones.
                state = tuple(each[:n] for each in state)
                mask = None if mask is None else mask[:n]
            seen = state[0] if mask is None else state[0] * mask
            if late is not None:
                late.saw(seen)
            state = self.step(part, seen, state, recurrent, number)
            outputs.append(state[0])
        if self.record and torch.is_grad_enabled():
            for output in outputs:
                output.retain_grad()
            self.outputs = outputs
        return torch.cat(outputs)

    def first_bias(self) -> Tensor:
        """Give what is added to the gates. *Shape:* (gates * hidden,)."""
        return self.bias

    def project(self, inputs: Tensor) -> Tensor:
        """Give the inputs' share of the gates.

        :param inputs: *Shape:* (n, width)
        :return: *Shape:* (n, gates * hidden)
        """
        return functional.linear(inputs, self.input, self.bias)

    def matrix(self) -> Tensor:
        """Give the recurrent weights. *Shape:* (hidden, gates * hidden)."""
        return self.recurrent.t()

    def step(self, gates: Tensor, seen: Tensor, state: State, recurrent: Tensor, number: int) -> State:
        """Take a step.

        :param gates: the inputs' share. *Shape:* (batch, gates * hidden)
        :param seen: the outputs of the step before, masked where there is a mask. *Shape:* (batch, hidden)
        :param state: the same without a mask, then what else the cell keeps. *Shape:* (batch, hidden) each
        :param recurrent: what :meth:`matrix` gives. *Shape:* (hidden, gates * hidden)
        :param number: of the step, from 0.
        :return: the new states, the output first. *Shape:* (batch, hidden) each
        """
        raise NotImplementedError


class Forgetting(Cell):
    """A cell with forget gates, which begin open.

    :param width: of the inputs.
    :param hidden: of the states.
    :param generator: where the first weights come from.
    :param forget_bias: first bias of the forget gates (1 in Jozefowicz et al. 2015).
    """

    forget: ClassVar[int] = 1
    """Their block."""

    def __init__(
        self,
        width: int,
        hidden: int,
        generator: torch.Generator | None = None,
        *,
        forget_bias: float = 1.0,
    ) -> None:
        super().__init__(width, hidden, generator)
        with torch.no_grad():
            self.first_bias().view(-1, hidden)[self.forget].fill_(forget_bias)


class FusedCell(Cell):
    """A cell that torch has too: its weights, and on a GPU its kernels unless the states have a mask."""

    torch_cell: ClassVar[type[nn.RNNBase]]
    kernel: Any

    def _make(self, width: int, generator: torch.Generator | None) -> None:
        # Made empty first, since torch's own first weights would move its global generator.
        kind: type[nn.Module] = self.torch_cell
        self.kernel = kind(width, self.hidden, device="meta").to_empty(device="cpu")
        with torch.no_grad():
            for name, weight in self.kernel.named_parameters():
                if name.startswith("bias"):
                    weight.zero_()
                else:
                    bound = self.hidden**-0.5
                    nn.init.uniform_(weight, -bound, bound, generator=generator)

    def forward(
        self, inputs: Tensor, steps: Steps, words: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        """See :meth:`Cell.forward`."""
        if mask is None and inputs.is_cuda and not self.record:
            return self.by_kernel(inputs if words is None else inputs.index_select(0, words), steps)
        return super().forward(inputs, steps, words, mask)

    def first_bias(self) -> Tensor:
        """See :meth:`Cell.first_bias`; torch has two of them, of which the other begins with zeros."""
        bias: Tensor = self.kernel.bias_ih_l0
        return bias

    def by_kernel(self, rows: Tensor, steps: Steps) -> Tensor:
        """Run torch's kernel.

        :param rows: inputs. *Shape:* (n_rows, width)
        :param steps: sequences at each step.
        :return: the state after each row. *Shape:* (n_rows, hidden)
        """
        packed: PackedSequence = self.kernel(PackedSequence(rows, steps.batch_sizes))[0]
        return packed.data

    def project(self, inputs: Tensor) -> Tensor:
        """See :meth:`Cell.project`."""
        bias = self.kernel.bias_ih_l0 + self.kernel.bias_hh_l0
        return functional.linear(inputs, self.kernel.weight_ih_l0, bias)

    def matrix(self) -> Tensor:
        """See :meth:`Cell.matrix`."""
        weight: Tensor = self.kernel.weight_hh_l0
        return weight.t()


class Elman(FusedCell):
    r"""Simple recurrent network (Elman 1990): :math:`h_t = \tanh(W x_t + U h_{t-1} + b)`.

    :param width: of the inputs.
    :param hidden: of the states.
    :param generator: where the first weights come from.
    """

    torch_cell = nn.RNN

    def step(self, gates: Tensor, seen: Tensor, state: State, recurrent: Tensor, number: int) -> State:
        """See :meth:`Cell.step`."""
        return (torch.addmm(gates, seen, recurrent).tanh(),)


class Leaky(Cell):
    r"""Leaky units (Jaeger et al. 2007, eq. 2; Bengio et al. 2013, section 3.1).

    .. math:: h_t = (1 - a) h_{t-1} + a \tanh(W x_t + U h_{t-1} + b)

    A unit forgets at its rate :math:`a`: one of rate 1 is Elman's, and one of rate 0.1 averages over about
    ten words, along which gradients pass without vanishing.

    :param width: of the inputs.
    :param hidden: of the states.
    :param generator: where the first weights come from.
    :param rate: of the fastest unit, above 0 and at most 1.
    :param slowest: rate of the slowest unit; those between are evenly spread on a logarithmic scale. None for
        one rate.
    :param tune: learn the rates, each kept between 0 and 1 by a logistic function.
    """

    fixed: Tensor

    def __init__(
        self,
        width: int,
        hidden: int,
        generator: torch.Generator | None = None,
        *,
        rate: float = 0.5,
        slowest: float | None = None,
        tune: bool = False,
    ) -> None:
        super().__init__(width, hidden, generator)
        rates = torch.logspace(0, 1, hidden, base=(slowest or rate) / rate) * rate
        self.tune = tune
        if tune:
            self.logit = nn.Parameter(torch.logit(rates))
        else:
            self.register_buffer("fixed", rates, persistent=False)

    @property
    def rates(self) -> Tensor:
        """Rate of each unit. *Shape:* (hidden,)."""
        rates: Tensor = torch.sigmoid(self.logit) if self.tune else self.fixed
        return rates

    def step(self, gates: Tensor, seen: Tensor, state: State, recurrent: Tensor, number: int) -> State:
        """See :meth:`Cell.step`."""
        new = torch.addmm(gates, seen, recurrent).tanh()
        return (torch.lerp(state[0].to(new.dtype), new, self.rates.to(new.dtype).expand_as(new)),)


class Clockwork(Cell):
    r"""Clockwork network (Koutník et al. 2014, eqs. 1-3): units in modules, each with a clock of its own.

    Module :math:`i` has the period :math:`2^i`, steps counted from 0, and computes Elman's equation from its
    own states and those of slower modules at the steps that its period divides; at others it keeps its state.

    :param width: of the inputs.
    :param hidden: of the states; the fastest module comes first.
    :param generator: where the first weights come from.
    :param modules: how many, as equal in width as can be.
    :raises RecipeError: there are more modules than units.
    """

    open: Tensor

    def __init__(
        self, width: int, hidden: int, generator: torch.Generator | None = None, *, modules: int = 4
    ) -> None:
        super().__init__(width, hidden, generator)
        if not 1 <= modules <= hidden:
            raise RecipeError(f"modules is {modules} for {hidden} hidden units; give 1 to {hidden}")
        sizes = torch.full((modules,), hidden // modules)
        sizes[: hidden % modules] += 1
        module = torch.repeat_interleave(sizes)
        self.ends = tuple(sizes.cumsum(0).tolist())
        self.register_buffer("open", (module[:, None] <= module[None]).float(), persistent=False)

    def matrix(self) -> Tensor:
        """See :meth:`Cell.matrix`; weights from faster to slower modules are zero."""
        weight: Tensor = self.recurrent * self.open
        return weight.t()

    def active(self, number: int) -> int:
        """Count the units that move at a step.

        :param number: of the step, from 0.
        """
        # The periods that divide a number are those up to its lowest bit.
        clocks = (number & -number).bit_length() if number else len(self.ends)
        return int(self.ends[min(clocks, len(self.ends)) - 1])

    def step(self, gates: Tensor, seen: Tensor, state: State, recurrent: Tensor, number: int) -> State:
        """See :meth:`Cell.step`."""
        n = self.active(number)
        new = torch.addmm(gates[:, :n], seen, recurrent[:, :n]).tanh()
        return (new if n == self.hidden else torch.cat([new, state[0][:, n:]], 1),)


class LSTM(Forgetting, FusedCell):
    r"""Long short-term memory with forget gates (Gers et al. 2000), blocks ``i, f, u, o``.

    .. math::
        i, f, o = \sigma(W x_t + U h_{t-1} + b), \quad u = \tanh(W x_t + U h_{t-1} + b), \quad
        c_t = f c_{t-1} + i u, \quad h_t = o \tanh c_t

    :param width: of the inputs.
    :param hidden: of the states.
    :param generator: where the first weights come from.
    :param forget_bias: see :class:`Forgetting`.
    """

    gates, memories, torch_cell = 4, 2, nn.LSTM

    def step(self, gates: Tensor, seen: Tensor, state: State, recurrent: Tensor, number: int) -> State:
        """See :meth:`Cell.step`."""
        both, u, o = torch.split(
            torch.addmm(gates, seen, recurrent), [2 * self.hidden, self.hidden, self.hidden], 1
        )
        i, f = both.sigmoid().chunk(2, 1)
        c = torch.addcmul(i * u.tanh(), f, state[1])
        return o.sigmoid() * c.tanh(), c


class PeepholeLSTM(Forgetting):
    r"""LSTM whose gates see the memory (Gers and Schmidhuber 2000; Graves 2013, eqs. 7-11).

    .. math::
        i = \sigma(W_i x_t + U_i h_{t-1} + p_i c_{t-1} + b_i), \quad
        f = \sigma(W_f x_t + U_f h_{t-1} + p_f c_{t-1} + b_f)

        c_t = f c_{t-1} + i \tanh(W_u x_t + U_u h_{t-1} + b_u)

        o = \sigma(W_o x_t + U_o h_{t-1} + p_o c_t + b_o), \quad h_t = o \tanh c_t

    Blocks are ``i, f, u, o``, those of ``peephole`` ``i, f, o``.

    :param width: of the inputs.
    :param hidden: of the states.
    :param generator: where the first weights come from.
    :param forget_bias: see :class:`Forgetting`.
    """

    gates, memories = 4, 2

    def _make(self, width: int, generator: torch.Generator | None) -> None:
        super()._make(width, generator)
        bound = self.hidden**-0.5
        peephole = torch.empty(3 * self.hidden).uniform_(-bound, bound, generator=generator)
        self.peephole = nn.Parameter(peephole)

    def step(self, gates: Tensor, seen: Tensor, state: State, recurrent: Tensor, number: int) -> State:
        """See :meth:`Cell.step`."""
        i, f, u, o = torch.addmm(gates, seen, recurrent).chunk(4, 1)
        p_i, p_f, p_o = self.peephole.chunk(3)
        i = torch.addcmul(i, p_i, state[1]).sigmoid()
        f = torch.addcmul(f, p_f, state[1]).sigmoid()
        c = torch.addcmul(i * u.tanh(), f, state[1])
        return torch.addcmul(o, p_o, c).sigmoid() * c.tanh(), c


class CoupledLSTM(Forgetting):
    r"""LSTM that forgets as much as it takes in (Greff et al. 2017, "CIFG"), blocks ``f, u, o``.

    .. math:: c_t = f c_{t-1} + (1 - f) \tanh(W_u x_t + U_u h_{t-1} + b_u), \quad h_t = o \tanh c_t

    :param width: of the inputs.
    :param hidden: of the states.
    :param generator: where the first weights come from.
    :param forget_bias: see :class:`Forgetting`.
    """

    gates, memories, forget = 3, 2, 0

    def step(self, gates: Tensor, seen: Tensor, state: State, recurrent: Tensor, number: int) -> State:
        """See :meth:`Cell.step`."""
        f, u, o = torch.addmm(gates, seen, recurrent).chunk(3, 1)
        c = torch.lerp(u.tanh(), state[1].to(u.dtype), f.sigmoid())
        return o.sigmoid() * c.tanh(), c


class GRU(FusedCell):
    r"""Gated recurrent unit (Cho et al. 2014) as torch has it, blocks ``r, z, n``.

    .. math::
        r, z = \sigma(W x_t + U h_{t-1} + b), \quad
        n = \tanh(W_n x_t + b_n + r (U_n h_{t-1} + b'_n)), \quad h_t = (1 - z) n + z h_{t-1}

    :param width: of the inputs.
    :param hidden: of the states.
    :param generator: where the first weights come from.
    """

    gates, torch_cell, plain = 3, nn.GRU, False

    def project(self, inputs: Tensor) -> Tensor:
        """See :meth:`Cell.project`; the recurrent bias comes with the recurrent product."""
        return functional.linear(inputs, self.kernel.weight_ih_l0, self.kernel.bias_ih_l0)

    def step(self, gates: Tensor, seen: Tensor, state: State, recurrent: Tensor, number: int) -> State:
        """See :meth:`Cell.step`."""
        parts = [2 * self.hidden, self.hidden]
        both, n = torch.split(gates, parts, 1)
        other, below = torch.split(torch.addmm(self.kernel.bias_hh_l0, seen, recurrent), parts, 1)
        r, z = (both + other).sigmoid().chunk(2, 1)
        return (torch.lerp(torch.addcmul(n, r, below).tanh(), state[0].to(z.dtype), z),)


class MinimalGatedUnit(Cell):
    r"""Minimal gated unit (Zhou et al. 2016, eqs. 5a-5c), blocks ``f, n``.

    .. math::
        f = \sigma(W_f x_t + U_f h_{t-1} + b_f), \quad
        n = \tanh(W_n x_t + U_n (f h_{t-1}) + b_n), \quad h_t = (1 - f) h_{t-1} + f n

    :param width: of the inputs.
    :param hidden: of the states.
    :param generator: where the first weights come from.
    """

    gates, plain = 2, False

    def step(self, gates: Tensor, seen: Tensor, state: State, recurrent: Tensor, number: int) -> State:
        """See :meth:`Cell.step`."""
        f, n = gates.chunk(2, 1)
        f = torch.addmm(f, seen, recurrent[:, : self.hidden]).sigmoid()
        n = torch.addmm(n, f * seen, recurrent[:, self.hidden :]).tanh()
        return (torch.lerp(state[0].to(n.dtype), n, f),)
