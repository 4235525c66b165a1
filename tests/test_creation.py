"""Making tensors: from data of every kind, and filled, with the dtypes that PyTorch gives them."""

import numpy as np
import pytest
from foreign import Foreign
from numpy.testing import assert_allclose

import autograd
import nn
from autograd import errors, tensor
from autograd.errors import ArgumentError, DtypeError, ShapeError


def test_tensor_copies_and_infers_the_dtype():
    for data, dtype in (
        (1, "int64"), (1.5, "float32"), (True, "bool"), ([1, 2.5], "float32"), ([True, 2], "int64"), ([], "float32"), ([[]], "float32"),
        ((1, 2), "int64"), (range(3), "int64"), (np.float64(1), "float64"), (np.arange(3), "int64"), (np.ones(2), "float64"),
        (np.ones(2, np.float16), "float16"), (np.ones(2, ">f4"), "float32"), (np.zeros(0, np.int32), "int32"),
    ):  # fmt: skip
        x = autograd.tensor(data)
        assert (x.dtype, x.shape) == (dtype, np.shape(data)), data
        assert x.tolist() == np.asarray(data).tolist()
        assert x.is_leaf
        assert not x.requires_grad
    array = np.ones(2)
    x = autograd.tensor(array, requires_grad=True)
    array[0] = 5
    assert x.tolist() == [1, 1]
    assert x.requires_grad
    assert autograd.tensor(x.detach(), dtype=autograd.int64).dtype == autograd.int64


F64, F32, F16, I32, I16, U8 = np.float64(1 / 3), np.float32(1 / 3), np.float16(1 / 3), np.int32(3), np.int16(3), np.uint8(3)
MIXED = [  # lists of NumPy's scalars, of arrays and tensors, and their dtype: every element has a say, as in PyTorch
    ([F64], "float64"), ([F32], "float32"), ([F16], "float16"), ([I32], "int32"), ([U8], "uint8"), ([np.bool_(True)], "bool"),
    ([F64, F32], "float64"), ([F32, F64], "float64"), ([[F32], [F64]], "float64"), ([F32, I32], "float32"), ([I32, F32], "float32"),
    ([0.5, F64], "float64"), ([F64, 0.5], "float64"), ([F32, 0.5], "float32"), ([0.5, F16], "float32"), ([[0.5], [F64]], "float64"),
    ([1, F64], "float64"), ([F16, 1], "float16"), ([I32, 1], "int64"), ([1, I32], "int64"), ([U8, 1], "int64"), ([I16, np.int8(1)], "int16"),
    ([np.int64(3), np.int8(1)], "int64"), ([np.bool_(True), True], "bool"), ((F64, 2), "float64"),
    ([np.ones(2)], "float64"), ([np.ones(2, np.float32)], "float32"), ((np.ones(2), np.ones(2, np.float16)), "float64"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "dtype"), MIXED)
def test_numpys_scalars_keep_their_dtype_in_lists(data, dtype):
    for make in (autograd.tensor, autograd.as_tensor):
        x = make(data)
        assert (x.dtype, x.shape) == (dtype, np.shape(data))
        assert x.tolist() == np.asarray(data, dtype).tolist()
    assert autograd.tensor(data, dtype=autograd.int16).dtype == "int16"


@pytest.mark.filterwarnings("ignore:Creating a tensor from a list of numpy.ndarrays")
@pytest.mark.parametrize(("data", "dtype"), MIXED)
def test_so_they_do_in_pytorch(torch, data, dtype):
    assert str(torch.tensor(data).dtype) == f"torch.{dtype}"


def test_a_number_of_double_precision_keeps_it():
    assert autograd.tensor([np.float64(1 / 3)]).item() == 1 / 3
    assert autograd.full((1,), np.int32(3)).tolist() == [3]


def test_tensor_of_tensors():
    one, two, half = autograd.tensor(1.5), autograd.tensor(2.0, dtype=autograd.float64), autograd.tensor(1.0).half()
    for data, dtype in (
        ([one, 2], "float32"),
        ([one, two], "float64"),
        ([1.0, two], "float64"),
        ([half, 1.0], "float32"),
        ([[one], [3]], "float32"),
        ([autograd.tensor(1), 2], "int64"),
        ([autograd.tensor(1).int(), 2], "int64"),
    ):
        x = autograd.tensor(data)
        assert (x.dtype, x.shape) == (dtype, np.shape(data))
    assert autograd.tensor([autograd.ones(2), autograd.zeros(2)]).tolist() == [[1, 1], [0, 0]]


def test_as_tensor_and_from_numpy_share_memory():
    array = np.arange(3.0)
    for make in (autograd.from_numpy, autograd.as_tensor):
        x = make(array)
        array[0] += 1
        assert x[0].item() == array[0]
        assert x.numpy() is array
    y = autograd.ones(2, requires_grad=True)
    assert autograd.as_tensor(y) is y
    assert autograd.as_tensor(y, dtype=autograd.float64).requires_grad
    assert autograd.as_tensor([1, 2], dtype=autograd.float64).tolist() == [1, 2]
    foreign = Foreign(array)
    assert autograd.from_numpy(foreign).array is foreign


# ---------------------------------------------------------------- PyTorch's first constructors
MAKERS = {"Tensor": "float32", "FloatTensor": "float32", "DoubleTensor": "float64", "HalfTensor": "float16", "LongTensor": "int64",
          "IntTensor": "int32", "ShortTensor": "int16", "CharTensor": "int8", "ByteTensor": "uint8", "BoolTensor": "bool"}  # fmt: skip
two = autograd.tensor(2)
SIZES = {
    "none": ((), (0,)),
    "one": ((3,), (3,)),
    "two": ((2, 3), (2, 3)),
    "NumPy's": ((np.int64(2), 3), (2, 3)),
    "of tensors": ((two, two), (2, 2)),
    "of size()": ((autograd.ones(2, 3).size(),), (2, 3)),
    "of Size": ((autograd.Size([2, 3]),), (2, 3)),
}
NUMBERS = {
    "a list": ([1, 0], [1, 0]),
    "nested lists": ([[1, 0], [0, 1]], [[1, 0], [0, 1]]),
    "a tuple of floats": ((1.0, 0.0), [1, 0]),
    "a range": (range(2), [0, 1]),
    "booleans": ([True, False], [1, 0]),
    "nothing": ([], []),
    "NumPy's scalars": ([np.float64(1)], [1]),
    "an array": (np.array([1.0, 0.0]), [1, 0]),
    "an array of integers": (np.array([1, 0]), [1, 0]),
    "a 0-d array": (np.array(1.0), 1),
    "tensors": ([autograd.tensor(1.0), autograd.tensor(0)], [1, 0]),
}


@pytest.mark.parametrize("name", MAKERS)
def test_first_constructors_take_sizes_or_numbers(name):
    make, dtype = getattr(autograd, name), MAKERS[name]
    for sizes, shape in SIZES.values():
        x = make(*sizes)
        assert (x.shape, x.dtype, x.requires_grad, type(x)) == (shape, dtype, False, autograd.Tensor)
    assert make(size=(2, 3)).shape == make(2, 3, device="cpu").shape == (2, 3)
    for numbers, values in NUMBERS.values():
        for x in (make(numbers), make(data=numbers)):
            assert (x.tolist(), x.dtype) == (values, dtype)


@pytest.mark.parametrize("name", MAKERS)
def test_first_constructors_of_pytorch_make_the_same(torch, name):
    make, dtype = getattr(torch, name), getattr(torch, MAKERS[name])
    for sizes, shape in SIZES.values():
        sizes = [torch.Size(n) if isinstance(n, autograd.Size) else int(n) for n in sizes]
        assert (tuple(make(*sizes).shape), make(*sizes).dtype) == (shape, dtype)
    for key, (numbers, values) in NUMBERS.items():
        if key != "tensors":
            assert make(numbers).tolist() == values


def test_a_parameter_of_memory_as_it_is_has_its_shape():
    p = nn.Parameter(autograd.Tensor(4, 3))
    assert (p.shape, p.dtype, p.requires_grad) == ((4, 3), "float32", True)
    nn.init.zeros_(p)
    assert p.tolist() == [[0] * 3] * 4
    assert (nn.Parameter().shape, nn.Parameter(2.5).item(), nn.Parameter([1, 2]).dtype) == ((0,), 2.5, "float32")


def test_a_tensor_of_a_tensor_or_an_array_shares_its_memory():
    for make in (autograd.Tensor, autograd.FloatTensor):
        x, array = autograd.ones(2), np.ones(2, np.float32)
        for y in (make(x), make(array)):
            y.add_(1)
        assert (x.tolist(), array.tolist()) == ([2, 2], [2, 2])
    assert autograd.Tensor(autograd.tensor([1, 2])).dtype == "int64"
    x = autograd.ones(2, requires_grad=True)
    y = autograd.Tensor(x)
    assert not y.is_leaf
    (y * autograd.DoubleTensor(x)).sum().backward()  # which stays in the graph
    assert x.grad.tolist() == [2, 2]


def test_first_constructors_follow_the_default_dtype():
    autograd.set_default_dtype(autograd.float64)
    try:
        assert autograd.Tensor(2, 3).dtype == autograd.Tensor([1]).dtype == "float64"
        assert autograd.FloatTensor(2).dtype == autograd.Tensor(autograd.ones(2).float()).dtype == "float32"
    finally:
        autograd.set_default_dtype(autograd.float32)


@pytest.mark.parametrize(
    ("args", "kind", "message"),
    [
        ((2.5,), DtypeError, "^Tensor takes sizes, a list of numbers, an array or a tensor, not 2.5; use tensor"),
        ((True,), DtypeError, "not True"),
        (("two",), DtypeError, "not 'two'"),
        ((np.float32(2),), DtypeError, "Tensor takes sizes"),
        ((None,), ShapeError, r"Tensor: the sizes .* got \(None,\)"),
        ((2, 3.0), ShapeError, r"Tensor: the sizes of a tensor are integers, none negative, got \(2, 3.0\)"),
        ((-1,), ShapeError, "none negative"),
        (([[1, 2], [3]],), ShapeError, "equal lengths"),
        (((2, 3),), ArgumentError, r"^Tensor: \(2, 3\) may be sizes or numbers; say Tensor\(\*\(2, 3\)\) or Tensor\(\[2, 3\]\)"),
    ],
)
def test_first_constructors_refuse_the_rest(args, kind, message):
    with pytest.raises(kind, match=message):
        autograd.Tensor(*args)


def test_first_constructors_have_no_other_options():
    with pytest.raises(TypeError, match=r"Tensor.* unexpected keyword argument 'requires_grad'"):
        autograd.Tensor([1.0], requires_grad=True)


def test_a_shape_is_a_size():
    x = autograd.ones(2, 3)
    assert isinstance(x.shape, autograd.Size)
    assert (type(x.size()), x.size(), x.size().numel()) == (autograd.Size, (2, 3), 6)


# ---------------------------------------------------------------- filled
def test_filled():
    for name, value in (("zeros", 0), ("ones", 1)):
        make, like = getattr(autograd, name), getattr(autograd, name + "_like")
        for x in (make(2, 3), make((2, 3)), make([2, 3]), make(size=(2, 3))):
            assert (x.tolist(), x.dtype) == (np.full((2, 3), value).tolist(), "float32")
        assert (make().shape, make(()).shape, make(0, 2).shape) == ((), (), (0, 2))
        assert make(2, dtype=autograd.int64, requires_grad=False).dtype == "int64"
        assert make(2, requires_grad=True).requires_grad
        for x in (
            like(autograd.ones(2).long()),
            like(np.ones(2, np.int64)),
            getattr(np, name + "_like")(autograd.ones(2).long()),
        ):
            assert (x.tolist(), x.dtype) == ([value] * 2, "int64")
        assert like(autograd.ones(2), dtype=autograd.float64).dtype == "float64"
    assert autograd.empty(2, 3).shape == autograd.empty_like(autograd.ones(2, 3)).shape == (2, 3)
    for x, values, dtype in (
        (autograd.full((2,), 1), [1, 1], "int64"), (autograd.full([2], 1.5), [1.5, 1.5], "float32"), (autograd.full(2, True), [1, 1], "bool"),
        (autograd.full((), 1, dtype=autograd.float64), 1, "float64"), (autograd.full_like(autograd.ones(2), 3), [3, 3], "float32"),
        (autograd.full_like(autograd.ones(2).long(), 1.5), [1, 1], "int64"), (autograd.full_like(np.ones(1), 2), [2], "float64"),
        (autograd.eye(2), [[1, 0], [0, 1]], "float32"), (autograd.eye(1, 2, dtype=autograd.int64), [[1, 0]], "int64"),
    ):  # fmt: skip
        assert (x.tolist(), x.dtype) == (values, dtype)


def test_ranges():
    for x, values, dtype in (
        (autograd.arange(3), [0, 1, 2], "int64"), (autograd.arange(1, 4), [1, 2, 3], "int64"), (autograd.arange(5, 0, -2), [5, 3, 1], "int64"),
        (autograd.arange(0, 1, 0.25), [0, 0.25, 0.5, 0.75], "float32"), (autograd.arange(2.0), [0, 1], "float32"), (autograd.arange(0), [], "int64"),
        (autograd.arange(2, dtype=autograd.float64), [0, 1], "float64"), (autograd.arange(autograd.tensor(2)), [0, 1], "int64"),
        (autograd.linspace(0, 1, 3), [0, 0.5, 1], "float32"), (autograd.linspace(3, 3, 1), [3], "float32"), (autograd.linspace(0, 1, 0), [], "float32"),
        (autograd.linspace(1, 0, steps=2, dtype=autograd.float64), [1, 0], "float64"),
        (autograd.logspace(0, 2, 3), [1, 10, 100], "float32"), (autograd.logspace(3, 0, 4, base=2, dtype=autograd.int64), [8, 4, 2, 1], "int64"),
        (autograd.logspace(tensor(1.0), 1, 1, dtype=autograd.float64), [10], "float64"), (autograd.logspace(0, 1, 0), [], "float32"),
    ):  # fmt: skip
        assert (x.tolist(), x.dtype) == (values, dtype)
    assert_allclose(autograd.arange(0, 1, 0.1).array, np.arange(10) / 10, rtol=1e-6)


def test_new_ones_are_like_their_maker():
    x = autograd.ones(2, dtype=autograd.float64, requires_grad=True)
    for y, values, dtype in (
        (x.new_zeros(1, 2), [[0, 0]], "float64"), (x.new_zeros((1, 2)), [[0, 0]], "float64"), (x.new_ones(2, dtype=autograd.int32), [1, 1], "int32"),
        (x.new_full((2,), 3), [3, 3], "float64"), (x.long().new_full((2,), 1.5), [1, 1], "int64"), (x.new_tensor([1, 2]), [1, 2], "float64"),
        (x.new_tensor(1, dtype=autograd.bool), True, "bool"), (x.bool().new_ones(size=(1,)), [True], "bool"),
    ):  # fmt: skip
        assert (y.tolist(), y.dtype, y.requires_grad) == (values, dtype, False)
    assert (x.new_empty(2, 3).shape, x.new_empty(2).dtype) == ((2, 3), "float64")
    for y in (
        x.new_zeros(1, requires_grad=True),
        x.new_full((1,), 2, requires_grad=True),
        x.new_tensor([1.0], requires_grad=True),
    ):
        assert y.requires_grad
        assert y.is_leaf


def test_size_in_memory():
    x = autograd.zeros(2, 3, dtype=autograd.float64)
    assert (x.itemsize, x.nbytes, x.element_size()) == (8, 48, 8)


def test_the_usual_line_about_devices():
    device = autograd.device("cuda" if autograd.cuda.is_available() else "mps" if autograd.backends.mps.is_available() else "cpu")
    x = autograd.ones(2, device=device)
    assert repr(device) == repr(x.device) == "device(type='cpu')"
    assert x.device == device == autograd.device("cpu") == "cpu"
    assert (str(device), f"{device}", device.type) == ("cpu", "cpu", "cpu")
    assert repr(autograd.device("cuda", 1)) == repr(autograd.device("cuda:1")) == "device(type='cuda', index=1)"
    assert x.to(device) is x.to("cpu") is x.to(x.device) is x
    assert x.to(device, autograd.float64).dtype == autograd.float64
    autograd.backends.cudnn.deterministic = True


NOWHERE = {
    "tensor": lambda **k: tensor(1.0, **k), "as_tensor": lambda **k: autograd.as_tensor(1.0, **k), "eye": lambda **k: autograd.eye(2, **k),
    **{name: lambda name=name, **k: getattr(autograd, name)(2, **k) for name in "zeros ones empty rand randn randperm arange".split()},
    **{name: lambda name=name, **k: getattr(autograd, name)(tensor(1.0), **k) for name in "zeros_like ones_like empty_like".split()},
    "rand_like: rand": lambda **k: autograd.rand_like(tensor(1.0), **k), "randn_like: randn": lambda **k: autograd.randn_like(tensor(1.0), **k),
    "full": lambda **k: autograd.full((2,), 1, **k), "full_like": lambda **k: autograd.full_like(tensor(1.0), 1, **k),
    "linspace": lambda **k: autograd.linspace(0, 1, 2, **k), "logspace": lambda **k: autograd.logspace(0, 1, 2, **k),
    "randint": lambda **k: autograd.randint(2, (1,), **k), "normal": lambda **k: autograd.normal(0.0, 1.0, (1,), **k),
    "Generator": lambda **k: autograd.Generator(**k), "to": lambda **k: tensor(1.0).to(**k),
}  # fmt: skip


@pytest.mark.parametrize("name", NOWHERE)
def test_the_only_device(name):
    for device in ("cpu", autograd.device("cpu"), "cpu:0"):
        NOWHERE[name](device=device)
    for device in ("cuda", autograd.device("cuda", 0)):
        with pytest.raises(errors.UnsupportedError, match=f"^{name}: the only device here is 'cpu', not '{device}'"):
            NOWHERE[name](device=device)


REFUSED = {
    "full: fill_value must be a number, an array or a tensor, not None": lambda: autograd.full((2,), None),
    "new_full: full: fill_value must be a number, an array or a tensor, not 'a'": lambda: autograd.ones(2).new_full((2,), "a"),
    "full_like: fill_value must be a number, an array or a tensor, not None": lambda: autograd.full_like(autograd.ones(2), None),
    "full: 300 does not fit into uint8": lambda: autograd.full((2,), 300, dtype=autograd.uint8),
    "full_like: nan does not fit into int64": lambda: autograd.full_like(autograd.ones(2).long(), float("nan")),
    "tensor: [300, -1] does not fit into uint8; use a wider dtype": lambda: tensor([300, -1], dtype=autograd.uint8),
    "logspace: steps is an integer, not negative, got -1": lambda: autograd.logspace(0, 1, -1),
    "fill_diagonal_ needs a matrix, or more dims of equal length, got shape (2,)": lambda: autograd.ones(2).fill_diagonal_(1),
    "fill_diagonal_ needs a matrix, or more dims of equal length, got shape (2, 2, 3)": lambda: autograd.ones(
        2, 2, 3
    ).fill_diagonal_(1),
    "tensors hold booleans, integers or floats, not <U1; got str 'a'": lambda: autograd.tensor("a"),
    "tensors hold booleans, integers or floats, not complex128; got list '[1j]'": lambda: autograd.tensor([1j]),
    "tensors hold booleans, integers or floats, not object": lambda: autograd.tensor([None]),
    "from_numpy: tensors hold booleans, integers or floats, not uint16": lambda: autograd.from_numpy(np.zeros(2, np.uint16)),
    "zeros: tensors hold booleans, integers or floats, not complex64": lambda: autograd.zeros(2, dtype="complex64"),
    "to: tensors hold booleans, integers or floats, not float33": lambda: autograd.ones(2).to("float33"),
    "tensor needs nested lists of equal lengths, got [[1], [2, 3]]": lambda: autograd.tensor([[1], [2, 3]]),
    "from_numpy needs an array, got list; use tensor()": lambda: autograd.from_numpy([1.0]),
    "only floating-point tensors can require gradients, not int64; use float() first": lambda: autograd.tensor(
        1, requires_grad=True
    ),
    "arange: from 0 to 3 there is no way by steps of -1": lambda: autograd.arange(0, 3, -1),
    "arange: from 0 to 3 there is no way by steps of 0": lambda: autograd.arange(0, 3, 0),
    "zeros: the sizes of a tensor are integers, none negative, got (2, -1)": lambda: autograd.zeros(2, -1),
    "ones: the sizes of a tensor are integers, none negative, got (1.5,)": lambda: autograd.ones(1.5),
    "full: the sizes of a tensor are integers, none negative, got (-1,)": lambda: autograd.full(-1, 0),
    "eye: the sizes of a tensor are integers, none negative, got (-1, -1)": lambda: autograd.eye(-1),
    "linspace: steps is an integer, not negative, got -1": lambda: autograd.linspace(0, 1, -1),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_cannot_be_made_is_said(message):
    with pytest.raises(errors.AutogradError) as caught:
        REFUSED[message]()
    assert str(caught.value).startswith(message)


# ---------------------------------------------------------------- integers from here to there
CUT = {  # from, to, how many: the integers, the bounds and what lies between them cut off towards 0
    (-0.5, 0.5, 3): [0, 0, 0],
    (-1.7, 1.7, 6): [-1, 0, 0, 0, 0, 1],
    (0.9, 5, 6): [0, 1, 2, 3, 4, 5],
    (0, 10, 5): [0, 2, 5, 7, 10],
    (-5, -1, 7): [-5, -4, -3, -3, -2, -1, -1],
    (0, -7, 5): [0, -1, -3, -5, -7],
    (1.9, 5, 1): [1],
    (3, 9, 2): [3, 9],
    (1, 5, 0): [],
    (0, 127, 11): [0, 12, 25, 38, 50, 63, 76, 88, 101, 114, 127],
}


@pytest.mark.parametrize("args", CUT)
@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64"])
def test_linspace_of_integers_cuts_off(args, dtype):
    x = autograd.linspace(*args, dtype=dtype)
    assert (x.tolist(), x.dtype) == (CUT[args], dtype)


@pytest.mark.parametrize("args", CUT)
def test_linspace_of_integers_is_pytorchs(torch, args):
    for dtype in (torch.int8, torch.int16, torch.int32, torch.int64):
        assert torch.linspace(*args, dtype=dtype).tolist() == CUT[args]


def test_linspace_refuses_bounds_that_are_no_such_integers():
    assert autograd.linspace(0, 255, 2, dtype=autograd.uint8).tolist() == [0, 255]
    for bounds, dtype in (((0, 128), "int8"), ((-1, 3), "uint8"), ((float("nan"), 3), "int64"), ((0, 1), "bool")):
        with pytest.raises(DtypeError, match=f"linspace: numbers from .* do not fit into {dtype}"):
            autograd.linspace(*bounds, 3, dtype=dtype)
