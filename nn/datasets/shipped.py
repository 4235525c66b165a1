"""Data to learn from that comes with the package: handwritten digits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from autograd.api.creation import from_numpy

from ..utils.data import TensorDataset

__all__ = ["digits"]


def digits() -> tuple[TensorDataset, TensorDataset]:
    """The handwritten digits in digits.npz, 1,437 to train with and 360 to test on; digits.md says where they come from.

    Each dataset holds images, float32 from 0 (paper) to 1 (ink) of shape (n, 8, 8), and labels, int64 from 0 to 9.

    >>> train, test = digits()
    >>> len(train), len(test), train[0][0].shape
    (1437, 360, (8, 8))
    """
    with np.load(Path(__file__).with_name("digits.npz"), allow_pickle=False) as file:
        images, labels, held_out = file["images"], file["labels"], file["test"]

    def part(mask: Any) -> TensorDataset:
        return TensorDataset(from_numpy(images[mask].astype(np.float32) / 16), from_numpy(labels[mask].astype(np.int64)))

    return part(~held_out), part(held_out)
