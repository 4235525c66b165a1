"""Recurrent layers, which go through sequences step by step and carry a state along: RNN, LSTM, GRU, and their cells."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autograd.api.creation import empty, zeros
from autograd.api.join import cat, stack
from autograd.engine.tensor import wrap
from autograd.errors import ArgumentError, DtypeError, ShapeError, describe
from autograd.ops.elementwise import relu, tanh

from . import functional as F
from .functional.checks import whole
from .functional.linear import affine
from .functional.recurrent import gate_scale, gru, gru_step, last_rows, lstm, lstm_step, rnn
from .init import uniform_
from .module import Module, Parameter
from .utils.rnn import PackedSequence

__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNCell"]


# ---------------------------------------------------------------- one step: from input and state to a new state
class _Kind:
    """How a kind of network makes a step. A state is a tuple of tensors, of which the first is the output."""

    gates = 1
    states = 1

    def scale(self, weight: Any) -> Any:
        """What the step op needs to know about its gates, from the weight for the hidden state."""
        return None

    def step(self, x: Any, state: tuple[Any, ...], weights: tuple[Any, ...], scale: Any) -> tuple[Any, ...]:
        """The next state. `x` is what the input gives, (n, gates * hidden); `weights` those for the hidden state."""
        raise NotImplementedError

    def run(self, x: Any, into: Any, first: tuple[Any, ...], weights: tuple[Any, ...], sizes: tuple[int, ...], back: bool) -> Any:
        """The states after all steps, in rows; `into` are the weight and the bias for the input."""
        raise NotImplementedError


class _Plain(_Kind):
    def __init__(self, nonlinearity: str) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ArgumentError(f"RNN: nonlinearity is 'tanh' or 'relu', got {nonlinearity!r}")
        self.activation = {"tanh": tanh, "relu": relu}[nonlinearity]

    def step(self, x: Any, state: tuple[Any, ...], weights: tuple[Any, ...], scale: Any) -> tuple[Any, ...]:
        return (self.activation(x + affine(state[0], *weights[:2])),)

    def run(self, x: Any, into: Any, first: tuple[Any, ...], weights: tuple[Any, ...], sizes: tuple[int, ...], back: bool) -> Any:
        return (rnn(_summed(x, into, weights[1]), *first, weights[0], self.activation.name, sizes, back),)


class _Lstm(_Kind):
    gates, states = 4, 2

    def scale(self, weight: Any) -> Any:
        return wrap(gate_scale(np.transpose(weight.array), 0.5, 0.5, 1, 0.5))

    def step(self, x: Any, state: tuple[Any, ...], weights: tuple[Any, ...], scale: Any) -> tuple[Any, ...]:
        h, c, *_ = lstm_step(x + affine(state[0], *weights[:2]), state[1], scale)
        return (h if len(weights) == 2 else affine(h, weights[2], None)), c

    def run(self, x: Any, into: Any, first: tuple[Any, ...], weights: tuple[Any, ...], sizes: tuple[int, ...], back: bool) -> Any:
        weight, bias, projection = (*weights, None)[:3]
        return lstm(_summed(x, into, bias), *first, weight, projection, sizes, back)[:2]


class _Gru(_Kind):
    gates = 3

    def scale(self, weight: Any) -> Any:
        return wrap(gate_scale(np.transpose(weight.array)[..., : weight.shape[0] * 2 // 3], 0.5, 0.5))

    def step(self, x: Any, state: tuple[Any, ...], weights: tuple[Any, ...], scale: Any) -> tuple[Any, ...]:
        return (gru_step(x, affine(state[0], *weights[:2]), state[0], scale)[0],)

    def run(self, x: Any, into: Any, first: tuple[Any, ...], weights: tuple[Any, ...], sizes: tuple[int, ...], back: bool) -> Any:
        return gru(affine(x, *into), *first, *weights, sizes, back)[:1]


def _summed(x: Any, into: Any, bias: Any) -> Any:
    """What the input gives at all steps, with the biases for the input and for the state: one product of matrices."""
    weight, own = into
    return affine(x, weight, own if bias is None else own + bias)


def _draw(module: Module, hidden_size: int) -> None:
    bound = 1 / math.sqrt(hidden_size) if hidden_size else 0
    for p in module.parameters():
        uniform_(p, -bound, bound)


# ---------------------------------------------------------------- whole sequences
class _Recurrent(Module):
    """Layers on layers of a kind, each in one or two directions."""

    def __init__(
        self, kind: _Kind, input_size: int, hidden_size: int, num_layers: int, bias: bool, batch_first: bool, dropout: float,
        bidirectional: bool, proj_size: int, dtype: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        name = type(self).__name__
        self.input_size, self.hidden_size = whole(name, "input_size", input_size), whole(name, "hidden_size", hidden_size)
        self.num_layers, self.proj_size = whole(name, "num_layers", num_layers), whole(name, "proj_size", proj_size)
        if not 0 <= dropout <= 1 or isinstance(dropout, bool):
            raise ArgumentError(f"{name}: dropout is a probability, from 0 to 1, got {dropout!r}")
        if num_layers < 1 or proj_size >= max(hidden_size, 1):
            raise ArgumentError(
                f"{name}: num_layers is 1 or more and proj_size less than hidden_size, got {num_layers}, {proj_size}"
            )
        self.bias, self.batch_first, self.dropout, self.bidirectional = bias, batch_first, float(dropout), bidirectional
        self._kind = kind
        out, rows = proj_size or hidden_size, kind.gates * hidden_size
        for layer in range(num_layers):
            for suffix in self._suffixes(layer):
                width = input_size if layer == 0 else out * self._directions
                shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, width), "weight_hh": (rows, out)}
                shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)} if bias else {}
                shapes |= {"weight_hr": (proj_size, hidden_size)} if proj_size else {}
                for weight, shape in shapes.items():
                    self.register_parameter(weight + suffix, Parameter(empty(shape, dtype=dtype)))
        self.reset_parameters()

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    def _suffixes(self, layer: int) -> list[str]:
        return [f"_l{layer}", f"_l{layer}_reverse"][: self._directions]

    def reset_parameters(self) -> None:
        """Draw new initial values: all uniform between -1 / sqrt(hidden_size) and its opposite."""
        _draw(self, self.hidden_size)

    @property
    def all_weights(self) -> list[list[Any]]:
        """The weights of each layer and direction."""
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
        suffixes = [suffix for layer in range(self.num_layers) for suffix in self._suffixes(layer)]
        return [[w for name in names if (w := getattr(self, name + suffix, None)) is not None] for suffix in suffixes]

    def flatten_parameters(self) -> None:
        """Does nothing: there is no other layout of memory here."""

    def forward(self, input: Any, hx: Any = None) -> Any:
        """The output of each step, and the last state; `hx` is the first state, zeros if left out."""
        packed = isinstance(input, PackedSequence)
        data, sizes, batched = self._steps(input)
        first = self._first_state(hx, data, sizes[0], batched, input.sorted_indices if packed else None)
        last: list[tuple[Any, ...]] = []
        for layer in range(self.num_layers):
            if layer and self.dropout and self.training:
                data = F.dropout(data, self.dropout)
            ways = []
            for suffix in self._suffixes(layer):
                state = tuple(part[len(last)] for part in first)
                outputs, state = self._go(data, tuple(sizes), state, suffix)
                ways.append(outputs)
                last.append(state)
            data = ways[0] if len(ways) == 1 else cat(ways, -1)
        final = [stack(part) for part in zip(*last, strict=True)]
        if packed:
            out: Any = input._replace(data=data)
            if input.unsorted_indices is not None:
                final = [part.index_select(1, input.unsorted_indices) for part in final]
        else:
            out = data.reshape(len(sizes), sizes[0], data.shape[-1])
            if not batched:
                out, final = out.squeeze(1), [part.squeeze(1) for part in final]
            elif self.batch_first:
                out = out.transpose(0, 1)
        return out, final[0] if len(final) == 1 else tuple(final)

    def _steps(self, input: Any) -> tuple[Any, list[int], bool]:
        """The steps of all sequences one after the other, how many sequences have each; and was there a batch?"""
        if isinstance(input, PackedSequence):
            data, sizes = input.data, input.batch_sizes.tolist()
            if data.shape[-1] != self.input_size:
                raise ShapeError(f"{self._short()} expects a pack of (..., {self.input_size}), got {data.shape}")
            self._check_dtype(data)
            return data, sizes, True
        expected = f"({'N, L' if self.batch_first else 'L, N'}, {self.input_size}) or (L, {self.input_size})"
        shape = getattr(input, "shape", None)
        if shape is None or len(shape) not in (2, 3) or shape[-1] != self.input_size:
            raise ShapeError(f"{self._short()} expects {expected}, got {describe(input) if shape is None else shape}")
        self._check_dtype(input)
        batched = len(shape) == 3
        x = input.unsqueeze(1) if not batched else input.transpose(0, 1) if self.batch_first else input
        steps, n = x.shape[:2]
        if not steps:
            raise ShapeError(f"{self._short()} expects at least one step, got shape {shape}")
        return x.reshape(steps * n, self.input_size), [n] * steps, batched

    def _check_dtype(self, data: Any) -> None:
        if data.dtype != self.weight_ih_l0.dtype:
            raise DtypeError(f"{self._short()} expects {self.weight_ih_l0.dtype}, as its weights are, got {data.dtype}; use to()")

    def _first_state(self, hx: Any, data: Any, n: int, batched: bool, order: Any) -> list[Any]:
        layers, out = self.num_layers * self._directions, self.proj_size or self.hidden_size
        widths = [out, self.hidden_size][: self._kind.states]
        if hx is None:
            return [zeros(layers, n, width, dtype=data.dtype, device=data.device) for width in widths]
        given = list(hx) if isinstance(hx, (tuple, list)) else [hx]
        expected = [(layers, n, width) if batched else (layers, width) for width in widths]
        if [getattr(part, "shape", None) for part in given] != expected:
            what = f"a first state of {' and '.join(map(str, expected))}"
            raise ShapeError(f"{self._short()} expects {what}, got {', '.join(map(describe, given))}")
        given = given if batched else [part.unsqueeze(1) for part in given]
        return given if order is None else [part.index_select(1, order) for part in given]

    def _go(self, data: Any, sizes: tuple[int, ...], first: tuple[Any, ...], suffix: str) -> tuple[Any, tuple[Any, ...]]:
        """Go through the steps in one direction: the outputs in the order of the steps, and the last state of each sequence."""
        names = ["weight_ih", "bias_ih", "weight_hh", "bias_hh", "weight_hr"]
        weight, bias, *weights = (getattr(self, name + suffix, None) for name in names)
        weights = weights if self.proj_size else weights[:2]
        back = suffix.endswith("reverse")
        states = self._kind.run(data, (weight, bias), first, tuple(weights), sizes, back)
        return states[0], tuple(part[last_rows(sizes, back)] for part in states)

    def _short(self) -> str:
        return f"{type(self).__name__}({self.input_size}, {self.hidden_size})"

    def extra_repr(self) -> str:
        plain = {"proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0, "bidirectional": False}
        shown = [f"{name}={getattr(self, name)}" for name, value in plain.items() if getattr(self, name) != value]
        return ", ".join([f"{self.input_size}, {self.hidden_size}", *shown])


class RNN(_Recurrent):
    """h' = tanh(x @ W_ih.T + b_ih + h @ W_hh.T + b_hh) at each step, or relu of it (Elman 1990; torch.nn.RNN).

    `num_layers` networks on top of each other, with `dropout` between them; `bidirectional`: each also backwards.

    Shape: input (L, N, input_size), or (N, L, input_size) if `batch_first`, or (L, input_size), or a PackedSequence; output the
    same with hidden_size for each direction; states (layers * directions, N, hidden_size). Raises ShapeError or DtypeError.

    >>> import autograd
    >>> out, h = RNN(3, 5, num_layers=2)(autograd.ones(7, 4, 3))
    >>> out.shape, h.shape
    ((7, 4, 5), (2, 4, 5))
    """

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, nonlinearity: str = "tanh", bias: bool = True,
        batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        kind = _Plain(nonlinearity)
        super().__init__(kind, input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, dtype)
        self.nonlinearity = nonlinearity


class LSTM(_Recurrent):
    """Long short-term memory: gates decide what the cell state c forgets, takes in and shows (torch.nn.LSTM).

    i, f, o = sigmoid, g = tanh of x @ W_ih.T + b_ih + h @ W_hh.T + b_hh, in the order i, f, g, o;
    c' = f * c + i * g; h' = o * tanh(c'), or with `proj_size` that times W_hr.T.

    Shape: as `RNN`, but a state is a tuple (h, c). Raises ShapeError or DtypeError. Hochreiter and Schmidhuber 1997.

    >>> import autograd
    >>> out, (h, c) = LSTM(3, 5, bidirectional=True, batch_first=True)(autograd.ones(4, 7, 3))
    >>> out.shape, h.shape, c.shape
    ((4, 7, 10), (2, 4, 5), (2, 4, 5))
    """

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True, batch_first: bool = False,
        dropout: float = 0.0, bidirectional: bool = False, proj_size: int = 0, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(
            _Lstm(), input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size, dtype
        )


class GRU(_Recurrent):
    """Gated recurrent units: gates decide how much of the state is renewed, and what of it is looked at (torch.nn.GRU).

    r, z = sigmoid of x @ W_ih.T + b_ih + h @ W_hh.T + b_hh; n = tanh(x @ W_in.T + b_in + r * (h @ W_hn.T + b_hn));
    h' = (1 - z) * n + z * h. The weights stand in the order r, z, n.

    Shape: as `RNN`. Raises ShapeError or DtypeError. Cho et al. 2014.

    >>> import autograd
    >>> out, h = GRU(3, 5)(autograd.ones(7, 4, 3))
    >>> out.shape, h.shape
    ((7, 4, 5), (1, 4, 5))
    """

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True, batch_first: bool = False,
        dropout: float = 0.0, bidirectional: bool = False, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(_Gru(), input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, dtype)


# ---------------------------------------------------------------- cells: single steps
class _Cell(Module):
    """One step of a kind of network, from (N, input_size) or (input_size,) and a state to a state."""

    def __init__(self, kind: _Kind, input_size: int, hidden_size: int, bias: bool, dtype: Any) -> None:
        super().__init__()
        name = type(self).__name__
        self.input_size, self.hidden_size = whole(name, "input_size", input_size), whole(name, "hidden_size", hidden_size)
        self.bias, self._kind = bias, kind
        rows = kind.gates * hidden_size
        self.weight_ih = Parameter(empty(rows, input_size, dtype=dtype))
        self.weight_hh = Parameter(empty(rows, hidden_size, dtype=dtype))
        for which in ("bias_ih", "bias_hh"):
            self.register_parameter(which, Parameter(empty(rows, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values: all uniform between -1 / sqrt(hidden_size) and its opposite."""
        _draw(self, self.hidden_size)

    def forward(self, input: Any, hx: Any = None) -> Any:
        """The next state."""
        short = f"{type(self).__name__}({self.input_size}, {self.hidden_size})"
        shape: tuple[int, ...] = getattr(input, "shape", ())
        if len(shape) not in (1, 2) or shape[-1] != self.input_size:
            raise ShapeError(f"{short} expects (N, {self.input_size}) or ({self.input_size},), got {shape or describe(input)}")
        expected = (*shape[:-1], self.hidden_size)
        state = (hx,) if hx is not None and self._kind.states == 1 else hx
        if state is None:
            state = (zeros(expected, dtype=input.dtype, device=input.device),) * self._kind.states
        if [getattr(part, "shape", None) for part in state] != [expected] * self._kind.states:
            raise ShapeError(f"{short} expects a state of shape {expected}, got {', '.join(map(describe, state))}")
        x = affine(input, self.weight_ih, self.bias_ih)
        new = self._kind.step(x, tuple(state), (self.weight_hh, self.bias_hh), self._kind.scale(self.weight_hh))
        return new if len(new) > 1 else new[0]

    def extra_repr(self) -> str:
        shown = ["bias=False"] * (not self.bias)
        shown += [f"nonlinearity={n}" for n in [getattr(self, "nonlinearity", "tanh")] if n != "tanh"]
        return ", ".join([f"{self.input_size}, {self.hidden_size}", *shown])


class RNNCell(_Cell):
    """One step of an `RNN` (torch.nn.RNNCell). Shape: (N, input_size) and (N, hidden_size) give (N, hidden_size)."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(_Plain(nonlinearity), input_size, hidden_size, bias, dtype)
        self.nonlinearity = nonlinearity


class LSTMCell(_Cell):
    """One step of an `LSTM` (torch.nn.LSTMCell). Shape: (N, input_size) and a tuple of two (N, hidden_size) give such a tuple."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__(_Lstm(), input_size, hidden_size, bias, dtype)


class GRUCell(_Cell):
    """One step of a `GRU` (torch.nn.GRUCell). Shape: (N, input_size) and (N, hidden_size) give (N, hidden_size)."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__(_Gru(), input_size, hidden_size, bias, dtype)
