"""Film: pictures one after another, as a GIF or as a page with a player."""

from __future__ import annotations

import json
import os
from base64 import b64encode
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from autograd.errors import ArgumentError

from .common import figure_of, pyplot_for

__all__ = ["Film"]


class Film:
    """Pictures one after another. `add` takes one as it is at that moment, so it may be drawn again and again.

    `fps` is how many pictures a second shows, `dpi` how many pixels stand for an inch. What is added is what the functions of
    nn.plot return; its figure is then closed, so that pyplot does not keep it. All pictures have one size.

    >>> import autograd, nn
    >>> film = Film(fps=4)
    >>> for slope in (0.5, 0.3, 0.1):
    ...     film.add(nn.plot.activation(lambda x, slope=slope: nn.functional.leaky_relu(x, slope)), f"slope {slope}")
    >>> film
    <Film: 3 pictures, 0.8 s>
    >>> path = film.render("slopes.gif")  # doctest: +SKIP
    """

    def __init__(self, fps: float = 5.0, dpi: int = 100) -> None:
        if not fps > 0 or not dpi > 0:
            raise ArgumentError(f"plot.Film: fps and dpi are positive, got {fps!r} and {dpi!r}")
        self.fps, self.dpi = fps, dpi
        self.pictures: list[bytes] = []  # each a PNG
        self.captions: list[str] = []

    def add(self, picture: Any, caption: str = "") -> None:
        """Take a picture as it is now; the caption stands below it in a page."""
        figure, file = figure_of(picture), BytesIO()
        figure.savefig(file, format="png", dpi=self.dpi, bbox_inches=None)
        pyplot_for("plot.Film").close(figure)
        new = file.getvalue()
        if self.pictures and (sizes := [_size(self.pictures[0]), _size(new)])[0] != sizes[1]:
            raise ArgumentError("plot.Film: pictures have one size, this is {1[0]} x {1[1]}, not {0[0]} x {0[1]}".format(*sizes))
        self.pictures.append(new)
        self.captions.append(str(caption))

    def __len__(self) -> int:
        return len(self.pictures)

    def __repr__(self) -> str:
        return f"<Film: {len(self)} picture{'s' * (len(self) != 1)}, {len(self) / self.fps:.1f} s>"

    def render(self, path: str | os.PathLike[str]) -> Path:
        """Write a `.gif`, a `.html` page, one file with a player, or as a `.png` the last picture; return the path.

        Raises ArgumentError for another suffix, or if there is no picture.
        """
        path = Path(path)
        kind = path.suffix.lower()
        if kind not in (".gif", ".html", ".png"):
            raise ArgumentError(f"plot.Film: path ends in .gif, .html or .png, got {path.name!r}")
        self._some()
        path.write_bytes(self._gif() if kind == ".gif" else self.html().encode() if kind == ".html" else self.pictures[-1])
        return path

    def _some(self) -> None:
        if not self.pictures:
            raise ArgumentError("plot.Film: there are no pictures yet; add() some")

    def _gif(self) -> bytes:
        """One palette for all pictures, so that what stays the same from one to the next is stored once."""
        from PIL import Image

        images = [Image.open(BytesIO(png)).convert("RGB") for png in self.pictures]
        some = images[:: -(-len(images) // 8)]
        mosaic = np.concatenate([np.asarray(image) for image in some])
        palette = Image.fromarray(mosaic).quantize(255)
        colours = np.array(palette.getpalette()).reshape(-1, 3)
        frames = []
        for image in images:  # each pixel gets the very nearest colour: Pillow would round, and make grey of white
            codes, places = np.unique(np.asarray(image) @ np.array([1 << 16, 1 << 8, 1]), return_inverse=True)
            found = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], 1)
            nearest = ((found**2).sum(1)[:, None] - 2 * found @ colours.T + (colours**2).sum(1)).argmin(1)
            frames.append(Image.fromarray(nearest.astype(np.uint8)[places.reshape(image.height, image.width)]))
            frames[-1].putpalette(palette.getpalette() or [])
        lasts = [1000 / self.fps] * (len(frames) - 1) + [max(1000 / self.fps, 2000)]  # it rests on the last
        file = BytesIO()
        frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=lasts, loop=0)
        return file.getvalue()

    def html(self) -> str:
        """One page that needs nothing else: the pictures, play and pause, steps, a slider, and keys for these."""
        self._some()
        pictures = [f"data:image/png;base64,{b64encode(png).decode()}" for png in self.pictures]
        data = {"pictures": pictures, "captions": self.captions, "fps": self.fps}
        template = Path(__file__).with_name("player.html").read_text(encoding="utf-8")
        return template.replace("/* the film */", json.dumps(data).replace("<", "\\u003c"))

    def _repr_html_(self) -> str:
        """What notebooks show: the player."""
        if not self.pictures:
            return escape(repr(self))
        width, height = _size(self.pictures[0])
        style = f"border:0;width:100%;max-width:{width + 20}px;height:{height + 95}px"
        return f'<iframe srcdoc="{escape(self.html())}" sandbox="allow-scripts" style="{style}"></iframe>'


def _size(png: bytes) -> tuple[int, int]:
    """Width and height of a PNG, which stand in its first bytes."""
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")
