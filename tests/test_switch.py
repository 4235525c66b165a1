"""Modes as blocks, decorators and calls: in generators, coroutines, threads and tasks, used again and again."""

import asyncio
import inspect
import threading
import weakref

import pytest

import nn
from autograd import (
    detect_anomaly,
    enable_grad,
    inference_mode,
    is_grad_enabled,
    no_grad,
    set_detect_anomaly,
    set_grad_enabled,
    tensor,
)
from autograd.engine.graph import mode
from nn.mode import in_mode

NET = nn.Dropout()


def listening():
    return mode().tape is not None


def training():
    return NET.training


MODES = [  # a mode, what shows that it holds, its value then, and a mode for the other one
    pytest.param(no_grad, is_grad_enabled, False, enable_grad, id="no_grad"),
    pytest.param(enable_grad, is_grad_enabled, True, no_grad, id="enable_grad"),
    pytest.param(inference_mode, is_grad_enabled, False, enable_grad, id="inference_mode"),
    pytest.param(lambda: inference_mode(False), is_grad_enabled, True, no_grad, id="inference_mode(False)"),
    pytest.param(lambda: set_grad_enabled(False), is_grad_enabled, False, enable_grad, id="set_grad_enabled(False)"),
    pytest.param(lambda: set_grad_enabled(True), is_grad_enabled, True, no_grad, id="set_grad_enabled(True)"),
    pytest.param(detect_anomaly, listening, True, lambda: set_detect_anomaly(False), id="detect_anomaly"),
    pytest.param(lambda: set_detect_anomaly(True), listening, True, lambda: set_detect_anomaly(False), id="set_detect_anomaly(True)"),
    pytest.param(lambda: set_detect_anomaly(False), listening, False, detect_anomaly, id="set_detect_anomaly(False)"),
    pytest.param(lambda: in_mode(NET, False), training, False, lambda: in_mode(NET, True), id="in_mode(False)"),
    pytest.param(lambda: in_mode(NET, True), training, True, lambda: in_mode(NET, False), id="in_mode(True)"),
]  # fmt: skip
over_modes = pytest.mark.parametrize(("make", "probe", "inside", "other"), MODES)


@pytest.fixture(autouse=True)
def _all_is_as_it_was():
    yield
    assert (is_grad_enabled(), listening(), training()) == (True, False, True)


# ---------------------------------------------------------------- in steps
@over_modes
def test_a_mode_holds_in_the_body_of_a_decorated_generator_and_not_between_its_values(make, probe, inside, other):
    def answering(log):
        """Notes the mode at every turn."""
        while True:
            log.append(probe())
            try:
                sent = yield len(log)
            except KeyError as error:
                log.append(probe())
                sent = f"caught {error}"
            except GeneratorExit:
                log.append(probe())
                raise
            if sent == "end":
                return probe()
            log.append(sent)

    def outside(value):
        assert probe() is not inside
        return value

    decorated = make()(answering)
    assert inspect.isgeneratorfunction(decorated)
    assert (decorated.__name__, decorated.__doc__) == ("answering", "Notes the mode at every turn.")
    with other():
        body = decorated(log := [])
        assert outside(next(body)) == 1
        assert outside(body.send("sent")) == 3
        assert outside(body.throw(KeyError("thrown"))) == 6
        with pytest.raises(StopIteration) as end:
            body.send("end")
        assert outside(end.value.value) is inside
        assert log == [inside, "sent", inside, inside, "caught 'thrown'", inside]

        body = decorated(log := [])
        next(body)
        body.close()
        assert outside(log) == [inside, inside]
        body = decorated([])
        next(body)
        with pytest.raises(ZeroDivisionError):
            body.throw(ZeroDivisionError)
        assert outside(list(make()(lambda: (yield probe()))())) == [inside]


@over_modes
def test_a_mode_holds_in_decorated_coroutines_and_asynchronous_generators(make, probe, inside, other):
    @make()
    async def waiting():
        before = probe()
        await asyncio.sleep(0)
        return before, probe()

    @make()
    async def values():
        try:
            while True:
                try:
                    await asyncio.sleep(0)
                    yield probe()
                except KeyError:
                    yield probe(), "caught"
        finally:
            log.append(probe())

    @make()
    async def echo():
        yield (yield probe())

    async def main():
        assert await waiting() == (inside, inside)
        body = values()
        assert (await anext(body), probe()) == (inside, not inside)
        assert (await body.athrow(KeyError), probe()) == ((inside, "caught"), not inside)
        await body.aclose()
        assert (log, probe()) == ([inside], not inside)
        body = echo()
        assert [await anext(body), await body.asend("sent"), await anext(body, "end")] == [inside, "sent", "end"]

    log = []
    assert inspect.iscoroutinefunction(waiting)
    assert inspect.isasyncgenfunction(values)
    with other():
        asyncio.run(main())
        step = waiting()
        step.send(None)  # while it waits, whoever has a turn is outside
        assert probe() is not inside
        step.close()


def test_a_generator_that_is_dropped_ends_in_its_mode_and_holds_nothing_any_more():
    @no_grad()
    def body(x):
        try:
            yield x
        finally:
            log.append(is_grad_enabled())

    log, x = [], tensor(1.0, requires_grad=True)
    gone = weakref.ref(x)
    values = body(x)
    next(values)
    with pytest.raises(KeyError):
        values.throw(KeyError())
    values = body(x)
    next(values)
    del values, x
    assert log == [False, False]
    assert gone() is None


# ---------------------------------------------------------------- one object, used by many
@over_modes
def test_one_mode_object_may_be_entered_again_later_or_while_it_holds(make, probe, inside, other):
    before = probe()
    one = make()
    with one:  # what was set where it was made ends with the first block
        assert probe() is inside
    assert probe() is before
    for _ in range(2):
        with other():
            with one:
                assert probe() is inside
                with other(), one:
                    assert probe() is inside
                assert probe() is inside
                with one:
                    assert probe() is inside
                assert probe() is inside
            assert probe() is not inside
        assert probe() is before


@pytest.mark.parametrize(("make", "probe", "inside", "other"), MODES[:9])  # a module has one mode for all threads
def test_one_mode_object_in_threads_that_overlap(make, probe, inside, other, run_threads):
    with other():
        one = make()
        with one:
            pass
    entered, left, found = threading.Barrier(2), threading.Barrier(2), []

    def work(first):
        with other():
            if not first:
                entered.wait(10)
            with one:
                if first:
                    entered.wait(10)  # it enters first, and leaves first
                else:
                    left.wait(10)
                found.append(probe() is inside)
            if first:
                left.wait(10)
            found.append(probe() is not inside)

    run_threads(*((work, first) for first in (True, False)))
    assert found == [True] * 4


def test_what_one_thread_set_by_making_an_object_is_not_undone_by_another_that_enters_it(run_threads):
    one, found = set_grad_enabled(False), []

    def work():
        with one:
            found.append(is_grad_enabled())
        found.append(is_grad_enabled())

    run_threads((work,))
    assert found == [False, True]
    assert not is_grad_enabled()
    set_grad_enabled(True)


def test_a_mode_that_is_left_in_another_task_changes_nothing_there():
    async def values():
        with no_grad():
            yield is_grad_enabled()

    async def main():
        body = values()
        assert await asyncio.create_task(anext(body)) is False
        await asyncio.create_task(body.aclose())
        return is_grad_enabled()

    assert asyncio.run(main()) is True
