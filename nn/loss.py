"""Losses as modules: each is made from the function of the same meaning in nn.functional, which documents and checks it."""

from __future__ import annotations

from typing import Any, ClassVar

from . import functional as F
from .distance import PairwiseDistance
from .function_module import _FunctionModule
from .functional.loss import check_reduction, warn_of_probabilities

__all__ = [
    "BCELoss", "BCEWithLogitsLoss", "CTCLoss", "CosineEmbeddingLoss", "CrossEntropyLoss", "DiceLoss", "GaussianNLLLoss",
    "HingeEmbeddingLoss", "HuberLoss", "JaccardLoss", "KLDivLoss", "L1Loss", "LogCoshLoss", "MSELoss", "MarginRankingLoss",
    "MultiLabelMarginLoss", "MultiLabelSoftMarginLoss", "MultiMarginLoss", "NLLLoss", "PoissonNLLLoss", "SigmoidFocalLoss",
    "SmoothL1Loss", "SoftMarginLoss", "TripletMarginLoss", "TripletMarginWithDistanceLoss",
]  # fmt: skip


class _Loss(_FunctionModule, shown=""):
    reductions: ClassVar[tuple[str, ...]] = ("mean", "sum", "none")

    def __post_init__(self) -> None:
        check_reduction(type(self).__name__, self.reduction, self.reductions)


# fmt: off
# ---------------------------------------------------------------- how far numbers are from others
class L1Loss(_Loss, of=F.l1_loss, options="* reduction"):
    """|input - target| (torch.nn.L1Loss). Shape: two of one shape; the result is a number, or of that shape if not reduced."""

class LogCoshLoss(_Loss, of=F.log_cosh_loss): ...


class MSELoss(_Loss, of=F.mse_loss, options="* reduction"):
    """(input - target)**2 (torch.nn.MSELoss). Shape: two of one shape; the result is a number, or of that shape if not reduced.

    >>> import autograd
    >>> MSELoss()(autograd.tensor([1.0, 2.0]), autograd.tensor([1.0, 4.0]))
    tensor(2.)
    """

class HuberLoss(_Loss, of=F.huber_loss, options="reduction delta"):
    """(input - target)**2 / 2 where they are closer than `delta`, delta * (|input - target| - delta / 2) elsewhere.

    Shape: two of one shape. Huber 1964; PyTorch: torch.nn.HuberLoss.
    """

class SmoothL1Loss(_Loss, of=F.smooth_l1_loss): ...
class PoissonNLLLoss(_Loss, of=F.poisson_nll_loss): ...
class GaussianNLLLoss(_Loss, of=F.gaussian_nll_loss, options="* full eps reduction"): ...

# ---------------------------------------------------------------- how far probabilities are from others
class BCELoss(_Loss, of=F.binary_cross_entropy):
    """-(target * log(input) + (1 - target) * log(1 - input)), for the output of Sigmoid (torch.nn.BCELoss).

    Shape: two of one shape, to which `weight` broadcasts.
    """

class KLDivLoss(_Loss, of=F.kl_div):
    reductions = ("mean", "sum", "none", "batchmean")

class BCEWithLogitsLoss(_Loss, of=F.binary_cross_entropy_with_logits): ...
class SigmoidFocalLoss(_Loss, of=F.sigmoid_focal_loss): ...
class DiceLoss(_Loss, of=F.dice_loss): ...
class JaccardLoss(_Loss, of=F.jaccard_loss): ...
class MultiLabelSoftMarginLoss(_Loss, of=F.multilabel_soft_margin_loss): ...

# ---------------------------------------------------------------- labels
class NLLLoss(_Loss, of=F.nll_loss):
    """-input[label], the log-probability of the right class, for the output of LogSoftmax (torch.nn.NLLLoss).

    Shape: (n, classes, ...) with labels (n, ...), or (classes,) with (); `weight` (classes,).
    """

class CrossEntropyLoss(_Loss, of=F.cross_entropy):
    """-log(softmax(input)[label]), for logits, of which it takes the softmax itself (torch.nn.CrossEntropyLoss).

    If what it is called with first is the output of a softmax already, it warns. Shape: (n, classes, ...) with labels
    (n, ...), or probabilities (n, classes, ...); or (classes,) with () or (classes,); `weight` (classes,).

    >>> import autograd
    >>> loss = CrossEntropyLoss()
    >>> loss(autograd.tensor([[2.0, 0.0, 0.0]]), autograd.tensor([0]))
    tensor(0.2395)
    >>> loss(autograd.zeros(2, 3), autograd.tensor([0, 3]))
    Traceback (most recent call last):
        ...
    autograd.errors.DimError: CrossEntropyLoss(): cross_entropy: label 3 at position 1 is not one of the 3 classes, 0 to 2
    """

    _looked = False

    def forward(self, input: Any, target: Any) -> Any:
        loss = super().forward(input, target)
        self._looked = self._looked or warn_of_probabilities("CrossEntropyLoss", input)
        return loss

class MultiMarginLoss(_Loss, of=F.multi_margin_loss): ...
class MultiLabelMarginLoss(_Loss, of=F.multilabel_margin_loss): ...
class SoftMarginLoss(_Loss, of=F.soft_margin_loss): ...
class CTCLoss(_Loss, of=F.ctc_loss): ...

# ---------------------------------------------------------------- which is closer, which is larger
class MarginRankingLoss(_Loss, of=F.margin_ranking_loss): ...
class HingeEmbeddingLoss(_Loss, of=F.hinge_embedding_loss): ...
class CosineEmbeddingLoss(_Loss, of=F.cosine_embedding_loss): ...
class TripletMarginLoss(_Loss, of=F.triplet_margin_loss): ...

class TripletMarginWithDistanceLoss(_Loss, of=F.triplet_margin_with_distance_loss):
    distance_function: Any

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.distance_function is None:
            self.distance_function = PairwiseDistance()
