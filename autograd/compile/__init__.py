"""A whole step, forward, backward and optimizer, as one program that runs in its place."""

from __future__ import annotations

from typing import Any

from ..errors import ArgumentError

BACKENDS = ("auto", "c", "replay", "eager")
PYTORCHS = ("inductor", "aot_eager", "cudagraphs", "onnxrt", "openxla", "tvm")  # which mean "auto"

IN_PLACE: list[Any] = []  # while kernels are on, what makes one of a function that works in place, as the rules of optimizers


def compile(
    step: Any = None, *, backend: Any = "auto", threads: Any = "auto", strict: bool = False, fullgraph: bool = False,
    dynamic: Any = None, mode: Any = None, options: Any = None, disable: bool = False,
) -> Any:  # fmt: skip
    """`step` as a callable that does the same, and soon in less time: forward, backward and optimizer become one program.

    Call it as the step. The first calls run the step itself and are recorded; as soon as two in a row were the same program,
    that runs in place of the Python, with new arguments and whatever parameters, state, learning rates and random numbers are
    then. Other shapes, train() and eval(), what requires grad, hooks and settings that the step can see make another program,
    at most 8 of them. Where Python sees a value (`item()`, `if loss > 1`), where what a step holds changes in each call, where
    a result still requires grad, the step stays as it is, which a warning says once, with the line; if `strict`, CompileError
    is raised instead. What Python does besides, as print(), is done in recorded calls only; a function made by
    `compile.callback` is told values in each call.

    A parameter that the step itself updates has no `.grad` after it; any other has what backward leaves there. `backend` is
    "c", "replay" (the same functions of NumPy without graph and tape), "eager" (nothing is compiled), or "auto": C if there is a
    compiler ($CC, cc, gcc, clang, or what `pip install ziglang` brings), else replay. The callable has `source` (the C, or
    the Python), `explain()`, `stats()`, `program` and `clear()`; `compile.clear_cache()` deletes what is kept on disk.

    Large loops and products of C are shared by `threads` threads: a number, or "auto", the cores that there are, or fewer if
    OMP_NUM_THREADS, OPENBLAS_NUM_THREADS or set_num_threads say so. Sums may differ from those of one thread by rounding.

    Without a step it is a decorator, also of methods. A Module is returned as it is: its results require grad, so that it is
    the step around it that can be compiled, as `nn.train.fit(..., compile=True)` does. PyTorch's options are accepted:
    torch.compile.

    >>> import autograd, nn
    >>> net = nn.Linear(2, 1)
    >>> optimizer = nn.optim.SGD(net.parameters(), lr=0.1)
    >>> @autograd.compile
    ... def step(x, y):
    ...     optimizer.zero_grad()
    ...     loss = nn.functional.mse_loss(net(x), y)
    ...     loss.backward()
    ...     optimizer.step()
    ...     return loss
    >>> x, y = autograd.ones(8, 2), autograd.zeros(8, 1)
    >>> losses = [step(x, y) for _ in range(20)]
    >>> bool(losses[-1] < 1e-3 * losses[0]), step.stats()["calls"]["compiled"]
    (True, 18)
    """
    if step is None:
        return lambda step: compile(step, backend=backend, threads=threads, strict=strict or fullgraph, disable=disable)
    if not callable(step):
        raise ArgumentError(f"compile takes a function, not a {type(step).__name__}")
    if isinstance(backend, str) and backend not in BACKENDS + PYTORCHS:
        raise ArgumentError(f"compile: backend is {', '.join(map(repr, BACKENDS[:-1]))} or 'eager', got {backend!r}")
    if threads != "auto" and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
        raise ArgumentError(f'compile: threads is "auto" or a positive integer, got {threads!r}')
    if disable or backend == "eager" or hasattr(type(step), "forward"):
        return step
    from .step import Compiled

    return Compiled(step, backend if backend in BACKENDS else "auto", strict or fullgraph, threads)


def _clear_cache() -> None:
    """Delete the compiled steps that are kept on disk, in $CHAINRULE_CACHE or the user's cache."""
    from .cc import clear_cache

    clear_cache()


def _kernels(enabled: bool = True, *, background: bool = True) -> Any:
    """Let ops, their gradients and the rules of optimizers run as compiled C in eager mode, where that is quicker.

    It is off by default. A call turns it on, or with False off, in all threads, for the ops of what is imported by then; in a
    `with` it holds until its end. When an op gets large arrays of some kind for the third time, C is made of its rule, as
    `autograd.compile` makes it of a step, and it is called from then on: activations, softmax, normalization, losses, reductions,
    attention, convolution, pooling, and optimizers. Results are the same to rounding. Small arrays, other dtypes than float32
    and float64, other libraries' arrays, derivatives that are differentiated again, and what is recorded or batched go through
    NumPy as before, and so does all where there is no C compiler.

    The compiler runs in a thread in the background, some tenths of a second for each kernel, and what it made is kept on disk,
    so that it is there at once the next time. When a kernel takes over is a matter of time, then; with `background=False` the
    third call waits for it, so that runs repeat to the last bit. NumPy's warnings of overflow and the like are not given.
    PyTorch: there kernels are always compiled.

    >>> import autograd, nn
    >>> with autograd.compile.kernels():
    ...     y = nn.functional.gelu(autograd.ones(100, 100))
    >>> y[0, 0]
    tensor(0.8413)
    """
    from .kernels import Switch

    return Switch(enabled, background, IN_PLACE)


def _callback(function: Any) -> Any:
    """`function` as one that a step may tell values, for a log, in each call, compiled or not; a decorator, also of methods.

    It gets Tensors without a graph, copies that it may keep, with what is there where the step calls it, in the order of the
    step; other arguments as they were when the step was recorded. What it returns is dropped, and what it does is no part
    of the step: what it changes, the step must not go by. An error that it raises ends the step. JAX: jax.debug.callback.

    >>> import autograd
    >>> losses = []
    >>> note = autograd.compile.callback(lambda loss: losses.append(loss.item()))
    >>> @autograd.compile
    ... def step(x):
    ...     loss = (x * x).sum()
    ...     note(loss)
    ...     return loss
    >>> results = [step(autograd.full((2,), float(k))) for k in range(4)]
    >>> losses, step.stats()["calls"]["compiled"]
    ([0.0, 2.0, 8.0, 18.0], 2)
    """
    from .callback import Callback

    return Callback(function)


compile.callback = _callback  # type: ignore[attr-defined]
compile.kernels = _kernels  # type: ignore[attr-defined]
compile.clear_cache = _clear_cache  # type: ignore[attr-defined]
