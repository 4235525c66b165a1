"""Transforms of what is in an image: normalized, noisy, partly erased, in other colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from autograd.api.random import Generator
from autograd.errors import ArgumentError, DtypeError, ShapeError

from .base import Transform, in_floats, pair_of, probability, rectangles, span_of

__all__ = ["ColorJitter", "Cutout", "GaussianNoise", "Normalize", "RandomErasing"]


class Normalize(Transform):
    """(x - mean) / std, with a mean and a standard deviation for each channel (torchvision.transforms.Normalize)."""

    needs_float = True

    def __init__(self, mean: Any, std: Any) -> None:
        super().__init__()
        self.mean, self.std = mean, std
        if not np.all(np.asarray(std) > 0):
            raise ArgumentError(f"Normalize: standard deviations are positive, got {std!r}")

    def transform(self, x: Any) -> Any:
        mean, std = (np.asarray(v, x.dtype).reshape(-1, 1, 1) for v in (self.mean, self.std))
        if any(len(v) not in (1, x.shape[1]) for v in (mean, std)):
            raise ShapeError(f"Normalize: {len(mean)} means and {len(std)} deviations do not fit {x.shape[1]} channels")
        return (x - mean) / std


class GaussianNoise(Transform):
    """Add normal noise to every element, then limit it to between 0 and 1 if `clip` (torchvision.transforms.v2.GaussianNoise)."""

    needs_float = True

    def __init__(self, mean: float = 0.0, sigma: float = 0.1, clip: bool = True, generator: Generator | None = None) -> None:
        super().__init__(generator)
        self.mean, self.sigma, self.clip = mean, sigma, clip
        if sigma < 0:
            raise ArgumentError(f"GaussianNoise: sigma is not negative, got {sigma!r}")

    def transform(self, x: Any) -> Any:
        noise: Any = self.random.standard_normal(x.shape, np.float64 if x.dtype == np.float64 else np.float32)
        x = x + (noise * self.sigma + self.mean).astype(x.dtype)
        return x.clip(0, 1) if self.clip else x


class Cutout(Transform):
    """Set a square of `size` pixels to `fill`; its centre is anywhere in the image, so part of it may lie outside.

    Source: DeVries and Taylor, Improved regularization of convolutional neural networks with cutout, 2017.
    """

    def __init__(self, size: int | Sequence[int], fill: float = 0, generator: Generator | None = None) -> None:
        super().__init__(generator)
        self.size, self.fill = pair_of("Cutout", "size", size, 0), fill

    def transform(self, x: Any) -> Any:
        places = [self.random.integers(n, size=len(x)) - size // 2 for n, size in zip(x.shape[2:], self.size, strict=True)]
        return np.where(rectangles(x, places, self.size), x.dtype.type(self.fill), x)


class RandomErasing(Transform):
    """With probability `p`, erase a rectangle: set it to `value`, one number or one for each channel, or to normal noise if that
    is "random". It takes a share of the image between the two numbers `scale`, and is so many times as high as wide as
    lies between the two `ratio`; if it did not fit in ten attempts, nothing is erased (torchvision.transforms.RandomErasing).
    Source: Zhong et al., Random erasing data augmentation, 2017.

    >>> import autograd
    >>> RandomErasing(1.0, scale=(0.25, 0.25), ratio=(1, 1))(autograd.ones(1, 8, 8)).sum()
    tensor(48.)
    """

    def __init__(
        self, p: float = 0.5, scale: Sequence[float] = (0.02, 0.33), ratio: Sequence[float] = (0.3, 3.3), value: Any = 0,
        generator: Generator | None = None,
    ) -> None:  # fmt: skip
        super().__init__(generator)
        self.p, self.value = probability("RandomErasing", p), value
        self.scale = span_of("RandomErasing", "scale", scale, least=0, most=1)
        self.ratio = span_of("RandomErasing", "ratio", ratio, least=1e-6)
        self.needs_float = isinstance(value, str)
        if self.needs_float and value != "random":
            raise ArgumentError(f"RandomErasing: value is a number, one for each channel, or 'random', got {value!r}")

    def transform(self, x: Any) -> Any:
        random, n, (h, w) = self.random, len(x), x.shape[2:]
        which = random.random(n) < self.p
        area = h * w * random.uniform(self.scale[0], self.scale[1], (n, 10))
        ratio = np.exp(random.uniform(math.log(self.ratio[0]), math.log(self.ratio[1]), (n, 10)))
        height, width = (np.rint(np.sqrt(v)).astype(np.int64) for v in (area * ratio, area / ratio))
        fits = (height < h) & (width < w)
        first = np.arange(n), fits.argmax(1)
        sizes = [np.where(which & fits.any(1), v[first], 0) for v in (height, width)]
        places = [random.integers(length - size + 1) for length, size in zip((h, w), sizes, strict=True)]
        value: Any
        if self.needs_float:
            value = random.standard_normal(x.shape, np.float64 if x.dtype == np.float64 else np.float32)
        else:
            value = np.asarray(self.value).reshape(-1, 1, 1)
            if len(value) not in (1, x.shape[1]):
                raise ShapeError(f"RandomErasing: {len(value)} values do not fit {x.shape[1]} channels")
        return np.where(rectangles(x, places, sizes), value.astype(x.dtype), x)


class ColorJitter(Transform):
    """Change brightness, contrast, saturation and hue of an image, in a random order (torchvision.transforms.ColorJitter).

    Each of the first three lies between 1 - v and 1 + v, or the two numbers given; 1 changes nothing. The hue turns by up
    to `hue` either way, at most 0.5, half of the circle. Images are floats from 0 to 1, or bytes, of 3 channels, red, green
    and blue, or of 1, where there is nothing to saturate or turn.

    >>> import autograd
    >>> red = autograd.tensor([1.0, 0.0, 0.0]).view(3, 1, 1)
    >>> ColorJitter(hue=(0.5, 0.5))(red).flatten()  # the colour on the other side of the circle
    tensor([0., 1., 1.])
    """

    def __init__(
        self, brightness: Any = 0, contrast: Any = 0, saturation: Any = 0, hue: Any = 0, generator: Generator | None = None
    ) -> None:
        super().__init__(generator)
        spans = [
            span_of("ColorJitter", name, value, 1.0, 0.0)
            for name, value in (("brightness", brightness), ("contrast", contrast), ("saturation", saturation))
        ]
        self.brightness, self.contrast, self.saturation = spans
        self.hue = span_of("ColorJitter", "hue", hue, 0.0, -0.5, 0.5)

    def transform(self, x: Any) -> Any:
        if x.shape[1] not in (1, 3):
            raise ShapeError(f"ColorJitter: images have 1 channel, or 3, red, green and blue, got {x.shape[1]}")
        if x.dtype.kind != "f" and x.dtype != np.uint8:
            raise DtypeError(f"ColorJitter needs images of floating-point numbers from 0 to 1, or bytes, got {x.dtype}")
        top = 255 if x.dtype == np.uint8 else 1
        spans = [
            (_brighten, self.brightness, 1),
            (_contrast, self.contrast, 1),
            (_saturate, self.saturation, 1),
            (_turn, self.hue, 0),
        ]
        spans = [(change, span, none) for change, span, none in spans if span != (none, none)]
        changes = [(change, self.random.uniform(span[0], span[1], (len(x), 1, 1, 1))) for change, span, _ in spans]
        order = self.random.permuted(np.tile(np.arange(len(changes)), (len(x), 1)), axis=1)

        def changed(x: Any) -> Any:
            x = x / x.dtype.type(top)
            for turn in order.T:
                for i, (change, amount) in enumerate(changes):
                    if (now := turn == i).any():
                        x[now] = np.clip(change(x[now], amount[now].astype(x.dtype)), 0, 1)
            return x * x.dtype.type(top)

        return in_floats(x, changed)


def _brighten(x: Any, amount: Any) -> Any:
    return x * amount


def _contrast(x: Any, amount: Any) -> Any:
    mean = _gray(x).mean((1, 2, 3), keepdims=True)
    return mean + (x - mean) * amount


def _saturate(x: Any, amount: Any) -> Any:
    gray = _gray(x)
    return gray + (x - gray) * amount


def _gray(x: Any) -> Any:
    """How bright colours look, by ITU-R BT.601."""
    return x if x.shape[1] == 1 else np.tensordot(x, np.array([0.299, 0.587, 0.114], x.dtype), (1, 0))[:, None]


def _turn(x: Any, amount: Any) -> Any:
    """Colours with another hue: that is how far around the circle red, green, blue they lie, from 0 to 6."""
    if x.shape[1] == 1:
        return x
    r, g, b = x[:, :1], x[:, 1:2], x[:, 2:]
    most = x.max(1, keepdims=True)
    chroma = most - x.min(1, keepdims=True)
    c = np.where(chroma == 0, 1, chroma)
    hue = np.where(most == r, (g - b) / c, np.where(most == g, 2 + (b - r) / c, 4 + (r - g) / c))
    place = (hue + 6 * amount + np.array([5, 3, 1], x.dtype).reshape(3, 1, 1)) % 6
    return most - chroma * np.clip(np.minimum(place, 4 - place), 0, 1)
