"""gradcheck: gradients against finite differences, of first and second order, at smooth points and at kinks."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..engine.graph import Array, ambient
from ..engine.tensor import Tensor, grad, wrap
from ..errors import ArgumentError, GradcheckError, UnsupportedError

# What else PyTorch's functions take: the first are always so here, the others do not exist here.
_ALWAYS = ("check_undefined_grad", "check_grad_dtypes", "check_backward_ad", "check_rev_over_rev", "fast_mode", "masked")
_NEVER = ("check_forward_ad", "check_batched_grad", "check_batched_forward_grad", "check_fwd_over_rev")
_WORST = 5  # how many wrong entries a message lists


def gradcheck(
    func: Callable[..., Any], inputs: Any, *, eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-3,
    raise_exception: bool = True, nondet_tol: float = 0.0, **options: Any,
) -> bool:  # fmt: skip
    """Compare the gradients of `func(*inputs)` with central differences. PyTorch: torch.autograd.gradcheck.

    Every derivative of every output element by every element of the inputs that require grad is compared, as
    `|gradient - difference| <= atol + rtol * |difference|`. `inputs` is a Tensor or a tuple of arguments, best float64;
    `func` returns a Tensor or a tuple. Integer outputs are left out, and detached ones if another is not detached.
    The data of the inputs is replaced by moved copies while `func` runs, so it may use them from outside its arguments too.

    At a kink (relu at 0, a tie in max) a gradient is right if it lies between the derivatives from both sides. Where
    several inputs meet in a kink, it must also be right along directions in which there is none: the gradient of `max`
    of two equal numbers may be (1, 0) or (0.5, 0.5), but not (1, 1). A jump is no kink, nor is strong curvature. A kink
    that no single input shows, as of the second of three equal numbers in `sort`, is not seen: check another point.

    Also checked: that the gradient is linear in the upstream gradient, exactly 0 for 0, and the same (to `nondet_tol`)
    a second time. Raises GradcheckError, or returns False if not `raise_exception`. Of PyTorch's further options those
    that ask for more checks of backward may be given and change nothing; forward mode and batched gradients are refused.

    >>> import autograd
    >>> x = autograd.tensor([-1.0, 0.0, 2.0], dtype=autograd.float64, requires_grad=True)
    >>> autograd.gradcheck(autograd.relu, x)
    True
    """
    _check_options("gradcheck", options)
    inputs = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    names = [f"input {i}" for i in range(len(inputs))]
    return _Check("gradcheck", func, inputs, names, eps, atol, rtol, nondet_tol).passes(raise_exception)


def gradgradcheck(
    func: Callable[..., Any], inputs: Any, grad_outputs: Any = None, *, eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False, raise_exception: bool = True, nondet_tol: float = 0.0, **options: Any,
) -> bool:  # fmt: skip
    """As `gradcheck`, for the gradients of the gradients of `func(*inputs)`. PyTorch: torch.autograd.gradgradcheck.

    What is checked is the function from `inputs` and `grad_outputs` (one Tensor per differentiable output; None or no
    entry: random numbers, the same in each call) to the gradients of the inputs that require grad. Where a function has
    a kink its gradient jumps: check second derivatives at other points.

    >>> import autograd
    >>> x = autograd.tensor([0.5, 2.0], dtype=autograd.float64, requires_grad=True)
    >>> autograd.gradgradcheck(lambda x: x**3, x)
    True
    """
    _check_options("gradgradcheck", options)
    inputs = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    checked, n = [i for i, t in enumerate(inputs) if isinstance(t, Tensor) and t.requires_grad], len(inputs)
    names = [f"input {i}" for i in range(n)]
    outputs = [t for t in _Check("gradgradcheck", func, inputs, names, eps, atol, rtol, nondet_tol).start() if t.requires_grad]
    if not outputs:
        raise ArgumentError("gradgradcheck: no output of func depends on an input that requires grad")
    given = (grad_outputs,) if isinstance(grad_outputs, Tensor) else tuple(grad_outputs or [None] * len(outputs))
    if len(given) != len(outputs):
        raise ArgumentError(f"gradgradcheck: {len(given)} grad_outputs for {len(outputs)} differentiable outputs")
    draws = np.random.default_rng(0)

    def random(like: Tensor) -> Tensor:
        numbers = draws.uniform(-1, 1, (*like.shape, 2)).astype(like.dtype)[..., 0]  # every second number in memory
        return wrap(numbers if gen_non_contig_grad_outputs else numbers.copy()).requires_grad_()

    given = tuple(random(t) if g is None else g for g, t in zip(given, outputs, strict=True))

    def gradients(*args: Any) -> list[Any]:
        out = [t for t in _as_tuple(func(*args[:n])) if isinstance(t, Tensor) and t.requires_grad]
        found = grad(out, [args[i] for i in checked], args[n:], create_graph=True, allow_unused=True)
        by_input = dict(zip(checked, found, strict=True))
        return [by_input.get(i) for i in range(n)]

    names += [f"grad_output {i}" for i in range(len(given))]
    check = _Check("gradgradcheck", gradients, (*inputs, *given), names, eps, atol, rtol, nondet_tol)
    check.result, check.detached = "the gradient of input {}", True
    return check.passes(raise_exception)


def _check_options(name: str, options: dict[str, Any]) -> None:
    for option, value in options.items():
        if option not in _ALWAYS and (option not in _NEVER or value):
            known = "has no such option" if option not in _NEVER else "checks backward only; leave it out"
            raise UnsupportedError(f"{name}: {option}={value!r}: it {known}")


def _as_tuple(out: Any) -> tuple[Any, ...]:
    return tuple(out) if isinstance(out, (tuple, list)) else (out,)


class _Check:
    """`func` as a function between two vectors, its inputs and its outputs end to end, and the comparison of its slopes."""

    result = "output {}"  # what to call an output
    detached = False  # should an output without gradient have none, even if others have one?

    def __init__(
        self, name: str, func: Callable[..., Any], inputs: tuple[Any, ...], names: list[str],
        eps: float, atol: float, rtol: float, nondet_tol: float,
    ) -> None:  # fmt: skip
        self.name, self.func, self.inputs = name, func, inputs
        self.eps, self.atol, self.rtol, self.nondet_tol = eps, atol, rtol, nondet_tol
        chosen = {id(t): (n, t) for n, t in zip(names, inputs, strict=True) if isinstance(t, Tensor) and t.requires_grad}
        self.names, self.tensors = [n for n, _ in chosen.values()], [t for _, t in chosen.values()]
        if not self.tensors:
            raise ArgumentError(f"{name}: no input requires grad; call requires_grad_() on those to check")
        for n, t in chosen.values():
            if t.dtype != np.float64:
                warnings.warn(
                    f"{name}: {n} is {t.dtype}, too coarse for finite differences with eps={eps}; use double()", stacklevel=3
                )
        self.kept: list[int] | None = None  # which outputs are compared

    # ------------------------------------------------------------ the function and its gradients
    def pieces(self, x: Array) -> list[Array]:
        """`x` cut into arrays like those of the inputs, in their dtypes and memory order."""
        arrays, start = [], 0
        for t in self.tensors:
            arrays.append(np.empty_like(t.array))
            arrays[-1][...] = x[start : start + t.array.size].reshape(t.shape)
            start += t.array.size
        return arrays

    def outputs(self, x: Array) -> tuple[list[Tensor], Array]:
        """What `func` makes of `x`: the Tensors that are compared, and all their elements."""
        own = [t.data for t in self.tensors]
        try:
            for t, piece in zip(self.tensors, self.pieces(x), strict=True):
                t.data = wrap(piece)
            with ambient(grad=True):
                out = _as_tuple(self.func(*self.inputs))
            if self.kept is None:
                floats = [i for i, t in enumerate(out) if isinstance(t, Tensor) and t.dtype.kind == "f"]
                self.kept = [i for i in floats if self.detached or out[i].requires_grad] or floats
            return [out[i] for i in self.kept], _flat(out[i].array for i in self.kept)
        finally:
            for t, was in zip(self.tensors, own, strict=True):
                t.data = was

    def values(self, x: Array) -> Array:
        return self.outputs(x)[1]

    def pull(self, outputs: list[Tensor], seeds: list[Array]) -> Array:
        """The gradient of the sum of seed times output, for all inputs."""
        pairs = [(t, wrap(s)) for t, s in zip(outputs, seeds, strict=True) if t.requires_grad]
        tensors, upstream = [t for t, _ in pairs], [s for _, s in pairs]
        found = (
            grad(tensors, self.tensors, upstream, retain_graph=True, allow_unused=True) if pairs else [None] * len(self.tensors)
        )
        return _flat(np.zeros(t.shape) if g is None else g.array for g, t in zip(found, self.tensors, strict=True))

    def jacobian(self, outputs: list[Tensor]) -> Array:
        """One row for each element of the outputs, by one backward each."""
        rows = []
        for t in outputs:
            for k in range(t.array.size):
                seed = np.zeros(t.shape, t.dtype)
                seed.flat[k] = 1
                rows.append(self.pull([t], [seed]))
        return np.array(rows).reshape(len(rows), self.x.size)

    # ------------------------------------------------------------ the checks
    def passes(self, raise_exception: bool) -> bool:
        """Make all checks; say whether they hold, or raise what the first that does not has to say."""
        try:
            with np.errstate(all="ignore"):
                self.run()
        except GradcheckError:
            if raise_exception:
                raise
            return False
        return True

    def start(self) -> list[Tensor]:
        """The outputs at the point where the slopes are compared."""
        self.x = _flat(t.array for t in self.tensors)
        outputs, self.y = self.outputs(self.x)
        if not outputs:
            raise ArgumentError(f"{self.name}: func returned no floating-point tensor, so there is nothing to check")
        return outputs

    def run(self) -> None:
        outputs = self.start()
        self.input_places = _places("{}", self.names, self.tensors)
        self.output_places = _places(self.result, self.kept or [], outputs)
        self.precision = _flat(np.full(t.shape, np.finfo(t.dtype).eps) for t in outputs) * np.abs(self.y)
        self.gradient = self.jacobian(outputs)
        self.repeatable()
        self.slopes()
        self.linear(outputs)

    def repeatable(self) -> None:
        """The same inputs give the same outputs and gradients."""
        outputs, again = self.outputs(self.x)
        for what, a, b in (("outputs", self.y, again), ("gradients", self.gradient, self.jacobian(outputs))):
            difference = np.abs(a - b)[(a != b) & ~(np.isnan(a) & np.isnan(b))]
            if difference.size and not difference.max() <= self.nondet_tol:
                raise GradcheckError(
                    f"{self.name}: two calls of func with the same inputs gave {what} that differ by {difference.max():.3g}; "
                    "take randomness out of it, or pass nondet_tol"
                )

    def linear(self, outputs: list[Tensor]) -> None:
        """Zero upstream gradients give zero, and several at once the sum of their gradients."""
        zero = self.pull(outputs, [np.zeros(t.shape, t.dtype) for t in outputs])
        for j in np.flatnonzero(~(zero == 0))[:1]:
            raise GradcheckError(f"{self.name}: with zero upstream gradients {self.input_places[j]} got {zero[j]:.8g}, not 0")
        draws = np.random.default_rng(0)
        seeds = [draws.normal(size=t.shape).astype(t.dtype) for t in outputs]
        got, weights = self.pull(outputs, seeds), _flat(seeds)
        expected = weights @ self.gradient
        tolerance = np.abs(weights) @ (self.atol + self.rtol * np.abs(self.gradient))
        for j in np.flatnonzero(~(np.abs(got - expected) <= tolerance) & np.isfinite(expected))[:1]:
            raise GradcheckError(
                f"{self.name}: the gradient is not linear in the upstream gradient: for random ones of all outputs together "
                f"{self.input_places[j]} got {got[j]:.8g}, but one output element at a time adds up to {expected[j]:.8g}"
            )

    def differences(self, j: int, h: float) -> tuple[Array, Array, Array]:
        """The slopes of all outputs along input element `j`: from the left, from the right, and across."""
        up, down = self.x.copy(), self.x.copy()
        up[j] += h
        down[j] -= h
        up, down = (_flat(self.pieces(x)) for x in (up, down))  # rounded to the dtype of the input
        right, left = up[j] - self.x[j], self.x[j] - down[j]
        if right == 0 or left == 0:
            raise ArgumentError(f"{self.name}: eps={self.eps} does not change {self.input_places[j]}, which is {self.x[j]:.8g}")
        above, below = self.values(up), self.values(down)
        return (self.y - below) / left, (above - self.y) / right, (above - below) / (left + right)

    def slopes(self) -> None:
        """Every gradient is what differences give, or lies between those of the two sides of a kink."""
        shape = self.x.size, self.y.size
        left, right, across = (np.zeros(shape) for _ in range(3))
        kinks, wrong, notes = np.zeros(shape, bool), np.zeros(shape, bool), np.full(shape, "", object)
        for j in range(self.x.size):
            left[j], right[j], across[j] = self.differences(j, self.eps)
            kinks[j], wrong[j], notes[j] = self.judge(j, left[j], right[j], across[j])
        if wrong.any():
            self.report(across, wrong, notes)
        for k in np.flatnonzero(kinks.sum(0) > 1):
            self.together(int(k), np.flatnonzero(kinks[:, k]), left[:, k], right[:, k])

    def report(self, across: Array, wrong: Array, notes: Array) -> None:
        """Raise an error that names the worst of the wrong entries."""
        tolerance = self.atol + self.rtol * np.abs(across)
        excess = np.nan_to_num(np.abs(self.gradient.T - across) / tolerance, nan=np.inf)
        first, *others = (
            f"the derivative of {self.output_places[k]} by {self.input_places[j]} is {self.gradient[k, j]:.8g} from backward, "
            f"but {across[j, k]:.8g} from finite differences; the tolerance is {tolerance[j, k]:.2g}{notes[j, k]}"
            for j, k in sorted(np.argwhere(wrong).tolist(), key=lambda at: -excess[*at])[:_WORST]
        )
        others = [f"; the worst of {wrong.sum()} wrong ones among {wrong.size}, followed by:", *others] if others else others
        raise GradcheckError(f"{self.name}: {first}" + "\n  ".join(others))

    def judge(self, j: int, left: Array, right: Array, across: Array) -> tuple[Array, Array, Array]:
        """For each output: has it a kink at input element `j`, is its gradient wrong, and what is there to say about that?

        Smaller steps tell kinks from other things. With 1/8 of the step the gap between the slopes of the two sides
        stays as it is at a kink, falls to 1/8 where the function curves, and grows to 8 times where it jumps. A kink
        that is near the point is out of reach of a smaller step.
        """
        gradient, notes = self.gradient[:, j], np.full(left.shape, "", object)
        tolerance = self.atol + self.rtol * np.abs(across)
        wrong, bent = ~(np.abs(gradient - across) <= tolerance), ~(np.abs(right - left) <= tolerance)
        kink = np.zeros_like(bent)
        if not (wrong | bent).any():
            return kink, wrong, notes
        for h in (self.eps / 8, self.eps / 64):
            low, high, middle = self.differences(j, h)
            gap, tolerance = np.abs(high - low), self.atol + self.rtol * np.maximum(np.abs(low), np.abs(high))
            smooth = (gap <= tolerance) & (self.precision / h <= tolerance)
            wrong &= ~(smooth & (np.abs(gradient - middle) <= tolerance))
            if h == self.eps / 8:
                kink = (gap > tolerance) & (np.abs(low - left) + np.abs(high - right) <= gap / 4)
                jump = np.abs(low) + np.abs(high) > 4 * (np.abs(left) + np.abs(right)) + tolerance
                least, most = np.minimum(low, high) - tolerance, np.maximum(low, high) + tolerance
                wrong &= ~(kink & (least <= gradient) & (gradient <= most))
        for k in np.flatnonzero(wrong):
            if not np.isfinite(left[k]) or not np.isfinite(right[k]):
                notes[k] = "; the values around this point are not all finite"
            elif jump[k]:
                notes[k] = "; there is a jump here, or an infinite slope, so try another point"
            elif kink[k]:
                notes[k] = f"; there is a kink here, and the slopes of its two sides are {left[k]:.8g} and {right[k]:.8g}"
        return kink, wrong, notes

    def together(self, k: int, columns: Array, left: Array, right: Array) -> None:
        """Where output element `k` has kinks in several inputs at once, its gradient is right along directions without one.

        The maximum of two equal numbers has a kink in each, but rises by just 1 when both rise by 1. A direction is taken
        to be without a kink if the slope along it is the same at the point and at points around it: those where each
        input is on the side that makes the slope greatest or least, and random ones.
        """
        draws = np.random.default_rng(k)
        h = self.eps / 8
        for direction in (np.ones(columns.size), *draws.choice([-1.0, 1.0], (2, columns.size))):
            steepest = np.where(right[columns] * direction > left[columns] * direction, 1, -1)
            offsets = [
                s * side * draws.uniform(0.5, 1, columns.size)
                for side in (steepest, draws.choice([-1, 1], columns.size))
                for s in (1, -1)
            ]
            found = []
            for offset in (np.zeros(columns.size), *offsets):
                at, step = np.zeros_like(self.x), np.zeros_like(self.x)
                at[columns], step[columns] = self.eps * offset, h * direction
                middle, above, below = (self.values(self.x + at + way * step)[k] for way in (0, 1, -1))
                found += [(middle - below) / h, (above - middle) / h]
            slope, size = self.gradient[k, columns] @ direction, np.abs(found).max()
            tolerance = columns.size * self.atol + self.rtol * size + self.precision[k] / h
            if max(found) - min(found) <= tolerance < abs(slope - found[0]):
                raise GradcheckError(
                    f"{self.name}: {self.output_places[k]} has a kink in {columns.size} inputs at once (first in "
                    f"{self.input_places[columns[0]]}), where each derivative alone is possible; but if these move together by "
                    f"{np.array2string(direction, precision=0, threshold=6)}, backward predicts the slope {slope:.8g}, and "
                    f"finite differences give {found[0]:.8g}"
                )


def _flat(arrays: Any) -> Array:
    """The elements of all arrays in one vector of float64."""
    return np.concatenate([np.zeros(0), *(np.asarray(a, np.float64).ravel() for a in arrays)])


def _places(name: str, numbers: Sequence[Any], tensors: Sequence[Tensor]) -> list[str]:
    """What to call each element of `tensors`: `input 0 at [2, 1]`."""
    at = [[list(i) for i in np.ndindex(t.shape)] for t in tensors]
    return [f"{name.format(n)} at {i}" if i else name.format(n) for n, each in zip(numbers, at, strict=True) for i in each]
