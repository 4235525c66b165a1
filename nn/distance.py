"""Distances as modules, each made from the function of the same meaning in nn.functional."""

from __future__ import annotations

from . import functional as F
from .function_module import _FunctionModule

__all__ = ["CosineSimilarity", "PairwiseDistance"]


# fmt: off
class CosineSimilarity(_FunctionModule, of=F.cosine_similarity, shown=""): ...
class PairwiseDistance(_FunctionModule, of=F.pairwise_distance, shown=""):
    norm = property(lambda self: self.p)  # PyTorch's name for it
