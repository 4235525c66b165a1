"""Mean average precision: COCO's rules followed box by box, in whatever batches; formats, crowds, and bad input."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from autograd import tensor
from autograd.errors import ArgumentError, DtypeError, ShapeError, UnsupportedError
from nn import ops
from nn.metrics import MeanAveragePrecision, mean_average_precision

THRESHOLDS = [0.5 + 0.05 * i for i in range(10)]


def area(box):
    return max(0, box[2] - box[0]) * max(0, box[3] - box[1])


def overlap(found, there, crowd):
    both = area([*np.maximum(found[:2], there[:2]), *np.minimum(found[2:], there[2:])])
    return both / (area(found) if crowd else area(found) + area(there) - both)


def average(images, label, threshold, most):
    """The average precision of one class at one threshold, and its recall; None if it is not there."""
    verdicts, n = [], 0
    for found, there in images:
        true = [
            (box, crowd)
            for box, kind, crowd in zip(there["boxes"], there["labels"], there["iscrowd"], strict=True)
            if kind == label
        ]
        n += sum(not crowd for _, crowd in true)
        mine = [
            (score, box)
            for box, score, kind in zip(found["boxes"], found["scores"], found["labels"], strict=True)
            if kind == label
        ]
        free = [not crowd for _, crowd in true]
        for score, box in sorted(mine, key=lambda pair: -pair[0])[:most]:
            ious = [overlap(box, other, crowd) for other, crowd in true]
            fits = [i for i, iou in enumerate(ious) if free[i] and iou >= threshold - 1e-10]
            if fits:
                free[max(fits, key=lambda i: (ious[i], i))] = False
                verdicts.append((score, True))
            elif not any(crowd and iou >= threshold - 1e-10 for iou, (_, crowd) in zip(ious, true, strict=True)):
                verdicts.append((score, False))
    if not n:
        return None
    verdicts.sort(key=lambda pair: -pair[0])
    right = np.cumsum([r for _, r in verdicts])
    points = [(r / n, r / (i + 1)) for i, r in enumerate(right)]
    heights = [max((p for recall, p in points if recall >= at), default=0) for at in np.linspace(0, 1, 101)]
    return np.mean(heights), max((recall for recall, _ in points), default=0)


def drawn(seed, images=4, classes=3, crowds=0.2):
    """Boxes, and what a detector makes of them: most a little beside, some of another class or nowhere."""
    rng = np.random.default_rng(seed)

    def boxes(n):
        low = rng.uniform(0, 80, (n, 2))
        return np.concatenate([low, low + rng.uniform(5, 40, (n, 2))], 1)

    def near(boxes):
        moved = boxes + rng.normal(0, 2, boxes.shape)
        return np.concatenate([moved[:, :2], np.maximum(moved[:, 2:], moved[:, :2] + 1)], 1)

    pairs = []
    for _ in range(images):
        n, more = rng.integers(0, 6, 2)
        true, labels = boxes(n), rng.integers(0, classes, n)
        true[1::2] = near(true[: 2 * (n // 2) : 2])  # in pairs, so that there is a choice
        labels[1::2] = labels[: 2 * (n // 2) : 2]
        seen = rng.integers(0, n, 2 * n if n else 0)
        found = np.concatenate([near(true[seen]), boxes(more)])
        guessed = np.concatenate([np.where(rng.random(len(seen)) < 0.8, labels[seen], 0), rng.integers(0, classes + 1, more)])
        scores = rng.integers(0, 8, len(found)) / 8
        pairs.append(
            (
                {"boxes": found, "scores": scores, "labels": guessed.astype(int)},
                {"boxes": true, "labels": labels, "iscrowd": (rng.random(n) < crowds).astype(int)},
            )
        )
    return pairs


def expected(images, most=100):
    each = {label: [average(images, label, t, most) for t in THRESHOLDS] for label in range(5)}
    each = {label: np.array(values) for label, values in each.items() if values[0] is not None}
    if not each:
        return dict.fromkeys(("map", "map_50", "map_75", "mar"), math.nan) | {"map_per_class": [], "classes": []}
    whole = np.stack(list(each.values()))
    named = {
        "map": whole[..., 0].mean(),
        "map_50": whole[:, 0, 0].mean(),
        "map_75": whole[:, 5, 0].mean(),
        "mar": whole[..., 1].mean(),
    }
    return named | {"map_per_class": [v[:, 0].mean() for v in each.values()], "classes": list(each)}


@given(st.integers(0, 2**32 - 1), st.sampled_from([100, 2]), st.integers(0, 4))
def test_it_follows_the_rules_box_by_box(seed, most, cut):
    images = drawn(seed)
    metric = MeanAveragePrecision(max_detections=most, class_metrics=True)
    metric.update(*zip(*images, strict=True))
    metric.reset()
    for part in (images[:cut], images[cut:]):
        metric.update([found for found, _ in part], [there for _, there in part])
    found, wanted = metric.compute(), expected(images, most)
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert_allclose(found[name], value, rtol=1e-9, err_msg=name)


def test_what_is_found_exactly_is_perfect():
    images = [(dict(there, scores=np.ones(len(there["labels"]))), there) for _, there in drawn(1, 10, crowds=0)]
    assert mean_average_precision(*zip(*images, strict=True)) == {"map": 1, "map_50": 1, "map_75": 1, "mar": 1}


@pytest.mark.parametrize("box_format", ["xyxy", "xywh", "cxcywh"])
def test_formats_and_tensors(box_format):
    images = drawn(2)
    other = [
        [{k: tensor(ops.box_convert(v, "xyxy", box_format) if k == "boxes" else v) for k, v in image.items()} for image in pair]
        for pair in images
    ]
    ours = mean_average_precision(*zip(*other, strict=True), box_format=box_format)
    for name, value in ours.items():
        assert_allclose(value, expected(images)[name], rtol=1e-6)


def test_thresholds_of_your_own():
    images = drawn(3, 10)
    found = mean_average_precision(*zip(*images, strict=True), iou_thresholds=[0.5])
    assert found.keys() == {"map", "map_50", "mar"}
    assert found["map"] == found["map_50"] == mean_average_precision(*zip(*images, strict=True))["map_50"]


ONE = {"boxes": [[0, 0, 1, 1]], "scores": [0.5], "labels": [0]}


@pytest.mark.parametrize(
    ("error", "says", "call"),
    [
        (UnsupportedError, "output is a list of dicts, one for each image, not", lambda: mean_average_precision(ONE, ONE)),
        (ShapeError, "output is of 1 images, target of 2", lambda: mean_average_precision([ONE], [ONE, ONE])),
        (ArgumentError, "each image of output is a dict with 'boxes', 'labels' and 'scores', got 'boxes', 'labels'", lambda: mean_average_precision([{"boxes": [], "labels": []}], [ONE])),
        (ArgumentError, "each image of target is a dict", lambda: mean_average_precision([ONE], [[1]])),
        (ShapeError, "output has 1 boxes, 2 labels and 1 scores", lambda: mean_average_precision([ONE | {"labels": [0, 1]}], [ONE])),
        (ShapeError, r"boxes have shape \(..., 4\), got \(1, 3\)", lambda: mean_average_precision([ONE | {"boxes": [[0, 1, 2]]}], [ONE])),
        (DtypeError, "'labels' of target holds the numbers of classes", lambda: mean_average_precision([ONE], [ONE | {"labels": [0.5]}])),
        (ArgumentError, "'boxes' and 'scores' of output hold NaN", lambda: mean_average_precision([ONE | {"scores": [math.nan]}], [ONE])),
        (ArgumentError, "in_fmt must be", lambda: MeanAveragePrecision("yxyx")),
        (ArgumentError, r"iou_thresholds lie above 0 and up to 1, got \[50\]", lambda: MeanAveragePrecision(iou_thresholds=[50])),
        (ArgumentError, "max_detections is a whole number, 1 or more, got 0", lambda: MeanAveragePrecision(max_detections=0)),
    ],
)  # fmt: skip
def test_bad_input_is_refused(error, says, call):
    with pytest.raises(error, match=says):
        call()


def test_what_is_refused_leaves_the_metric_as_it_was():
    metric = MeanAveragePrecision()
    metric.update([ONE], [ONE])
    with pytest.raises(ShapeError):
        metric.update([ONE, ONE | {"labels": [0, 1]}], [ONE, ONE])
    assert metric.compute()["map"] == 1
