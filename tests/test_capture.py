"""Built to be captured: a training step, recorded as a tape of primitives, is the same step when the tape is played again."""

import numpy as np
import pytest
from replay import record, replay

import autograd
import nn
from autograd import Generator, Tensor, grad, no_grad, ones, ops, tensor, zeros
from autograd.engine.graph import write
from autograd.errors import UnsupportedError
from nn import functional as F

STEPS, BATCH = 20, 8
data = np.random.default_rng(0)
INPUTS = data.standard_normal((STEPS + 1, BATCH, 6)).astype(np.float32)
LABELS = INPUTS[..., :3].argmax(-1)
RATES = [0.1 * 0.9**k for k in range(STEPS + 1)]


# ---------------------------------------------------------------- a network made by hand
class ByHand:
    """A perceptron with dropout and SGD or Adam, of autograd alone; all that changes lives in `inputs`."""

    def __init__(self, kind):
        self.kind = kind
        rng = np.random.default_rng(1)
        sizes = [(6, 16), (16,), (16, 16), (16,), (16, 3), (3,)]
        self.params = [tensor(rng.standard_normal(s).astype(np.float32) * 0.4, requires_grad=True) for s in sizes]
        self.state = [[zeros(*s), zeros(*s)] for s in sizes]
        self.x, self.labels = zeros(BATCH, 6), zeros(BATCH, dtype=autograd.int64)
        self.lr, self.count, self.loss = (zeros(1, dtype=autograd.float64)[0].clone() for _ in range(3))
        self.generator = Generator().manual_seed(2)

    @property
    def inputs(self):
        """Every array that a step reads before it writes it."""
        state = [s for pair in self.state for s in pair]
        return [t.array for t in (self.x, self.labels, self.lr, self.count, *self.params, *state)]

    def feed(self, k):
        for t, value in ((self.x, INPUTS[k]), (self.labels, LABELS[k]), (self.lr, RATES[k])):
            write(t.array, ..., value)

    def forward(self):
        w1, b1, w2, b2, w3, b3 = self.params
        h = (self.x @ w1 + b1).tanh()
        keep = ops.random.bernoulli(self.generator, 0.75, h.shape, h.dtype)
        h = (h * keep / 0.75) @ w2 + b2
        h = autograd.where(h > 0, h, h * 0.1)
        scores = h @ w3 + b3
        picked = scores.log_softmax(1).gather(1, self.labels.unsqueeze(1))
        return -picked.mean() + 1e-3 * sum((p * p).sum() for p in self.params[::2])

    def step(self):
        for p in self.params:
            p.grad = None
        loss = self.forward()
        loss.backward()
        with no_grad():
            self.loss.copy_(loss)
            self.count.add_(1)
            for p, (m, v) in zip(self.params, self.state, strict=True):
                if self.kind == "SGD":
                    m.mul_(0.9).add_(p.grad)
                    p.sub_(m * self.lr)
                else:
                    m.mul_(0.9).add_(p.grad * 0.1)
                    v.mul_(0.99).add_(p.grad**2 * 0.01)
                    size = self.lr * (1 - 0.99**self.count).sqrt() / (1 - 0.9**self.count)
                    p.sub_(size * m / (v.sqrt() + 1e-8))


# ---------------------------------------------------------------- a network of nn
class OfLayers:
    """The same of layers, losses and optimizers of nn."""

    def __init__(self, kind):
        autograd.manual_seed(3)
        layers = nn.Linear(6, 16), nn.ReLU(), nn.Dropout(0.25), nn.Linear(16, 16), nn.GELU(), nn.Linear(16, 3)
        self.model = nn.Sequential(*layers)
        self.optimizer = {
            "SGD": lambda ps: nn.optim.SGD(ps, lr=0.1, momentum=0.9, weight_decay=1e-3),
            "nesterov": lambda ps: nn.optim.SGD(ps, lr=0.1, momentum=0.9, nesterov=True),
            "Adam": lambda ps: nn.optim.Adam(ps, lr=0.1),
            "AdamW": lambda ps: nn.optim.AdamW(ps, lr=0.1, weight_decay=0.1),
        }[kind](self.model.parameters())
        self.params = list(self.model.parameters())
        self.x, self.labels, self.loss = zeros(BATCH, 6), zeros(BATCH, dtype=autograd.int64), tensor(0.0)
        self.generator = autograd.default_generator

    @property
    def inputs(self):
        state = [t for s in self.optimizer.state.values() for t in s.values()]
        rates = [t for live in self.optimizer._live for v in live.values() for t in (v if isinstance(v, tuple) else (v,))]
        return [t.array for t in (self.x, self.labels, *self.params, *state, *rates)]

    def feed(self, k):
        write(self.x.array, ..., INPUTS[k])
        write(self.labels.array, ..., LABELS[k])
        self.optimizer.param_groups[0]["lr"] = RATES[k]
        self.optimizer.sync()

    def step(self):
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.model(self.x), self.labels, label_smoothing=0.1)
        loss.backward()
        nn.utils.clip_grad_norm_(self.params, 1.0)
        self.optimizer.step()
        with no_grad():
            self.loss.copy_(loss)


NETWORKS = [
    pytest.param(ByHand, "SGD", id="SGD by hand"),
    pytest.param(ByHand, "Adam", id="Adam by hand"),
    *(pytest.param(OfLayers, kind, id=f"nn and {kind}") for kind in ("SGD", "nesterov", "Adam", "AdamW")),
]


def run(net, first, last, step):
    """The losses of some steps."""
    losses = []
    for k in range(first, last):
        net.feed(k)
        step()
        losses.append(net.loss.item())
    return losses


@pytest.mark.slow
@pytest.mark.parametrize(("network", "kind"), NETWORKS)
def test_twenty_steps_from_the_tape_are_those_of_eager(network, kind):
    eager = network(kind)
    expected = run(eager, 0, STEPS + 1, eager.step)
    assert expected[-1] < expected[0]

    net = network(kind)
    net.feed(0)
    before = Tensor.rebinds
    tape = record(net.step)
    assert Tensor.rebinds == before
    losses = [net.loss.item(), *run(net, 1, STEPS + 1, lambda: replay(tape))]
    assert losses == pytest.approx(expected, rel=1e-6)
    for ours, theirs in zip(net.params, eager.params, strict=True):
        np.testing.assert_allclose(ours.array, theirs.array, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("network", "kind"), NETWORKS)
def test_nothing_stale_is_on_the_tape(network, kind):
    """After the recording all that a step reads is changed: data, labels, weights, state, rates and random numbers."""
    net, eager = network(kind), network(kind)
    for each in (eager, net):  # their state is there before the recording
        each.generator.manual_seed(5)
        each.feed(0)
        each.step()
    net.feed(1)
    tape = record(net.step)
    rng = np.random.default_rng(6)
    for ours, theirs in zip(net.inputs, eager.inputs, strict=True):
        value = rng.integers(0, 3, ours.shape) if ours.dtype.kind == "i" else rng.uniform(0.05, 0.5, ours.shape)
        if ours.shape == () and (ours == np.round(ours)).all():  # the number of steps
            value = 7
        write(ours, ..., value)
        write(theirs, ..., value)
    net.generator.manual_seed(7)
    replay(tape)
    eager.generator.manual_seed(7)
    eager.step()
    assert net.loss.item() == pytest.approx(eager.loss.item(), rel=1e-6)
    for ours, theirs in zip(net.inputs, eager.inputs, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("network", "kind"), NETWORKS)
def test_what_the_tape_holds_besides_inputs_does_not_depend_on_them(network, kind):
    """An array that no op of the tape made and that is no input is a constant: two recordings have it in common."""

    def constants(seed):
        net = network(kind)
        net.feed(0)
        net.step()
        rng = np.random.default_rng(seed)
        for array in net.inputs[:2] + [p.array for p in net.params]:
            write(array, ..., rng.integers(0, 3, array.shape) if array.dtype.kind == "i" else rng.uniform(-0.5, 0.5, array.shape))
        net.generator.manual_seed(seed)
        known = {id(array) for array in (*net.inputs, net.loss.array)}
        found = []

        def look(value):
            if isinstance(value, (tuple, list)):
                for v in value:
                    look(v)
            elif isinstance(value, (np.ndarray, float)) and id(value) not in known:
                found.append(np.copy(value))

        for op, args, result in record(net.step):
            look([a for a in args if not isinstance(a, Generator)] if op is not write else args)
            known.update(map(id, result if isinstance(result, tuple) else [result]))
        return found

    first, second = constants(8), constants(9)
    assert len(first) == len(second) > 0
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


# ---------------------------------------------------------------- what a tape holds
def test_a_tape_has_the_op_its_arguments_with_defaults_and_its_result():
    x = ones(2, 3)
    tape = record(lambda: (autograd.ops.reduce.sum(x, (0,)), x * 2, x.split(2, 1), autograd.cat([x, x])))
    assert [op.name for op, *_ in tape] == ["sum", "multiply", "split", "concatenate"]
    (_, args, out), product, split, cat = tape
    assert args[0] is x.array
    assert args[1:] == [(0,), False]
    np.testing.assert_array_equal(out, [2, 2, 2])
    assert product[1][1] == 2
    assert [part.shape for part in split[2]] == [(2, 2), (2, 1)]
    assert cat[1][0] == 0
    assert cat[1][1] is cat[1][2] is x.array


def test_writes_are_on_the_tape():
    x = ones(3)
    tape = record(lambda: (x.add_(1), x.__setitem__(0, 7.0)))
    assert [op is write for op, *_ in tape] == [False, True, True]
    assert all(args[0] is x.array for op, args, _ in tape if op is write)
    write(x.array, ..., 0)
    replay(tape)
    assert x.tolist() == [7, 1, 1]


def test_results_that_are_changed_in_place_while_recorded():
    x, w, out = tensor([1.0, 2.0]), tensor([3.0, 4.0], requires_grad=True), zeros(2)

    def step():
        h = x * w
        h += w
        h[0] = w[1] * 2
        with no_grad():
            out.copy_(h)
        return grad(h.sum(), w)[0]

    gradients = []
    tape = record(lambda: gradients.append(step()))
    with no_grad():
        x.copy_(tensor([5.0, 6.0]))
        w.copy_(tensor([7.0, 8.0]))
    replay(tape)
    assert out.tolist() == [16, 56]
    assert gradients[0].tolist() == [0, 2 + 1 + 2]


def test_computed_indices_masks_and_positions_are_not_baked_in():
    x, out = tensor([3.0, 1.0, 2.0]), zeros(4, 3)

    def step():
        order = x.argsort()
        out[0] = x[order]
        out[1] = x.sort(descending=True).values
        out[2] = autograd.where(x > 1.5, x, 0.0)
        out[3, x.argmax()] += 1.0

    tape = record(step)
    x.copy_(tensor([1.0, 2.0, 3.0]))
    out.zero_()
    replay(tape)
    assert out.tolist() == [[1, 2, 3], [3, 2, 1], [0, 2, 3], [0, 0, 1]]


def test_second_order_gradients_are_captured():
    x, out = tensor([1.0, 2.0], requires_grad=True), zeros(2)

    def step():
        (first,) = grad((x**3).sum(), x, create_graph=True)
        (second,) = grad((first * first).sum(), x)
        with no_grad():
            out.copy_(second)

    tape = record(step)
    with no_grad():
        x.copy_(tensor([0.5, 3.0]))
    replay(tape)
    np.testing.assert_allclose(out.array, 36 * x.array**3, rtol=1e-6)


def test_zeros_that_stay_zero_do_so_by_value_on_a_tape():
    x, out = tensor([4.0, 9.0], requires_grad=True), zeros(2)

    def step():
        (g,) = grad(autograd.where(x > 0, x.sqrt(), 0.0).sum(), x)
        with no_grad():
            out.copy_(g)

    tape = record(step)  # no infinite derivative is met here
    with no_grad():
        x.copy_(tensor([0.0, 4.0]))
    with np.errstate(divide="ignore", invalid="ignore"):
        replay(tape)
    assert out.tolist() == [0, 0.25]


def test_gradients_that_accumulate_do_so_from_the_tape():
    x = tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    tape = record(lambda: (x * x).sum().backward())
    assert x.grad.tolist() == [4, 8]
    replay(tape)
    assert x.grad.tolist() == [6, 12]


def test_hooks_run_once_and_are_on_the_tape_as_what_they_did():
    x, out = tensor([1.0, 2.0], requires_grad=True), zeros(2)
    calls = []
    x.register_hook(lambda g: (calls.append(1), g * 10)[1])

    def step():
        (g,) = grad((x * x).sum(), x)
        with no_grad():
            out.copy_(g)

    tape = record(step)
    with no_grad():
        x.mul_(3)
    replay(tape)
    assert out.tolist() == [60, 120]
    assert calls == [1]


def test_a_tape_belongs_to_its_context_and_nested_ones_do_not_mix():
    outer = []
    with autograd.engine.graph.ambient(tape=outer):
        ones(2) + 1
        inner = record(lambda: ones(2) * 2)
        ones(2) - 1
    ones(2) / 2
    assert [op.name for op, *_ in outer] == ["add", "subtract"]
    assert [op.name for op, *_ in inner] == ["multiply"]


def test_no_tensor_becomes_an_array_unseen():
    x = ones(2)
    for convert in (np.asarray, np.array, np.unwrap, lambda t: np.ones(2).dot(t)):
        with pytest.raises(UnsupportedError):
            record(lambda convert=convert: convert(x))
