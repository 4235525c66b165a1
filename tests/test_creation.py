"""Making tensors: from data of every kind, and filled, with the dtypes that PyTorch gives them."""

import numpy as np
import pytest
from foreign import Foreign
from numpy.testing import assert_allclose

import autograd
from autograd import errors


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
    assert autograd.tensor(x, dtype=autograd.int64).dtype == autograd.int64


def test_tensor_of_tensors():
    one, two = autograd.tensor(1.5), autograd.tensor(2.0, dtype=autograd.float64)
    for data, dtype in (
        ([one, 2], "float32"),
        ([one, two], "float64"),
        ([[one], [3]], "float32"),
        ([autograd.tensor(1), 2], "int64"),
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


def test_constructors_of_a_dtype():
    for name, dtype in (("FloatTensor", "float32"), ("DoubleTensor", "float64"), ("LongTensor", "int64"), ("BoolTensor", "bool")):
        make = getattr(autograd, name)
        for x in (make([1, 0]), make(2, 3), make(), make(np.ones(2))):
            assert x.dtype == dtype
        assert make([1, 0]).tolist() == [1, 0]
        assert make(2, 3).shape == (2, 3)


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
    ):  # fmt: skip
        assert (x.tolist(), x.dtype) == (values, dtype)
    assert_allclose(autograd.arange(0, 1, 0.1).array, np.arange(10) / 10, rtol=1e-6)


REFUSED = {
    "tensors hold booleans, integers or floats, not <U1; got str 'a'": lambda: autograd.tensor("a"),
    "tensors hold booleans, integers or floats, not complex128; got list '[1j]'": lambda: autograd.tensor([1j]),
    "tensors hold booleans, integers or floats, not object": lambda: autograd.tensor([None]),
    "tensors hold booleans, integers or floats, not uint16": lambda: autograd.from_numpy(np.zeros(2, np.uint16)),
    "tensors hold booleans, integers or floats, not complex64": lambda: autograd.zeros(2, dtype="complex64"),
    "tensors hold booleans, integers or floats, not float33": lambda: autograd.ones(2).to("float33"),
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
