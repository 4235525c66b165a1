"""Recurrent networks: single steps, and whole sequences, each as one op of several results, whose gradients share work."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from autograd.engine.accumulate import total
from autograd.engine.graph import Array
from autograd.engine.primitive import primitive
from autograd.ops.common import formula
from autograd.ops.join import filled, split
from autograd.ops.linalg import T


# ---------------------------------------------------------------- gates
def gate_scale(like: Array, *scales: float) -> Array:
    """For `gates`, an array like `like`: how much each of some gates in a row is scaled, 0.5 for sigmoid and 1 for tanh."""
    width = like.shape[-1] // len(scales)
    return np.concatenate([np.full_like(like, scale, shape=(width,)) for scale in scales])


def gates(z: Array, scale: Array) -> Array:
    """tanh where `scale` is 1, sigmoid where it is 0.5, which is a tanh as well: scale * tanh(scale * z) + 1 - scale."""
    return np.tanh(z * scale) * scale + (1 - scale)


def slope(a: Array, scale: Array) -> Array:
    """The derivative of `gates`, by its result: 1 - a * a for tanh, a * (1 - a) for sigmoid."""
    return scale * scale - (a - (1 - scale)) ** 2


def parts(a: Array, n: int) -> list[Array]:
    """n gates that stand in a row."""
    width = a.shape[-1] // n
    return [a[..., i * width : (i + 1) * width] for i in range(n)]


def apart(a: Array, n: int) -> Array:
    """n gates that stand in a row, (rows, n * width), as (n, rows, width)."""
    return np.swapaxes(np.reshape(a, (a.shape[0], n, a.shape[1] // n)), 0, 1)


def in_a_row(a: Array) -> Array:
    """Gates (n, rows, width) as (rows, n * width)."""
    return np.reshape(np.swapaxes(a, 0, 1), (a.shape[1], a.shape[0] * a.shape[2]))


def sigmoids(z: Any) -> None:
    """sigmoid of an array, in place: half of tanh of the half, and a half."""
    z *= 0.5
    np.tanh(z, out=z)
    z *= 0.5
    z += 0.5


def added(parts: Any, out: Any) -> None:
    """The sum of several arrays, of which the first is written over; np.add.reduce takes three times as long."""
    first, *others, last = parts
    for part in others:
        first += part
    np.add(first, last, out=out)


# ---------------------------------------------------------------- one step
def _lstm_step(z: Array, c: Array, scale: Array) -> tuple[Array, ...]:
    a = gates(z, scale)
    i, f, g, o = parts(a, 4)
    new = f * c + i * g
    t = np.tanh(new)
    return o * t, new, a, t


def _pull_lstm_step(gs: Sequence[Array], c: Array, scale: Array, out: Sequence[Array], out_shape: Any) -> list[Any]:
    g_h, g_c, g_a, g_t = filled(gs, out_shape)
    _, _, a, t = out
    i, f, g, o = parts(a, 4)
    g_c = g_c + (g_h * o + g_t) * (1 - t * t)
    g_a = g_a + np.concatenate([g_c * g, g_c * c, g_c * i, g_h * t], -1)
    return [g_a * slope(a, scale), g_c * f]


def _gru_step(x: Array, y: Array, h: Array, scale: Array) -> tuple[Array, ...]:
    width = h.shape[-1]
    a = gates(x[..., : 2 * width] + y[..., : 2 * width], scale)
    r, z = parts(a, 2)
    n = np.tanh(x[..., 2 * width :] + r * y[..., 2 * width :])
    return n + z * (h - n), a, n


def _pull_gru_step(gs: Sequence[Array], y: Array, h: Array, scale: Array, out: Sequence[Array], out_shape: Any) -> list[Any]:
    return _through_gru(filled(gs, out_shape), h, y[..., 2 * h.shape[-1] :], out[1], out[2], scale)


def _through_gru(gs: Sequence[Array], h: Array, last: Array, a: Array, n: Array, scale: Array) -> list[Array]:
    """The gradients of x, y and h: `last` is what of y goes into n."""
    g, g_a, g_n = gs
    r, z = parts(a, 2)
    g_n = (g_n + g * (1 - z)) * (1 - n * n)
    g_a = (g_a + np.concatenate([g_n * last, g * (h - n)], -1)) * slope(a, scale)
    return [np.concatenate([g_a, g_n], -1), np.concatenate([g_a, g_n * r], -1), g * z]


# ---------------------------------------------------------------- where the steps of sequences lie
# The steps of all sequences stand in rows, one step after the other, as in a PackedSequence: `sizes` says how many sequences have
# each. Longer ones come first, so those that have a step are the first so many. Forward, the others have reached their end;
# `back`, from the last step to the first, they have yet to begin.
class Step(NamedTuple):
    """The rows of a step; how many of its sequences come from the step before it, and the rows of these there."""

    rows: slice
    size: int
    known: int
    before: slice


@lru_cache(100)
def steps(sizes: tuple[int, ...], back: bool) -> list[Step]:
    """The steps in the order in which they are made."""
    ends = np.cumsum(sizes).tolist()
    found, known, first = [], 0, 0
    for size, end in list(zip(sizes, ends, strict=True))[:: -1 if back else 1]:
        known = min(known, size)
        found.append(Step(slice(end - size, end), size, known, slice(first, first + known)))
        known, first = size, end - size
    return found


def before(step: Step, states: Array, first: Array) -> Array:
    """The state that each sequence comes to a step with, from those after all steps and those at the beginning."""
    known, new = states[step.before], first[step.known : step.size]
    return new if not step.known else known if step.known == step.size else np.concatenate([known, new])


def to_weight(g: Array, found: list[Step], back: bool, states: Array, first: Array) -> Array:
    """The gradient of the weight for the state before each step, from `g`, that of its product, in rows."""
    n = found[0].size
    if type(g) is np.ndarray and n == found[-1].size:  # nothing is copied
        late, early = slice(n, None), slice(-n)
        rest, begin, came = (late, slice(n), early) if not back else (early, slice(-n, None), late)
        product = g[rest].T @ states[came]
        product += g[begin].T @ first
        return product
    return T(g) @ np.concatenate([before(step, states, first) for step in found[:: -1 if back else 1]])


def last_rows(sizes: tuple[int, ...], back: bool) -> Any:
    """The row of each sequence's last step."""
    if back or sizes[-1] == sizes[0]:
        return steps(sizes, back)[-1].rows
    lengths = np.sum(np.reshape(sizes, (-1, 1)) > np.arange(sizes[0]), 0)
    return np.cumsum((0, *sizes))[lengths - 1] + np.arange(sizes[0])


def _forward(step_of: Any, x: Array, first: tuple[Array, ...], sizes: tuple[int, ...], back: bool) -> list[Array]:
    """All results of all steps, in rows: `step_of(x, *states)` makes those of a step, the new states first."""
    found: list[Any] = []
    last: Sequence[Array] = ()
    for step in steps(sizes, back):
        if not step.known:
            state = [start[: step.size] for start in first]
        elif step.known == step.size:
            state = [part[: step.known] for part in last]
        else:
            state = [np.concatenate([part[: step.known], s[step.known : step.size]]) for part, s in zip(last, first, strict=True)]
        found.append(step_of(x[step.rows], *state))
        last = found[-1][: len(first)]
    return [np.concatenate(part) for part in zip(*found[:: -1 if back else 1], strict=True)]


def _backward(step_of: Any, gs: Sequence[Array], n: int, sizes: tuple[int, ...], back: bool) -> tuple[list[Array], list[Array]]:
    """The other way: `step_of(step, gs)` makes of the gradients of a step's results those of `n` states before it, and others.

    Returns the others, in rows, and the gradients of the first states.
    """
    found = steps(sizes, back)
    ends = tuple(np.cumsum(sizes)[:-1].tolist())
    by_step = list(zip(*(split(g, ends, 0) for g in gs), strict=True))[:: -1 if back else 1]
    carried: list[Array] = []
    others, begun = [], []
    for step, each in zip(found[::-1], by_step[::-1], strict=True):
        g = list(each)
        for k, more in enumerate(carried):  # of the sequences that go on; these are the first
            m = more.shape[0]
            g[k] = g[k] + more if m == step.size else np.concatenate([g[k][:m] + more, g[k][m:]])
        new = step_of(step, g)
        others.append(new[n:])
        begun.append([part[step.known :] for part in new[:n]])
        carried = [part[: step.known] for part in new[:n]]
    others = others if back else others[::-1]
    rows, first = zip(*others, strict=True), zip(*begun[::-1], strict=True)
    return [np.concatenate(part) for part in rows], [np.concatenate(part) for part in first]


# ---------------------------------------------------------------- whole sequences
# Each op takes x, what the input gives at all steps, made before by one product of matrices. Its results are the states after all
# steps, and the gates, which the rule needs. On plain arrays each gate lies in memory for itself, (gates, rows, width).
@formula
def _rnn(x: Array, h: Array, w: Array, nonlinearity: str, sizes: tuple[int, ...], back: bool) -> Array:
    weight, bend = T(w), np.tanh if nonlinearity == "tanh" else lambda z: np.maximum(z, 0)
    return _forward(lambda x, h: (bend(x + h @ weight),), x, (h,), sizes, back)[0]


@formula
def _pull_rnn(
    g: Array, h: Array, w: Array, nonlinearity: str, sizes: tuple[int, ...], back: bool, out: Array, needs: Sequence[bool]
) -> list[Any]:
    slopes = 1 - out * out if nonlinearity == "tanh" else np.astype(out > 0, out.dtype)

    def of_step(step: Step, g: list[Array]) -> tuple[Array, Array]:
        g_z = g[0] * slopes[step.rows]
        return g_z @ w, g_z

    (g_x,), (g_h,) = _backward(of_step, [g], 1, sizes, back)
    return [g_x, g_h, to_weight(g_x, steps(sizes, back), back, out, h) if needs[2] else None]


@_rnn.on_arrays
def _(x: Any, h: Any, w: Any, nonlinearity: str, sizes: tuple[int, ...], back: bool) -> Any:
    weight, states, sums = np.ascontiguousarray(w.T), np.empty_like(x), np.empty_like(h)
    for step in steps(sizes, back):
        new = states[step.rows]
        np.add(x[step.rows], np.matmul(before(step, states, h), weight, out=sums[: step.size]), out=new)
        np.tanh(new, out=new) if nonlinearity == "tanh" else np.maximum(new, 0, out=new)
    return states


@_pull_rnn.on_arrays
def _(g: Any, h: Any, w: Any, nonlinearity: str, sizes: tuple[int, ...], back: bool, out: Any, needs: Sequence[bool]) -> Any:
    found, carried = steps(sizes, back), np.zeros_like(h)  # in the end to the first states
    g_x = 1 - out * out if nonlinearity == "tanh" else np.astype(out > 0, out.dtype)
    for step in found[::-1]:
        g_h, g_z = carried[: step.size], g_x[step.rows]
        g_h += g[step.rows]
        g_z *= g_h
        np.matmul(g_z, w, out=g_h)
    return [g_x, carried, to_weight(g_x, found, back, out, h) if needs[2] else None]


SIGMOID, TANH = 0.5, 1.0
LSTM_GATES = SIGMOID, SIGMOID, TANH, SIGMOID


@formula
def _lstm(
    x: Array, h: Array, c: Array, w: Array, p: Array | None, sizes: tuple[int, ...], back: bool
) -> tuple[Array, Array, Array]:
    weight, scale = T(w), gate_scale(x, *LSTM_GATES)

    def step_of(x: Array, h: Array, c: Array) -> tuple[Array, Array, Array]:
        h, c, a, _ = _lstm_step(x + h @ weight, c, scale)
        return h if p is None else h @ T(p), c, a

    h, c, a = _forward(step_of, x, (h, c), sizes, back)
    return h, c, apart(a, 4)


@formula
def _pull_lstm(
    gs: Sequence[Any], h: Array, c: Array, w: Array, p: Array | None, sizes: tuple[int, ...], back: bool, out: Sequence[Array],
    out_shape: Any, needs: Sequence[bool],
) -> list[Any]:  # fmt: skip
    g_h, g_c, g_a = filled(gs, out_shape)
    states, cells, a = out[0], out[1], in_a_row(out[2])
    scale, tanhs, found = gate_scale(a, *LSTM_GATES), np.tanh(cells), steps(sizes, back)

    def of_step(step: Step, g: list[Array]) -> tuple[Array, ...]:
        g_h, g_c, g_a = g
        g_u = g_h if p is None else g_h @ p
        here, t = a[step.rows], tanhs[step.rows]
        shapes = t.shape, t.shape, here.shape, t.shape
        g_z, g_c = _pull_lstm_step([g_u, g_c, g_a, None], before(step, cells, c), scale, (None, None, here, t), shapes)
        return g_z @ w, g_c, g_z, g_h

    (g_x, g_h), (first_h, first_c) = _backward(of_step, [g_h, g_c, in_a_row(g_a)], 2, sizes, back)
    g_w = to_weight(g_x, found, back, states, h) if needs[3] else None
    return [g_x, first_h, first_c, g_w, None if p is None else T(g_h) @ (parts(a, 4)[3] * tanhs)]


@_lstm.on_arrays
def _(x: Any, h: Any, c: Any, w: Any, p: Any, sizes: tuple[int, ...], back: bool) -> Any:
    rows, n, width = x.shape[0], h.shape[0], c.shape[1]
    scale = np.reshape(np.array(LSTM_GATES, x.dtype), (4, 1, 1))  # as in `gates`, on what goes into z instead of z
    a = np.multiply(apart(x, 4), scale, order="C")
    weight = np.multiply(apart(w.T, 4), scale, order="C")  # products of matrices with a transposed one take twice as long
    cells = np.empty((rows, width), x.dtype)
    shown = np.empty((rows, width), x.dtype) if p is None else np.empty((n, width), x.dtype)
    states = shown if p is None else np.empty((rows, p.shape[0]), x.dtype)
    sums, more = np.empty_like(a, shape=(4, n, width)), np.empty_like(c)
    for step in steps(sizes, back):
        at, m = step.rows, step.size
        z, new, spare = a[:, at], cells[at], more[:m]
        z += np.matmul(before(step, states, h), weight, out=sums[:, :m])
        np.tanh(z, out=z)
        z *= scale
        z += 1 - scale
        i, f, g, o = z
        np.multiply(f, before(step, cells, c), out=new)
        new += np.multiply(i, g, out=spare)
        u = shown[at] if p is None else shown[:m]
        np.multiply(np.tanh(new, out=spare), o, out=u)
        if p is not None:
            np.matmul(u, p.T, out=states[at])
    return states, cells, a


@_pull_lstm.on_arrays
def _(gs: Any, h: Any, c: Any, w: Any, p: Any, sizes: tuple[int, ...], back: bool, out: Any, out_shape: Any, needs: Any) -> Any:
    states, cells, gates = out
    (rows, width), n, found = cells.shape, h.shape[0], steps(sizes, back)
    g_x, g_shown = np.empty((rows, 4 * width), w.dtype), np.zeros_like(states[: 0 if p is None else rows])
    carried, carried_c = np.zeros((n, w.shape[1]), w.dtype), np.zeros((n, width), w.dtype)  # in the end to the first states
    weight, sums = np.reshape(w, (4, width, w.shape[1])), np.empty((4, *carried.shape), w.dtype)
    d, slopes = np.empty((2, 4, n, width), w.dtype)
    tanhs, more, spare = np.empty((3, n, width), w.dtype)
    for step in found[::-1]:
        at, m = step.rows, step.size
        a, t, d_z, s = gates[:, at], np.tanh(cells[at], out=tanhs[:m]), d[:, :m], slopes[:, :m]
        g_h, g_c, u, v = carried[:m], carried_c[:m], more[:m], spare[:m]
        if gs[0] is not None:
            g_h += gs[0][at]
        if gs[1] is not None:
            g_c += gs[1][at]
        g_u = g_h
        if p is not None:
            g_shown[at] = g_h
            g_u = g_h @ p
        np.multiply(g_u, a[3], out=u)
        np.multiply(t, t, out=v)
        v *= u
        u -= v
        g_c += u
        np.multiply(g_u, t, out=d_z[3])
        np.multiply(g_c, a[2], out=d_z[0])
        np.multiply(g_c, before(step, cells, c), out=d_z[1])
        np.multiply(g_c, a[0], out=d_z[2])
        np.multiply(a, a, out=s)
        np.subtract(a[:2], s[:2], out=s[:2])
        np.subtract(1, s[2], out=s[2])
        np.subtract(a[3], s[3], out=s[3])
        if gs[2] is not None:
            d_z += gs[2][:, at]
        d_z *= s
        apart(g_x[at], 4)[...] = d_z
        g_c *= a[1]
        added(np.matmul(d_z, weight, out=sums[:, :m]), out=g_h)
    g_w = to_weight(g_x, found, back, states, h) if needs[3] else None
    return [g_x, carried, carried_c, g_w, None if p is None else g_shown.T @ (gates[3] * np.tanh(cells))]


@formula
def _gru(x: Array, h: Array, w: Array, b: Array | None, sizes: tuple[int, ...], back: bool) -> tuple[Array, Array]:
    weight, width = T(w), h.shape[1]
    scale = gate_scale(x[:, : 2 * width], SIGMOID, SIGMOID)

    def step_of(x: Array, h: Array) -> tuple[Array, Array]:
        y = h @ weight
        y = y if b is None else y + b
        new, a, n = _gru_step(x, y, h, scale)
        return new, np.concatenate([a, n, y[:, 2 * width :]], -1)

    states, a = _forward(step_of, x, (h,), sizes, back)
    return states, apart(a, 4)


@formula
def _pull_gru(
    gs: Sequence[Any], h: Array, w: Array, b: Array | None, sizes: tuple[int, ...], back: bool, out: Sequence[Array],
    out_shape: Any, needs: Sequence[bool],
) -> list[Any]:  # fmt: skip
    g, g_a = filled(gs, out_shape)
    a, found, width = in_a_row(out[1]), steps(sizes, back), h.shape[1]
    scale = gate_scale(a[:, : 2 * width], SIGMOID, SIGMOID)

    def of_step(step: Step, g: list[Array]) -> tuple[Array, ...]:
        (g_h, g_a), here = g, a[step.rows]
        g_rz, g_n, g_last = g_a[:, : 2 * width], g_a[:, 2 * width : 3 * width], g_a[:, 3 * width :]
        rz, n, last = here[:, : 2 * width], here[:, 2 * width : 3 * width], here[:, 3 * width :]
        g_x, g_y, g_h = _through_gru((g_h, g_rz, g_n), before(step, out[0], h), last, rz, n, scale)
        g_y = np.concatenate([g_y[:, : 2 * width], g_y[:, 2 * width :] + g_last], -1)
        return g_h + g_y @ w, g_x, g_y

    (g_x, g_y), (g_h,) = _backward(of_step, [g, in_a_row(g_a)], 1, sizes, back)
    g_w = to_weight(g_y, found, back, out[0], h) if needs[2] else None
    return [g_x, g_h, g_w, None if b is None else total(g_y, (0,))]


@_gru.on_arrays
def _(x: Any, h: Any, w: Any, b: Any, sizes: tuple[int, ...], back: bool) -> Any:
    rows, (n, width) = x.shape[0], h.shape
    a, states = np.empty((4, rows, width), x.dtype), np.empty((rows, width), x.dtype)
    weight, x = np.ascontiguousarray(apart(w.T, 3)), apart(x, 3)
    sums, more = np.empty((3, n, width), x.dtype), np.empty((n, width), x.dtype)
    for step in steps(sizes, back):
        at, m = step.rows, step.size
        old, s, spare, new = before(step, states, h), sums[:, :m], more[:m], states[at]
        rz, fresh, last = a[:2, at], a[2, at], a[3, at]
        np.matmul(old, weight, out=s)
        if b is not None:
            s += np.reshape(b, (3, 1, width))
        sigmoids(np.add(x[:2, at], s[:2], out=rz))
        last[...] = s[2]
        np.multiply(rz[0], last, out=spare)
        np.add(x[2, at], spare, out=fresh)
        np.tanh(fresh, out=fresh)
        np.subtract(old, fresh, out=spare)
        spare *= rz[1]
        np.add(fresh, spare, out=new)
    return states, a


@_pull_gru.on_arrays
def _(gs: Any, h: Any, w: Any, b: Any, sizes: tuple[int, ...], back: bool, out: Any, out_shape: Any, needs: Any) -> Any:
    g_h, g_a = np.zeros_like(out[0]) if gs[0] is None else gs[0], gs[1]
    (states, gates), (n, width), found = out, h.shape, steps(sizes, back)
    g = np.empty((states.shape[0], 4 * width), w.dtype)  # of r, of z, of n, and of what of y goes into n
    weight, carried = np.reshape(w, (3, width, width)), np.zeros_like(h)
    d, sums = np.empty((4, n, width), w.dtype), np.empty((3, n, width), w.dtype)  # d: the last two the other way round
    more, others = np.empty((2, n, width), w.dtype)
    for step in found[::-1]:
        at, m = step.rows, step.size
        (r, z, new, last), d_h = gates[:, at], carried[:m]
        a, s = gates[:2, at], sums[:2, :m]
        u, v, (d_r, d_z, d_y, d_n) = more[:m], others[:m], d[:, :m]
        d_h += g_h[at]
        np.multiply(new, new, out=u)
        np.subtract(1, u, out=u)
        np.multiply(d_h, z, out=v)
        np.subtract(d_h, v, out=d_n)
        if g_a is not None:
            d_n += g_a[2, at]
        d_n *= u
        np.multiply(d_n, r, out=d_y)
        np.multiply(d_n, last, out=d_r)
        np.subtract(before(step, states, h), new, out=d_z)
        d_z *= d_h
        if g_a is not None:
            d[:3, :m] += g_a[[0, 1, 3], at]
        np.multiply(a, a, out=s)
        d[:2, :m] *= np.subtract(a, s, out=s)
        np.copyto(apart(g[at], 4), d[[0, 1, 3, 2], :m])
        added(np.matmul(d[:3, :m], weight, out=sums[:, :m]), out=d_h)
        d_h += v
    y = np.r_[: 2 * width, 3 * width : 4 * width]
    g_w = to_weight(g, found, back, states, h)[y] if needs[2] else None
    return [g[:, : 3 * width], carried, g_w, None if b is None else total(g, (0,))[y]]


# fmt: off
lstm_step: Any = primitive(_lstm_step, "lstm_step", joint=_pull_lstm_step,
            says="One step of an LSTM from the sums z at its gates and its cell c: state, cell, gates (torch.nn.LSTMCell).")
gru_step: Any  = primitive(_gru_step, "gru_step",   joint=_pull_gru_step,
            says="One step of a GRU from the sums x and y at its gates and its hidden state h (torch.nn.GRUCell).")
rnn: Any       = primitive(_rnn, "rnn",             joint=_pull_rnn,
            says="All steps of a plain recurrent network: the states (torch.nn.RNN).")
lstm: Any      = primitive(_lstm, "lstm",           joint=_pull_lstm,
            says="All steps of an LSTM, from what the input gives at its gates: states, cells, gates (torch.nn.LSTM).")
gru: Any       = primitive(_gru, "gru",             joint=_pull_gru,
            says="All steps of a GRU: states, and gates r, z, n and what of the state went into n (torch.nn.GRU).")
# fmt: on
