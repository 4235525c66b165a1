"""Tensor's operators and methods: each is there, does what the function of its name does, and says so when it cannot."""

import operator
import subprocess
import sys
import traceback

import numpy as np
import pytest
from helpers import leaves
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from samples import SAMPLES
from strategies import Call, calls
from test_ops import tensors

import autograd
from autograd import errors
from autograd.api import names as methods
from autograd.engine.tensor import Tensor

RECORDS = {sample.op: sample for sample in SAMPLES}


def same(found, expected):
    """Tensors, or tuples of them, alike in values and dtypes."""
    for y, e in zip(leaves(found), leaves(expected), strict=True):
        assert_allclose(getattr(y, "array", y), getattr(e, "array", e), rtol=1e-14)
        assert getattr(y, "dtype", None) == getattr(e, "dtype", None)


# ---------------------------------------------------------------- methods
METHODS = [name for name in methods.FUNCTIONS if name != "where"]  # whose first argument is not the tensor


@pytest.mark.parametrize("name", METHODS)
@given(st.data())
def test_method_is_the_function(name, data):
    call, _ = tensors(data.draw(calls(RECORDS[methods.FUNCTIONS[name]]).filter(lambda call: hasattr(call.args[0], "dtype"))))
    same(getattr(call.args[0], name)(*call.args[1:], **call.kwargs), call.run(getattr(autograd, name)))


@pytest.mark.parametrize("name", methods.IN_PLACE)
@given(st.data())
def test_in_place_is_the_function(name, data):
    """With the same value and gradient; it returns the tensor itself, and refuses another shape without changing anything."""
    call = data.draw(calls(RECORDS[methods.FUNCTIONS[name]]).filter(lambda call: hasattr(call.args[0], "dtype")))
    (leaf, *rest), kwargs = tensors(call)[0].args, call.kwargs
    method = name + "_"
    leaf.requires_grad_(leaf.is_floating_point())
    plain, recorded = leaf.detach().clone(), leaf.clone()
    expected = getattr(autograd, name)(leaf, *rest, **kwargs)
    if expected.shape != leaf.shape:
        with pytest.raises(errors.ShapeError, match=rf"{method}: the result has shape"):
            getattr(plain, method)(*rest, **kwargs)
        assert_array_equal(plain.array, leaf.array)
        return
    for x in (plain, recorded):
        assert getattr(x, method)(*rest, **kwargs) is x
        same(x.detach(), expected.detach().to(leaf.dtype))  # comparisons give booleans
    assert recorded.requires_grad == leaf.requires_grad  # also where nothing of the old values is left, as in PyTorch
    if expected.requires_grad:
        same(autograd.grad(recorded.sum(), leaf), autograd.grad(expected.sum(), leaf))
    elif leaf.requires_grad:
        assert not autograd.grad(recorded.sum(), leaf)[0].any()


def test_where_as_a_method_replaces_its_own_elements():
    x = autograd.tensor([1.0, -2.0])
    assert x.where(x > 0, 0.0).tolist() == [1, 0]


def test_methods_that_are_no_functions():
    x = autograd.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    assert x.T.tolist() == x.mT.tolist() == x.t().tolist() == [[1, 4], [2, 5], [3, 6]]
    assert (x.dim(), x.numel(), x.nelement(), x.size(), x.size(-1), x.element_size()) == (2, 6, 6, (2, 3), 3, 4)
    assert x.view(3, 2).tolist() == x.view_as(autograd.zeros(3, 2)).tolist() == [[1, 2], [3, 4], [5, 6]]
    assert autograd.ones(3).expand(2, -1).tolist() == autograd.ones(3).expand_as(x).tolist() == [[1, 1, 1], [1, 1, 1]]
    assert x[0].repeat(2).tolist() == x[0].repeat((2,)).tolist() == [1, 2, 3, 1, 2, 3]
    assert x.cpu() is x.contiguous() is x.to("cpu") is x.to(autograd.float32) is x.float() is x
    assert (x.device, x.is_cuda, x.is_floating_point(), x.long().is_floating_point()) == ("cpu", False, True, False)
    for cast in ("double", "half", "long", "int", "short", "bool"):
        assert getattr(x, cast)().dtype == x.to(getattr(autograd, cast)).dtype == getattr(autograd, cast)
    assert x.type_as(x.long()).dtype == x.to(x.long()).dtype == autograd.int64
    assert x.to(autograd.float32, copy=True) is not x


def test_random_methods_fill_in_place():
    x = autograd.zeros(1000)
    for method, args, low, high in (("uniform_", (2, 3), 2, 3), ("normal_", (50, 1), 40, 60), ("bernoulli_", (0.5,), 0, 1)):
        draws = [getattr(x, method)(*args, generator=autograd.Generator().manual_seed(1)).tolist() for _ in range(2)]
        assert draws[0] == draws[1]
        assert low <= x.min().item() < x.max().item() <= high


# ---------------------------------------------------------------- operators
FLOATS, INTEGERS = [np.array([[1.5, -2.0, 3.0]]), np.array([[2.0], [0.5]])], [np.array([[5, 2, 3]]), np.array([[2], [3]])]
ARITHMETIC = [operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod]
COMPARISONS = [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge]
BITS = [operator.and_, operator.or_, operator.xor]


@pytest.mark.parametrize("op", [*ARITHMETIC, operator.pow, *COMPARISONS, *BITS, operator.matmul])
def test_binary_operators(op):
    """Tensors on both sides, or a Python number or an ndarray on either."""
    a, b = INTEGERS if op in BITS else FLOATS
    a = abs(a) if op is operator.pow else a
    b, number = (b.T[:, :1] * np.ones((3, 1)), None) if op is operator.matmul else (b, 2)
    s, t = autograd.tensor(a), autograd.tensor(b)
    for found in (op(s, t), op(a, t), op(s, b)):
        assert isinstance(found, Tensor)
        assert_allclose(found.array, op(a, b), rtol=1e-15)
    if number is not None:
        assert_allclose(op(s, number).array, op(a, number), rtol=1e-15)
        assert_allclose(op(number, s).array, op(number, a), rtol=1e-15)


@pytest.mark.parametrize("op", [operator.neg, operator.pos, operator.abs])
def test_unary_operators(op):
    assert_array_equal(op(autograd.tensor(FLOATS[0])).array, op(FLOATS[0]))
    assert_array_equal((~autograd.tensor(INTEGERS[0])).array, ~INTEGERS[0])


IN_PLACE = [operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.ifloordiv, operator.imod, operator.ipow]


@pytest.mark.parametrize("op", [*IN_PLACE, operator.iand, operator.ior, operator.ixor, operator.imatmul])
def test_operators_in_place(op):
    """They change the tensor itself, for everyone who sees its memory."""
    kind = int if op in (operator.iand, operator.ior, operator.ixor) else float
    a = np.array([[1, 2], [3, 4]], kind)
    x = y = autograd.tensor(a)
    view = x[0]
    x = op(x, autograd.tensor(a))
    assert x is y
    expected = a @ a if op is operator.imatmul else op(a.copy(), a)
    assert_array_equal(y.array, expected)
    assert_array_equal(view.array, expected[0])


def test_an_array_does_not_swallow_a_tensor():
    array = np.ones(2)
    with pytest.raises(errors.UnsupportedError, match="cannot put a Tensor into an array"):
        array += autograd.ones(2)


# ---------------------------------------------------------------- getitem and setitem, in NumPy's every form
INDICES = {
    "integer": 1,
    "negative": -1,
    "slices": (slice(None, None, 2), slice(1, None)),
    "reversed": slice(None, None, -1),
    "None and ellipsis": (None, ..., 0),
    "list": [0, 2, 0],
    "nested list": [[0, 1], [2, 2]],
    "list in a tuple": (slice(None), [0, 0, 1]),
    "range": range(2),
    "array": np.array([2, 0]),
    "NumPy's integer": np.int64(1),
    "mask": np.array([True, False, True]),
    "mask as a list": [True, False, True],
    "mask of all": np.arange(12).reshape(3, 4) % 2 == 0,
    "two arrays": (np.array([0, 1]), np.array([3, 3])),
    "arrays that broadcast": (np.array([[0], [1]]), np.array([1, 3])),
    "arrays apart": (np.array([0, 1]), None, np.array([1, 3])),
    "boolean": True,
    "empty list": [],
}


@pytest.mark.parametrize("form", INDICES)
def test_index(form):
    """Read and written as NumPy does, arrays in it being tensors or not; where positions repeat, gradients add up."""
    index, array = INDICES[form], np.arange(12.0).reshape(3, 4)
    as_tensors = Call((index,)).map(lambda a: autograd.tensor(a) if isinstance(a, np.ndarray) else a).args[0]
    for i in (index, as_tensors):
        x = autograd.tensor(array, requires_grad=True)
        assert_array_equal(x[i].detach().array, array[index])
        x[i].sum().backward()
        expected = np.zeros_like(array)
        np.add.at(expected, slice(0) if form == "empty list" else index, 1)
        assert_array_equal(x.grad.array, expected)
        y, z = autograd.tensor(array), array.copy()
        y[i] = z[index] = 7.0
        assert_array_equal(y.array, z)


# ---------------------------------------------------------------- NumPy's names for arguments
def test_numpys_argument_names():
    x = autograd.tensor([[1.0, 2.0], [3.0, 4.0]])
    for name in "sum mean prod var std amax amin argmax argmin all any logsumexp".split():
        f = getattr(autograd, name)
        same(f(x, axis=1, keepdims=True), f(x, dim=1, keepdim=True))
    for name in "max min cumsum softmax log_softmax squeeze unsqueeze unbind".split():
        same(getattr(x, name)(axis=0), getattr(x, name)(dim=0))
    same(autograd.cat([x, x], axis=1), autograd.cat([x, x], dim=1))
    same(autograd.stack([x, x], axis=1), autograd.stack([x, x], dim=1))
    same(np.clip(x, a_min=2, a_max=3), x.clamp(2, 3))


def test_numpys_functions_that_do_not_work_say_so():
    x = autograd.ones(2)
    for call, name in (
        (lambda: np.fft.fft(x), "fft"),
        (lambda: np.add.at(x, [0], 1.0), "add.at"),
        (lambda: np.exp(x, where=x > 0), "exp"),
    ):
        with pytest.raises(errors.UnsupportedError, match=f"{name}.* does not work on Tensors"):
            call()


# ---------------------------------------------------------------- errors that teach
OVER_A_DIM = """sum mean prod var std amax amin max min argmax argmin all any logsumexp cumsum softmax log_softmax squeeze unbind
    flip sort argsort""".split()


@pytest.mark.parametrize("name", OVER_A_DIM)
def test_a_dim_that_is_not_there(name):
    x = autograd.ones(2, 3)
    with pytest.raises(errors.DimError, match=rf"^{name}: dim 7 does not exist in a tensor of 2 dims; use -2 to 1$"):
        getattr(x, name)(dim=7)
    with pytest.raises(errors.DtypeError, match=rf"^{name}: dim must be an integer, got 1.5$"):
        getattr(x, name)(dim=1.5)


X, Y, V = autograd.ones(2, 3), autograd.ones(4, 5), autograd.ones(3)
REFUSED = {
    "add does not work on x float32 (2, 3), y float32 (4, 5)": lambda: X + Y,
    "maximum does not work on x float32 (2, 3), y float32 (4, 5)": lambda: autograd.maximum(X, Y),
    "where does not work on c bool (2, 3), x float32 (4, 5), y float32 (2, 3)": lambda: autograd.where(X > 0, Y, X),
    "matmul does not work on x float32 (2, 3), y float32 (4, 5): the dims to be summed over have lengths 3 and 4": lambda: X @ Y,
    "matmul needs at least one dim on both sides, got shapes (2, 3) and ()": lambda: X @ V.sum(),
    "mm needs 2-d and 2-d tensors, got shapes (2, 3) and (3,)": lambda: X.mm(V),
    "dot needs 1-d and 1-d tensors, got shapes (3,) and (2, 3)": lambda: V.dot(X),
    "outer needs two vectors, got shapes (2, 3) and (3,)": lambda: X.outer(V),
    "reshape does not work on x float32 (2, 3), shape (4,)": lambda: X.reshape(4),
    "view: reshape does not work on x float32 (2, 3), shape (5, -1)": lambda: X.view(5, -1),
    "expand does not work on x float32 (2, 3), shape (4, 3)": lambda: X.expand(4, 3),
    "permute: 1 dims were given for a tensor of 2": lambda: X.permute(0),
    "permute: dim (0, 0) names a dim twice": lambda: X.permute(0, 0),
    "sum: dim (0, -2) names a dim twice": lambda: X.sum((0, -2)),
    "t needs at most 2 dims, got 3; use mT or permute": lambda: autograd.ones(1, 1, 1).t(),
    "concatenate does not work on axis 0, xs float32 (2, 3), xs float32 (4, 5)": lambda: autograd.cat([X, Y]),
    "stack does not work on axis 0, xs float32 (2, 3), xs float32 (3,)": lambda: autograd.stack([X, V]),
    "cat needs at least one tensor": lambda: autograd.cat([]),
    "split_with_sizes: sizes [1, 3] add up to 4, but dim 0 has length 2": lambda: X.split([1, 3]),
    "split: the size of a part must be positive, got 0": lambda: X.split(0),
    "chunk: the number of chunks must be positive, got 0": lambda: X.chunk(0),
    "flatten: start_dim 1 comes after end_dim 0": lambda: X.flatten(1, 0),
    "roll: 1 shifts were given for 2 dims": lambda: X.roll(1, (0, 1)),
    "repeat: 1 numbers were given for a tensor of 2 dims": lambda: X.repeat(2),
    "index does not work on x float32 (2, 3), index int64 (1,)": lambda: X[[7]],
    "slice does not work on x float32 (2, 3), index (7,)": lambda: X[7],
    "an index is made of integers or booleans, not float32": lambda: X[V],
    "setitem does not work on x float32 (2, 3), v float32 (4, 5), index": lambda: X.__setitem__(0, Y),
    "gather: index has 1 dims, but input has 2": lambda: X.gather(0, V.long()),
    "gather: index must hold integers, not float32": lambda: X.gather(0, X),
    "gather: index holds 1 to 1, but the dim has length 1": lambda: X[:1].gather(0, X.long()),
    "index_select: index holds 1 to 1, but the dim has length 1": lambda: X[:1].index_select(0, V.long()),
    "masked_fill: mask must hold booleans, not float32": lambda: X.masked_fill(X, 0),
    "topk: k is 4, but dim -1 has length 3": lambda: X.topk(4),
    "clamp: give min, max or both": lambda: X.clamp(),
    "div: rounding_mode is None, 'floor' or 'trunc', got 'up'": lambda: X.div(X, rounding_mode="up"),
    "amax of no elements does not exist; the tensor has shape (0,)": lambda: autograd.ones(0).amax(),
    "argmax of no elements does not exist; the tensor has shape (0,)": lambda: autograd.ones(0).argmax(),
    "softmax: say over which dim": lambda: X.softmax(),
    "einsum 'ij->k': 'k' is in the result but in no operand": lambda: autograd.einsum("ij->k", X),
    "einsum 'ij,j->i' describes 2 operands, but 1 were given": lambda: autograd.einsum("ij,j->i", X),
    "einsum 'i->i': 'i' does not fit an operand of shape (2, 3)": lambda: autograd.einsum("i->i", X),
    "einsum 'ii->i': 'i' stands for lengths 2 and 3": lambda: autograd.einsum("ii->i", X),
    "view needs sizes, got dtype('float64'); use to() for another dtype": lambda: X.view(autograd.float64),
    "to: the only device here is 'cpu', not 'cuda'": lambda: X.to("cuda"),
    "invert does not work on x float32 (2, 3)": lambda: ~X,
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_cannot_be_done_is_said(message):
    with pytest.raises(errors.AutogradError) as caught:
        REFUSED[message]()
    assert str(caught.value).startswith(message)
    assert X.tolist() == [[1, 1, 1], [1, 1, 1]]


# ---------------------------------------------------------------- PyTorch's ways to write a call
FORMS = """
    x.sum(0, True); x.sum([0, 1]); x.sum(dim=(0,), keepdim=True); x.sum(()); x.mean(dim=0, dtype=t.float64); x.prod(1, True);
    x.var(False); x.var(0, False); x.var(0, unbiased=False); x.var(dim=1, correction=0, keepdim=True); x.std(0); x.std();
    x.max(0); x.max(1, True); x.min(dim=-1, keepdim=True); x.max(y); t.max(x, y); t.max(x, dim=0); x.argmax(0, True);
    x.argmax(); x.all(); x.any(0); x.all(dim=1, keepdim=True); (x > 0).all(0); x.logsumexp(0); x.logsumexp((0, 1), True);
    x.cumsum(0); x.cumsum(dim=1, dtype=t.float64); x.softmax(0); x.softmax(dim=-1, dtype=t.float64); t.softmax(x, 1);
    x.log_softmax(-1); x.reshape(3, 2); x.reshape((3, -1)); x.view(-1); x.view((6,)); x.flatten(); x.flatten(0, 1);
    x.flatten(start_dim=1); x.ravel(); x[0].squeeze(); x.unsqueeze(-1).squeeze(-1); x.unsqueeze(0).squeeze((0, 1));
    x.unsqueeze(1); x.transpose(0, 1); x.transpose(-1, 0); x.swapaxes(0, 1); x.permute(1, 0); x.permute((1, 0));
    t.permute(x, (1, 0)); x.movedim(0, 1); x.movedim((0, 1), (1, 0)); x.t(); x.T; x.mT; x.expand(4, 2, 3); x.expand(2, -1);
    x.expand(-1, -1); x.broadcast_to((4, 2, 3)); x.repeat(2, 1); x.repeat(2, 1, 1); x.tile(2); x.tile((2, 1)); x.tile(2, 1, 1);
    x.split(1); x.split([1, 2], dim=1); x.split(2, 1); t.split(x, 2, dim=1); x.chunk(2, dim=1); x.chunk(5, 1); x.unbind();
    x.unbind(1); x.flip(0); x.flip(0, 1); x.flip((0, 1)); x.flip(dims=(1,)); x.roll(1); x.roll(1, 0); x.roll((1, 2), (0, 1));
    x.roll(shifts=1, dims=1); x.tril(); x.triu(1); x.tril(diagonal=-1); x.diagonal(); x.diagonal(1);
    x.diagonal(offset=-1, dim1=1, dim2=0); x.clone(); t.cat((x, y)); t.cat([x, y], 1); t.cat([x, y], dim=-1); t.concat([x, y]);
    t.stack([x, y]); t.stack((x, y), dim=2); t.cat([x, t.tensor([])]); x.gather(1, i); t.gather(x, dim=1, index=i);
    x.scatter_add(1, i, y); x.index_select(1, t.tensor([0, 2])); x.masked_fill(x > 0, 9); x.masked_fill(x > 0, t.tensor(9.0));
    x.take_along_dim(i, 1); x.take_along_dim(i); x.sort(); x.sort(0); x.sort(dim=1, descending=True); x.sort(descending=True);
    x.argsort(0); x.argsort(descending=True); x.topk(2); x.topk(1, 0); x.topk(2, largest=False); x.topk(2, dim=1, sorted=True);
    x @ y.T; x.matmul(y.T); x.mm(y.T); x.mv(y[0]); x[0].dot(y[0]); x[0].outer(y[0]); t.outer(x[0], y[0]);
    t.einsum('ij,kj->ik', x, y); t.einsum('ij,ij', x, y); t.einsum('ij,kj->ik', [x, y]); t.einsum('...j,kj->k...', x, y);
    t.einsum('i j, k j', x, y); t.einsum('ba', x); t.einsum('ij->', x); x.clamp(0); x.clamp(min=0); x.clamp(max=0.5);
    x.clamp(-1, 1); x.clamp(y, y + 1); t.clamp(x, min=y); x.clip(-1, 1); t.where(x > 0, x, y); t.where(x > 0, x, 0.0);
    t.where(x > 0, 1.0, 0.0); t.where(x > 0, 1, 0); t.where(x > 0, x, 2); t.where(x > 0, 1, 2.5); t.where(x > 0);
    x.where(x > 0, y); x.where(x > 0, 0); x.add(y, alpha=2); t.add(x, y, alpha=0.5); x.sub(1); x.sub(y, alpha=2); x.mul(2);
    x.div(2); x.div(y, rounding_mode='floor'); x.div(y, rounding_mode='trunc'); n.div(2); n.div(2, rounding_mode='floor');
    n.div(2, rounding_mode='trunc'); n / 2; n // 2; n % 2; -n // 2; n ** 2; 2.0 ** n; n ** 2.0; n * 1.5; n + True; x // 2;
    x % 2; -x % 2; x % -2; 2 % x; 2 // x; 1 / x; 1 / n; x ** 2; x.pow(2); x.abs().pow(0.5); 2 ** x; t.pow(2, x);
    t.pow(x.abs(), y); x.remainder(2); x.floor_divide(2); x.square(); x.reciprocal(); n.reciprocal(); n.square(); n.abs().sqrt();
    n.abs(); n.neg(); -n; n.sign(); n.float(); n.sum(); n.prod(); n.max(); n.max(0); n.cumsum(0); n.sort(); n.exp();
    n.sigmoid(); n.relu(); n.floor(); n.round(); n.clamp(1, 2); n.clamp(1.5, 2); b.sum(); b.sum(0); b.prod(); b.cumsum(0);
    b.max(); b.any(); b & b; b | ~b; b ^ b; ~b; ~n; n & 1; n | 2; n ^ n; b + b; b * b; b + 1; b * 1.5; b.long(); b.float();
    b == b; x == x; x != y; x > 0; x.eq(1); x.lt(y); x.ge(0); t.logical_and(x, y); t.logical_not(x); x.logical_or(b); x.isnan();
    x.isfinite(); t.isclose(x, x + 1e-9); t.allclose(x, x); t.equal(x, y); x.round(); x.round(decimals=1);
    t.tensor([0.5, 1.5, -0.5]).round(); x.trunc(); x.ceil(); x.erf(); x.abs().rsqrt(); x.expm1(); (x * 0.1).asin(); t.arcsin(x * 0.1); x[0];
    x[0, 1]; x[..., 0]; x[None]; x[:, None]; x[t.tensor([0, 1, 0])]; x[:, t.tensor([0, 2])]; x[x > 0]; x[[0, 1], [1, 2]];
    x[t.tensor(1)]; x[True]; x[b]; x.size(1); x.dim(); x.numel(); x.ndim; x.tolist(); x.sum().item(); x.to(t.float64);
    x.double(); x.half(); x.int(); x.bool(); len(x); list(x); 0.5 in x; x.maximum(y); t.minimum(x, y); t.maximum(n, x);
    x.amax(0); x.amax((0, 1), True); x.amin(); t.zeros(2, 3); t.zeros((2, 3)); t.zeros([2, 3], dtype=t.int64);
    t.zeros(size=(2, 3)); t.ones(2); t.ones(()); t.full((2, 2), 1); t.full((2,), 1.5); t.full((2,), True);
    t.full([2], 1, dtype=t.float32); t.eye(2); t.eye(2, 3); t.arange(5); t.arange(1, 5); t.arange(1, 5, 2);
    t.arange(0, 1, 0.25); t.arange(5.); t.arange(5, 0, -2); t.arange(0); t.arange(3, dtype=t.float64); t.arange(start=1, end=4);
    t.linspace(0, 1, 5); t.linspace(0, 1, steps=3); t.linspace(3, 3, 1); t.linspace(0, 1, 0);
    t.linspace(0, 10, 5, dtype=t.int64); t.zeros_like(x); t.ones_like(n); t.full_like(x, 3); t.full_like(n, 1.5);
    t.zeros_like(n, dtype=t.float64); t.tensor(1); t.tensor(1.5); t.tensor(True); t.tensor([1, 2.5]); t.tensor([True, 2]);
    t.tensor([]); t.tensor([[1, 2], [3, 4]]); t.tensor(np.arange(3)); t.tensor(np.float64(1)); t.tensor(np.ones(2, np.float16));
    t.tensor([t.tensor(1), t.tensor(2)]); t.tensor([t.tensor(1.5), 2]); t.tensor((1, 2), dtype=t.float64); t.tensor(range(3));
    t.as_tensor([1, 2]); t.from_numpy(np.ones(2)); t.FloatTensor([1, 2]); t.LongTensor([1, 2]); t.BoolTensor([True, False]);
    t.Tensor([1, 2]); t.Tensor([[1, 2], [3, 4]]); t.rand((2, 3)).dtype; t.randn(2, dtype=t.float64).dtype;
    t.randint(1, 2, (3,)); t.randint(0, 1, size=(2,)); t.randint(low=0, high=1, size=(2,)); t.randperm(5).sort().values;
    t.normal(0., 1., (2,)).dtype; t.bernoulli(t.ones(3)); t.multinomial(t.tensor([0., 1.]), 1);
    t.multinomial(t.tensor([0., 1.]), 3, replacement=True); t.randn_like(x).dtype; t.randint_like(n, 1);
    t.randint_like(x, 0, 1); t.float32; x.dtype; t.result_type(x, n); t.promote_types(t.int64, t.float16); x.fill_(3);
    x.clone().zero_(); x.clone().add_(1); x.clone().add_(y, alpha=2); x.clone().mul_(y).sub_(1); x.clone().div_(2);
    x.clone().clamp_(0); x.clone().copy_(y); x.clone().copy_(y[0]); x.clone().masked_fill_(b, 0); x.clone().uniform_(1, 1);
    x.clone().normal_(3, 0); x.clone().bernoulli_(1); n.clone().add_(1); n.clone().mul_(2); x.square().mean().sqrt();
    t.sqrt(x.square().sum(-1, keepdim=True)); x.sum(axis=0); x.mean(axis=0, keepdim=True); x.max(axis=0); x.ne(0); x.exp_();
    x.sigmoid_(); x.T @ x; x[None].bmm(y.T[None]); x.argmax(dim=None); x.tanh().detach(); x.__len__();
    x.index_select(dim=0, index=t.tensor([1])); x.min(); x.floor_divide(y); x.contiguous(); t.randint(10, size=(2, 3)) < 10;
    t.permute(x, dims=(1, 0)); t.reshape(x, shape=(3, 2))
"""
DATA = {
    "x": [[-1.25, 2.0, 3.5], [0.5, -0.75, 1.0]],
    "y": [[2.0, 1.0, -1.0], [3.0, -2.0, 0.5]],
    "n": [[1, -2, 3], [4, 5, -6]],
    "b": [[True, False, True], [False, False, True]],
    "i": [[0, 2, 1], [1, 1, 0]],
}


def evaluate(form, library):
    return leaves(eval(form, {"t": library, "np": np} | {name: library.tensor(data) for name, data in DATA.items()}))


@pytest.mark.parametrize("form", [form.strip() for form in FORMS.split(";")])
def test_form_like_torch(torch, form):
    """Written as in PyTorch, it gives the same values in the same dtypes, or the same tuple of such."""
    found, expected = evaluate(form, autograd), evaluate(form, torch)
    assert len(found) == len(expected)
    for y, e in zip(found, expected, strict=True):
        if isinstance(e, torch.Tensor):
            assert isinstance(y, Tensor)
            assert f"torch.{y.dtype}" == str(e.dtype)
            assert y.shape == tuple(e.shape)
            assert_allclose(y.array, e.numpy(), rtol=1e-5, atol=1e-6)
        else:
            assert str(y) == str(e).removeprefix("torch.")


@pytest.mark.parametrize(
    "call", [lambda: X @ Y, lambda: autograd.ones(2, 2, 3) @ Y, lambda: V @ Y, lambda: np.matmul(X, Y), lambda: X @ Y[:, 0]]
)
def test_a_product_that_does_not_fit_is_told_in_one_sentence(call):
    with pytest.raises(
        errors.ShapeError, match=r"^matmul does not work on .*: the dims to be summed over have lengths 3 and 4$"
    ) as caught:
        call()
    text = "".join(traceback.format_exception(caught.value))
    assert text.count("Traceback") == 1
    assert "gufunc" not in text


def test_a_name_that_is_not_there_has_one_near():
    """Python looks for it among the names of the object, where an error that nobody caught is printed."""
    run = subprocess.run([sys.executable, "-c", "import autograd; autograd.ones(2).numell"], capture_output=True, text=True)
    assert "AttributeError: 'Tensor' object has no attribute 'numell'. Did you mean: 'numel'?" in run.stderr
