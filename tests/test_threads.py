"""Threads that work on the same parameters, memory, graphs and generators at once: nothing is lost, and nothing leaks."""

import sys
import threading
from functools import partial

import pytest

import autograd
import nn
from autograd import checkpoint, default_generator, func, manual_seed, ones, rand
from autograd.engine import graph
from autograd.errors import FreedGraphError
from nn.utils.data import DataLoader, Dataset


@pytest.fixture
def _impatient():
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


class Interrupted:
    """A function that, when it is called first, lets another thread do something before it returns."""

    def __init__(self, function, between):
        self.function, self.thread = function, threading.Thread(target=between, daemon=True)

    def __call__(self, *args, **kwargs):
        out = self.function(*args, **kwargs)
        if self.thread.ident is None:
            self.thread.start()
            self.thread.join(0.2)  # or it waits for us, as it should
        return out


# ---------------------------------------------------------------- gradients
@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.usefixtures("_impatient")
def test_every_gradient_of_a_shared_parameter_arrives(create_graph, run_threads):
    x = ones(3, requires_grad=True)

    def work():
        for _ in range(40):
            (x * x.detach()).sum().backward(create_graph=create_graph)

    run_threads(*[(work,)] * 4)
    assert x.grad.tolist() == [160.0] * 3
    x.grad = None


def test_a_gradient_that_comes_while_another_is_added_is_added_too(monkeypatch):
    x = ones(1, requires_grad=True)
    x.sum().backward()
    add = Interrupted(autograd.Tensor.add_, lambda: x.sum().backward())
    monkeypatch.setattr(autograd.Tensor, "add_", lambda self, other: add(self, other))
    x.sum().backward()
    add.thread.join(10)
    assert x.grad.item() == 3


def test_the_first_gradient_is_not_lost_to_one_that_comes_at_the_same_time(monkeypatch):
    x = ones(1, requires_grad=True)
    look = Interrupted(graph.memory, lambda: x.sum().backward())
    monkeypatch.setattr(sys.modules["autograd.engine.tensor"], "memory", look)
    x.sum().backward()
    look.thread.join(10)
    assert x.grad.item() == 2


@pytest.mark.usefixtures("_impatient")
def test_several_backwards_through_one_graph(run_threads):
    x = ones(3, requires_grad=True)
    shared = (x * 2).tanh() * x.exp()

    def work():
        for _ in range(20):
            (shared * 2).sum().backward(retain_graph=True)

    work()
    expected = x.grad * 4
    x.grad = None
    run_threads(*[(work,)] * 4)
    assert autograd.allclose(x.grad, expected)


@pytest.mark.usefixtures("_impatient")
def test_one_backward_may_free_a_graph_under_another_which_then_says_so(run_threads):
    def work(y, done):
        try:
            y.backward()
            done.append(True)
        except FreedGraphError:
            pass

    for _ in range(50):
        x, done = ones(2, requires_grad=True), []
        shared = x.exp()
        for _ in range(30):
            shared = shared.tanh() * 2
        run_threads(*[(work, shared.sum(), done) for _ in range(3)])
        one = x.grad / len(done)
        x.grad = None
        y = x.exp()
        for _ in range(30):
            y = y.tanh() * 2
        y.sum().backward()
        assert autograd.allclose(x.grad, one)


# ---------------------------------------------------------------- what is counted
def test_the_time_of_the_last_write_never_goes_back(monkeypatch):
    a, b = ones(1).array, ones(1).array
    monkeypatch.setattr(graph, "tick", tick := Interrupted(graph.tick, lambda: graph.touch(b)))
    graph.touch(a)
    tick.thread.join(10)
    times = [graph._writes[id(array)][0] for array in (a, b)]
    assert graph._latest == max(times)


@pytest.mark.usefixtures("_impatient")
def test_whoever_looks_at_rebinds_sees_every_one(run_threads):
    seen = set()

    def work():
        t = ones(1)
        for _ in range(200):
            t.data = ones(1)
            seen.add(autograd.Tensor.rebinds)

    run_threads(*[(work,)] * 3)
    assert len(seen) > 200
    before = autograd.Tensor.rebinds
    ones(1).data = ones(1)
    assert autograd.Tensor.rebinds > before


# ---------------------------------------------------------------- random numbers
class Noisy(Dataset):
    """Draws, and lets the other thread draw between."""

    def __init__(self, between):
        self.between = between

    def __len__(self):
        return 4

    def __getitem__(self, i):
        before = rand(1)
        self.between()
        return autograd.cat([before, rand(1)])


def batches(loader):
    return [b.tolist() for b in loader]


@pytest.mark.parametrize("own", [False, True])
def test_a_loader_in_another_thread_changes_no_draws_of_this_one(own, run_threads):
    turn = threading.Barrier(2)

    def meet():
        turn.wait(10)
        turn.wait(10)

    def draws(loader, wait):
        manual_seed(0)
        epoch = iter(loader)
        found, made = [], []
        if wait:
            thread = threading.Thread(target=lambda: made.extend(batches(epoch)), daemon=True)
            thread.start()
        for _ in range(4):
            if wait:
                turn.wait(10)
            found.append(rand(2).tolist())
            if wait:
                turn.wait(10)
        if wait:
            thread.join(10)
        else:
            made = batches(epoch)
        return found, made, rand(1).item()

    def loader(between):
        return DataLoader(Noisy(between), shuffle=True, generator=autograd.Generator().manual_seed(1) if own else None)

    assert draws(loader(meet), True) == draws(loader(lambda: None), False)


def test_a_seed_set_where_another_source_stands_in_is_set_there_only():
    manual_seed(3)
    expected = rand(2).tolist()
    manual_seed(3)
    loader = DataLoader(Noisy(lambda: manual_seed(7)), generator=autograd.Generator())
    assert len({b[0][1] for b in batches(loader)}) == 1
    assert rand(2).tolist() == expected


@pytest.mark.parametrize("how", ["checkpoint", "vmap error", "vmap same", "summary"])
def test_what_runs_with_numbers_of_its_own_disturbs_no_other_thread(how):
    def run(between):
        def once(x, draw=True):
            y = x * rand(1) if draw else x * 1.0
            thread = threading.Thread(target=between)
            thread.start()
            thread.join(10)
            return y

        x = ones(2, requires_grad=True)
        if how == "checkpoint":
            checkpoint(once, x).sum().backward()
        elif how == "vmap error":
            func.vmap(partial(once, draw=False))(x)
        elif how == "vmap same":
            func.vmap(once, randomness="same")(x)
        else:

            class Layer(nn.Module):
                def forward(self, x):
                    return once(x)

            nn.summary(Layer(), (2,))

    manual_seed(0)
    undisturbed = [rand(1).item() for _ in range(3)]
    manual_seed(0)
    found = []
    run(lambda: found.append(rand(1).item()))
    first = how in ("checkpoint", "vmap same")  # which drew one themselves, in the forward pass and for all samples
    assert found == undisturbed[first : first + len(found)]
    assert found


def test_threads_share_the_default_generator(run_threads):
    manual_seed(0)
    expected = [rand(1).item(), rand(1).item()]
    manual_seed(0)
    found = [rand(1).item()]
    run_threads((lambda: found.append(rand(1).item()),))
    assert found == expected
    assert default_generator.get_state() == autograd.get_rng_state()
