"""What is written down while a run goes on: lines of JSON, and event files that are read back record by record."""

import json
import math
import struct
import sys

import numpy as np
import pytest

import autograd
import nn
from autograd.errors import MissingError
from nn import optim
from nn.train import History, JSONLogger, TensorBoard, fit
from nn.utils.data import DataLoader, TensorDataset

X = autograd.tensor(np.linspace(-1, 1, 16).reshape(8, 2))


def run(callback, epochs=3, **options):
    net = nn.Linear(2, 1).double()
    data = DataLoader(TensorDataset(X, X.sum(1, keepdim=True)), 4)
    return net, fit(net, nn.MSELoss(), optim.SGD(net.parameters(), 0.1), data, epochs, callbacks=[callback], **options)


def test_a_line_of_json_for_each_epoch(tmp_path):
    path, seen = tmp_path / "run.jsonl", []
    logger = JSONLogger(path)
    metrics = {"parts": lambda output, target: (output - target).abs().mean()}
    history = run(logger, validation=[(X, X.sum(1, keepdim=True))], metrics=metrics)[1]
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert lines == [{"epoch": i + 1} | {name: values[i] for name, values in history.items()} for i in range(3)]
    run(lambda loop: seen.append(len(path.read_text(encoding="utf-8").splitlines())), 1)
    assert seen == [3]
    again = History(loss=[0.5], lr=[0.1])
    run(logger, 2, history=again)
    assert [json.loads(line)["epoch"] for line in path.read_text(encoding="utf-8").splitlines()] == [1, 2]


def test_json_has_no_nan_and_takes_what_is_nested(tmp_path):
    path = tmp_path / "run.jsonl"
    history = History(loss=[math.inf], lr=[0.1], matrix=[[[1, math.nan]]])
    logger = JSONLogger(path)
    loop = type("Loop", (), {"history": history})
    logger.on_fit_begin(loop)
    logger.on_epoch_end(loop)
    assert json.loads(path.read_text(encoding="utf-8")) == {"epoch": 1, "loss": None, "lr": 0.1, "matrix": [[1, None]]}


def events(folder):
    """What the one event file in a folder holds: its frames are a length, a checksum, an event, and a checksum."""
    from tensorboardX.proto.event_pb2 import Event

    (file,) = folder.iterdir()
    content, found = file.read_bytes(), []
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        event = Event()
        event.ParseFromString(content[12 : 12 + length])
        found += [(event.step, value) for value in event.summary.value]
        content = content[16 + length :]
    return found


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_event_files_hold_scalars_and_histograms(tmp_path):
    pytest.importorskip("tensorboardX", reason="event files are written by tensorboardX, which is an extra")
    folder = tmp_path / "runs"
    board = TensorBoard(folder, histograms=True, every=2)
    _, history = run(board, validation=[(X, X.sum(1, keepdim=True))])
    found = events(folder)
    scalars = {(value.tag, step): value.simple_value for step, value in found if not value.HasField("histo")}
    for chart, name in (("loss/train", "loss"), ("loss/validation", "val_loss"), ("lr", "lr")):
        np.testing.assert_allclose([scalars.pop((chart, i)) for i in (1, 2, 3)], history[name], rtol=1e-6)
    assert not scalars
    histograms = [(value.tag, step, value.histo) for step, value in found if value.HasField("histo")]
    assert [(tag, step) for tag, step, _ in histograms] == [(f"{n}{g}", 2) for n in ("weight", "bias") for g in ("", ".grad")]
    assert histograms[0][2].num == 2
    assert "torch" not in sys.modules or "torch" in str(sys.modules["torch"])


def test_without_tensorboardx_it_is_told_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(MissingError, match=r"needs tensorboardX; pip install 'chainrule\[tensorboard\]'"):
        run(TensorBoard(tmp_path / "runs"))
    assert not (tmp_path / "runs").exists()
