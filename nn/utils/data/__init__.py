"""Datasets, the order in which to go through them, DataLoader, which makes batches, and transforms (torch.utils.data)."""

from . import collate, dataset, loader, sampler, transforms, workers
from .collate import *
from .dataset import *
from .loader import *
from .sampler import *
from .workers import *

__all__ = [*collate.__all__, *dataset.__all__, *loader.__all__, *sampler.__all__, *workers.__all__, "transforms"]
