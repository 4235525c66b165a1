"""Tensor as one uses it: attributes, conversions, operators with numbers and arrays on either side, copies and pickles."""

import copy
import operator
import pickle
import weakref

import numpy as np
import pytest
from helpers import vector as leaf
from numpy.testing import assert_array_equal

import autograd
import nn
from autograd import Tensor, ones, tensor, zeros
from autograd.errors import (
    ArgumentError,
    DtypeError,
    GraphError,
    InPlaceError,
    NoGradientError,
    ShapeError,
    UnsupportedError,
)

f64 = autograd.float64


# ---------------------------------------------------------------- what it is
def test_shape_and_dtype():
    x = ones(2, 3)
    assert (x.shape, x.ndim, x.dim(), x.numel(), x.nelement(), len(x)) == ((2, 3), 2, 2, 6, 6, 2)
    assert (x.size(), x.size(0), x.size(-1)) == ((2, 3), 2, 3)
    assert x.dtype == autograd.float32
    assert x.dtype == np.float32
    assert x.dtype == "float32"
    assert (x.device, x.is_cuda, x.is_floating_point(), x.element_size()) == ("cpu", False, True, 4)
    assert tensor(1.0).shape == ()


def test_the_kind_of_a_tensor_has_a_name():
    kinds = "Float float32 Double float64 Half float16 Long int64 Int int32 Short int16 Char int8 Byte uint8 Bool bool".split()
    for kind, dtype in zip(kinds[::2], kinds[1::2], strict=True):
        x = ones(2, dtype=dtype)
        name, cls = f"torch.{kind}Tensor", getattr(autograd, f"{kind}Tensor")
        assert x.type() == name
        assert [isinstance(x, c) for c in (Tensor, cls)] == [True, True]
        for given in (name, cls, dtype, x.dtype):
            y = ones(2).type(given)
            assert (y.type(), y.tolist()) == (name, [1, 1])
    assert not isinstance(ones(2), autograd.LongTensor)
    assert not isinstance(np.ones(2, np.float32), autograd.FloatTensor)
    x = leaf(1, 2)
    assert x.type(autograd.float64) is x
    assert x.double().type(Tensor).dtype == x.double().type("torch.Tensor").dtype == autograd.float32
    x.type("torch.FloatTensor").sum().backward()
    assert x.grad.tolist() == [1, 1]
    with pytest.raises(DtypeError, match=r"^type: tensors hold .*, not torch\.NoTensor"):
        x.type("torch.NoTensor")


def test_array_is_the_memory_itself():
    data = np.zeros(3, np.float32)
    x = autograd.from_numpy(data)
    assert x.array is data
    x.add_(1)
    assert data.tolist() == [1, 1, 1]


# ---------------------------------------------------------------- requires_grad, leaves, grad
def test_requires_grad_is_settable_on_leaves():
    x = ones(2)
    assert (x.requires_grad, x.is_leaf, x.grad_fn, x.grad) == (False, True, None, None)
    x.requires_grad = True
    assert (x.requires_grad, x.is_leaf, x.grad_fn) == (True, True, None)
    assert x.requires_grad_(False) is x
    assert not x.requires_grad
    assert ones(2).requires_grad_().requires_grad
    y = leaf(1) * 2
    y.requires_grad = True  # it does already
    with pytest.raises(GraphError, match="leaves"):
        y.requires_grad = False
    with pytest.raises(DtypeError, match="int64"):
        tensor([1]).requires_grad_()


def test_a_leaf_that_is_frozen_keeps_its_gradient_and_is_treated_as_a_constant():
    x, w = leaf(1, 2), leaf(3, 4)
    (x * w).sum().backward()
    x.requires_grad_(False)
    assert x.grad.tolist() == [3, 4]
    (x * w).sum().backward()
    assert x.grad.tolist() == [3, 4]
    assert w.grad.tolist() == [2, 4]
    x.requires_grad_()
    (x * w).sum().backward()
    assert x.grad.tolist() == [6, 8]


def test_a_leaf_that_is_frozen_gets_no_gradient_from_a_graph_made_before():
    x = leaf(1, 2)
    y = (x * 3).sum()
    x.requires_grad_(False)
    x.grad = None  # as zero_grad() does
    y.backward(retain_graph=True)
    assert x.grad is None
    x.requires_grad_(True)
    y.backward()
    assert x.grad.tolist() == [3, 3]


def test_grad_can_be_set_and_reset():
    x = leaf(1, 2)
    x.grad = zeros(2, dtype=f64)
    assert x.grad.tolist() == [0, 0]
    x.grad = None
    assert x.grad is None
    constant = ones(2)
    constant.grad = ones(2)
    assert constant.grad.tolist() == [1, 1]
    for wrong in (zeros(3, dtype=f64), zeros(2), zeros(1, 2, dtype=f64)):
        with pytest.raises(ShapeError, match=r"float64 \(2,\)"):
            x.grad = wrong


def test_results_have_no_gradient_unless_retained():
    x = leaf(1, 2)
    y = x * 2
    y.sum().backward()
    with pytest.warns(UserWarning, match=r"\.grad of a tensor that is no leaf stays None, .* retain_grad\(\)") as found:
        assert y.grad is None
    assert [w.filename for w in found] == [__file__]
    assert not y.is_leaf


def test_a_gradient_that_is_there_or_may_come_warns_of_nothing():
    x = leaf(1, 2)
    assert (x.grad, x.detach().grad, ones(2).grad) == (None, None, None)
    y = x * 2
    y.retain_grad()
    assert y.grad is None
    with autograd.no_grad():
        assert (x * 2).grad is None
    z = x * 3
    z.sum().backward(inputs=[z])
    assert z.grad.tolist() == [1, 1]
    z = x * 3
    z.grad = ones(2, dtype=f64)
    assert z.grad.tolist() == [1, 1]
    assert "3" in str(autograd.draw(x * 3))


def test_pytorchs_older_dunder_methods():
    x, n = tensor([1.0, 4.0]), tensor([1, 4])
    assert (x.__div__(2).tolist(), n.__div__(2).tolist()) == ([0.5, 2], [0.5, 2])
    assert (x.__rdiv__(2).tolist(), n.__rdiv__(2).tolist()) == ([2, 0.5], [2, 0.5])
    assert x.clone().__idiv__(2).tolist() == [0.5, 2]
    assert (tensor(3.0).__nonzero__(), tensor(3.7).__long__(), complex(tensor(3.0))) == (True, 3, 3 + 0j)
    y = reversed(leaf(1, 2))
    assert isinstance(y, Tensor)
    assert (y.tolist(), y.requires_grad) == ([2, 1], True)
    assert reversed(tensor([[1, 2], [3, 4]])).tolist() == [[3, 4], [1, 2]]
    assert reversed(tensor(2)).item() == 2


def test_detach():
    x = leaf(1, 2)
    y = (x * 2).detach()
    assert (y.requires_grad, y.is_leaf, y.grad_fn) == (False, True, None)
    d = x.detach()
    assert d.array is x.array
    assert x.requires_grad
    assert d.grad is None


def test_detach_in_place():
    x = leaf(1, 2)
    y = x * 2
    assert y.detach_() is y
    assert (y.requires_grad, y.is_leaf) == (False, True)
    y.requires_grad_()
    (y * y).sum().backward()
    assert y.grad.tolist() == [4, 8]
    assert x.grad is None
    x.sum().backward()
    x.detach_()
    assert not x.requires_grad
    assert x.grad.tolist() == [1, 1]


def test_clone_is_a_differentiable_copy():
    x = leaf(1, 2)
    y = x.clone()
    assert not np.shares_memory(x.array, y.array)
    (y * 3).sum().backward()
    assert x.grad.tolist() == [3, 3]


def test_data_is_a_detached_alias():
    x = leaf(1, 2)
    x.data.mul_(10)
    assert x.tolist() == [10, 20]
    assert (x.data.requires_grad, x.requires_grad) == (False, True)
    x.data += 1
    assert x.tolist() == [11, 21]


def test_assigning_data_gives_a_new_array_and_says_so():
    x = leaf(1, 2)
    y = x * x
    before, old = Tensor.rebinds, x.array
    x.data = tensor([5.0, 6.0], dtype=f64)
    assert Tensor.rebinds > before
    assert x.tolist() == [5, 6]
    assert old.tolist() == [1, 2]
    y.sum().backward()  # the graph saved the old values
    assert x.grad.tolist() == [2, 4]
    for wrong in (ones(3, dtype=f64), ones(2)):
        with pytest.raises(ShapeError, match=r"float64 \(2,\)"):
            x.data = wrong
    plain = ones(2)
    plain.data = ones(3, dtype=f64)  # a tensor outside any graph may become anything
    assert (plain.shape, plain.dtype) == ((3,), f64)


# ---------------------------------------------------------------- to Python
def test_item_and_tolist():
    assert [tensor(v).item() for v in (True, 3, 2.5)] == [True, 3, 2.5]
    assert [type(tensor(v).item()) for v in (True, 3, 2.5)] == [bool, int, float]
    assert tensor([[2.5]], requires_grad=True).item() == 2.5
    assert tensor([[1, 2], [3, 4]]).tolist() == [[1, 2], [3, 4]]
    assert tensor(3).tolist() == 3
    with pytest.raises(ShapeError, match=r"item.*\(2,\)"):
        ones(2).item()


def test_numbers():
    assert float(tensor([2.5])) == 2.5
    assert int(tensor(2.7)) == 2
    assert float(tensor(3)) == 3.0
    assert complex(tensor(2.0)) == 2
    assert [10, 20, 30][tensor(1)] == 20
    assert list(range(tensor(3))) == [0, 1, 2]
    assert f"{tensor(True):d}" == "1"
    with pytest.raises(DtypeError, match="float32"):
        operator.index(tensor(1.0))
    with pytest.raises(ShapeError):
        operator.index(tensor([1, 2]))
    for convert in (int, float):
        with pytest.raises(ShapeError):
            convert(ones(2))


def test_truth():
    assert bool(tensor(1.0))
    assert not tensor([[0]])
    assert tensor(True)
    for many in (ones(2), ones(0)):
        with pytest.raises(ArgumentError, match="neither true nor false"):
            bool(many)


def test_format():
    x = tensor(3.14159)
    assert f"{x:.2f}" == "3.14"
    assert f"{x}" == "3.141590118408203"  # as in PyTorch
    assert f"{tensor([3.14159]):8.3f}" == "   3.142"
    assert f"{tensor([1.0, 2.0])}" == "tensor([1., 2.])"
    assert f"{tensor(7):04d}" == "0007"


def test_iteration_unpacks_and_differentiates():
    x = leaf(1, 2, 3)
    a, b, c = x
    (a * b * c).backward()
    assert x.grad.tolist() == [6, 3, 2]
    assert [row.tolist() for row in tensor([[1, 2], [3, 4]])] == [[1, 2], [3, 4]]
    assert list(zeros(0, 3)) == []
    assert len(zeros(0, 3)) == 0
    for refuse in (len, list):
        with pytest.raises(UnsupportedError, match="0-d"):
            refuse(tensor(1.0))


def test_in():
    x = tensor([[1.0, 2.0], [3.0, 4.0]])
    assert 2 in x
    assert 5.0 not in x
    assert tensor(3.0) in x
    assert tensor([1.0, 9.0]) in x  # as in NumPy and PyTorch: any element that is equal


def test_hash_is_by_identity():
    x, y = tensor(1.0), tensor(1.0)
    assert {x: "x", y: "y"}[x] == "x"
    assert len({x, y, x}) == 2
    assert hash(x) == hash(x)


# ---------------------------------------------------------------- to and from NumPy
def test_numpy_shares_memory_and_refuses_what_is_in_a_graph():
    x = ones(2)
    assert x.numpy() is x.array
    y = leaf(1, 2)
    for refused in (y, y * 2):
        for convert in (Tensor.numpy, np.asarray, np.array, lambda t: np.asarray(t, np.float32), np.array_repr):
            with pytest.raises((NoGradientError, UnsupportedError)):
                convert(refused)
    assert y.numpy(force=True) is y.array
    assert y.detach().numpy() is y.array


def test_asarray_of_a_plain_tensor():
    x = ones(2)
    assert np.asarray(x) is x.array or np.shares_memory(np.asarray(x), x.array)
    assert not np.shares_memory(np.array(x), x.array)
    assert np.array(x, dtype=np.float64).dtype == np.float64
    assert np.asarray(x, dtype=int).tolist() == [1, 1]


def test_numpy_functions_take_tensors_and_differentiate():
    x = leaf(1, 4)
    np.sum(np.sqrt(x) * np.exp(x), axis=0).backward()
    v = np.array([1.0, 4.0])
    assert x.grad.tolist() == pytest.approx(((0.5 / np.sqrt(v) + np.sqrt(v)) * np.exp(v)).tolist())
    assert isinstance(np.concatenate([x, np.ones(2)]), Tensor)
    assert np.stack([x, x]).shape == np.transpose(np.stack([x, x])).shape == (2, 2)
    assert (np.shape(x), np.ndim(x), np.size(x)) == ((2,), 1, 2)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda x: np.fft.fft(x), "np.fft.fft"),
        (lambda x: np.add.at(x, [0], 1.0), "np.add.at"),
        (lambda x: np.exp(x, where=np.array([True, False])), "np.exp with where"),
        (lambda x: np.spacing(x), "np.spacing"),
        (lambda x: np.copyto(x, 1.0), "np.copyto"),
        (lambda x: np.clip(x, 0, 1, dtype=np.float64), "np.clip .*dtype"),
        (lambda x: np.add(np.ones(2), x, out=np.ones(2)), "np.add"),
    ],
)
def test_numpy_functions_that_are_not_there_are_named(call, name):
    with pytest.raises(UnsupportedError, match=name):
        call(ones(2))


def test_an_array_does_not_swallow_a_tensor_in_place():
    a = np.ones(2)
    with pytest.raises(UnsupportedError, match=r"np\.add"):
        a += ones(2)
    assert a.tolist() == [1, 1]


def test_numpys_out_argument_works_in_place_on_tensors():
    x = ones(2)
    y = x
    assert np.add(x, 2, out=x) is x
    assert y.tolist() == [3, 3]
    z = leaf(1)
    with pytest.raises(InPlaceError):
        np.exp(z, out=z)


# ---------------------------------------------------------------- operators
BINARY = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "//": operator.floordiv,
    "%": operator.mod, "**": operator.pow, "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le,
    ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
OTHERS = {
    "int": 3, "float": 2.5, "bool": True, "np.float32": np.float32(2.5), "np.float64": np.float64(2.5), "np.int64": np.int64(3),
    "0-d array": np.array(2.5, np.float32), "array": np.array([2.5, 3.5], np.float32), "tensor": tensor([2.5, 3.5]),
    "column": tensor([[2.5], [3.5]]),
}  # fmt: skip


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("sign", BINARY)
def test_numbers_arrays_and_tensors_on_either_side_of_every_operator(sign, other):
    op, other = BINARY[sign], OTHERS[other]
    x = tensor([1.5, 2.5])
    plain = other.array if isinstance(other, Tensor) else other.item() if isinstance(other, np.generic) else other
    for result, expected in [(op(x, other), op(x.array, plain)), (op(other, x), op(plain, x.array))]:
        assert type(result) is Tensor
        assert result.dtype == expected.dtype == (np.bool_ if sign in ("==", "!=", "<", "<=", ">", ">=") else np.float32)
        np.testing.assert_array_equal(result.array, expected)


@pytest.mark.parametrize("sign", ["+", "-", "*", "/", "**"])
@pytest.mark.parametrize("other", ["int", "float", "np.float64", "array", "0-d array"])
def test_operators_differentiate_on_either_side(sign, other):
    op, other = BINARY[sign], OTHERS[other]
    for function in (lambda x: op(x, other), lambda x: op(other, x)):
        x = tensor([1.5, 2.5], requires_grad=True)
        function(x).sum().backward()
        eps, v = 1e-6, np.array([1.5, 2.5])
        assert x.grad.dtype == np.float32
        np.testing.assert_allclose(x.grad.array, (function(v + eps) - function(v - eps)) / (2 * eps), rtol=1e-5)


@pytest.mark.parametrize("other", [np.ones(2), np.float64(1), np.ones((3, 2)), np.ones((), np.float32), np.ones(2, bool)])
def test_arrays_meet_tensors_by_the_rules_for_tensors(other):
    x = ones(2)
    expected = autograd.result_type(x, autograd.from_numpy(other) if isinstance(other, np.ndarray) else other)
    assert (x + other).dtype == (other + x).dtype == expected


def test_integer_and_boolean_operators():
    a, b = tensor([True, True, False]), tensor([True, False, False])
    assert (a & b).tolist() == [True, False, False]
    assert (a | b).tolist() == [True, True, False]
    assert (a ^ b).tolist() == [False, True, False]
    assert (~a).tolist() == [False, False, True]
    assert (True & a).tolist() == (a & True).tolist() == a.tolist()
    n = tensor([5, 6])
    assert [(n & 3).tolist(), (n | 8).tolist(), (1 ^ n).tolist(), (~n).tolist()] == [[1, 2], [13, 14], [4, 7], [-6, -7]]
    assert (n & np.array([4, 4])).tolist() == (np.array([4, 4]) & n).tolist() == [4, 4]
    assert (n % 4).tolist() == [1, 2]
    assert (-n // 4).tolist() == [-2, -2]
    assert (n / 2).dtype == autograd.float32
    assert (n + 0.5).dtype == autograd.float32
    assert (n**2).dtype == autograd.int64
    for refused in (lambda: ones(2) & 1, lambda: ~ones(2), lambda: a - b, lambda: -a):
        with pytest.raises(DtypeError):
            refused()


def test_unary_operators():
    x = tensor([-1.5, 2.0], requires_grad=True)
    assert [(-x).tolist(), (+x).tolist(), abs(x).tolist()] == [[1.5, -2], [-1.5, 2], [1.5, 2]]
    (abs(x) - x).sum().backward()
    assert x.grad.tolist() == [-2, 0]


def test_matmul_on_either_side():
    x, m = tensor([1.0, 2.0], requires_grad=True), np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)
    assert (x @ m).tolist() == [7, 10]
    assert (m @ x).tolist() == [5, 11]
    assert (x @ x).item() == 5
    ((m @ x).sum() + x @ x).backward()
    assert x.grad.tolist() == [4 + 2, 6 + 4]


def test_builtins():
    x = tensor([3.0, 1.0, 2.0])
    assert sum([x, x]).tolist() == [6, 2, 4]
    assert max(x).item() == 3
    assert [v.item() for v in sorted(x)] == [1, 2, 3]
    assert [v.item() for v in reversed(list(x))] == [2, 1, 3]


def test_an_operand_that_is_no_number_is_refused_by_name():
    for other in ("a", None, {}, object(), [1, 2], (1.0, 2.0), 1j, np.array([1j, 2j]), np.array(["a", "b"])):
        for op in (operator.add, operator.mul, operator.lt):
            with pytest.raises(DtypeError, match=r"add|multiply|less|complex|U1"):
                op(ones(2), other)


def test_a_tensor_is_not_equal_to_what_is_no_number():
    x = ones(1)
    for other in ("a", None, {}, [1.0]):
        assert (x == other, x != other, other == x, other != x) == (False, True, False, True)
    assert x not in ["a", None]


def test_another_class_may_know_how_to_meet_a_tensor_on_its_right():
    class Meets:
        def __add__(self, other):
            return "met"

    assert Meets() + ones(2) == "met"


# ---------------------------------------------------------------- augmented assignment
@pytest.mark.parametrize("name", ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow"])
def test_augmented_assignment_keeps_the_tensor(name):
    op = getattr(operator, "i" + name)
    for other in (2, np.float64(2), np.array([2, 3]), tensor([2.0, 3.0])):
        x = tensor([5.0, 7.0])
        array = x.array
        expected = getattr(operator, name)(x, other).tolist()
        assert op(x, other) is x
        assert x.array is array
        assert x.tolist() == expected
        assert x.dtype == autograd.float32


def test_augmented_assignment_of_integers_and_booleans():
    n, b = tensor([6, 7]), tensor([True, False])
    n &= 3
    n |= 8
    n ^= 1
    b &= True
    assert n.tolist() == [11, 10]
    assert b.tolist() == [True, False]
    with pytest.raises(DtypeError, match="int64"):
        n += 0.5
    with pytest.raises(DtypeError):
        n /= 2
    with pytest.raises(ShapeError, match=r"\(3, 2\)"):
        n += ones(3, 2).long()
    assert n.tolist() == [11, 10]


# ---------------------------------------------------------------- dtypes
def test_to_and_its_short_forms():
    x = tensor([1.7, 0.0], requires_grad=True)
    assert [getattr(x, name)().dtype.name for name in ("float", "double", "half", "long", "int", "short", "bool")] == [
        "float32", "float64", "float16", "int64", "int32", "int16", "bool",
    ]  # fmt: skip
    assert x.to(autograd.float32) is x.to("cpu") is x.cpu() is x.float() is x
    assert x.to(f64).dtype == x.to("float64").dtype == x.to(dtype=f64).dtype == x.to(ones(1, dtype=f64)).dtype == f64
    assert x.type_as(tensor([1])).tolist() == [1, 0]
    assert not np.shares_memory(x.to(autograd.float32, copy=True).array, x.array)
    (x.double() * 3).sum().backward()
    assert x.grad.dtype == autograd.float32
    assert x.grad.tolist() == [3, 3]
    assert not x.long().requires_grad
    with pytest.raises(UnsupportedError, match="cuda"):
        x.to("cuda")


def test_a_float_does_not_widen_what_it_meets():
    assert (ones(2) * 2.5).dtype == autograd.float32
    assert (ones(2) * np.float64(2.5)).dtype == autograd.float32
    assert (ones(2) * tensor(2.5, dtype=f64)).dtype == autograd.float32
    assert (ones(2) * tensor([2.5], dtype=f64)).dtype == f64
    assert (ones(2, dtype=autograd.float16) * 2.5).dtype == autograd.float16


# ---------------------------------------------------------------- copies
def test_copy_shares_memory_and_deepcopy_does_not():
    x = leaf(1, 2)
    x.sum().backward()
    shallow, deep = copy.copy(x), copy.deepcopy(x)
    assert shallow.array is x.array
    assert (shallow.requires_grad, deep.requires_grad) == (True, True)
    assert not np.shares_memory(deep.array, x.array)
    assert deep.grad.tolist() == [1, 1]
    assert deep.grad is not x.grad
    (shallow * deep).sum().backward()
    assert x.grad.tolist() == [1, 1]
    y = x * 2
    assert copy.copy(y).is_leaf
    with pytest.raises(GraphError, match="detach"):
        copy.deepcopy(y)


def test_deepcopy_of_a_structure_keeps_what_is_shared():
    x = leaf(1, 2)
    first, second = copy.deepcopy([x, x])
    assert first is second is not x


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_hold_values_not_graphs(protocol):
    x = leaf(1, 2)
    x.sum().backward()
    again = pickle.loads(pickle.dumps(x, protocol))
    assert (again.tolist(), again.dtype, again.requires_grad, again.is_leaf, again.grad) == ([1, 2], f64, True, True, None)
    y = pickle.loads(pickle.dumps(x * 2, protocol))
    assert (y.tolist(), y.requires_grad, y.is_leaf) == ([2, 4], False, True)
    big = ones(1000, requires_grad=True)
    for _ in range(50):
        big = big * 1.5
    assert len(pickle.dumps(big, protocol)) < 20_000


def test_no_attributes_by_mistake():
    x = ones(2)
    with pytest.raises(AttributeError):
        x.requires_gard = True
    with pytest.raises(AttributeError, match="foo"):
        x.foo  # noqa: B018


# ---------------------------------------------------------------- as PyTorch has it
EXPRESSIONS = """
x + y; x - y; x * y; x / y; x ** 2; 2 ** x; abs(x) ** y; -x; abs(x); x @ y; 1 / x; x % 2; 7 - x
(x // 2).detach(); (7 // x).detach(); (7 % x).detach()
x > 2; x == y; (x > 1) & (y > 1); ~(x > 1); n + 1; n + 1.5; n / 2; n // 2; n % 2; n ** 2; n & 1; b + n; b * x[:2]; n * x[:2]
x.sum(); x.mean(); m.sum(0); m.sum(1, keepdim=True); m.mean(dim=(0, 1)); m.max(); m.max(1).values; m.max(1).indices; m.min(0)[0]
m.argmax(); m.argmin(1); m.std(); m.var(0); m.prod(); m.prod(1); m.cumsum(1); m.logsumexp(1); n.sum(); b.sum(); b.any(); b.all()
m.T; m.t(); m[0]; m[:, 1]; m[-1, ::2]; m[[0, 1, 0]]; m[n]; m[m > 1]; m[None]; m[..., 0]; m[:, None, 1:]; m.reshape(3, 2)
m.view(-1); m.flatten(); m.unsqueeze(0).shape; m.squeeze(); m.transpose(0, 1); m.permute(1, 0); x.expand(2, 3); x.repeat(2, 2)
m.flip(0); m.roll(1, 0); m.tril(); m.triu(1); m.diagonal(); m.softmax(1); m.log_softmax(0); m.exp(); m.log(); m.sqrt(); b | b
m.sigmoid()
m.tanh(); m.relu(); m.clamp(1, 2); m.matmul(m.T); m.mv(x); x.dot(y); x.outer(y); m.mm(m.T); m.float(); m.long(); n.float()
x.double(); x.half(); b.int(); n.bool(); m.sort(1).values; m.sort(1, descending=True).indices; m.topk(2).values; m.sign()
m.gather(1, n.reshape(2, 1)); m.masked_fill(m > 1, 0.0); t.where(x > 1, x, y); t.where(x > 1, x, 0.0); t.cat([x, y])
t.stack([x, y]); t.stack([x, y], 1); t.maximum(x, y); t.minimum(x, y); t.einsum("ij,j->i", m, x); t.tensor([1, 2.5])
t.tensor(True); t.arange(5); t.arange(0, 1, 0.25); t.linspace(0, 1, 5); t.eye(2); t.zeros(2, 3); t.ones_like(n); t.full((2,), 7)
t.full((2,), 7.0); t.zeros_like(b); t.full_like(x, 3); m.unbind(); m.split(1); m.chunk(2, 1); n.tolist(); n[0].item()
(x > 1).tolist(); m.size(); m.size(1); m.numel(); m.dim(); len(m); x.floor(); x.ceil(); x.round(); x.trunc(); x.isnan()
(x.detach() / 0).isinf(); x.isfinite(); x.reciprocal(); x.rsqrt(); x.square(); x.erf(); x.add(y, alpha=2); x.sub(y, alpha=2)
x.div(y, rounding_mode="floor"); x.div(y, rounding_mode="trunc"); t.equal(x, x); t.allclose(x, y); t.isclose(x, y)
"""


@pytest.mark.parametrize("expression", [e.strip() for line in EXPRESSIONS.strip().splitlines() for e in line.split(";")])
def test_small_expressions_and_their_gradients_are_those_of_pytorch(torch, expression):
    close = {"rtol": 1e-3 if "half" in expression else 2e-6, "atol": 1e-6}

    def run(library):
        x, y = library.tensor([0.5, 1.5, 2.5]), library.tensor([3.0, 0.25, -2.0])
        m, n = library.tensor([[1.0, 0.5, 2.0], [3.0, 1.25, 0.75]]), library.tensor([1, 0])
        for z in (x, y, m):
            z.requires_grad_()
        scope = {"t": library, "x": x, "y": y, "m": m, "n": n, "b": library.tensor([True, False])}
        with np.errstate(all="ignore"):
            value = eval(expression, scope)
        values = value if isinstance(value, (tuple, list)) else [value]
        for v in values:
            if isinstance(v, library.Tensor) and v.requires_grad:
                v.sum().backward(retain_graph=True)
        return values, [x.grad, y.grad, m.grad]

    (ours, our_grads), (theirs, their_grads) = run(autograd), run(torch)
    assert len(ours) == len(theirs)
    for our, their in zip([*ours, *our_grads], [*theirs, *their_grads], strict=True):
        if isinstance(our, Tensor):
            assert (str(our.dtype), our.shape) == (str(their.dtype).removeprefix("torch."), tuple(their.shape))
            np.testing.assert_allclose(our.tolist(), their.tolist(), **close)
        else:
            assert our == their


# ---------------------------------------------------------------- told when a gradient is there
def test_a_leaf_is_told_when_its_gradient_is_there():
    """It sees the sum with what was there, may let it go, and a later backward comes to it again."""
    w, v, seen = tensor([1.0, 2.0], requires_grad=True), tensor([5.0, 5.0], requires_grad=True), []

    def hook(t):
        seen.append((t is w, t.grad.tolist()))
        if len(seen) == 2:
            t.grad = None

    handle = w.register_post_accumulate_grad_hook(hook)
    for _ in range(3):
        (w * v).sum().backward()
    assert seen == [(True, [5, 5]), (True, [10, 10]), (True, [5, 5])]
    handle.remove()
    (w * v).sum().backward()
    autograd.grad((w * v).sum(), w)
    assert len(seen) == 3


def test_a_step_for_each_parameter_as_its_gradient_comes():
    layer, alone = nn.Linear(3, 2), nn.Linear(3, 2)
    alone.load_state_dict(layer.state_dict())
    optimizers = {p: nn.optim.SGD([p], lr=0.1) for p in layer.parameters()}

    def step(p):
        optimizers[p].step()
        p.grad = None

    for p in layer.parameters():
        p.register_post_accumulate_grad_hook(step)
    together = nn.optim.SGD(alone.parameters(), lr=0.1)
    for net in (layer, alone):
        net(autograd.ones(4, 3)).sum().backward()
    together.step()
    for p, q in zip(layer.parameters(), alone.parameters(), strict=True):
        assert_array_equal(p.detach().numpy(), q.detach().numpy())
        assert p.grad is None


def test_who_can_be_told():
    w = tensor([1.0], requires_grad=True)
    with pytest.raises(GraphError, match="is for leaves, where backward adds to"):
        (w * 2).register_post_accumulate_grad_hook(print)
    with pytest.raises(NoGradientError, match="call requires_grad_"):
        tensor([1.0]).register_post_accumulate_grad_hook(print)
    w.register_post_accumulate_grad_hook(lambda w: None)
    node = weakref.ref(w.node)
    del w
    assert node() is None, "a hook keeps nothing alive"
