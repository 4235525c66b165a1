"""The workloads of the benchmark: the same training steps by hand, in arrays and in PyTorch have the same losses."""

import sys
from pathlib import Path

import pytest
from helpers import np

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
if not BENCHMARKS.exists():
    pytest.skip("benchmarks/ is not here, as when the tests are copied away", allow_module_level=True)
sys.path.append(str(BENCHMARKS))
import steps  # noqa: E402
import workloads  # noqa: E402

QUICK = [name for name in workloads.WORKLOADS if name not in ("long_chain", "cifar", "transformer", "lstm", "gru")]


def losses(name, library):
    step = steps.step_of(name, library)
    return [step() for _ in range(3)]


@pytest.mark.parametrize("name", [name for name in QUICK if steps.exists(name, "NumPy by hand")])
def test_by_hand_it_is_the_same(name):
    np.testing.assert_allclose(losses(name, "NumPy by hand"), losses(name, "chainrule"), rtol=1e-4)


@pytest.mark.parametrize("name", QUICK)
def test_in_pytorch_it_is_the_same(name, torch, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    ours = losses(name, "chainrule")
    for library in (library for library in steps.TORCH if steps.exists(name, library)):
        np.testing.assert_allclose(losses(name, library), ours, rtol=1e-3)


@pytest.mark.parametrize("library", ["jax", "mygrad"])
def test_in_arrays_it_is_the_same(library):
    pytest.importorskip(library, reason=f"compares with {library}, which is not installed")
    slow = "scalars", "long_chain"
    for name in (name for name in workloads.WORKLOADS if name not in slow and steps.exists(name, library)):
        np.testing.assert_allclose(losses(name, library), losses(name, "chainrule"), rtol=1e-4)


def test_a_table_has_ratios_to_the_best_of_pytorch():
    seen = {"chainrule": [[3.0, 5], [1.0, 6]], "torch": [[2.0, 9], [2.0, 9]], "torch fused": [[1.0, 8], [1.0, 9]]}
    line = steps.table([steps.row("digits", seen)]).splitlines()[-1]
    assert line == "| digits MLP 64-128-10, batch 64, Adam | 2 ms (2.00, 1.00) |  |  |  | 1 ms, fused |  |  | 6, -, 9 |"


def test_tables_of_compilers_say_how_many_times_as_quick_ours_are():
    seen = {
        "compiled clang": [[0.5, 1], [0.04, 3]],
        "compiled replay": [[0.01, 1]],
        "torch": [[4.0, 1]],
        "jax": [[2.0, 1], [3.0, 1]],
    }
    lines = steps.compiled_row("digits", seen, {name: [12.0, 0.25] for name in seen})
    times, seconds, peaks = (made.splitlines()[-1] for made in steps.compiled_tables([lines]).values())
    name = "digits MLP 64-128-10, batch 64, Adam"
    assert times == f"| {name} | **50.00** |  | 0.04 |  | 0.01 | 4 |  | **2** |"
    assert seconds == f"| {name} |  | 12, 0.25 |  | 12, 0.25 | 12, 0.25 |  | 12, 0.25 |"
    assert peaks == f"| {name} |  | 3 |  | 1 | 1 |  | 1 |"
