"""Boxes, four numbers each: their areas and formats, how far they overlap, and which of many to keep (torchvision.ops).

A box is (x1, y1, x2, y2), two opposite corners with x1 <= x2 and y1 <= y2. Boxes are tensors or arrays, and so are the
results; those of tensors lead back to them, so that `1 - generalized_box_iou(a, b).diagonal()` is a loss.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.engine.tensor import Tensor, wrap
from autograd.errors import ArgumentError, DtypeError, ShapeError, UnsupportedError
from autograd.ops.elementwise import clip_min

from ..functional.common import constant

__all__ = ["batched_nms", "box_area", "box_convert", "box_iou", "clip_boxes_to_image", "generalized_box_iou", "nms"]


def _boxes(op: str, name: str, boxes: Any, ndim: int | None = 2) -> Any:
    """Boxes of numbers that hold their areas: half as float32, integers as int64."""
    if not isinstance(boxes, (Tensor, np.ndarray)):
        raise UnsupportedError(f"{op}: {name} must be a tensor or an array, not {type(boxes).__name__}")
    if boxes.shape[-1:] != (4,) or (ndim and boxes.ndim != ndim):
        raise ShapeError(f"{op}: {name} have shape ({'N' if ndim else '...'}, 4), got {boxes.shape}")
    if boxes.dtype.kind not in "iuf":
        raise DtypeError(f"{op}: {name} are of numbers, got {boxes.dtype}")
    wide: Any = np.int64 if boxes.dtype.kind in "iu" else np.promote_types(boxes.dtype, np.float32)
    return boxes.astype(wide, copy=False) if isinstance(boxes, np.ndarray) else boxes.to(wide)


def box_area(boxes: Any) -> Any:
    """The area of each box: (N, 4) gives (N,) (torchvision.ops.box_area). Raises ShapeError, DtypeError or UnsupportedError.

    >>> import autograd
    >>> box_area(autograd.tensor([[0.0, 0.0, 2.0, 3.0]]))
    tensor([6.])
    """
    boxes = _boxes("box_area", "boxes", boxes)
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def overlap(op: str, boxes1: Any, boxes2: Any) -> tuple[Any, Any, Any, Any]:
    """Both, and of each pair the area that they share, and that which either covers."""
    a, b = _boxes(op, "boxes1", boxes1), _boxes(op, "boxes2", boxes2)
    a, b = a[:, None], b[None]
    sides = clip_min(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0)
    shared = sides[..., 0] * sides[..., 1]
    areas = [(box[..., 2] - box[..., 0]) * (box[..., 3] - box[..., 1]) for box in (a, b)]
    return a, b, shared, areas[0] + areas[1] - shared


def box_iou(boxes1: Any, boxes2: Any) -> Any:
    """Intersection over union of each of `boxes1` with each of `boxes2`: (N, 4) and (M, 4) give (N, M) (torchvision.ops.box_iou).

    NaN for two boxes without an area. Raises ShapeError, DtypeError or UnsupportedError.

    >>> import autograd
    >>> box_iou(autograd.tensor([[0.0, 0.0, 2.0, 2.0]]), autograd.tensor([[1.0, 0.0, 3.0, 2.0], [5.0, 5.0, 6.0, 6.0]]))
    tensor([[0.3333, 0.0000]])
    """
    _, _, shared, union = overlap("box_iou", boxes1, boxes2)
    with np.errstate(invalid="ignore"):
        return shared / union


def generalized_box_iou(boxes1: Any, boxes2: Any) -> Any:
    """`box_iou`, less the share of the smallest box around both that neither covers: from -1 to 1, and falling with the distance.

    (N, 4) and (M, 4) give (N, M). Rezatofighi et al. 2019; torchvision.ops.generalized_box_iou.

    >>> import autograd
    >>> box = autograd.tensor([[0.0, 0.0, 1.0, 1.0]])
    >>> generalized_box_iou(box, autograd.tensor([[0.0, 0.0, 1.0, 1.0], [3.0, 0.0, 4.0, 1.0]]))
    tensor([[ 1.0000, -0.5000]])
    """
    a, b, shared, union = overlap("generalized_box_iou", boxes1, boxes2)
    sides = np.maximum(a[..., 2:], b[..., 2:]) - np.minimum(a[..., :2], b[..., :2])
    around = sides[..., 0] * sides[..., 1]
    with np.errstate(invalid="ignore"):
        return shared / union - (around - union) / around


# ---------------------------------------------------------------- formats
_FORMATS = ("xyxy", "xywh", "cxcywh")


def box_convert(boxes: Any, in_fmt: str, out_fmt: str) -> Any:
    """Boxes (..., 4) in another format (torchvision.ops.box_convert). Raises ArgumentError for one that is not known.

    "xyxy" has two corners, "xywh" a corner, the width and the height, "cxcywh" the centre instead of the corner.

    >>> import autograd
    >>> box_convert(autograd.tensor([[1.0, 2.0, 4.0, 6.0]]), "xyxy", "cxcywh")
    tensor([[2.5000, 4.0000, 3.0000, 4.0000]])
    """
    for name, form in (("in_fmt", in_fmt), ("out_fmt", out_fmt)):
        if form not in _FORMATS:
            raise ArgumentError(f"box_convert: {name} must be 'xyxy', 'xywh' or 'cxcywh', got {form!r}")
    boxes = _boxes("box_convert", "boxes", boxes, None)
    if in_fmt == out_fmt:
        return boxes.copy() if isinstance(boxes, np.ndarray) else boxes.clone()
    first, second = boxes[..., :2], boxes[..., 2:]
    low = first - second / 2 if in_fmt == "cxcywh" else first
    size = second - first if in_fmt == "xyxy" else second
    parts = {"xyxy": (low, low + size), "xywh": (low, size), "cxcywh": (low + size / 2, size)}[out_fmt]
    return np.concatenate(parts, -1)


def clip_boxes_to_image(boxes: Any, size: tuple[int, int]) -> Any:
    """Boxes (..., 4), cut off at the edges of an image of `size` (height, width) (torchvision.ops.clip_boxes_to_image).

    >>> import autograd
    >>> clip_boxes_to_image(autograd.tensor([[-1.0, 2.0, 4.0, 60.0]]), (10, 20))
    tensor([[ 0.,  2.,  4., 10.]])
    """
    height, width = size
    _boxes("clip_boxes_to_image", "boxes", boxes, None)
    return np.clip(boxes, 0, constant(np.array([width, height, width, height]), boxes))


# ---------------------------------------------------------------- which to keep
def nms(boxes: Any, scores: Any, iou_threshold: float) -> Any:
    """Non-maximum suppression: the positions of the boxes that no better one covers, the best first (torchvision.ops.nms).

    The box with the highest score stays, and those go whose IoU with it is above `iou_threshold`; so on with the rest. Shapes:
    boxes (N, 4) and scores (N,) give integers (K,). Of equal scores the first is better. Raises ShapeError, DtypeError,
    ArgumentError or UnsupportedError.

    >>> import autograd
    >>> boxes = autograd.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 1.9], [3.0, 0.0, 5.0, 2.0]])
    >>> nms(boxes, autograd.tensor([0.6, 0.9, 0.5]), 0.5)
    tensor([1, 2])
    """
    return _nms("nms", boxes, scores, None, iou_threshold)


def batched_nms(boxes: Any, scores: Any, idxs: Any, iou_threshold: float) -> Any:
    """`nms` among the boxes of each class, or image, apart: `idxs` (N,) says which (torchvision.ops.batched_nms).

    >>> import autograd
    >>> boxes = autograd.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 1.9], [0.0, 0.0, 2.0, 1.8]])
    >>> batched_nms(boxes, autograd.tensor([0.6, 0.9, 0.5]), autograd.tensor([7, 7, 8]), 0.5)
    tensor([1, 2])
    """
    return _nms("batched_nms", boxes, scores, idxs, iou_threshold)


def _nms(op: str, boxes: Any, scores: Any, groups: Any, threshold: float) -> Any:
    if not 0 <= threshold <= 1:
        raise ArgumentError(f"{op}: iou_threshold is a share, from 0 to 1, got {threshold!r}")
    plain = _plain(_boxes(op, "boxes", boxes))
    values = [np.zeros(len(plain)) if v is None else _plain(v) for v in (scores, groups)]
    for name, value in zip(("scores", "idxs"), values, strict=True):
        if value.shape != plain.shape[:1]:
            raise ShapeError(f"{op}: {name} has one number for each of {len(plain)} boxes, not shape {value.shape}")
    if np.isnan(values[0]).any():
        raise ArgumentError(f"{op}: scores hold {np.isnan(values[0]).sum()} NaN, which have no place among other scores")
    left, kept = np.argsort(-values[0].astype(np.float64), kind="stable"), []
    while left.size:
        best, left = left[0], left[1:]
        kept.append(best)
        covered = box_iou(plain[best, None], plain[left])[0] > threshold
        left = left[~(covered & (values[1][left] == values[1][best]))]
    result = np.array(kept, np.int64)
    return wrap(result) if isinstance(boxes, Tensor) else result


def _plain(value: Any) -> Any:
    return value.array if isinstance(value, Tensor) else np.asarray(value)
