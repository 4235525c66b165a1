"""NumPy's functions on Tensors: each call of numpy_calls.py computes what NumPy computes, with its gradient, or is refused by name."""

import re
from pathlib import Path

import numpy as np
import pytest
from helpers import leaves
from helpers import vector as leaf
from numpy.testing import assert_allclose
from numpy_calls import ARRAYS, CALLED, CALLS, REFUSED, function_of, page

import autograd
from autograd import Tensor, func, grad, tensor
from autograd.api.numpy import COMPARING, PRODUCTS, REDUCTIONS, SAVING
from autograd.engine.tensor import NUMPY
from autograd.errors import DtypeError, InPlaceError, NoGradientError, UnsupportedError

TEXTS = [text for family in CALLS.values() for text in family]
WORKING = [text for text in TEXTS if text not in REFUSED]
ROOT = Path(__file__).parent.parent


def run(text, arrays):
    """What the call gives, the letters standing for these arrays or Tensors."""
    with np.errstate(all="ignore"):
        return leaves(eval(text, {"np": np} | arrays))


def letters(text):
    return sorted(set(re.findall(r"\b[A-Za-z]\b", text)) & set(ARRAYS))


def arrays_for(text, dtype=np.float64, step=0.0):
    """Fresh arrays for the letters of a call; `step` goes a little in one direction, different for each."""
    found = {}
    for i, name in enumerate(letters(text)):
        a = ARRAYS[name].copy()
        found[name] = (a + step * direction(i, a.shape)).astype(dtype) if a.dtype.kind == "f" else a
    return found


def direction(i, shape):
    return np.random.default_rng(100 + i).uniform(-1, 1, shape)


def tensors_for(text, dtype=np.float64, requires_grad=True, step=0.0):
    arrays = arrays_for(text, dtype, step)
    return {n: autograd.from_numpy(a).requires_grad_(requires_grad and a.dtype.kind == "f") for n, a in arrays.items()}


def weighted(results):
    """One number made of all results that are floats."""
    return sum((r * direction(50 + i, r.shape)).sum() for i, r in enumerate(results) if r.dtype.kind == "f")


def slope(f, h=1e-6):
    return (f(h) - f(-h)) / (2 * h)


def along(gradients):
    """The derivative in the direction of `arrays_for`; where there is no gradient it is 0."""
    return sum((d * direction(i, d.shape)).sum() for i, d in gradients)


@pytest.mark.parametrize("text", WORKING)
def test_a_call_computes_and_differentiates_what_numpy_computes(text):
    expected = [np.asarray(r) for r in run(text, arrays_for(text))]
    inputs = tensors_for(text)
    found = run(text, inputs)
    assert [type(r) for r in found] == [Tensor] * len(expected)
    for r, e in zip(found, expected, strict=True):
        assert r.shape == e.shape
        assert_allclose(r.detach().numpy(), e, rtol=1e-12, atol=1e-13)
    assert any(r.requires_grad for r in found)
    tracked = [(i, t) for i, t in enumerate(inputs.values()) if t.requires_grad]
    ds = grad(weighted(found), [t for _, t in tracked], create_graph=True, materialize_grads=True)
    first = along((i, d) for (i, _), d in zip(tracked, ds, strict=True))
    numeric = slope(lambda h: weighted([np.asarray(r) for r in run(text, arrays_for(text, step=h))]))
    assert_allclose(first.item(), numeric, rtol=1e-6, atol=1e-7)
    if first.requires_grad:
        ds = grad(first, [t for _, t in tracked], materialize_grads=True)
        second = along((i, d) for (i, _), d in zip(tracked, ds, strict=True)).item()
    else:
        second = 0
    assert_allclose(second, slope(lambda h: gradient_along(text, h), 1e-5), rtol=1e-5, atol=1e-6)


def gradient_along(text, step):
    """The first derivative in the direction, at another point."""
    inputs = tensors_for(text, step=step)
    tracked = [(i, t) for i, t in enumerate(inputs.values()) if t.requires_grad]
    ds = grad(weighted(run(text, inputs)), [t for _, t in tracked], materialize_grads=True)
    return along((i, d) for (i, _), d in zip(tracked, ds, strict=True)).item()


MIXED = [(text, letter) for text in WORKING if len(letters(text)) > 1 and "out=" not in text for letter in letters(text)]


@pytest.mark.parametrize(("text", "letter"), MIXED)
def test_a_call_takes_one_tensor_among_arrays(text, letter):
    arrays = arrays_for(text)
    one = autograd.from_numpy(arrays[letter].copy())
    found = run(text, arrays | {letter: one.requires_grad_(one.dtype.kind == "f")})
    for r, e in zip(found, run(text, arrays), strict=True):
        assert_allclose(np.asarray(r.detach() if isinstance(r, Tensor) else r), e, rtol=1e-12, atol=1e-13)
    if one.requires_grad:
        (d,) = grad(weighted(found), [one], materialize_grads=True)
        i = letters(text).index(letter)

        def moved(h):
            return weighted([np.asarray(r) for r in run(text, arrays | {letter: arrays_for(text, step=h)[letter]})])

        assert_allclose(along([(i, d)]).item(), slope(moved), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("text", WORKING)
def test_a_call_keeps_float32_where_numpy_does(text):
    expected = run(text, arrays_for(text, np.float32))
    found = run(text, tensors_for(text, np.float32))
    for r, e in zip(found, expected, strict=True):
        assert r.dtype == e.dtype or (r.dtype, e.dtype) == (np.float32, np.float64)


@pytest.mark.parametrize("text", WORKING)
def test_a_call_on_tensors_without_gradients_makes_tensors_without(text):
    found = run(text, tensors_for(text, requires_grad=False))
    assert all(isinstance(r, Tensor) and not r.requires_grad for r in found)


@pytest.mark.parametrize("text", REFUSED)
@pytest.mark.parametrize("requires_grad", [True, False])
def test_what_is_refused_is_named(text, requires_grad):
    run(text, arrays_for(text))  # NumPy itself can do it
    name = re.match(r"np\.[\w.]+", text)[0]
    with pytest.raises(UnsupportedError, match=re.escape(name)):
        run(text, tensors_for(text, requires_grad=requires_grad))


def test_page_is_up_to_date():
    if not (ROOT / "docs").is_dir():
        pytest.skip("there is no docs/ beside the tests: this is not a checkout")
    assert (ROOT / "docs" / "numpy.md").read_text(encoding="utf-8") == page(), "run: python -m tests.numpy_calls > docs/numpy.md"


# ---------------------------------------------------------------- what the list cannot show
def test_every_function_that_is_made_to_work_here_is_on_the_page():
    ours = [f for f, op in NUMPY.items() if op.__module__ == "autograd.api.numpy" or f in REDUCTIONS]
    rules = [f for f in ours if isinstance(getattr(f, "__self__", None), np.ufunc)]
    counts = {
        np.shape,
        np.ndim,
        np.size,
        np.nonzero,
        np.searchsorted,
        *COMPARING,
        *SAVING,
    }  # they give integers, booleans or files
    assert {f.__name__ for f in set(ours) - set(rules) - CALLED - counts} == set()
    assert {(f.__self__.nin, f.__self__.nout) for f in rules} == {(2, 1)}


def test_where_of_a_ufunc_needs_out_and_shields_the_gradient():
    x, out = leaf(-1, 4), autograd.tensor([7.0, 7.0])
    assert np.sqrt(x, where=np.array([False, True]), out=out) is out
    assert out.tolist() == [7, 2]
    out.sum().backward()
    assert x.grad.tolist() == [0, 0.25]
    with pytest.raises(UnsupportedError, match=r"np\.sqrt with where .* out"):
        np.sqrt(x, where=np.array([False, True]))


def test_out_of_a_function_that_is_no_ufunc():
    x, out = leaf(1, 2), autograd.zeros(2)
    assert np.cumsum(x, out=out) is out
    out[1].backward()
    assert x.grad.tolist() == [1, 1]
    with pytest.raises(UnsupportedError, match=r"np\.cumsum cannot put a Tensor into an array"):
        np.cumsum(x, out=np.zeros(2))
    with pytest.raises(InPlaceError, match=r"np\.sum with out"):
        np.sum(x, axis=0, out=leaf(1)[0].detach().requires_grad_())


def test_reductions_of_integers_and_of_nothing():
    x = tensor([[3, 1], [2, 5]])
    mask = np.array([[True, False], [True, True]])
    assert np.max(x, axis=1, initial=0, where=mask).tolist() == [3, 5]
    assert np.min(x, axis=0, initial=9, where=mask).tolist() == [2, 5]
    assert np.sum(x, where=mask).item() == 10
    assert np.add.reduce(x).tolist() == [5, 6]
    assert np.sum(x, axis=()).tolist() == x.tolist()
    assert np.isnan(np.nanmax(tensor([np.nan, np.nan])).item())
    with pytest.raises(UnsupportedError, match=r"np\.subtract\.reduce with where"):
        np.subtract.reduce(x, where=mask)


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("function", [np.convolve, np.correlate])
def test_convolving_any_two_lengths(function, mode):
    for n, m in [(5, 5), (5, 2), (2, 5), (6, 3), (3, 6), (4, 1), (1, 4)]:
        a, v = np.arange(1.0, n + 1), np.arange(2.0, m + 2) ** 2
        assert_allclose(function(tensor(a), tensor(v), mode).numpy(), function(a, v, mode), rtol=1e-12)


OF_TWO_DTYPES = [text for text in WORKING if function_of(text) in {*PRODUCTS, np.einsum} and len(letters(text)) > 1]


@pytest.mark.parametrize("text", OF_TWO_DTYPES)
def test_a_product_of_two_dtypes_is_one_of_what_they_become_together(text):
    """With integers or single precision among them, by NumPy's name; each gradient has the dtype of its argument."""
    for other in (np.int64, np.float32):
        arrays = arrays_for(text)
        first = letters(text)[0]
        arrays[first] = (arrays[first] * 3).astype(other)
        inputs = {n: autograd.from_numpy(a).requires_grad_(a.dtype.kind == "f") for n, a in arrays.items()}
        found = run(text, inputs)
        for r, e in zip(found, run(text, arrays), strict=True):
            assert r.dtype == np.float64
            assert_allclose(r.detach().numpy(), e, rtol=1e-6 if other == np.float32 else 1e-12)
        found[0].sum().backward()
        assert all(t.grad.dtype == t.dtype for t in inputs.values() if t.requires_grad)


def test_products_are_of_many_functions():
    assert {function_of(text) for text in OF_TWO_DTYPES} >= {*PRODUCTS} - {
        np.linalg.matmul,
        np.linalg.vecdot,
        np.matmul,
        np.vecdot,
    }


def test_an_array_takes_part_in_a_product_whatever_its_dtype():
    x, a = leaf(1, 2), np.array([[3, 4], [5, 6]])
    for product, expected in ((x @ a, [13, 16]), (a @ x, [11, 17]), (np.matmul(x, a), [13, 16])):
        assert product.tolist() == expected
        assert product.requires_grad
    with pytest.raises(DtypeError, match="matmul needs one dtype"):  # as by PyTorch
        x @ tensor(a)


def test_comparing_and_saving_look_at_values(tmp_path):
    x = leaf(1, 2)
    assert np.isclose(x, [1, 3]).tolist() == [True, False]
    assert np.allclose(x, np.array([1, 2 + 1e-9]))
    assert not np.allclose(np.array([1.0, 2.1]), x)
    assert np.array_equal(x, [1, 2])
    assert not np.array_equal(x, x * 2)
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "x.npz", a=x, b=x * 2)
    assert_allclose(np.load(tmp_path / "x.npy"), [1, 2])
    assert_allclose(np.load(tmp_path / "x.npz")["b"], [2, 4])


def test_methods_of_arrays():
    x = leaf(1.25, 2.75)
    assert x.astype(np.float32).dtype == np.float32
    assert round(x).tolist() == [1, 3]
    assert round(x, 1).tolist() == [1.2, 2.8]
    y = x.copy()
    y.sum().backward()
    assert x.grad.tolist() == [1, 1]
    assert not np.shares_memory(x.detach().numpy(), y.detach().numpy())


@pytest.mark.parametrize(
    "call",
    [
        lambda x: 1j * x, lambda x: x + 1j, lambda x: np.complex128(1j) * x, lambda x: x * np.array([1j, 2]), lambda x: np.exp(1j * x),
        lambda x: 1j**x, lambda x: x @ np.array([1j, 2]), lambda x: x.astype(complex), lambda x: autograd.tensor([1j]),
        lambda x: np.where(x > 0, 1j, x), lambda x: np.sqrt(x, dtype=np.complex64),
    ],
)  # fmt: skip
def test_complex_numbers_are_refused_by_that_name(call):
    with pytest.raises(DtypeError, match="there are no complex numbers; compute with pairs of a real and an imaginary part"):
        call(leaf(1, 2))


@pytest.mark.parametrize("mode", ["mean", "median", "maximum", "linear_ramp"])
def test_padding_that_computes_is_refused(mode):
    with pytest.raises(UnsupportedError, match=mode):
        np.pad(leaf(1, 2, 3), 1, mode=mode)


def test_what_moves_takes_constants_and_other_dtypes_along():
    x = leaf(1, 2)
    assert np.append(x, np.array([0.5])).tolist() == [1, 2, 0.5]
    assert np.append(x, np.array([0.5])).dtype == np.float64  # x holds float32
    assert np.insert(x, 1, np.inf).tolist() == [1, np.inf, 2]
    assert np.delete(tensor([1, 2, 3]), 1).dtype == np.int64
    assert np.pad(x.detach()[:0], (1, 2), constant_values=4).tolist() == [4, 4, 4]
    assert np.compress(tensor([True, False]), x).tolist() == [1]
    with pytest.warns(np.exceptions.ComplexWarning), pytest.raises(UnsupportedError, match=r"np\.insert"):
        np.insert([1, 2], 0, x)


def test_moving_is_differentiable_by_every_transform():
    x = tensor(np.arange(6.0).reshape(2, 3))
    f = lambda t: np.rot90(np.pad(t, 1, mode="wrap")) ** 2  # noqa: E731
    tangents = func.jvp(lambda t: np.append(t, t * t), (x,), (autograd.ones_like(x),))[1]
    assert tangents.tolist() == [1, 1, 1, 1, 1, 1, 0, 2, 4, 6, 8, 10]
    assert func.jacrev(f)(x).shape == (5, 4, 2, 3)
    assert func.vmap(lambda row: np.append(row, row[:1]))(x).tolist() == [[0, 1, 2, 0], [3, 4, 5, 3]]


def test_dlpack_shares_memory_and_refuses_what_is_in_a_graph():
    x = tensor([1.0, 2.0])
    a = np.from_dlpack(x)
    assert np.shares_memory(a, x.array)
    t = autograd.from_dlpack(a)
    assert np.shares_memory(t.array, x.array)
    assert x.__dlpack_device__() == a.__dlpack_device__()
    with pytest.raises(NoGradientError, match="detach"):
        np.from_dlpack(leaf(1))


@pytest.mark.parametrize(("function", "options"), [(np.reshape, {"shape": (4,), "order": "F"}), (np.ravel, {"order": "F"}), (np.count_nonzero, {"keepdims": True}), (np.zeros_like, {"order": "F"})])  # fmt: skip
def test_an_argument_that_would_change_the_result_is_refused(function, options):
    """As it is not looked at; what stands at its default, or changes nothing here, is taken."""
    x = autograd.tensor([[1.0, 2.0], [3.0, 4.0]])
    name, value = list(options.items())[-1]
    with pytest.raises(UnsupportedError, match=rf"np\.{function.__name__} .*{name}={value!r} is not supported"):
        function(x, **options)
    default = {"order": "K" if function is np.zeros_like else "C", "keepdims": False}[name]
    assert function(x, **options | {name: default}).numel() > 0
    assert np.argsort(x, kind="stable").tolist() == [[0, 1], [0, 1]]
