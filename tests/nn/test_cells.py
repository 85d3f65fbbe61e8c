"""Every recurrent cell on numbers: its equations in numpy, torch's own, finite differences."""

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import PackedSequence

from treesent.errors import RecipeError
from treesent.nn import cells
from treesent.nn.sequences import Steps

WIDTH, HIDDEN = 3, 5
SIZES = np.array([4, 4, 3, 2, 2, 1, 1, 1, 1])
STEPS = Steps.of(SIZES)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def blocks(cell):
    """Weights as lists of blocks."""
    n = cell.n_gates
    w, u, b = (weight.detach().numpy() for weight in (cell.input, cell.recurrent, cell.bias))
    return w.reshape(n, HIDDEN, -1), u.reshape(n, HIDDEN, -1), b.reshape(n, HIDDEN)


def elman(cell, x, h, memory, t, h_prev):
    w, u, b = (weight.detach().numpy() for weight in (cell.kernel.weight_ih_l0, cell.kernel.weight_hh_l0,
                                                      cell.kernel.bias_ih_l0))  # fmt: skip
    return np.tanh(w @ x + u @ h_prev + b + cell.kernel.bias_hh_l0.detach().numpy()), None


def leaky(cell, x, h, memory, t, h_prev):
    (w,), (u,), (b,) = blocks(cell)
    rate = cell.rates.detach().numpy()
    return (1 - rate) * h + rate * np.tanh(w @ x + u @ h_prev + b), None


def clockwork(cell, x, h, memory, t, h_prev):
    (w,), (u,), (b,) = blocks(cell)
    new, begin = h.copy(), 0
    for module, end in enumerate(map(cell.end, range(cell.n_modules))):
        if t % 2**module == 0:
            new[begin:end] = np.tanh(w[begin:end] @ x + u[begin:end, begin:] @ h_prev[begin:] + b[begin:end])
        begin = end
    return new, None


def lstm(cell, x, h, c, t, h_prev):
    w, u, b = (getattr(cell.kernel, name).detach().numpy().reshape(4, HIDDEN, *rest) for name, *rest in (
        ("weight_ih_l0", WIDTH), ("weight_hh_l0", HIDDEN), ("bias_ih_l0",)))  # fmt: skip
    i, f, u, o = (w[k] @ x + u[k] @ h_prev + b[k] for k in range(4))
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(u)
    return sigmoid(o) * np.tanh(c), c


def peephole(cell, x, h, c, t, h_prev):
    w, u, b = blocks(cell)
    i, f, u, o = (w[k] @ x + u[k] @ h_prev + b[k] for k in range(4))
    p_i, p_f, p_o = cell.peephole.detach().numpy().reshape(3, HIDDEN)
    i, f = sigmoid(i + p_i * c), sigmoid(f + p_f * c)
    c = f * c + i * np.tanh(u)
    return sigmoid(o + p_o * c) * np.tanh(c), c


def coupled(cell, x, h, c, t, h_prev):
    w, u, b = blocks(cell)
    f, u, o = (w[k] @ x + u[k] @ h_prev + b[k] for k in range(3))
    c = sigmoid(f) * c + (1 - sigmoid(f)) * np.tanh(u)
    return sigmoid(o) * np.tanh(c), c


def gru(cell, x, h, memory, t, h_prev):
    w, u, b, b_h = (getattr(cell.kernel, name).detach().numpy().reshape(3, HIDDEN, *rest) for name, *rest in (
        ("weight_ih_l0", WIDTH), ("weight_hh_l0", HIDDEN), ("bias_ih_l0",), ("bias_hh_l0",)))  # fmt: skip
    r, z = (sigmoid(w[k] @ x + b[k] + u[k] @ h_prev + b_h[k]) for k in range(2))
    n = np.tanh(w[2] @ x + b[2] + r * (u[2] @ h_prev + b_h[2]))
    return (1 - z) * n + z * h, None


def minimal(cell, x, h, memory, t, h_prev):
    w, u, b = blocks(cell)
    f = sigmoid(w[0] @ x + u[0] @ h_prev + b[0])
    return (1 - f) * h + f * np.tanh(w[1] @ x + u[1] @ (f * h_prev) + b[1]), None


CELLS = {
    "elman": (cells.Elman, {}, elman),
    "leaky": (cells.Leaky, {"rate": 0.9, "slowest": 0.1}, leaky),
    "leaky, learned": (cells.Leaky, {"rate": 0.6, "slowest": None, "tune": True}, leaky),
    "clockwork": (cells.Clockwork, {"modules": 3}, clockwork),
    "lstm": (cells.LSTM, {}, lstm),
    "peephole": (cells.PeepholeLSTM, {}, peephole),
    "coupled": (cells.CoupledLSTM, {}, coupled),
    "gru": (cells.GRU, {}, gru),
    "minimal": (cells.MinimalGatedUnit, {}, minimal),
}
every_cell = pytest.mark.parametrize(("kind", "options", "equations"), CELLS.values(), ids=CELLS)
torchs = pytest.mark.parametrize("kind", [cells.Elman, cells.LSTM, cells.GRU])


def make(kind, options=None, width=WIDTH, hidden=HIDDEN):
    """A cell in float64, its biases at random."""
    cell = kind(width, hidden, generator(), **(options or {})).double()
    with torch.no_grad():
        for name, weight in cell.named_parameters():
            if "bias" in name and not (kind in (cells.Elman, cells.LSTM) and "bias_hh" in name):
                weight.uniform_(-1, 1, generator=generator(1))
    return cell


def inputs(width=WIDTH):
    return torch.randn(int(SIZES.sum()), width, generator=generator(2), dtype=torch.float64)


def masks():
    keep = torch.empty(int(SIZES[0]), HIDDEN, dtype=torch.float64)
    return keep.bernoulli_(0.5, generator=generator(3)) * 2


@every_cell
@pytest.mark.parametrize("masked", [False, True])
def test_a_cell_is_its_equations(kind, options, equations, masked):
    cell, x = make(kind, options), inputs()
    mask = masks() if masked else None
    found = cell(x, STEPS, None, mask).detach().numpy()
    first = np.cumsum(SIZES) - SIZES
    for sequence in range(SIZES[0]):
        h, memory = np.zeros(HIDDEN), np.zeros(HIDDEN)
        for t in range(int((sequence < SIZES).sum())):
            h_prev = h if mask is None else h * mask[sequence].numpy()
            h, memory = equations(cell, x[first[t] + sequence].numpy(), h, memory, t, h_prev)
            np.testing.assert_allclose(found[first[t] + sequence], h, atol=1e-12)


LONG = 10_000


@every_cell
def test_ten_thousand_steps_are_the_equations(kind, options, equations):
    cell = make(kind, options)
    x = torch.randn(LONG, WIDTH, generator=generator(2), dtype=torch.float64)
    steps, expected = Steps.of(np.ones(LONG, np.int64)), np.empty((LONG, HIDDEN))
    h, memory = np.zeros((2, HIDDEN))
    for t, each in enumerate(x.numpy()):
        h, memory = equations(cell, each, h, memory, t, h)
        expected[t] = h
    with torch.no_grad():
        np.testing.assert_allclose(cell(x, steps), expected, atol=1e-10, rtol=0)
        np.testing.assert_allclose(cell.float()(x.float(), steps), expected, atol=2e-5, rtol=0)


@pytest.mark.parametrize(
    "kind",
    [
        cells.Elman,
        *(pytest.param(each, marks=pytest.mark.slow) for each in cells.CELLS.values() if each != cells.Elman),
    ],
)
def test_gradients_of_ten_thousand_steps_are_those_of_plain_steps(kind):
    """The gradient of the recurrent weights in one product, against torch's own, a step at a time."""
    cell, steps = make(kind), Steps.of(np.ones(LONG, np.int64))
    x = torch.randn(LONG, WIDTH, generator=generator(2), dtype=torch.float64)
    state, outputs = (torch.zeros(1, HIDDEN, dtype=torch.float64),) * cell.n_states, []
    weight = cell.recurrent_weight()
    for t, part in enumerate(cell.project(x).split(1)):
        state = cell.step(part, state[0], state, weight, t)
        outputs.append(state[0])
    factors = torch.linspace(-1, 1, LONG * HIDDEN, dtype=torch.float64).view(LONG, HIDDEN)
    found, expected = (
        torch.autograd.grad((output * factors).sum(), list(cell.parameters()))
        for output in (cell(x, steps), torch.cat(outputs))
    )
    torch.testing.assert_close(found, expected, atol=1e-8, rtol=1e-8)


@every_cell
@pytest.mark.parametrize("masked", [False, True])
def test_gradients_are_those_of_finite_differences(kind, options, equations, masked):
    cell, steps = kind(2, 3, generator(), **options).double(), Steps.of(np.array([3, 2, 2, 1, 1]))
    x = torch.randn(9, 2, generator=generator(2), dtype=torch.float64, requires_grad=True)
    mask = masks()[:3, :3] if masked else None
    names = [name for name, _ in cell.named_parameters()]

    def run(x, *weights):
        return torch.func.functional_call(
            cell, dict(zip(names, weights, strict=True)), (x, steps, None, mask)
        )

    assert torch.autograd.gradcheck(run, (x, *cell.parameters()))


@every_cell
def test_rows_may_share_vectors(kind, options, equations):
    cell, vectors = make(kind, options), inputs()[:6]
    words = torch.randint(6, (int(SIZES.sum()),), generator=generator())
    expected = cell(vectors[words], STEPS)
    torch.testing.assert_close(cell(vectors, STEPS, words), expected)
    with torch.no_grad():
        torch.testing.assert_close(cell(vectors, STEPS, words), expected)


@torchs
def test_steps_are_those_of_torch(kind):
    """Our own steps against the kernel that runs on a GPU, and both against torch's module."""
    cell, x = make(kind), inputs()
    with torch.no_grad():
        cell.kernel.bias_hh_l0.uniform_(-1, 1, generator=generator(5))
    expected = cell.kernel(PackedSequence(x, STEPS.batch_sizes))[0].data
    assert torch.equal(cell.run_kernel(x, STEPS), expected)
    torch.testing.assert_close(cell(x, STEPS), expected)
    torch.testing.assert_close(cell(x, STEPS, torch.arange(len(x))), expected)


@pytest.mark.parametrize(
    ("kind", "options"), [(cells.Leaky, {"rate": 1.0, "slowest": None}), (cells.Clockwork, {"modules": 1})]
)
def test_a_leaky_unit_of_rate_one_and_a_clockwork_of_one_module_are_elmans(kind, options):
    cell, plain, x = make(kind, options), make(cells.Elman), inputs()
    with torch.no_grad():
        plain.kernel.weight_ih_l0.copy_(cell.input)
        plain.kernel.weight_hh_l0.copy_(cell.recurrent)
        plain.kernel.bias_ih_l0.copy_(cell.bias)
    torch.testing.assert_close(cell(x, STEPS), plain(x, STEPS))


def test_clocks():
    """Koutnik et al. 2014, figure 2: at step 6 the modules of periods 1 and 2 move."""
    cell = cells.Clockwork(WIDTH, 7, modules=3)
    assert [cell.end(module) for module in range(3)] == [3, 5, 7]
    assert [cell.active(step) for step in range(9)] == [7, 3, 5, 3, 7, 3, 5, 3, 7]


def test_a_slow_unit_hands_gradients_further_back():
    """The state after fifty words still depends on the first word where units are leaky."""
    steps, shares = Steps.of(np.ones(50, np.int64)), []
    for kind, options in ((cells.Elman, {}), (cells.Leaky, {"rate": 0.05, "slowest": None})):
        cell = kind(WIDTH, HIDDEN, generator(), **options)
        x = torch.randn(50, WIDTH, generator=generator(1), requires_grad=True)
        cell(x, steps)[-1].sum().backward()
        shares.append(x.grad[0].norm() / x.grad[-1].norm())
    assert shares[1] > 0.01 and shares[1] > 100 * shares[0]


@pytest.mark.parametrize("modules", [0, HIDDEN + 1])
def test_a_clockwork_has_units_for_its_modules(modules):
    with pytest.raises(RecipeError, match=f"modules is {modules}"):
        cells.Clockwork(WIDTH, HIDDEN, modules=modules)
