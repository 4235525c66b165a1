"""Every demo runs, says what it claims, and writes the pictures it names; the same seed gives the same bits.

And those that are PyTorch programs run under PyTorch too, with the same losses.
"""

import importlib
import json
import pathlib
import re
import subprocess
import sys
import types

import numpy as np
import pytest
from scripts import python

FOLDER = pathlib.Path(__file__).parent.parent / "demos"
DEMOS = sorted(FOLDER.glob("[0-9]*.py"))
MEASURED = json.loads((FOLDER / "measured.json").read_text(encoding="utf-8")) if FOLDER.exists() else {}


def command(*arguments):
    return subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True, timeout=120)


def run(demo, out, *options, by=python):
    done = by(demo, "--quick", "--out", out, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Warning" not in done.stderr, done.stderr
    return done.stdout


def test_there_are_demos():
    assert DEMOS


@pytest.mark.slow
@pytest.mark.parametrize("demo", DEMOS, ids=lambda demo: demo.stem)
def test_demo(demo, tmp_path):
    printed = run(demo, tmp_path)
    pictures = [p for p in tmp_path.iterdir() if p.stat().st_size > 1000]
    assert pictures
    assert all(str(p) in printed for p in pictures)
    for p in pictures:
        start = p.read_bytes()[:200]
        assert start.startswith(b"\x89PNG") if p.suffix == ".png" else b"<svg" in p.read_bytes()[:1000], p
    (claim,) = re.findall(r"^The claim holds: (.*)", printed, re.MULTILINE)
    measured = MEASURED[demo.stem]["measured"]
    assert wording(claim) == wording(measured), f"run `python demos/course.py {demo.stem}`"


def wording(sentence):
    """Without the numbers, which are others when it was quick."""
    return re.sub(r"-?\d[\d.,]*(e[+-]?\d+)?", "#", sentence)


def test_the_page_of_the_course_is_what_was_measured(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    course = importlib.import_module("course")
    assert list(MEASURED) == [demo.stem for demo in DEMOS], "run `python demos/course.py` with the names of the new demos"
    assert (FOLDER / "README.md").read_text(encoding="utf-8") == course.page(MEASURED), "run `python demos/course.py`"
    assert {p.name for p in (FOLDER / "pictures").iterdir()} == {found["picture"] for found in MEASURED.values()}
    for demo in DEMOS:
        what, claim = course.described(demo)
        assert what.endswith("."), demo
        assert claim.endswith("."), demo
        assert "|" not in what + claim, demo  # it stands in a table


def test_a_claim_that_does_not_hold_fails(monkeypatch, capsys):
    monkeypatch.syspath_prepend(FOLDER)
    claim = importlib.import_module("common").claim
    claim(True, "it is 3")
    assert capsys.readouterr().out == "The claim holds: it is 3\n"
    with pytest.raises(SystemExit, match="NOT hold: it is 2"):
        claim(False, "it is 2")


@pytest.mark.slow
def test_the_seed_decides_every_bit(tmp_path):
    (digits,) = (d for d in DEMOS if d.stem == "01_digits")
    for seed, folder, by in ((1, "a", command), (1, "b", python), (2, "c", python)):
        run(digits, tmp_path / folder, "--seed", seed, by=by)
    a, b, c = ((tmp_path / folder / "curves.png").read_bytes() for folder in "abc")
    assert a == b != c


# ---------------------------------------------------------------- programs written for PyTorch
LINES = {  # all that has to change
    "import autograd as torch": "import torch",
    "import nn": "from torch import nn",
    "import nn.functional as F": "import torch.nn.functional as F",
    "from nn import optim": "from torch import optim",
    "from nn.utils.data import DataLoader, TensorDataset": "from torch.utils.data import DataLoader, TensorDataset",
}
PROGRAMS = [demo for demo in DEMOS if "This is a PyTorch program" in demo.read_text(encoding="utf-8")]
programs = pytest.mark.parametrize("demo", PROGRAMS, ids=lambda demo: demo.stem)


def program(demo, monkeypatch, pytorch=False):
    """The demo as a module; with `pytorch`, under PyTorch's import lines."""
    monkeypatch.syspath_prepend(FOLDER)  # Python has it there for a file that it runs
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")  # the demo sets it for itself; undone after the test
    lines = demo.read_text(encoding="utf-8").split("\n")
    if pytorch:
        pytest.importorskip("torch", reason="PyTorch is no dependency; where it is installed, its programs are run by it")
        lines = [LINES.get(line, line) for line in lines]
    module = types.ModuleType(demo.stem)
    module.__file__ = str(demo)
    exec(compile("\n".join(lines), str(demo), "exec"), module.__dict__)
    assert module.torch.__name__ == ("torch" if pytorch else "autograd")
    return module


def test_which_programs_are_pytorch_programs():
    known = ["02_image_classifier", "03_characters", "04_vae", "14_pytorch_programs"]
    assert [demo.stem for demo in PROGRAMS] == known
    for demo in PROGRAMS:
        lines = demo.read_text(encoding="utf-8").split("\n")
        ours = [line for line in lines if re.search(r"\bautograd\b|^ *(import|from) nn\b", line)]
        assert set(ours) - set(LINES) <= {"from nn.datasets import digits"}  # the data: arrays, whoever computes with them


@programs
def test_pytorch_runs_it_after_a_change_of_imports(demo, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [str(demo), "--quick", "--out", str(tmp_path)])
    program(demo, monkeypatch, pytorch=True).main()
    printed = capsys.readouterr().out
    assert printed.count(str(tmp_path)) == len(list(tmp_path.iterdir())) > 0


def beginning(m):
    """A model of the program, in double precision, batches for its first steps, and the optimizer that it uses."""
    if hasattr(m, "CharacterModel"):
        model, text = m.CharacterModel(50).double(), np.random.default_rng(0).integers(0, 50, (16, 4 * 48 + 1))
        return model, m.torch.from_numpy(text), m.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.1)
    if hasattr(m, "SimpleNN"):
        model, data = m.NNWithBatchNorm().double(), m.load()[0].tensors
        data = m.TensorDataset(data[0][:500].double(), data[1][:500])
        return model, m.DataLoader(data, batch_size=64), m.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    if hasattr(m, "Net"):
        (images, labels), model = m.load()[0].tensors, m.Net().double()
        data = m.TensorDataset(images[:500].double(), labels[:500])
        optimizer = m.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, nesterov=True, weight_decay=5e-4)
    else:
        data, model = m.TensorDataset(m.load()[0][:500].double()), m.VAE().double()
        optimizer = m.optim.Adam(model.parameters(), lr=4e-3)
    return model, m.DataLoader(data, batch_size=64), optimizer


def numbers(model):
    return {name: np.array(value.detach().numpy()) for name, value in model.state_dict().items()}


@pytest.mark.slow
@programs
def test_the_first_losses_are_those_of_pytorch(demo, monkeypatch):
    """From the same weights, on the same data, with the same noise and no dropout: the same losses, and then the same weights."""
    start, ends = None, []
    for pytorch in (False, True):
        m = program(demo, monkeypatch, pytorch)
        noise = np.random.default_rng(1)
        monkeypatch.setattr(m.torch, "randn_like", lambda t, m=m, noise=noise: m.torch.from_numpy(noise.normal(size=t.shape)))
        model, data, optimizer = beginning(m)
        if pytorch:
            model.load_state_dict({name: m.torch.from_numpy(value) for name, value in start.items()})
        start = numbers(model)
        for module in model.modules():
            if isinstance(module, m.nn.Dropout):
                module.p = 0.0
        ends.append((m.train(model, data, optimizer), numbers(model)))
    (ours, our_weights), (theirs, their_weights) = ends
    assert len(ours) >= 4
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    assert our_weights.keys() == their_weights.keys()
    for name, value in our_weights.items():
        assert (value.shape, value.dtype) == (their_weights[name].shape, their_weights[name].dtype), name
        np.testing.assert_allclose(value, their_weights[name], rtol=1e-9, atol=1e-9, err_msg=name)
        assert not np.array_equal(value, start[name]), name  # it did learn


@pytest.mark.slow
@programs
def test_the_seed_decides_all_weights(demo, monkeypatch):
    m = program(demo, monkeypatch)
    ends = []
    for seed in (1, 1, 2):
        m.torch.manual_seed(seed)
        model, data, optimizer = beginning(m)
        losses = m.train(model, data, optimizer)
        ends.append((losses, [value.tobytes() for value in numbers(model).values()]))
    assert ends[0] == ends[1] != ends[2]
