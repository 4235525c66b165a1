"""A recording that shows itself: as a page of its own, and in notebooks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..errors import AutogradError
from .layout import places
from .page import frame, page, write_page
from .record import Recording


class Watched(Recording):
    """A Recording, as `autograd.watch` makes it."""

    def html(self, path: str | os.PathLike[str], backward: int = -1, title: str = "") -> Path:
        """Write a page in which one steps through the pass and back, in any browser, without a network; return its path.

        Forward, each op is a step; backward, each contribution to a gradient is one, with the rule as a formula and in
        numbers. Modules, and what is repeated, are opened and closed by a click, or by m and n; the steps in a closed one
        are taken at once. The address keeps the step and what is open. `backward` says which one, if several were heard.
        Raises ArgumentError if there is nothing to show or too much, RenderError where no Graphviz can be found.
        """
        return write_page(path, page(self, places, backward, title))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """What notebooks show: the page, or text where there is no Graphviz or nothing to show."""
        try:
            return {"text/plain": repr(self), "text/html": frame(page(self, places))}
        except AutogradError:
            return {"text/plain": repr(self)}
