"""Losses as modules: each calls the function of the same meaning in nn.functional, which checks its inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import functional as F
from .distance import PairwiseDistance
from .functional.loss import check_reduction, warn_of_probabilities
from .module import Module

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CTCLoss",
    "CosineEmbeddingLoss",
    "CrossEntropyLoss",
    "GaussianNLLLoss",
    "HingeEmbeddingLoss",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "MSELoss",
    "MarginRankingLoss",
    "MultiLabelMarginLoss",
    "MultiLabelSoftMarginLoss",
    "MultiMarginLoss",
    "NLLLoss",
    "PoissonNLLLoss",
    "SmoothL1Loss",
    "SoftMarginLoss",
    "TripletMarginLoss",
    "TripletMarginWithDistanceLoss",
]


class _Loss(Module):
    """What losses share. `reduction` is 'mean', 'sum' or 'none'; weights are buffers, other options attributes."""

    function: Any  # which computes it; the options are arguments of the same names
    reductions: tuple[str, ...] = ("mean", "sum", "none")

    def __init__(self, reduction: str, **options: Any) -> None:
        super().__init__()
        check_reduction(type(self).__name__, reduction, self.reductions)
        self.reduction = reduction
        for name, value in options.items():
            if name in ("weight", "pos_weight"):
                self.register_buffer(name, value)
            else:
                setattr(self, name, value)
        self._options = ("reduction", *options)

    def forward(self, *inputs: Any, **named: Any) -> Any:
        own = self.__dict__ | self._buffers | self._modules
        return type(self).function(*inputs, **named, **{name: own[name] for name in self._options})


# ---------------------------------------------------------------- how far numbers are from others
class L1Loss(_Loss):
    """|input - target| (torch.nn.L1Loss). Shape: two of one shape; the result is a number, or of that shape if not reduced."""

    function = staticmethod(F.l1_loss)

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction)


class MSELoss(_Loss):
    """(input - target)**2 (torch.nn.MSELoss). Shape: two of one shape; the result is a number, or of that shape if not reduced.

    >>> import autograd
    >>> MSELoss()(autograd.tensor([1.0, 2.0]), autograd.tensor([1.0, 4.0]))
    tensor(2.)
    """

    function = staticmethod(F.mse_loss)

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction)


class SmoothL1Loss(_Loss):
    """(input - target)**2 / (2 * beta) where they are closer than `beta`, |input - target| - beta / 2 elsewhere.

    Shape: two of one shape. Girshick 2015; PyTorch: torch.nn.SmoothL1Loss.
    """

    function = staticmethod(F.smooth_l1_loss)

    def __init__(self, *, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction, beta=beta)


class HuberLoss(_Loss):
    """(input - target)**2 / 2 where they are closer than `delta`, delta * (|input - target| - delta / 2) elsewhere.

    Shape: two of one shape. Huber 1964; PyTorch: torch.nn.HuberLoss.
    """

    function = staticmethod(F.huber_loss)

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction, delta=delta)


class PoissonNLLLoss(_Loss):
    """exp(input) - target * input, for counts and the logarithm of their rate; without `log_input`, for the rate itself.

    That is input - target * log(input + eps). `full` adds log(target!) by Stirling's formula. Shape: two of one shape.
    PyTorch: torch.nn.PoissonNLLLoss.
    """

    function = staticmethod(F.poisson_nll_loss)

    def __init__(self, log_input: bool = True, full: bool = False, *, eps: float = 1e-08, reduction: str = "mean") -> None:
        super().__init__(reduction, log_input=log_input, full=full, eps=eps)


class GaussianNLLLoss(_Loss):
    """(log(var) + (input - target)**2 / var) / 2, for a predicted mean and variance; `full` adds log(2 * pi) / 2.

    Shape: input and target of one shape; `var` of that too, or with one dim of length 1, or without the last. Nix and
    Weigend 1994; PyTorch: torch.nn.GaussianNLLLoss.

    >>> import autograd
    >>> GaussianNLLLoss()(autograd.tensor([1.0]), autograd.tensor([3.0]), autograd.tensor([1.0]))
    tensor(2.)
    """

    function = staticmethod(F.gaussian_nll_loss)

    def __init__(self, *, full: bool = False, eps: float = 1e-06, reduction: str = "mean") -> None:
        super().__init__(reduction, full=full, eps=eps)


# ---------------------------------------------------------------- how far probabilities are from others
class BCELoss(_Loss):
    """-(target * log(input) + (1 - target) * log(1 - input)), for the output of Sigmoid (torch.nn.BCELoss).

    Shape: two of one shape, to which `weight` broadcasts.
    """

    function = staticmethod(F.binary_cross_entropy)

    def __init__(self, weight: Any = None, *, reduction: str = "mean") -> None:
        super().__init__(reduction, weight=weight)


class BCEWithLogitsLoss(_Loss):
    """BCELoss of sigmoid(input), without overflow (torch.nn.BCEWithLogitsLoss).

    `pos_weight` multiplies the part of the loss that `target` weighs; above 1, it makes positive examples count for more.
    Shape: two of one shape, to which `weight` and `pos_weight` broadcast.
    """

    function = staticmethod(F.binary_cross_entropy_with_logits)

    def __init__(self, weight: Any = None, *, reduction: str = "mean", pos_weight: Any = None) -> None:
        super().__init__(reduction, weight=weight, pos_weight=pos_weight)


class MultiLabelSoftMarginLoss(_Loss):
    """BCEWithLogitsLoss averaged over the classes, the last dim, for several labels each (torch.nn.MultiLabelSoftMarginLoss).

    Shape: two of shape (..., classes) give (...), if not reduced.
    """

    function = staticmethod(F.multilabel_soft_margin_loss)

    def __init__(self, weight: Any = None, *, reduction: str = "mean") -> None:
        super().__init__(reduction, weight=weight)


class KLDivLoss(_Loss):
    """target * (log(target) - input), for log-probabilities `input` (torch.nn.KLDivLoss).

    `reduction` may also be 'batchmean', the sum divided by the length of the first dim, which is the divergence. With
    `log_target`, `target` holds logarithms too. Shape: two of one shape. Kullback and Leibler 1951.
    """

    function = staticmethod(F.kl_div)
    reductions = ("mean", "sum", "none", "batchmean")

    def __init__(self, *, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__(reduction, log_target=log_target)


# ---------------------------------------------------------------- labels
class NLLLoss(_Loss):
    """-input[label], the log-probability of the right class, for the output of LogSoftmax (torch.nn.NLLLoss).

    Shape: (n, classes, ...) with labels (n, ...), or (classes,) with (); `weight` (classes,).
    """

    function = staticmethod(F.nll_loss)

    def __init__(self, weight: Any = None, *, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(reduction, weight=weight, ignore_index=ignore_index)


class CrossEntropyLoss(_Loss):
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

    function = staticmethod(F.cross_entropy)

    def __init__(
        self, weight: Any = None, *, ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.0
    ) -> None:
        super().__init__(reduction, weight=weight, ignore_index=ignore_index, label_smoothing=label_smoothing)
        self._looked = False

    def forward(self, input: Any, target: Any) -> Any:
        loss = super().forward(input, target)
        self._looked = self._looked or warn_of_probabilities("CrossEntropyLoss", input)
        return loss


class MultiMarginLoss(_Loss):
    """sum(max(0, margin - input[label] + input[i]) ** p for i != label) / classes (torch.nn.MultiMarginLoss).

    Shape: (n, classes) with labels (n,), or (classes,) with (); `weight` (classes,). Crammer and Singer 2001.
    """

    function = staticmethod(F.multi_margin_loss)

    def __init__(self, p: int = 1, margin: float = 1.0, weight: Any = None, *, reduction: str = "mean") -> None:
        super().__init__(reduction, p=p, margin=margin, weight=weight)


class MultiLabelMarginLoss(_Loss):
    """sum(max(0, 1 - input[j] + input[i]) for j right and i not) / classes (torch.nn.MultiLabelMarginLoss).

    Shape: (n, classes) or (classes,), and the lists of right classes in the same shape, each up to the first -1.
    """

    function = staticmethod(F.multilabel_margin_loss)

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction)


class SoftMarginLoss(_Loss):
    """log(1 + exp(-target * input)), for labels 1 and -1 (torch.nn.SoftMarginLoss). Shape: two of one shape."""

    function = staticmethod(F.soft_margin_loss)

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction)


class CTCLoss(_Loss):
    """-log(the probability that an output over time reads as its labels), over all ways to do so (torch.nn.CTCLoss).

    Shape: log-probabilities (times, n, classes), labels (n, most) or all in a row, lengths (n,) of both. Graves et al. 2006.

    >>> import autograd
    >>> log_probs = autograd.zeros(5, 1, 3).log_softmax(2)
    >>> CTCLoss()(log_probs, autograd.tensor([[1, 2]]), [5], [2])
    tensor(0.9689)
    """

    function = staticmethod(F.ctc_loss)

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> None:
        super().__init__(reduction, blank=blank, zero_infinity=zero_infinity)


# ---------------------------------------------------------------- which is closer, which is larger
class MarginRankingLoss(_Loss):
    """max(0, -target * (input1 - input2) + margin): the first is to be larger if target is 1, smaller if it is -1.

    Shape: three of one shape. PyTorch: torch.nn.MarginRankingLoss.
    """

    function = staticmethod(F.margin_ranking_loss)

    def __init__(self, margin: float = 0.0, *, reduction: str = "mean") -> None:
        super().__init__(reduction, margin=margin)


class HingeEmbeddingLoss(_Loss):
    """`input` where target is 1, max(0, margin - input) where it is -1 (torch.nn.HingeEmbeddingLoss). Shape: two of one shape."""

    function = staticmethod(F.hinge_embedding_loss)

    def __init__(self, margin: float = 1.0, *, reduction: str = "mean") -> None:
        super().__init__(reduction, margin=margin)


class CosineEmbeddingLoss(_Loss):
    """1 - cos(input1, input2) where target is 1, max(0, cos(input1, input2) - margin) where it is -1.

    Shape: (n, d), (n, d) and (n,), or (d,), (d,) and (). PyTorch: torch.nn.CosineEmbeddingLoss.
    """

    function = staticmethod(F.cosine_embedding_loss)

    def __init__(self, margin: float = 0.0, *, reduction: str = "mean") -> None:
        super().__init__(reduction, margin=margin)


class TripletMarginLoss(_Loss):
    """max(0, |anchor - positive| - |anchor - negative| + margin), with `p`-norms (torch.nn.TripletMarginLoss).

    Shape: three times (n, d) or (d,). Balntas et al. 2016.
    """

    function = staticmethod(F.triplet_margin_loss)

    def __init__(
        self, margin: float = 1.0, p: float = 2.0, eps: float = 1e-06, swap: bool = False, *, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction, margin=margin, p=p, eps=eps, swap=swap)


class TripletMarginWithDistanceLoss(_Loss):
    """max(0, d(anchor, positive) - d(anchor, negative) + margin), with any distance d (torch.nn.TripletMarginWithDistanceLoss).

    Shape: three of one shape, of which `distance_function` makes one number for each of the first dim.
    """

    function = staticmethod(F.triplet_margin_with_distance_loss)

    def __init__(
        self, *, distance_function: Callable[[Any, Any], Any] | None = None,
        margin: float = 1.0, swap: bool = False, reduction: str = "mean",
    ) -> None:  # fmt: skip
        distance = PairwiseDistance() if distance_function is None else distance_function
        super().__init__(reduction, distance_function=distance, margin=margin, swap=swap)
