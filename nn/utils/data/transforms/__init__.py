"""Transforms of images, to normalize and to augment them: on one, (C, H, W), or on a batch, (N, C, H, W), tensor or array.

They leave the dtype as it is, and give a tensor for a tensor and an array for an array. Random ones draw anew for each image
of a batch, from `generator` or the default one, so a whole batch is augmented in one call in the training loop; in a dataset
they work on its examples. Names and arguments are torchvision's where it has them.

>>> import autograd
>>> augment = Compose([RandomHorizontalFlip(), RandomShift(2), Normalize((0.5,), (0.25,))])
>>> augment(autograd.rand(16, 1, 8, 8)).shape
(16, 1, 8, 8)
"""

from . import base, batches, places, values
from .base import *
from .values import *
from .places import *
from .batches import *

__all__ = [*base.__all__, *batches.__all__, *places.__all__, *values.__all__]
