"""ONNX files: what onnxruntime makes of an exported model is what the model computes."""

import sys

import numpy as np
import pytest

import autograd
import nn
from autograd import tensor
from autograd.errors import ArgumentError, MissingError, UnsupportedError
from nn import functional as F

reason = "onnx is an extra, and onnxruntime a check of it; where they are installed, files are written and run"
onnx = pytest.importorskip("onnx", reason=reason)
onnxruntime = pytest.importorskip("onnxruntime", reason=reason)


def rand(*shape, seed=0):
    return tensor(np.random.default_rng(seed).standard_normal(shape).astype(np.float32))


def session(file):
    return onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])


def run(file, *args):
    """What onnxruntime makes of these inputs."""
    there = session(file)
    return there.run(None, {i.name: x.array for i, x in zip(there.get_inputs(), args, strict=True)})


def agrees(file, model, *args, rtol=1e-4, atol=2e-6):
    """Does the file compute what the model does?"""
    expected = model(*args)
    found = run(file, *args)
    for ours, theirs in zip(expected if isinstance(expected, (tuple, list)) else [expected], found, strict=True):
        assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
        np.testing.assert_allclose(theirs, ours.detach().array, rtol=rtol, atol=atol)


# ---------------------------------------------------------------- networks
def test_a_perceptron_for_batches_of_any_size(tmp_path):
    file = tmp_path / "mlp.onnx"
    model = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Dropout(0.5), nn.Linear(8, 3), nn.LogSoftmax(dim=1))
    nn.onnx.export(
        model, rand(2, 4), file, input_names=["x"], output_names=["y"], dynamic_axes={"x": {0: "batch"}, "y": {0: "batch"}}
    )
    assert model.training, "the model is in the mode that it was in"
    model.eval()
    for n in (1, 2, 7):
        agrees(file, model, rand(n, 4, seed=n))
    there = session(file)
    assert [(i.name, i.shape) for i in there.get_inputs()] == [("x", ["batch", 4])]
    assert [(o.name, o.shape) for o in there.get_outputs()] == [("y", ["batch", 3])]
    written = onnx.load(file)
    assert (written.opset_import[0].version, written.ir_version) == (20, 10)
    assert {"0.weight", "0.bias", "3.weight", "3.bias"} <= {i.name for i in written.graph.initializer}
    assert {node.op_type for node in written.graph.node} >= {"Gemm", "Erf", "LogSoftmax"}


class Convolutional:
    """Every kind of window, as functions."""

    def __init__(self):
        self.first, self.second, self.back = rand(6, 1, 3, 3), rand(6, 3, 3, 2, seed=1), rand(6, 4, 3, 3, seed=2)

    def __call__(self, x):
        x = F.relu(F.conv2d(x, self.first, stride=2, padding=1))
        x = F.max_pool2d(x, 2, ceil_mode=True)
        x = F.conv2d(x, self.second, padding="same", groups=2, dilation=2)
        x = F.avg_pool2d(x, 3, 1, 1) + F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
        x = F.conv_transpose2d(x, self.back, stride=2, padding=1, output_padding=1)
        x = F.pad(x, (1, 2, 0, 1)) + F.pad(x, (1, 2, 0, 1), mode="replicate")
        x = F.interpolate(x, scale_factor=2, mode="bilinear")
        return F.adaptive_avg_pool2d(x, (2, 3)).flatten(1)


def test_convolutions_and_pools(tmp_path):
    model = Convolutional()
    nn.onnx.export(model, rand(2, 1, 13, 17), tmp_path / "cnn.onnx", dynamic_axes={"input": [0]})
    for n in (2, 5):
        agrees(tmp_path / "cnn.onnx", model, rand(n, 1, 13, 17, seed=3), atol=1e-4)


class Attention(nn.Module):
    """A Transformer's layer by hand, from token to prediction."""

    def __init__(self):
        super().__init__()
        self.table = nn.Parameter(rand(20, 16))
        self.project = nn.ModuleList([nn.Linear(16, 16) for _ in range(4)])
        self.gain = nn.Parameter(autograd.ones(16))

    def forward(self, ids):
        x = self.table[ids]
        b, t, d = x.shape
        q, k, v = (layer(x).reshape(b, t, 4, 4).transpose(1, 2) for layer in self.project[:3])
        scores = (q @ k.transpose(-1, -2) / 2).masked_fill(autograd.tril(autograd.ones(t, t)) == 0, float("-inf"))
        x = x + self.project[3]((scores.softmax(-1) @ v).transpose(1, 2).reshape(b, t, d))
        x = (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True, correction=0) + 1e-5).sqrt() * self.gain
        return x, (x[:, -1] @ self.table.t()).argmax(-1)


def test_a_transformer(tmp_path):
    model, rng = Attention(), np.random.default_rng(4)
    nn.onnx.export(model, tensor(rng.integers(0, 20, (2, 7))), tmp_path / "t.onnx", dynamic_axes={"input": {0: "n"}})
    for n in (1, 2, 4):
        agrees(tmp_path / "t.onnx", model, tensor(rng.integers(0, 20, (n, 7))), atol=1e-5)


LAYERS = {
    "BatchNorm2d(3)": (2, 3, 4, 4),
    "InstanceNorm2d(3, affine=True)": (2, 3, 4, 4),
    "LayerNorm(4)": (2, 5, 4),
    "GroupNorm(2, 4)": (2, 4, 3),
    "RMSNorm(4)": (2, 4),
    "Upsample(scale_factor=2)": (1, 2, 3, 3),
    "PixelShuffle(2)": (1, 4, 3, 3),
    "RNN(3, 4)": (5, 2, 3),
    "LSTM(3, 4, 2, bidirectional=True)": (5, 2, 3),
    "GRU(3, 4)": (5, 2, 3),
    "TransformerEncoderLayer(8, 2, 16, batch_first=True)": (2, 5, 8),
}


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_whose_ops_have_no_node_of_their_own(layer, tmp_path):
    model = eval(f"nn.{layer}").eval()
    x = rand(*LAYERS[layer])
    nn.onnx.export(model, x, tmp_path / "layer.onnx")
    leaves = lambda v: [t for part in v for t in leaves(part)] if isinstance(v, tuple) else [v]  # noqa: E731
    agrees(tmp_path / "layer.onnx", lambda x: leaves(model(x)), x, atol=1e-5)


# ---------------------------------------------------------------- op by op
X, Y, B = rand(3, 4), rand(3, 4, seed=1), tensor(np.random.default_rng(2).integers(0, 2, (3, 4)).astype(bool))
N = tensor(np.random.default_rng(3).integers(-5, 6, (3, 4)))
OPS = """
    x + y | x - 2 | 3 * x | x / (y + 4) | -x | x.abs() ** y | x ** 2 | x ** -1 | x.square() | x.exp() | x.expm1() | x.abs().log() | x.abs().log1p()
    x.abs().sqrt() | (x.abs() + 1).rsqrt() | x.reciprocal() | x.abs().log2() | x.exp2() | x.arcsinh() | x.isfinite() | x.sin() | x.cos() | x.tan() | x.tanh().arcsin() | x.tanh().arccos() | x.arctan() | x.sinh() | x.cosh()
    x.sigmoid() | x.relu() | F.elu(x) | F.leaky_relu(x) | F.silu(x) | F.softplus(x) | F.gelu(x) | F.gelu(x, 'tanh') | autograd.erf(x) | x.sign() | x.floor() | x.ceil() | (x * 3).trunc() | (x * 3).round()
    autograd.maximum(x, y) | autograd.minimum(x, 0.5) | x.clamp(-0.5, 0.5) | x % 0.7 | (x * 5) // y | n % 3 | n // 3 | n * 2 + 1 | n / 2 | n.float() * x | x > y | x >= 0 | n < 0.5 | n == 2 | n != y
    b & (x > 0) | b | (n > 0) | ~b | b ^ (n > 1) | n & 3 | autograd.where(b, x, 0.0) | x.masked_fill(b, 7.0) | autograd.logical_and(x > 0, b) | x.isnan()
    x.sum() | x.sum(0) | n.sum(1) | b.sum() | x.mean(1, keepdim=True) | x.var(1) | x.std() | x.amax(0) | x.amin((0, 1)) | x.max(1).values | x.max(1).indices | x.min() | x.argmax() | x.argmin(0, keepdim=True)
    x.logsumexp(1) | x.cumsum(1) | b.all() | b.any(1) | (x > 0).all(0, keepdim=True) | x.softmax(0) | x.log_softmax(-1) | autograd.linalg.vector_norm(x, dim=1)
    x.reshape(2, 6) | x.flatten() | x.t() | x[None].permute(2, 0, 1) | x.unsqueeze(1).expand(3, 2, 4) | x.repeat(2, 1) | x.roll(1, 1) | x.flip(0) | x.flip((0, 1)) | x.tril() | x.triu(1) | x.movedim(0, 1)
    autograd.cat([x, y], 1) | autograd.stack([x, y], -1) | x.split([1, 3], 1) | x.chunk(2, 1) | x.unbind(0) | x[0] | x[:, -1] | x[1:, ::2] | x[::-1] | x[..., None, 1:3] | x[-1, 0] | x[:, -3:-1] | x[2:0:-1]
    x[[2, 0]] | x[:, [1, 1, 3]] | x.gather(1, n.abs() % 4) | x.index_select(1, n[0].abs() % 4) | F.one_hot(n[0].abs(), 6) | x @ y.t() | x @ y[0] | autograd.einsum('ij,ik->jk', x, y) | F.pad(x, (1, 2, 3, 0))
    x.double() | x.long() | b.float() | x.clone() | x.float().int()
"""  # fmt: skip


@pytest.mark.parametrize(
    "op", [part.strip() for line in OPS.strip().splitlines() for part in line.replace("b | (n", "b OR (n").split(" | ")]
)
def test_an_op(op, tmp_path):
    code = compile(op.replace(" OR ", " | "), op, "eval")

    def model(x, y, n, b):
        return eval(code, {"autograd": autograd, "F": F}, dict(x=x, y=y, n=n, b=b))

    nn.onnx.export(model, (X, Y, N, B), tmp_path / "op.onnx", input_names=["x", "y", "n", "b"])
    agrees(tmp_path / "op.onnx", model, X, Y, N, B, rtol=1e-5)


# ---------------------------------------------------------------- what is refused
@pytest.mark.parametrize(
    ("model", "said"),
    [
        (lambda x: autograd.linalg.inv(x @ x.t()), ["inv"]),
        (lambda x: x * autograd.rand_like(x).sort(0).values @ autograd.linalg.svd(x)[2], ["svd"]),
        (lambda x: x[x > 0], ["index", "mask"]),
        (lambda x: float(x.sum()), ["float: a tensor cannot become a number while a tape records"]),
    ],
)
def test_what_has_no_counterpart_is_named(model, said, tmp_path):
    with pytest.raises(UnsupportedError) as caught:
        nn.onnx.export(model, rand(3, 3), tmp_path / "x.onnx")
    assert all(part in str(caught.value) for part in said)
    assert not list(tmp_path.iterdir())


def test_writes_in_place_are_followed_or_refused(tmp_path):
    def whole(x):
        h = x * 2
        h.relu_().add_(1)
        return h - x

    with autograd.no_grad():
        nn.onnx.export(whole, rand(3, 3), tmp_path / "x.onnx")
        agrees(tmp_path / "x.onnx", whole, rand(3, 3, seed=1))

    def part(x):
        h = x * 2
        h[0] = 7.0
        return h

    def view(x):
        h = x * 2
        h.t().mul_(3)
        return h

    table = autograd.zeros(3)

    def mask_made_in_place(x):
        mask = autograd.zeros(3)
        mask[1].add_(7)
        return x + mask.mul_(2)

    nn.onnx.export(mask_made_in_place, rand(3, 3), tmp_path / "x.onnx")
    agrees(tmp_path / "x.onnx", mask_made_in_place, rand(3, 3, seed=1))

    def state(x):
        y = x + table
        table.add_(1)
        return y + table

    with pytest.raises(UnsupportedError, match="writes to a buffer that it has read"):
        nn.onnx.export(state, rand(3, 3), tmp_path / "no.onnx")
    for model in (part, view):
        with pytest.raises(UnsupportedError, match="in place"):
            nn.onnx.export(model, rand(3, 3), tmp_path / "no.onnx")


def test_what_depends_on_the_size_of_a_batch_is_named(tmp_path):
    axes = {"input": {0: "batch"}}
    nn.onnx.export(lambda x: x.expand(2, *x.shape) - x.mean(0), rand(3, 4), tmp_path / "x.onnx", dynamic_axes=axes)
    agrees(tmp_path / "x.onnx", lambda x: x.expand(2, *x.shape) - x.mean(0), rand(5, 4))
    assert session(tmp_path / "x.onnx").get_outputs()[0].shape == [2, "batch", 4]
    for model in (lambda x: x + autograd.zeros(x.shape[0], 1), lambda x: x.reshape(2, -1), lambda x: x.sum(0) / x.shape[0]):
        nn.onnx.export(model, rand(4, 4), tmp_path / "fixed.onnx")
        agrees(tmp_path / "fixed.onnx", model, rand(4, 4, seed=1))
        with pytest.raises(UnsupportedError, match="depends on the size of the batch"):
            nn.onnx.export(model, rand(4, 4), tmp_path / "free.onnx", dynamic_axes=axes)
    with pytest.raises(UnsupportedError, match="only dim 0"):
        nn.onnx.export(nn.ReLU(), rand(3, 4), tmp_path / "free.onnx", dynamic_axes={"input": {1: "width"}})
    with pytest.raises(ArgumentError, match="needs an example"):
        nn.onnx.export(nn.ReLU(), rand(0, 4), tmp_path / "free.onnx", dynamic_axes=axes)


def test_names_must_fit(tmp_path):
    with pytest.raises(ArgumentError, match="2 inputs"):
        nn.onnx.export(lambda x, y: x + y, (X, Y), tmp_path / "x.onnx", input_names=["x"])
    with pytest.raises(ArgumentError, match="1 output"):
        nn.onnx.export(lambda x, y: x + y, (X, Y), tmp_path / "x.onnx", output_names=["a", "b"])


def test_without_the_package_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingError, match=r"chainrule\[onnx\]"):
        nn.onnx.export(nn.ReLU(), X, tmp_path / "x.onnx")
