"""The training loop: what it computes, what it leaves behind, its callbacks, going on after a stop, progress, and bad input."""

import csv
import io
import math
import sys
from collections import namedtuple
from functools import partial
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import autograd
import nn
from autograd import float64, tensor
from autograd.errors import ArgumentError, ShapeError, StateError, UnsupportedError
from nn import functional as F
from nn import metrics
from nn.optim import lr_scheduler
from nn.train import (
    Callback,
    CSVLogger,
    EarlyStopping,
    History,
    ModelCheckpoint,
    ReduceLROnPlateau,
    TerminateOnNaN,
    evaluate,
    fit,
    predict,
)  # fmt: skip
from nn.utils.data import DataLoader, TensorDataset

N = 23  # no multiple of a batch size


@pytest.fixture(autouse=True)
def seed():
    autograd.manual_seed(0)


def examples(n=N, dtype=float64):
    x = autograd.randn(n, 3, dtype=dtype)
    return TensorDataset(x, (x.sum(1) > 0).long())


def loader(n=N, size=5, **options):
    return DataLoader(examples(n), size, **options)


def network(dropout=0.0):
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Dropout(dropout), nn.Linear(8, 2)).double()


def sgd(net, lr=0.1):
    return nn.optim.SGD(net.parameters(), lr=lr)


def weights(net):
    return {name: t.array.copy() for name, t in net.state_dict().items()}


def assert_same(a, b, **close):
    assert a.keys() == b.keys()
    for name in a:
        (assert_allclose if close else assert_array_equal)(a[name], b[name], err_msg=name, **close)


def copy_of(net):
    twin = network()
    twin.load_state_dict(net.state_dict())
    return twin


CE = nn.CrossEntropyLoss()


# ---------------------------------------------------------------- what it computes
def test_it_is_the_loop_that_one_writes_by_hand():
    data, net = loader(), network()
    twin, expected = copy_of(net), []
    history = fit(net, CE, sgd(net), data, epochs=3)
    optimizer = sgd(twin)
    for _ in range(3):
        total = 0.0
        for x, y in data:
            optimizer.zero_grad()
            loss = CE(twin(x), y)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(x)
        expected.append(total / N)
    assert_same(weights(net), weights(twin))
    assert history == {"loss": expected, "lr": [0.1] * 3}
    assert history.epochs == 3
    assert history.stopped is None


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("n", [23, 20])  # the last group has one batch, of 3, or is whole
def test_accumulated_batches_are_one_big_batch(n, reduction):
    data, net = examples(n), network()
    twin = copy_of(net)
    loss = partial(F.cross_entropy, reduction=reduction) if n == 20 else nn.CrossEntropyLoss(reduction=reduction)
    lr = 0.1 if reduction == "mean" else 0.01
    small = fit(net, loss, sgd(net, lr), DataLoader(data, 5), epochs=2, accumulate=3, clip_norm=0.5, metrics=[metrics.f1])
    big = fit(twin, loss, sgd(twin, lr), DataLoader(data, 15), epochs=2, clip_norm=0.5, metrics=[metrics.f1])
    assert_same(weights(net), weights(twin), rtol=1e-13, atol=1e-15)
    assert_allclose(small["loss"], big["loss"], rtol=1e-13)
    assert small["f1"] == big["f1"]


def test_an_uneven_group_weighs_examples_not_batches():
    data, net = examples(13), network()
    twin = copy_of(net)
    fit(net, CE, sgd(net), DataLoader(data, 5), accumulate=4)  # 5, 5 and 3
    fit(twin, CE, sgd(twin), DataLoader(data, 13))
    assert_same(weights(net), weights(twin), rtol=1e-13, atol=1e-15)


def uncounted(x, labels):
    return F.cross_entropy(x, labels, tensor([1.0, 3.0]).double())


COUNTED = {  # losses whose means are over something else than the examples
    "ignored": nn.CrossEntropyLoss(),
    "weighted": nn.CrossEntropyLoss(tensor([0.3, 2.0]).double()),
    "smoothed": nn.CrossEntropyLoss(tensor([0.3, 2.0]).double(), label_smoothing=0.2),
    "a function": uncounted,
    "nll": lambda x, labels: F.nll_loss(x.log_softmax(1), labels, tensor([0.3, 2.0]).double()),
    "partial": partial(F.cross_entropy, weight=tensor([0.3, 2.0]).double()),
    "sum": nn.CrossEntropyLoss(tensor([0.3, 2.0]).double(), reduction="sum"),
    "sum in a function": lambda x, labels: F.cross_entropy(x, labels, reduction="sum"),
}


@pytest.mark.filterwarnings("ignore:cross_entropy. every label:UserWarning", "ignore:nll_loss. every label:UserWarning")
@pytest.mark.parametrize("name", COUNTED)
@pytest.mark.parametrize("size", [4, 5])
@pytest.mark.parametrize("clip_norm", [None, 0.05])
def test_batches_count_by_what_their_loss_is_the_mean_of(name, size, clip_norm):
    """Cut into batches, of which one counts for nothing, all is as in one big batch: the steps, the history, what evaluate says."""
    x, labels = examples(20).tensors
    labels[:5] = -100
    labels[11] = -100
    data, found = TensorDataset(x, labels), []
    for batch, accumulate in ((20, 1), (size, 20 // size)):
        autograd.manual_seed(1)
        net, batches = network(), DataLoader(data, batch)
        history = fit(
            net, COUNTED[name], sgd(net), batches, 2, accumulate=accumulate, validation=batches, clip_norm=clip_norm,
            metrics={"metric": COUNTED[name]},
        )  # fmt: skip
        found.append((history, evaluate(net, COUNTED[name], batches), weights(net)))
    for name in ("loss", "val_loss", "metric", "val_metric"):
        assert_allclose(found[1][0][name], found[0][0][name], rtol=1e-12)
    assert_allclose(found[1][1]["loss"], found[0][1]["loss"], rtol=1e-12)
    assert_same(found[1][2], found[0][2], rtol=1e-12, atol=1e-14)


@pytest.mark.filterwarnings("ignore:cross_entropy. every label:UserWarning")
def test_data_of_which_nothing_counts():
    """Its mean is NaN; and a batch of that kind among others is not seen in the history."""
    x, labels = examples(4).tensors
    nothing = (x, labels * 0 - 100)
    assert math.isnan(evaluate(network(), CE, [nothing])["loss"])
    net = network()
    history = fit(net, CE, sgd(net, 0.0), [nothing, (x, labels)], validation=[nothing])
    assert_allclose(history["loss"], [CE(net(x), labels).item()])
    assert math.isnan(history["val_loss"][0])


def test_evaluation_is_exact_for_the_uneven_last_batch():
    data, net = examples(), network(dropout=0.5).train()
    x, y = data.tensors
    found = evaluate(net, CE, DataLoader(data, 5), metrics=[metrics.accuracy, metrics.F1("macro")])
    assert net.training
    assert net[2].training
    net.eval()
    assert_allclose(found.pop("loss"), CE(net(x), y).item(), rtol=1e-13)
    assert found == {"accuracy": metrics.accuracy(net(x), y), "f1": metrics.f1(net(x), y, average="macro")}
    assert_allclose(
        evaluate(net, nn.CrossEntropyLoss(reduction="sum"), DataLoader(data, 5))["loss"], CE(net(x), y).item(), rtol=1e-13
    )


def test_predictions_are_put_together():
    data, net = examples(), network(dropout=0.5)
    x = data.tensors[0]
    found = predict(net, DataLoader(data, 5))
    assert not found.requires_grad
    assert net.training
    assert_allclose(found.array, net.eval()(x).array, rtol=1e-13)
    for other in (x, x.array, DataLoader(TensorDataset(x), 5), list(x.split(4))):
        assert_allclose(predict(net, other).array, found.array, rtol=1e-13)
    both = predict(lambda x: {"a": x, "b": (x[:, :1], [x * 2])}, DataLoader(data, 5))
    assert_array_equal(both["a"].array, x.array)
    assert_array_equal(both["b"][0].array, x.array[:, :1])
    assert_array_equal(both["b"][1][0].array, x.array * 2)


def test_what_a_batch_may_be():
    x, two = autograd.randn(6, 3, dtype=float64), nn.Bilinear(3, 3, 3).double()
    fit(lambda a, b: two(a, b), F.mse_loss, sgd(two), [(x, x, x), [x, x, x]])  # several inputs, and a model that is a function
    one = nn.Linear(3, 3).double()
    alone = fit(one, F.mse_loss, sgd(one, 0.0), [x, (x,)])  # a tensor that is its own target
    assert alone["loss"] == [F.mse_loss(one(x), x).item()]
    parts = fit(
        one,
        lambda out, t: F.mse_loss(out, t["x"]),
        sgd(one, 0.0),
        [(x, {"x": x}), (x[:3], {"x": x[:3]})],
        metrics={"n": lambda o, t: len(o)},
    )
    assert parts["n"] == [(6 * 6 + 3 * 3) / 9]
    pair = namedtuple("pair", "x y")(x, x)
    fit(lambda p: one(p.x), lambda out, p: F.mse_loss(out, p.y), sgd(one), [pair])  # a named tuple is one thing


def test_metrics_are_streams_functions_or_named():
    def first(output, target):
        return float((output.array.argmax(1) == target.array)[0])

    net, data = network(), loader()
    macro = metrics.Precision("macro")
    history = fit(
        net,
        CE,
        sgd(net, 0.0),
        data,
        metrics={"p": macro, "acc": metrics.accuracy, "k": partial(metrics.top_k_accuracy, k=2)},
        validation=data,
    )
    assert history["val_acc"] == history["acc"] == [metrics.accuracy(predict(net, data), data.dataset.tensors[1])]
    assert history["val_p"] == history["p"] == [macro.compute()]
    assert history["k"] == [1]
    assert [*history] == ["loss", "p", "acc", "k", "val_loss", "val_p", "val_acc", "val_k", "lr"]
    matrix = fit(net, CE, sgd(net, 0.0), data, metrics=[metrics.ConfusionMatrix, first])
    assert np.sum(matrix["confusion_matrix"]) == N
    assert 0 <= matrix["first"][0] <= 1


def test_an_optimizer_may_compute_several_times():
    net, data = network(), loader(size=N)
    history = fit(net, CE, nn.optim.LBFGS(net.parameters(), lr=0.5, max_iter=5), data, epochs=4, metrics=[metrics.accuracy])
    assert history["loss"][-1] < 0.2 * history["loss"][0]
    assert history["loss"][0] == pytest.approx(math.log(2), abs=0.5)  # as it was before the first step


def test_gradients_are_clipped():
    seen = []

    class Look(Callback):
        def on_gradients(self, loop):
            seen.append([p.grad.array for p in loop.parameters])

    net = network()
    fit(net, CE, sgd(net), loader(), clip_norm=1e-3, callbacks=[Look()])
    assert_allclose([math.sqrt(sum((g**2).sum() for g in gs)) for gs in seen], 1e-3, rtol=1e-2)
    seen.clear()
    fit(net, CE, sgd(net), loader(), clip_value=1e-3, callbacks=[Look()])
    assert {max(np.abs(g).max() for g in gs) for gs in seen} == {1e-3}


def test_the_same_seed_gives_the_same_history():
    def run():
        autograd.manual_seed(7)
        net, data = network(dropout=0.3), loader(shuffle=True)
        return fit(net, CE, nn.optim.Adam(net.parameters()), data, epochs=3, validation=data, metrics=[metrics.accuracy])

    assert run() == run()


# ---------------------------------------------------------------- schedulers
def test_a_scheduler_is_told_after_each_epoch_or_step():
    net, data = network(), loader()
    optimizer = sgd(net)
    history = fit(net, CE, optimizer, data, epochs=3, scheduler=lr_scheduler.ExponentialLR(optimizer, 0.5))
    assert history["lr"] == [0.1, 0.05, 0.025]  # with which the epoch ended
    optimizer = sgd(net)
    scheduler = lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=7)
    history = fit(net, CE, optimizer, data, epochs=2, scheduler=scheduler, schedule="step", accumulate=2)
    assert scheduler.last_epoch == 6  # 5 batches are 3 steps
    assert history["lr"][1] == optimizer.param_groups[0]["lr"]


def test_plateaus_lower_the_rate():
    net, data = network(), loader()
    for options in (
        lambda opt: {
            "scheduler": lr_scheduler.ReduceLROnPlateau(opt, factor=0.5, patience=0, threshold=1e3, threshold_mode="abs")
        },
        lambda opt: {"callbacks": [ReduceLROnPlateau(factor=0.5, patience=0, threshold=1e3, threshold_mode="abs")]},
        lambda opt: {
            "callbacks": [ReduceLROnPlateau("val_accuracy", factor=0.5, patience=0, threshold=1e3, threshold_mode="abs")]
        },
    ):
        optimizer = sgd(net)
        history = fit(net, CE, optimizer, data, epochs=4, validation=data, metrics=[metrics.accuracy], **options(optimizer))
        assert history["lr"] == [0.1, 0.1, 0.05, 0.025]


# ---------------------------------------------------------------- the mode it leaves the model in
@pytest.mark.parametrize("where", ["data", "loss", "callback", "validation", "metric"])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_whatever_happens_modes_come_back_and_callbacks_end(where, error):
    def fail(*_):
        raise error("here")

    def broken():
        yield from list(loader())[:2]
        fail()

    class Broken:
        def __iter__(self):
            return broken()

    ended = []

    class Ends(Callback):
        def on_fit_end(self, loop, error):
            ended.append(error)

    net = network(dropout=0.5)
    net.eval()
    net[2].train()
    options = {
        "callbacks": [Ends(), *([fail] if where == "callback" else []), Ends()],
        "metrics": [fail] if where == "metric" else None,
    }
    with pytest.raises(error, match="here"):
        fit(net, fail if where == "loss" else CE, sgd(net), Broken() if where == "data" else loader(),
            validation=Broken() if where == "validation" else None, **options)  # fmt: skip
    assert [m.training for m in net.modules()] == [False, False, False, True, False]
    assert [type(e) for e in ended] == [error, error]
    assert autograd.is_grad_enabled()


@pytest.mark.parametrize("verb", ["fit", "evaluate", "predict"])
def test_who_makes_batches_is_told_that_no_more_are_wanted(verb):
    class Batches:
        open = False

        def __iter__(self):
            self.open = True
            try:
                yield from list(loader())
            finally:
                self.open = False

    def model(x):
        assert batches.open
        raise RuntimeError("here")

    net, batches = network(), Batches()
    with pytest.raises(RuntimeError, match="here"):
        {
            "fit": lambda: fit(model, CE, sgd(net), batches),
            "evaluate": lambda: evaluate(model, CE, batches),
            "predict": lambda: predict(model, batches),
        }[verb]()
    assert not batches.open


def test_modes_within_a_run():
    modes = []

    class Noting(nn.Linear):
        def forward(self, x):
            modes.append((self.training, autograd.is_grad_enabled()))
            return super().forward(x)

    net = nn.Sequential(Noting(3, 2).double()).eval()
    data = loader(size=N)
    fit(net, CE, sgd(net), data, epochs=2, validation=data, callbacks=[lambda loop: loop.model.eval()])
    assert modes == [(True, True), (False, False)] * 2
    assert not net.training


def test_events_come_in_order():
    told = []

    class All(Callback):
        def __getattribute__(self, name):
            if name.startswith("on_"):
                return lambda loop, *rest: told.append((name[3:], loop.epoch, loop.batch, *rest))
            return super().__getattribute__(name)

    net = network()
    fit(net, CE, sgd(net), loader(10), epochs=2, callbacks=[All()])
    epochs = [
        [
            ("epoch_begin", e, 0),
            ("gradients", e, 0),
            ("batch_end", e, 1),
            ("gradients", e, 1),
            ("batch_end", e, 2),
            ("epoch_end", e, 2),
        ]
        for e in (1, 2)
    ]
    assert told == [("fit_begin", 0, 0), *epochs[0], *epochs[1], ("fit_end", 2, 2, None)]


# ---------------------------------------------------------------- stopping
class Scripted(nn.Module):
    """A model whose loss is what the script says; its parameter and buffers count the steps."""

    def __init__(self, script):
        super().__init__()
        self.script = iter(script)
        self.w = nn.Parameter(tensor([0.0]))
        self.register_buffer("steps", tensor(0))
        self.register_buffer("hidden", tensor(0.0), persistent=False)

    def forward(self, x):
        with autograd.no_grad():
            if self.training:
                self.steps.add_(1)
                self.hidden.add_(1)
        return self.w if self.training else tensor([next(self.script)])

    def fit(self, epochs, *callbacks, **options):
        data = [(tensor([1.0]), tensor([1.0]))]
        loss = lambda out, target: out.sum()  # noqa: E731
        return fit(self, loss, sgd(self, 1.0), data, epochs, validation=data, callbacks=callbacks, **options)

    @property
    def state(self):
        return self.w.item(), self.steps.item(), self.hidden.item()


def test_early_stopping_restores_parameters_and_buffers():
    net = Scripted([5, 3, 4, 3, 3.5, 1])
    stopping = EarlyStopping(patience=3)
    history = net.fit(10, stopping)
    assert history["val_loss"] == [5, 3, 4, 3, 3.5]
    assert (stopping.best, stopping.best_epoch) == (3, 2)
    assert history.stopped == "val_loss has not become better since 3 in epoch 2"
    assert net.state == (-2, 2, 2)


def test_early_stopping_restores_also_when_it_did_not_stop():
    net = Scripted([5, 3, 4])
    assert net.fit(3, EarlyStopping(patience=3)).stopped is None
    assert net.state == (-2, 2, 2)
    net = Scripted([5, 3, 4])
    net.fit(3, EarlyStopping(patience=3, restore_best=False))
    assert net.state == (-3, 3, 3)


def test_early_stopping_by_options():
    best = lambda *args, **options: Scripted([1, 1.4, 2.0, math.nan, 2.1, 9]).fit(6, EarlyStopping(*args, **options, mode="max"))  # noqa: E731
    assert best(patience=2, min_delta=0.5).epochs == 5
    assert best(patience=3, min_delta=0.5).epochs == 6
    assert (
        Scripted([math.nan] * 6).fit(6, EarlyStopping(patience=2)).stopped
        == "val_loss has not become better since it was a number"
    )
    stopping = EarlyStopping("loss", patience=2, mode="max")
    for _ in range(2):  # it can be used again
        assert Scripted([0] * 9).fit(9, stopping).epochs == 3


def test_an_exception_leaves_the_weights_as_they_are():
    net = Scripted([5, 3, 4])
    with pytest.raises(StopIteration):
        net.fit(4, EarlyStopping(patience=9))
    assert net.state == (-4, 4, 4)


def test_metrics_say_what_is_good():
    net, data = network(), loader()
    run = partial(fit, net, CE, sgd(net), data, metrics={"acc": metrics.Accuracy(), "odd": lambda o, t: 0.0})
    for monitor, mode in (("loss", "min"), ("acc", "max")):
        stopping = EarlyStopping(monitor)
        run(callbacks=[stopping])
        assert stopping.mode == mode
    for kind in (EarlyStopping, ReduceLROnPlateau, partial(ModelCheckpoint, "x")):
        with pytest.raises(ArgumentError, match="is 'odd' to be high or low"):
            run(callbacks=[kind(monitor="odd")])


def test_nan_stops_before_it_is_in_the_weights():
    net, data = network(), list(loader(20))
    expected = copy_of(net)
    fit(expected, CE, sgd(expected), data[:2])
    data[2] = (data[2][0] * math.nan, data[2][1])
    history = fit(net, CE, sgd(net), data, epochs=3, callbacks=[TerminateOnNaN()])
    assert history == {}
    assert history.stopped == "the loss is nan in epoch 1, batch 3"
    assert_same(weights(net), weights(expected))


def test_a_gradient_that_is_not_finite_stops_too():
    net = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(net.weight)
    history = fit(net, lambda out, target: out.sqrt().sum(), sgd(net), [autograd.ones(2, 1)], callbacks=[TerminateOnNaN()])
    assert history.stopped == "a gradient is not finite in epoch 1, batch 1"
    assert net.weight.item() == 0


def test_anybody_may_stop():
    net, data = network(), loader()
    history = fit(net, CE, sgd(net), data, epochs=5, callbacks=[lambda loop: loop.stop("enough") if loop.epoch == 2 else None])
    assert (history.epochs, history.stopped) == (2, "enough")
    assert fit(net, CE, sgd(net), data, epochs=4, history=history) is history  # to go on
    assert (history.epochs, history.stopped) == (4, None)

    class Impatient(Callback):
        def on_batch_end(self, loop):
            assert [*loop.logs] == ["loss"]
            if loop.batch == 2:
                loop.stop("no patience")

    history = fit(net, CE, sgd(net), data, epochs=5, callbacks=[Impatient()])
    assert (history.epochs, history.stopped) == (0, "no patience")


# ---------------------------------------------------------------- files
def test_csv_has_a_line_for_each_epoch(tmp_path):
    file, net, data = tmp_path / "log.csv", network(), loader()
    seen = []
    options = {
        "callbacks": [CSVLogger(file), lambda loop: seen.append(file.exists())],
        "validation": data,
        "metrics": [metrics.ConfusionMatrix],
    }
    history = fit(net, CE, sgd(net), data, epochs=2, **options)
    fit(net, CE, sgd(net), data, epochs=3, history=history, **options)  # what was there before is there again
    with open(file, newline="", encoding="utf-8") as f:
        header, *rows = csv.reader(f)
    assert header == ["epoch", *history]
    assert [row[0] for row in rows] == ["1", "2", "3"]
    assert [float(row[1]) for row in rows] == history["loss"]
    assert [row[2] for row in rows] == list(map(str, history["confusion_matrix"]))
    assert seen[0] is False  # written after the others were told


def test_names_in_a_csv_are_text_to_every_program(tmp_path):
    names = ["=1+1", "+a", "-a", "@a", "a\n\0b", "\ud800", "\t=1", "n" * 70_000, "plain, =1"]
    net, data = network(), loader()
    scores = {name: lambda outputs, labels: -1.0 for name in names}
    fit(net, CE, sgd(net), data, epochs=1, callbacks=[CSVLogger(tmp_path / "log.csv")], metrics=scores, validation=data)
    with open(tmp_path / "log.csv", newline="", encoding="utf-8") as file:
        csv.field_size_limit(100_000)
        header, row = csv.reader(file)
    shown = ["'=1+1", "'+a", "'-a", "'@a", r"a\n\x00b", r"\ud800", r"\t=1", "n" * 70_000, "plain, =1"]
    assert header[: len(names) + 2] == ["epoch", "loss", *shown]
    assert row[2 : len(names) + 2] == ["-1.0"] * len(names)
    assert not [cell for cell in header if cell[0] in "=+-@" or not cell.isprintable()]


def test_checkpoints_are_named_and_only_the_best_kept(tmp_path):
    net = Scripted([5, 3, 4, 2])
    net.fit(
        4,
        ModelCheckpoint(tmp_path / "{epoch:02d} {val_loss:.1f}.npz", monitor="val_loss"),
        ModelCheckpoint(f"{tmp_path}/last.npz"),
    )
    assert sorted(f.name for f in tmp_path.iterdir()) == ["01 5.0.npz", "02 3.0.npz", "04 2.0.npz", "last.npz"]
    saved = nn.load(tmp_path / "02 3.0.npz")
    assert saved["model"]["w"].item() == -2
    assert saved["history"]["val_loss"] == [5, 3]
    other = Scripted([])
    other.load_state_dict(saved["model"])
    assert other.steps.item() == 2


class Interrupt(Callback):
    """Interrupts a run while it is at a certain batch."""

    def __init__(self, epoch=0, batch=0):
        self.at = epoch, batch

    def on_gradients(self, loop):
        if (loop.epoch, loop.batch) == self.at:
            raise KeyboardInterrupt


@pytest.mark.parametrize("suffix", ["npz", "safetensors", "pt"])
@pytest.mark.parametrize("at", [(2, 3), (4, 0), (7, 4)])
def test_a_run_resumes_to_the_bit(suffix, at, tmp_path):
    file = tmp_path / f"last.{suffix}"

    def run(*at, **options):
        autograd.manual_seed(1)
        net = network(dropout=0.3)
        data = examples()
        batches = DataLoader(data, 5, shuffle=True, generator=autograd.Generator().manual_seed(5))
        optimizer = nn.optim.Adam(net.parameters(), lr=0.05)
        callbacks = [
            ModelCheckpoint(file),  # though it stands first, it saves what the others have done
            EarlyStopping("loss", patience=2),
            ReduceLROnPlateau("loss", factor=0.5, patience=0, threshold=0.3),
            Interrupt(*at),
        ]
        return net, fit(net, CE, optimizer, batches, 8, validation=[data.tensors], callbacks=callbacks,
                        scheduler=lr_scheduler.CosineAnnealingLR(optimizer, 20), **options)  # fmt: skip

    whole, expected = run()
    with pytest.raises(KeyboardInterrupt):
        run(*at)
    net, history = run(resume=file)
    assert history == expected
    assert history.epochs == 8
    assert_same(weights(net), weights(whole))


def test_a_run_that_was_stopped_stays_so_when_resumed(tmp_path):
    callbacks = EarlyStopping(patience=1), ModelCheckpoint(tmp_path / "last.npz")
    first = Scripted([5, 3, 4]).fit(9, *callbacks)
    net = Scripted([])
    again = net.fit(9, *callbacks, resume=tmp_path / "last.npz")
    assert (again, again.stopped) == (first, first.stopped)
    assert net.state == (-2, 2, 2)


def test_a_file_of_another_run_is_refused(tmp_path):
    net, data = network(), loader()
    file = tmp_path / "last.npz"
    fit(net, CE, sgd(net), data, callbacks=[ModelCheckpoint(file)])
    with pytest.raises(StateError, match="resume needs the same callbacks: that run had 1 of them, this one has 0"):
        fit(net, CE, sgd(net), data, resume=file)
    with pytest.raises(StateError, match="the same scheduler, or none if that run had none"):
        fit(net, CE, optimizer := sgd(net), data, resume=file, callbacks=[ModelCheckpoint(file)],
            scheduler=lr_scheduler.StepLR(optimizer, 1))  # fmt: skip
    nn.save(net.state_dict(), file)
    with pytest.raises(StateError, match="this one holds something else"):
        fit(net, CE, sgd(net), data, resume=file)


# ---------------------------------------------------------------- progress
class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_nothing_is_printed_where_nobody_looks(capsys):
    net, data = network(), loader()
    fit(net, CE, sgd(net), data, epochs=2)
    assert capsys.readouterr() == ("", "")
    fit(
        net,
        CE,
        sgd(net),
        data,
        epochs=2,
        verbose=True,
        validation=data,
        callbacks=[lambda loop: loop.epoch == 2 and loop.stop("enough")],
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("epoch 1/2: loss 0.")
    assert "val_loss 0." in lines[1]
    assert lines[2:] == ["stopped: enough"]


def test_a_terminal_has_a_bar_for_each_epoch(monkeypatch):
    pytest.importorskip("tqdm", reason="without tqdm there are no bars")
    net, data = network(), loader()
    monkeypatch.setattr(sys, "stdout", screen := Terminal())
    fit(net, CE, sgd(net), data, epochs=2)
    shown = screen.getvalue().replace("\r", "\n").splitlines()
    assert any(line.startswith("epoch 2/2") and "5/5" in line and "loss 0." in line for line in shown)
    monkeypatch.setattr(sys, "stdout", screen := Terminal())
    fit(net, CE, sgd(net), data, epochs=2, verbose=False)
    assert screen.getvalue() == ""
    with pytest.raises(ZeroDivisionError):
        fit(net, lambda *_: 1 / 0, sgd(net), data)
    assert screen.getvalue().endswith("\n")  # the bar is closed


def test_a_bar_where_nobody_knows_how_many_batches_there_are(monkeypatch):
    pytest.importorskip("tqdm", reason="without tqdm there are no bars")
    net = network()
    monkeypatch.setattr(sys, "stdout", screen := Terminal())
    fit(net, CE, sgd(net), iter(list(loader())))
    assert " 5/? [" in screen.getvalue()


def test_a_terminal_without_tqdm(monkeypatch):
    net, data = network(), loader()
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setattr(sys, "stdout", screen := Terminal())
    fit(net, CE, sgd(net), data)
    assert screen.getvalue() == ""
    fit(net, CE, sgd(net), data, verbose=True)
    assert screen.getvalue().startswith("epoch 1/1: loss 0.")


@pytest.fixture
def notebook(monkeypatch):
    """As if this were a notebook, without widgets."""
    for name in ("tqdm.auto", "tqdm.autonotebook", "tqdm.notebook"):  # which look where they are when they are imported
        monkeypatch.delitem(sys.modules, name, raising=False)
    shell = SimpleNamespace(config={"IPKernelApp": {}}, display_formatter=None)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "ipywidgets", None)


@pytest.mark.usefixtures("notebook")
def test_a_notebook_has_bars_too(capsys):
    pytest.importorskip("tqdm", reason="without tqdm there are no bars")
    net, data = network(), loader()
    fit(net, CE, sgd(net), data, verbose=False)
    assert capsys.readouterr().out == ""
    fit(net, CE, sgd(net), data, epochs=2)
    shown = capsys.readouterr().out.replace("\r", "\n").splitlines()
    assert any(line.startswith("epoch 2/2 |█") and " 5/5 [" in line and "loss 0." in line for line in shown)


@pytest.mark.usefixtures("notebook")
def test_a_notebook_without_tqdm_has_lines(capsys, monkeypatch):
    for name in ("tqdm", "tqdm.auto"):
        monkeypatch.setitem(sys.modules, name, None)
    net, data = network(), loader()
    fit(net, CE, sgd(net), data, epochs=2)
    assert [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()] == ["epoch 1/2", "epoch 2/2"]


# ---------------------------------------------------------------- the history
def test_a_history_is_a_table():
    history = History(loss=[0.5, math.nan], val_loss=[1e-9, 2.0], counts=[[1, 2], [3, 4]], lr=[1, 1])
    history.stopped = "enough <b>"
    lines = str(history).splitlines()
    assert lines[0].split() == ["epoch", "loss", "val_loss", "counts", "lr"]
    assert [line.split() for line in lines[2:4]] == [["1", "0.5", "1e-09", "[1,", "2]", "1"], ["2", "nan", "2", "[3,", "4]", "1"]]
    assert lines[4] == "stopped: enough <b>"
    assert repr(history) == repr(dict(history)), "it is a dict still"
    root = ElementTree.fromstring(f"<div>{history._repr_html_()}</div>")
    assert ["".join(row.itertext()) for row in root.iter("tr")] == [
        "epochlossval_losscountslr",
        "10.51e-09[1, 2]1",
        "2nan2[3, 4]1",
    ]
    assert "enough &lt;b&gt;" in history._repr_html_()
    assert str(History()).splitlines()[0] == "epoch"


def test_of_a_long_history_the_middle_is_left_out():
    lines = str(History(loss=[float(i) for i in range(1000)])).splitlines()
    assert len(lines) == History.MOST + 3
    assert [line.split()[0] for line in lines[2:]] == [*map(str, range(1, 21)), "…", *map(str, range(981, 1001))]


def test_fit_makes_such_a_history():
    net, data = network(), loader()
    several = [metrics.accuracy, metrics.confusion_matrix, metrics.CalibrationCurve(logits=True)]
    history = fit(net, CE, sgd(net), data, epochs=2, validation=data, metrics=several)
    happened, p = history["calibration_curve"][0]
    assert type(happened) is type(p) is list
    assert len(happened) == len(p)
    assert len(str(history).splitlines()) == 4
    assert "val_accuracy" in str(history)


# ---------------------------------------------------------------- bad input
class Examples(nn.utils.data.Dataset):
    def __iter__(self):
        return iter(())


@pytest.mark.parametrize(
    ("error", "says", "options"),
    [
        (ArgumentError, "epochs is a whole number, 0 or more, got 1.5", {"epochs": 1.5}),
        (ArgumentError, "accumulate is a whole number, 1 or more, got 0", {"accumulate": 0}),
        (ArgumentError, "clip_norm is a positive number or None, got 0", {"clip_norm": 0}),
        (ArgumentError, "clip_value is a positive number or None, got -1", {"clip_value": -1}),
        (ArgumentError, "schedule must be 'epoch' or 'step', got 'batch'", {"schedule": "batch"}),
        (UnsupportedError, "data gives batches, which a tuple does not; pass DataLoader", {"data": (tensor(1.0), tensor(1))}),
        (UnsupportedError, "data gives batches, which a Tensor does not", {"data": autograd.ones(3, 3)}),
        (UnsupportedError, "validation gives batches, which a Examples does not; pass a DataLoader", {"validation": Examples()}),
        (UnsupportedError, r"a batch is \(\*inputs, target\) or a tensor, not {'x': 1}; give", {"data": [{"x": 1}]}),
        (UnsupportedError, "a batch is", {"data": [()]}),
        (ArgumentError, "gave no batches", {"data": []}),
        (ArgumentError, "gave no examples", {"validation": iter([])}),
        (ShapeError, r"one number, got float64 \(5,\); use reduction='mean'", {"loss": nn.CrossEntropyLoss(reduction="none")}),
        (UnsupportedError, "metrics are those of nn.metrics, or functions of output and target, not 'accuracy'", {"metrics": ["accuracy"]}),
        (ArgumentError, "two measures called 'accuracy'", {"metrics": [metrics.accuracy, metrics.Accuracy()]}),
        (ArgumentError, "two measures called 'loss'", {"metrics": {"loss": metrics.accuracy}}),
        (UnsupportedError, "callbacks are Callbacks, or functions of the Loop, not <class", {"callbacks": [TerminateOnNaN]}),
        (ArgumentError, "EarlyStopping monitors 'val_loss', but there is only loss, lr; pass validation= to fit", {"callbacks": [EarlyStopping()]}),
        (ArgumentError, "there is only loss, lr$", {"callbacks": [EarlyStopping("accuracy", mode="max")]}),
        (ArgumentError, r"one number, but found \[\[", {"callbacks": [EarlyStopping("confusion_matrix", mode="max")], "metrics": [metrics.ConfusionMatrix]}),
        (ArgumentError, "restore_best is for a Module, not a function", {"callbacks": [EarlyStopping("loss")], "model": lambda x: x}),
        (ArgumentError, r"path .* may have \{...\} for epoch, loss, lr", {"callbacks": [ModelCheckpoint("{accuracy}.npz")]}),
        (ArgumentError, "this history has accuracy, now loss, lr are measured", {"history": History(accuracy=[])}),
    ],
)  # fmt: skip
def test_bad_input_is_refused(error, says, options):
    net = network()
    options = {"model": net, "loss": CE, "optimizer": sgd(net), "data": loader()} | options
    with pytest.raises(error, match=says):
        fit(**options)


def test_callbacks_refuse_options_that_make_no_sense():
    for says, make in (
        ("mode must be 'min', 'max' or None, got 'best'", lambda: EarlyStopping(mode="best")),
        ("min_delta must be 0 or more, got -1", lambda: EarlyStopping(min_delta=-1)),
        ("patience is a whole number of epochs, 1 or more, got 0", lambda: EarlyStopping(patience=0)),
    ):
        with pytest.raises(ArgumentError, match=says):
            make()


def test_an_iterator_can_be_gone_through_once():
    net = network()
    with pytest.raises(ArgumentError, match="gave no batches; a list or a DataLoader can be gone through again, an iterator not"):
        fit(net, CE, sgd(net), iter(list(loader())), epochs=2)
    with pytest.raises(ArgumentError, match="predict: data gave no batches"):
        predict(net, [])
