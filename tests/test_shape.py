"""Shape ops, joining and splitting: views, memory, in-place forms and errors, which the records in samples_shape.py cannot say."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import autograd as ag
from autograd import errors, grad, no_grad, tensor
from autograd.engine.primitive import PRIMITIVES
from autograd.engine.tape import Tape

x = ag.arange(6.0).reshape(2, 3)
v, s = ag.arange(3.0), tensor(5.0)


# ---------------------------------------------------------------- views
VIEWS = {
    "reshape": lambda x: x.reshape(3, 2),
    "view": lambda x: x.view(-1),
    "flatten": lambda x: x.flatten(),
    "unflatten": lambda x: x.unflatten(1, (3, 1)),
    "unsqueeze": lambda x: x.unsqueeze(0),
    "transpose": lambda x: x.transpose(0, 1),
    "permute": lambda x: x.permute(1, 0),
    "T": lambda x: x.T,
    "mT": lambda x: x.mT,
    "H": lambda x: x.H,
    "select": lambda x: x.select(0, 1),
    "narrow": lambda x: x.narrow(1, 0, 2),
    "slice": lambda x: x[:, 1:],
    "element": lambda x: x[1, 2],
    "diagonal": lambda x: x.diagonal(),
    "chunk": lambda x: x.chunk(2, 1)[0],
    "tensor_split": lambda x: x.tensor_split(2, 1)[1],
    "unbind": lambda x: x.unbind(1)[0],
    "atleast_3d": lambda x: ag.atleast_3d(x),
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_a_view_is_written_through(view):
    """As in PyTorch: what is written to the part is seen in the whole."""
    base = ag.zeros(2, 3)
    view(base).fill_(1.0)
    expected = np.zeros((2, 3))
    view(ag.from_numpy(expected)).array[...] = 1
    assert base.array.any()
    assert_array_equal(base.array, expected)


def test_an_expanded_tensor_uses_no_memory():
    big = s.expand(1000, 1000)
    assert big.array.strides == (0, 0)
    assert [t.array.strides[0] for t in ag.broadcast_tensors(x[:1], x)] == [0, 12]


# ---------------------------------------------------------------- memory
def test_contiguous_is_the_tensor_itself_or_a_copy_in_order():
    assert x.contiguous() is x
    assert x.is_contiguous()
    turned = x.T
    assert (turned.is_contiguous(), turned.stride(), x.stride(), x.stride(-1)) == (False, (1, 3), (3, 1), 1)
    straight = turned.contiguous()
    assert straight.is_contiguous()
    assert straight.tolist() == turned.tolist()


def test_gradients_flow_through_contiguous():
    y = ag.ones(2, 3, requires_grad=True)
    (y.T.contiguous() * tensor([1.0, 2.0])).sum().backward()
    assert y.grad.tolist() == [[1, 1, 1], [2, 2, 2]]


# ---------------------------------------------------------------- in place, with another shape
def test_a_tensor_changes_its_own_shape():
    y = ag.arange(6).reshape(2, 1, 3)
    whole = y.detach()
    assert y.squeeze_(1) is y
    assert y.t_().shape == (3, 2)
    assert y.unsqueeze_(0).transpose_(0, 2).swapaxes_(0, 1).swapdims_(1, 2).shape == (3, 1, 2)
    y[0, 0, 1] = 10
    assert whole.tolist() == [[[0, 1, 2]], [[10, 4, 5]]]


def test_what_was_recorded_stays_recorded_when_the_shape_changes():
    leaf = ag.ones(2, 3, requires_grad=True)
    y = leaf * 2
    with no_grad():
        y.unsqueeze_(0)
    (y.transpose_(1, 2) * tensor([1.0, 10.0])).sum().backward()
    assert leaf.grad.tolist() == [[2, 2, 2], [20, 20, 20]]


def test_a_leaf_keeps_its_shape():
    leaf = ag.ones(2, 1, requires_grad=True)
    for method in ("squeeze_", "t_"):
        with no_grad(), pytest.raises(errors.InPlaceError, match=f"{method}.*leaf.*without _"):
            getattr(leaf, method)()
    once = ag.ones(2, 1, requires_grad=True).requires_grad_(False)
    once.squeeze_().requires_grad_().sum().backward()
    assert once.grad.tolist() == [1, 1]


# ---------------------------------------------------------------- parts that overlap, parts that are not used
def test_parts_that_overlap_share_their_gradient():
    y = ag.arange(4.0).requires_grad_()
    first, second, third = y.tensor_split((3, 1))
    assert (first.tolist(), second.tolist(), third.tolist()) == ([0, 1, 2], [], [1, 2, 3])
    assert grad((first * 10).sum() + third.sum(), y)[0].tolist() == [10, 11, 11, 1]


@pytest.mark.parametrize("split", [lambda y: y.tensor_split(2), lambda y: y.split_with_sizes([2, 2]), lambda y: y.hsplit([2])])
def test_a_part_that_nobody_used_has_gradient_zero(split):
    y = ag.arange(4.0).requires_grad_()
    assert grad(split(y)[1].sum(), y)[0].tolist() == [0, 0, 1, 1]


def test_splitting_is_one_op():
    """Its backward is one concatenation, not one array of zeros for each part."""
    tape = Tape()
    with ag.engine.graph.ambient(tape=tape):
        ag.arange(12.0).reshape(4, 3).tensor_split(3)
    assert [op.name for op, *_ in tape].count("split") == 1
    assert PRIMITIVES["slice"] not in [op for op, *_ in tape]


def test_a_block_may_be_empty():
    """It takes rows or columns all the same; PyTorch's gradient of what comes after it is moved by as many."""
    empty, y = ag.zeros(0, requires_grad=True), ag.ones(2, 2, requires_grad=True)
    out = ag.block_diag(empty, y, ag.zeros(2, 0))
    assert out.tolist() == [[0, 0], [1, 1], [1, 1], [0, 0], [0, 0]]
    assert grad((out * ag.arange(5.0)[:, None]).sum(), [empty, y])[1].tolist() == [[1, 1], [2, 2]]


# ---------------------------------------------------------------- dtypes and small print
def test_results_have_pytorchs_dtypes():
    assert ag.tril_indices(2, 3).dtype == ag.int64
    assert ag.triu_indices(2, 3, dtype=ag.int32).dtype == ag.int32
    assert ag.block_diag(tensor([1]), tensor([[1.5]]), tensor([True])).dtype == ag.float32
    assert ag.block_diag(tensor([1]), tensor([2], dtype=ag.int32)).dtype == ag.int64
    assert ag.block_diag().shape == (1, 0)
    assert ag.hstack([v, v.double()]).dtype == ag.float64


def test_forms_that_the_records_do_not_draw():
    assert ag.repeat_interleave(tensor([1, 0, 2])).tolist() == [0, 2, 2]
    assert ag.atleast_1d([s, v])[0].tolist() == [5]
    assert ag.meshgrid([v, s])[0].shape == (3, 1)
    assert ag.broadcast_shapes((2, 1), 3) == (2, 3)
    assert x.split(np.int64(2), 1)[1].tolist() == [[2], [5]]
    assert x.tensor_split(tensor([1, 2]), 1)[1].tolist() == [[1], [4]]
    assert x.roll((1, 1), (0, 0)).tolist() == x.tolist()
    assert x.swapaxes(axis0=0, axis1=1).shape == x.moveaxis(0, 1).shape == x.swapdims(0, 1).shape == x.adjoint().shape == (3, 2)
    assert ag.zeros(2, 3, 4).mH.shape == (2, 4, 3)
    assert s.mT.shape == s.H.shape == ()
    assert v.view(np.int64(3), 1).shape == (3, 1)
    assert ag.zeros(0).split(0)[0].shape == (0,)
    assert ag.row_stack([v, x]).shape == (3, 3)


# ---------------------------------------------------------------- errors
CASES = [
    (lambda: x.unflatten(1, (2, 2)), errors.ShapeError, "unflatten", "dim 1", "length 3", "[2, 2]"),
    (lambda: x.unflatten(1, (-1, 2)), errors.ShapeError, "unflatten", "length 3"),
    (lambda: x.unflatten(1, ()), errors.ShapeError, "unflatten"),
    (lambda: x.unflatten(2, (1, 2)), errors.DimError, "unflatten", "dim 2"),
    (lambda: v.expand(-1, 3), errors.ShapeError, "expand", "(-1, 3)", "(3,)"),
    (lambda: x.expand(3), errors.ShapeError, "expand", "(3,)", "(2, 3)"),
    (lambda: v.mT, errors.ShapeError, "mT", "(3,)", "unsqueeze"),
    (lambda: ag.zeros(2, 2, 2).H, errors.ShapeError, "H", "(2, 2, 2)", "mH"),
    (lambda: v.fliplr(), errors.DimError, "fliplr", "2 dims", "(3,)"),
    (lambda: s.flipud(), errors.DimError, "flipud", "()"),
    (lambda: x.rot90(1, (0,)), errors.ArgumentError, "rot90", "(0,)"),
    (lambda: x.rot90(1, (0, 0)), errors.DimError, "rot90", "twice"),
    (lambda: v.tril(), errors.DimError, "tril", "(3,)"),
    (lambda: x.roll(1, (0, 1)), errors.ArgumentError, "roll", "1 shifts", "2 dims"),
    (lambda: x.repeat_interleave(-1), errors.ArgumentError, "repeat_interleave", "-1"),
    (lambda: x.repeat_interleave(tensor([1, 2]), 1), errors.ShapeError, "repeat_interleave", "(2,)", "length 3"),
    (lambda: x.repeat_interleave(tensor([0.5, 1.0]), 0), errors.DtypeError, "repeat_interleave", "float32"),
    (lambda: x.sum_to_size(2), errors.ShapeError, "sum_to_size", "(2,)", "(2, 3)"),
    (lambda: x.select(1, 3), errors.DimError, "select", "index 3", "length 3"),
    (lambda: s.select(0, 0), errors.DimError, "select", "()"),
    (lambda: x.narrow(1, 2, 2), errors.ArgumentError, "narrow", "2 slices", "length 3"),
    (lambda: x.narrow(1, -4, 1), errors.DimError, "narrow", "-4"),
    (lambda: s.narrow(0, 0, 1), errors.DimError, "narrow", "()"),
    (lambda: x.diagonal(0, 0, -2), errors.DimError, "diagonal", "same"),
    (lambda: s.diag_embed(), errors.DimError, "diag_embed", "()"),
    (lambda: ag.zeros(1, 1, 1).diag(), errors.ShapeError, "diag", "(1, 1, 1)", "diagonal"),
    (lambda: ag.tril_indices(-1, 2), errors.ArgumentError, "tril_indices", "-1"),
    (lambda: x.view(ag.int32), errors.ArgumentError, "view", "to()"),
    (lambda: v.unfold(0, 4, 1), errors.ArgumentError, "unfold", "size 4", "length 3"),
    (lambda: v.unfold(0, 2, 0), errors.ArgumentError, "unfold", "step 0"),
    (lambda: ag.hstack([]), errors.ArgumentError, "hstack", "at least one"),
    (lambda: ag.hstack([x, v]), errors.ShapeError, "concatenate", "(2, 3)", "(3,)"),
    (lambda: ag.cat([x, s]), errors.ShapeError, "concatenate", "()"),
    (lambda: ag.block_diag(ag.zeros(1, 1, 1)), errors.ShapeError, "block_diag", "(1, 1, 1)"),
    (lambda: ag.meshgrid(x), errors.ShapeError, "meshgrid", "(2, 3)"),
    (lambda: ag.meshgrid(v, indexing="zz"), errors.ArgumentError, "meshgrid", "'zz'"),
    (lambda: ag.meshgrid(), errors.ArgumentError, "meshgrid", "at least one"),
    (lambda: ag.cartesian_prod(x), errors.ShapeError, "cartesian_prod", "(2, 3)"),
    (lambda: ag.broadcast_shapes((2, 1), (3,), 4), errors.ShapeError, "broadcast_shapes", "(2, 1), (3,), 4"),
    (lambda: ag.broadcast_tensors(x, ag.zeros(2)), errors.ShapeError, "(2, 3)", "(2,)"),
    (lambda: x.split_with_sizes([1, 1], 1), errors.ShapeError, "split", "[1, 1]", "length 3"),
    (lambda: x.split([-1, 4], 1), errors.ArgumentError, "split", "[-1, 4]"),
    (lambda: v.split(0), errors.ArgumentError, "split", "positive", "0"),
    (lambda: v.tensor_split(0), errors.ArgumentError, "tensor_split", "0"),
    (lambda: s.tensor_split(1), errors.DimError, "tensor_split", "()"),
    (lambda: x.hsplit(2), errors.ShapeError, "hsplit", "length 3", "2 parts"),
    (lambda: v.vsplit(1), errors.DimError, "vsplit", "2 dims", "(3,)"),
    (lambda: np.split(v, 2), errors.ShapeError, "split", "length 3", "array_split"),
    (lambda: s.unbind(), errors.DimError, "unbind", "()"),
]


@pytest.mark.parametrize(("run", "kind", "fragments"), [(c[0], c[1], c[2:]) for c in CASES], ids=range(len(CASES)))
def test_errors_name_the_op_what_was_found_and_what_to_do(run, kind, fragments):
    with pytest.raises(errors.AutogradError) as caught:
        run()
    assert caught.type is kind
    for fragment in fragments:
        assert fragment in str(caught.value)
