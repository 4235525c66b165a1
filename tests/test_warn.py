"""Nothing leaves the graph in silence: warnings at the user's line, errors inside of transforms, and what stays silent."""

import math
import subprocess
import sys
import warnings

import numpy as np
import pytest
from helpers import leaf, warned

import autograd
import nn
from autograd import func, functional, tensor
from autograd.engine.graph import ambient
from autograd.engine.warn import warn
from autograd.errors import DetachedWarning, GraphError, UnsupportedError


def assigned(x):
    array = np.zeros(3)
    array[1] = x
    return array


# the way out: what it makes of a recorded 2 (or of x, a vector that begins with it), and what that is
DOORS = {
    "float": (lambda x: float(x[0]), 2.0),
    "int": (lambda x: int(x[0]), 2),
    "complex": (lambda x: complex(x[0]), 2 + 0j),
    "a function of math": (lambda x: math.sqrt(x[0] * 2), 2.0),
    "a function of math, of several": (lambda x: math.fsum([x[0], x[1]]), 5.0),
    "a format of Python 2": (lambda x: "%.1f" % x[0], "2.0"),  # noqa: UP031
    "an element of an array": (lambda x: assigned(x[0] ** 2).tolist(), [0.0, 4.0, 0.0]),
    "a NumPy scalar": (lambda x: np.float64(x[0]), 2.0),
    "tensor": (lambda x: autograd.tensor(x[0] * 2).item(), 4.0),
    "tensor of a vector": (lambda x: autograd.tensor(x).tolist(), [2.0, 3.0]),
    "tensor of a list": (lambda x: autograd.tensor([x[0] ** 2, x[1] ** 2]).tolist(), [4.0, 9.0]),
    "tensor of nested lists": (lambda x: autograd.tensor([[x[0]], [1.0]]).tolist(), [[2.0], [1.0]]),
    "tensor of vectors": (lambda x: autograd.tensor([x, x]).tolist(), [[2.0, 3.0]] * 2),
    "as_tensor": (lambda x: autograd.as_tensor([x[0], 1]).tolist(), [2.0, 1.0]),
    "new_tensor": (lambda x: x.new_tensor([x[0]]).tolist(), [2.0]),
    "from_numpy": (lambda x: autograd.from_numpy(x).tolist(), [2.0, 3.0]),
    "Tensor": (lambda x: autograd.Tensor([x[0]]).tolist(), [2.0]),
    "FloatTensor": (lambda x: autograd.FloatTensor([x[0]]).tolist(), [2.0]),
    "Parameter": (lambda x: nn.Parameter([x[0]]).tolist(), [2.0]),
    "full": (lambda x: autograd.full((2,), x[0]).tolist(), [2.0, 2.0]),
    "full_like": (lambda x: autograd.full_like(x, x[0]).tolist(), [2.0, 2.0]),
    "new_full": (lambda x: x.new_full((1,), x[0]).tolist(), [2.0]),
    "np.full_like": (lambda x: np.full_like(x, x[0]).tolist(), [2.0, 2.0]),
    "arange": (lambda x: autograd.arange(x[0]).tolist(), [0.0, 1.0]),
    "linspace": (lambda x: autograd.linspace(0, x[0], 3).tolist(), [0.0, 1.0, 2.0]),
    "logspace": (lambda x: autograd.logspace(0, x[0], 2).tolist(), [1.0, 100.0]),
    "a bound of uniform_": (lambda x: autograd.zeros(2).uniform_(2, x[0]).tolist(), [2.0, 2.0]),
    "the rate of exponential_": (lambda x: autograd.zeros(0).exponential_(x[0]).tolist(), []),
    "what np.pad puts in": (lambda x: np.pad(autograd.zeros(1), 1, constant_values=x[0]).tolist(), [2.0, 0.0, 2.0]),
    "the q of np.quantile": (lambda x: np.quantile(autograd.ones(3), x[0] / 4).item(), 1.0),
    "the base of logspace": (lambda x: autograd.logspace(0, 1, 2, base=x[0]).tolist(), [1.0, 2.0]),
}
OPEN = {  # what PyTorch lets pass in silence, as it was meant, or as it only looks
    "item": lambda x: x[0].item(),
    "tolist": lambda x: x.tolist(),
    "detach": lambda x: float(x[0].detach()),
    "data": lambda x: autograd.tensor(x.data),
    "numpy of what is detached": lambda x: np.asarray(x.detach()),
    "if": lambda x: 1 if x[0] else 0,
    "comparisons": lambda x: (x[0] < x[1], max(x[0], x[1]), sorted([x[1], x[0]]), 2.0 in x),
    "format": lambda x: f"{x[0]:.2f} {x}",
    "ops": lambda x: autograd.stack([x[0] ** 2, x[1] ** 2]) + autograd.zeros(2).fill_(x[0]),
    "as_tensor of a tensor": lambda x: autograd.as_tensor(x),
    "len, iteration and shapes": lambda x: [len(x), *x, autograd.zeros_like(x), x.new_zeros(2)],
}
TRANSFORMS = {
    "grad": lambda f: func.grad(f),
    "grad_and_value": lambda f: func.grad_and_value(f),
    "vjp": lambda f: lambda x: func.vjp(f, x),
    "jvp": lambda f: lambda x: func.jvp(f, (x,), (autograd.ones_like(x),)),
    "linearize": lambda f: lambda x: func.linearize(f, x),
    "jacrev": lambda f: func.jacrev(f),
    "jacfwd": lambda f: func.jacfwd(f),
    "hessian": lambda f: func.hessian(f),
    "hvp": lambda f: lambda x: func.hvp(f, (x,), (autograd.ones_like(x),)),
    "functional.vjp": lambda f: lambda x: functional.vjp(f, x),
    "functional.jvp": lambda f: lambda x: functional.jvp(f, x, autograd.ones_like(x)),
    "functional.hvp": lambda f: lambda x: functional.hvp(f, x, autograd.ones_like(x)),
    "functional.jacobian": lambda f: lambda x: functional.jacobian(f, x),
    "functional.hessian": lambda f: lambda x: functional.hessian(f, x),
}


# ---------------------------------------------------------------- elsewhere it is a warning
@pytest.mark.parametrize("door", DOORS)
def test_what_becomes_plain_warns_at_the_users_line(door):
    leave, expected = DOORS[door]
    x = leaf([2.0, 3.0])
    value, found = warned(lambda: leave(x))
    assert value == expected
    assert found
    assert {w.category for w in found} == {DetachedWarning}
    assert {w.filename for w in found} == {__file__}
    assert issubclass(DetachedWarning, UserWarning)
    for word in ("requires grad", "stack()", ".item()", "detach()"):
        assert word in str(found[0].message)


@pytest.mark.parametrize("door", DOORS)
def test_what_nobody_recorded_becomes_plain_in_silence(door):
    leave, expected = DOORS[door]
    assert leave(tensor([2.0, 3.0])) == expected
    with autograd.no_grad():
        assert leave(leaf([2.0, 3.0])) == expected


@pytest.mark.parametrize("way", OPEN)
def test_what_says_so_or_only_looks_is_silent(way):
    OPEN[way](leaf([2.0, 3.0]))


@pytest.mark.parametrize("way", OPEN)
def test_it_is_silent_inside_a_transform_too(way):
    func.grad(lambda x: (OPEN[way](x), x.sum())[1])(tensor([2.0, 3.0]))


def test_an_index_is_an_integer_which_has_no_gradient():
    i = tensor(1)
    assert ([5, 6, 7][i], list(range(i)), [5, 6, 7][:i]) == (6, [0], [5])


def test_a_line_warns_once_and_another_again():
    script = """
import autograd
x = autograd.tensor(2.0, requires_grad=True)
for i in range(3):
    float(x * i)
    autograd.tensor([x, x])
float(x)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert [line.split(": ")[0] for line in done.stderr.splitlines() if "Warning" in line] == [f"<string>:{n}" for n in (5, 6, 7)]


def test_what_is_noted_does_not_grow_with_what_is_computed():
    names = {"__name__": "somebody", "x": leaf(2.0), "autograd": autograd}
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("default")
        exec("for i in range(50): float(x * i), autograd.full((i + 1,), x * i)", names)
    assert len(names["__warningregistry__"]) == 3  # the version, and two messages


def test_a_warning_of_another_kind_goes_the_same_way():
    _, found = warned(lambda: warn("mind this"))
    assert [(str(w.message), w.category, w.filename) for w in found] == [("mind this", UserWarning, __file__)]


# ---------------------------------------------------------------- inside a transform it is an error
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_inside_a_transform_it_is_an_error(transform):
    def f(x):
        return float(x) * x

    with pytest.raises(
        GraphError, match=r"float makes plain numbers .* an error inside \w+; stack\(\) .* \.item\(\) or detach\(\)"
    ):
        TRANSFORMS[transform](f)(tensor(3.0))


@pytest.mark.parametrize("door", [door for door in DOORS if door != "an element of an array"])
def test_every_way_out_is_one(door):
    with pytest.raises(GraphError, match=r"plain numbers of a tensor that requires grad.*inside grad|which an array cannot"):
        func.grad(lambda x: (DOORS[door][0](x), x.sum())[1])(tensor([2.0, 3.0]))


def test_numpys_own_error_tells_why():
    with pytest.raises(ValueError, match="array element") as caught:
        func.grad(lambda x: (assigned(x), x)[1])(tensor(3.0))
    assert isinstance(caught.value.__cause__, GraphError)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: func.grad(lambda y: y * float(x))(tensor(1.0)),
        lambda x: func.vmap(lambda y: y * float(x))(autograd.ones(3)).sum(),
        lambda x: functional.jacobian(lambda y: y * float(x), tensor(1.0), create_graph=True),
        lambda x: func.jvp(lambda y: y * tensor([x]).sum(), (tensor(1.0),), (tensor(1.0),))[1],
    ],
)
def test_what_comes_from_an_enclosing_transform_is_kept_too(f):
    with pytest.raises(GraphError, match="plain numbers"):
        func.grad(f)(tensor(3.0))


def test_under_vmap_only_what_is_recorded_is_kept():
    double = func.vmap(lambda v: v * float(v))
    assert double(tensor([2.0, 3.0])).tolist() == [4, 9]
    with pytest.raises(GraphError, match="inside vmap"):
        double(leaf([2.0, 3.0]))


def test_a_transform_ends_where_its_function_ends():
    with pytest.raises(GraphError):
        func.grad(lambda x: float(x) * x)(tensor(3.0))
    _, found = warned(lambda: float(leaf(2.0)))
    assert [w.category for w in found] == [DetachedWarning]


def test_the_gradient_that_was_lost_is_there_with_tensors():
    assert func.grad(lambda x: autograd.stack([x**2, x]).sum())(tensor(3.0)).item() == 7
    assert func.grad(lambda x: x.item() * x)(tensor(3.0)).item() == 3  # said on purpose


# ---------------------------------------------------------------- under a tape, which would take it for a constant
@pytest.mark.parametrize("door", DOORS)
def test_under_a_tape_it_is_refused_whether_recorded_or_not(door):
    for x in (leaf([2.0, 3.0]), tensor([2.0, 3.0])):
        with ambient(tape=[]), pytest.raises((UnsupportedError, ValueError), match=r"while a tape records|array element"):
            DOORS[door][0](x)


def test_under_a_tape_what_is_plain_already_is_none_of_its_business():
    with ambient(tape=[]):
        assert tensor([1.0, 2.0]).tolist() == autograd.linspace(1, 2, 2).tolist() == [1, 2]


# ---------------------------------------------------------------- the library itself
def test_the_library_asks_for_numbers_on_purpose():
    x = leaf([2.0, 3.0])
    loss = (x * x).sum()
    mean = nn.metrics.Mean()
    mean.update(loss)
    assert mean.compute() == 13
    optimizer = nn.optim.SGD([x], lr=0.5)
    scheduler = nn.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0)
    scheduler.step(loss)
    scheduler.step(loss + 1)
    assert optimizer.param_groups[0]["lr"] == 0.05
    loss.backward()
    assert nn.utils.clip_grad_norm_([x], 1.0).item() == pytest.approx(52**0.5)
    searching = nn.optim.LBFGS([x], line_search_fn="strong_wolfe")

    def closure():
        searching.zero_grad()
        loss = (x * x).sum()
        loss.backward()
        return loss

    searching.step(closure)
    assert x.tolist() == pytest.approx([0, 0], abs=1e-3)
