"""Which dtype comes out: promotion by PyTorch's rules, weak Python numbers, and floats that never widen on the way."""

from unittest import mock

import numpy as np
import pytest
from helpers import leaves
from hypothesis import given
from hypothesis import strategies as st
from strategies import calls
from test_ops import Function, records, tensors

import autograd
from autograd import errors
from autograd.engine import graph
from autograd.engine.accumulate import ACCUMULATED
from autograd.engine.graph import ambient
from autograd.engine.tensor import wrap

CODES = dict(zip("bu1248efd", "bool uint8 int8 int16 int32 int64 float16 float32 float64".split(), strict=True))
KINDS = [(dtype, shape) for shape in ((3,), ()) for dtype in CODES.values()]
NUMBERS = True, 1, 1.5
# What torch.result_type says, one row for each of KINDS as the first value; the second is one of KINDS, or of NUMBERS.
PROMOTION = """
    bu1248efdbu1248efd b8f  uu2248efduuuuuuefd uuf  121248efd111111efd 11f  222248efd222222efd 22f  444448efd444444efd 44f
    888888efd888888efd 88f  eeeeeeefdeeeeeeeee eee  ffffffffdfffffffff fff  dddddddddddddddddd ddd
    bu1248efdbu1248efd b8f  uu1248efduu2248efd uuf  1u1248efd121248efd 11f  2u1248efd222248efd 22f  4u1248efd444448efd 44f
    8u1248efd888888efd 88f  eeeeeeefdeeeeeeefd eee  ffffffefdffffffffd fff  ddddddefdddddddddd ddd""".split()
PAIRS = [
    (first, second, CODES[code])
    for first, tensors_row, numbers_row in zip(KINDS, PROMOTION[::2], PROMOTION[1::2], strict=True)
    for second, code in zip([*KINDS, *NUMBERS], tensors_row + numbers_row, strict=True)
]


@pytest.fixture
def default_dtype():
    """Set the default dtype in a test; it is float32 again afterwards."""
    yield autograd.set_default_dtype
    autograd.set_default_dtype(autograd.float32)


def value(kind, ones=autograd.ones):
    """A tensor of this dtype and shape, or the number itself."""
    return ones(kind[1], dtype=getattr(autograd, kind[0])) if isinstance(kind, tuple) else kind


# ---------------------------------------------------------------- promotion
def test_promotion():
    """result_type, and the ops that go by it, in both orders."""
    for first, second, expected in PAIRS:
        a, b = value(first), value(second)
        assert autograd.result_type(a, b) == expected, (first, second)
        assert autograd.result_type(b, a) == expected or first[1] == (), (second, first)
        for c in (a + b, b * a, autograd.maximum(a, b), autograd.where(wrap(np.array(True)), a, b)):
            assert c.dtype == expected, (first, second)
        assert (a == b).dtype == autograd.bool
        if isinstance(second, tuple) and first[1] == second[1]:
            assert autograd.promote_types(first[0], second[0]) == expected
            assert autograd.cat([a.reshape(-1), b.reshape(-1)]).dtype == autograd.stack([a, b]).dtype == expected


def test_promotion_is_pytorchs(torch):
    """The table above is what torch.result_type says."""

    def ones(shape, dtype):
        return torch.ones(shape, dtype=getattr(torch, dtype.name))

    for first, second, expected in PAIRS:
        assert str(torch.result_type(value(first, ones), value(second, ones))) == "torch." + expected


def test_numpys_scalars_are_as_weak_as_pythons():
    x = autograd.ones(2, requires_grad=True)
    for y in (x * np.float64(2), np.float64(2) * x, x + np.int64(1), np.float64(3) - x, x ** np.float64(2), np.float64(2) ** x):
        assert y.dtype == autograd.float32
        assert autograd.grad(y.sum(), x)[0].dtype == autograd.float32


def test_what_is_cast_up_has_its_gradient_cast_down():
    x = autograd.ones(2, dtype=autograd.float16, requires_grad=True)
    y = autograd.ones(2, dtype=autograd.float64, requires_grad=True)
    z = x * y
    assert z.dtype == autograd.float64
    z.sum().backward()
    assert (x.grad.dtype, y.grad.dtype) == (autograd.float16, autograd.float64)


def test_products_refuse_mixed_dtypes():
    with pytest.raises(errors.DtypeError, match=r"matmul needs one dtype, but x is float32 and y is float64"):
        autograd.ones(2, 2) @ autograd.ones(2, 2, dtype=autograd.float64)


# ---------------------------------------------------------------- integers, and the default dtype
FLOATS_OF_INTEGERS = "sqrt exp log sin tanh sigmoid erf rsqrt reciprocal true_divide arctan expm1 log1p".split()


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "int64"])
def test_functions_of_integers_have_the_default_dtype(dtype, default_dtype):
    x = autograd.ones(2, dtype=getattr(autograd, dtype))
    for default in (autograd.float32, autograd.float64, autograd.float16):
        default_dtype(default)
        for name in FLOATS_OF_INTEGERS:
            args = (x, x) if name == "true_divide" else (x,)
            assert getattr(autograd, name)(*args).dtype == default, name
        assert (x + 1.5).dtype == (x / 2).dtype == default


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32"])
def test_reductions_of_integers_are_int64(dtype):
    x = autograd.ones(2, 3, dtype=getattr(autograd, dtype))
    for y in (x.sum(), x.sum(0), x.prod(), x.prod(1), x.cumsum(0), x.argmax()):
        assert y.dtype == autograd.int64
    assert x.max().dtype == dtype
    assert x.sum(dtype=autograd.float32).dtype == autograd.float32
    for refuses in (x.mean, x.var, x.std, lambda: x.softmax(0)):
        with pytest.raises(errors.DtypeError, match="needs a floating-point tensor"):
            refuses()


def test_default_dtype(default_dtype):
    default_dtype(autograd.float64)
    assert autograd.get_default_dtype() == autograd.float64
    assert autograd.tensor(1.5).dtype == autograd.zeros(2).dtype == autograd.rand(2).dtype == autograd.float64
    assert autograd.tensor(1).dtype == autograd.int64
    with pytest.raises(errors.DtypeError, match="must be a floating-point one"):
        default_dtype(autograd.int64)


def test_integers_cannot_require_grad():
    for make in (lambda: autograd.tensor(1, requires_grad=True), lambda: autograd.ones(2).long().requires_grad_()):
        with pytest.raises(errors.DtypeError, match="only floating-point tensors can require gradients, not int64"):
            make()
    assert not autograd.ones(2, requires_grad=True).long().requires_grad


# ---------------------------------------------------------------- in place
def test_in_place_keeps_the_dtype_and_refuses_a_higher_category():
    for first, second, _ in PAIRS:
        a, b = value(first), value(second)
        if isinstance(second, tuple) and second[1] and not first[1]:
            continue  # does not fit by shape
        order = "b iu f".split()
        categories = [
            next(i for i, c in enumerate(order) if np.dtype(d).kind in c) for d in (a.dtype, autograd.result_type(a, b))
        ]
        if categories[1] > categories[0]:
            with pytest.raises(errors.DtypeError, match="does not fit in place"):
                a += b
        else:
            a += b
        assert a.dtype == first[0]


# ---------------------------------------------------------------- nothing widens on the way
def strictly_fit(g, node, fit=graph.fit):
    """As graph.fit, but no gradient may come out of a rule in another dtype than it is to have: of half, in single precision."""
    assert g.dtype in (node.dtype, ACCUMULATED.get(node.dtype))
    return fit(g, node)


@records("dtype")
@given(st.data())
def test_floats_keep_their_dtype(sample, data):
    """Values and gradients have the dtype of the inputs, to second order, and nothing in between is wider than sums of it are."""
    half = [] if "half" in sample.exempt else [np.float16]
    keeps(sample, data, data.draw(st.sampled_from([np.float32, *half, np.float64])))


def keeps(sample, data, dtype):
    call, tape = data.draw(calls(sample, dtype)), []
    with np.errstate(all="ignore"):
        if sample.smooth:
            with mock.patch.object(graph, "fit", strictly_fit):  # rules on ndarrays, which NumPy widens where Tensors stay
                f = Function(sample, call)
                gs = [*f.pull(f.xs, f.us)[0]]
            with ambient(tape=tape):
                gs += f.second([np.ones_like(x) for x in f.xs])
            assert [(g.shape, g.dtype) for g in gs] == [(x.shape, dtype) for x in [*f.xs, *f.xs, *f.us]]
        with ambient(tape=tape):
            found = leaves(tensors(call)[0].run(sample.op))
    seen = {a.dtype for a in leaves([found, *(entry[1:] for entry in tape)]) if hasattr(a, "dtype")}
    assert {d for d in seen if d.kind == "f"} <= {np.dtype(dtype), ACCUMULATED.get(np.dtype(dtype))}
