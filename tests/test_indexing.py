"""Indexing in every form against NumPy and PyTorch, repeated positions, ties, large arrays and errors: what records cannot say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import autograd as ag
from autograd import errors, grad, tensor
from autograd.engine.tensor import wrap
from autograd.ops.index import gather, getindex, ungather, unindex

f64 = ag.float64


# ---------------------------------------------------------------- a 0-d tensor is a vector of one element
ZERO_D = {  # what they are called with, T making tensors: the result
    "T(2.).index_select(0, T([0]))": 2, "T(2.).index_select(-1, T(0))": 2, "T([1., 2.]).index_select(0, T(1))": [2],
    "T(2.).index_add(0, T(0), T(3.))": 5, "T(2.).index_add(0, T([0]), T(3.), alpha=2)": 8,
    "T(2.).index_copy(0, T([0]), T([3.]))": 3, "T(2.).index_copy(0, T(0), T(3.))": 3, "T(2.).index_copy(0, T([0, 0]), T([3., 4.]))": 4,
    "T([1., 2.]).index_copy(0, T(1), T(3.))": [1, 3],
    "T(2.).index_fill(0, T(0), 3.)": 3, "T(2.).index_fill(0, T([-1]), T(3.))": 3, "T([1., 2.]).index_fill(0, T(0), 3.)": [3, 2],
    "T(2.).gather(0, T(0))": 2, "T(2.).gather(0, T([0, 0]))": [2, 2], "T([1., 2.]).gather(0, T(1))": 2,
    "T(2.).gather(0, T([]).long())": [],
    "T(2.).scatter(0, T(0), T(5.))": 5, "T(2.).scatter(0, T([0]), T(5.))": 5, "T(2.).scatter(0, T(0), T([5.]))": 5,
    "T(2.).scatter(0, T([0]), 5.)": 5, "T([2., 3.]).scatter(0, T(0), 5.)": [5, 3], "T([2., 3.]).scatter(0, T(1), T(5.))": [2, 5],
    "T(2.).scatter(0, T(0), 5., reduce='multiply')": 10,
    "T(2.).scatter_add(0, T(0), T(5.))": 7, "T(2.).scatter_add(0, T([0, 0]), T([5., 6.]))": 13, "T([2., 3.]).scatter_add(0, T(0), T([5.]))": [7, 3],
    "T(2.).scatter_reduce(0, T([0]), T([5.]), 'prod')": 10, "T(2.).scatter_reduce(0, T(0), T(5.), 'amax')": 5,
    "T(2.).scatter_reduce(0, T([0]), T([5.]), 'mean')": 3.5,
    "T(2.).take(T(0))": 2, "T(2.).take(T([0, 0]))": [2, 2], "T(2.).transpose(0, -1)": 2, "T(2.).swapaxes(0, 0)": 2, "T(2.).swapdims(-1, 0)": 2,
    "T(2.).movedim(0, 0)": 2, "T(2.).flip(0)": 2, "T(2.).cumsum(0)": 2, "T(2.).sort(0)[0]": 2, "T(2.).squeeze(0)": 2,
    "T(2.).transpose_(0, 0)": 2, "T(2.).index_fill_(0, T(0), 3.)": 3, "T(2.).index_add_(0, T(0), T(3.))": 5,
    "T(2.).index_copy_(0, T([0]), T([3.]))": 3, "T(2.).scatter_(0, T([0]), T([3.]))": 3, "T(2.).scatter_add_(0, T(0), T(3.))": 5,
}  # fmt: skip


@pytest.mark.parametrize("call", ZERO_D)
def test_a_0_d_tensor_is_a_vector_of_one_element(call):
    assert eval(call, {"T": tensor}).tolist() == ZERO_D[call]


def test_as_strided_is_a_view():
    """Of the same memory, written through it with the gradient that belongs to each; as in PyTorch, offsets are those of the base."""
    x = tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], requires_grad=True)
    y = x * 1
    every_other = y.as_strided((3,), (2,), 1)
    every_other.mul_(10)
    (y * tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])).sum().backward()
    assert y.tolist() == [1, 20, 3, 40, 5, 60]
    assert x.grad.tolist() == [1, 20, 3, 40, 5, 60]
    z = tensor([[1.0, 2.0], [3.0, 4.0]])
    assert z[1].storage_offset() == 2
    assert z[1].as_strided((2,), (1,)).tolist() == z[1].as_strided((2,), (1,), 2).tolist() == [3, 4]
    z.as_strided((2,), (3,))[1] = 9
    assert z.tolist() == [[1, 2], [3, 9]]


def test_as_strided_as_in_pytorch(torch):
    for t in (ag, torch):
        x = t.arange(12.0)[2:].requires_grad_()
        windows = x.as_strided((4, 3), (2, 1), 3)
        (windows * windows.detach()).sum().backward()
        assert x.grad.tolist() == [0, 3, 4, 10, 6, 14, 8, 18, 10, 11]
        assert windows.storage_offset() == 3
        assert windows.stride() == (2, 1)


def test_windows_that_overlap_are_not_written():
    windows = ag.arange(4.0).as_strided((3, 2), (1, 1))
    with pytest.raises(errors.InPlaceError, match="read-only memory cannot be modified in place; clone"):
        windows.add_(1)
    assert windows.tolist() == [[0, 1], [1, 2], [2, 3]]


@pytest.mark.filterwarnings("ignore:index_reduce")  # PyTorch's, that it may change
@pytest.mark.parametrize("how", ["prod", "mean", "amax", "amin"])
@pytest.mark.parametrize("include_self", [True, False])
def test_index_reduce_as_in_pytorch(how, include_self, torch):
    rng = np.random.default_rng(0)
    a, b, i = rng.normal(size=(3, 4)), rng.normal(size=(3, 5)), rng.integers(0, 4, 5)
    found = []
    for t in (ag, torch):
        x, v = (t.tensor(w, requires_grad=True) for w in (a, b))
        y = t.index_reduce(x, 1, t.tensor(i), v, how, include_self=include_self)
        found.append([y.detach(), *t.autograd.grad((y * y.detach()).sum(), (x, v))])
    for y, e in zip(*found, strict=True):
        assert_allclose(y.array, e.numpy(), rtol=1e-12, atol=1e-14)


def test_put_in_place():
    x, v = ag.zeros(2, 2), tensor([5.0, 7.0], requires_grad=True)
    y = x.put_(tensor([3, 0]), v)
    assert y is x
    assert x.tolist() == [[7, 0], [0, 5]]
    x.put_(tensor([0, 0]), v, accumulate=True)
    assert x.tolist() == [[19, 0], [0, 5]]
    (x * x).sum().backward()
    assert v.grad.tolist() == [2 * 19 + 2 * 5, 2 * 2 * 19]


@pytest.mark.parametrize("call", ZERO_D)
def test_so_it_is_to_pytorch(call, torch):
    assert eval(call, {"T": torch.tensor}).tolist() == ZERO_D[call]


@pytest.mark.parametrize(
    "f",
    [
        lambda x, y, i: x.gather(0, i) * y,
        lambda x, y, i: x.index_select(0, i) * y,
        lambda x, y, i: x.index_add(0, i, y) * x,
        lambda x, y, i: x.index_copy(0, i, y) * x,
        lambda x, y, i: x.scatter(0, i, y) * x,
        lambda x, y, i: x.scatter_add(0, i, y) * x,
        lambda x, y, i: x.scatter_reduce(0, i, y, "prod") * x,
        lambda x, y, i: x.transpose(0, 0) * y,
    ],
)
def test_gradients_of_0_d_tensors_are_0_d(f):
    x, y = (tensor(v, dtype=f64, requires_grad=True) for v in (2.0, 3.0))
    for i in (tensor(0), tensor([0])):
        assert ag.gradcheck(lambda x, y: f(x, y, i), (x, y))  # noqa: B023 (called at once)
        assert all(g.shape == () for g in grad(f(x, y, i).sum(), (x, y), allow_unused=True) if g is not None)


# ---------------------------------------------------------------- x[...] and x[...] = y, against PyTorch
@st.composite
def indices(draw):
    """A shape, and an index for it of everything that PyTorch and NumPy take: numbers, slices, None, ..., masks, positions."""
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    many = draw(st.sampled_from([(), (1,), (3,), (2, 3), (0,)]))
    parts, d = [], 0
    while d < len(shape) and draw(st.integers(0, 5)):
        n = shape[d]
        kind = draw(st.sampled_from("number slice slice array array list mask None".split()))
        if kind == "None":
            parts.append(None)
            continue
        if kind == "mask":
            k = draw(st.integers(1, min(2, len(shape) - d)))
            mask = rng.random(shape[d : d + k]) < 0.5
            if "mask" in map(type, parts) or any(getattr(p, "ndim", 0) for p in parts):  # masks seldom fit with other arrays
                mask = np.zeros(shape[d : d + k], bool)
                mask.flat[0] = True
            parts.append(mask)
            d += k
            continue
        if kind == "number":
            parts.append(draw(st.integers(-n, n - 1)))
        elif kind == "slice":
            parts.append(
                slice(
                    draw(st.sampled_from([None, 0, 1, -2])),
                    draw(st.sampled_from([None, 3, -1])),
                    draw(st.sampled_from([None, 1, 2])),
                )
            )
        else:
            positions = rng.integers(-n, n, tuple(k if draw(st.booleans()) else 1 for k in many))
            parts.append(positions.tolist() if kind == "list" and positions.ndim == 1 else positions)
        d += 1
    if draw(st.booleans()):
        parts.insert(draw(st.integers(0, len(parts))) if d < len(shape) and not parts else len(parts), ...)
    return shape, tuple(parts)


def spelled(index, library):
    """The same index, with a tensor of a library in the place of each array."""
    return tuple(library.tensor(p) if isinstance(p, np.ndarray) else p for p in index)


def numbers(shape, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, shape)


def both(torch, index, array):
    """`array[index]` here and in PyTorch, at leaves; None for one that is refused."""
    x, t = tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)
    try:
        theirs = t[spelled(index, torch)]
    except (IndexError, RuntimeError):
        theirs = None
    try:
        ours = x[spelled(index, ag)]
    except errors.AutogradError:
        ours = None
    return x, ours, t, theirs


@settings(max_examples=30)
@given(indices())
def test_getitem_like_torch(torch, drawn):
    """Values and gradients; what one refuses the other refuses."""
    shape, index = drawn
    x, ours, t, theirs = both(torch, index, numbers(shape))
    assert (ours is None) == (theirs is None)
    if ours is None:
        return
    assert ours.shape == tuple(theirs.shape)
    assert_array_equal(ours.detach().array, theirs.detach().numpy())
    weights = numbers(ours.shape, 1)
    (g,) = grad((ours * wrap(weights)).sum(), x)
    (e,) = torch.autograd.grad((theirs * torch.from_numpy(weights)).sum(), t)
    assert_allclose(g.array, e.numpy(), rtol=1e-14)


@settings(max_examples=30)
@given(indices(), st.integers(0, 5))
def test_setitem_like_torch(torch, drawn, form):
    """Values that broadcast, also with ones in front; recorded and not; gradients where no place is written twice."""
    shape, index = drawn
    array = numbers(shape)
    _, ours, _, theirs = both(torch, index, array)
    if ours is None or theirs is None:
        return
    hit = ours.shape
    sizes = [hit, (1, *hit), hit[1:], tuple(1 for _ in hit), (), (1, 1, *hit)][form]
    values = numbers(sizes, 1)
    places = np.arange(array.size, dtype=float).reshape(shape)
    twice = ours.array.size != len(set(tensor(places)[spelled(index, ag)].array.ravel().tolist()))
    if twice:  # which of several stays PyTorch does not say
        values = np.zeros(sizes)
    x, v = tensor(array, requires_grad=True), tensor(values, requires_grad=True)
    t, u = torch.tensor(array, requires_grad=True), torch.tensor(values, requires_grad=True)
    y, z, plain = x * 1, t * 1, tensor(array)
    y[spelled(index, ag)] = v
    z[spelled(index, torch)] = u
    plain[spelled(index, ag)] = values
    assert_array_equal(y.detach().array, z.detach().numpy())
    assert_array_equal(plain.array, y.detach().array)
    if not twice:
        weights = numbers(shape, 2)
        gs = grad((y * wrap(weights)).sum(), [x, v])
        es = torch.autograd.grad((z * torch.from_numpy(weights)).sum(), [t, u])
        for g, e in zip(gs, es, strict=True):
            assert_allclose(g.array, e.numpy(), rtol=1e-13)


@settings(max_examples=30)
@given(indices())
def test_second_order_of_getitem_and_setitem(drawn):
    """Both are linear: the gradient of <J'u, w> with respect to u is what they make of w."""
    shape, index = drawn
    index = spelled(index, ag)
    x = tensor(numbers(shape), requires_grad=True)
    try:
        y = x[index]
    except errors.AutogradError:
        return
    u, w = tensor(numbers(y.shape, 1), requires_grad=True), tensor(numbers(shape, 2))
    (g,) = grad((y * y * u).sum(), x, create_graph=True)
    (gu,) = grad((g * w).sum(), u, retain_graph=True)
    assert_allclose(gu.array, (2 * y * w[index]).detach().array, rtol=1e-13)
    (gx,) = grad((g * w).sum(), x)
    expected = tensor(np.zeros(shape), requires_grad=True)
    assert_allclose(gx.array, grad((expected[index] * 2 * u * w[index]).sum(), expected)[0].array, rtol=1e-12)


# ---------------------------------------------------------------- x[...], what NumPy has and PyTorch has not, and differences
def test_steps_may_be_negative():
    x = ag.arange(6.0).requires_grad_()
    y = x[4:0:-2]
    assert y.tolist() == [4, 2]
    assert grad((y * tensor([1.0, 10.0])).sum(), x)[0].tolist() == [0, 0, 10, 0, 1, 0]
    z = ag.zeros(3)
    z[::-1] = tensor([1.0, 2.0, 3.0])
    assert z.tolist() == [3, 2, 1]


def test_integers_come_before_arrays_as_in_pytorch():
    """NumPy puts the dims of separated arrays first, and counts numbers among the arrays."""
    array = np.arange(24.0).reshape(2, 3, 4)
    x = tensor(array)
    assert x[0, :, [1, 2]].shape == (3, 2)
    assert array[0, :, [1, 2]].shape == (2, 3)
    assert_array_equal(x[0, :, [1, 2]].array, array[0][:, [1, 2]])
    assert_array_equal(x[0, None, [1, 2]].array, array[0][None, [1, 2]])
    assert_array_equal(x[-1, ..., [True, False, True, True]].array, array[-1][..., [True, False, True, True]])
    assert_array_equal(x[tensor(0), :, [1, 2]].array, array[0][:, [1, 2]])
    assert_array_equal(x[[0, 1], :, [1, 2]].array, array[[0, 1], :, [1, 2]])  # arrays alone: both put their dims first
    x[0, :, [1, 2]] = tensor([[1.0, 2.0]])
    assert_array_equal(x.array[0, :, 1:3], [[1, 2]] * 3)


def test_an_index_of_uint8_is_refused():
    """A mask in PyTorch, positions in NumPy."""
    x, mask = ag.arange(2.0), tensor([0, 1], dtype=ag.uint8)
    with pytest.raises(errors.DtypeError, match=r"uint8.*bool\(\).*long\(\)"):
        x[mask]
    assert x[mask.bool()].tolist() == [1]
    assert x[mask.long()].tolist() == x[np.array([0, 1], np.uint8)].tolist() == [0, 1]


def test_small_print_of_indices():
    x = ag.arange(6.0).reshape(2, 3)
    assert x[tensor(True)].shape == x[True].shape == (1, 2, 3)
    assert x[tensor(False)].shape == (0, 2, 3)
    assert x[tensor(1), tensor(2)].item() == x[np.int64(1), tensor(2)].item() == 5
    assert x[tensor(0) : tensor(1)].shape == (1, 3)
    assert x[[]].shape == (0, 3)
    assert x[()].tolist() == x.tolist()
    assert x[5:].shape == (0, 3)
    assert x[[tensor(1), tensor(0)]].tolist() == [[3, 4, 5], [0, 1, 2]]
    assert tensor(5.0)[None].tolist() == [5]
    assert tensor(5.0)[tensor(True)].tolist() == [5]


def test_one_element_is_assigned_to_one_element():
    """Ones in front of the shape of a value are nothing to assignment."""
    x, v = ag.zeros(3, requires_grad=True), tensor([[5.0]], requires_grad=True)
    y = x * 1
    y[0], y[tensor(1)] = v, v[0]
    y[[2]] = v
    assert y.tolist() == [5, 5, 5]
    assert grad(y.sum(), v)[0].tolist() == [[3]]
    z = ag.zeros(2, 2)
    z[0, 1], z[1] = tensor([7.0]), tensor([[8.0, 9.0]])
    z[ag.eye(2).bool()] = tensor([[1.0, 2.0]])
    assert z.tolist() == [[1, 7], [8, 2]]


def test_values_take_the_dtype_of_what_they_are_put_into():
    n = ag.zeros(3, dtype=ag.int64)
    n[0], n[1:] = 1.7, tensor([2.5, -2.5])
    assert n.tolist() == [1, 2, -2]
    y = ag.ones(2, requires_grad=True) * 1
    y[0] = tensor(3.0, dtype=f64)
    assert y.dtype == ag.float32
    n[:2] = [8, 9]
    assert n.tolist() == [8, 9, -2]


def test_adding_in_place_to_a_part():
    plain = ag.zeros(3)
    plain[1:] += 2
    x = ag.ones(3, requires_grad=True)
    y = x * 1
    y[[0, 2]] += x[:2] * 5
    assert plain.tolist() == [0, 2, 2]
    assert y.tolist() == [6, 1, 6]
    y[1:] += x[1:] * 3
    assert y.tolist() == [6, 4, 9]
    assert grad(y.sum(), x)[0].tolist() == [6, 9, 4]


# ---------------------------------------------------------------- adjoints, where arrays are large
LARGE = {  # shape, index: every way that positions are added up
    "rows": ((40, 60), lambda rng: (rng.integers(-40, 40, 50),)),
    "columns": ((40, 60), lambda rng: (slice(None), rng.integers(-60, 60, 50))),
    "the middle": ((20, 30, 10), lambda rng: (slice(None), rng.integers(-30, 30, (5, 3)))),
    "the last": ((20, 30, 10), lambda rng: (..., rng.integers(0, 10, 12))),
    "before the last": ((20, 30, 10), lambda rng: (..., rng.integers(0, 30, 12), slice(None))),
    "elements": ((40, 60), lambda rng: (rng.integers(-40, 40, 2000), rng.integers(-60, 60, 2000))),
    "a grid of elements": ((40, 60), lambda rng: (rng.integers(0, 40, (50, 1)), rng.integers(0, 60, 50))),
    "a mask": ((40, 60), lambda rng: (rng.random((40, 60)) < 0.5,)),
    "rows of some columns": ((40, 60), lambda rng: (rng.integers(0, 40, 50), slice(3, 50, 2))),
    "apart": ((20, 30, 10), lambda rng: (rng.integers(0, 20, 50), slice(None), rng.integers(0, 10, 50))),
}


@pytest.mark.parametrize("case", LARGE)
@pytest.mark.parametrize("order", "CF")
def test_unindex_adds_what_index_takes(case, order):
    shape, make = LARGE[case]
    rng = np.random.default_rng(0)
    index = make(rng)
    x = np.asarray(rng.standard_normal(np.zeros(shape)[index].shape), order=order)
    expected = np.zeros(shape)
    np.add.at(expected, index, x)
    assert_allclose(unindex(x, shape, *index), expected, rtol=1e-13)
    assert getindex(expected, *index).shape == x.shape


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_ungather_adds_what_gather_takes(axis):
    rng = np.random.default_rng(0)
    index = rng.integers(0, 8, (8, 20, 30))
    x, shape = rng.standard_normal(index.shape), tuple(8 if d == axis % 3 else n for d, n in enumerate(index.shape))
    full = list(np.indices(index.shape))
    full[axis] = index
    expected = np.zeros(shape)
    np.add.at(expected, tuple(full), x)
    assert_allclose(ungather(x, index, axis, shape), expected, rtol=1e-13)
    assert_allclose(ungather(x, index - shape[axis], axis, shape), expected, rtol=1e-13)
    assert_array_equal(gather(expected, index, axis), np.take_along_axis(expected, index, axis))


# ---------------------------------------------------------------- several values for one place
def test_of_several_values_for_one_place_the_last_has_the_gradient():
    """PyTorch gives the gradient to all of them, though only one is there to be seen."""
    v = tensor([3.0, 4.0, 5.0], requires_grad=True)
    at, weights = tensor([1, 1, 2]), tensor([1.0, 10.0, 100.0])
    for put in (ag.scatter, ag.index_copy, lambda x, _, i, v: x.index_put((i,), v)):
        y = put(ag.zeros(3), 0, at, v)
        assert y.tolist() == [0, 4, 5]
        assert grad((y * weights).sum(), v)[0].tolist() == [0, 10, 100]


def scatter_reduced(how, include_self, x=(1.0, 3.0, 3.0), src=(3.0, 3.0, 5.0, 1.0)):
    """The result, and the gradients of its elements weighted by 1, 10 and 100."""
    x, src = (tensor(v, requires_grad=True) for v in (x, src))
    y = x.scatter_reduce(0, tensor([1, 1, 2, 0]), src, how, include_self=include_self)
    gs = grad((y * tensor([1.0, 10.0, 100.0])).sum(), [x, src])
    return y.tolist(), *(pytest.approx(g.tolist()) for g in gs)


def test_ties_for_an_extreme_share_equally():
    assert scatter_reduced("amax", True) == ([1, 3, 5], [0.5, 10 / 3, 0], [10 / 3, 10 / 3, 100, 0.5])
    assert scatter_reduced("amin", True) == ([1, 3, 3], [0.5, 10 / 3, 100], [10 / 3, 10 / 3, 0, 0.5])
    for how in ("amax", "amin"):  # where PyTorch gives a share to x, of which the result does not know, and so loses it
        assert scatter_reduced(how, False) == ([1, 3, 5], [0, 0, 0], [5, 5, 100, 1])


def test_the_mean_counts():
    assert scatter_reduced("mean", True) == ([1, 3, 4], [0.5, 10 / 3, 50], [10 / 3, 10 / 3, 50, 0.5])
    assert scatter_reduced("mean", False) == ([1, 3, 5], [0, 0, 0], [5, 5, 100, 1])
    n = ag.zeros(2, dtype=ag.int64).scatter_reduce(0, tensor([0, 0]), tensor([-1, -2]), "mean")
    assert (n.dtype, n.tolist()) == (ag.int64, [-1, 0])


def test_products_are_right_at_any_number_of_zeros():
    """To second order: with two zeros the first derivatives are 0, but not the mixed second one."""
    assert scatter_reduced("prod", True, src=(0.0, 3.0, 5.0, 0.0)) == ([0, 0, 15], [0, 0, 500], [90, 0, 300, 1])
    src = tensor([0.0, 2.0, 0.0, 3.0], requires_grad=True)
    y = ag.ones(2).scatter_reduce(0, tensor([1, 1, 1, 0]), src, "prod")
    (g,) = grad(y.sum(), src, create_graph=True)
    assert g.tolist() == [0, 0, 0, 1]
    assert grad(g[0], src)[0].tolist() == [0, 0, 2, 0]


def test_scatter_with_reduce():
    x, at = ag.arange(3.0), tensor([1, 1, 2])
    assert x.scatter(0, at, tensor([5.0, 6.0, 7.0]), reduce="add").tolist() == [0, 12, 9]
    assert x.scatter(0, at, 3, reduce="multiply").tolist() == [0, 9, 6]
    assert x.scatter(0, at, value=9).tolist() == [0, 9, 9]
    y = ag.ones(2, 3)
    assert y.scatter_(1, tensor([[0, 2]]), tensor([[5.0, 6.0, 7.0], [8.0, 9.0, 10.0]])) is y  # src may be larger than index
    assert y.tolist() == [[5, 1, 6], [1, 1, 1]]


def test_booleans_scatter_by_logic():
    b, at = tensor([True, False, False]), tensor([0, 1, 1])
    src = tensor([False, True, False])
    assert b.scatter_add(0, at, src).tolist() == [True, True, False]
    assert b.scatter_reduce(0, at, src, "prod").tolist() == [False, False, False]
    assert b.scatter_reduce(0, at, src, "amax", include_self=False).tolist() == [False, True, False]


def test_negative_positions_where_pytorch_takes_them():
    x = ag.arange(3.0)
    assert x.index_fill(0, tensor([-1]), 7).tolist() == [0, 1, 7]
    assert x.take(tensor([[-1, 0]])).tolist() == [[2, 0]]
    assert x.index_put((tensor([-1]),), tensor([5.0])).tolist() == [0, 1, 5]


# ---------------------------------------------------------------- order and places
def test_sorting_keeps_ties_in_order_and_puts_nan_last():
    x = tensor([2.0, np.nan, 1.0, 2.0])
    assert x.argsort().tolist() == [2, 0, 3, 1]
    assert x.argsort(descending=True).tolist() == [1, 0, 3, 2]
    assert ag.msort(tensor([[2.0, 1.0], [1.0, 3.0]])).tolist() == [[1, 1], [2, 3]]
    assert [v.tolist() for v in tensor(5.0).topk(1)] == [5, 0]


def test_places_of_what():
    assert ag.nonzero(tensor(5.0)).shape == (1, 0)
    assert [i.tolist() for i in tensor(5.0).nonzero(as_tuple=True)] == [[0]]
    places = ag.searchsorted(ag.arange(3.0), tensor([0.5, np.nan]), out_int32=True)
    assert (places.dtype, places.tolist()) == (ag.int32, [1, 3])
    assert ag.bucketize(tensor([0.5, 1.0]), ag.arange(3.0)).tolist() == [1, 1]
    assert ag.isin(tensor([1, 2, 3]), [1, 3]).tolist() == [True, False, True]


# ---------------------------------------------------------------- errors
x, v, n, at = ag.arange(6.0).reshape(2, 3), ag.arange(3.0), tensor([0, 2]), tensor([[0, 1, 0]])
CASES = [
    (lambda: x.gather(0, tensor([[0, -1]])), errors.DimError, "gather", "-1", "length 2"),
    (lambda: x.gather(1, tensor([[0]] * 3)), errors.ShapeError, "gather", "(3, 1)", "(2, 3)"),
    (lambda: x.gather(0, [0]), errors.DtypeError, "gather", "[0]"),
    (lambda: x.gather(0, tensor([0, 1])), errors.DimError, "gather", "1 dims", "2"),
    (lambda: x.scatter(1, at, ag.ones(1, 2)), errors.ShapeError, "scatter", "(1, 2)", "(1, 3)"),
    (lambda: x.scatter(1, at, ag.ones(1, 3, dtype=f64)), errors.DtypeError, "scatter", "float64", "float32", "to()"),
    (lambda: x.scatter(1, at, tensor(3.0)), errors.ShapeError, "scatter", "(1,)"),
    (lambda: x.scatter(1, at, 2, reduce="max"), errors.ArgumentError, "scatter", "'max'"),
    (lambda: x.scatter(1, tensor([[3]]), 1), errors.DimError, "scatter", "3", "length 3"),
    (lambda: x.scatter_add(1, at, 1.0), errors.DtypeError, "scatter_add", "src", "1.0"),
    (lambda: x.scatter_reduce(1, at, ag.ones(1, 3), "min"), errors.ArgumentError, "scatter_reduce", "'amin'", "'min'"),
    (lambda: x.index_select(0, tensor([[1]])), errors.ShapeError, "index_select", "vector", "(1, 1)"),
    (lambda: x.index_select(0, tensor([-1])), errors.DimError, "index_select", "-1", "length 2"),
    (lambda: tensor(1.0).index_select(0, n), errors.DimError, "index_select", "length 1"),
    (lambda: tensor(1.0).index_select(1, n), errors.DimError, "index_select", "dim 1"),
    (lambda: tensor(1.0).gather(0, tensor([[0]])), errors.DimError, "gather", "2 dims"),
    (lambda: x.index_add(1, n, ag.ones(2, 3)), errors.ShapeError, "index_add", "(2, 2)", "(2, 3)"),
    (lambda: x.index_add(1, n, ag.ones(2, 2, dtype=f64)), errors.DtypeError, "index_add", "source", "float64"),
    (lambda: x.index_copy(1, n, ag.ones(1, 2)), errors.ShapeError, "index_copy", "(2, 2)", "(1, 2)"),
    (lambda: x.index_fill(1, n, ag.ones(1)), errors.ShapeError, "index_fill", "0-d", "(1,)"),
    (lambda: x.index_fill(1, tensor([-4]), 0), errors.DimError, "index_fill", "-4"),
    (lambda: x.index_put((None, n), 1.0), errors.DtypeError, "index_put", "None"),
    (lambda: x.index_put((n[:1],), ag.ones(3, dtype=f64)), errors.DtypeError, "index_put", "values", "float64"),
    (lambda: x.index_put((tensor([5]),), tensor(1.0)), errors.DimError, "5"),
    (lambda: x.masked_fill(x > 2, ag.ones(1)), errors.ShapeError, "masked_fill", "0-d", "(1,)"),
    (lambda: x.masked_select(v), errors.DtypeError, "masked_select", "float32"),
    (lambda: x.masked_scatter(x >= 2, v), errors.ShapeError, "masked_scatter", "4 places", "3 elements"),
    (lambda: x.masked_scatter(x > 2, v.long()), errors.DtypeError, "masked_scatter", "source", "int64"),
    (lambda: x.take(tensor([6])), errors.DimError, "take", "6"),
    (lambda: x.put(tensor([6]), v[:1]), errors.DimError, "put", "6"),
    (lambda: x.put(n, v), errors.ShapeError, "put", "(3,)", "(2,)"),
    (lambda: x.put(n, n), errors.DtypeError, "put", "source is int64", "float32"),
    (lambda: ag.combinations(x), errors.ShapeError, "combinations", "vector", "(2, 3)"),
    (lambda: ag.combinations(v, -1), errors.ShapeError, "combinations", "-1"),
    (lambda: x.slice_scatter(v, 0), errors.ShapeError, "slice_scatter", "(2, 3)", "(3,)"),
    (lambda: x.slice_scatter(x, step=0), errors.ArgumentError, "slice_scatter", "step", "0"),
    (lambda: tensor(1.0).slice_scatter(v), errors.DimError, "slice_scatter", "1 dim"),
    (lambda: x.select_scatter(v, 0, 2), errors.DimError, "select_scatter", "2", "length 2"),
    (lambda: x.select_scatter(v, 1, 0), errors.ShapeError, "select_scatter", "(2,)", "(3,)"),
    (lambda: x.diagonal_scatter(v), errors.ShapeError, "diagonal_scatter", "(2,)", "(3,)"),
    (lambda: x.diagonal_scatter(v, 0, 1, 1), errors.DimError, "diagonal_scatter", "same"),
    (lambda: x.as_strided((2,), (6,)), errors.ShapeError, "as_strided", "elements 0 to 6", "has 6"),
    (lambda: x[1].as_strided((2,), (1,), 2), errors.ShapeError, "as_strided", "elements -1 to 0", "has 3"),
    (lambda: x.as_strided((2,), (-1,), 2), errors.ShapeError, "as_strided", "none negative"),
    (lambda: x.as_strided((2,), (1, 1)), errors.ShapeError, "as_strided", "equally many"),
    (lambda: x.t().as_strided((2,), (1,)), errors.ShapeError, "as_strided", "contiguous()"),
    (lambda: x.as_strided_scatter(v, (2,), (1,)), errors.ShapeError, "as_strided_scatter", "(2,)", "(3,)"),
    (lambda: ag.unravel_index(n, (1,)), errors.DimError, "unravel_index", "length 1"),
    (lambda: tensor(1.0).topk(2), errors.ArgumentError, "topk", "2", "length 1"),
    (lambda: ag.searchsorted(x, v), errors.ShapeError, "searchsorted", "(3,)", "(2, 3)"),
    (lambda: ag.searchsorted(x, 1.0), errors.ShapeError, "searchsorted", "()", "(2, 3)"),
    (lambda: ag.searchsorted(v, 1.0, side="left", right=True), errors.ArgumentError, "searchsorted", "'left'", "True"),
    (lambda: ag.bucketize(0.5, x), errors.ShapeError, "bucketize", "(2, 3)"),
    (lambda: ag.isin(1, 2), errors.DtypeError, "isin", "tensor"),
    (lambda: x[[slice(0, 1)]], errors.DtypeError, "index", "object"),
    (lambda: x[None][0, :, [1, 5]], errors.DimError, "(2, 3)", "5"),
]


@pytest.mark.parametrize(("run", "kind", "fragments"), [(c[0], c[1], c[2:]) for c in CASES], ids=range(len(CASES)))
def test_errors_name_the_op_what_was_found_and_what_to_do(run, kind, fragments):
    with pytest.raises(errors.AutogradError) as caught:
        run()
    assert caught.type is kind
    for fragment in fragments:
        assert fragment in str(caught.value)


@pytest.mark.parametrize(("n", "rows"), [(50, 9000), (70_000, 9000), (5000, 9000)])
@pytest.mark.parametrize("hot", [0, 0.4], ids=["even", "many to one"])
def test_many_rows_are_put_where_they_belong(n, rows, hot):
    """As np.add.at adds them, from the first to the last, and of half of them at one place still with all digits."""
    rng = np.random.default_rng(0)
    at = np.where(rng.random(rows) < hot, 3, rng.integers(-n, n, rows)).reshape(3, -1)
    g = rng.uniform(0, 1, (*at.shape, 8)).astype(np.float32)
    x = ag.zeros(n, 8, requires_grad=True)
    x[ag.from_numpy(at)].backward(ag.from_numpy(g))
    expected = np.zeros((n, 8))
    np.add.at(expected, at, g)
    np.testing.assert_allclose(x.grad.numpy(), expected, rtol=1e-6 if hot else 1e-5)
