"""Data to learn from: shipped, from scikit-learn, downloaded, and made up; each as a dataset for nn.utils.data.DataLoader."""

from . import faces, generated, images, shapes, shipped, tables
from .faces import *
from .shipped import *
from .generated import *
from .images import *
from .shapes import *
from .tables import *

__all__ = [*faces.__all__, *generated.__all__, *images.__all__, *shapes.__all__, *shipped.__all__, *tables.__all__]
