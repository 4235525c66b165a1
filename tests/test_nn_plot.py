"""Pictures of training: which curves stand where, and what cannot be drawn."""

import math
import sys

import pytest

from autograd.errors import ArgumentError, MissingError
from nn import plot
from nn.train import History


@pytest.fixture
def pyplot(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    pyplot = pytest.importorskip("matplotlib.pyplot", reason="pictures need matplotlib, which is an extra")
    yield pyplot
    pyplot.close("all")


def curves(axis):
    return {line.get_label(): (line.get_xdata().tolist(), list(line.get_ydata())) for line in axis.get_lines()}


HISTORY = History(loss=[3.0, 2.0], accuracy=[0.5, 0.75], val_loss=[4.0, math.nan], lr=[0.1, 0.1], counts=[[1], [2]])


def test_each_measure_has_a_panel(pyplot):
    loss, accuracy = HISTORY.plot()
    assert (loss.get_title(), accuracy.get_title(), loss.get_xlabel()) == ("loss", "accuracy", "epoch")
    found = curves(loss)
    assert found["training"] == ([1, 2], [3, 2])
    assert found["validation"][1][0] == 4
    assert math.isnan(found["validation"][1][1])
    assert curves(accuracy) == {"training": ([1, 2], [0.5, 0.75])}
    assert {text.get_text() for text in loss.get_legend().get_texts()} == {"training", "validation"}


def test_the_learning_rate_is_drawn_if_it_changes(pyplot):
    axes = plot.history({"loss": [1.0, 0.5], "lr": [0.1, 0.05]})
    assert [axis.get_title() for axis in axes] == ["loss", "learning rate"]
    assert axes[1].get_legend() is None


def test_the_loss_goes_into_axes_that_are_there(pyplot):
    _, ax = pyplot.subplots()
    assert plot.history(HISTORY, ax) is ax
    assert curves(ax).keys() == {"training", "validation"}
    assert len(pyplot.get_fignums()) == 1


def test_one_epoch_can_be_seen(pyplot):
    (axis,) = plot.history({"loss": [1.0]})
    assert [line.get_marker() for line in axis.get_lines()] == ["o"]
    axis.figure.canvas.draw()


@pytest.mark.parametrize(
    ("h", "says"),
    [({}, "nothing to draw yet among no epochs"), ({"lr": [1, 1]}, "among lr"), ({"loss": [math.nan]}, "among loss")],
)
def test_nothing_to_draw_is_told(h, says):
    with pytest.raises(ArgumentError, match=says):
        plot.history(h)


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingError, match=r"needs matplotlib; pip install 'chainrule\[demo\]'"):
        HISTORY.plot()
