"""Boxes and CTC decoding: what is kept, by the definition; the beam search against all paths there are; bad input."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from samples import SAMPLES

import autograd
import nn
import nn.functional as F
from autograd import Tensor, tensor
from autograd.errors import ArgumentError, DtypeError, ShapeError, UnsupportedError
from nn import ops

WITHOUT_GRADIENT = {"nms", "batched_nms", "ctc_greedy_decoder", "ctc_beam_search_decoder"}
rng = np.random.default_rng(0)


def boxes(n, rng=rng):
    low = rng.integers(0, 12, (n, 2))
    return np.concatenate([low, low + rng.integers(1, 9, (n, 2))], 1).astype(np.float64)


def test_every_function_has_a_record():
    """In samples_nn.py, from which values and derivatives of both orders are tested; here are the others."""
    recorded = {sample.op for sample in SAMPLES}
    assert {name for name in ops.__all__ if getattr(ops, name) not in recorded} == WITHOUT_GRADIENT


# ---------------------------------------------------------------- boxes
def test_numbers_that_areas_do_not_fit_into():
    large = np.array([[0, 0, 300, 300], [0, 0, 300, 150]])
    assert ops.box_area(large.astype(np.float16)).dtype == np.float32
    for dtype in (np.uint8, np.int16, np.float16):
        small = (large // 2).astype(dtype)
        assert_array_equal(ops.box_area(small), [22500, 11250])
        assert_allclose(ops.box_iou(small, small), [[1, 0.5], [0.5, 1]])
    assert ops.box_iou(tensor(large), tensor(large)).dtype == np.float32


def test_conversions_go_round_and_copy():
    x = boxes(5)
    for a, b in itertools.product(("xyxy", "xywh", "cxcywh"), repeat=2):
        there = ops.box_convert(ops.box_convert(x, "xyxy", a), a, b)
        assert_allclose(ops.box_convert(there, b, "xyxy"), x, rtol=1e-12)
    for kind in (np.array, tensor):
        given = kind(x)
        same = ops.box_convert(given, "xyxy", "xyxy")
        same[0] = 0
        assert_array_equal(np.asarray(given), x)


def test_a_loss_of_boxes_leads_to_them():
    wanted, found = tensor(boxes(4)), tensor(boxes(4), requires_grad=True)
    before = (1 - ops.generalized_box_iou(found, wanted).diagonal()).mean()
    before.backward()
    moved = found.detach() - 0.1 * found.grad
    assert (1 - ops.generalized_box_iou(moved, wanted).diagonal()).mean() < before


def by_definition(x, scores, groups, threshold):
    """A box stays unless one that stays, of its group, and scores more covers it."""
    stays = []
    for i in sorted(range(len(x)), key=lambda i: -scores[i]):
        rivals = [j for j in stays if groups[j] == groups[i]]
        if all(ops.box_iou(x[[i]], x[[j]])[0, 0] <= threshold for j in rivals):
            stays.append(i)
    return stays


@given(st.integers(0, 12), st.integers(0, 2**32 - 1), st.sampled_from([0, 0.2, 0.5, 1]))
def test_suppression(n, seed, threshold):
    rng = np.random.default_rng(seed)
    x, scores, groups = boxes(n, rng), rng.integers(0, 6, n) / 5, rng.integers(0, 3, n)
    assert_array_equal(ops.nms(x, scores, threshold), by_definition(x, scores, np.zeros(n), threshold))
    kept = ops.batched_nms(tensor(x), tensor(scores), tensor(groups), threshold)
    assert type(kept) is Tensor
    assert kept.dtype == np.int64
    assert_array_equal(kept, by_definition(x, scores, groups, threshold))


def test_scores_that_require_gradients_are_looked_at_only():
    x, scores = tensor(boxes(4), requires_grad=True), tensor([0.1, 0.2, 0.3, 0.4], requires_grad=True)
    kept = ops.nms(x * 1, scores * 1, 1)
    assert kept.tolist() == [3, 2, 1, 0]
    (scores[kept].sum() + x[kept].sum()).backward()
    assert scores.grad.tolist() == [1, 1, 1, 1]


# ---------------------------------------------------------------- CTC
def read(path, blank):
    return tuple(c for c, _ in itertools.groupby(path) if c != blank)


def posterior(log_probs, blank):
    """The probability of all labels, by all paths."""
    found = {}
    for path in itertools.product(range(log_probs.shape[1]), repeat=len(log_probs)):
        labels = read(path, blank)
        found[labels] = found.get(labels, 0) + math.exp(sum(row[c] for row, c in zip(log_probs, path, strict=True)))
    return found


def outputs(times, classes, seed, sharp=2.0):
    x = np.random.default_rng(seed).normal(0, sharp, (times, classes))
    return x - np.log(np.exp(x).sum(1, keepdims=True))


@given(st.integers(0, 5), st.integers(1, 3), st.integers(0, 2**32 - 1), st.integers(0, 2))
def test_a_wide_beam_finds_all_labels_and_their_probabilities(times, classes, seed, blank):
    log_probs, blank = outputs(times, classes, seed), blank % classes
    expected = posterior(log_probs, blank)
    found = ops.ctc_beam_search_decoder(tensor(log_probs), beam_width=1000, top_paths=1000, blank=blank)
    assert {tuple(labels) for labels, _ in found} == expected.keys()
    assert_allclose([math.exp(p) for _, p in found], [expected[tuple(labels)] for labels, _ in found], rtol=1e-9)
    assert_allclose([p for _, p in found], sorted((p for _, p in found), reverse=True))


def test_its_probabilities_are_those_of_the_loss():
    log_probs = outputs(12, 5, 0)
    for labels, p in ops.ctc_beam_search_decoder(log_probs, beam_width=3000, top_paths=3):
        loss = F.ctc_loss(tensor(log_probs), tensor(labels, dtype=autograd.int64), 12, len(labels), reduction="sum")
        assert_allclose(-p, loss.item(), rtol=1e-3)  # what the beam left out is small


def test_a_narrow_beam_is_never_too_sure():
    for seed in range(20):
        log_probs = outputs(6, 3, seed, 0.5)
        expected = posterior(log_probs, 0)
        for labels, p in ops.ctc_beam_search_decoder(log_probs, beam_width=2, top_paths=2):
            assert math.exp(p) <= expected[tuple(labels)] * (1 + 1e-12)


@given(st.integers(0, 6), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_the_best_path_is_read(times, classes, seed):
    log_probs = outputs(times, classes, seed)
    for blank in range(classes):
        assert ops.ctc_greedy_decoder(log_probs, blank=blank) == list(read(log_probs.argmax(1).tolist(), blank))


def test_several_sequences_of_different_lengths():
    log_probs = np.stack([outputs(6, 4, seed) for seed in range(3)], 1)
    lengths = [6, 0, 3]
    for decoder in (ops.ctc_greedy_decoder, ops.ctc_beam_search_decoder):
        expected = [decoder(log_probs[:n, i]) for i, n in enumerate(lengths)]
        assert decoder(tensor(log_probs), tensor(lengths)) == decoder(log_probs, lengths) == expected
    assert ops.ctc_greedy_decoder(log_probs, lengths)[1] == []
    half = tensor(log_probs.astype(np.float16))
    assert ops.ctc_greedy_decoder(half) == ops.ctc_greedy_decoder(log_probs)


def test_classes_that_are_impossible_are_not_read():
    with np.errstate(divide="ignore"):
        log_probs = np.log([[0.0, 1.0, 0.0], [0.5, 0.5, 0.0]])
    assert [(labels, round(math.exp(p), 9)) for labels, p in ops.ctc_beam_search_decoder(log_probs, top_paths=5)] == [([1], 1)]


def test_what_is_decoded_goes_into_the_error_rates():
    found = ops.ctc_greedy_decoder(np.log(np.eye(4)[[1, 0, 2, 2]] + 1e-9))
    assert nn.metrics.word_error_rate([found], [[1, 2, 3]]) == 1 / 3


# ---------------------------------------------------------------- bad input
BOX = np.array([[0.0, 0.0, 1.0, 1.0]])


@pytest.mark.parametrize(
    ("error", "says", "call"),
    [
        (ShapeError, r"box_area: boxes have shape \(N, 4\), got \(4,\)", lambda: ops.box_area(BOX[0])),
        (ShapeError, r"box_iou: boxes2 have shape \(N, 4\), got \(1, 3\)", lambda: ops.box_iou(BOX, BOX[:, :3])),
        (ShapeError, r"box_convert: boxes have shape \(..., 4\), got \(2,\)", lambda: ops.box_convert(BOX[0, :2], "xyxy", "xywh")),
        (UnsupportedError, "generalized_box_iou: boxes1 must be a tensor or an array, not list", lambda: ops.generalized_box_iou([[0, 0, 1, 1]], BOX)),
        (DtypeError, "box_area: boxes are of numbers, got bool", lambda: ops.box_area(BOX > 0)),
        (ArgumentError, "in_fmt must be 'xyxy', 'xywh' or 'cxcywh', got 'yxyx'", lambda: ops.box_convert(BOX, "yxyx", "xyxy")),
        (ArgumentError, "nms: iou_threshold is a share, from 0 to 1, got 50", lambda: ops.nms(BOX, np.ones(1), 50)),
        (ShapeError, r"nms: scores has one number for each of 1 boxes, not shape \(2,\)", lambda: ops.nms(BOX, np.ones(2), 0.5)),
        (ShapeError, "batched_nms: idxs has one number", lambda: ops.batched_nms(BOX, np.ones(1), np.ones(2), 0.5)),
        (ArgumentError, "nms: scores hold 1 NaN", lambda: ops.nms(BOX, np.array([math.nan]), 0.5)),
        (DtypeError, "ctc_greedy_decoder needs floating-point log_probs, not int64", lambda: ops.ctc_greedy_decoder(np.ones((2, 2), int))),
        (ShapeError, r"needs log_probs \(times, n, classes\) or \(times, classes\), got \(2,\)", lambda: ops.ctc_greedy_decoder(np.ones(2))),
        (ArgumentError, "blank is one of the 2 classes, 0 to 1, got 2", lambda: ops.ctc_greedy_decoder(np.ones((2, 2)), blank=2)),
        (ArgumentError, "log_probs hold 4 NaN", lambda: ops.ctc_beam_search_decoder(np.full((2, 2), math.nan))),
        (ShapeError, "input_lengths are 1 whole numbers", lambda: ops.ctc_greedy_decoder(np.ones((2, 2)), [1, 2])),
        (ArgumentError, r"input_lengths are from 0 to 2, got \[3\]", lambda: ops.ctc_greedy_decoder(np.ones((2, 2)), [3])),
        (ArgumentError, "beam_width is a whole number, 1 or more, got 0", lambda: ops.ctc_beam_search_decoder(np.ones((2, 2)), beam_width=0)),
        (ArgumentError, "top_paths=9 are no more than beam_width=8", lambda: ops.ctc_beam_search_decoder(np.ones((2, 2)), beam_width=8, top_paths=9)),
    ],
)  # fmt: skip
def test_bad_input_is_refused(error, says, call):
    with pytest.raises(error, match=says):
        call()
