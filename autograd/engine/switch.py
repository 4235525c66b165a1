"""Switch: a context manager that decorates functions, to hold while their bodies run, not while they wait."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from contextlib import ContextDecorator
from functools import wraps
from types import coroutine
from typing import Any

Make = Callable[[], Any]


class Switch(ContextDecorator):
    """The base of context managers that set how all that runs in them is done.

    As a decorator it makes a context anew for each call, by `_recreate_cm`. A generator, a coroutine or an
    asynchronous generator runs in it step by step: whoever takes its values, or has their turn while it
    waits, runs outside.
    """

    def __call__(self, function: Any) -> Any:
        make = self._recreate_cm
        if inspect.isgeneratorfunction(function):

            @wraps(function)
            def generator(*args: Any, **kwargs: Any) -> Any:
                return (yield from _in_steps(make, function(*args, **kwargs)))

            return generator
        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def awaited(*args: Any, **kwargs: Any) -> Any:
                return await _await(make, function(*args, **kwargs))

            return awaited
        if inspect.isasyncgenfunction(function):

            @wraps(function)
            async def generated(*args: Any, **kwargs: Any) -> Any:
                body = function(*args, **kwargs)
                try:
                    value = await _await(make, body.asend(None))
                    while True:
                        try:
                            sent = yield value
                        except GeneratorExit:
                            await _await(make, body.aclose())
                            raise
                        except BaseException as error:
                            value = await _await(make, body.athrow(error))
                        else:
                            value = await _await(make, body.asend(sent))
                except StopAsyncIteration:
                    return

            return generated
        return super().__call__(function)


def _in_steps(make: Make, body: Any) -> Generator[Any, Any, Any]:
    """Run a generator, or what can be awaited, each step in a context of its own; return what it returns."""
    try:
        with make():
            value = body.send(None)
        while True:
            try:
                sent = yield value
            except GeneratorExit:
                with make():
                    body.close()
                raise
            except BaseException as error:
                with make():
                    value = body.throw(error)
            else:
                with make():
                    value = body.send(sent)
    except StopIteration as end:
        return end.value


_await: Any = coroutine(_in_steps)
