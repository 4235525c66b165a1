"""The records of windows, convolution, pooling, padding and resampling, with references written out as loops over windows and elements."""

import itertools
import math

import numpy as np
from samples import HOST, PRIMITIVES, Sample
from strategies import POSITIVE, call

import autograd
import nn.functional as F


# ---------------------------------------------------------------- windows, by definition
def spread(value, n):
    return tuple(value) if isinstance(value, (tuple, list)) else (value,) * n


def looks(windows, size, count):
    """(number of the place, window, element) for each place of each window that lies inside the array."""
    for at in np.ndindex(*count):
        for i, place in enumerate(np.ndindex(*(k for k, _, _, _ in windows))):
            element = tuple(w * s - p + o * d for w, o, (_, s, p, d) in zip(at, place, windows, strict=True))
            if all(0 <= e < m for e, m in zip(element, size, strict=True)):
                yield i, at, element


def sizes_of(x, windows):
    return x.shape[-len(windows) :]


def windows(x, windows, count):
    out = np.zeros((*x.shape[: -len(count)], math.prod(w[0] for w in windows), *count), x.dtype)
    for i, at, element in looks(windows, sizes_of(x, windows), count):
        out[(..., i, *at)] = x[(..., *element)]
    return out


def fold(x, windows, size):
    out = np.zeros((*x.shape[: -len(size) - 1], *size), x.dtype)
    for i, at, element in looks(windows, size, sizes_of(x, windows)):
        out[(..., *element)] += x[(..., i, *at)]
    return out


def window_sum(x, over, count):
    return windows(x, over, count).sum(-len(count) - 1)


def inside(over, size, count):
    """Windows with one more dim in front: True where a place lies inside."""
    return windows(np.ones(size), over, count) > 0


def which(x, top, over):
    count = sizes_of(top, over)
    values = windows(x, over, count)
    hit = inside(over, sizes_of(x, over), count) & (values == np.expand_dims(top, -len(count) - 1))
    return np.argmax(hit, -len(count) - 1).astype(np.uint8)


def window_max(x, over, count):
    return np.where(inside(over, sizes_of(x, over), count), windows(x, over, count), -np.inf).max(-len(count) - 1)


def pick(x, which, over):
    count = sizes_of(which, over)
    axis = -len(count) - 1
    return np.take_along_axis(windows(x, over, count), np.expand_dims(which, axis), axis).squeeze(axis)


def put(x, which, over, size):
    out = np.zeros((*x.shape[: -len(size)], *size), x.dtype)
    for i, at, element in looks(over, size, sizes_of(x, over)):
        out[(..., *element)] += x[(..., *at)] * (which[(..., *at)] == i)
    return out


def flat_index(which, over, size):
    out = np.zeros(which.shape, int)
    for at in np.ndindex(*which.shape):
        place = np.unravel_index(which[at], [k for k, _, _, _ in over])
        element = [w * s - p + o * d for w, o, (_, s, p, d) in zip(at[-len(over) :], place, over, strict=True)]
        for e, m in zip(element, size, strict=True):
            out[at] = out[at] * m + e
    return out


def in_groups(x, groups):
    return np.split(x, groups, 1)


def convolved(x, w, b, over, count, groups):
    seen = [windows(part, over, count) for part in in_groups(x, groups)]
    kernels = np.split(w.reshape(*w.shape[:2], -1), groups)
    parts = [np.einsum("ncl...,ocl->no...", v, k) for v, k in zip(seen, kernels, strict=True)]
    return np.concatenate(parts, 1) + (0 if b is None else np.reshape(b, (-1, *(1,) * len(count))))


def convolved_back(y, w, over, size, groups):
    kernels = np.split(w.reshape(*w.shape[:2], -1), groups)
    parts = [fold(np.einsum("no...,ocl->ncl...", v, k), over, size) for v, k in zip(in_groups(y, groups), kernels, strict=True)]
    return np.concatenate(parts, 1)


def convolved_weight(y, x, over, groups):
    seen = [windows(part, over, y.shape[2:]) for part in in_groups(x, groups)]
    pairs = zip(in_groups(y.reshape(*y.shape[:2], -1), groups), (v.reshape(*v.shape[:3], -1) for v in seen), strict=True)
    parts = [np.einsum("nop,nclp->ocl", a, b) for a, b in pairs]
    return np.concatenate(parts).reshape(y.shape[1], x.shape[1] // groups, *(k for k, _, _, _ in over))


# ---------------------------------------------------------------- resampling, by definition: one new element after the other
def keys(d, a=-0.75):
    """Keys' kernel of cubic interpolation."""
    d = abs(d)
    if d <= 1:
        return (a + 2) * d**3 - (a + 3) * d**2 + 1
    return a * (d**3 - 5 * d**2 + 8 * d - 4) if d < 2 else 0


def source(i, n, m, scale, align_corners):
    if align_corners:
        return i * (n - 1) / (m - 1) if m > 1 else 0
    return (i + 0.5) * (n / m if scale is None else 1 / scale) - 0.5


def row(name, i, n, m, *options):
    """How much new element i of m takes of each of n."""
    taken = np.zeros(n)
    if name == "reflect":
        there = list(range(n)) + list(range(n - 2, 0, -1))
        taken[there[(i - options[0]) % len(there)]] = 1
    elif name == "replicate":
        taken[min(max(i - options[0], 0), n - 1)] = 1
    elif name == "circular":
        taken[(i - options[0]) % n] = 1
    elif name == "nearest":
        scale, shift = options
        taken[min(int((i + shift) * np.float32(n / m if scale is None else 1 / scale)), n - 1)] = 1
    elif name == "area":
        a, b = math.floor(i * n / m), math.ceil((i + 1) * n / m)
        taken[a:b] = 1 / (b - a)
    elif name == "antialias":
        scale, align_corners, cubic = options
        step = n / m if scale is None else 1 / scale
        if align_corners:
            step = (n - 1) / (m - 1) if m > 1 else 0
        reach = max(1, step) * (2 if cubic else 1)
        for k in range(max(0, int(step * (i + 0.5) - reach + 0.5)), min(n, int(step * (i + 0.5) + reach + 0.5))):
            d = abs(k + 0.5 - step * (i + 0.5)) / max(1, step)
            taken[k] = keys(d, -0.5) if cubic else max(0, 1 - d)
        taken /= taken.sum()
    else:
        at = source(i, n, m, *options)
        if name == "linear":
            at = min(max(at, 0), n - 1)
        for k in range(math.floor(at) - 1, math.floor(at) + 3):
            taken[min(max(k, 0), n - 1)] += max(0, 1 - abs(at - k)) if name == "linear" else keys(at - k)
    return taken


def resampled(x, axis, how, back=False):
    name, n, m, *options = how
    matrix = np.array([row(name, i, n, m, *options) for i in range(m)]).reshape(m, n)
    return np.moveaxis(np.tensordot(matrix.T if back else matrix, x, (1, axis)), 0, axis).astype(x.dtype)


# ---------------------------------------------------------------- the public functions, by definition
def geometry(size, kernel, stride, padding, dilation, ceil_mode=False):
    """Windows one after the other, as long as they fit; in ceil mode until all is seen, if they begin inside."""
    n = len(size)
    kernel, padding, dilation = spread(kernel, n), spread(padding, n), spread(dilation, n)
    stride, count = kernel if stride is None else spread(stride, n), []
    for m, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True):
        span, i = (k - 1) * d + 1, 0
        while (i + 1) * s + span <= m + 2 * p:
            i += 1
        if ceil_mode and i * s + span < m + 2 * p and (i + 1) * s < m + p:
            i += 1
        count.append(i + 1)
    return tuple(zip(kernel, stride, padding, dilation, strict=True)), tuple(count)


def batched(function):
    """Let a reference for images with n sizes take one image too."""

    def either(n, x, *args, **options):
        if x.ndim == n + 2:
            return function(n, x, *args, **options)
        out = function(n, x[None], *args, **options)
        return tuple(v[0] for v in out) if isinstance(out, tuple) else out[0]

    return either


@batched
def conv(n, x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    if padding == "same":
        total = [(k - 1) * d for k, d in zip(w.shape[2:], spread(dilation, n), strict=True)]
        x, padding = np.pad(x, [(0, 0), (0, 0), *((t // 2, t - t // 2) for t in total)]), 0
    over, count = geometry(x.shape[2:], w.shape[2:], stride, 0 if padding == "valid" else padding, dilation)
    return convolved(x, w, b, over, count, groups)


@batched
def conv_transpose(n, x, w, b=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    over = tuple(zip(w.shape[2:], *(spread(v, n) for v in (stride, padding, dilation)), strict=True))
    size = tuple(
        (m - 1) * s - 2 * p + (k - 1) * d + e + 1
        for m, (k, s, p, d), e in zip(x.shape[2:], over, spread(output_padding, n), strict=True)
    )
    return convolved_back(x, w, over, size, groups) + (0 if b is None else np.reshape(b, (-1, *(1,) * n)))


@batched
def max_pool(n, x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    over, count = geometry(x.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
    top = window_max(x, over, count)
    return (top, flat_index(which(x, top, over), over, x.shape[2:])) if return_indices else top


@batched
def avg_pool(n, x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None):
    over, count = geometry(x.shape[2:], kernel_size, stride, padding, 1, ceil_mode)
    divisor = np.zeros(count)
    for at in np.ndindex(*count):
        begin = [w * s - p for w, (_, s, p, _) in zip(at, over, strict=True)]
        end = [min(b + k, m + p) for b, (k, _, p, _), m in zip(begin, over, x.shape[2:], strict=True)]
        if not count_include_pad:
            begin, end = [max(b, 0) for b in begin], [min(e, m) for e, m in zip(end, x.shape[2:], strict=True)]
        divisor[at] = divisor_override or math.prod(e - b for b, e in zip(begin, end, strict=True))
    return window_sum(x, over, count) / divisor


def adaptive(n, x, output_size):
    """(where it goes, where it comes from) for each part."""
    size = x.shape[-n:]
    wanted = tuple(m if w is None else w for w, m in zip(spread(output_size, n), size, strict=True))
    parts = [[(math.floor(i * m / w), math.ceil((i + 1) * m / w)) for i in range(w)] for w, m in zip(wanted, size, strict=True)]
    return wanted, [(at, [parts[i][j] for i, j in enumerate(at)]) for at in np.ndindex(*wanted)]


def adaptive_avg_pool(n, x, output_size):
    wanted, parts = adaptive(n, x, output_size)
    out = np.zeros((*x.shape[:-n], *wanted), x.dtype)
    for at, spans in parts:
        out[(..., *at)] = x[(..., *itertools.starmap(slice, spans))].mean(tuple(range(-n, 0)))
    return out


def adaptive_max_pool(n, x, output_size, return_indices=False):
    wanted, parts = adaptive(n, x, output_size)
    out, indices = np.zeros((*x.shape[:-n], *wanted), x.dtype), np.zeros((*x.shape[:-n], *wanted), int)
    flat = np.arange(math.prod(x.shape[-n:])).reshape(x.shape[-n:])
    for at, spans in parts:
        part = x[(..., *itertools.starmap(slice, spans))].reshape(*x.shape[:-n], -1)
        out[(..., *at)] = part.max(-1)
        indices[(..., *at)] = flat[tuple(itertools.starmap(slice, spans))].ravel()[part.argmax(-1)]
    return (out, indices) if return_indices else out


def lp_pool(n, x, norm_type, kernel_size, stride=None, ceil_mode=False):
    elements = math.prod(spread(kernel_size, n))
    return (avg_pool(n, x**norm_type, kernel_size, stride, 0, ceil_mode) * elements) ** (1 / norm_type)


def max_unpool(n, x, indices, kernel_size, stride=None, padding=0, output_size=None):
    steps = kernel_size if stride is None else stride
    each = zip(x.shape[-n:], *(spread(v, n) for v in (kernel_size, steps, padding)), strict=True)
    size = tuple((m - 1) * s - 2 * p + k for m, k, s, p in each) if output_size is None else output_size[-n:]
    out = np.zeros((*x.shape[:-n], *size), x.dtype)
    for at in np.ndindex(*x.shape):
        out[(*at[:-n], *np.unravel_index(indices[at], size))] = x[at]
    return out


def fractional_max_pool(n, x, draws, kernel_size, output_size, return_indices=False):
    kernel, size = spread(kernel_size, n), x.shape[-n:]
    single = x.ndim == n + 1
    x, out = x.reshape(-1, *x.shape[-n - 1 :]), []
    indices, flat = [], np.arange(math.prod(size)).reshape(size)
    for image, channel, *at in np.ndindex(*x.shape[:2], *output_size):
        spans = []
        for i, (a, m, w, k) in enumerate(zip(at, size, output_size, kernel, strict=True)):
            draw = draws[image, channel, i if n == 3 else 1 - i] / 16
            step = (m - k) / max(1, w - 1)
            begin = m - k if a == w - 1 else int((a + draw) * step) - int(draw * step)
            spans.append(slice(begin, begin + k))
        part = x[(image, channel, *spans)]
        out.append(part.max())
        indices.append(flat[tuple(spans)].ravel()[part.argmax()])
    shape = (*x.shape[single:2], *output_size)
    out, indices = np.reshape(np.array(out, x.dtype), shape), np.reshape(indices, shape)
    return (out, indices) if return_indices else out


def unfold(x, kernel_size, dilation=1, padding=0, stride=1):
    over, count = geometry(x.shape[-2:], kernel_size, stride, padding, dilation)
    return windows(x, over, count).reshape(*x.shape[:-3], -1, math.prod(count))


def folded(x, output_size, kernel_size, dilation=1, padding=0, stride=1):
    over, count = geometry(spread(output_size, 2), kernel_size, stride, padding, dilation)
    elements = math.prod(w[0] for w in over)
    return fold(x.reshape(*x.shape[:-2], x.shape[-2] // elements, elements, *count), over, spread(output_size, 2))


def padded(x, pad, mode="constant", value=None):
    pairs = [(0, 0)] * (x.ndim - len(pad) // 2) + list(zip(pad[::2], pad[1::2], strict=True))[::-1]
    x = x[tuple(slice(max(0, -a), m + min(0, b)) for m, (a, b) in zip(x.shape, pairs, strict=True))]
    name = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}[mode]
    return np.pad(x, [(max(a, 0), max(b, 0)) for a, b in pairs] or 0, name, **({"constant_values": value} if value else {}))


def interpolated(
    x, size=None, scale_factor=None, mode="nearest", align_corners=None, recompute_scale_factor=None, antialias=False
):
    n = x.ndim - 2
    scales = spread(scale_factor, n)
    size = spread(size, n) if size is not None else [math.floor(m * s) for m, s in zip(x.shape[2:], scales, strict=True)]
    if recompute_scale_factor:
        scales = (None,) * n
    for axis, (m, scale) in enumerate(zip(size, scales, strict=True), 2):
        old = x.shape[axis]
        if (m == old and mode in ("linear", "bilinear", "trilinear")) or (mode == "nearest" and n == 2 and m in (old, 2 * old)):
            scale = None  # PyTorch's choice
        if mode == "area":
            how = ("area",)
        elif mode.startswith("nearest"):
            how = ("nearest", scale, 0.5 * (mode == "nearest-exact"))
        elif antialias:
            how = ("antialias", scale, bool(align_corners), mode == "bicubic")
        else:
            how = ("cubic" if mode == "bicubic" else "linear", scale, bool(align_corners))
        x = resampled(x, axis, (how[0], old, m, *how[1:]))
    return x


def affine(theta, size, align_corners=None):
    out = np.zeros((size[0], *size[2:], len(size) - 2))
    for at in np.ndindex(*out.shape[:-1]):
        whole = [max(m - 1, 1) if align_corners else m for m in size[2:]]
        steps = [(2 * i + 1 - m) / k for i, m, k in zip(at[1:], size[2:], whole, strict=True)]
        out[at] = theta[at[0]] @ [*steps[::-1], 1]
    return out


def sampled(x, grid, mode="bilinear", padding_mode="zeros", align_corners=None):
    size = x.shape[2:]

    def within(a, m):
        low, high = (0, m - 1) if align_corners else (-0.5, m - 0.5)
        while padding_mode == "reflection" and high > low and not low <= a <= high:
            a = 2 * low - a if a < low else 2 * high - a
        return min(max(a, 0), m - 1) if padding_mode != "zeros" else a

    out = np.zeros((*x.shape[:2], *grid.shape[1:-1]), x.dtype)
    kernel, reach = {"nearest": (None, 0), "bilinear": (lambda d: max(0, 1 - abs(d)), 1), "bicubic": (keys, 2)}[mode]
    for image, *place in np.ndindex(*grid.shape[:-1]):
        point = grid[(image, *place)][::-1]
        at = [(p + 1) * (m - 1) / 2 if align_corners else ((p + 1) * m - 1) / 2 for p, m in zip(point, size, strict=True)]
        if mode != "bicubic":
            at = [within(a, m) for a, m in zip(at, size, strict=True)]
        near = [[round(a)] if mode == "nearest" else range(math.floor(a) - reach + 1, math.floor(a) + reach + 1) for a in at]
        for corner in itertools.product(*near):
            weight = 1 if mode == "nearest" else math.prod(kernel(a - c) for a, c in zip(at, corner, strict=True))
            corner = [within(c, m) for c, m in zip(corner, size, strict=True)]
            if all(0 <= c <= m - 1 for c, m in zip(corner, size, strict=True)):
                out[(image, slice(None), *place)] += weight * x[(image, slice(None), *(round(c) for c in corner))]
    return out


def shuffled(x, r):
    out = np.zeros((*x.shape[:-3], x.shape[-3] // r**2, x.shape[-2] * r, x.shape[-1] * r), x.dtype)
    for c, h, w in np.ndindex(*out.shape[-3:]):
        out[..., c, h, w] = x[..., c * r**2 + h % r * r + w % r, h // r, w // r]
    return out


def unshuffled(x, r):
    out = np.zeros((*x.shape[:-3], x.shape[-3] * r**2, x.shape[-2] // r, x.shape[-1] // r), x.dtype)
    for c, h, w in np.ndindex(*x.shape[-3:]):
        out[..., c * r**2 + h % r * r + w % r, h // r, w // r] = x[..., c, h, w]
    return out


# ---------------------------------------------------------------- how calls of the primitives are drawn
def sliding(s, blind=True):
    """Windows, the size of what they slide over, and how many there are; with `blind`, some of them may see nothing."""
    over, size, count = [], [], []
    for _ in range(s.between(1, 2)):
        k, stride, d = s.between(1, 3), s.between(1, 3), s.pick(1, 1, 2)
        p = s.between(0, 2 if blind else 0 if d > 1 else k // 2)
        m = s.between(max(1, (k - 1) * d + 1 - 2 * p), 5)
        over.append((k, stride, p, d))
        size.append(m)
        fit = (m + 2 * p - (k - 1) * d - 1) // stride + 1
        count.append(s.between(1, 3) if blind else fit)
    return tuple(over), tuple(size), tuple(count)


def lead(s):
    return s.shape(1, (2, 2), 2)


def any_windows(s):
    over, size, count = sliding(s)
    return call(s.array((*lead(s), *size)), over, count)


def folds(s):
    over, size, count = sliding(s)
    return call(s.array((s.between(1, 2), math.prod(w[0] for w in over), *count)), over, size)


def seeing_windows(s):
    over, size, count = sliding(s, blind=False)
    return call(s.array((*lead(s), *size)), over, count)


def whiches(s):
    x, over, count = seeing_windows(s).args
    return call(x, window_max(x, over, count), over)


def picks(s):
    over, size, count = sliding(s, blind=False)
    first = lead(s)
    return call(s.array((*first, *size)), s.positions((*first, *count), math.prod(w[0] for w in over)), over)


def puts(s):
    x, places, over = picks(s).args
    return call(s.array(places.shape), places, over, x.shape[-len(over) :])


def flat_indices(s):
    over, size, count = sliding(s)
    return call(s.positions((*lead(s), *count), math.prod(w[0] for w in over)), over, size)


def trilinear(s):
    """The arrays y, x and w of a convolution, its windows and groups."""
    over, size, count = sliding(s)
    few = math.prod(size) <= 8 and math.prod(w[0] for w in over) <= 8
    groups, inner, outer, images = s.between(1, 2), s.pick(1, 2, 8 if few else 3), s.between(1, 2), s.between(1, 2)
    y, x, w = (images, groups * outer, *count), (images, groups * inner, *size), (groups * outer, inner, *(k[0] for k in over))
    return y, x, w, over, groups


def convs(s):
    y, x, w, over, groups = trilinear(s)
    return call(s.array(x), s.array(w), s.pick(None, s.array(y[1:2])), over, y[2:], groups)


def convs_back(s):
    y, x, w, over, groups = trilinear(s)
    return call(s.array(y), s.array(w), over, x[2:], groups)


def convs_weight(s):
    y, x, _, over, groups = trilinear(s)
    return call(s.array(y), s.array(x), over, groups)


def resamples(s):
    name = s.pick("reflect", "replicate", "circular", "nearest", "linear", "cubic", "area", "antialias")
    n, m = s.between(1, 5), s.between(1, 6)
    options = {"nearest": (s.pick(None, 1.7), s.pick(0, 0.5)), "area": ()}
    if name in ("linear", "cubic"):
        options[name] = s.pick((None, False), (None, True), (0.6, False))
    if name == "antialias":
        options[name] = (*s.pick((None, False), (None, True), (m / n * 1.1, False)), s.pick(True, False))
    shape = list(s.shape(1, (1, 3)))
    axis, back = s.between(0, len(shape) - 1), s.pick(False, True)
    shape[axis] = m if back else n
    return call(s.array(tuple(shape)), axis, (name, n, m, *options.get(name, (s.between(0, 2),))), back)


def cells(s):
    return call(s.array(s.shape()), s.between(-2, 0), s.between(0, 2))


# ---------------------------------------------------------------- how calls of the functions are drawn
def image(s, n, channels, least=1, most=5):
    """The shape of images with n sizes, or of one image."""
    most = min(most, 3) if n == 3 else most
    return (*s.pick((2,), (1,), ()), channels, *(s.between(min(least, most), most) for _ in range(n)))


def per_dim(s, n, low, high):
    return s.pick(s.between(low, high), tuple(s.between(low, high) for _ in range(n)))


def fitting(s, n, size, transposed=False, halves=False):
    """A kernel, and options with which it fits."""
    dilation = per_dim(s, n, 1, 2)
    kernel = [s.between(1, 1 if d > m else 3) for m, d in zip(size, spread(dilation, n), strict=True)]
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, spread(dilation, n), strict=True)]
    low = [0 if transposed else max(0, -((m - span) // 2)) for m, span in zip(size, spans, strict=True)]
    high = [span // 2 if halves else (span - 1) // 2 if transposed else 2 for span in spans]
    padding = tuple(s.between(a, max(a, b)) for a, b in zip(low, high, strict=True))
    return tuple(kernel), {"stride": per_dim(s, n, 1, 3), "padding": padding, "dilation": dilation}


def conv_calls(s):
    n, groups = s.pick(1, 2, 2, 3), s.between(1, 2)
    inner, outer = s.pick(1, 2, 8 if n == 1 else 3), s.between(1, 2)
    shape = image(s, n, groups * inner, most=4)
    kernel, options = fitting(s, n, shape[-n:])
    options["padding"] = s.pick(options["padding"], "same", "valid")
    if options["padding"] == "same":
        options["stride"] = 1
    if options["padding"] == "valid":
        kernel, options["dilation"] = tuple(min(k, m) for k, m in zip(kernel, shape[-n:], strict=True)), 1
    w = s.array((groups * outer, inner, *kernel))
    return call(n, s.array(shape), w, s.pick(None, s.array((groups * outer,))), groups=groups, **options)


def conv_transpose_calls(s):
    n, groups, inner, outer = s.pick(1, 2, 2, 3), s.between(1, 2), s.between(1, 2), s.between(1, 2)
    shape = image(s, n, groups * inner, most=3)
    kernel, options = fitting(s, n, shape[-n:], transposed=True)
    room = [max(t, d) - 1 for t, d in zip(*(spread(options[k], n) for k in ("stride", "dilation")), strict=True)]
    options["output_padding"] = tuple(s.between(0, r) for r in room)
    w = s.array((groups * inner, outer, *kernel))
    return call(n, s.array(shape), w, s.pick(None, s.array((groups * outer,))), groups=groups, **options)


def pool_calls(dilated, **more):
    def make(s):
        n = s.pick(1, 2, 2, 3)
        shape = image(s, n, 2, least=2)
        kernel, options = fitting(s, n, shape[-n:], halves=True)
        if not dilated or s.pick(True, False):
            del options["dilation"]
            kernel = tuple(min(k, m) for k, m in zip(kernel, shape[-n:], strict=True))
            options["padding"] = tuple(min(k // 2, p) for k, p in zip(kernel, options["padding"], strict=True))
        else:
            options["ceil_mode"], options["padding"] = False, 0
            spans = [(k - 1) * d + 1 for k, d in zip(kernel, spread(options["dilation"], n), strict=True)]
            kernel = tuple(k if span <= m else 1 for k, span, m in zip(kernel, spans, shape[-n:], strict=True))
        if s.pick(True, False, False):
            del options["stride"]
        options = s.some({"ceil_mode": [True], **more}) | options
        if n == 1:
            options.pop("divisor_override", None)
        return call(n, s.array(shape), s.pick(kernel, kernel[0]) if len(set(kernel)) == 1 else kernel, **options)

    return make


def adaptive_calls(**more):
    def make(s):
        n = s.pick(1, 2, 2, 3)
        size = s.pick(1, s.between(1, 4), tuple(s.pick(None, s.between(1, 4)) for _ in range(n)) if n > 1 else 2)
        return call(n, s.array(image(s, n, 2)), size, **s.some(more))

    return make


def lp_calls(s):
    n = s.pick(1, 2, 2, 3)
    shape = image(s, n, 2, least=2)
    kernel = tuple(s.between(1, min(3, m)) for m in shape[-n:])
    return call(
        n,
        s.array(shape, POSITIVE),
        s.pick(1, 2, 3.0),
        kernel if n > 1 else kernel[0],
        s.pick(None, 2),
        **s.some({"ceil_mode": [True]}),
    )


def unpool_calls(s):
    """Each element has a place of its own: of several in one PyTorch does not say which stays."""
    n = s.pick(1, 2, 2, 3)
    shape = image(s, n, 2, most=2)
    size = tuple(2 * m + s.between(-1, 1) for m in shape[-n:])
    planes = [s.rng.permutation(math.prod(size))[: math.prod(shape[-n:])] for _ in range(math.prod(shape[:-n]))]
    return call(n, s.array(shape), np.reshape(planes, shape), 2, **s.pick({"stride": 2}, {}), output_size=size)


def fractional_calls(s):
    n = s.pick(2, 3)
    shape = image(s, n, 2, least=2)
    kernel = tuple(s.between(1, min(2, m)) for m in shape[-n:])
    wanted = tuple(s.between(1, m - k + 1) for m, k in zip(shape[-n:], kernel, strict=True))
    draws = s.rng.integers(0, 16, (shape[0] if len(shape) == n + 2 else 1, 2, n))
    return call(n, s.array(shape), draws, kernel, wanted, **s.some({"return_indices": [True]}))


def fractionally(n, input, draws, *args, **options):
    """The fractional pools of 2 and 3 sizes, told how many and what is drawn, in sixteenths."""
    samples = (draws.to(input.dtype) if isinstance(draws, autograd.Tensor) else draws) / 16
    return getattr(F, f"fractional_max_pool{n}d")(input, *args, _random_samples=samples, **options)


fractionally.stands_for = [F.fractional_max_pool2d, F.fractional_max_pool3d]


def unfold_calls(s):
    shape = image(s, 2, 2)
    kernel, options = fitting(s, 2, shape[-2:])
    return call(s.array(shape), kernel, **options)


def fold_calls(s):
    shape = image(s, 2, 1, most=3)
    kernel, options = fitting(s, 2, shape[-2:])
    columns = unfold(np.zeros(shape), kernel, **options)
    return call(s.array(columns.shape if columns.size <= 256 else columns.shape[-2:]), shape[-2:], kernel, **options)


def pad_calls(s):
    mode = s.pick("constant", "reflect", "replicate", "circular")
    if mode == "constant":
        x = s.array(s.shape(2))
        return call(x, tuple(s.between(-1, 2) for _ in range(2 * s.between(0, x.ndim))), **s.some({"value": [1.5]}))
    n = s.between(1, 3)
    x = s.array(image(s, n, 2, least=2, most=4))
    room = [m - (mode == "reflect") for m in x.shape[: -n - 1 : -1] for _ in range(2)]
    return call(x, tuple(s.between(0, min(r, 3)) for r in room), mode=mode)


def interpolate_calls(s):
    n = s.pick(1, 2, 2, 3)
    x = s.array((s.between(1, 2), 2, *(s.between(2, 4 if n < 3 else 3) for _ in range(n))))
    smooth = ("linear", "bilinear", "trilinear")[n - 1], *(("bicubic",) if n == 2 else ())
    mode = s.pick("nearest", "nearest-exact", "area", *smooth, *smooth)
    options = s.some({"align_corners": [True, False]}) if mode in smooth else {}
    factors = (0.5, 0.6, 1.0, 1.4, 2.0, 2.5)
    how = s.pick("size", "scale", "scale")
    size = per_dim(s, n, 1, 6)
    scale = s.pick(s.pick(*factors), tuple(s.pick(*factors) for _ in range(n)))
    width = spread(size, n)[-1] if how == "size" else int(x.shape[-1] * spread(scale, n)[-1])
    if mode in ("bilinear", "bicubic") and width > 1:  # in images of width 1 PyTorch repeats the first row
        options |= s.some({"antialias": [True]})
    if how == "size":
        return call(x, size=size, mode=mode, **options)
    return call(x, scale_factor=scale, mode=mode, **options, **s.some({"recompute_scale_factor": [True, False]}))


def affine_calls(s):
    n, images = s.between(2, 3), s.between(1, 2)
    size = (images, 2, *(s.between(1, 3) for _ in range(n)))
    return call(s.array((images, n, n + 1)), size, **s.some({"align_corners": [True, False]}))


def grid_calls(s):
    """Points that lie neither on elements nor half way between, where some modes have kinks and jumps."""
    n, images = s.pick(2, 2, 3), s.between(1, 2)
    size, out = tuple(s.between(1, 4) for _ in range(n)), tuple(s.between(1, 2) for _ in range(n))
    align = s.pick(True, False, None)
    grid = np.zeros((images, *out, n), s.dtype)
    for i, m in enumerate(size[::-1]):
        shape = grid.shape[:-1]
        at = s.rng.integers(-5, 8, shape) + s.rng.choice([0.1, 0.6], shape) + 0.3 * s.rng.random(shape)
        grid[..., i] = 2 * at / max(1, m - 1) - 1 if align else (2 * at + 1) / m - 1
    mode = s.pick("bilinear", "nearest", *(["bicubic"] if n == 2 else []))
    return call(
        s.array((images, 2, *size)), grid, mode=mode, padding_mode=s.pick("zeros", "border", "reflection"), align_corners=align
    )


def groups_of_channels(s):
    groups, shape = s.between(1, 3), s.shape(1, (3, 4), 2)
    return call(s.array((shape[0], groups * shape[1], *shape[2:])), groups)


def channels_apart(x, groups):
    return np.stack([x[:, i % groups * (x.shape[1] // groups) + i // groups] for i in range(x.shape[1])], 1)


def shuffle_calls(back):
    def make(s):
        r, shape = s.between(1, 3), s.shape(1, (3, 4), 2)
        *first, c, h, w = shape
        return call(s.array((*first, c, h * r, w * r) if back else (*first, c * r * r, h, w)), r)

    return make


def of_dims(name):
    """The functions of this name for 1, 2 and 3 sizes as one, which is told how many."""

    def function(n, *args, **options):
        return getattr(F, f"{name}{n}d")(*args, **options)

    function.__name__ = name + "_nd"
    function.stands_for = [getattr(F, f"{name}{n}d") for n in (1, 2, 3)]
    return function


# fmt: off
WINDOW_SAMPLES = [
    Sample("windows", any_windows, windows),
    Sample("fold", folds, fold),
    Sample("window_sum", any_windows, window_sum),
    Sample("window_max", seeing_windows, window_max),
    Sample("which", whiches, which, smooth=False),
    Sample("pick", picks, pick),
    Sample("put", puts, put, PRIMITIVES["put"]),
    Sample("flat_index", flat_indices, flat_index, smooth=False),
    Sample("conv", convs, convolved),
    Sample("conv_transpose", convs_back, convolved_back),
    Sample("conv_weight", convs_weight, convolved_weight),
    Sample("resample", resamples, resampled),
    Sample("cell", cells, lambda x, low, high: np.clip(np.floor(x), low, high).astype(int), smooth=False),
    # ---- functions, those for 1, 2 and 3 sizes together
    Sample("F.conv", conv_calls, conv, of_dims("conv")),
    Sample("F.conv_transpose", conv_transpose_calls, conv_transpose, of_dims("conv_transpose")),
    Sample("F.max_pool", pool_calls(True, return_indices=[True]), max_pool, of_dims("max_pool")),
    Sample("F.avg_pool", pool_calls(False, count_include_pad=[False], divisor_override=[3]), avg_pool, of_dims("avg_pool")),
    Sample("F.adaptive_avg_pool", adaptive_calls(), adaptive_avg_pool, of_dims("adaptive_avg_pool")),
    Sample("F.adaptive_max_pool", adaptive_calls(return_indices=[True]), adaptive_max_pool, of_dims("adaptive_max_pool")),
    Sample("F.lp_pool", lp_calls, lp_pool, of_dims("lp_pool")),
    Sample("F.max_unpool", unpool_calls, max_unpool, of_dims("max_unpool")),
    Sample("F.fractional_max_pool", fractional_calls, fractional_max_pool, fractionally, exempt=HOST | {"torch": "compared in test_window.py, with what is drawn as an option"}),
    Sample("F.unfold", unfold_calls, unfold, F.unfold),
    Sample("F.fold", fold_calls, folded, F.fold),
    Sample("F.pad", pad_calls, padded, F.pad),
    Sample("F.interpolate", interpolate_calls, interpolated, F.interpolate),
    Sample("F.affine_grid", affine_calls, affine, F.affine_grid),
    Sample("F.grid_sample", grid_calls, sampled, F.grid_sample),
    Sample("F.channel_shuffle", groups_of_channels, channels_apart, F.channel_shuffle),
    Sample("F.pixel_shuffle", shuffle_calls(False), shuffled, F.pixel_shuffle),
    Sample("F.pixel_unshuffle", shuffle_calls(True), unshuffled, F.pixel_unshuffle),
]
# fmt: on
