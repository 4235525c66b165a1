"""What the outputs of a model trained with CTC read: the best path, and the most probable labels by a beam search.

An output reads as what remains when first repeated classes are made one and then blanks are taken out (F.ctc_loss).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.engine.accumulate import widened
from autograd.engine.tensor import Tensor
from autograd.errors import ArgumentError, DtypeError, ShapeError

__all__ = ["ctc_beam_search_decoder", "ctc_greedy_decoder"]


def ctc_greedy_decoder(log_probs: Any, input_lengths: Any = None, blank: int = 0) -> Any:
    """What the most probable class at each time reads: a list of labels, or of several sequences a list of such lists.

    That is the most probable path, not the most probable labels, which several paths share. Shape: (times, n, classes), of
    which `input_lengths`, n numbers, count, by default all; or (times, classes). Raises ShapeError, DtypeError or
    ArgumentError. TensorFlow: tf.nn.ctc_greedy_decoder.

    >>> import autograd
    >>> ctc_greedy_decoder(autograd.tensor([[0.1, 0.9], [0.2, 0.8], [0.7, 0.3], [0.4, 0.6]]).log())
    [1, 1]
    """
    return _each("ctc_greedy_decoder", log_probs, input_lengths, blank, lambda rows: _read(rows.argmax(1), blank))


def _read(path: Any, blank: int) -> list[int]:
    first = np.append(True, path[1:] != path[:-1])[: len(path)]
    return path[first & (path != blank)].tolist()


def ctc_beam_search_decoder(
    log_probs: Any, input_lengths: Any = None, beam_width: int = 100, top_paths: int = 1, blank: int = 0
) -> Any:
    """The most probable labels and the logarithm of their probability, as pairs, the best first, `top_paths` of them.

    The search goes through time with the `beam_width` most probable beginnings of labels, each with the probabilities of all its
    paths that end in a blank and of those that do not; what it left out on the way is not in the probabilities it gives. Shapes
    as for `ctc_greedy_decoder`: of several sequences it gives a list of such lists. Graves 2012; TensorFlow:
    tf.nn.ctc_beam_search_decoder.

    >>> import autograd
    >>> log_probs = autograd.tensor([[0.6, 0.4], [0.6, 0.4]]).log()  # the best path is blank, but a has three: aa, a-, -a
    >>> [(labels, round(float(np.exp(p)), 2)) for labels, p in ctc_beam_search_decoder(log_probs, top_paths=2)]
    [([1], 0.64), ([], 0.36)]
    """
    for name, value in (("beam_width", beam_width), ("top_paths", top_paths)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ArgumentError(f"ctc_beam_search_decoder: {name} is a whole number, 1 or more, got {value!r}")
    if top_paths > beam_width:
        raise ArgumentError(f"ctc_beam_search_decoder: top_paths={top_paths} are no more than beam_width={beam_width}")
    op = "ctc_beam_search_decoder"
    return _each(op, log_probs, input_lengths, blank, lambda rows: _search(rows, beam_width, blank)[:top_paths])


def _search(log_probs: Any, width: int, blank: int) -> list[tuple[list[int], float]]:
    """The `width` most probable labels: beginnings of labels grow in time, and of each it is known how its paths may end."""
    beams: list[tuple[int, ...]] = [()]
    ends = np.array([[0.0, -np.inf]])  # of each beam: paths that end in a blank, and in its last label
    for p in log_probs:
        rows = np.arange(len(beams))
        last = np.array([beam[-1] if beam else blank for beam in beams], np.int64)
        whole = np.logaddexp(*ends.T)
        longer = whole[:, None] + p  # each beam with each label after it; to say the last again, there is a blank between
        longer[rows, last] = ends[:, 0] + p[last]
        longer[:, blank] = -np.inf
        stay = np.stack([whole + p[blank], np.where(last == blank, -np.inf, ends[:, 1] + p[last])], 1)
        place = {beam: i for i, beam in enumerate(beams)}
        for i, beam in enumerate(beams):
            if beam and (parent := place.get(beam[:-1])) is not None:  # it is a longer one of another beam, too
                stay[i, 1] = np.logaddexp(stay[i, 1], longer[parent, beam[-1]])
                longer[parent, beam[-1]] = -np.inf
        scores = np.append(np.logaddexp(*stay.T), longer)
        best = np.argsort(-scores, kind="stable")[:width]
        best = best[scores[best] > -np.inf]
        old, new = best[best < len(beams)], best[best >= len(beams)] - len(beams)
        parents, labels = np.divmod(new, len(p))
        ends = np.concatenate([stay[old], np.stack([np.full(len(new), -np.inf), longer[parents, labels]], 1)])
        beams = [beams[i] for i in old] + [(*beams[i], c) for i, c in zip(parents.tolist(), labels.tolist(), strict=True)]
    scores = np.logaddexp(*ends.T)
    return [(list(beams[i]), float(scores[i])) for i in np.argsort(-scores, kind="stable")]


def _each(op: str, log_probs: Any, lengths: Any, blank: int, decode: Any) -> Any:
    """`decode` of the time steps that count of each sequence, or of the only one."""
    array = widened(_plain(log_probs))
    if array.dtype.kind != "f":
        raise DtypeError(f"{op} needs floating-point log_probs, not {array.dtype}")
    if array.ndim not in (2, 3):
        raise ShapeError(f"{op} needs log_probs (times, n, classes) or (times, classes), got {array.shape}")
    times, classes = array.shape[0], array.shape[-1]
    if not 0 <= blank < classes:
        raise ArgumentError(f"{op}: blank is one of the {classes} classes, 0 to {classes - 1}, got {blank!r}")
    if np.isnan(array).any():
        raise ArgumentError(f"{op}: log_probs hold {np.isnan(array).sum()} NaN")
    several = (array if array.ndim == 3 else array[:, None]).astype(np.float64)
    lengths = np.full(several.shape[1], times) if lengths is None else _plain(lengths).reshape(-1)
    if lengths.shape != several.shape[1:2] or lengths.dtype.kind not in "iu":
        raise ShapeError(
            f"{op}: input_lengths are {several.shape[1]} whole numbers, one for each sequence, got {lengths.tolist()}"
        )
    if lengths.size and not (lengths.min() >= 0 and lengths.max() <= times):
        raise ArgumentError(f"{op}: input_lengths are from 0 to {times}, got {lengths.tolist()}")
    found = [decode(several[:n, i]) for i, n in enumerate(lengths.tolist())]
    return found if array.ndim == 3 else found[0]


def _plain(value: Any) -> Any:
    return value.array if isinstance(value, Tensor) else np.asarray(value)
