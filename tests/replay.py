"""Plays a tape again: what a recorded step computed from arrays, from what these arrays hold now."""

from autograd.engine.graph import ambient, write
from autograd.engine.primitive import as_array
from autograd.engine.tape import Tape


def record(step):
    """Run `step` once and return the tape of it: (op, its arguments, its result) for every op and write."""
    tape = Tape()
    with ambient(tape=tape):
        step()
    return tape


def replay(tape):
    """Compute every entry of a tape anew.

    An array that an op made when the tape was recorded stands for what the op makes now; every other array is read
    and written where it is, so new inputs are put into the arrays that the step was recorded with.
    """
    made = {}  # id of an array made at the recording: its successor

    def now(value):
        if isinstance(value, (tuple, list)):
            return type(value)(map(now, value))
        return made.get(id(value), value)

    for op, args, result in tape:
        args = now(args)
        if op is write:
            array, index, value = args
            array[index] = value
        else:
            new = as_array(op.fun(*args))
            made.update(zip(map(id, result), new, strict=True) if isinstance(result, tuple) else [(id(result), new)])
