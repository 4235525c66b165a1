"""How good outputs are: measures that are fed batch by batch, and the same as functions of one batch.

A metric is an object: `update(output, target)` takes in a batch, `compute()` says the value of all since `reset()`. What
it says is exact, however the examples were cut into batches. `accuracy(output, target)` is `Accuracy` of one batch, and
so on; the options of the class are those of the function. Values are Python floats, or Tensors where there are several.
Those of texts and of boxes, in `text` and `detection`, say themselves what they are fed with.

Outputs and targets are Tensors or arrays. Where a metric is about classes, `target` holds their numbers, from 0, and
`output` is one of three: scores, floats with the classes in dim 1 as in PyTorch's losses, of which the largest counts;
probabilities of class 1, floats of the shape of target, which count as 1 above `threshold`; or labels, integers of the
shape of target. Targets that are `ignore_index` are left out.

Precision, Recall, F1, IoU and Dice give each class a score, and average these as scikit-learn does. `average` is "binary":
the score of class 1, where there are only 0 and 1; "micro": of all classes as if one; "macro": the mean over classes;
"weighted": that mean weighted by how often they are there; None: the scores themselves. The classes are all below
`num_classes`, or else those that occur, in outputs or targets. A score that would be 0 / 0 is 0.

>>> import autograd, nn
>>> metric = nn.metrics.Accuracy()
>>> metric.update(autograd.tensor([[0.1, 0.9], [0.8, 0.2]]), autograd.tensor([1, 1]))
>>> metric.update(autograd.tensor([[0.3, 0.7]]), autograd.tensor([1]))
>>> metric.compute(), nn.metrics.accuracy([0, 1, 1], [0, 1, 0])
(0.6666666666666666, 0.6666666666666666)
"""

from . import classes, detection, metric, numbers, scores, text
from .metric import *
from .classes import *
from .scores import *
from .numbers import *
from .text import *
from .detection import *

__all__ = [*classes.__all__, *detection.__all__, *metric.__all__, *numbers.__all__, *scores.__all__, *text.__all__]
