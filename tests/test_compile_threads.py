"""Threads share a compiled step, and what comes out is what one thread makes; memory, the cache and BLAS are left as they should be."""

import errno
import os
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import autograd
import nn
import nn.functional as F
from autograd.compile import cc, emit, layout, machine, threads
from autograd.errors import CompileError

pytestmark = pytest.mark.skipif(cc.compiler() is None, reason="there is no C compiler here")


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    """Loops are divided however little they do, so that small ones will do to try it."""
    monkeypatch.setattr(emit, "PART", 20)
    monkeypatch.setattr(layout, "WORTH", -1)
    monkeypatch.setenv("CHAINRULE_CFLAGS", "-O0")


def floats(*shape, seed=0):
    return autograd.tensor(np.random.default_rng(seed).standard_normal(shape).astype(np.float32))


def training(make, x, classes=5, optimizer=nn.optim.AdamW, clip=True, **options):
    """A step of a network on a batch, the step's arguments, and the arrays that it trains."""
    autograd.manual_seed(0)
    net = make()
    opt = optimizer(net.parameters(), **({"lr": 1e-2} | options))

    def step(x, y):
        opt.zero_grad()
        out = net(x)
        loss = F.cross_entropy(out.reshape(-1, out.shape[-1]), y.reshape(-1))
        loss.backward()
        if clip:
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        opt.step()
        return loss, out.detach()

    shape = x.shape[:2] if isinstance(net[0], nn.Embedding) else x.shape[:1]
    labels = np.random.default_rng(1).integers(0, classes, shape)
    return step, (x, autograd.tensor(labels)), lambda: [p.array.copy() for p in net.parameters()]


class Last(nn.Module):
    def forward(self, x):
        return x[0][:, -1]


def mlp():
    return training(lambda: nn.Sequential(nn.Linear(70, 65), nn.GELU(), nn.Dropout(0.3), nn.Linear(65, 5)), floats(33, 70))


def cnn():
    def make():
        convolutions = (
            nn.Conv2d(3, 8, 3, padding=1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 6, 3),
        )
        return nn.Sequential(*convolutions, nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(24, 5))

    return training(make, floats(7, 3, 12, 12), optimizer=nn.optim.SGD, clip=False, momentum=0.9)


def transformer():
    def make():
        layer = nn.TransformerEncoderLayer(16, 4, 32, 0.1, "gelu", batch_first=True)
        return nn.Sequential(nn.Embedding(11, 16), layer, nn.LayerNorm(16), nn.Linear(16, 5))

    return training(make, autograd.tensor(np.random.default_rng(0).integers(0, 11, (6, 9))), optimizer=nn.optim.SGD)


def lstm():
    return training(lambda: nn.Sequential(nn.LSTM(6, 16, batch_first=True), Last(), nn.Linear(16, 5)), floats(9, 3, 6))


def reductions():
    """Sums and extremes over every choice of axes, and what follows from them in the same loops."""
    axes = [None, 0, 1, 2, (0, 1), (0, 2), (1, 2)]

    def step(x, y):
        outs = [t for a in axes for t in (x.sum(a), (x * y).amax(a), (x - y).amin(a))]
        outs += [x.softmax(a) + y.logsumexp(a, keepdim=True) for a in range(3)]
        return [*outs, autograd.cat([x * 2, y, x + y], 1), (x @ y.transpose(1, 2)).sum(0)]

    return step, (floats(9, 10, 11), floats(9, 10, 11, seed=1)), list


def once(make, number, calls=5):
    """What a compiled step gives and leaves, with so many threads."""
    step, args, state = make()
    compiled = autograd.compile(step, backend="c", threads=number)
    for k in range(calls):
        autograd.manual_seed(k)
        out = compiled(*args)
    assert compiled.stats()["calls"]["compiled"] >= 2
    assert ("SHARED" in compiled.source) == (number > 1)
    return [t.array for t in out] + state()


@pytest.mark.parametrize("make", [mlp, cnn, transformer, lstm, reductions], ids=lambda f: f.__name__)
def test_threads_make_what_one_makes(make):
    alone, two, three = (once(make, n) for n in (1, 2, 3))
    for a, b, c in zip(alone, two, three, strict=True):
        assert_allclose(b, a, rtol=1e-4, atol=2e-6)
        assert_allclose(c, a, rtol=1e-4, atol=2e-6)
    for b, again in zip(three, once(make, 3), strict=True):
        assert_array_equal(b, again)  # whoever comes when


def test_products_with_a_packed_matrix_are_shared_by_columns():
    """The gates of a wide LSTM: 280 columns, so that the last panel of 64 is not whole."""
    results = []
    for number in (1, 2, 3):
        make = lambda: nn.Sequential(nn.LSTM(5, 70, batch_first=True), Last(), nn.Linear(70, 5))  # noqa: E731
        step, args, parameters = training(make, floats(9, 12, 5))
        compiled = autograd.compile(step, backend="c", strict=True, threads=number)
        losses = [compiled(*args)[0].item() for _ in range(6)]
        assert (re.search(r"SHARED\(\d\) packed\(", compiled.source) is not None) == (number > 1)
        results.append((losses, *parameters()))
    for losses, *arrays in results[1:]:
        assert_allclose(losses, results[0][0], rtol=1e-5)
        for a, b in zip(arrays, results[0][1:], strict=True):
            assert_allclose(a, b, rtol=1e-3, atol=1e-4)


def test_sums_do_not_depend_on_how_many_there_are():
    def step(x):
        return [(x.tanh() * 3).sum(), x.sum(0), (x * x).mean(1), x.amax()]

    x, got = floats(300, 70), []
    for n in (2, 3, 5):
        compiled = autograd.compile(step, backend="c", threads=n)
        for _ in range(4):
            out = compiled(x)
        got.append([t.array for t in out])
    for one in got[1:]:
        for a, b in zip(got[0], one, strict=True):
            assert_array_equal(a, b)


def test_several_steps_at_once_from_several_threads():
    """Helpers go where they are needed, or nowhere; nothing gets mixed up, and BLAS has its threads again."""
    expected = {make: once(make, 3, 12) for make in (mlp, reductions)}
    before = threads.BLAS.asked()

    def run(k):
        step, args, state = made[k]
        compiled = autograd.compile(step, backend="c", threads=3)
        generator_free = [compiled(*args) for _ in range(12 if k % 2 else 30)]
        return [t.array for t in generator_free[-1]] + (state() if k % 2 else [])

    plain = lambda: training(lambda: nn.Sequential(nn.Linear(70, 65), nn.GELU(), nn.Linear(65, 5)), floats(33, 70))  # noqa: E731
    made = [plain() if k % 2 else reductions() for k in range(6)]
    with ThreadPoolExecutor(6) as pool:
        got = list(pool.map(run, range(6)))
    for k, arrays in enumerate(got):
        for a, b in zip(arrays, got[1] if k % 2 else expected[reductions], strict=False):
            assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    assert threads.BLAS.asked() == before
    assert not threads.BLAS.steps


@pytest.mark.parametrize("number", [1, 3])
def test_a_position_outside_ends_the_step_for_all_threads(number):
    """No parameter is written, with NumPy between two parts of C as well, and the next call is right."""
    table = floats(40, 16).requires_grad_()
    optimizer = nn.optim.SGD([table], lr=0.1)

    def step(i, x):
        optimizer.zero_grad()
        y = (table[i].tanh() * x).sum(0)
        loss = (y.sort().values * y).sum() + (table * 0.5).sum()
        loss.backward()
        optimizer.step()
        return loss

    compiled = autograd.compile(step, backend="c", threads=number, strict=True)
    good, x = autograd.tensor(np.arange(30) % 40), floats(30, 16, seed=1)
    for k in range(40):
        bad = np.arange(30)
        bad[k % 30] = 40
        before = table.array.copy()
        if k > 3:
            with pytest.raises(IndexError, match="a position is not from -40 to 39"):
                compiled(autograd.tensor(bad), x)
            assert_array_equal(table.array, before)
        old = table.detach().clone()
        got = compiled(good, x).item()
        with autograd.no_grad():
            y = (old[good].tanh() * x).sum(0)
            assert got == pytest.approx(((y.sort().values * y).sum() + (old * 0.5).sum()).item(), rel=1e-3, abs=1e-3)
        assert np.abs(table.array - before).max() > 0
    assert compiled.stats()["calls"]["compiled"] > 40
    if number > 1:  # those who still walk through a step that ended early are past all loops of the next
        assert next(iter(compiled._ready.values())).run.team[0] >> 40 == 36


# ---------------------------------------------------------------- how many there are, and what becomes of them
def test_how_many_threads_auto_is(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(6)), raising=False)
    monkeypatch.setattr(threads.BLAS, "asked", list)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    assert threads.number("auto") == 6
    monkeypatch.setenv("OMP_NUM_THREADS", "3,2")
    assert threads.number("auto") == 3
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    assert threads.number("auto") == 2
    monkeypatch.setattr(threads.BLAS, "asked", lambda: [1])  # as after set_num_threads(1)
    assert threads.number("auto") == 1
    assert threads.number(5) == 5


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "all", None])
def test_a_number_of_threads_that_there_is_not(wrong):
    with pytest.raises(ValueError, match='threads is "auto" or a positive integer, got'):
        autograd.compile(lambda x: x, threads=wrong)


def test_threads_are_kept_by_decorators_methods_and_pickles():
    @autograd.compile(threads=3)
    def step(x):
        return x * 2

    class Model:
        step = autograd.compile(lambda self, x: x, threads=2)

    assert step.threads == step.__reduce__()[1][-1] == 3
    assert Model().step.threads == 2


def test_small_steps_have_one_thread(monkeypatch):
    monkeypatch.undo()
    compiled = autograd.compile(lambda x: (x @ x).tanh().sum(), backend="c", threads=4)
    for _ in range(4):
        compiled(floats(10, 10))
    assert "SHARED" not in compiled.source


def test_blas_has_its_threads_again_whatever_happens():
    """Within a step of C it has one; after it, or after an error in it, those that it had."""
    if (switch := cc.blas_threads()) is None:
        pytest.skip("the threads of this BLAS cannot be set")
    get, change = switch
    had, seen = get(), []
    change(2)
    try:
        with threads.BLAS:
            seen.append(get())
            with threads.BLAS:
                assert threads.BLAS.asked() == [2]
            seen.append(get())
        assert [*seen, get()] == [1, 1, 2]
        w, table = floats(40, 40).requires_grad_(), floats(8, 40)

        def step(i):
            out = (table[i] @ w).sum()
            out.backward()
            w.grad = None
            return out.detach()

        compiled = autograd.compile(step, backend="c", threads=2, strict=True)
        for _ in range(4):
            compiled(autograd.tensor([1, 2, 3] * 20))
        with pytest.raises(IndexError):
            compiled(autograd.tensor([1, 2, 8] * 20))
        assert get() == 2
        with pytest.raises(ZeroDivisionError), threads.BLAS:
            raise ZeroDivisionError
        assert get() == 2
    finally:
        change(had)


def test_a_step_goes_on_where_no_thread_can_be_started(monkeypatch):
    expected = once(mlp, 3)
    monkeypatch.setattr(threads, "CREW", crew := threads.Crew())
    monkeypatch.setattr(machine, "CREW", crew)

    def refuse(self):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as m:
        m.setattr(threading.Thread, "start", refuse)
        got = once(mlp, 3)
    for a, b in zip(got, expected, strict=True):
        assert_array_equal(a, b)
    assert not crew.all
    once(mlp, 3)
    assert 1 <= len(crew.all) <= 2
    crew.end()
    assert not any(thread.is_alive() for _, thread in crew.all)
    for a, b in zip(once(mlp, 3), expected, strict=True):  # as at the end of a program
        assert_array_equal(a, b)


def in_a_process(code, **environment):
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | environment, check=False, timeout=60
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


TRAIN = """
import os, sys, warnings
import numpy as np
import autograd, nn
from autograd.compile import cc, emit, layout, machine, threads
emit.PART, layout.WORTH = 20, -1
autograd.manual_seed(0)
net = nn.Sequential(nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
optimizer = nn.optim.SGD(net.parameters(), lr=0.1)
@autograd.compile(backend="c", threads=3)
def step(x):
    optimizer.zero_grad()
    loss = (net(x) ** 2).mean()
    loss.backward()
    optimizer.step()
    return loss
x = autograd.randn(48, 64)
train = lambda n: [step(x).item() for _ in range(n)]
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_process_has_threads_of_its_own():
    code = """
train(4)
read, write = os.pipe()
warnings.simplefilter("ignore")
if child := os.fork():
    mine = train(20)
    os.close(write)
    theirs = eval(os.fdopen(read).read())
    assert os.waitpid(child, 0)[1] == 0 and mine == theirs, (mine, theirs)
    assert len(threads.CREW.all) == 2
else:
    assert not threads.CREW.all
    os.write(write, repr(train(20)).encode())
    assert len(threads.CREW.all) == 2
    sys.exit(0)
"""
    in_a_process(TRAIN + code)


# ---------------------------------------------------------------- memory of results
def test_memory_of_large_results_is_used_again_but_never_while_somebody_looks(monkeypatch):
    monkeypatch.setattr(machine, "LARGE", 4000)
    compiled = autograd.compile(lambda x: x * 2, backend="c")
    kept = [compiled(autograd.full((1000,), float(k))) for k in range(6)]
    views = [t.array[::2] for t in kept]
    assert [t.array[7] for t in kept] == [2.0 * k for k in range(6)]
    assert len({t.array.ctypes.data for t in kept}) == 6
    del kept
    more = [compiled(autograd.full((1000,), 50.0)) for k in range(4)]
    assert [v[3] for v in views] == [2.0 * k for k in range(6)]
    places = {t.array.ctypes.data for t in more}
    del more
    assert places >= {compiled(autograd.ones(1000)).array.ctypes.data for _ in range(5)}
    last = compiled(autograd.ones(1000))
    last.add_(1)
    assert last.tolist() == [3.0] * 1000


def test_constants_of_equal_numbers_are_no_arrays():
    """The gradient that a sum begins with is a number in C; one that holds zeros of both signs stays an array."""
    zeros = np.array([0.0, -0.0, 0.0] * 4, np.float32)

    def step(x):
        first = autograd.grad((x * x).sum(), [x])[0]
        return first, autograd.tensor(zeros) * x.detach(), autograd.full((12,), -0.0) * x.detach()

    compiled = autograd.compile(step, backend="c")
    x = floats(12).requires_grad_()
    for _ in range(4):
        got = compiled(x)
    for a, b in zip(got, step(x), strict=True):
        assert_array_equal(a.array, b.array)
        assert_array_equal(np.signbit(a.array), np.signbit(b.array))
    leaves = next(iter(compiled._ready.values())).run.layout.leaves
    assert [kind if kind == "input" else compiled.program.leaves[ref].kind for kind, ref in leaves] == ["input", "constant"]


# ---------------------------------------------------------------- the cache on disk
def test_several_processes_may_make_the_same_at_once(tmp_path):
    code = TRAIN + "print(train(5)[-1])"
    jobs = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, env=os.environ | {"CHAINRULE_CACHE": str(tmp_path)}
        )
        for _ in range(2)
    ]
    assert len({job.communicate(timeout=60)[0] for job in jobs}) == 1
    assert [job.returncode for job in jobs] == [0, 0]
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".c", ".layout", ".so"]


def test_a_full_disk_is_said_once_and_another_folder_taken(tmp_path, monkeypatch):
    compile_, full = cc._compile, []

    def fill(source, path):
        if path.parent == tmp_path:
            full.append(path)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        compile_(source, path)

    monkeypatch.setattr(cc, "folder", lambda: tmp_path)
    monkeypatch.setattr(cc, "_compile", fill)
    cc.instead.cache_clear()

    def results(k):
        step = autograd.compile(lambda x: x * k + 1, backend="c")
        return [step(autograd.ones(3)).tolist() for _ in range(4)][-1]

    with pytest.warns(UserWarning, match="cannot be used \\(No space left") as said:
        got = [results(k) for k in (1.0, 2.0)]
    assert got == [[2.0] * 3, [3.0] * 3]
    assert [len(full), len(said)] == [2, 1]
    cc.instead.cache_clear()


def test_a_file_that_was_written_in_part_is_made_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(cc, "folder", lambda: tmp_path)

    def result():
        step = autograd.compile(lambda x: x * 3 + 1, backend="c")
        return [step(autograd.ones(3)).tolist() for _ in range(4)][-1]

    source = """EXPORT int f(void) { return 7; }\nEXPORT void set_blas(void *a, void *b) {}\n"""
    cc.load(source)
    (path,) = tmp_path.glob("*.so")
    path.unlink()
    path.write_bytes(b"")
    assert cc.load(source).f() == 7
    assert result() == [4.0] * 3
    with pytest.raises(CompileError, match="the C compiler failed"):
        cc.load("this is no C")
