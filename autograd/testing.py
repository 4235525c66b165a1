"""Comparing tensors in tests (torch.testing)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .api.creation import as_tensor
from .errors import ArgumentError

__all__ = ["assert_allclose", "assert_close"]

_RTOL = {"float16": 1e-3, "float32": 1.3e-6, "float64": 1e-7}
_ATOL = {"float16": 1e-5, "float32": 1e-5, "float64": 1e-7}


def assert_close(
    actual: Any, expected: Any, *, allow_subclasses: bool = True, rtol: float | None = None, atol: float | None = None,
    equal_nan: bool = False, check_device: bool = True, check_dtype: bool = True, check_layout: bool = True,
    check_stride: bool = False, msg: str | Callable[[str], str] | None = None,
) -> None:  # fmt: skip
    """Raise AssertionError unless |actual - expected| <= atol + rtol * |expected| everywhere (torch.testing.assert_close).

    For tensors, arrays, numbers, and lists and dicts of them. The tolerances follow from the dtype, of which the looser
    counts, or are both given. Shapes have to be the same, dtypes too unless `check_dtype` is False.

    >>> import autograd
    >>> assert_close(autograd.tensor([1.0, 2.0]), autograd.tensor([1.0, 2.1]))
    Traceback (most recent call last):
    AssertionError: 1 of 2 elements are not close; the worst, at (1,), is 2, expected 2.1: off by 0.0999999, allowed 1.273e-05
    """
    if (rtol is None) != (atol is None):
        raise ArgumentError(f"assert_close: rtol and atol are given both or neither, got {rtol} and {atol}")

    def fail(what: str) -> None:
        raise AssertionError(what if msg is None else msg(what) if callable(msg) else msg)

    def compare(a: Any, b: Any, where: str) -> None:
        if isinstance(b, Mapping) and isinstance(a, Mapping):
            if a.keys() != b.keys():
                fail(f"{where}the keys are {list(a)}, expected {list(b)}")
            for key in b:
                compare(a[key], b[key], f"{where}[{key!r}]: ")
        elif isinstance(b, Sequence) and isinstance(a, Sequence) and not isinstance(b, str):
            if len(a) != len(b):
                fail(f"{where}there are {len(a)}, expected {len(b)}")
            for i, pair in enumerate(zip(a, b, strict=True)):
                compare(*pair, f"{where}[{i}]: ")
        else:
            typed = hasattr(a, "dtype") and hasattr(b, "dtype")
            close(as_is(a), as_is(b), where, typed)

    def as_is(value: Any) -> Any:
        return value if hasattr(value, "dtype") else as_tensor(value)

    def close(a: Any, b: Any, where: str, typed: bool) -> None:
        if a.shape != b.shape:
            fail(f"{where}the shape is {a.shape}, expected {b.shape}")
        if check_dtype and typed and a.dtype != b.dtype:
            fail(f"{where}the dtype is {a.dtype}, expected {b.dtype}")
        kinds = (str(a.dtype), str(b.dtype))
        r = max(_RTOL.get(k, 0) for k in kinds) if rtol is None else rtol
        t = max(_ATOL.get(k, 0) for k in kinds) if atol is None else atol
        kind = np.float64 if "f" in (a.dtype.kind, b.dtype.kind) else None
        found, wanted = (np.asarray(getattr(v, "array", v), kind) for v in (a, b))
        off = np.logical_not(np.isclose(found, wanted, r, t, equal_nan))
        if np.any(off):
            with np.errstate(invalid="ignore"):
                gap = np.abs(np.subtract(found, wanted, dtype=np.float64))
            gap = np.where(off, np.where(np.isnan(gap), np.inf, gap), -1)
            at = np.unravel_index(np.argmax(gap), gap.shape)
            what = f"{np.count_nonzero(off)} of {off.size} elements are not close; the worst, at {tuple(map(int, at))}, is"
            allowed = f"off by {gap[at]:.6g}, allowed {t + r * abs(wanted[at]):.4g}"
            fail(f"{where}{what} {found[at]:.6g}, expected {wanted[at]:.6g}: {allowed}")

    compare(actual, expected, "")


def assert_allclose(actual: Any, expected: Any, rtol: float | None = None, atol: float | None = None) -> None:
    """`assert_close` without a look at dtypes, NaN being equal (torch.testing.assert_allclose, as it once was)."""
    assert_close(actual, expected, rtol=rtol, atol=atol, equal_nan=True, check_dtype=False)
