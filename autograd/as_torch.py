"""Lets `import torch` find this library, once `import autograd.as_torch` was run: for PyTorch files left as they are."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType

import autograd

from .api.creation import Size
from .api.torch_paths import PATHS, find
from .engine.tensor import Tensor
from .errors import MissingError


class _Absent(importlib.abc.MetaPathFinder):
    """Says of modules of PyTorch that are not here that they are not; Python would look for them in our own folders."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name.startswith("torch."):
            raise MissingError(f"{name}: this module of PyTorch has no counterpart in autograd or nn")
        return None


def install() -> None:
    """Let `import torch`, and all that `PATHS` names below it, find this library. Raises MissingError beside PyTorch itself."""
    found = sys.modules.get("torch")
    if found is autograd:
        return
    if found is not None:
        raise MissingError("PyTorch itself was imported already, so torch cannot mean autograd; import autograd.as_torch first")
    Tensor.shape = property(lambda self: Size(self.array.shape))  # with numel(), for such a program
    sys.modules |= {"torch": autograd} | {f"torch.{path}": find(path) for path in PATHS}
    sys.meta_path.insert(0, _Absent())


install()
