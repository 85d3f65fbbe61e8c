"""The compositions in numpy and float64, one node at a time: what the networks are compared with.

Each function takes the weights by name and either the vector ``x`` of a word or the states of two children,
and returns the parts of the node's state, the hidden state first.
"""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def numbers(module):
    """The weights of a module by name."""
    return {name: weight.detach().double().numpy() for name, weight in module.named_parameters()}


def recursive_net(w, x=None, left=None, right=None):
    """Socher et al. 2011."""
    if x is not None:
        return (np.tanh(w["input"] @ x + w["input_bias"]),)
    return (np.tanh(w["recurrent"] @ np.concatenate([left[0], right[0]]) + w["bias"]),)


def rntn(w, x=None, left=None, right=None):
    """Socher et al. 2013, section 4.3."""
    if x is not None:
        return recursive_net(w, x)
    pair = np.concatenate([left[0], right[0]])
    form = w["tensor"] @ pair @ pair / len(pair)
    return (np.tanh(form + w["recurrent"] @ pair + w["bias"]),)


def tree_gru(w, x=None, left=None, right=None):
    """Cho et al. 2014 with two children; what is absent is zero."""
    hidden = w["bias"].shape[1]
    (w_z, w_n), (u_r, u_z), (b_r, b_z, b_n) = (
        w[name].reshape(n, hidden, -1) for name, n in (("input", 2), ("gates", 2), ("bias", 3))
    )
    x = np.zeros(w_z.shape[1]) if x is None else x
    left, right = (np.zeros(hidden) if child is None else child[0] for child in (left, right))
    pair = np.concatenate([left, right])
    r, z = sigmoid(u_r @ pair + b_r[:, 0]), sigmoid(w_z @ x + u_z @ pair + b_z[:, 0])
    new = np.tanh(w_n @ x + w["recurrent"] @ np.concatenate([r * left, r * right]) + b_n[:, 0])
    return (z * (left + right) + (1 - z) * new,)


def tree_lstm(w, x=None, left=None, right=None):
    """Tai et al. 2015, eqs. 9-14 with two children; what is absent is zero."""
    hidden = w["bias"].shape[1]
    w_i, w_o, w_u = w["input"].reshape(3, hidden, -1)
    u_fl, u_fr, u_i, u_o, u_u = w["recurrent"].reshape(5, hidden, -1)
    b_f, b_i, b_o, b_u = w["bias"]
    x = np.zeros(w_i.shape[1]) if x is None else x
    nothing = np.zeros((2, hidden))
    (h_l, c_l), (h_r, c_r) = (nothing if child is None else child for child in (left, right))
    pair = np.concatenate([h_l, h_r])
    i, o = sigmoid(w_i @ x + u_i @ pair + b_i), sigmoid(w_o @ x + u_o @ pair + b_o)
    u = np.tanh(w_u @ x + u_u @ pair + b_u)
    c = i * u + sigmoid(u_fl @ pair + b_f) * c_l + sigmoid(u_fr @ pair + b_f) * c_r
    return o * np.tanh(c), c


def child_sum(w, x=None, head=None, dependent=None):
    """Tai et al. 2015, eqs. 2-8, for a head whose dependents come one by one.

    Parts are ``h, c``, the head's vector, the sum of the children's ``h`` and that of their gated ``c``.
    """
    (w_f, w_i, w_o, w_u), (u_f, u_i, u_o, u_u), (b_f, b_i, b_o, b_u) = (
        w[name].reshape(4, -1, width)
        for name, width in (
            ("input", w["input"].shape[1]),
            ("recurrent", w["recurrent"].shape[1]),
            ("bias", 1),
        )
    )
    b_f, b_i, b_o, b_u = (b[:, 0] for b in (b_f, b_i, b_o, b_u))
    if x is None:
        (_, _, x, total, gated), (h_k, c_k, *_) = head, dependent
        total, gated = total + h_k, gated + sigmoid(w_f @ x + u_f @ h_k + b_f) * c_k
    else:
        total, gated = np.zeros((2, len(b_f)))
    i, o = sigmoid(w_i @ x + u_i @ total + b_i), sigmoid(w_o @ x + u_o @ total + b_o)
    c = i * np.tanh(w_u @ x + u_u @ total + b_u) + gated
    return o * np.tanh(c), c, x, total, gated
