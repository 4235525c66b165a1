"""Layouts that are kept on disk: the next process lowers nothing and computes the same; what differs in anything is another."""

import errno
import json
import marshal
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import autograd
import nn
import nn.functional as F
from autograd import tensor
from autograd.api.tree import tree_leaves
from autograd.compile import cc, emit, layout
from autograd.compile.record import Ref
from autograd.engine.batch import checked
from autograd.engine.primitive import primitive
from autograd.engine.tensor import PRIMITIVES, wrap
from autograd.errors import ArgumentError

pytestmark = pytest.mark.skipif(cc.compiler() is None, reason="there is no C compiler here")


@pytest.fixture(autouse=True)
def compiled_quickly(monkeypatch):
    monkeypatch.setenv("CHAINRULE_CFLAGS", "-O0 -march=native")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A cache that is empty."""
    monkeypatch.setattr(cc, "folder", lambda: tmp_path)
    return tmp_path


@pytest.fixture
def lowered(monkeypatch):
    """The programs that were lowered."""
    found, made = [], layout.made
    monkeypatch.setattr(layout, "made", lambda program, threads: found.append(program) or made(program, threads))
    return found


def layouts(folder):
    return sorted(folder.glob("*.layout"))


def floats(*shape, seed=0):
    return tensor(np.random.default_rng(seed).standard_normal(shape, np.float32))


# ---------------------------------------------------------------- steps, each as `make() -> step, arguments`
def training(net, loss, *args, threads=1):
    optimizer = nn.optim.Adam(net.parameters())

    def step(*args):
        optimizer.zero_grad()
        value = loss(net, *args)
        value.backward()
        optimizer.step()
        return value

    return step, args


def classifier():
    """Dropout, which draws, and labels, which are checked."""
    net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3))
    return training(net, lambda net, x, y: F.cross_entropy(net(x), y), floats(8, 4), tensor([0, 1, 2, 0, 1, 2, 0, 1]))


def recurrent():
    """Loops of C, rolled."""
    return training(nn.LSTM(3, 5), lambda net, x: (net(x)[0] ** 2).mean(), floats(20, 2, 3))


def sorted_by_numpy():
    """NumPy computes several results between functions of C, of which one is a part and another is returned."""

    def step(x, k):
        values, order = (x * 2).sort(1)
        cut = autograd.cat([values * 3, x], 1)
        return cut, order, values.cumsum(0)[1], (cut.sum(0) * 2).sort(0)[0], cut

    return step, (floats(3, 4), 2)


def constants():
    """Arrays that the step makes, one that follows from the shape of another, and one that lies by columns."""
    columns = tensor(np.asfortranarray(np.random.default_rng(0).standard_normal((5, 5), np.float32)))
    index = tensor([[0, 3], [1, 1], [4, 2], [0, 0], [2, 4]])

    def step(x):
        mask = tensor(np.arange(25.0, dtype=np.float32).reshape(5, 5)) + 1
        return (x @ columns) * mask, mask.sum(0), x.exp().log()[1:, ::2], columns * 2, (x * 2).gather(1, index)

    return step, (floats(5, 5),)


def drawing():
    """Numbers of two generators, in turn; some are drawn and never read."""
    one, two = autograd.Generator().manual_seed(1), autograd.Generator().manual_seed(2)

    def step(x):
        autograd.randn(3, generator=one)
        return (
            x + autograd.rand(3, generator=one),
            x * autograd.randn(3, generator=two),
            autograd.randint(0, 9, (2,), generator=one),
        )

    return step, (floats(3),)


def writing():
    """A state that is read and written, one that is only written, and a check of what is computed in the step."""
    read, filled, weights = floats(4), floats(4), floats(4)

    def step(x):
        with autograd.no_grad():
            read.mul_(0.5).add_(x)
            filled.copy_(x * 2)
        p = (x * weights).sigmoid()
        return read.clone(), filled + 1, F.binary_cross_entropy(p, x > 0.0), p

    return step, (floats(4, seed=1),)


def mixed():
    """Integers, which NumPy takes with care, and two dtypes of floats."""

    def step(x):
        n = (x * 4).long()
        return n // 3, n.remainder(3) * 2, x.double().sum() * n.sum(), x.fmax(x.flip(0))

    return step, (floats(6),)


STEPS = [classifier, recurrent, sorted_by_numpy, constants, drawing, writing, mixed]


def shown(result):
    arrays = [np.asarray(getattr(t, "array", t)) for t in tree_leaves(result)]
    return [(a.dtype, a.shape, a.tobytes()) for a in arrays]


def results(make, **options):
    """What a step gives when it is played several times, to the bit, and what can be seen of it."""
    autograd.manual_seed(0)
    step, args = make()
    compiled = autograd.compile(step, backend="c", strict=True, **options)
    found = [shown(compiled(*args)) for _ in range(5)]
    assert compiled.stats()["calls"]["compiled"] >= 2
    table = compiled.explain()
    return found, compiled.source, str(table), table.rows, table.codes


@pytest.mark.parametrize("make", STEPS, ids=lambda make: make.__name__)
@pytest.mark.parametrize("threads", [1, 2])
def test_what_is_found_is_what_was_made(make, threads, folder, lowered, monkeypatch):
    monkeypatch.setattr(layout, "WORTH", -1)
    fresh = results(make, threads=threads)
    assert [len(lowered), len(layouts(folder))] == [1, 1]
    assert results(make, threads=threads) == fresh
    assert len(lowered) == 1


IN_A_PROCESS = """
import json, sys
import autograd, nn
from autograd.compile import layout

made = []
Values = layout.Values
layout.Values = lambda *args: made.append(1) or Values(*args)
autograd.manual_seed(0)
net = nn.Sequential(nn.Embedding(5, 8), nn.TransformerEncoderLayer(8, 2, 16, 0.1, batch_first=True), nn.Linear(8, 5))
optimizer = nn.optim.AdamW(net.parameters())

@autograd.compile(backend="c", strict=True)
def step(x):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(net(x).mT, x)
    loss.backward()
    optimizer.step()
    return loss

x = autograd.randint(0, 5, (3, 4))
losses = [step(x).item().hex() for _ in range(6)]
assert step.stats()["calls"]["compiled"] == 3
print(json.dumps([len(made), [losses, step.source, str(step.explain())]]))
"""


def in_a_process(library, **environment):
    """How many programs were lowered, and what came out, with the library in this folder."""
    job = [sys.executable, "-c", IN_A_PROCESS]
    run = subprocess.run(job, capture_output=True, text=True, cwd=library, env=os.environ | environment, check=False)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


ROOT = Path(autograd.__file__).parents[1]


def test_the_next_process_lowers_nothing(tmp_path):
    """Even where strings have other hashes, and nothing has the address that it had."""
    (first, fresh), (again, found) = (in_a_process(ROOT, CHAINRULE_CACHE=str(tmp_path), PYTHONHASHSEED=seed) for seed in "12")
    assert [first, again] == [1, 0]
    assert found == fresh
    assert len(layouts(tmp_path)) == 1


def test_a_file_of_the_library_that_was_changed_makes_another(tmp_path):
    library, cache = tmp_path / "library", tmp_path / "cache"
    for name in ("autograd", "nn"):
        shutil.copytree(ROOT / name, library / name, ignore=shutil.ignore_patterns("__pycache__"))
    first, again = (in_a_process(library, CHAINRULE_CACHE=str(cache)) for _ in range(2))
    with (library / "autograd" / "ops" / "fused.py").open("a", encoding="utf-8") as f:
        f.write("# changed\n")
    changed = in_a_process(library, CHAINRULE_CACHE=str(cache))
    assert [first[0], again[0], changed[0]] == [1, 0, 1]
    assert first[1] == again[1] == changed[1]
    assert len(list(cache.glob("*.so"))) == 1


# ---------------------------------------------------------------- the name
def program(text="x * 2 + k", k=(1.0, 2.0, 3.0), x=(1.0, 2.0, 3.0), dtype=np.float32, before="", file="a.py", state="w"):
    """The program of a step that is this text, in which `k` is a constant, `x` its argument and `w` a state."""
    names = {"autograd": autograd, "np": np, "checked": checked, state: tensor(np.ones(3, np.float32)), "g": autograd.Generator()}
    code = f"{before}def step(x):\n    k = autograd.tensor(np.array({list(k)}, np.float32))\n    return {text}\n"
    exec(compile(code, file, "exec"), names)
    compiled = autograd.compile(names["step"], backend="replay", strict=True)
    for _ in range(3):
        compiled(wrap(np.asarray(x, dtype)))
    return compiled.program


OTHERS = dict(
    nothing={},
    op=dict(text="x * 2 - k"),
    number=dict(text="x * 3 + k"),
    type_of_a_number=dict(text="x * 2.0 + k"),
    truth=dict(text="x * True + k"),
    sign_of_zero=dict(text="x * 0.0 + k"),
    negative_zero=dict(text="x * -0.0 + k"),
    order=dict(text="k + x * 2"),
    constant=dict(k=(1.0, 2.0, 4.0)),
    sign_of_zero_in_a_constant=dict(k=(1.0, 2.0, 0.0)),
    negative_zero_in_a_constant=dict(k=(1.0, 2.0, -0.0)),
    shape_of_a_constant=dict(k=(1.0,)),
    shape=dict(x=((1.0, 2.0, 3.0),)),
    longer=dict(x=((1.0, 2.0, 3.0),) * 2),
    dtype=dict(dtype=np.float64),
    line=dict(before="\n"),
    file=dict(file="b.py"),
    results=dict(text="(x * 2 + k, k)"),
    results_in_another_order=dict(text="(k, x * 2 + k)"),
    the_same_twice=dict(text="[x * 2 + k] * 2"),
    state=dict(text="x * 2 + k + w"),
    name_of_a_state=dict(text="x * 2 + k + v", state="v"),
    written=dict(text="(w.copy_(x), x * 2 + k)[1]"),
    written_twice=dict(text="(w.copy_(x), w.add_(x), x * 2 + k)[2]"),
    reshaped=dict(text="x.reshape(2, 4)", x=np.ones((4, 2, 2), np.float32)[::2]),
    copied_as_it_is_reshaped=dict(text="x.reshape(2, 4)", x=np.ones((2, 2, 2), np.float32).transpose(0, 2, 1)),
    view=dict(text="x[:2]"),
    another_view=dict(text="x[1:]"),
    view_of_ints=dict(text="x[(1, 2),]"),
    drawn=dict(text="x + autograd.randn(3)"),
    drawn_from_another=dict(text="x + autograd.randn(3, generator=g)"),
    drawn_from_both=dict(text="x + autograd.randn(3) + autograd.randn(3, generator=g)"),
    drawn_from_both_the_other_way=dict(text="x + autograd.randn(3, generator=g) + autograd.randn(3)"),
    drawn_from_one_twice=dict(text="x + autograd.randn(3) + autograd.randn(3)"),
    checked=dict(text="[x * 2 + k, checked(abs, x)][0]"),
    another_checked=dict(text="[x * 2 + k, checked(abs, k)][0]"),
    both_checked=dict(text="[x * 2 + k, checked(abs, x), checked(abs, k)][0]"),
)
SAME = [("drawn", "drawn_from_another"), ("drawn_from_both", "drawn_from_both_the_other_way")]  # a generator is the program's own


def test_each_ingredient_makes_another_name():
    names = {what: layout.name_of(program(**how), 1) for what, how in OTHERS.items()}
    assert names == {what: layout.name_of(program(**how), 1) for what, how in OTHERS.items()}
    for one, other in SAME:
        assert names.pop(one) == names[other]
    assert None not in names.values()
    assert len(set(names.values())) == len(names)


def test_arguments_of_other_types_are_said_otherwise():
    ints, floats = np.dtype(int), np.dtype(float)
    values = [
        Ref(1),
        1,
        1.0,
        True,
        1j,
        None,
        ...,
        "1",
        "v1",
        b"v1",
        (1,),
        [1],
        (),
        [],
        slice(1),
        slice(0, 1),
        range(1),
        range(0, 2),
    ]
    values += [("value", 1), ("text", "v1"), 0.0, -0.0, float("nan"), np.float64(1), np.float32(1), np.int64(1), np.bool_(1)]
    values += [ints, floats, np.float32, np.int64, np.add, np.sum, "add", ("tuple", 1), ("dtype", ints.str), ("function", 0)]
    said = [marshal.dumps(((own := layout.Said()).plain(x), own.met), 2) for x in values]
    assert len(set(said)) == len(values)
    for x in (object(), lambda x: x, np.dtype([("a", float)]), np.array(1.0), type(own), {1: 2}, Exception):
        with pytest.raises(layout.Unsaid):
            layout.Said().plain(x)


def test_what_is_around_makes_another_name(monkeypatch):
    same = program()
    names = {layout.name_of(same, 1), layout.name_of(same, 2)}
    for change in (
        lambda m: m.setattr(emit, "PART", emit.PART + 1),
        lambda m: m.setattr(layout, "LIBRARY", layout.LIBRARY[1:]),
        lambda m: m.setattr(np, "__version__", "0"),
        lambda m: m.setattr(sys, "version", "0"),
        lambda m: m.setenv("CHAINRULE_CFLAGS", "-O0"),
        lambda m: m.setattr(cc, "compiler", lambda: ("another",)),
        lambda m: m.setattr(cc, "machine", lambda command: "another"),
        lambda m: m.setattr(cc, "blas_threads", lambda: None if cc.blas()[1] else cc),
        lambda m: m.setattr(layout, "get_default_dtype", lambda: autograd.float64),
    ):
        with monkeypatch.context() as m:
            change(m)
            names.add(layout.name_of(same, 1))
    assert layout.name_of(same, 1) in names
    assert len(names) == 2 + (9 if cc.blas_threads() else 8)


# ---------------------------------------------------------------- what is not kept
def own(double):
    """A step with an op of the user's."""
    op = primitive(lambda x: x * double, "own", x=lambda g: g * double)
    return lambda: ((lambda x: op(x) + 1), (floats(3),))


def test_ops_of_the_users_own_are_lowered_each_time(folder, lowered):
    two, three = (results(own(double))[0][-1] for double in (2, 3))
    assert [len(lowered), layouts(folder)] == [2, []]
    x = floats(3).array
    assert [two, three] == [shown(tensor(x * 2 + 1)), shown(tensor(x * 3 + 1))]


def test_an_op_of_the_library_with_another_function_is_none_of_it(lowered, folder, monkeypatch):
    results(sorted_by_numpy)
    assert layout.name_of(lowered[0], 1) is not None
    monkeypatch.setattr(PRIMITIVES["argsort"], "fun", lambda x, *args: np.argsort(x))
    assert layout.name_of(lowered[0], 1) is None


def test_an_op_that_is_found_by_its_name_is_the_one_that_was_kept(folder, lowered, monkeypatch):
    """The name of an op that NumPy computes may belong to another by now, which is not taken for it."""
    fresh = results(sorted_by_numpy)
    monkeypatch.setitem(PRIMITIVES, "argsort", PRIMITIVES["cumsum"])
    assert results(sorted_by_numpy) == fresh
    assert len(lowered) == 2


def test_large_arrays_that_are_made_anew_are_not_kept(folder, lowered, monkeypatch):
    """Those that stand in the program are none of the layout."""
    results(constants)
    (kept,) = layouts(folder)
    made = [of for kind, of in layout.found(lowered[0], 1).leaves if kind == "constant"]
    assert [a.shape for a in made] == [(5, 1)]
    kept.unlink()
    monkeypatch.setattr(layout, "LARGEST", made[0].nbytes - 1)
    results(constants)
    assert layouts(folder) == []
    monkeypatch.setattr(layout, "LARGEST", made[0].nbytes)
    results(constants)
    assert len(layouts(folder)) == 1


# ---------------------------------------------------------------- checks
def test_labels_are_checked_all_the_same(folder, lowered):
    for _ in range(2):
        autograd.manual_seed(0)
        step, (x, y) = classifier()
        compiled = autograd.compile(step, backend="c", strict=True)
        for _ in range(4):
            compiled(x, y)
        with pytest.raises(IndexError) as error:
            compiled(x, y + 1)
        assert f"{__file__}:" in "".join(error.value.__notes__)
        assert "cross_entropy(net(x), y)" in "".join(error.value.__notes__)
    assert len(lowered) == 1


def test_positions_are_checked_all_the_same(folder, lowered):
    table = floats(5, 2)
    for _ in range(2):
        compiled = autograd.compile(lambda i: table[i] * 2, backend="c", strict=True)
        for _ in range(4):
            compiled(tensor([1, 2]))
        with pytest.raises(IndexError, match=r"table\[i\] \* 2.*from -5 to 4"):
            compiled(tensor([1, 5]))
    assert len(lowered) == 1


def test_checks_look_at_what_a_state_holds_now(folder, lowered):
    """Though it is copied for them, as it does not lie in memory as they see it."""
    for _ in range(2):
        state, x = tensor([[0.5, 0.25], [0.25, 0.5]]), tensor([1.0, 0.0, 1.0, 0.0])
        compiled = autograd.compile(lambda x, p=state: F.binary_cross_entropy(p.mT.reshape(4), x), backend="c", strict=True)
        for _ in range(4):
            compiled(x)
        state.array[0, 1] = 2.0
        with pytest.raises(ArgumentError, match=r"from 0 to 1, got 0\.25 to 2\.0"):
            compiled(x)
    assert len(lowered) == 1


# ---------------------------------------------------------------- random numbers
def test_numbers_that_nobody_reads_are_drawn_all_the_same(folder, lowered):
    for _ in range(2):
        step, (x,) = drawing()
        expected = [shown(step(x)) for _ in range(5)]
        step, (x,) = drawing()
        compiled = autograd.compile(step, backend="c", strict=True)
        assert [shown(compiled(x)) for _ in range(5)] == expected
    assert len(lowered) == 1


# ---------------------------------------------------------------- files
@pytest.mark.parametrize(
    "spoil", [lambda b: b"", lambda b: b[:-1], lambda b: b[:40], lambda b: b[:99] + bytes([b[99] ^ 1]) + b[100:]]
)
def test_a_file_that_is_not_whole_is_made_anew(spoil, folder, lowered):
    fresh = results(sorted_by_numpy)
    (path,) = layouts(folder)
    whole = path.read_bytes()
    path.write_bytes(spoil(whole))
    assert results(sorted_by_numpy) == fresh
    assert len(lowered) == 2
    assert results(sorted_by_numpy) == fresh
    assert len(lowered) == 2


def test_the_library_is_made_anew_where_only_the_layout_is_left(folder, lowered):
    fresh = results(recurrent)
    for path in (*folder.glob("*.so"), *folder.glob("*.c")):
        path.unlink()
    assert results(recurrent) == fresh
    assert [len(lowered), len(list(folder.glob("*.so")))] == [1, 1]


def test_where_nothing_can_be_written_all_goes_on(folder, lowered, monkeypatch):
    fresh = results(recurrent)
    (path,) = layouts(folder)
    path.unlink()

    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    assert results(recurrent) == fresh
    assert [len(lowered), layouts(folder)] == [2, []]
    assert not list(folder.glob("making*"))


def test_clear_cache_deletes_layouts(folder):
    results(recurrent)
    assert layouts(folder)
    autograd.compile.clear_cache()
    assert not list(folder.iterdir())
