"""The workloads of steps.py: each a step in PyTorch's words, for chainrule and PyTorch; some also by hand, and in NumPy's words.

A function `name(lib)` makes the data and the model and returns the step: a function without arguments that returns a number,
by which the libraries are compared. `lib` is one of them: its `t`, `nn`, `F`, `training`, and `alone` for a step without an
optimizer. A function `name_by_hand()` is the same in NumPy, with derivatives and memory by hand. `name_in_arrays(lib, p)` is the
loss as a function of arrays, for JAX and MyGrad: `lib` has NumPy's functions as `np`, and `sigmoid`, `gelu`, `conv`, `pool` and
`scan`, with channels last. Its `start` says what the arrays are at first, how they are optimized, and at which rate.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np

RNG = np.random.default_rng
XOR = np.float32([[0, 0], [0, 1], [1, 0], [1, 1]]), np.float32([[0], [1], [1], [0]])


def drawn(shapes):
    """First weights: for each shape, those of an output of variance 1."""
    rng = RNG(0)
    return [rng.standard_normal(s, np.float32) / np.float32(max(np.prod(s[1:]), 2) ** 0.5) for s in shapes]


def labelled(n, *shape, classes=10):
    """Inputs and labels of one batch."""
    return RNG(1).standard_normal((n, *shape), np.float32), RNG(2).integers(0, classes, n)


def layers(*sizes):
    """The shapes of the weights and biases of linear layers."""
    return [s for n, m in pairwise(sizes) for s in ((m, n), (m,))]


def mlp(lib, *sizes):
    pairs = [(lib.nn.Linear(n, m), lib.nn.ReLU()) for n, m in pairwise(sizes)]
    return lib.nn.Sequential(*[layer for pair in pairs for layer in pair][:-1])


def dense(lib, x, w, b):
    return lib.np.matmul(x, w.T) + b


def mlp_in_arrays(lib, x, p):
    for k in range(0, len(p), 2):
        x = dense(lib, x, *p[k : k + 2])
        x = lib.np.maximum(x, 0) if k < len(p) - 2 else x
    return x


def cross_entropy_in_arrays(lib, x, y):
    return lib.np.mean(lib.np.log(lib.np.sum(lib.np.exp(x), axis=1)) - x[np.arange(len(y)), y])


# ---------------------------------------------------------------- small networks
def xor_sgd(lib):
    """XOR 2-3-2-1, sigmoid, SGD"""
    x, y = map(lib.t.from_numpy, XOR)
    nn = lib.nn
    net = nn.Sequential(nn.Linear(2, 3), nn.Sigmoid(), nn.Linear(3, 2), nn.Sigmoid(), nn.Linear(2, 1), nn.Sigmoid())
    return lib.training(net, "SGD", lambda: lib.F.mse_loss(net(x), y), lr=0.5)


def xor_sgd_by_hand():
    (x, y), p = XOR, drawn(layers(2, 3, 2, 1))

    def step():
        values = [x]
        for w, b in zip(p[::2], p[1::2], strict=True):
            values.append(1 / (1 + np.exp(-(values[-1].dot(w.T) + b))))
        g = values[-1] - y
        loss = float(np.vdot(g, g)) / y.size
        g *= 2 / y.size
        for k in range(len(p) - 2, -1, -2):
            out, before = values.pop(), values[-1]
            g *= out * (1 - out)
            dw, db, g = g.T.dot(before), np.add.reduce(g, 0), g.dot(p[k])
            p[k] -= 0.5 * dw
            p[k + 1] -= 0.5 * db
        return loss

    return step


def xor_sgd_in_arrays(lib, p):
    x, y = XOR
    for w, b in zip(p[::2], p[1::2], strict=True):
        x = lib.sigmoid(dense(lib, x, w, b))
    return lib.np.mean((x - y) ** 2)


xor_sgd_in_arrays.start = layers(2, 3, 2, 1), "SGD", 0.5


def xor_adam(lib):
    """XOR 2-4-1, BCE, Adam"""
    x, y = map(lib.t.from_numpy, XOR)
    net = lib.nn.Sequential(lib.nn.Linear(2, 4), lib.nn.ReLU(), lib.nn.Linear(4, 1), lib.nn.Sigmoid())
    return lib.training(net, "Adam", lambda: lib.F.binary_cross_entropy(net(x), y), lr=0.01)


def xor_adam_in_arrays(lib, p):
    x, y = XOR
    x = lib.sigmoid(mlp_in_arrays(lib, x, p))
    return -lib.np.mean(y * lib.np.log(x) + (1 - y) * lib.np.log(1 - x))


xor_adam_in_arrays.start = layers(2, 4, 1), "Adam", 0.01


# ---------------------------------------------------------------- classifiers
def classify(lib, batch, *sizes):
    x, y = map(lib.t.from_numpy, labelled(batch, sizes[0]))
    net = mlp(lib, *sizes)
    return lib.training(net, "Adam", lambda: lib.F.cross_entropy(net(x), y), lr=1e-3)


def classify_by_hand(batch, *sizes):
    x, y = labelled(batch, sizes[0])
    shapes = layers(*sizes)
    flat = np.concatenate([w.ravel() for w in drawn(shapes)])  # all weights, and their gradients, in one array
    ends = np.cumsum([np.prod(s) for s in shapes])[:-1]
    grad, m, v, a, b = (np.zeros_like(flat) for _ in range(5))
    p, g = ([part.reshape(s) for part, s in zip(np.split(whole, ends), shapes, strict=True)] for whole in (flat, grad))
    each, time = np.arange(batch), 0

    def step():
        nonlocal time
        values = [x]
        for k in range(0, len(p), 2):
            out = values[-1].dot(p[k].T)
            out += p[k + 1]
            values.append(np.maximum(out, 0, out=out) if k < len(p) - 2 else out)
        d = values.pop()
        d -= d.max(1, keepdims=True)
        picked = d[each, y]
        np.exp(d, out=d)
        s = np.add.reduce(d, 1)
        loss = float((np.log(s) - picked).mean())
        d /= s[:, None]
        d[each, y] -= 1
        d *= 1 / batch
        for k in range(len(p) - 2, -1, -2):
            before = values.pop()
            np.dot(d.T, before, out=g[k])
            np.add.reduce(d, 0, out=g[k + 1])
            if k:
                d = d.dot(p[k])
                d *= before > 0
        time += 1
        root = (1 - 0.999**time) ** 0.5
        np.multiply(m, 0.9, out=m)
        np.add(m, np.multiply(grad, 0.1, out=a), out=m)
        np.multiply(grad, grad, out=a)
        np.multiply(v, 0.999, out=v)
        np.add(v, np.multiply(a, 0.001, out=a), out=v)
        np.add(np.sqrt(v, out=a), 1e-8 * root, out=a)
        np.multiply(np.divide(m, a, out=b), 1e-3 * root / (1 - 0.9**time), out=b)
        np.subtract(flat, b, out=flat)
        return loss

    return step


def classify_in_arrays(lib, p, batch, *sizes):
    x, y = labelled(batch, sizes[0])
    return cross_entropy_in_arrays(lib, mlp_in_arrays(lib, x, p), y)


def digits(lib):
    """digits MLP 64-128-10, batch 64, Adam"""
    return classify(lib, 64, 64, 128, 10)


def digits_by_hand():
    return classify_by_hand(64, 64, 128, 10)


def digits_in_arrays(lib, p):
    return classify_in_arrays(lib, p, 64, 64, 128, 10)


digits_in_arrays.start = layers(64, 128, 10), "Adam", 1e-3


def mnist(lib):
    """MLP 784-256-128-10, batch 128, Adam"""
    return classify(lib, 128, 784, 256, 128, 10)


def mnist_by_hand():
    return classify_by_hand(128, 784, 256, 128, 10)


def mnist_in_arrays(lib, p):
    return classify_in_arrays(lib, p, 128, 784, 256, 128, 10)


mnist_in_arrays.start = layers(784, 256, 128, 10), "Adam", 1e-3


def lenet(lib):
    """CNN of 1x28x28, batch 32, SGD with momentum"""
    nn, (x, y) = lib.nn, map(lib.t.from_numpy, labelled(32, 1, 28, 28))
    net = nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(32 * 49, 10)),
    )
    x, net = lib.images(x), lib.images(net)
    return lib.training(net, "SGD", lambda: lib.F.cross_entropy(net(x), y), lr=1e-2, momentum=0.9)


def images_in_arrays(lib, p, images, padding):
    """Two convolutions, and linear layers on what these give, with channels before pixels as in the others."""
    x, y = images
    x = x.transpose(0, 2, 3, 1)
    for k in (0, 2):
        x = lib.pool(lib.np.maximum(lib.conv(x, p[k], padding) + p[k + 1], 0))
    return cross_entropy_in_arrays(lib, mlp_in_arrays(lib, x.transpose(0, 3, 1, 2).reshape(len(y), -1), p[4:]), y)


def lenet_in_arrays(lib, p):
    return images_in_arrays(lib, p, labelled(32, 1, 28, 28), 1)


lenet_in_arrays.start = [(16, 1, 3, 3), (16,), (32, 16, 3, 3), (32,), *layers(32 * 49, 10)], "momentum", 1e-2


def cifar(lib):
    """CNN of 3x32x32, batch 64, Adam"""
    nn, (x, y) = lib.nn, map(lib.t.from_numpy, labelled(64, 3, 32, 32))
    net = nn.Sequential(
        *(nn.Conv2d(3, 32, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(64 * 36, 64), nn.ReLU(), nn.Linear(64, 10)),
    )
    x, net = lib.images(x), lib.images(net)
    return lib.training(net, "Adam", lambda: lib.F.cross_entropy(net(x), y), lr=1e-3)


def cifar_in_arrays(lib, p):
    return images_in_arrays(lib, p, labelled(64, 3, 32, 32), 0)


cifar_in_arrays.start = [(32, 3, 3, 3), (32,), (64, 32, 3, 3), (64,), *layers(64 * 36, 64, 10)], "Adam", 1e-3


# ---------------------------------------------------------------- sequences
def transformer(lib):
    """Transformer, 2 layers, d 64, 4 heads, 16x64, AdamW"""
    nn, F = lib.nn, lib.F
    text = lib.t.from_numpy(RNG(1).integers(0, 65, (16, 65)))
    place = lib.t.arange(64)

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.norm2 = nn.LayerNorm(64), nn.LayerNorm(64)
            self.qkv, self.out = nn.Linear(64, 192), nn.Linear(64, 64)
            self.mlp = nn.Sequential(nn.Linear(64, 256), nn.GELU(), nn.Linear(256, 64))

        def forward(self, x):
            heads = self.qkv(self.norm(x)).reshape(16, 64, 3, 4, 16).permute(2, 0, 3, 1, 4)
            seen = F.scaled_dot_product_attention(heads[0], heads[1], heads[2], is_causal=True)
            x = x + self.out(seen.transpose(1, 2).reshape(16, 64, 64))
            return x + self.mlp(self.norm2(x))

    embed, places = nn.Embedding(65, 64), nn.Embedding(64, 64)
    blocks = nn.Sequential(Block(), Block(), nn.LayerNorm(64), nn.Linear(64, 65))
    net = nn.ModuleList([embed, places, blocks])

    def loss():
        out = blocks(embed(text[:, :-1]) + places(place))
        return F.cross_entropy(out.reshape(-1, 65), text[:, 1:].reshape(-1))

    return lib.training(net, "AdamW", loss, lr=1e-3)


def transformer_in_arrays(lib, p):
    xp, text = lib.np, RNG(1).integers(0, 65, (16, 65))

    def normed(x, w, b):
        x = x - xp.mean(x, axis=-1, keepdims=True)
        return x / xp.sqrt(xp.mean(x * x, axis=-1, keepdims=True) + 1e-5) * w + b

    x = p[0][text[:, :-1]] + p[1]
    for k in (2, 14):
        norm, norm2, qkv, out, mlp, mlp2 = (p[i : i + 2] for i in range(k, k + 12, 2))
        q, k, v = xp.moveaxis(dense(lib, normed(x, *norm), *qkv).reshape(16, 64, 3, 4, 16), 2, 0)
        scores = xp.where(np.tri(64, dtype=bool), xp.einsum("bqhd,bkhd->bhqk", q, k) / 4, -np.inf)
        weights = xp.exp(scores - xp.max(scores, axis=-1, keepdims=True))
        weights = weights / xp.sum(weights, axis=-1, keepdims=True)
        x = x + dense(lib, xp.einsum("bhqk,bkhd->bqhd", weights, v).reshape(16, 64, 64), *out)
        x = x + dense(lib, lib.gelu(dense(lib, normed(x, *norm2), *mlp)), *mlp2)
    x = dense(lib, normed(x, *p[26:28]), *p[28:])
    return cross_entropy_in_arrays(lib, x.reshape(-1, 65), text[:, 1:].reshape(-1))


transformer_in_arrays.start = (
    [(65, 64), (64, 64), *2 * [*4 * [(64,)], *layers(64, 192), *layers(64, 64, 256, 64)], (64,), (64,), *layers(64, 65)],
    "AdamW",
    1e-3,
)


def recurrent(lib, kind):
    x, y = map(lib.t.from_numpy, labelled(32, 50, 32))
    rnn, out = getattr(lib.nn, kind)(32, 128, batch_first=True), lib.nn.Linear(128, 10)
    net = lib.nn.ModuleList([rnn, out])
    return lib.training(net, "Adam", lambda: lib.F.cross_entropy(out(rnn(x)[0][:, -1]), y), lr=1e-3)


def recurrent_in_arrays(lib, p, cell, states):
    """Of each step cell makes the next state; what of it depends on the inputs alone is one product, as quick libraries do it."""
    (x, y), (w, u, b, c, *out) = labelled(32, 50, 32), p
    products = dense(lib, x.swapaxes(0, 1), w, b)

    def step(state, product):
        gates = product, dense(lib, state[0], u, c)
        return cell(*([g[:, k : k + 128] for k in range(0, len(b), 128)] for g in gates), *state), None

    start = (np.zeros((32, 128), np.float32),) * states
    return cross_entropy_in_arrays(lib, dense(lib, lib.scan(step, start, products)[0][0], *out), y)


def lstm(lib):
    """LSTM of 128, 50 steps, batch 32, Adam"""
    return recurrent(lib, "LSTM")


def lstm_in_arrays(lib, p):
    def cell(of_x, of_h, h, c):
        i, f, g, o = (a + b for a, b in zip(of_x, of_h, strict=True))
        c = lib.sigmoid(f) * c + lib.sigmoid(i) * lib.np.tanh(g)
        return lib.sigmoid(o) * lib.np.tanh(c), c

    return recurrent_in_arrays(lib, p, cell, 2)


lstm_in_arrays.start = [(512, 32), (512, 128), (512,), (512,), *layers(128, 10)], "Adam", 1e-3


def gru(lib):
    """GRU of 128, 50 steps, batch 32, Adam"""
    return recurrent(lib, "GRU")


def gru_in_arrays(lib, p):
    def cell(of_x, of_h, h):
        r, z = (lib.sigmoid(a + b) for a, b in zip(of_x[:2], of_h[:2], strict=True))
        n = lib.np.tanh(of_x[2] + r * of_h[2])
        return (n + z * (h - n),)

    return recurrent_in_arrays(lib, p, cell, 1)


gru_in_arrays.start = [(384, 32), (384, 128), (384,), (384,), *layers(128, 10)], "Adam", 1e-3


# ---------------------------------------------------------------- graphs
def chain(lib, ops=10_000):
    """chain of 10,000 ops"""
    t = lib.t
    x = t.tensor([0.5, 0.6, 0.7, 0.8], requires_grad=True)
    c = t.tensor([0.9, 0.8, 0.7, 0.6])

    def step():
        y = x
        for _ in range(ops // 4):
            y = t.tanh((y * c + c) / c)
        x.grad = None
        loss = (y * y).sum()
        loss.backward()
        return loss

    return lib.alone(step)


def chain_by_hand(ops=10_000):
    x, c = np.float32([[0.5, 0.6, 0.7, 0.8], [0.9, 0.8, 0.7, 0.6]])

    def step():
        values = [x]
        for _ in range(ops // 4):
            values.append(np.tanh((values[-1] * c + c) / c))
        g = 2 * values[-1]
        for out in values[:0:-1]:
            g = g * (1 - out * out) / c * c
        return float(np.vdot(values[-1], values[-1]))

    return step


def chain_in_arrays(lib, p, ops=10_000):
    c = np.float32([0.9, 0.8, 0.7, 0.6])
    y, _ = lib.scan(lambda y, _: (lib.np.tanh((y * c + c) / c), None), p[0], None, ops // 4)
    return lib.np.sum(y * y)


chain_in_arrays.start = [np.float32([0.5, 0.6, 0.7, 0.8])], None, 0


def long_chain(lib):
    """chain of 100,000 ops"""
    return chain(lib, 100_000)


def long_chain_by_hand():
    return chain_by_hand(100_000)


def long_chain_in_arrays(lib, p):
    return chain_in_arrays(lib, p, 100_000)


long_chain_in_arrays.start = chain_in_arrays.start


def scalars(lib):
    """graph of 5,000 scalars"""
    first, picks = graph_of_scalars()
    leaves = [lib.t.tensor(float(v), requires_grad=True) for v in first]

    def step():
        values = list(leaves)
        for i, j in picks:
            values.append((values[i] * values[j] + values[i]).tanh())
        for leaf in leaves:
            leaf.grad = None
        total = lib.t.stack(values).sum()
        total.backward()
        return total

    return lib.alone(step)


def scalars_in_arrays(lib, p):
    values = list(p)
    for i, j in graph_of_scalars()[1]:
        values.append(lib.np.tanh(values[i] * values[j] + values[i]))
    return lib.np.sum(lib.np.stack(values))


@cache
def graph_of_scalars():
    """The first numbers, and which two each of the others is made of."""
    rng = RNG(0)
    leaves = list(rng.uniform(0.5, 1, 50).astype(np.float32))
    return leaves, [(int(i), int(j)) for k in range(1650) for i, j in [rng.integers(0, 50 + k, 2)]]


scalars_in_arrays.start = graph_of_scalars()[0], None, 0


def hvp(lib):
    """Hessian-vector product of the digits MLP"""
    grad = getattr(lib.t, "autograd", lib.t).grad
    x, y = map(lib.t.from_numpy, labelled(64, 64))
    net = mlp(lib, 64, 128, 10)
    p = lib.started(net)
    v = [lib.t.from_numpy(a) for a in drawn(layers(64, 128, 10))]

    def step():
        first = grad(lib.F.cross_entropy(net(x), y), p, create_graph=True)
        second = grad(sum((g * a).sum() for g, a in zip(first, v, strict=True)), p)
        return sum((h * h).sum() for h in second)

    return lib.alone(step)


def hvp_in_arrays(lib, p):
    return digits_in_arrays(lib, p)


hvp_in_arrays.start = layers(64, 128, 10), "Hessian-vector product", 0


# ---------------------------------------------------------------- large arrays
def elementwise(lib):
    """elementwise, 1M elements"""
    a, b, c, d = (lib.t.from_numpy(RNG(k).standard_normal(1_000_000, np.float32)).requires_grad_() for k in range(4))

    def step():
        a.grad = b.grad = c.grad = d.grad = None
        loss = (lib.t.tanh(a * b + c) ** 2 / (1 + lib.t.exp(-d))).sum()
        loss.backward()
        return loss

    return lib.alone(step)


def elementwise_by_hand():
    a, b, c, d = (RNG(k).standard_normal(1_000_000, np.float32) for k in range(4))
    t, s, u, da, db, dc, dd = (np.empty_like(a) for _ in range(7))

    def step():
        np.tanh(np.add(np.multiply(a, b, out=t), c, out=t), out=t)
        np.reciprocal(np.add(np.exp(np.negative(d, out=s), out=s), 1, out=s), out=s)
        loss = np.add.reduce(np.multiply(np.multiply(t, t, out=u), s, out=dd))
        np.multiply(dd, np.subtract(1, s, out=dc), out=dd)
        np.multiply(np.multiply(np.multiply(t, s, out=t), 2, out=t), np.subtract(1, u, out=u), out=dc)
        np.multiply(dc, b, out=da)
        np.multiply(dc, a, out=db)
        return float(loss)

    return step


def elementwise_in_arrays(lib, p):
    xp, (a, b, c, d) = lib.np, p
    return xp.sum(xp.tanh(a * b + c) ** 2 / (1 + xp.exp(-d)))


elementwise_in_arrays.start = [RNG(k).standard_normal(1_000_000, np.float32) for k in range(4)], None, 0


def embedding(lib):
    """embedding of 50,000x64, 8,192 indices"""
    i = lib.t.from_numpy(embedding_indices())
    w = lib.t.from_numpy(RNG(1).standard_normal((50_000, 64), np.float32)).requires_grad_()

    def step():
        w.grad = None
        e = lib.F.embedding(i, w)
        loss = (e * e).sum()
        loss.backward()
        return loss

    return lib.alone(step)


def embedding_in_arrays(lib, p):
    e = p[0][embedding_indices()]
    return lib.np.sum(e * e)


embedding_in_arrays.start = [RNG(1).standard_normal((50_000, 64), np.float32)], None, 0


@cache
def embedding_indices():
    return RNG(0).permuted(np.concatenate([RNG(1).integers(0, 50_000, 4096), RNG(2).integers(0, 500, 4096)]))


WORKLOADS = {
    f.__name__: f
    for f in (
        *(xor_sgd, xor_adam, digits, mnist, lenet, cifar, transformer, lstm, gru),
        *(chain, long_chain, scalars, hvp, elementwise, embedding),
    )
}
