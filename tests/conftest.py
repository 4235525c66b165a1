"""For all tests: how many examples hypothesis tries, by HYPOTHESIS_PROFILE (dev, ci or thorough); seeds; PyTorch; threads; --quick."""

import functools
import gc
import importlib.util
import inspect
import os
import random
import sys
import tempfile
import threading

# For this process, before it imports NumPy, and those that it starts: workers, programs
KEPT = os.path.join(tempfile.gettempdir(), "chainrule_tests")
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # several on all cores at once would mostly wait for each other, in a loop
if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):  # no files beside the sources: then elsewhere, or each reads all of them anew
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix = os.path.join(KEPT, "bytecode")
    sys.dont_write_bytecode = False

import numpy as np
import pytest
import samples  # before any test module makes primitives of its own
from hypothesis import HealthCheck, given, register_random, settings
from hypothesis import strategies as st

import autograd

# What compiled steps of tests are compiled to is kept for the next run, apart from the user's, and made quickly
os.environ.setdefault("CHAINRULE_CACHE", KEPT)
os.environ.setdefault("CHAINRULE_CFLAGS", "-O1")

common = {
    "deadline": None,
    "print_blob": True,  # how to repeat what was found
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.differing_executors],
}
settings.register_profile("dev", max_examples=5, **common)
settings.register_profile("ci", max_examples=8, derandomize=True, **common)
settings.register_profile("thorough", max_examples=100, **common)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))


@pytest.fixture(scope="session")
def torch():
    return pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")


@pytest.fixture
def _no_collector():
    """Whatever dies while this holds was freed by reference counting."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def run_threads():
    """Call functions, each given with its arguments, in threads of their own at once; raise what one of them raised."""

    def run(*calls):
        errors = []

        def guarded(function, *args):
            try:
                function(*args)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=guarded, args=call, daemon=True) for call in calls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in threads)
        for error in errors:
            raise error

    return run


# ---------------------------------------------------------------- the same random numbers each time
class Default:
    """autograd's default generator, in the form in which hypothesis starts one anew for each example."""

    @staticmethod
    def seed(seed):
        autograd.manual_seed(seed)

    @staticmethod
    def getstate():
        return autograd.get_rng_state()

    @staticmethod
    def setstate(state):
        autograd.set_rng_state(state)


DEFAULT = Default()  # hypothesis keeps no reference of its own
register_random(DEFAULT)


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """What is made of the files stays until the end, and the collector need not go through it each time that a test calls it."""
    gc.disable()
    result = yield
    gc.enable()
    given(st.none())(lambda _: None)()  # what it begins with asks the collector who holds what
    gc.freeze()
    return result


def pytest_collection_modifyitems(config, items):
    """Where there is no PyTorch, one test of each function that compares with it says so, instead of thousands."""
    if importlib.util.find_spec("torch") is None:
        kept = {item.function: item for item in reversed(items) if "torch" in item.fixturenames}
        config.hook.pytest_deselected(items=[i for i in items if kept.get(i.function, i) is not i])
        items[:] = [i for i in items if kept.get(i.function, i) is i]


def pytest_runtest_setup():
    """No test depends on luck, nor on which ran before it."""
    for seed in (random.seed, np.random.seed, autograd.manual_seed):
        seed(0)


# ---------------------------------------------------------------- --quick: a tour in ten seconds
# Of each file some functions, evenly spread, that no mark calls slow and that compare with nothing that may not be installed, and
# those marked for the tour; of each of their tables the first row, or the first record of each family, with one example. What is
# left out is not even made: that takes longer than the tour.
EACH = 3  # functions of a file
FAMILIES = {id(s): name for name in "ELEMENTWISE INDEX SHAPE LINALG LOSS_SAMPLES NN REDUCE RECURRENT WINDOW_SAMPLES".split() for s in getattr(samples, name)}  # fmt: skip


def pytest_addoption(parser):
    parser.addoption("--quick", action="store_true", help="a tour of the suite in ten seconds")


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes longer than a moment, so that --quick leaves it out")
    config.addinivalue_line("markers", "tour: --quick never leaves it out")
    if config.getoption("quick"):
        settings.register_profile("quick", parent=settings.get_profile("ci"), max_examples=1)
        settings.load_profile("quick")


def family(row):
    """What a row of a table stands for: a record for its family, all else for the whole table."""
    values = row.values if hasattr(row, "marks") else row if isinstance(row, tuple) else (row,)
    return next((FAMILIES.get(id(value), "samples") for value in values if isinstance(value, samples.Sample)), None)


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc):
    if not metafunc.config.getoption("quick"):
        return
    parametrize = metafunc.parametrize

    def thinned(names, rows, *args, ids=None, **kwargs):
        rows = list(rows)
        families = [family(row) for row in rows]
        kept = [i for i, name in enumerate(families) if name not in families[:i]]
        ids = ids if ids is None or callable(ids) else [list(ids)[i] for i in kept]
        return parametrize(names, [rows[i] for i in kept], *args, ids=ids, **kwargs)

    metafunc.parametrize = thinned


def pytest_pycollect_makeitem(collector, name, obj):
    """Leave out functions before their tests are made."""
    if collector.config.getoption("quick") and collector.funcnamefilter(name) and name not in some_of(collector.obj):
        return []
    return None


@functools.cache
def some_of(module):
    """The names of the functions of a file that are on the tour."""
    names = [name for name, f in vars(module).items() if name.startswith("test") and callable(f)]
    names = [name for name in names if "slow" not in marks(getattr(module, name))]
    names = [name for name in names if not takes_torch(getattr(module, name))] or names
    always = {name for name in names if "tour" in marks(getattr(module, name))}
    return always | ({names[i * len(names) // EACH] for i in range(EACH)} if names else set())


def marks(function):
    return {mark.name for mark in getattr(function, "pytestmark", [])}


def takes_torch(function):
    return "torch" in inspect.signature(function).parameters
