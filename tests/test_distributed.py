"""Several processes, which run processes.py: what they do together, their gradients, and what happens when one fails."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

import autograd
import nn
from autograd import distributed, errors, tensor
from nn import metrics
from nn.utils.data import DistributedSampler

TESTS = Path(__file__).parent
PROGRAM = TESTS / "processes.py"
CHECKS = re.findall(r"^@check\ndef (\w+)", PROGRAM.read_text(encoding="utf-8"), re.MULTILINE)
mpi = pytest.mark.skipif(not distributed.is_mpi_available(), reason="no MPI: pip install 'chainrule[mpi]'")


def launch(n, *arguments, timeout=120):
    command = [sys.executable, "-m", "autograd.distributed.launch", "-n", str(n), *map(str, arguments)]
    paths = os.pathsep.join([str(Path(autograd.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"PYTHONPATH": paths}
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=environment)


# ---------------------------------------------------------------- in several processes
@mpi
@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_processes_do_together_what_they_should(n):
    ended = launch(n, PROGRAM)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert re.findall(r"^passed (\w+)", ended.stdout, re.MULTILINE) == CHECKS


@mpi
def test_a_run_is_resumed_by_another_number_of_processes(tmp_path):
    """Three steps by two processes, two more by one, by two or by three: the same as five by one."""
    results = []
    for n in (1, 2):
        assert "from 0" in launch(n, PROGRAM, "train", tmp_path / f"{n}.pt", 3).stdout
    for first, then in ((1, 1), (2, 1), (2, 2), (2, 3)):
        file = shutil.copy(tmp_path / f"{first}.pt", tmp_path / f"{first}{then}.pt")
        ended = launch(then, PROGRAM, "train", file, 5)
        assert "from 3" in ended.stdout, ended.stderr
        results.append([float(v) for v in re.search(r"parameters (.*)", ended.stdout)[1].split()])
    np.testing.assert_allclose(results[1:], [results[0]] * 3, atol=2e-5)  # printed with five digits


# ---------------------------------------------------------------- when one fails
@mpi
def test_an_exception_in_one_ends_all_with_its_traceback():
    begin = time.monotonic()
    ended = launch(3, PROGRAM, "fail")
    assert ended.returncode == 1
    assert "[rank 2] ValueError: this one fails" in ended.stderr
    assert time.monotonic() - begin < 60


@mpi
def test_a_code_of_exit_is_passed_on():
    assert launch(2, PROGRAM, "exit").returncode == 3


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What six steps by two processes print."""
    return launch(2, PROGRAM, "train", tmp_path_factory.mktemp("whole") / "whole.pt", 6).stdout


@mpi
@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_process_ends_the_job_and_a_restart_goes_on(tmp_path, rank, undisturbed):
    """Killed with no chance to say anything: the others end, the last checkpoint is whole, the result is as without."""
    step = 2 + int(time.time()) % 3  # at any step
    file = tmp_path / "broken.pt"
    begin = time.monotonic()
    killed = launch(2, PROGRAM, "train", file, 6, rank, step)
    assert killed.returncode != 0
    assert time.monotonic() - begin < 60  # beside other tests; it takes about a second
    assert autograd.load(file)["done"] == step
    ended = launch(2, PROGRAM, "train", file, 6)
    assert f"from {step}" in ended.stdout
    assert re.findall("parameters .*", ended.stdout) == re.findall("parameters .*", undisturbed) != []


@mpi
def test_a_file_that_is_not_there_is_named():
    ended = launch(2, TESTS / "no_such_file.py")
    assert ended.returncode == 1
    assert "there is no file" in ended.stderr


# ---------------------------------------------------------------- a PyTorch program
@mpi
def test_a_ddp_program_of_pytorch_runs_by_its_launcher():
    program = TESTS / "ddp_program.py"
    ours = launch(2, "-m", "autograd.run", program)
    assert ours.returncode == 0, ours.stderr
    assert re.findall(r"epoch (\d)", ours.stdout) == list("0123")
    losses = [float(v) for v in re.findall(r": (.*)", ours.stdout)]
    assert losses == sorted(losses, reverse=True)
    assert len(set(re.search("weights (.*)", ours.stdout)[1].split())) == 1
    if importlib.util.find_spec("torch") is None:
        return  # there is nothing to compare with
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(program)]
    theirs = subprocess.run(command, capture_output=True, text=True, timeout=120)
    # its exit status says nothing: on a busy machine PyTorch 2.13 often aborts when all is done, as one of gloo's threads still runs
    assert ours.stdout == theirs.stdout, theirs.stderr


@mpi
def test_the_program_of_the_page_runs(tmp_path, monkeypatch):
    page = TESTS.parent / "docs" / "howto" / "processes.md"
    if not page.exists():
        pytest.skip("docs/ is not here, as when the tests are copied away to try an installed package")
    monkeypatch.chdir(tmp_path)
    code = re.search("```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)[1]
    Path("train.py").write_text(code, encoding="utf-8")
    ended = launch(2, "train.py")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == ["True"]
    assert len(nn.load("net.pt")) == 4


# ---------------------------------------------------------------- in this process alone
@pytest.fixture
def alone():
    distributed.init_process_group()
    yield
    distributed.destroy_process_group()


def test_without_a_group_it_says_what_to_call():
    assert distributed.is_available()
    assert not distributed.is_initialized()
    assert (distributed.get_rank(), distributed.get_world_size()) == (0, 1)
    with pytest.raises(errors.DistributedError, match=r"all_reduce: call distributed\.init_process_group\(\) first"):
        distributed.all_reduce(autograd.ones(2))


@pytest.mark.usefixtures("alone")
def test_a_group_of_one_needs_nobody():
    t = tensor([1.0, 2.0])
    distributed.all_reduce(t)
    distributed.broadcast(t, 0)
    distributed.barrier()
    assert t.tolist() == [1, 2]
    said = [None]
    distributed.all_gather_object(said, "me")
    assert said == ["me"]
    assert repr(distributed.new_group([0])) == "<Group of the ranks 0>"


@pytest.mark.usefixtures("alone")
def test_wrong_arguments_are_named():
    with pytest.raises(errors.ArgumentError, match="op is one of 'sum'"):
        distributed.all_reduce(autograd.ones(2), "mean")
    with pytest.raises(errors.ArgumentError, match=r"all_reduce takes a Tensor, got \[1\.0\]"):
        distributed.all_reduce([1.0])
    with pytest.raises(errors.ArgumentError, match="rank 1 is not in this group, whose ranks are"):
        distributed.broadcast(autograd.ones(2), 1)
    with pytest.raises(errors.ArgumentError, match="the list holds a tensor for each of the 1 members, got 2"):
        distributed.all_gather([autograd.ones(2)] * 2, autograd.ones(2))
    with pytest.raises(errors.ShapeError, match=r"tensor 0 of the list is float32 \(3,\), but the other one float32 \(2,\)"):
        distributed.all_gather([autograd.ones(3)], autograd.ones(2))
    with pytest.raises(errors.ArgumentError, match="gradients flow through 'sum' and 'avg', not through 'max'"):
        distributed.functional.all_reduce(autograd.ones(2), "max")


def test_a_program_that_was_started_otherwise_is_told_how():
    with pytest.raises(errors.ArgumentError, match=r"world_size=2, but MPI says 1; start the program by `python -m autograd\.d"):
        distributed.init_process_group(world_size=2)
    with pytest.raises(errors.ArgumentError, match="the backend is 'mpi'"):
        distributed.init_process_group("nccl")
    assert not distributed.is_initialized()


def test_nobody_is_waited_for_longer_than_said():
    class Never:
        def Test(self, status):
            return False

    group = distributed.Group([0, 1], timeout=timedelta(seconds=0.01))
    if distributed.is_mpi_available():
        with pytest.raises(errors.DistributedError, match=r"all_reduce: waited 0:00:00\.010000 for the others"):
            group.wait(Never(), "all_reduce")


# ---------------------------------------------------------------- samplers and metrics
@pytest.mark.parametrize(("n", "ranks", "drop_last"), [(10, 3, False), (10, 3, True), (2, 4, False), (9, 1, False)])
def test_a_distributed_sampler_gives_each_its_part(n, ranks, drop_last):
    parts = [DistributedSampler(range(n), ranks, r, seed=4, drop_last=drop_last) for r in range(ranks)]
    for epoch in (0, 1):
        for part in parts:
            part.set_epoch(epoch)
        drawn = [list(part) for part in parts]
        assert {len(d) for d in drawn} == {len(parts[0])} == {n // ranks if drop_last else -(-n // ranks)}
        flat = [i for d in drawn for i in d]
        assert len(set(flat)) == (len(flat) if drop_last else n)
    assert drawn[0] == list(parts[0])
    parts[0].set_epoch(0)
    assert n < 9 or drawn[0] != list(parts[0])
    with pytest.raises(errors.ArgumentError, match="rank is one of 0 to 1, got 2"):
        DistributedSampler(range(3), 2, 2)


RNG = np.random.default_rng(0)
SCORES, LABELS, NUMBERS = RNG.normal(size=(40, 3)), RNG.integers(0, 3, 40), RNG.normal(size=(40, 2))
CHANCES = np.exp(SCORES) / np.exp(SCORES).sum(1, keepdims=True)
SEEN = {  # what a metric is fed with, by the words of its class
    "Accuracy": (SCORES, LABELS), "TopKAccuracy": (SCORES, LABELS), "ConfusionMatrix": (SCORES, LABELS),
    "Perplexity": (SCORES, LABELS), "ROCAUC": (CHANCES, LABELS), "AveragePrecision": (CHANCES, LABELS),
    "CalibrationError": (CHANCES, LABELS), "CalibrationCurve": (CHANCES, LABELS),
    "ROCCurve": (CHANCES[:, 0], LABELS > 0), "PrecisionRecallCurve": (CHANCES[:, 0], LABELS > 0),
    **dict.fromkeys(("MSE", "MAE", "R2"), (NUMBERS, NUMBERS * 0.9 + RNG.normal(size=(40, 2)))),
    **dict.fromkeys(("Precision", "Recall", "F1", "Dice", "IoU"), (SCORES, LABELS)),
    **dict.fromkeys(("WordErrorRate", "CharErrorRate", "BLEUScore"), (["a cat sat", "two dogs run", "so it is"], ["the cat sat", "two dogs ran", "so it was"])),
    "MeanAveragePrecision": (
        [{"boxes": np.array([[0, 0, 10, 10.0], [5, 5, 20, 20]]), "labels": np.array([0, k]), "scores": np.array([0.9, 0.3])} for k in range(4)],
        [{"boxes": np.array([[0, 0, 10, 11.0]]), "labels": np.array([0])} for k in range(4)],
    ),
}  # fmt: skip
KINDS = [
    k for name in metrics.__all__ if isinstance(k := getattr(metrics, name), type) and k not in (metrics.Metric, metrics.Mean)
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_metric_takes_in_what_another_has_seen(kind):
    options = {"average": "macro"} if kind.__name__ in ("Precision", "Recall", "F1", "Dice", "IoU") else {}
    output, target = SEEN[kind.__name__]
    whole, parts = kind(**options), [kind(**options) for _ in range(3)]
    whole.update(output, target)
    for part, bounds in zip(parts, ((0, 2), (2, None), (0, 0)), strict=True):
        part.update(output[slice(*bounds)], target[slice(*bounds)])
    parts[2].merge(parts[0])  # one that has seen nothing
    parts[2].merge(parts[1])
    for a, b in zip(*(map(np.asarray, flat(m.compute())) for m in (parts[2], whole)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9)


def flat(value):
    if isinstance(value, dict):
        return [v for each in value.values() for v in flat(each)]
    return [v for each in value for v in flat(each)] if isinstance(value, tuple) else [value]


def test_batch_normalizations_are_converted_with_what_they_hold():
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Sequential(nn.BatchNorm2d(2, eps=1e-3), nn.ReLU())).eval()
    weight = net[1][0].weight
    assert nn.SyncBatchNorm.convert_sync_batchnorm(net) is net
    new = net[1][0]
    assert type(new) is nn.SyncBatchNorm
    assert new.weight is weight
    assert (new.eps, new.training) == (1e-3, False)
