"""Pooling: the greatest element, the mean or the norm of each window, or of parts that cover an image; and unpooling."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from autograd import ops
from autograd.api import reduce
from autograd.api.random import Generator, default_generator
from autograd.api.scatter import gather, scatter
from autograd.engine.accumulate import single
from autograd.engine.graph import Array
from autograd.engine.primitive import primitive
from autograd.errors import ArgumentError, DimError, DtypeError, ShapeError
from autograd.ops import index, window
from autograd.ops.common import formula
from autograd.ops.elementwise import absolute, relu
from autograd.ops.window import Windows, places

from .checks import need_float, per_dim
from .common import constant, in_dims
from .resample import area, resample
from .window import Axis, batched, like, windows_over


# ---------------------------------------------------------------- the table
def _window_sum(x: Array, windows: Windows, count: Axis) -> Array:
    n = len(windows)
    out = np.zeros_like(x, shape=(*x.shape[:-n], *count))
    for where, seen in places(windows, x.shape[-n:], count):
        out[where] += x[seen]
    return out


def _pull_window_sum(g: Array, windows: Windows, x_shape: Axis) -> Array:
    """Each window hands its gradient to all of its places."""
    n = len(windows)
    shape = (*g.shape[:-n], prod(w[0] for w in windows), *g.shape[-n:])
    return window.fold(np.broadcast_to(np.expand_dims(g, -n - 1), shape), windows, x_shape[-n:])


def _window_max(x: Array, windows: Windows, count: Axis) -> Array:
    n = len(windows)
    lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    out = np.full_like(x, lowest, shape=(*x.shape[:-n], *count))
    for where, seen in places(windows, x.shape[-n:], count):
        np.maximum(out[where], x[seen], out=out[where])
    return out


def _which(x: Array, top: Array, windows: Windows) -> Array:
    """The first place of each window where its greatest element, `top`, stands."""
    n = len(windows)
    found = places(windows, x.shape[-n:], top.shape[-n:])
    number = np.uint8 if len(found) <= 256 else np.int64  # small numbers are several times faster
    out: Any = np.zeros_like(top, dtype=number)
    looking = np.ones_like(top, dtype=bool)
    has_nan = np.any(top != top)  # a NaN wins, but does not equal itself
    for i, (where, seen) in enumerate(found):
        hit = x[seen] == top[where]
        if has_nan:
            hit |= x[seen] != x[seen]
        hit &= looking[where]
        looking[where] ^= hit
        out[where] += hit * number(i)
    return out


def _pick(x: Array, which: Array, windows: Windows) -> Array:
    n = len(windows)
    out = np.zeros_like(x, shape=which.shape)
    for i, (where, seen) in enumerate(places(windows, x.shape[-n:], which.shape[-n:])):
        out[where] += x[seen] * (which[where] == i)
    return out


def _put(x: Array, which: Array, windows: Windows, size: Axis) -> Array:
    n = len(windows)
    out = np.zeros_like(x, shape=(*x.shape[:-n], *size))
    for i, (where, seen) in enumerate(places(windows, size, which.shape[-n:])):
        out[seen] += x[where] * (which[where] == i)
    return out


def _flat_index(which: Array, windows: Windows, size: Axis) -> Array:
    """Where in the flattened array the place `which` of each window is."""
    out, later = np.zeros_like(which, dtype=np.int64), prod(w[0] for w in windows)
    for (length, stride, before, dilation), n, axis in zip(windows, size, range(-len(windows), 0), strict=True):
        later //= length
        begins = np.arange(which.shape[axis], like=which) * stride - before
        out = out * n + np.reshape(begins, (-1, *(1,) * (-axis - 1))) + np.astype(which, np.int64) // later % length * dilation
    return out


@formula
def _pull_window_max(g: Array, x: Array, out: Array, windows: Windows, x_shape: Axis) -> Array:
    return put(g, which(x, out, windows), windows, x_shape[-len(windows) :])


@_pull_window_max.on_arrays
def _(g: Any, x: Any, out: Any, windows: Windows, x_shape: Axis) -> Any:
    """What the first places of windows take of `g`, the next do not get: the last gets the rest. Each element is written once."""
    sizes = list(zip(windows, x.shape[-len(windows) :], out.shape[-len(windows) :], strict=True))
    alone = all(p == 0 and d == 1 and s >= k and (m - 1) * s + k <= n for (k, s, p, d), n, m in sizes)
    if not alone or x.ndim == len(windows) or not out.size:
        return NotImplemented
    if not np.isfinite(_square(g)) or np.isnan(_square(out)):  # a NaN equals nothing, and infinity times 0 is one
        return NotImplemented
    covered = all(k == s and m * k == n for (k, s, _, _), n, m in sizes)
    d = np.empty_like(x) if covered else np.zeros_like(x)
    *others, (_, last) = places(windows, x.shape[-len(windows) :], out.shape[-len(windows) :])
    some = max(1, 2**16 // max(1, out[0].size))  # images at a time, which stay in the cache
    for i in range(0, x.shape[0], some):
        part = slice(i, i + some)
        top, there, into = out[part], x[part], d[part]
        rest, hit = np.empty_like(top), np.empty_like(top, dtype=bool)
        rest[...] = g[part]
        for _, seen in others:
            np.equal(there[seen], top, out=hit)
            rest -= np.multiply(rest, hit, out=into[seen])
        into[last] = rest
    return d


def _square(x: Any) -> Any:
    """The sum of squares, NaN if an element is: in the order of memory."""
    return np.vdot(flat := x.ravel("K"), flat)


# fmt: off
window_sum  = primitive(_window_sum, "window_sum", x=_pull_window_sum,
            says="The sum of each window over the last axes of x (torch.nn.functional.avg_pool2d).")
window_max  = primitive(_window_max, "window_max",
    x=_pull_window_max,
            kink="of tied elements the first in the window gets it",
            says="The greatest element of each window over the last axes of x (torch.nn.functional.max_pool2d).")
which: Any  = primitive(_which, "which",
            says="The first place of each window where its greatest element, top, stands.")
pick        = primitive(_pick, "pick", x=lambda g, which, windows, x_shape: put(g, which, windows, x_shape[-len(windows):]),
            says="The element of x at one place of each window.")
put: Any    = primitive(_put, "put",   x=lambda g, which, windows: pick(g, which, windows),
            says="Zeros of a size with x added at one place of each window: pick's adjoint (torch.nn.functional.max_unpool2d).")
flat_index  = primitive(_flat_index, "flat_index",
            says="Where in the flattened array the place of each window is.")
# fmt: on


# ---------------------------------------------------------------- PyTorch's names
def _check_padding(op: str, windows: Windows) -> None:
    if any(2 * p > (k - 1) * d + 1 for k, _, p, d in windows):
        kernel, _, padding, _ = zip(*windows, strict=True)
        raise ArgumentError(f"{op}: padding must be at most half the kernel, got padding {padding} for kernel_size {kernel}")


def _max_pool(n: int, op: str) -> Any:
    def pool(
        input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
        ceil_mode: bool = False, return_indices: bool = False,
    ) -> Any:  # fmt: skip
        """The greatest element of each window, and with `return_indices` where in the flattened image it is.

        Shapes: (N, C, ...) or (C, ...) with {n} sizes. The gradient goes to the first of several greatest. `stride` is
        `kernel_size` if None; padding never wins. Raises ShapeError or ArgumentError (torch.nn.functional.{op}).
        """
        x = batched(op, input, n)
        windows, count = windows_over(op, x.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
        _check_padding(op, windows)
        out = window_max(x, windows, count)
        if not return_indices:
            return like(input, out)
        return like(input, out), like(input, flat_index(which(x, out, windows), windows, x.shape[2:]))

    return pool


def _avg_pool(n: int, op: str) -> Any:
    @single
    def pool(
        input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
        count_include_pad: bool = True, divisor_override: int | None = None,
    ) -> Any:  # fmt: skip
        """The mean of each window; padding counts as zeros, unless `count_include_pad` is False.

        Shapes: (N, C, ...) or (C, ...) with {n} sizes. `divisor_override` replaces the number of elements. Raises ShapeError
        or ArgumentError (torch.nn.functional.{op}).
        """
        x = batched(op, input, n)
        windows, count = windows_over(op, x.shape[2:], kernel_size, stride, padding, 1, ceil_mode)
        _check_padding(op, windows)
        need_float(op, x, arrays=True)
        if divisor_override == 0:
            raise ArgumentError(f"{op}: divisor_override must not be 0; leave it out to divide by the number of elements")
        out = window_sum(x, windows, count)
        if divisor_override is not None:
            return like(input, out / divisor_override)
        # What a window holds is counted as it is summed: over ones, which the padding has as well if that counts.
        rim = tuple(p if count_include_pad else 0 for _, _, p, _ in windows)
        size = tuple(m + 2 * r for m, r in zip(x.shape[2:], rim, strict=True))
        windows = tuple((k, s, p - r, d) for (k, s, p, d), r in zip(windows, rim, strict=True))
        if all(p == 0 and (m - 1) * s + k <= length for (k, s, p, _), m, length in zip(windows, count, size, strict=True)):
            return like(input, out / prod(k for k, _, _, _ in windows))
        return like(input, out / window_sum(np.ones_like(getattr(x, "array", x), shape=(1, 1, *size)), windows, count))

    return pool


def _lp_pool(n: int, op: str) -> Any:
    @single
    def pool(input: Any, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Any:
        """The `norm_type`-norm of each window, without absolute values: sum(input ** p) ** (1 / p).

        Shapes: (N, C, ...) or (C, ...) with {n} sizes. A window that hangs over the end, with `ceil_mode`, counts as if it were
        full of what it has. The gradient at 0 is 0. Raises ShapeError, ArgumentError or DtypeError (torch.nn.functional.{op}).
        """
        if not norm_type:
            raise ArgumentError(f"{op}: norm_type cannot be 0, which is no norm")
        need_float(op, input)
        mean = _avg_pool(n, op)(input**norm_type, kernel_size, stride, 0, ceil_mode)
        total = mean * prod(per_dim(op, "kernel_size", kernel_size, n, 1))
        return (relu(absolute(total)) * np.sign(total)) ** (1 / norm_type)  # whose derivative is 0 where that of the root is not

    return pool


def _max_unpool(n: int, op: str) -> Any:
    def unpool(input: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None) -> Any:
        """What max_pool{n}d left, put back to the places that its `indices` say; zeros elsewhere.

        Shapes: those of a pool of this kernel. `output_size` picks one of the sizes that it would make this size of. Of several
        elements for one place the last stays. Raises ShapeError, ArgumentError, DimError or DtypeError
        (torch.nn.functional.{op}).
        """
        x = batched(op, input, n)
        if indices.shape != input.shape:
            raise ShapeError(f"{op}: indices has the shape of input, {input.shape}, got {indices.shape}")
        if indices.dtype.kind not in "iu":
            raise DtypeError(f"{op}: indices are integers, as max_pool{n}d returns them, got {indices.dtype}")
        kernel = per_dim(op, "kernel_size", kernel_size, n, 1)
        steps = kernel if stride is None or stride in ((), []) else per_dim(op, "stride", stride, n, 1)
        rim = per_dim(op, "padding", padding, n, 0)
        usual = tuple((m - 1) * s - 2 * p + k for m, k, s, p in zip(x.shape[2:], kernel, steps, rim, strict=True))
        size = usual if output_size is None else tuple(output_size)[-n:]
        if len(size) != n or not all(u - s < m < u + s for m, u, s in zip(size, usual, steps, strict=True)):
            raise ArgumentError(f"{op}: output_size must be {n} numbers less than {steps} away from {usual}, got {output_size}")
        rows, places = (np.reshape(t, (*x.shape[:2], prod(x.shape[2:]))) for t in (x, indices))
        if np.any((places < 0) | (places >= prod(size))):
            raise DimError(f"{op}: indices are places in an image of size {size}, from 0 to {prod(size) - 1}")
        empty = constant(np.zeros((*x.shape[:2], prod(size))), x)
        return like(input, np.reshape(scatter(empty, 2, places, rows), (*x.shape[:2], *size)))

    return unpool


def _output_size(op: str, x: Any, output_size: Any, n: int) -> Axis:
    """The sizes to pool to; None means as it is."""
    if 0 in x.shape[2:]:
        raise ShapeError(f"{op}: there is nothing to pool in an input of shape {x.shape}")
    if output_size is None or (isinstance(output_size, (tuple, list)) and len(output_size) == n):
        output_size = [m if w is None else w for w, m in zip(output_size or (None,) * n, x.shape[2:], strict=True)]
    return per_dim(op, "output_size", output_size, n, 0)


def _adaptive_avg_pool(n: int, op: str) -> Any:
    @single
    def pool(input: Any, output_size: Any) -> Any:
        """The means of as many parts as `output_size` says, which cover `input` and may share elements.

        Part i of m of a dim of length k goes from floor(i * k / m) to ceil((i + 1) * k / m). Shapes: (N, C, ...) or (C, ...)
        with {n} sizes; None in `output_size` leaves a size as it is. Raises ShapeError or ArgumentError
        (torch.nn.functional.{op}).
        """
        x = batched(op, input, n)
        sizes = _output_size(op, x, output_size, n)
        need_float(op, x, arrays=True)
        if sizes == (1,) * n:
            return like(input, np.mean(x, axis=tuple(range(2, 2 + n)), keepdims=True))
        for axis, m in enumerate(sizes, 2):
            x = resample(x, axis, ("area", x.shape[axis], m))
        return like(input, x)

    return pool


def _adaptive_max_pool(n: int, op: str) -> Any:
    def pool(input: Any, output_size: Any, return_indices: bool = False) -> Any:
        """The greatest elements of the parts that adaptive_avg_pool{n}d averages, as max_pool{n}d gives them.

        With `return_indices` also where in the flattened image they are. Raises ShapeError or ArgumentError
        (torch.nn.functional.{op}).
        """
        x = batched(op, input, n)
        sizes = _output_size(op, x, output_size, n)
        flat: Any = 0  # (sizes, the longest part in each dim): where its elements are, the last again in shorter parts
        for i, (length, m) in enumerate(zip(x.shape[2:], sizes, strict=True)):
            held = np.stack([at for at, _ in area(length, m)], -1)
            flat = flat * length + np.reshape(held, (m, *(1,) * (n - 1), held.shape[1], *(1,) * (n - 1 - i)))
        flat = constant(np.reshape(flat, (prod(sizes), prod(flat.shape[n:]))), x, np.int64)
        rows = np.reshape(x, (*x.shape[:2], prod(x.shape[2:])))
        found = reduce.max(index.getindex(rows, slice(None), slice(None), flat), -1)
        values = like(input, np.reshape(found.values, (*x.shape[:2], *sizes)))
        if not return_indices:
            return values
        indices = index.getindex(flat, constant(range(prod(sizes)), x, np.int64), found.indices)
        return values, like(input, np.reshape(indices, (*x.shape[:2], *sizes)))

    return pool


def _fractional_max_pool(n: int, op: str) -> Any:
    def pool(
        input: Any, kernel_size: Any, output_size: Any = None, output_ratio: Any = None, return_indices: bool = False,
        _random_samples: Any = None, *, generator: Generator | None = None,
    ) -> Any:  # fmt: skip
        """The greatest element of each of `output_size` windows, whose steps are drawn, of two neighbouring lengths.

        Give `output_size`, or `output_ratio`, what share of the input's. Shapes: (N, C, ...) or (C, ...) with {n} sizes. Each
        image and channel has steps of its own; `_random_samples`, of shape (N, C, {n}) from 0 to 1, settles them.
        Graham 2014. Raises ShapeError or ArgumentError (torch.nn.functional.{op}).
        """
        x = batched(op, input, n)
        kernel, size = per_dim(op, "kernel_size", kernel_size, n, 1), x.shape[2:]
        if (output_size is None) == (output_ratio is None):
            raise ArgumentError(f"{op}: give one of output_size and output_ratio, got {output_size!r} and {output_ratio!r}")
        if output_size is None:
            ratios = output_ratio if isinstance(output_ratio, (tuple, list)) else (output_ratio,) * n
            if len(ratios) != n or not all(0 < r < 1 for r in ratios):
                raise ArgumentError(f"{op}: output_ratio is a number between 0 and 1, or {n} of them, got {output_ratio!r}")
            output_size = tuple(int(m * r) for m, r in zip(size, ratios, strict=True))
        wanted = per_dim(op, "output_size", output_size, n, 1)
        if any(w + k - 1 > m for w, k, m in zip(wanted, kernel, size, strict=True)):
            raise ShapeError(f"{op}: {wanted} windows of kernel_size {kernel} do not fit into an input of size {size}")
        shape = (*x.shape[:2], n)
        if _random_samples is None:
            _random_samples = ops.random.uniform(generator or default_generator, 0.0, 1.0, shape, np.float64)
        if _random_samples.shape != shape:
            raise ShapeError(f"{op}: _random_samples has shape {shape}, got {_random_samples.shape}")
        drawn = np.asarray(getattr(_random_samples, "array", _random_samples))
        flat: Any = 0  # of each image and channel, window and place in it: where in the flattened image
        order = range(n) if n == 3 else range(n)[::-1]  # PyTorch's
        for i, (m, w, k) in enumerate(zip(size, wanted, kernel, strict=True)):
            at = _begins(drawn[..., order[i], None], m, w, k)[..., None] + np.arange(k)
            alone = [1] * 2 * n
            alone[i], alone[n + i] = w, k
            flat = flat * m + np.reshape(at, (*shape[:2], *alone))
        flat = np.reshape(flat, (*shape[:2], prod(wanted), prod(kernel)))
        rows = np.reshape(x, (*x.shape[:2], prod(size)))
        seen = gather(rows, 2, constant(np.reshape(flat, (*shape[:2], -1)), x, np.int64))
        found = reduce.max(np.reshape(seen, flat.shape), -1)
        values = like(input, np.reshape(found.values, (*x.shape[:2], *wanted)))
        if not return_indices:
            return values
        indices = np.take_along_axis(flat, np.expand_dims(found.indices.array, -1), -1)
        return values, like(input, constant(np.reshape(indices, (*x.shape[:2], *wanted)), x, np.int64))

    return pool


def _begins(sample: Array, length: int, windows: int, kernel: int) -> Array:
    """Where the windows begin: steps of (length - kernel) / (windows - 1) from a place that is drawn, rounded down."""
    step = (length - kernel) / max(1, windows - 1)
    at = ((np.arange(windows) + sample) * step).astype(np.int64) - (sample * step).astype(np.int64)
    at[..., -1] = length - kernel
    return at


max_pool1d, max_pool2d, max_pool3d = in_dims(_max_pool)
avg_pool1d, avg_pool2d, avg_pool3d = in_dims(_avg_pool)
adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = in_dims(_adaptive_avg_pool)
adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d = in_dims(_adaptive_max_pool)
lp_pool1d, lp_pool2d, lp_pool3d = in_dims(_lp_pool)
max_unpool1d, max_unpool2d, max_unpool3d = in_dims(_max_unpool)
fractional_max_pool2d, fractional_max_pool3d = in_dims(_fractional_max_pool)[1:]  # PyTorch has none in one dim
