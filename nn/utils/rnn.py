"""Sequences of different lengths in one tensor: padded to the longest, or packed without padding, as recurrent layers take them.

>>> import autograd
>>> padded = pad_sequence([autograd.tensor([1.0, 2.0, 3.0]), autograd.tensor([4.0])])
>>> padded.T
tensor([[1., 2., 3.],
        [4., 0., 0.]])
>>> pack_padded_sequence(padded, [3, 1]).data
tensor([1., 4., 2., 3.])
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from autograd.api.creation import full
from autograd.api.join import cat, stack
from autograd.engine.tensor import Tensor, wrap
from autograd.engine.warn import seen
from autograd.errors import ArgumentError, ShapeError, describe

__all__ = [
    "PackedSequence", "pack_padded_sequence", "pack_sequence", "pad_packed_sequence", "pad_sequence", "unpack_sequence",
    "unpad_sequence",
]  # fmt: skip


class PackedSequence(NamedTuple):
    """Sequences without padding: all first steps, all second steps and so on, longer sequences first (torch's of the same name).

    `batch_sizes` says how many sequences have each step. The two permutations lead to the order of falling length
    (`sorted_indices`) and back; None if the sequences had that order.
    """

    data: Any
    batch_sizes: Any
    sorted_indices: Any = None
    unsorted_indices: Any = None

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """With the data in another dtype."""
        return self._replace(data=self.data.to(*args, **kwargs))


def pad_sequence(sequences: Any, batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right") -> Any:
    """Sequences of shape (L, ...) as one tensor of shape (longest, n, ...), or (n, longest, ...) if `batch_first`.

    Raises ArgumentError or ShapeError (torch.nn.utils.rnn.pad_sequence).
    """
    sequences = list(sequences)
    if not sequences or padding_side not in ("left", "right"):
        raise ArgumentError(f"pad_sequence needs sequences, and padding_side 'left' or 'right', got {padding_side!r}")
    rest = sequences[0].shape[1:]
    if odd := [s for s in sequences if not isinstance(s, Tensor) or not s.ndim or s.shape[1:] != rest]:
        raise ShapeError(f"pad_sequence: sequences have the shape (length, {', '.join(map(str, rest))}), got {describe(odd[0])}")
    longest = max(s.shape[0] for s in sequences)
    rows = []
    for s in sequences:
        padding = full((longest - s.shape[0], *rest), padding_value, dtype=s.dtype)
        rows.append(cat([s, padding] if padding_side == "right" else [padding, s]) if padding.shape[0] else s)
    return stack(rows, 0 if batch_first else 1)


def unpad_sequence(padded_sequences: Any, lengths: Any, batch_first: bool = False) -> list[Any]:
    """The sequences that `pad_sequence` made one tensor of (torch.nn.utils.rnn.unpad_sequence)."""
    return [s[:n] for s, n in zip(padded_sequences.unbind(0 if batch_first else 1), _lengths(lengths), strict=True)]


def _lengths(lengths: Any) -> list[int]:
    """Lengths as numbers. They are part of the structure of a program, as shapes are, and not of its values."""
    if hasattr(lengths, "array"):
        seen("lengths in a tensor")
    return np.asarray(getattr(lengths, "array", lengths)).tolist()


def _places(lengths: Sequence[int]) -> tuple[Any, Any, Any]:
    """The step and the sequence of each element of a pack, and how many sequences have each step."""
    there = np.arange(max(lengths, default=0))[:, None] < np.asarray(lengths)
    return *np.nonzero(there), np.sum(there, 1)


def pack_padded_sequence(input: Any, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True) -> PackedSequence:
    """Pack the sequences in a padded tensor of shape (longest, n, ...), or (n, longest, ...) if `batch_first`.

    They are sorted by falling length, unless `enforce_sorted` is False: then they are sorted here, and the pack remembers
    how. Raises ArgumentError or ShapeError (torch.nn.utils.rnn.pack_padded_sequence).
    """
    sizes = _lengths(lengths)
    input = input.transpose(0, 1) if batch_first else input
    if input.ndim < 2 or len(sizes) != input.shape[1]:
        raise ShapeError(f"pack_padded_sequence: {len(sizes)} lengths do not go with sequences of shape {input.shape}")
    if not all(1 <= n <= input.shape[0] for n in sizes):
        raise ArgumentError(f"pack_padded_sequence: lengths go from 1 to {input.shape[0]}, the number of steps; got {sizes}")
    order = np.argsort([-n for n in sizes], kind="stable")
    if enforce_sorted:
        if sizes != sorted(sizes, reverse=True):
            raise ArgumentError(f"pack_padded_sequence: lengths are to fall, got {sizes}; pass enforce_sorted=False to sort them")
    else:
        input, sizes = input.index_select(1, wrap(order)), [sizes[i] for i in order]
    steps, which, batch_sizes = _places(sizes)
    both = (None, None) if enforce_sorted else (wrap(order), wrap(np.argsort(order)))
    return PackedSequence(input[steps, which], wrap(batch_sizes), *both)


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Any, Any]:
    """What was packed, padded again, and the lengths (torch.nn.utils.rnn.pad_packed_sequence).

    Padded to `total_length` if that is given. Raises ArgumentError if it is too short.
    """
    batch_sizes = sequence.batch_sizes.array
    n = int(batch_sizes[0])
    lengths = np.sum(batch_sizes[:, None] > np.arange(n), 0)
    steps, which, _ = _places(lengths.tolist())
    total = len(batch_sizes) if total_length is None else total_length
    if total < len(batch_sizes):
        raise ArgumentError(f"pad_packed_sequence: total_length {total} is less than the longest sequence, {len(batch_sizes)}")
    rows = np.full((total, n), len(steps))  # where there is no element: the row of padding, which comes after all others
    rows[steps, which] = np.arange(len(steps))
    data = sequence.data
    out = cat([data, full((1, *data.shape[1:]), padding_value, dtype=data.dtype)])[wrap(rows)]
    if sequence.unsorted_indices is not None:
        out = out.index_select(1, sequence.unsorted_indices)
        lengths = lengths[sequence.unsorted_indices.array]
    return out.transpose(0, 1) if batch_first else out, wrap(lengths)


def pack_sequence(sequences: Any, enforce_sorted: bool = True) -> PackedSequence:
    """Pack sequences of shape (L, ...) (torch.nn.utils.rnn.pack_sequence)."""
    sequences = list(sequences)
    return pack_padded_sequence(pad_sequence(sequences), [s.shape[0] for s in sequences], enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Any]:
    """The sequences in a pack (torch.nn.utils.rnn.unpack_sequence)."""
    return unpad_sequence(*pad_packed_sequence(packed_sequences))
