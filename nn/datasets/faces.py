"""Pictures of faces, made up on the spot: of each person several, from another place, in another light, with another mouth."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.api.creation import from_numpy
from autograd.api.random import Generator

from .generated import _check, _source

__all__ = ["make_faces"]


def make_faces(
    n_people: int = 100, n_pictures: int = 8, size: int = 24, generator: Generator | None = None
) -> tuple[Any, Any]:  # fmt: skip
    """Grey pictures of faces, for verification: are two of one person? Shapes: (people, pictures, 1, size, size), (people, 10).

    Images are float32, mostly from 0 to 1. The second are the ten numbers from -1 to 1 that a person is: width and length of
    the face, skin, hair, fringe, distance and size of the eyes, slant of the brows, height and width of the mouth. What differs
    between pictures of a person, and so says nothing about who it is: the place, size and tilt, the light, the smile, and noise.
    All randomness comes from `generator` or the default one. Raises ArgumentError.

    >>> images, people = make_faces(20, n_pictures=3)
    >>> images.shape, people.shape
    ((20, 3, 1, 24, 24), (20, 10))
    """
    _check("make_faces", n_people=(n_people, 1), n_pictures=(n_pictures, 1), size=(size, 8))
    random, n = _source(generator), (n_people, n_pictures, 1, 1)
    people = random.uniform(-1, 1, (n_people, 10))
    of = people.T[:, :, None, None, None]  # of[i] is number i of each person
    side = np.linspace(-1, 1, size)
    tilt, scale = random.normal(0, 0.06, n), random.normal(1, 0.04, n)
    x0, y0 = side + random.normal(0, 0.06, n), side[:, None] + random.normal(0, 0.06, n)
    x, y = (x0 + tilt * y0) / scale, (y0 - tilt * x0) / scale

    skin, hair = 0.75 + 0.12 * of[2], 0.3 + 0.25 * of[3]
    smile, apart = random.normal(0, 0.3, n), abs(x) - 0.27 - 0.07 * of[5]  # from the middle of an eye
    brow = y + 0.27 + 0.5 * of[7] * apart
    parts = [  # each painted over those before: inside where it is negative, and how bright
        (np.hypot(x / (0.75 + 0.1 * of[0]), (y + 0.05) / 0.95) - 1, hair),
        (np.hypot(x / (0.6 + 0.1 * of[0]), (y - 0.1) / (0.75 + 0.06 * of[1])) - 1, skin),
        (np.maximum(y + 0.42 + 0.12 * of[4], abs(x) - 0.6), hair),  # a fringe
        (np.maximum(abs(x) - 0.04, abs(y - 0.1) - 0.1 - 0.05 * of[1]), skin - 0.25),  # the nose
        (np.hypot(apart, y + 0.1) - 0.1 - 0.035 * of[6], 0.05),
        (np.maximum(abs(brow) - 0.035, abs(apart) - 0.12), hair - 0.1),
        (np.maximum(abs(y - 0.5 - 0.06 * of[8] + smile * x**2) - 0.05, abs(x) - 0.25 - 0.1 * of[9]), 0.2),
    ]
    picture = np.full((*n[:2], size, size), 0.3)
    for level, brightness in parts:
        cover = 1 / (1 + np.exp(np.clip(20 * level, -50, 50)))  # smooth at the edge
        picture = picture * (1 - cover) + brightness * cover
    light = random.normal(1, 0.15, n) + random.normal(0, 0.2, n) * side + random.normal(0, 0.2, n) * side[:, None]
    images = picture * light + random.normal(0, 0.04, picture.shape)
    return from_numpy(images.astype(np.float32)[:, :, None]), from_numpy(people.astype(np.float32))
