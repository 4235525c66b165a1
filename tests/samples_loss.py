"""Records of the losses: how to draw calls, and the textbook's formula in NumPy, for classes and labels one by one."""

import itertools
import math

import numpy as np
from samples import PRIMITIVES, Sample
from strategies import BOOL, POSITIVE, REAL, SHARE, Domain, call, each

import nn.functional as F

WIDE = Domain(-2.1, 2.1)  # whose points lie at no distance of 1/2, 0.7 or 1 from each other, where some losses have kinks
SIGNS = Domain(-1, 1, (0,), 0.5, "i")
COUNTS = Domain(0, 4, (1,))  # at 1 Stirling's formula sets in
REDUCTIONS = "mean", "sum", "none"


# ---------------------------------------------------------------- references
def reduced(losses, reduction="mean"):
    return {"mean": np.mean, "sum": np.sum, "none": np.asarray, "batchmean": lambda x: np.sum(x) / (*np.shape(x), 1)[0]}[
        reduction
    ](losses)


def reference(each):
    """A loss by its formula for all elements, or whatever it makes one number of, at once."""

    def loss(*args, reduction="mean", **options):
        return reduced(each(*args, **options), reduction)

    return loss


def by_rows(each):
    """A loss by its formula for one row."""

    def loss(*args, reduction="mean", **options):
        if args[0].ndim == 1:
            return reduced(each(*args, **options), reduction)
        return reduced(np.array([each(*row, **options) for row in zip(*args, strict=True)]), reduction)

    return loss


def weighted(each):
    """A loss whose mean is weighted."""

    def loss(x, t, reduction="mean", weight=None):
        w = np.ones_like(x) if weight is None else weight
        return np.average(each(x - t), weights=w) if reduction == "mean" else reduced(w * each(x - t), reduction)

    return loss


def huber(x, t, delta=1.0, weight=1.0):
    d = abs(x - t)
    return weight * np.where(d < delta, d * d / 2, delta * (d - delta / 2))


def poisson_nll(x, t, log_input=True, full=False, eps=1e-8):
    stirling = np.where(t > 1, t * np.log(t) - t + np.log(2 * np.pi * t) / 2, 0) if full else 0
    return (np.exp(x) - t * x if log_input else x - t * np.log(x + eps)) + stirling


def gaussian_nll(x, t, var, full=False, eps=1e-6):
    var = np.asarray(var)[..., None] if 0 < np.ndim(var) < x.ndim else var
    return 0.5 * (np.log(np.maximum(var, eps)) + (x - t) ** 2 / np.maximum(var, eps) + full * np.log(2 * np.pi))


def bce(x, t, weight=1.0):
    return -weight * (t * np.log(x) + (1 - t) * np.log(1 - x))


def bce_with_logits(x, t, weight=1.0, pos_weight=1.0):
    return weight * (pos_weight * t * np.log1p(np.exp(-x)) + (1 - t) * np.log1p(np.exp(x)))


def focal(x, t, alpha=0.25, gamma=2.0):
    p = 1 / (1 + np.exp(-x))
    right = p * t + (1 - p) * (1 - t)
    return (1 if alpha is None else alpha * t + (1 - alpha) * (1 - t)) * (1 - right) ** gamma * bce_with_logits(x, t)


def regions(score):
    """A loss of `score`, a function of how much two regions share and how large each is: image by image, class by class."""

    def loss(x, t, smooth=1e-5):
        if t.ndim < x.ndim:
            t = np.stack([t == c for c in range(x.shape[1])], 1)
        pairs = [[(a.ravel(), b.ravel()) for a, b in zip(*images, strict=True)] for images in zip(x, t, strict=True)]
        return np.array([[1 - score(a @ b, a.sum(), b.sum(), smooth) for a, b in classes] for classes in pairs]).reshape(
            x.shape[:2]
        )

    return loss


def kl_div(x, t, log_target=False):
    return np.exp(t) * (t - x) if log_target else t * (np.log(t) - x)


def log_softmax(x):
    return x - np.log(np.sum(np.exp(x)))


def classes(score):
    """A loss of `score`, a function of the row of one example, its label and the weights: label by label."""

    def loss(x, t, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
        w = np.ones(x.shape[min(1, x.ndim - 1)]) if weight is None else weight
        rows = np.moveaxis(x, min(1, x.ndim - 1), -1).reshape(-1, w.size)
        if t.dtype.kind == "f":
            targets = np.moveaxis(t, min(1, x.ndim - 1), -1).reshape(-1, w.size)
            weights, total = np.ones(len(rows)), len(rows)
        else:
            counts = np.ravel(t) != ignore_index
            targets = [np.eye(w.size)[label if c else 0] for label, c in zip(np.ravel(t), counts, strict=True)]
            weights = counts * 1.0
            total = sum(w[label] for label in np.ravel(t)[counts])
        smooth = [(1 - label_smoothing) * target + label_smoothing / w.size for target in targets]
        losses = [-c * np.sum(w * target * score(row)) for row, target, c in zip(rows, smooth, weights, strict=True)]
        if reduction == "mean":
            return np.sum(losses) / total
        shape = t.shape if t.dtype.kind != "f" else np.delete(x.shape, min(1, x.ndim - 1))
        return np.sum(losses) if reduction == "sum" else np.reshape(np.array(losses, x.dtype), shape)

    return loss


def multi_margin(x, label, p=1, margin=1.0, weight=None):
    others = (max(0, margin - x[label] + x[i]) ** p for i in range(x.size) if i != label)
    return sum(others) / x.size * (1 if weight is None else weight[label])


def multilabel_margin(x, labels):
    right = list(itertools.takewhile(lambda label: label >= 0, labels))
    return sum(max(0, 1 - x[j] + x[i]) for j in right for i in range(x.size) if i not in right) / x.size


def cosine_embedding(x, y, sign, margin=0):
    cosine = x @ y / math.sqrt((x @ x + 1e-12) * (y @ y + 1e-12))
    return 1 - cosine if sign == 1 else max(0, cosine - margin)


def triplet_margin(anchor, positive, negative, margin=1.0, p=2, eps=1e-6, swap=False, distance_function=None):
    def distance(x, y):
        return np.sum(np.abs(x - y + eps) ** p) ** (1 / p) if distance_function is None else distance_function(x, y)

    far = distance(anchor, negative)
    return max(0, distance(anchor, positive) - (min(far, distance(positive, negative)) if swap else far) + margin)


def reads(path, blank):
    return [c for c, _ in itertools.groupby(path) if c != blank]


def ctc(x, targets, input_lengths, target_lengths, blank=0, reduction="mean", zero_infinity=False):
    """By the probabilities of all outputs that read as the labels."""
    rows = targets if targets.ndim == 2 else np.split(targets, np.cumsum(target_lengths)[:-1])
    losses = []
    for i, (times, many) in enumerate(zip(input_lengths, target_lengths, strict=True)):
        paths = itertools.product(range(x.shape[2]), repeat=times)
        good = (path for path in paths if reads(path, blank) == rows[i][:many].tolist())
        p = sum(math.exp(sum(x[t, i, c] for t, c in enumerate(path))) for path in good)
        losses.append(-math.log(p) if p else 0.0 if zero_infinity else math.inf)
    return reduced(np.array(losses) / np.maximum(target_lengths, 1) if reduction == "mean" else np.array(losses), reduction)


def ctc_step(a, e, skip, live):
    p = np.exp(a)
    return np.where(live, e + np.log(p[:, 2:] + p[:, 1:-1] + skip * p[:, :-2]), a[:, 2:])


def ctc_states(targets, lengths, longest, blank):
    rows = targets if targets.ndim == 2 else np.split(targets, np.cumsum(lengths)[:-1])
    out = np.full((len(lengths), 2 * longest + 1), blank)
    for row, labels, n in zip(out, rows, lengths, strict=True):
        row[1 : 2 * n : 2] = labels[:n]
    return out


# ---------------------------------------------------------------- how calls are drawn
def reduction(s, *more):
    """How to reduce, and how long at least the arrays are: there is no mean of nothing."""
    how = s.pick(None, *REDUCTIONS, *more)
    return ({} if how is None else {"reduction": how}), 0 if how in ("sum", "none") else 1


def alike(*domains, reductions=(), weights=(), **options):
    """Arrays of one shape, one for each domain, and perhaps weights."""

    def make(s):
        how, least = reduction(s, *reductions)
        shape = s.shape(least)
        arrays = [s.array(shape, d) for d in domains]
        more = {w: s.array(s.stretchable(shape) if stretch else shape, POSITIVE) for w, stretch in weights if s.pick(True, False)}
        return call(*arrays, **how, **more, **s.some(options))

    return make


def rows(*domains, labels=False, **options):
    """Rows, one for each domain, or many; and perhaps integers, one for each row, from the last domain."""

    def make(s):
        how, least = reduction(s)
        shape = (s.length(least), s.length(2))[s.pick(0, 0, 1) :]
        *first, last = domains
        arrays = [s.array(shape, d) for d in first]
        return call(*arrays, s.array(shape[:-1] if labels else shape, last), **how, **s.some(options))

    return make


def with_variances(s):
    how, least = reduction(s)
    shape = s.shape(least)
    shapes = [shape, shape[:-1]] if shape else [shape]
    if shape:
        i = s.between(0, len(shape) - 1)
        shapes.append((*shape[:i], 1, *shape[i + 1 :]))
    var = s.pick(s.number(POSITIVE), *(s.array(v, POSITIVE) for v in shapes))
    return call(s.array(shape), s.array(shape), var, **how, **s.some({"full": [True], "eps": [1e-3]}))


def with_classes(smooth=False, domain=REAL):
    """Scores and labels, or probabilities; weights, a label that does not count, and label smoothing."""

    def make(s):
        how, least = reduction(s)
        n = s.length(2)
        shape = s.pick((s.length(least), n), (s.length(least), n), (n,), (s.length(least), n, s.length(least)))
        at = min(1, len(shape) - 1)
        labels = shape[:at] + shape[at + 1 :]
        more = {"weight": s.array((n,), POSITIVE)} if s.pick(True, False) else {}
        if smooth and s.pick(True, False):
            more["label_smoothing"] = s.pick(0.2, 1.0)
        if smooth and s.pick(False, False, True):
            return call(s.array(shape, domain), s.array(shape, SHARE), **how, **more)
        target = s.positions(labels, n)
        if target.size > 1 and s.pick(True, False):
            more["ignore_index"] = ignored = s.pick(-100, 0, n - 1)
            target = target.copy()
            target.flat[0] = ignored
            target.flat[-1] = (ignored + 1) % n if ignored >= 0 else 0  # at least one counts
        return call(s.array(shape, domain), target, **how, **more)

    return make


def with_labels(s):
    how, least = reduction(s)
    n = s.length(2)
    shape = (s.length(least), n)[s.pick(0, 0, 1) :]
    more = {"weight": s.array((n,), POSITIVE)} if s.pick(True, False) else {}
    return call(s.array(shape, WIDE), s.positions(shape[:-1], n), **how, **more, **s.some({"p": [2], "margin": [0.5]}))


def with_regions(s):
    """Probabilities of classes, and how probable they should be, or labels."""
    how, least = reduction(s)
    n, classes, *size = shape = (s.length(least), s.length(1), s.length(1), *s.pick((), (2,)))
    target = s.pick(s.array(shape, SHARE), s.positions((n, *size), classes))
    return call(s.array(shape, SHARE), target, **how, **s.some({"smooth": [0.5]}))


def with_lists(s):
    how, least = reduction(s)
    shape = (s.length(least), s.length(1))[s.pick(0, 0, 1) :]
    return call(s.array(shape, WIDE), s.rng.integers(-1, shape[-1], shape), **how)


def city_block(x, y):
    return abs(x - y).sum(-1)


def triplets(**options):
    def make(s):
        how, least = reduction(s)
        shape = (s.length(least), s.length(1))[s.pick(0, 0, 1) :]
        chosen = s.some({"margin": [0.3, 2.0], "swap": [True], **options})
        return call(*(s.array(shape, WIDE) for _ in range(3)), **how, **chosen)

    return make


def to_align(in_a_row):
    """Outputs of three classes over one to four times and labels for them, as many as there is time for."""

    def make(s):
        how, _ = reduction(s)
        times, n, blank = s.between(1, 4), s.length(1), s.between(0, 2)
        input_lengths = s.rng.integers(0 if times > 1 else 1, times + 1, n)
        most = s.between(0, 2)
        target_lengths = np.minimum(s.rng.integers(0, most + 1, n), (input_lengths + 1) // 2)  # enough, also if labels repeat
        targets = (blank + s.rng.integers(1, 3, (n, most))) % 3
        if in_a_row:
            targets = np.concatenate([row[:many] for row, many in zip(targets, target_lengths, strict=True)])
        return call(
            s.array((times, n, 3)), targets, input_lengths, target_lengths, blank, **how, **s.some({"zero_infinity": [True]})
        )

    return make


def steps(s):
    n, states = s.length(1), s.pick(3, 1, 5)
    return call(s.array((n, states + 2)), s.array((n, states)), s.array((n, states), BOOL), s.array((n, 1), BOOL))


def state_calls(s):
    n, longest = s.length(1), s.between(0, 3)
    lengths = s.rng.integers(0, longest + 1, n)
    targets = s.rng.integers(1, 4, (n, longest))
    if s.pick(True, False):
        targets = np.concatenate([row[:many] for row, many in zip(targets, lengths, strict=True)])
    return call(targets, lengths, longest, 0)


# fmt: off
LOSS_SAMPLES = [
    Sample("huber", each(Domain(-3, 3, (-1, 1, -0.5, 0.5)), delta=[0.5]), lambda x, delta=1.0: huber(x, 0, delta)),
    Sample("mse_loss", lambda s: call(*(s.array(shape) for shape in [s.shape(1)] * 2)), lambda x, y: np.mean((x - y) ** 2)),
    Sample("ctc_step", steps, ctc_step, lambda *args: PRIMITIVES["ctc_step"](*args)[:, 2:],
           exempt={"anomaly": "what comes before the part that is looked at is minus infinity"}),
    Sample("ctc_states", state_calls, ctc_states, smooth=False),
    # ---- functions
    Sample("F.l1_loss", alike(WIDE, WIDE, weights=[("weight", False)]), weighted(np.abs), F.l1_loss),
    Sample("F.mse_loss", alike(REAL, REAL, weights=[("weight", False)]), weighted(np.square), F.mse_loss),
    Sample("F.smooth_l1_loss", alike(WIDE, WIDE, beta=[0.7, 2]), reference(lambda x, t, beta=1.0: huber(x, t, beta) / beta), F.smooth_l1_loss),
    Sample("F.huber_loss", alike(WIDE, WIDE, weights=[("weight", False)], delta=[0.7, 2]), reference(huber), F.huber_loss),
    Sample("F.poisson_nll_loss", alike(POSITIVE, COUNTS, log_input=[False], full=[True], eps=[1e-3]), reference(poisson_nll), F.poisson_nll_loss),
    Sample("F.gaussian_nll_loss", with_variances, reference(gaussian_nll), F.gaussian_nll_loss),
    Sample("F.binary_cross_entropy", alike(SHARE, SHARE, weights=[("weight", True)]), reference(bce), F.binary_cross_entropy),
    Sample("F.binary_cross_entropy_with_logits", alike(REAL, SHARE, weights=[("weight", True), ("pos_weight", True)]), reference(bce_with_logits), F.binary_cross_entropy_with_logits),
    Sample("F.sigmoid_focal_loss", alike(REAL, SHARE, alpha=[None, 0.7], gamma=[0.5, 1, 0]), reference(focal), F.sigmoid_focal_loss, exempt={"PyTorch": "torchvision has it, PyTorch not"}),
    Sample("F.dice_loss", with_regions, reference(regions(lambda both, a, b, smooth: (2 * both + smooth) / (a + b + smooth))), F.dice_loss, exempt={"PyTorch": "PyTorch has none"}),
    Sample("F.jaccard_loss", with_regions, reference(regions(lambda both, a, b, smooth: (both + smooth) / (a + b - both + smooth))), F.jaccard_loss, exempt={"PyTorch": "PyTorch has none"}),
    Sample("F.multilabel_soft_margin_loss", rows(REAL, SHARE), reference(lambda x, t: bce_with_logits(x, t).mean(-1)), F.multilabel_soft_margin_loss),
    Sample("F.kl_div", alike(REAL, POSITIVE, reductions=["batchmean"], log_target=[True]), reference(kl_div), F.kl_div),
    Sample("F.nll_loss", with_classes(domain=Domain(-3, -0.1)), classes(lambda row: row), F.nll_loss),
    Sample("F.cross_entropy", with_classes(True), classes(log_softmax), F.cross_entropy),
    Sample("F.multi_margin_loss", with_labels, by_rows(multi_margin), F.multi_margin_loss),
    Sample("F.multilabel_margin_loss", with_lists, by_rows(multilabel_margin), F.multilabel_margin_loss),
    Sample("F.soft_margin_loss", alike(REAL, SIGNS), reference(lambda x, t: np.log(1 + np.exp(-t * x))), F.soft_margin_loss),
    Sample("F.log_cosh_loss", alike(REAL, REAL), reference(lambda x, t: np.log(np.cosh(x - t))), F.log_cosh_loss, exempt={"PyTorch": "PyTorch has none"}),
    Sample("F.margin_ranking_loss", alike(WIDE, WIDE, SIGNS, margin=[0.5]), reference(lambda x, y, t, margin=0: np.maximum(0, margin - t * (x - y))), F.margin_ranking_loss),
    Sample("F.hinge_embedding_loss", alike(WIDE, SIGNS, margin=[0.5]), reference(lambda x, t, margin=1.0: np.where(t == 1, x, np.maximum(0, margin - x))), F.hinge_embedding_loss),
    Sample("F.cosine_embedding_loss", rows(REAL, REAL, SIGNS, labels=True, margin=[0.2, -0.5]), by_rows(cosine_embedding), F.cosine_embedding_loss),
    Sample("F.triplet_margin_loss", triplets(p=[1, 3], eps=[0.01]), by_rows(triplet_margin), F.triplet_margin_loss),
    Sample("F.triplet_margin_with_distance_loss", triplets(distance_function=[city_block]), by_rows(triplet_margin), F.triplet_margin_with_distance_loss),
    Sample("F.ctc_loss", to_align(False), ctc, F.ctc_loss),
    Sample("F.ctc_loss in a row", to_align(True), ctc, F.ctc_loss, exempt={"foreign": "how many labels there are at most is a Python number, from the host"}),
]
# fmt: on
