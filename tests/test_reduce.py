"""Reductions, scans and statistics where records do not look: special values, ties, nothing at all, and what is refused."""

from itertools import permutations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import autograd
from autograd import errors, tensor

NAN, INF = np.nan, np.inf

# ---------------------------------------------------------------- as PyTorch, at special values
# Methods alone, so that each call runs on either library's tensors. Ties, zeros, NaN and infinities; 0-d, one element, none.
REDUCE = {
    "sum": lambda x: x.sum(), "prod": lambda x: x.prod(), "prod 0": lambda x: x.prod(0), "amax 0": lambda x: x.amax(0),
    "amin -1": lambda x: x.amin(-1), "max": lambda x: x.max(), "min": lambda x: x.min(), "max 0": lambda x: x.max(0).values,
    "min -1": lambda x: x.min(-1, True).values, "aminmax": lambda x: tuple(x.aminmax(dim=-1)), "argmax": lambda x: x.argmax(),
    "argmin 0": lambda x: x.argmin(0), "all": lambda x: x.all(), "any 0": lambda x: x.any(0), "logsumexp": lambda x: x.logsumexp(0),
    "nansum": lambda x: x.nansum(), "nansum 0": lambda x: x.nansum(0, True), "nanmean -1": lambda x: x.nanmean(-1),
    "count_nonzero": lambda x: x.count_nonzero(), "count_nonzero 0": lambda x: x.count_nonzero(0), "mean []": lambda x: x.mean([]),
    "sum []": lambda x: x.sum(dim=[]), "all []": lambda x: x.all(dim=[]), "var 0": lambda x: x.var(0, correction=0),
    "std": lambda x: x.std(correction=0), "norm": lambda x: x.norm(), "trace": lambda x: x.trace(),
}  # fmt: skip
SCAN = {
    "cumsum": lambda x: x.cumsum(0), "cumsum -1": lambda x: x.cumsum(-1), "cumprod": lambda x: x.cumprod(0),
    "cummax": lambda x: tuple(x.cummax(0)), "cummin": lambda x: tuple(x.cummin(-1)), "logcumsumexp": lambda x: x.logcumsumexp(-1),
    "diff": lambda x: x.diff(), "diff 2": lambda x: x.diff(2, 0), "diff 0": lambda x: x.diff(0), "diff 9": lambda x: x.diff(9, 0),
}  # fmt: skip
ORDER = {
    "median": lambda x: x.median(), "nanmedian": lambda x: x.nanmedian(), "median 0": lambda x: x.median(0).values,
    "nanmedian -1": lambda x: x.nanmedian(-1, True).values, "kthvalue 1": lambda x: x.kthvalue(1, 0).values,
    "kthvalue 3": lambda x: x.kthvalue(3).values, "mode 0": lambda x: x.mode(0).values, "mode": lambda x: x.mode(-1, True).values,
    "quantile": lambda x: x.quantile(0.3), "quantile 0": lambda x: x.quantile(0.75, 0, True, interpolation="higher"),
    "quantile midpoint": lambda x: x.quantile(0.5, -1, interpolation="midpoint"), "quantile 1": lambda x: x.quantile(1, -1),
    "nanquantile": lambda x: x.nanquantile(0.3, 0, interpolation="nearest"), "nanquantile 0.5": lambda x: x.nanquantile(0.5),
    "quantile lower": lambda x: x.quantile(0.1, 0, interpolation="lower"), "cov": lambda x: x.cov(), "corrcoef": lambda x: x.corrcoef(),
    "unique": lambda x: x.unique(True, True, True), "unique 0": lambda x: x.unique(dim=0, return_inverse=True),
    "unique_consecutive": lambda x: x.unique_consecutive(True, True), "histc": lambda x: x.histc(4, -2, 2), "histc 3": lambda x: x.histc(3),
    "histogram": lambda x: tuple(x.histogram(3, range=(-1.0, 2.0))),
    "unique_consecutive -1": lambda x: x.unique_consecutive(return_counts=True, dim=-1),
}  # fmt: skip
CALLS = REDUCE | SCAN | ORDER
INPUTS = {
    "ties": [3.0, 1.0, 1.0, 3.0, 2.0, 3.0], "matrix": [[2.0, 2.0, -1.0], [0.0, 2.0, -1.0], [2.0, 0.5, 0.0]], "NaN": [2.0, NAN, 1.0, NAN],
    "a column of NaN": [[NAN, 1.0], [NAN, 0.0]], "inf": [1.0, INF, -2.0], "-inf": [-INF, -INF], "inf and -inf": [[INF, 0.0], [1.0, -INF]],
    "zeros": [0.0, 2.0, 0.0, 3.0], "constant": [1.0, 1.0, 1.0], "one": [4.0], "0-d": 5.0, "none": [], "no rows": np.zeros((0, 2)),
    "no columns": np.zeros((2, 0)), "flat": [[[1.0], [2.0]]], "integers": np.array([[2, 0, 2], [1, 2, 1]]),
    "bytes": np.array([3, 1, 3, 0], np.uint8), "booleans": np.array([True, False, True]),
}  # fmt: skip
# What differs, and why. A gradient that differs is not compared; values that differ are not either.
INFINITE = ("inf", "-inf", "inf and -inf", "a column of NaN")
TIES = ("ties", "matrix", "zeros", "constant")
GRADIENT = {  # the op: at which inputs
    **dict.fromkeys(["logsumexp", "logcumsumexp"], INFINITE),  # there NaN, here shares among infinities, none of -inf
    **dict.fromkeys(["amax 0", "amin -1", "aminmax"], ("NaN", "a column of NaN")),  # NaNs tie, as they do in PyTorch's max()
    **dict.fromkeys(["prod", "prod 0", "cumprod"], INFINITE),  # nothing is divided by, so less becomes NaN
    **dict.fromkeys(["kthvalue 1", "kthvalue 3"], TIES),  # here it goes to the first of the tied, there to any
}
VALUE = {
    "mode 0": ("a column of NaN",), "mode": ("a column of NaN",),  # PyTorch's depends on where NaNs stand
    **dict.fromkeys(["quantile", "quantile midpoint", "nanquantile 0.5"], ("-inf", "inf and -inf")),  # between -inf and -inf is -inf
}  # fmt: skip
NO_KERNEL = dict.fromkeys(
    ["argmax", "argmin 0", "median", "nanmedian", "median 0", "nanmedian -1", "kthvalue 1", "kthvalue 3", "trace"], ("booleans",)
)


def as_tuple(found):
    return tuple(found) if isinstance(found, (tuple, list)) else (found,)


@pytest.mark.filterwarnings("ignore")  # PyTorch's and NumPy's, of divisions by zero and the like
@pytest.mark.parametrize("name", CALLS)
def test_special_values_like_torch(name, torch):
    """The same values, dtypes, shapes and gradients; what PyTorch refuses is refused here."""
    for of, values in INPUTS.items():
        array = np.array(values)
        theirs, ours = (lib.tensor(array, requires_grad=array.dtype.kind == "f") for lib in (torch, autograd))
        try:
            expected = as_tuple(CALLS[name](theirs))
        except (RuntimeError, IndexError, ValueError, TypeError):
            if of not in NO_KERNEL.get(name, ()):
                with pytest.raises(errors.AutogradError):
                    CALLS[name](ours)
            continue
        for y, e in zip(as_tuple(CALLS[name](ours)), expected, strict=True):
            assert f"torch.{y.dtype}" == str(e.dtype), of
            assert y.shape == e.shape, of
            if of not in VALUE.get(name, ()):
                assert_allclose(y.array, e.detach().numpy(), rtol=1e-6 if y.dtype == np.float32 else 1e-12, err_msg=of)
                if e.requires_grad and y.requires_grad and of not in GRADIENT.get(name, ()):
                    compare_gradients(torch, y, ours, e, theirs, of)


def compare_gradients(torch, y, x, e, theirs, of):
    weights = np.cos(np.arange(1.0, y.array.size + 1)).reshape(y.shape)
    try:
        (g,) = torch.autograd.grad(e, theirs, torch.tensor(weights), retain_graph=True)
    except RuntimeError as error:
        if "not implemented" not in str(error):
            raise
        return
    (d,) = autograd.grad(y, x, tensor(weights), retain_graph=True)
    assert_allclose(d.array, g.detach().numpy(), rtol=1e-10, atol=1e-12, err_msg=of)


# ---------------------------------------------------------------- gradients known by other means
def gradient(call, values, order=1):
    """The gradient of the sum of what `call` gives; that of its square for the second order."""
    x = tensor(np.array(values), requires_grad=True)
    (g,) = autograd.grad(call(x).sum(), x, create_graph=order > 1)
    return g.array if order == 1 else autograd.grad((g * g).sum(), x)[0].array


DIMS = [dims for n in range(1, 4) for dims in permutations(range(3), n)]


@pytest.mark.parametrize("dims", DIMS)
def test_dims_in_any_order(dims):
    """Whether the reduced dims come first, and so need not be put back for backward, makes no difference."""
    x = np.random.default_rng(0).uniform(1, 2, (2, 3, 4))
    weights = np.random.default_rng(1).uniform(1, 2, [n for i, n in enumerate(x.shape) if i not in dims])
    spread = np.expand_dims(weights, tuple(sorted(dims)))
    n = np.prod([x.shape[d] for d in dims])
    expected = {
        "sum": np.broadcast_to(spread, x.shape), "mean": np.broadcast_to(spread / n, x.shape),
        "amax": spread * (x == x.max(dims, keepdims=True)), "amin": spread * (x == x.min(dims, keepdims=True)),
        "logsumexp": spread * np.exp(x) / np.exp(x).sum(dims, keepdims=True),
        "var": spread * 2 / (n - 1) * (x - x.mean(dims, keepdims=True)), "norm": spread * x / np.sqrt((x * x).sum(dims, keepdims=True)),
    }  # fmt: skip
    for name, g in expected.items():
        op = getattr(autograd, name)
        kwargs = {"dim": dims} if name != "norm" else {"p": 2, "dim": dims}
        assert_allclose(gradient(lambda t, op=op, kwargs=kwargs: op(t, **kwargs) * weights, x), g, rtol=1e-12)
        assert_allclose(gradient(lambda t, op=op, kwargs=kwargs: op(t, **kwargs, keepdim=True) * spread, x), g, rtol=1e-12)


ZEROS = [[2.0, 0.0, 3.0, 5.0], [0.0, 2.0, 0.0, 3.0], [0.0, 0.0, 0.0, 2.0], [1.0, 2.0, 3.0, 0.0]]


@pytest.mark.parametrize("values", ZEROS)
@pytest.mark.parametrize("order", [1, 2])
def test_running_product_of_zeros(values, order):
    """As if each product had been multiplied out."""

    def multiplied(x):
        products = [x[0]]
        for i in range(1, 4):
            products.append(products[-1] * x[i])
        return autograd.stack(products)

    assert_array_equal(gradient(lambda x: x.cumprod(0), values, order), gradient(multiplied, values, order))


def test_running_product_does_not_overflow_on_the_way():
    x = tensor([1e-30, 1e30, 1e30], requires_grad=True)
    y = x.cumprod(0)
    assert_allclose(y.tolist(), [1e-30, 1, 1e30], rtol=1e-6)
    (g,) = autograd.grad(y[1], x)
    assert_allclose(g.tolist(), [1e30, 1e-30, 0], rtol=1e-6)
    assert tensor([0.0, 1e30, 1e30]).cumprod(0).tolist() == [0, 0, 0]


@pytest.mark.parametrize("shift", [1e4, -1e4, 0.0])
def test_running_logsumexp_far_from_zero(shift):
    """Gradients are shares of sums, wherever the numbers lie; what comes after an infinity leaves what is before alone."""
    x = np.array([0.5, -1.0, 2.0, 0.0])
    g = gradient(lambda t: t.logcumsumexp(0), x + shift)
    shares = np.exp(x) * np.cumsum((1 / np.cumsum(np.exp(x)))[::-1])[::-1]
    assert_allclose(g, shares, rtol=1e-11)
    assert_allclose(gradient(lambda t: t.logcumsumexp(0), x + shift, 2), gradient(lambda t: t.logcumsumexp(0), x, 2), rtol=1e-9)
    with_inf = tensor([-INF, 0.5, -INF, 2.0], requires_grad=True)
    with_inf.logcumsumexp(0).sum().backward()
    assert with_inf.grad[[0, 2]].tolist() == [0, 0]
    assert_allclose(with_inf.grad.sum().item(), 3)  # as many as there are finite results


def test_what_is_constant_has_no_spread_and_no_gradient():
    x = tensor([[2.0, 2.0, 2.0], [1.0, 2.0, 3.0]], requires_grad=True)
    deviation, mean = autograd.std_mean(x, 1)
    assert (deviation.tolist(), mean.tolist()) == ([0, 1], [2, 2])
    deviation.sum().backward()
    assert_allclose(x.grad.array, [[0, 0, 0], [-0.5, 0, 0.5]], atol=1e-7)


TIED = {  # the op: points, and the gradient of the sum of its values there
    "median": (autograd.median, [2.0, 1.0, 2.0, 3.0], [0.5, 0, 0.5, 0]),
    "median over a dim": (lambda x: x.median(0).values, [2.0, 1.0, 2.0], [1, 0, 0]),
    "median of NaNs": (autograd.median, [NAN, 1.0, NAN], [0.5, 0, 0.5]),
    "nanmedian": (autograd.nanmedian, [NAN, 1.0, 2.0], [0, 1, 0]),
    "max of NaNs": (autograd.max, [NAN, 1.0, NAN], [0.5, 0, 0.5]),
    "aminmax": (lambda x: sum(x.aminmax()), [1.0, 1.0, 3.0], [0.5, 0.5, 1]),
    "cummax": (lambda x: x.cummax(0).values, [2.0, 2.0, 1.0], [1, 2, 0]),
    "mode": (lambda x: x.mode().values, [2.0, 1.0, 2.0], [0, 0, 1]),
    "kthvalue": (lambda x: x.kthvalue(1).values, [2.0, 1.0, 1.0], [0, 1, 0]),
    "unique": (autograd.unique, [2.0, 1.0, 2.0], [1, 1, 0]),
    "quantile": (lambda x: x.quantile(0.25), [1.0, 3.0, 2.0, 9.0], [0.25, 0, 0.75, 0]),
}


@pytest.mark.parametrize("name", TIED)
def test_ties(name):
    call, points, slopes = TIED[name]
    assert gradient(call, points).tolist() == slopes


SHARES = {  # at infinities: the gradients of logsumexp, and of the last of logcumsumexp
    (INF, 1.0): ([1, 0], [1, 0]), (1.0, INF): ([0, 1], [0, 1]), (INF, INF): ([0.5, 0.5], [1, 0]), (INF, -INF): ([1, 0], [1, 0]),
    (-INF, -INF): ([0, 0], [0, 0]), (-INF, 2.0): ([0, 1], [0, 1]), (INF, 1.0, INF, -INF): ([0.5, 0, 0.5, 0], [1, 0, 0, 0]),
}  # fmt: skip


@pytest.mark.parametrize("points", SHARES)
def test_infinities_in_logsumexp(points):
    """The largest has all of the gradient, also if it is infinite; several such share it, as tied elements do."""
    whole, running = SHARES[points]
    assert gradient(lambda x: x.logsumexp(0), points).tolist() == whole
    assert gradient(lambda x: x.logsumexp(0, keepdim=True), points).tolist() == whole
    assert gradient(lambda x: x.logcumsumexp(0)[-1], points).tolist() == running
    assert np.isfinite(gradient(lambda x: x.logsumexp(0), points, 2)).all()
    assert np.isfinite(gradient(lambda x: x.logcumsumexp(0)[-1], points, 2)).all()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_logsumexp_of_nothing(dtype):
    for shape, dim in (((0,), 0), ((0, 3), 0), ((2, 0), (0, 1))):
        found = autograd.zeros(shape, dtype=dtype).logsumexp(dim)
        assert (found.dtype, (found == -INF).all().item()) == (dtype, True)


# ---------------------------------------------------------------- results that are not one tensor of the input's dtype
def test_names_of_results():
    x = tensor([[1.0, 2.0], [0.0, 4.0]])
    assert x.aminmax()._fields == ("min", "max")
    assert x.histogram(2)._fields == ("hist", "bin_edges")
    for found in (x.median(0), x.nanmedian(0), x.mode(), x.kthvalue(1), x.cummax(0), x.cummin(0)):
        assert found._fields == ("values", "indices")
        assert found.indices.dtype == autograd.int64


def test_dtype_arguments():
    x = tensor([1.5, 2.5, NAN])
    for name in ("sum", "nansum", "mean", "nanmean", "prod"):
        assert getattr(x, name)(dtype=autograd.float64).dtype == autograd.float64
    assert x.nansum(dtype=autograd.float64).item() == 4
    assert x[:2].cumsum(0, dtype=autograd.int64).tolist() == [1, 3]
    assert x[:2].cumprod(0, dtype=autograd.float64).dtype == autograd.float64
    assert tensor([1, 2]).sum(dtype=autograd.float16).dtype == autograd.float16
    assert x.nanquantile(tensor([0.5, 1.0])).dtype == x.quantile(0.5).dtype == autograd.float32


def test_unique_puts_itself_together_again():
    x = tensor([[3, 1, 3], [2, 1, 2], [3, 1, 3]])
    values, inverse, counts = x.unique(return_inverse=True, return_counts=True)
    assert_array_equal(values[inverse].array, x.array)
    assert (values.tolist(), counts.tolist()) == ([1, 2, 3], [3, 2, 4])
    rows, inverse = x.unique(dim=0, return_inverse=True)
    assert_array_equal(rows[inverse].array, x.array)
    columns, counts = x.unique_consecutive(return_counts=True, dim=1)
    assert_array_equal(columns.array, x.array)
    assert counts.tolist() == [1, 1, 1]


def test_weights_of_counts():
    weights = tensor([0.5, 0.25, 2.0], requires_grad=True)
    sums = autograd.bincount(tensor([2, 0, 2]), weights, minlength=4)
    assert (sums.tolist(), sums.dtype) == ([0.25, 0, 2.5, 0], autograd.float32)
    (sums * tensor([1.0, 10.0, 100.0, 1000.0])).sum().backward()
    assert weights.grad.tolist() == [100, 1, 100]
    heights = autograd.histogram(tensor([1.0, 2.0, 1.0]), 2, weight=weights.detach(), density=True)
    assert_allclose((heights.hist * 0.5).sum().item(), 1)
    assert_allclose(heights.hist.tolist(), [2.5 / 2.75 * 2, 0.25 / 2.75 * 2])


# ---------------------------------------------------------------- what is refused
x, matrix = tensor([1.0, 2.0, 3.0]), tensor([[1.0, 2.0], [3.0, 4.0]])
REFUSED = {  # a call: the error, and what it says
    "mean of integers": (lambda: tensor([1]).mean(), errors.DtypeError, "mean needs a floating-point tensor, not int64"),
    "nanmean of integers": (lambda: tensor([1]).nanmean(), errors.DtypeError, "nanmean needs"),
    "std_mean of integers": (lambda: autograd.std_mean(tensor([1])), errors.DtypeError, "std_mean needs"),
    "aminmax of nothing": (lambda: tensor([]).aminmax(), errors.ShapeError, "amin of no elements"),
    "trace of a vector": (x.trace, errors.ShapeError, r"trace needs a matrix, got shape \(3,\)"),
    "kthvalue 0": (lambda: x.kthvalue(0), errors.ArgumentError, "k must be from 1 to 3, the length of dim -1, got 0"),
    "kthvalue 4": (lambda: x.kthvalue(4), errors.ArgumentError, "got 4"),
    "median of nothing": (lambda: autograd.zeros(2, 0).median(1), errors.DimError, "median of no elements"),
    "mode of nothing": (lambda: tensor([]).mode(), errors.DimError, "mode of no elements"),
    "q above 1": (lambda: x.quantile(1.5), errors.ArgumentError, "q must be from 0 to 1, got 1.5"),
    "q is NaN": (lambda: x.quantile(NAN), errors.ArgumentError, "got nan"),
    "q has two dims": (lambda: x.quantile(matrix / 4), errors.ShapeError, "at most one dim"),
    "q of another dtype": (lambda: x.quantile(tensor([0.5]).double()), errors.DtypeError, "q must have the dtype of input, float32"),
    "interpolation": (lambda: x.quantile(0.5, interpolation="cubic"), errors.ArgumentError, "one of linear, midpoint, .* 'cubic'"),
    "quantile of integers": (lambda: x.long().quantile(0.5), errors.DtypeError, "quantile needs a float32 or float64"),
    "quantile of half": (lambda: x.half().nanquantile(0.5), errors.DtypeError, "nanquantile needs"),
    "quantile of nothing": (lambda: tensor([]).quantile(0.5), errors.ShapeError, "no elements"),
    "logcumsumexp of integers": (lambda: x.long().logcumsumexp(0), errors.DtypeError, "logcumsumexp needs"),
    "cumprod of no such dim": (lambda: x.cumprod(1), errors.DimError, "cumprod: dim 1 does not exist"),
    "cummax of no such dim": (lambda: x.cummax(1), errors.DimError, "cummax: dim 1 does not exist"),
    "diff of a number": (lambda: tensor(1.0).diff(), errors.DimError, "diff needs a tensor with dims"),
    "diff less than 0 times": (lambda: x.diff(-1), errors.ArgumentError, "n must not be negative, got -1"),
    "diff with other dims": (lambda: x.diff(prepend=matrix), errors.ShapeError, "as many dims as input, 1"),
    "trapezoid with both": (lambda: autograd.trapezoid(x, x, dx=1), errors.ArgumentError, "not both"),
    "trapezoid with few points": (lambda: autograd.trapezoid(x, x[:2]), errors.ShapeError, "x holds 2 points, but y has 3"),
    "trapezoid of booleans": (lambda: autograd.trapezoid(x > 1), errors.DtypeError, "does not work on booleans"),
    "cov of many dims": (lambda: matrix[None].cov(), errors.ShapeError, "at most two dims"),
    "cov of booleans": (lambda: (matrix > 1).cov(), errors.DtypeError, "booleans"),
    "corrcoef of many dims": (lambda: matrix[None].corrcoef(), errors.ShapeError, "corrcoef needs"),
    "fweights of floats": (lambda: x.cov(fweights=x), errors.DtypeError, "fweights must hold integers, not float32"),
    "aweights of integers": (lambda: x.cov(aweights=x.long()), errors.DtypeError, "aweights must hold floats, not int64"),
    "few weights": (lambda: x.cov(aweights=x[:2]), errors.ShapeError, r"each of the 3 observations, got shape \(2,\)"),
    "negative weights": (lambda: x.cov(aweights=-x), errors.ArgumentError, "aweights must not be negative"),
    "no weight": (lambda: x.cov(aweights=x * 0), errors.ArgumentError, "sum to 0"),
    "unique along a dim of a number": (lambda: tensor(1.0).unique(dim=0), errors.DimError, "0-d"),
    "unique empty rows": (lambda: autograd.zeros(2, 0).unique(dim=0), errors.ShapeError, "no elements to compare"),
    "bincount of floats": (lambda: x.bincount(), errors.DtypeError, "counts integers, not float32"),
    "bincount of a matrix": (lambda: matrix.long().bincount(), errors.ShapeError, r"got shape \(2, 2\)"),
    "bincount below 0": (lambda: (-x.long()).bincount(), errors.ShapeError, "-3 among them"),
    "bincount with few weights": (lambda: x.long().bincount(x[:2]), errors.ShapeError, "weights must have the shape of input"),
    "bincount of less than nothing": (lambda: x.long().bincount(minlength=-1), errors.ArgumentError, "minlength"),
    "histc of integers": (lambda: x.long().histc(), errors.DtypeError, "histc needs a floating-point tensor"),
    "histc in no bins": (lambda: x.histc(0), errors.ArgumentError, "bins must be at least 1, got 0"),
    "histc backwards": (lambda: x.histc(2, 3, 1), errors.ArgumentError, "from 3 to 1 there is nothing"),
    "histc of NaN": (lambda: (x * NAN).histc(), errors.ArgumentError, "histogram does not work on"),
    "histogram of other edges": (lambda: x.histogram(x.double()), errors.DtypeError, "bins must have the dtype of input"),
    "histogram with few weights": (lambda: x.histogram(2, weight=x[:2]), errors.ShapeError, "weight must have the shape of input"),
    "histogram of weights with grad": (
        lambda: x.histogram(2, weight=tensor([1.0, 1.0, 1.0], requires_grad=True)), errors.NoGradientError, "use bincount",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name):
    call, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        call()
