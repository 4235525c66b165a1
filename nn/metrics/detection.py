"""How well boxes were found: the mean average precision of COCO.

An image is a dict, as torchvision's detectors give it: outputs with "boxes" (n, 4), "scores" (n,) and "labels" (n,); targets with
"boxes" and "labels", and if some boxes are of crowds "iscrowd" (n,). A batch is a list of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autograd.errors import ArgumentError, ShapeError, UnsupportedError, describe

from ..ops.boxes import box_area, box_convert, overlap
from .metric import Metric, array_of, as_function, ratio, whole

__all__ = ["MeanAveragePrecision", "mean_average_precision"]


class MeanAveragePrecision(Metric):
    """The mean, over classes and thresholds of IoU from 0.5 to 0.95, of the average precision with which boxes were found.

    A dict: "map", that mean; "map_50" and "map_75" at 0.5 and 0.75 alone, where these are among the thresholds; "mar", the
    mean share of boxes that were found at all; and with `class_metrics` "map_per_class" and "classes". NaN without boxes.

    In each image, of each class, the `max_detections` boxes with the highest scores take in turn, of the boxes that are
    there and still free, that with the largest IoU, if it reaches the threshold. The precision at a recall is the largest at
    that or any higher one, and the average is over the recalls 0, 0.01, ..., 1. What lies in a crowd counts nowhere. Lin et
    al. 2014; pycocotools, torchmetrics.detection.MeanAveragePrecision; sizes are not told apart.

    >>> found = {"boxes": [[0, 0, 10, 10], [50, 50, 60, 60]], "scores": [0.9, 0.8], "labels": [1, 1]}
    >>> there = {"boxes": [[0, 0, 10, 9], [20, 20, 30, 30]], "labels": [1, 1]}
    >>> {name: round(value, 4) for name, value in mean_average_precision([found], [there]).items()}
    {'map': 0.4545, 'map_50': 0.505, 'map_75': 0.505, 'mar': 0.45}
    """

    name = "mean_average_precision"

    def __init__(
        self, box_format: str = "xyxy", iou_thresholds: Sequence[float] | None = None, max_detections: int = 100,
        class_metrics: bool = False,
    ) -> None:  # fmt: skip
        box_convert(np.zeros((0, 4)), box_format, "xyxy")
        self.box_format, self.max_detections, self.class_metrics = box_format, max_detections, class_metrics
        self.iou_thresholds = np.arange(10, 20) / 20 if iou_thresholds is None else np.array(iou_thresholds, np.float64)
        if self.iou_thresholds.ndim != 1 or not np.all((self.iou_thresholds > 0) & (self.iou_thresholds <= 1)):
            raise ArgumentError(f"MeanAveragePrecision: iou_thresholds lie above 0 and up to 1, got {iou_thresholds!r}")
        if isinstance(max_detections, bool) or not isinstance(max_detections, int) or max_detections < 1:
            raise ArgumentError(f"MeanAveragePrecision: max_detections is a whole number, 1 or more, got {max_detections!r}")
        self.reset()

    def reset(self) -> None:
        """Forget all batches."""
        self.there: dict[int, int] = {}  # how many boxes of each class there are
        self.found: dict[int, list[Any]] = {}  # and of those found, an image after the other, (scores, right, counted)

    def update(self, output: Any, target: Any) -> None:
        """Take in a batch of images. Raises ShapeError, DtypeError, ArgumentError or UnsupportedError."""
        for name, images in (("output", output), ("target", target)):
            if isinstance(images, Mapping) or not hasattr(images, "__len__"):
                raise UnsupportedError(
                    f"MeanAveragePrecision: {name} is a list of dicts, one for each image, not {describe(images)}"
                )
        if len(output) != len(target):
            raise ShapeError(f"MeanAveragePrecision: output is of {len(output)} images, target of {len(target)}")
        images = [
            (self._image("output", o, "scores"), self._image("target", t, "iscrowd")) for o, t in zip(output, target, strict=True)
        ]
        for (boxes, labels, scores), (true_boxes, true_labels, crowd) in images:
            for label in np.union1d(labels, true_labels).tolist():
                mine, true = labels == label, true_labels == label
                crowds = crowd[true] != 0
                order = np.argsort(-scores[mine], kind="stable")[: self.max_detections]
                right, counted = self._match(boxes[mine][order], true_boxes[true], crowds)
                self.there[label] = self.there.get(label, 0) + int((~crowds).sum())
                self.found.setdefault(label, []).append((scores[mine][order], right, counted))

    def _image(self, name: str, image: Any, more: str) -> tuple[Any, Any, Any]:
        """The boxes of an image, as corners, their labels, and the scores, or which are crowds."""
        op = "MeanAveragePrecision"
        if not isinstance(image, Mapping) or not {"boxes", "labels", *(["scores"] if more == "scores" else [])} <= image.keys():
            keys = "'boxes', 'labels'" + " and 'scores'" * (more == "scores")
            has = ", ".join(map(repr, image)) if isinstance(image, Mapping) else describe(image)
            raise ArgumentError(f"{op}: each image of {name} is a dict with {keys}, got {has}")
        labels = whole(op, f"'labels' of {name}", array_of(image["labels"]).reshape(-1))
        boxes = array_of(image["boxes"]).astype(np.float64)
        boxes = boxes.reshape(-1, 4) if not boxes.size else boxes
        values = array_of(image.get(more, np.zeros(len(labels)))).astype(np.float64).reshape(-1)
        if not len(boxes) == len(labels) == len(values):
            raise ShapeError(f"{op}: {name} has {len(boxes)} boxes, {len(labels)} labels and {len(values)} {more}")
        if np.isnan(values).any() or np.isnan(boxes).any():
            raise ArgumentError(f"{op}: 'boxes' and {more!r} of {name} hold NaN")
        return box_convert(boxes, self.box_format, "xyxy"), labels, values

    def _match(self, boxes: Any, true: Any, crowd: Any) -> tuple[Any, Any]:
        """At each threshold, which boxes, the best first, are right, and which count at all."""
        least = np.minimum(self.iou_thresholds, 1 - 1e-10)[:, None]
        _, _, shared, union = overlap("MeanAveragePrecision", boxes, true)
        ious = ratio(shared, union)[:, ~crowd]
        inside = ratio(shared, np.broadcast_to(box_area(boxes)[:, None], shared.shape))[:, crowd]  # in a crowd is what lies in it
        rows, free = np.arange(len(least)), np.ones((len(least), ious.shape[1]), bool)
        right, counted = np.zeros((2, len(least), len(boxes)), bool)
        for i, (iou, within) in enumerate(zip(ious, inside, strict=True)):
            fits = free & (iou >= least)
            right[:, i] = taken = fits.any(1)
            counted[:, i] = taken | ~(within >= least).any(1)
            if fits.size:
                best = fits.shape[1] - 1 - np.where(fits, iou, -1)[:, ::-1].argmax(1)  # of equal ones the last, as in COCO
                free[rows[taken], best[taken]] = False
        return right, counted

    def compute(self) -> dict[str, Any]:
        """The means over all images so far."""
        classes = sorted(label for label, n in self.there.items() if n)
        nothing = np.full((2, len(self.iou_thresholds)), math.nan)
        precision, recall = np.stack([self._average(label) for label in classes] or [nothing], 1)
        result: dict[str, Any] = {"map": float(precision.mean())}
        for at in (50, 75):
            if (where := np.isclose(self.iou_thresholds, at / 100)).any():
                result[f"map_{at}"] = float(precision[:, where].mean())
        result["mar"] = float(recall.mean())
        if self.class_metrics:
            result |= {"map_per_class": precision.mean(1)[: len(classes)].tolist(), "classes": classes}
        return result

    def _average(self, label: int) -> Any:
        """The average precision of a class, and its recall, at each threshold."""
        scores, right, counted = (np.concatenate(parts, -1) for parts in zip(*self.found[label], strict=True))
        order = np.argsort(-scores, kind="stable")
        right, wrong = (np.cumsum(v[:, order], 1) for v in (right, counted & ~right))
        recall = right / self.there[label]
        precision = right / np.maximum(right + wrong, 1)
        precision = np.maximum.accumulate(precision[:, ::-1], 1)[:, ::-1]
        steps = np.linspace(0, 1, 101)
        means = [np.append(p, 0.0)[np.searchsorted(r, steps)].mean() for p, r in zip(precision, recall, strict=True)]
        return means, recall.max(1, initial=0)


mean_average_precision = as_function(MeanAveragePrecision)
