"""The records of nn.functional's activations, dropouts, normalizations, attention, tables and distances, and of their primitives."""

import math

import numpy as np
from samples import HOST, Sample
from strategies import BOOL, NONZERO, POSITIVE, REAL, Domain, call, each, over, shaped

import nn.functional as F
import nn.ops
from autograd.api.random import Generator
from autograd.engine.primitive import PRIMITIVES

# ---------------------------------------------------------------- references, by definition

WIDE = {"half": "computed in single precision, as PyTorch's is"}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def cdf(x):
    return np.vectorize(lambda v: math.erfc(-v / 2**0.5) / 2, otypes=[float])(x)


def gelu(x, approximate="none"):
    return x * cdf(x) if approximate == "none" else x / 2 * (1 + np.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3)))


def bent(x, slope):
    return np.where(x > 0, x, x * slope)


def prelu(x, weight):
    return bent(x, weight if weight.size == 1 else weight.reshape(-1, *(1,) * (x.ndim - 2)))


def elu(x, alpha=1.0, divisor=1.0, scale=1.0):
    return scale * np.where(x > 0, x, alpha * (np.exp(x / divisor) - 1))


def softplus(x, beta=1.0, threshold=20.0):
    return np.where(x * beta > threshold, x, np.log1p(np.exp(x * beta)) / beta)


def glu(x, dim=-1):
    a, b = np.split(x, 2, dim)
    return a * sigmoid(b)


def softmax(x, dim):
    return np.exp(x) / np.sum(np.exp(x), dim, keepdims=True)


def gumbel(x, tau=1, dim=-1):
    tiny = np.finfo(x.dtype).tiny
    u = np.random.default_rng(0).random(x.shape, x.dtype) * (1 - tiny) + tiny
    return softmax((x - np.log(-np.log(u))) / tau, dim)


def p_norm(x, p, dim, keepdims=False):
    return np.sum(np.abs(x) ** p, dim, keepdims=keepdims) ** (1 / p)


def kept(shape, p):
    return np.random.default_rng(0).random(shape, np.float32) < 1 - p


def dropout(x, p=0.5, lead=None):
    lead = x.ndim if lead is None else lead
    return x * kept(x.shape[:lead] + (1,) * (x.ndim - lead), p) / (1 - p)


def alpha_dropout(x, p, lead=None):
    lead = x.ndim if lead is None else lead
    limit = -1.0507009873554805 * 1.6732632423543772
    dropped = np.where(kept(x.shape[:lead] + (1,) * (x.ndim - lead), p), x, limit)
    return (dropped - p * limit) / np.sqrt((1 - p) * (1 + p * limit**2))


def bilinear(x, y, w, b=0.0):
    return np.einsum("...i,oij,...j->...o", x, w, y) + b


def channels(x, *parameters):
    return [p if p is None else p.reshape(-1, *(1,) * (x.ndim - 2)) for p in parameters]


def normal(x, axis, weight=None, bias=None, eps=1e-5):
    out = (x - np.mean(x, axis, keepdims=True)) / np.sqrt(np.var(x, axis, keepdims=True) + eps) if x.size else x
    return out * (1 if weight is None else weight) + (0 if bias is None else bias)


def batch_norm(x, mean, var, weight=None, bias=None, training=False, eps=1e-5):
    mean, var, weight, bias = channels(x, mean, var, weight, bias)
    if training:
        return normal(x, (0, *range(2, x.ndim)), weight, bias, eps)
    return (x - mean) / np.sqrt(var + eps) * (1 if weight is None else weight) + (0 if bias is None else bias)


def instance_norm(x, weight=None, bias=None, eps=1e-5):
    return normal(x, tuple(range(2, x.ndim)), *channels(x, weight, bias), eps)


def layer_norm(x, shape, weight=None, bias=None, eps=1e-5):
    return normal(x, tuple(range(-len(shape), 0)), weight, bias, eps)


def group_norm(x, groups, weight=None, bias=None, eps=1e-5):
    parts = np.concatenate([normal(part, tuple(range(1, x.ndim)), eps=eps) for part in np.split(x, groups, 1)], 1)
    weight, bias = channels(x, weight, bias)
    return parts * (1 if weight is None else weight) + (0 if bias is None else bias)


def rms_norm(x, shape, weight=1.0, eps=None):
    eps = np.finfo(x.dtype).eps if eps is None else eps
    power = np.mean(x**2, tuple(range(-len(shape), 0)), keepdims=True) if x.size else 0
    return x / np.sqrt(power + eps) * weight


def response_norm(x, size, alpha=1e-4, beta=0.75, k=1.0):
    out = np.empty_like(x)
    for c in range(x.shape[1]):
        near = x[:, max(c - size // 2, 0) : c + (size - 1) // 2 + 1]
        out[:, c] = x[:, c] / (k + alpha * np.sum(near**2, 1) / size) ** beta
    return out


def attention(q, k, v, mask=None, is_causal=False, scale=None, enable_gqa=False):
    if enable_gqa:
        k, v = (np.repeat(x, q.shape[-3] // x.shape[-3], -3) for x in (k, v))
    scores = q @ np.swapaxes(k, -1, -2) * (q.shape[-1] ** -0.5 if scale is None else scale)
    seen = np.ones(scores.shape, bool)
    if is_causal:
        seen &= np.arange(scores.shape[-2])[:, None] >= np.arange(scores.shape[-1])
    elif mask is not None and mask.dtype == bool:
        seen &= mask
    elif mask is not None:
        scores = scores + mask
    e = np.exp(scores) * seen
    total = np.sum(e, -1, keepdims=True)
    return e / np.where(total == 0, 1, total) @ v


def bag_of(input, offsets, include_last_offset=False):
    if offsets is None:
        return list(input)
    ends = offsets[1:] if include_last_offset else [*offsets[1:], len(input)]
    return [input[a:b] for a, b in zip(offsets[: len(ends)], ends, strict=True)]


def embedding_bag(input, weight, offsets=None, mode="mean", per_sample_weights=None, include_last_offset=False, padding_idx=None):
    out = np.zeros((offsets.size - include_last_offset if offsets is not None else len(input), weight.shape[1]), weight.dtype)
    factors = np.ones(input.shape) if per_sample_weights is None else per_sample_weights
    for i, (bag, share) in enumerate(
        zip(*(bag_of(v, offsets, include_last_offset) for v in (input, factors)), strict=True),
    ):
        counts = bag == bag if padding_idx is None else bag != padding_idx % len(weight)
        if counts.any():
            out[i] = getattr(np, mode)(weight[bag[counts]] * share[counts][:, None], 0)
    return out


def first_largest(x, bags, n):
    out = np.zeros((n, x.shape[1]), int)
    for bag in set(bags.tolist()):
        rows = np.flatnonzero(bags == bag)
        out[bag] = rows[np.argmax(x[rows], 0)]
    return out


def distances(x, p=2.0):
    return np.array([p_norm(x[i] - x[j], p, -1) for i in range(len(x)) for j in range(i + 1, len(x))]).reshape(-1)


def cosine(x, y, dim=1, eps=1e-8):
    x, y = np.broadcast_arrays(x, y)
    lengths = [np.maximum(p_norm(v, 2, dim), eps) for v in (x, y)]
    return np.sum(x * y, dim) / lengths[0] / lengths[1]


# ---------------------------------------------------------------- how calls are drawn
def slopes(s):
    x = s.array(s.shape(dims=(1, 3)), NONZERO)
    many = x.shape[1] if x.ndim > 1 else 1
    return call(x, s.array(s.pick((many,), (1,), ()), POSITIVE))


def halves(s):
    shape = list(s.shape(dims=(1, 3)))
    dim = s.dim(len(shape))
    shape[dim] = s.pick(2, 4, 0)
    return call(s.array(tuple(shape)), dim=dim)


def varied(s, shape):
    """Numbers of which neighbours differ: a variance near 0 makes derivatives too steep for finite differences."""
    x = s.array(shape)
    return np.asarray(x + 5 * (np.indices(shape).sum(0) % 2), x.dtype)


def images(s, least=2):
    """Numbers in the shape (N, C, ...), at least two for each channel of each image."""
    return varied(s, (s.length(least), s.length(1), *s.shape(2, dims=(1, 2))))


def affine(s, shape):
    return s.pick((), (s.array(shape),), (None, s.array(shape)), (s.array(shape), s.array(shape)))


def over_batch(s):
    x = s.pick(images(s, 1), varied(s, (s.length(2), s.length(1))))
    return call(x, None, None, *affine(s, x.shape[1:2]), training=True, **s.some({"eps": [0.1]}))


def over_running(s):
    x = s.pick(images(s, 1), s.array(s.shape(dims=(2, 2))))
    c = x.shape[1:2]
    return call(x, s.array(c), s.array(c, POSITIVE), *affine(s, c), **s.some({"eps": [0.1]}))


def over_image(s):
    x = images(s, 1)
    return call(x, None, None, *affine(s, x.shape[1:2]), **s.some({"eps": [0.1]}))


def scored(s):
    """Queries, keys and values, with the same axes before or with fewer, and perhaps a number to add to each score."""
    lead, (n, k, e, v) = s.shape(dims=(0, 2)), [s.length(1) for _ in range(4)]
    few = s.pick(lead, lead, lead[1:])
    bias = s.pick(None, s.array((n, k)), s.array((*lead, n, k)))
    return call(s.array((*lead, n, e)), s.array((*few, k, e)), s.array((*few, k, v)), bias, 0.5)


def over_last(s):
    x = varied(s, (*s.shape(dims=(0, 1)), *s.shape(2, dims=(1, 2))))
    shape = x.shape[-s.between(1, x.ndim - (x.shape[0] < 2)) :]
    return call(x, shape, *affine(s, shape), **s.some({"eps": [0.1]}))


def over_last_rms(s):
    c = over_last(s)
    return call(*c.args[:2], *[p for p in c.args[2:3] if p is not None], **c.kwargs)


def over_groups(s):
    x = varied(s, (s.length(1), s.pick(4, 2), *s.shape(2, dims=(1, 2))))
    weights = affine(s, x.shape[1:2])
    weights = () if weights and weights[0] is None else weights  # of a bias alone, PyTorch's gradient raises an error
    return call(x, s.pick(1, 2), *weights, **s.some({"eps": [0.1]}))


def over_neighbours(s):
    return call(images(s, 0), s.between(1, 4), **s.some({"alpha": [0.5], "beta": [2.0], "k": [2.0]}))


def asked(s):
    """Queries, keys and values; or with heads that share."""
    if s.pick(False, False, True):
        n, q, k, e = s.length(1), s.length(1), s.length(1), s.length(1)
        shapes = (n, 4, q, e), (n, s.pick(1, 2), k, e), (n, s.pick(4, 2), k, e)
        return call(*map(s.array, shapes), enable_gqa=True)
    lead = s.shape(1, dims=(0, 2))
    q, k, e, v = s.length(1), s.length(1), s.length(1), s.length(1)
    shape = (*lead, q, k)
    seen = s.array(s.stretchable(shape), BOOL)
    options = s.pick(
        {}, {"attn_mask": seen}, {"attn_mask": seen}, {"attn_mask": s.array(s.stretchable(shape))}, {"is_causal": True}
    )
    return call(s.array((*lead, q, e)), s.array((*lead, k, e)), s.array((*lead, k, v)), **options, **s.some({"scale": [0.5]}))


def looked_up(s):
    table = s.array((s.between(1, 4), s.length(1)))
    return call(s.positions(s.shape(), len(table)), table)


def bags(s):
    table = s.array((s.between(2, 4), s.length(1)))
    mode = s.pick("sum", "mean", "max")
    if s.pick(True, False):
        input, options = s.positions((s.length(1), s.length(1)), len(table)), {}
    else:
        input, last = s.positions((s.length(0),), len(table)), s.pick(False, True)
        inner = np.sort(s.rng.integers(0, len(input) + 1, s.between(0, 3)))
        offsets = np.array([0, *inner, *[len(input)] * last])
        options = {"offsets": offsets, "include_last_offset": last}
    if mode == "sum" and s.pick(True, False):
        options["per_sample_weights"] = s.array(input.shape)
    return call(input, table, mode=mode, **options)


def pairs(s):
    shape = s.shape(1, dims=(1, 3))
    x, y = s.array(shape), s.array(s.pick(shape, shape[-1:]))
    return call(x, y, dim=s.dim(len(shape)))


def apart(s):
    shape = s.shape(1, dims=(1, 3))
    low, high = s.array(shape, Domain(-2, -0.2)), s.array(s.stretchable(shape)[-1:] or shape[-1:], Domain(0.2, 2))
    return call(low, high, **s.some({"p": [1.0, 3.0], "keepdim": [True]}))


def seeded(function, **options):
    """A function that draws the same numbers each time."""

    def draw(*args, **kwargs):
        return function(*args, **options, **kwargs, generator=Generator().manual_seed(0))

    draw.stands_for = [function]
    return draw


def on_a_copy(function):
    """A function that writes into its input, of a copy."""

    def written(x, *args, **options):
        x = x.clone()
        assert function(x, *args, **options) is x
        return x

    written.stands_for = [function]
    return written


def dropped(*dims, **options):
    return lambda s: call(s.array(s.shape(dims=dims)), 0.4, **options)


BENT = Domain(-2, 2, (0, -1, 1, -0.5, 0.5, 0.2, -0.2))


def boxes(s, *shape):
    low = s.array((*shape, 2))
    return np.concatenate([low, low + s.array((*shape, 2), POSITIVE)], -1)


def both_boxes(s):
    return call(boxes(s, s.length()), boxes(s, s.length()))


def one_by_one(score):
    """A matrix of what `score` says of two boxes, as (x1, y1, x2, y2)."""

    def of(a, b):
        return np.array([[score(p, q) for q in b] for p in a]).reshape(len(a), len(b))

    return of


def size(x1, y1, x2, y2):
    return max(0, x2 - x1) * max(0, y2 - y1)


def iou(p, q):
    both = size(*np.maximum(p[:2], q[:2]), *np.minimum(p[2:], q[2:]))
    return both / (size(*p) + size(*q) - both)


def generalized_iou(p, q):
    both = size(*np.maximum(p[:2], q[:2]), *np.minimum(p[2:], q[2:]))
    around = size(*np.minimum(p[:2], q[:2]), *np.maximum(p[2:], q[2:]))
    return iou(p, q) - (around - (size(*p) + size(*q) - both)) / around


def in_format(boxes, in_fmt, out_fmt):
    def one(a, b, c, d):
        w, h = (c - a, d - b) if in_fmt == "xyxy" else (c, d)
        x, y = (a - w / 2, b - h / 2) if in_fmt == "cxcywh" else (a, b)
        return {"xyxy": (x, y, x + w, y + h), "xywh": (x, y, w, h), "cxcywh": (x + w / 2, y + h / 2, w, h)}[out_fmt]

    return np.array([one(*box) for box in boxes.reshape(-1, 4)]).reshape(boxes.shape)


FORMATS = "xyxy", "xywh", "cxcywh"
WIDER = {"half": "areas do not fit into half, so it becomes float32, as torchvision's does"}


# fmt: off
SAMPLES = [
    # ---- activations: bent
    Sample("F.relu", each(NONZERO), lambda x: np.maximum(x, 0), F.relu),
    Sample("leaky_relu", each(NONZERO, negative_slope=[0.3, 0, 2.0]), lambda x, negative_slope=0.01: bent(x, negative_slope), F.leaky_relu),
    Sample("prelu", slopes, prelu, F.prelu),
    Sample("rrelu", each(NONZERO, lower=[0.1], upper=[0.5]), lambda x, lower=1 / 8, upper=1 / 3: bent(x, (lower + upper) / 2), F.rrelu),
    Sample("rrelu in training", each(NONZERO), lambda x: bent(x, 1 / 8 + (1 / 3 - 1 / 8) * np.random.default_rng(0).random(x.shape, x.dtype)),
           seeded(F.rrelu, training=True), exempt=HOST),
    Sample("elu", each(NONZERO, alpha=[0.5]), elu, F.elu),
    Sample("celu", each(NONZERO, alpha=[0.5, 2.0]), lambda x, alpha=1.0: elu(x, alpha, alpha), F.celu),
    Sample("selu", each(NONZERO), lambda x: elu(x, 1.6732632423543772, 1, 1.0507009873554805), F.selu),
    Sample("hardtanh", each(BENT, min_val=[-0.5], max_val=[0.5]), lambda x, min_val=-1, max_val=1: np.clip(x, min_val, max_val), F.hardtanh),
    Sample("relu6", each(Domain(-3, 9, (0, 6))), lambda x: np.clip(x, 0, 6), F.relu6),
    Sample("hardsigmoid", each(Domain(-5, 5, (-3, 3))), lambda x: np.clip(x / 6 + 0.5, 0, 1), F.hardsigmoid),
    Sample("hardswish", each(Domain(-5, 5, (-3, 3))), lambda x: x * np.clip(x / 6 + 0.5, 0, 1), F.hardswish),
    Sample("hardshrink", each(BENT, lambd=[0.2]), lambda x, lambd=0.5: np.where(np.abs(x) > lambd, x, 0), F.hardshrink),
    Sample("softshrink", each(BENT, lambd=[0.2]), lambda x, lambd=0.5: np.sign(x) * np.maximum(np.abs(x) - lambd, 0), F.softshrink),
    Sample("threshold", lambda s: call(s.array(s.shape(), BENT), 0.5, s.pick(-2.0, 7.0)), lambda x, t, v: np.where(x > t, x, v), F.threshold),
    # ---- activations: written into their input
    Sample("relu_", each(NONZERO), lambda x: np.maximum(x, 0), on_a_copy(F.relu_)),
    Sample("leaky_relu_", each(NONZERO, negative_slope=[0.3, 0]), lambda x, negative_slope=0.01: bent(x, negative_slope), on_a_copy(F.leaky_relu_)),
    Sample("rrelu_", each(NONZERO, lower=[0.1], upper=[0.5]), lambda x, lower=1 / 8, upper=1 / 3: bent(x, (lower + upper) / 2), on_a_copy(F.rrelu_)),
    Sample("elu_", each(NONZERO, alpha=[0.5]), elu, on_a_copy(F.elu_)),
    Sample("celu_", each(NONZERO, alpha=[0.5, 2.0]), lambda x, alpha=1.0: elu(x, alpha, alpha), on_a_copy(F.celu_)),
    Sample("selu_", each(NONZERO), lambda x: elu(x, 1.6732632423543772, 1, 1.0507009873554805), on_a_copy(F.selu_)),
    Sample("hardtanh_", each(BENT, min_val=[-0.5], max_val=[0.5]), lambda x, min_val=-1, max_val=1: np.clip(x, min_val, max_val), on_a_copy(F.hardtanh_)),
    Sample("threshold_", lambda s: call(s.array(s.shape(), BENT), 0.5, s.pick(-2.0, 7.0)), lambda x, t, v: np.where(x > t, x, v), on_a_copy(F.threshold_)),
    # ---- activations: smooth
    Sample("silu", each(REAL), lambda x: x * sigmoid(x), F.silu),
    Sample("mish", each(REAL), lambda x: x * np.tanh(np.log1p(np.exp(x))), F.mish),
    Sample("gelu", each(Domain(-4, 4), approximate=["tanh"]), gelu, F.gelu),
    Sample("gelu_tanh", each(Domain(-4, 4)), lambda x: gelu(x, "tanh")),
    Sample("F.softplus", each(Domain(-6, 6, (0.5, 1)), beta=[2], threshold=[1]), softplus, F.softplus),
    Sample("logsigmoid", each(Domain(-6, 6)), lambda x: np.log(sigmoid(x)), F.logsigmoid),
    Sample("softsign", each(NONZERO), lambda x: x / (1 + np.abs(x)), F.softsign),
    Sample("tanhshrink", each(REAL), lambda x: x - np.tanh(x), F.tanhshrink),
    # ---- activations: over a dim
    Sample("glu", halves, glu, F.glu),
    Sample("softmin", over("int"), lambda x, dim: softmax(-x, dim), F.softmin),
    Sample("gumbel_softmax", over("int", least=1, tau=[0.5]), gumbel, seeded(F.gumbel_softmax), exempt=HOST),
    Sample("normalize", lambda s: over("int tuple", NONZERO, dims=(1, 3), p=[1.0, 3.0], eps=[9.0])(s), lambda x, p=2.0, dim=1, eps=1e-12: x / np.maximum(p_norm(x, p, dim, True), eps), F.normalize),
    # ---- dropouts
    Sample("dropout", dropped(0, 3), dropout, seeded(F.dropout), exempt=HOST),
    Sample("dropout1d", dropped(2, 3), lambda x, p: dropout(x, p, x.ndim - 1), seeded(F.dropout1d), exempt=HOST),
    Sample("dropout2d", dropped(2, 3), lambda x, p: dropout(x, p, 2), seeded(F.dropout2d), exempt=HOST),
    Sample("dropout3d", dropped(2, 3), lambda x, p: dropout(x, p, 2), seeded(F.dropout3d), exempt=HOST),
    Sample("alpha_dropout", dropped(0, 3), alpha_dropout, seeded(F.alpha_dropout, training=True), exempt=HOST),
    Sample("feature_alpha_dropout", dropped(2, 3), lambda x, p: alpha_dropout(x, p, 2), seeded(F.feature_alpha_dropout, training=True), exempt=HOST),
    # ---- products
    Sample("F.linear", shaped("nk,mk", "bnk,mk,m"), lambda x, w, b=0.0: x @ w.T + b, F.linear),
    Sample("bilinear", shaped("ni,nj,oij", "ni,nj,oij,o", "i,j,oij,o", "bni,bnj,oij"), bilinear, F.bilinear),
    Sample("scaled_dot_product_attention", asked, lambda *a, attn_mask=None, **k: attention(*a, mask=attn_mask, **k), F.scaled_dot_product_attention),
    # ---- normalizations
    Sample("sum_product", lambda s: call(s.array(n := s.shape(dims=(1, 3))), s.array(n), tuple(d % len(n) for d in s.dims(len(n)))),
        lambda x, y, axis: np.sum(x * y, axis=axis, keepdims=True), PRIMITIVES["sum_product"]),
    Sample("attention", scored, lambda q, k, v, bias, scale: (shares := softmax(q @ np.swapaxes(k, -1, -2) * scale + (0 if bias is None else bias), -1), (shares @ v, shares))[1],
        exempt={"half": "its rule takes the rounded shares; scaled_dot_product_attention computes all of it in single precision"}),
    Sample("rms", lambda s: call(x := s.array(s.shape(1, dims=(1, 3))), tuple(d % x.ndim for d in s.dims(x.ndim, 1)), 0.1),
           lambda x, axis, eps: (x / np.sqrt((m := np.mean(x**2, axis, keepdims=True)) + eps), m)),
    Sample("batch_norm", over_batch, batch_norm, F.batch_norm, exempt=WIDE),
    Sample("batch_norm in evaluation", over_running, batch_norm, F.batch_norm, exempt=WIDE | {"torch": "which has no derivatives with respect to running statistics"}),
    Sample("instance_norm", over_image, lambda x, mean, var, *a, **k: instance_norm(x, *a, **k), F.instance_norm, exempt=WIDE),
    Sample("layer_norm", over_last, layer_norm, F.layer_norm, exempt=WIDE),
    Sample("group_norm", over_groups, group_norm, F.group_norm, exempt=WIDE),
    Sample("rms_norm", over_last_rms, rms_norm, F.rms_norm, exempt=WIDE),
    Sample("local_response_norm", over_neighbours, response_norm, F.local_response_norm),
    # ---- tables
    Sample("F.embedding", looked_up, lambda i, w: w[i], F.embedding),
    Sample("embedding", lambda s: (c := looked_up(s), call(*c.args[::-1], np.ones((*c.args[0].shape, 1), bool)))[1], lambda w, i, share: w[i], PRIMITIVES["embedding"]),
    Sample("embedding_bag", bags, embedding_bag, F.embedding_bag),
    Sample("first_largest", lambda s: call(x := s.array((s.length(), s.length(1))), s.positions(x.shape[:1], 3), 3), first_largest, smooth=False),
    Sample("F.one_hot", lambda s: call(s.positions(s.shape(), 3), 3), lambda i, n: np.eye(n, dtype=int)[i], F.one_hot, False),
    # ---- distances
    Sample("cosine_similarity", pairs, cosine, F.cosine_similarity),
    Sample("pairwise_distance", apart, lambda x, y, p=2.0, keepdim=False: p_norm(x - y + 1e-6, p, -1, keepdim), F.pairwise_distance),
    Sample("pdist", lambda s: call(s.array((s.between(2, 4), s.length(1))), **s.some({"p": [3.0, 1.0]})), distances, F.pdist),
    # ---- boxes
    Sample("ops.box_area", lambda s: call(boxes(s, s.length())), lambda x: np.array([size(*box) for box in x]), nn.ops.box_area, exempt=WIDER),
    Sample("ops.box_iou", both_boxes, one_by_one(iou), nn.ops.box_iou, exempt=WIDER),
    Sample("ops.generalized_box_iou", both_boxes, one_by_one(generalized_iou), nn.ops.generalized_box_iou, exempt=WIDER),
    Sample("ops.box_convert", lambda s: call(boxes(s, *s.shape()), s.pick(*FORMATS), s.pick(*FORMATS)), in_format, nn.ops.box_convert, exempt=WIDER),
    Sample("ops.clip_boxes_to_image", lambda s: call(boxes(s, *s.shape()), (1, 0.7)), lambda x, size: np.clip(x, 0, [0.7, 1, 0.7, 1]), nn.ops.clip_boxes_to_image),
]
# fmt: on
