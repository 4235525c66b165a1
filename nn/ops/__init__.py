"""What is done with the outputs of a model that finds boxes or reads sequences: boxes compared and thinned out, CTC decoded."""

from . import boxes, ctc
from .boxes import *
from .ctc import *

__all__ = [*boxes.__all__, *ctc.__all__]
