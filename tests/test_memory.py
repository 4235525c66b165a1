"""Memory that stays with the process."""

import ctypes
import gc
import os
import platform
import subprocess
import sys
from types import SimpleNamespace

import pytest

import autograd
from autograd.errors import ArgumentError

FAULTS = """
import resource
import numpy as np, autograd

x = np.ones(1_000_000)
def step():
    kept = [x + k for k in range(10)]
step(); step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    step()
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 5)
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_no_page_is_fetched_twice():
    """80 MB a step are some 20,000 pages, which the system would have to hand out again."""
    faults = [
        float(subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True, env=env).stdout)
        for env in (os.environ, os.environ | {"CHAINRULE_TUNE_MEMORY": "0"})
    ]
    assert faults[0] < 200 < 2000 < faults[1]


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace(mallopt=None))
    assert autograd.tune_memory() is False


def test_a_negative_amount():
    with pytest.raises(ArgumentError, match=r"tune_memory: keep is a number of bytes, .*neither negative, got -1 and 5000"):
        autograd.tune_memory(-1)
    with pytest.raises(ArgumentError, match=r"neither negative, got 268435456 and -1"):
        autograd.tune_memory(collect_every=-1)


@pytest.mark.parametrize(("before", "after"), [(700, 5000), (2000, 5000), (20_000, 20_000), (0, 0)])
def test_cycles_are_looked_for_less_often(before, after):
    known = gc.get_threshold()
    try:
        gc.set_threshold(before, 10, 10)
        autograd.tune_memory()
        assert gc.get_threshold() == (after, 10, 10)
    finally:
        gc.set_threshold(*known)


def test_importing_autograd_sets_it_unless_told_not_to():
    say = "import gc; before = gc.get_threshold()[0]; import autograd; print(before, gc.get_threshold()[0])"
    for told, expected in (("", 5000), ("0", None)):
        env = os.environ | {"CHAINRULE_TUNE_MEMORY": told}
        out = subprocess.run([sys.executable, "-c", say], capture_output=True, text=True, check=True, env=env).stdout
        before, after = map(int, out.split())
        assert after == (expected or before)
