"""Pictures of networks and of their training, drawn by matplotlib, which is imported when the first is asked for.

Each function draws into `ax`, Axes of matplotlib, if it is given them, and else makes a figure; it returns the Axes, an array of
them where there are several panels. `Film` takes any of these pictures as they change: a GIF, or a page with a player. Curves
and areas are in Okabe and Ito's colours, which colour-blind readers can tell apart. `docs/gallery.py` makes one of each.

>>> import autograd, nn
>>> ax = nn.plot.activation("tanh")
>>> [text.get_text() for text in ax.get_legend().get_texts()]
['tanh', 'its derivative']
>>> ax.figure.savefig("tanh.png")  # doctest: +SKIP
"""

from .classes import *
from .curves import *
from .descent import *
from .film import *
from .grids import *
from .layers import *
from .network import *
