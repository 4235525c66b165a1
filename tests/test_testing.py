"""autograd/testing.py: comparing tensors in tests."""

import re

import numpy as np
import pytest

import autograd
from autograd import errors, tensor
from autograd.testing import assert_allclose, assert_close

PAIRS = {  # are they close, to PyTorch and to us?
    "equal": (lambda t: (t.ones(2), t.ones(2)), True),
    "within float32's tolerance": (lambda t: (t.tensor([1.0]), t.tensor([1.0 + 1e-6])), True),
    "beyond it": (lambda t: (t.tensor([1.0]), t.tensor([1.0 + 1e-4])), False),
    "beyond float64's": (lambda t: (t.tensor([1.0], dtype=t.float64), t.tensor([1.0 + 1e-6], dtype=t.float64)), False),
    "half": (lambda t: (t.tensor([1.0], dtype=t.float16), t.tensor([1.001], dtype=t.float16)), True),
    "integers": (lambda t: (t.tensor([1, 2]), t.tensor([1, 3])), False),
    "booleans": (lambda t: (t.tensor([True]), t.tensor([True])), True),
    "shapes": (lambda t: (t.ones(1, 2), t.ones(2)), False),
    "dtypes": (lambda t: (t.ones(2), t.ones(2, dtype=t.float64)), False),
    "nan": (lambda t: (t.tensor([np.nan]), t.tensor([np.nan])), False),
    "inf": (lambda t: (t.tensor([np.inf]), t.tensor([np.inf])), True),
    "inf and -inf": (lambda t: (t.tensor([np.inf]), t.tensor([-np.inf])), False),
    "numbers": (lambda t: (1.0, 1.0 + 1e-9), True),
    "other numbers": (lambda t: (1.0, 1.1), False),
    "lists": (lambda t: ([t.ones(1), 2.0], [t.ones(1), 2.0]), True),
    "lists of other lengths": (lambda t: ([t.ones(1)], [t.ones(1), t.ones(1)]), False),
    "dicts": (lambda t: ({"a": t.ones(1)}, {"a": t.zeros(1)}), False),
    "other keys": (lambda t: ({"a": t.ones(1)}, {"b": t.ones(1)}), False),
}


def passes(library, values, **options):
    try:
        library.testing.assert_close(*values, **options)
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize("name", PAIRS)
def test_close(name):
    make, close = PAIRS[name]
    assert passes(autograd, make(autograd)) == close


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("options", [{}, {"check_dtype": False}, {"equal_nan": True}, {"rtol": 0.2, "atol": 0.0}])
def test_close_as_pytorch_has_it(name, options, torch):
    make, _ = PAIRS[name]
    assert passes(autograd, make(autograd), **options) == passes(torch, make(torch), **options)


@pytest.mark.parametrize(
    ("actual", "expected", "said"),
    [
        (
            [tensor([1.0, 2.0])],
            [tensor([1.0, 3.0])],
            "[0]: 1 of 2 elements are not close; the worst, at (1,), is 2, expected 3: off by 1",
        ),
        (
            {"w": tensor([1.0])},
            {"w": tensor([np.nan])},
            "['w']: 1 of 1 elements are not close; the worst, at (0,), is 1, expected nan",
        ),
        (autograd.ones(2), autograd.ones(3), "the shape is (2,), expected (3,)"),
        (autograd.ones(2), autograd.ones(2).long(), "the dtype is float32, expected int64"),
        ({"a": 1}, {"b": 1}, "the keys are ['a'], expected ['b']"),
        ([1], [1, 2], "there are 1, expected 2"),
    ],
)
def test_what_is_said(actual, expected, said):
    with pytest.raises(AssertionError, match=re.escape(said)):
        assert_close(actual, expected)


def test_messages_and_tolerances_of_ones_own():
    with pytest.raises(AssertionError, match=r"^mine$"):
        assert_close(1.0, 2.0, msg="mine")
    with pytest.raises(AssertionError, match=r"^mine: 1 of 1"):
        assert_close(1.0, 2.0, msg=lambda said: f"mine: {said}")
    with pytest.raises(errors.ArgumentError, match="rtol and atol are given both or neither, got 1 and None"):
        assert_close(1.0, 2.0, rtol=1)
    assert_allclose(autograd.ones(2), np.ones(2))
