"""The driver of a step: it applies an update rule to all parameters, in place, by a plan that serves until something changes."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import accumulate
from operator import is_
from typing import Any

import numpy as np

from autograd.compile import IN_PLACE
from autograd.engine.accumulate import ACCUMULATED, widened
from autograd.engine.graph import Array, touch_all, write
from autograd.engine.tensor import Tensor

from .inplace import Update

SMALL = 2**14  # parameters below this are gathered: for few elements what a call costs is all


class Job:
    """What is to be done for one parameter."""

    def __init__(self, group: int, program: Update | None, options: list[Any], numbers: list[Any], tensors: list[Any]) -> None:
        self.group, self.options, self.numbers, self.tensors = group, options, numbers, tensors
        self.parameter, gradient, *buffers = tensors
        self.state = [t for t in (*numbers, *buffers) if t is not None]
        self.scalars = [t.array for t in numbers if t is not None]
        self.arrays = [self.parameter.array, *(t.array for t in buffers if t is not None)]
        self.written = [self.arrays[0], *self.scalars, *self.arrays[1:]]
        self.shape, self.dtype = self.arrays[0].shape, self.arrays[0].dtype
        alike = all(type(a) is np.ndarray and a.dtype is self.dtype for a in (gradient.array, *self.arrays))
        right = alike and self.dtype not in ACCUMULATED and all(a.flags.c_contiguous for a in self.arrays)
        self.computes = program  # what can be computed of numbers beforehand
        self.program = program if right else None


class Flat:
    """Memory in which small arrays lie one after the other: parameters, their gradients, and so on."""

    def __init__(self, jobs: Sequence[Job], program: Update) -> None:
        sizes = [math.prod(job.shape) for job in jobs]
        several = 1 + len(jobs[0].arrays)
        whole = [np.empty(sum(sizes), jobs[0].dtype) for _ in range(several + program.temporaries)]
        self.arrays, self.temporaries = whole[:several], whole[several:]
        parts = [slice(end - size, end) for end, size in zip(accumulate(sizes), sizes, strict=True)]
        kept = [self.arrays[0], *self.arrays[2:]]  # all but gradients
        self.columns: list[Any] = [*zip(*(job.arrays for job in jobs), strict=True)]
        self.columns.insert(1, ())
        self.parts = [[a[part].reshape(job.shape) for a in kept] for job, part in zip(jobs, parts, strict=True)]

    def gather(self, gradients: Sequence[Array]) -> None:
        """Copy there what is in the arrays now, and these gradients."""
        self.columns[1] = gradients
        for whole, column in zip(self.arrays, self.columns):  # noqa: B905 (it is slower)
            np.concatenate(column, axis=None, out=whole)
        self.columns[1] = ()


class Plan:
    """How to update these parameters, as long as they, their state and the rule are what they were.

    Small parameters that have the same rule, options and numbers are copied into one array and updated there; then each is
    written into its own. Large ones are updated block by block. What a function that works in place cannot be given, is
    updated by the rule as it is. The order stays that of the jobs, and what may fail comes before the first is written.
    """

    def __init__(self, jobs: list[Job], parameters: list[Tensor], programs: list[Any], block: int | None) -> None:
        self.jobs, self.parameters, self.programs, self.block = jobs, parameters, programs, block
        self.busy = [job.parameter for job in jobs]
        self.idle = [p for p in parameters if p not in set(self.busy)]
        self.gradients = [job.tensors[1].array for job in jobs]
        self.looks = [(np.ndarray, job.dtype, job.shape) for job in jobs]
        self.numbers = [(*map(float, job.scalars),) for job in jobs]
        self.lasts = all(job.program is not None for job in jobs)
        if self.lasts:  # or the first gradients would stay in memory
            for job in jobs:
                job.tensors = []
        self.state = [t for job in jobs for t in job.state]
        self.written = [a for job in jobs for a in job.written]  # the arrays of these, each behind its parameter's
        self.tensors = [t for job in jobs for t in (job.parameter, *job.state)]
        self.touched = [a for job in jobs if job.program for a in job.written]
        alike: dict[Any, list[int]] = {}
        for k, (job, numbers) in enumerate(zip(jobs, self.numbers, strict=True)):
            if job.program is not None and job.arrays[0].size < min(SMALL, block or 0):
                alike.setdefault((job.group, job.dtype, *numbers), []).append(k)
        together = [some for ks in alike.values() for some in _portions(ks, [jobs[k].arrays[0].size for k in ks], block or 0)]
        self.batches = [(some, Flat([jobs[k] for k in some], jobs[some[0]].program)) for some in together]  # type: ignore[arg-type]
        parts = {k: part for some, flat in self.batches for k, part in zip(some, flat.parts, strict=True)}
        self.results = [list(zip(job.arrays, parts[k], strict=True)) if k in parts else None for k, job in enumerate(jobs)]

    def holds(self, parameters: Sequence[Tensor], state: Any, programs: list[Any]) -> bool:
        """Is everything as it was but for values? If so, the new gradients and numbers have been looked up."""
        if not _same(parameters, self.parameters) or not _same(programs, self.programs):
            return False
        found = [p.grad for p in self.busy]
        if any([g is None for g in found]) or any([p.grad is not None for p in self.idle]):
            return False
        self.gradients = gradients = [g.array for g in found]
        if [(type(g), g.dtype, g.shape) for g in gradients] != self.looks:
            return False
        if self.state and not _same([t for p in self.busy for t in state.get(p, {}).values()], self.state):
            return False
        if not _same([t.array for t in self.tensors], self.written) or not all([a.flags.writeable for a in self.touched]):
            return False
        self.numbers = numbers = [(*map(float, job.scalars),) for job in self.jobs]
        return all([numbers[k] == numbers[some[0]] for some, _ in self.batches for k in some])

    def run(self, rule: Callable[..., Any], live: list[tuple[float, ...]]) -> None:
        """Make the step, with these options of each group, those that may change."""
        known: dict[Any, Any] = {}
        computed = []
        with np.errstate(all="ignore"):  # an overflow becomes an inf, as in PyTorch, and does not stop a step half-way
            for job, numbers in zip(self.jobs, self.numbers, strict=True):
                key = job.group, *numbers
                if key not in known:
                    known[key] = job.computes and job.computes.scalars(*live[job.group], *numbers)
                computed.append(known[key])
            for some, flat in self.batches:
                flat.gather([self.gradients[k] for k in some])
                program: Any = self.jobs[some[0]].program
                update = program.compiled() if IN_PLACE else program.update
                update(flat.arrays, flat.temporaries, *computed[some[0]][0])
            touch_all(self.touched)
            for k, job in enumerate(self.jobs):
                if job.program is None:
                    _plainly(rule, job, self.block)
                    continue
                if (pairs := self.results[k]) is not None:
                    for old, value in pairs:
                        old[...] = value
                else:
                    _in_blocks(job.program, [job.arrays[0], self.gradients[k], *job.arrays[1:]], computed[k][0], self.block)
                for old, number in zip(job.scalars, computed[k][1]):  # noqa: B905
                    old[...] = number
        self.gradients = []


def _same(these: Collection[Any], those: Collection[Any]) -> bool:
    """Are they one by one the same objects?"""
    return len(these) == len(those) and all(map(is_, these, those))


def _in_blocks(program: Update, arrays: list[Array], used: Any, block: int | None) -> None:
    room = [np.empty(min(arrays[0].size, block or 0), arrays[0].dtype) for _ in range(program.temporaries)]
    update = program.compiled() if IN_PLACE else program.update
    for part in _blocks([a.reshape(-1) for a in arrays], block):
        update(part, [t[: len(part[0])] for t in room], *used)


def _plainly(rule: Callable[..., Any], job: Job, block: int | None) -> None:
    """Update by the rule as it is, and write what it returns."""
    scalars, arrays = ([t if t is None else t.array for t in some] for some in (job.numbers, job.tensors))
    values, start = [a if a is None else float(a) for a in scalars], 1 + len(scalars)
    for part in _blocks(arrays, block):
        p, g, *buffers = part
        if p.dtype in ACCUMULATED:
            p, g = widened((p, g))
        new = rule(p, g, *job.options, *values, *buffers)
        for old, value in zip((part[0], *buffers), (new[0], *new[start:]), strict=True):
            if old is not None:
                write(old, ..., value)
    for old, value in zip(scalars, new[1:]):  # noqa: B905
        if old is not None:
            write(old, ..., value)


def _blocks(arrays: list[Any], block: int | None) -> Iterable[list[Any]]:
    """Arrays of one shape in parts that fit the cache; whole if they are small, or cannot be cut without a copy."""
    n = arrays[0].size
    if block is None or n <= block or not all(a is None or a.flags.c_contiguous for a in arrays):
        return (arrays,)
    flat = [a if a is None else a.reshape(-1) for a in arrays]
    return ([a if a is None else a[i : i + block] for a in flat] for i in range(0, n, block))


def _portions(members: list[int], sizes: list[int], most: int) -> Iterable[list[int]]:
    """`members` in lists whose sizes together are at most so many."""
    some, sum_of = list[int](), 0
    for i, size in zip(members, sizes, strict=True):
        if some and sum_of + size > most:
            yield some
            some, sum_of = [], 0
        some.append(i)
        sum_of += size
    yield some
