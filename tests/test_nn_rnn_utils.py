"""nn.utils.rnn: padding and packing are each other's inverse, differentiate, and agree with PyTorch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

import autograd
from autograd import tensor
from autograd.errors import ArgumentError, ShapeError
from nn.utils import rnn

RNG = np.random.default_rng(0)
lengths = st.lists(st.integers(1, 5), min_size=1, max_size=5)


def sequences(sizes, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((n, 2)) for n in sizes]


@given(lengths)
def test_packing_and_unpacking_gives_the_same_sequences(sizes):
    given = sequences(sizes)
    packed = rnn.pack_sequence([tensor(s) for s in given], enforce_sorted=False)
    assert packed.data.shape == (sum(sizes), 2)
    assert packed.batch_sizes.tolist() == [sum(n > t for n in sizes) for t in range(max(sizes))]
    for s, t in zip(given, rnn.unpack_sequence(packed), strict=True):
        assert_array_equal(s, t.numpy())


@given(lengths, st.booleans())
def test_padding_holds_the_value_and_gets_no_gradient(sizes, batch_first):
    given = [tensor(s, requires_grad=True) for s in sequences(sizes)]
    padded = rnn.pad_sequence(given, batch_first, padding_value=7.0)
    by_sequence = padded if batch_first else padded.transpose(0, 1)
    for s, row, n in zip(given, by_sequence, sizes, strict=True):
        assert_array_equal(row[:n].detach().numpy(), s.detach().numpy())
        assert (row[n:].detach().numpy() == 7).all()
    packed = rnn.pack_padded_sequence(padded, sizes, batch_first, enforce_sorted=False)
    again, found = rnn.pad_packed_sequence(packed, batch_first, padding_value=7.0)
    assert found.tolist() == sizes
    assert_array_equal(again.detach().numpy(), padded.detach().numpy())
    (again * again).sum().backward()
    for s in given:
        assert_array_equal(s.grad.numpy(), 2 * s.detach().numpy())


@given(lengths, st.booleans(), st.booleans(), st.sampled_from(["left", "right"]), st.sampled_from([None, 6]))
def test_like_pytorch(torch, sizes, batch_first, in_order, side, total):
    theirs = torch.nn.utils.rnn
    sizes = sorted(sizes, reverse=True) if in_order else sizes
    given = sequences(sizes)
    padded, expected = (
        m.pad_sequence([t.tensor(s) for s in given], batch_first, 2.5, side) for m, t in ((rnn, autograd), (theirs, torch))
    )
    assert_array_equal(padded.numpy(), expected.numpy())
    ours = rnn.pack_padded_sequence(padded, sizes, batch_first, in_order)
    other = theirs.pack_padded_sequence(expected, sizes, batch_first, in_order)
    assert [x is None for x in ours] == [y is None for y in other]
    for x, y in zip(ours, other, strict=True):
        if x is not None and len(set(sizes)) == len(sizes):  # of sequences that are equally long, any may come first
            assert_array_equal(x.numpy(), y.numpy())
            assert str(y.dtype) == f"torch.{x.dtype}"
    out, found = rnn.pad_packed_sequence(ours, batch_first, -1.0, total)
    there, counted = theirs.pad_packed_sequence(other, batch_first, -1.0, total)
    assert_array_equal(out.numpy(), there.numpy())
    assert found.tolist() == counted.tolist()


def test_bad_input_is_told():
    x = autograd.ones(4, 2, 3)
    with pytest.raises(ShapeError, match=r"3 lengths do not go with sequences of shape \(4, 2, 3\)"):
        rnn.pack_padded_sequence(x, [1, 2, 3])
    with pytest.raises(ArgumentError, match=r"lengths go from 1 to 4, the number of steps; got \[5, 1\]"):
        rnn.pack_padded_sequence(x, [5, 1])
    with pytest.raises(ArgumentError, match=r"got \[4, 0\]"):
        rnn.pack_padded_sequence(x, tensor([4, 0]))
    with pytest.raises(ArgumentError, match=r"lengths are to fall, got \[1, 4\]; pass enforce_sorted=False"):
        rnn.pack_padded_sequence(x, [1, 4])
    with pytest.raises(ArgumentError, match="total_length 3 is less than the longest sequence, 4"):
        rnn.pad_packed_sequence(rnn.pack_padded_sequence(x, [4, 1]), total_length=3)
    with pytest.raises(ShapeError, match=r"sequences have the shape \(length, 3\), got .*\(2, 4\)"):
        rnn.pad_sequence([autograd.ones(3, 3), autograd.ones(2, 4)])
    with pytest.raises(ArgumentError, match="needs sequences"):
        rnn.pad_sequence([])


def test_data_in_another_dtype():
    packed = rnn.pack_padded_sequence(autograd.ones(2, 2), [2, 1]).to(autograd.float64)
    assert isinstance(packed, rnn.PackedSequence)
    assert packed.data.dtype == np.float64
