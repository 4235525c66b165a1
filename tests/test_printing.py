"""A Tensor prints as PyTorch prints it: dtypes and the names of ops aside, to the letter."""

import re

import numpy as np
import pytest

import autograd
from autograd.engine.tensor import wrap

# What PyTorch 2.13 printed, with "torch." cut from the dtypes.
RECORDED = """
>>> tensor(1.)
tensor(1.)
>>> tensor(3.14159)
tensor(3.1416)
>>> tensor(7)
tensor(7)
>>> tensor(True)
tensor(True)
>>> tensor(-0.)
tensor(-0.)
>>> tensor(1e-5)
tensor(1.0000e-05)
>>> tensor(1e10)
tensor(1.0000e+10)
>>> tensor(nan)
tensor(nan)
>>> tensor(-inf)
tensor(-inf)
>>> tensor([])
tensor([])
>>> tensor([1., 2.])
tensor([1., 2.])
>>> tensor([1.0, 2.5])
tensor([1.0000, 2.5000])
>>> tensor([-1.0, 2.0])
tensor([-1.,  2.])
>>> tensor([0., 0.])
tensor([0., 0.])
>>> tensor([1, -20, 300])
tensor([  1, -20, 300])
>>> tensor([True, False])
tensor([ True, False])
>>> tensor([nan, 1.0])
tensor([nan, 1.])
>>> tensor([nan, inf, -inf, 0.0])
tensor([nan, inf, -inf, 0.])
>>> tensor([1.5, inf])
tensor([1.5000,    inf])
>>> tensor([1e-4, 1.0])
tensor([1.0000e-04, 1.0000e+00])
>>> tensor([1e-3, 2.0])
tensor([1.0000e-03, 2.0000e+00])
>>> tensor([1e-5, 1e-5])
tensor([1.0000e-05, 1.0000e-05])
>>> tensor([1e9, 1.0])
tensor([1.0000e+09, 1.0000e+00])
>>> tensor([1e8, 2e8])
tensor([1.0000e+08, 2.0000e+08])
>>> tensor([1.5, 2000.5])
tensor([1.5000e+00, 2.0005e+03])
>>> tensor([123456.5, 654321.5])
tensor([123456.5000, 654321.5000])
>>> tensor([-1e-8, 0.0])
tensor([-1.0000e-08,  0.0000e+00])
>>> tensor([[1, 2], [3, 4]])
tensor([[1, 2],
        [3, 4]])
>>> tensor([[1.5, -2.0], [nan, 4.0]])
tensor([[ 1.5000, -2.0000],
        [    nan,  4.0000]])
>>> tensor([[[1, 2]], [[3, 4]]])
tensor([[[1, 2]],

        [[3, 4]]])
>>> tensor([[[[0.5]]], [[[1.5]]]])
tensor([[[[0.5000]]],


        [[[1.5000]]]])
>>> zeros(0, 3)
tensor([], size=(0, 3))
>>> zeros(2, 0, dtype=float64)
tensor([], size=(2, 0), dtype=float64)
>>> zeros(0, dtype=int64)
tensor([], dtype=int64)
>>> zeros(0, 2, dtype=bool)
tensor([], size=(0, 2), dtype=bool)
>>> ones(2, dtype=float64)
tensor([1., 1.], dtype=float64)
>>> ones(2, dtype=float16)
tensor([1., 1.], dtype=float16)
>>> ones(2, dtype=int32)
tensor([1, 1], dtype=int32)
>>> ones(2, dtype=uint8)
tensor([1, 1], dtype=uint8)
>>> tensor(2.5, dtype=float64)
tensor(2.5000, dtype=float64)
>>> arange(30)
tensor([ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, 16, 17,
        18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29])
>>> arange(30) / 7
tensor([0.0000, 0.1429, 0.2857, 0.4286, 0.5714, 0.7143, 0.8571, 1.0000, 1.1429,
        1.2857, 1.4286, 1.5714, 1.7143, 1.8571, 2.0000, 2.1429, 2.2857, 2.4286,
        2.5714, 2.7143, 2.8571, 3.0000, 3.1429, 3.2857, 3.4286, 3.5714, 3.7143,
        3.8571, 4.0000, 4.1429])
>>> arange(40).reshape(2, 20)
tensor([[ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, 16, 17,
         18, 19],
        [20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37,
         38, 39]])
>>> arange(1001)
tensor([   0,    1,    2,  ...,  998,  999, 1000])
>>> arange(1001.) - 500
tensor([-500., -499., -498.,  ...,  498.,  499.,  500.])
>>> arange(1000)[990:]
tensor([990, 991, 992, 993, 994, 995, 996, 997, 998, 999])
>>> arange(1200).reshape(3, 400)
tensor([[   0,    1,    2,  ...,  397,  398,  399],
        [ 400,  401,  402,  ...,  797,  798,  799],
        [ 800,  801,  802,  ..., 1197, 1198, 1199]])
>>> arange(1200).reshape(400, 3)
tensor([[   0,    1,    2],
        [   3,    4,    5],
        [   6,    7,    8],
        ...,
        [1191, 1192, 1193],
        [1194, 1195, 1196],
        [1197, 1198, 1199]])
>>> arange(1200).reshape(2, 2, 300)
tensor([[[   0,    1,    2,  ...,  297,  298,  299],
         [ 300,  301,  302,  ...,  597,  598,  599]],

        [[ 600,  601,  602,  ...,  897,  898,  899],
         [ 900,  901,  902,  ..., 1197, 1198, 1199]]])
>>> arange(1200., dtype=float64).reshape(1200, 1) * 1e-6
tensor([[0.0000e+00],
        [1.0000e-06],
        [2.0000e-06],
        ...,
        [1.1970e-03],
        [1.1980e-03],
        [1.1990e-03]], dtype=float64)
>>> zeros(2000, 1)
tensor([[0.],
        [0.],
        [0.],
        ...,
        [0.],
        [0.],
        [0.]])
>>> ones(2, requires_grad=True)
tensor([1., 1.], requires_grad=True)
>>> ones(2, dtype=float64, requires_grad=True)
tensor([1., 1.], dtype=float64, requires_grad=True)
>>> zeros(0, requires_grad=True)
tensor([], requires_grad=True)
>>> ones(11, dtype=float64, requires_grad=True)
tensor([1., 1., 1., 1., 1., 1., 1., 1., 1., 1., 1.], dtype=float64,
       requires_grad=True)
>>> tensor([0.25] * 8, dtype=float64, requires_grad=True)
tensor([0.2500, 0.2500, 0.2500, 0.2500, 0.2500, 0.2500, 0.2500, 0.2500],
       dtype=float64, requires_grad=True)
"""
CASES = [case.split("\n", 1) for case in RECORDED.strip().removeprefix(">>> ").split("\n>>> ")]


def evaluate(expression, library):
    names = ["tensor", "zeros", "ones", "arange", "float64", "float16", "int32", "int64", "uint8", "bool"]
    return eval(expression, {name: getattr(library, name) for name in names} | {"nan": np.nan, "inf": np.inf})


@pytest.mark.parametrize(("expression", "expected"), CASES, ids=[case[0] for case in CASES])
def test_repr(expression, expected):
    assert repr(evaluate(expression, autograd)) == expected


def test_the_recorded_texts_are_pytorchs(torch):
    for expression, expected in CASES:
        assert repr(evaluate(expression, torch)).replace("dtype=torch.", "dtype=") == expected, expression


def test_random_arrays_print_as_in_pytorch(torch):
    rng = np.random.default_rng(0)
    for _ in range(300):
        shape = rng.integers(0, 9, rng.integers(0, 5)) if rng.random() < 0.9 else rng.integers(1, 60, rng.integers(1, 4))
        values = rng.standard_normal(shape) * 10.0 ** rng.integers(-3, 4, shape) * 10.0 ** rng.integers(-8, 8)
        values = np.round(values) if rng.random() < 0.3 else values
        for odd in (0.0, -0.0, np.nan, np.inf, -np.inf):
            if rng.random() < 0.2:
                values = np.where(rng.random(shape) < 0.2, odd, values)
        dtype = rng.choice(["float16", "float32", "float64", "int64", "uint8", "bool"])
        if dtype[0] != "f":
            values = np.nan_to_num(values) % 100
        with np.errstate(over="ignore"):
            array = np.asarray(values).astype(dtype)
        expected = repr(torch.from_numpy(array)).replace("dtype=torch.", "dtype=")
        # a shorter name for the dtype fits into lines where the longer one did not
        assert re.sub(r",\s+dtype", ", dtype", repr(autograd.from_numpy(array))) == re.sub(r",\s+dtype", ", dtype", expected)


def test_a_result_names_the_op_that_made_it():
    x = autograd.tensor([1.0, 2.0], requires_grad=True)
    assert repr(x * 2) == "tensor([2., 4.], grad_fn=<MultiplyBackward>)"
    assert repr((x * 2).sum()) == "tensor(6., grad_fn=<SumBackward>)"
    assert repr((x * 2).detach()) == "tensor([2., 4.])"


def test_str_and_the_default_dtype():
    x = autograd.tensor([1.0, 2.0], dtype=autograd.float64)
    assert str(x) == f"{x}" == repr(x)
    autograd.set_default_dtype(autograd.float64)
    try:
        assert repr(x) == "tensor([1., 2.])"
        assert repr(x.float()) == "tensor([1., 2.], dtype=float32)"
    finally:
        autograd.set_default_dtype(autograd.float32)


def test_a_large_range_of_sizes_does_not_overflow():
    x = autograd.tensor([5e-324, 1e308], dtype=autograd.float64)
    assert repr(x) == "tensor([4.9407e-324, 1.0000e+308], dtype=float64)"  # and NumPy has not warned


def test_printing_a_large_tensor_is_fast_and_short():
    assert len(repr(autograd.zeros(1000, 1000, 10))) < 2000


def test_an_array_of_another_library_prints_itself():
    class Foreign:
        dtype, shape, ndim, size = np.dtype("float32"), (2,), 1, 2

        def __repr__(self):
            return "Foreign([1, 2])"

    assert repr(wrap(Foreign())) == "tensor(Foreign([1, 2]))"
