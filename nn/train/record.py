"""Record: what happens in a few steps of training, seen by one tape, the hooks of modules and optimizers, and those of leaves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from autograd.api.tree import tree_leaves
from autograd.check.anomaly import Watch, WatchedPlan
from autograd.engine.graph import Array, Node, ambient, memory, mode
from autograd.engine.tensor import Tensor
from autograd.engine.warn import Line, users_line
from autograd.errors import AnomalyError

from ..calls import Calls
from ..dropout import _Dropout
from ..module import Module
from ..norm import _BatchNorm
from ..optim.optimizer import _optimized
from ..unregistered import Unregistered, unregistered

# The derivative of an activation, from its result and its other arguments, as a part of the largest that it can have.
SLOPES: dict[str, Callable[..., Array]] = {
    "relu": lambda out: out > 0,
    "hardtanh": lambda out, low, high: (low < out) & (out < high),
    "sigmoid": lambda out: 4 * out * (1 - out),
    "tanh": lambda out: 1 - out * out,
}
FLAT = 0.05  # a smaller part than this is called saturated
CHANNELS = {"conv", "conv_transpose"}  # what these and those give has its units in dim 1, or in the last
FEATURES = {"linear", "matmul", "matvec", "einsum"}
SQUASHES = {"softmax", "sigmoid", "relu"}  # what comes out of these is not what a loss of logits wants
OF_LOGITS = {"cross_entropy": "softmax", "binary_cross_entropy_with_logits": "sigmoid"}  # such losses, and what is in them


class Units(NamedTuple):
    """Of the results of an activation: how many were looked at for each unit, where its slope is small, and for how many."""

    place: str
    op: str
    examples: int
    off: Array  # of each unit: was the slope small for every example?
    flat: int  # of all results: how many had a small slope
    size: int


class Scores(NamedTuple):
    """What a loss of classes was given first, and the mean that came of it."""

    op: str
    classes: int
    loss: float
    squashed: str  # by what and where, or empty
    layer: str  # the last that multiplied by weights before


class Record(Calls, Watch):
    """Listens to steps of training while it is entered, and notes numbers: it keeps no results, and changes nothing.

    The steps may be anybody's, as long as they call `model` and, if there is one, `optimizer`. The first NaN or Inf is found as
    `autograd.detect_anomaly` finds it, but noted instead of raised.
    """

    def __init__(self, model: Module, optimizer: Any = None, loss: Any = None) -> None:
        Watch.__init__(self, nan=True, inf=True)
        Calls.__init__(self, model)
        self.optimizer = optimizer
        self.names = {module: name for name, module in model.named_modules()}
        parts = [("", model)] + ([("loss", loss)] if isinstance(loss, Module) else [])
        self.parameters = {name: p for prefix, m in parts for name, p in m.named_parameters(prefix) if p.requires_grad}
        self.beside: list[Unregistered] = [u for _, m in parts for u in unregistered(m)]
        known = self.known(model, loss)
        self.outside = [t for t in _parameters_of(optimizer) if id(t) not in known]

        self.begun = False  # were there steps before? Whoever knows says so
        self.steps = 0
        self.losses: list[float] = []  # of one batch, if whoever takes the steps tells them; and so the next two
        self.trend: list[float] = []  # of the losses of other batches
        self.target: Any = None
        self.rates: Any = None
        self.called: set[Module] = set()
        self.gradients: dict[str, list[float]] = {}  # of each parameter: the root of the mean square, in each backward
        self.sizes: dict[str, float] = {}  # the same of itself,
        self.updates: dict[str, list[float]] = {}  # and of the change in each step, beside its scale
        self.falls: list[float] = []  # by how much a step lowers the loss, by the gradients
        self.reached: set[int] = set()  # the ids of leaves outside of the model that had a gradient
        self.kept: set[str] = set()  # parameters that still had the gradient of the last step
        self.units: dict[Any, Units] = {}  # by module, op, the user's line, and how many there are
        self.scores: Scores | None = None
        self.broadcast: tuple[Any, ...] | None = None  # an op of the loss, its two shapes, and that which came out
        self.asleep: set[str] = set()  # modules in evaluation while gradients are recorded
        self.awake: set[str] = set()  # modules in training while none are
        self.drops: set[str] = set()  # modules that drop at random although the model is in evaluation
        self.anomaly: tuple[str, str] | None = None  # where the first NaN or Inf came from
        self.outputs: set[Any] = set()  # the shapes that the model returned
        self.warnings: list[str] = []
        self.error: Any = None  # what ended the steps, if that was an error of ours

        self._used: set[str] = set()  # parameters whose gradient a step has used, and no backward has added to since
        self._before: dict[str, Array] = {}
        self._axis, self._weighs = -1, "the loss"
        self._activations: list[tuple[Array, str, str, Line, Array, int]] = []  # of the forward that runs
        self._squashed: dict[int, tuple[Array, str]] = {}

    def known(self, model: Module, loss: Any) -> set[int]:
        """The ids of all leaves that belong to the model or the loss."""
        inside = [t for m in (model, loss) if isinstance(m, Module) for t in (*m.parameters(), *m.buffers())]
        return {id(t) for t in (*inside, *(t for u in self.beside for t in u.leaves))}

    def place(self, module: Module | None = None) -> str:
        """The full name of a module, by default of that which runs, with its kind."""
        if module is None:
            if not self.running:
                return "the loss"
            module = self.running[-1]
        name, kind = self.names.get(module, ""), type(module).__name__
        return f"{name} ({kind})" if name else kind

    # ------------------------------------------------------------ beginning and end
    def __enter__(self) -> Any:
        super().__enter__()
        for name, p in self.parameters.items():
            self.ends.enter_context(p.register_hook(self._gradient_of(name, p)))
        for when, hear in (("pre", self._before_step), ("post", self._after_step)):
            if (register := getattr(self.optimizer, f"register_step_{when}_hook", None)) is not None:
                self.ends.enter_context(register(hear))
        return self

    # ------------------------------------------------------------ modules
    def entered(self, module: Module, args: Any) -> None:
        """Look at the modes, when a forward begins."""
        if not self.running:
            self._squashed.clear()
            grad = mode().grad
            for m in self.model.modules():
                if not _acts_differently(m):
                    continue
                if grad and not m.training:
                    self.asleep.add(self.place(m))
                elif not grad and m.training:
                    self.awake.add(self.place(m))
        self.called.add(module)
        super().entered(module, args)

    def left(self, module: Module, output: Any) -> None:
        """Add up the activations, when a forward has ended; its results themselves are not meant."""
        if self.running:
            return
        arrays = [t.array for t in tree_leaves(output) if isinstance(t, Tensor)]
        self.outputs.update(a.shape for a in arrays)
        for out, *found in self._activations:
            if not any(memory(out) is memory(a) for a in arrays):
                self._add_up(*found)
        self._activations = []

    def _add_up(self, place: str, op: str, line: Line, slope: Array, axis: int) -> None:
        low = slope < FLAT
        others = tuple(i for i in range(low.ndim) if i != axis % low.ndim)
        now = Units(place, op, low.size // low.shape[axis], np.all(low, axis=others), int(low.sum()), low.size)
        key = place, op, line, low.shape[axis]
        if (old := self.units.get(key)) is not None:
            sums = old.examples + now.examples, old.off & now.off, old.flat + now.flat, old.size + now.size
            now = Units(place, op, *sums)
        self.units[key] = now

    # ------------------------------------------------------------ ops
    def op(self, op: Any, args: list[Any], out: Any) -> None:
        """Look at an op and its result."""
        try:
            Watch.op(self, op, args, out)
        except AnomalyError as error:
            self._found(error, self.place())
        name = op.name
        if self.running and not self.model.training and name == "bernoulli":
            self.drops.add(self.place())
        if not mode().grad:
            return
        if name in CHANNELS or name in FEATURES:
            self._axis, self._weighs = 1 if name in CHANNELS else -1, self.place()
        if self.running and name in SLOPES and out.ndim > 1 and out.size:
            self._activations.append((out, self.place(), name, users_line(), SLOPES[name](out, *args[1:]), self._axis))
        if name in SQUASHES:
            self._squashed[id(memory(out))] = out, f"{name} at {self.place()}"
        losses = out[0] if name == "cross_entropy" else out  # which has the softmax as a second result
        if name in OF_LOGITS and self.scores is None and losses.size:
            classes = args[0].shape[1] if name == "cross_entropy" else 2
            self.scores = Scores(name, classes, float(np.mean(losses)), *self._behind(args[0]))
        if not self.running and self.broadcast is None and len(args) > 1:
            x, y = (getattr(a, "shape", ()) for a in args[:2])
            if x != y and {x, y} & self.outputs and np.prod(x) == np.prod(y) < getattr(out, "size", 0):
                self.broadcast = name, x, y, out.shape

    def _behind(self, logits: Array) -> tuple[str, str]:
        """What squashed the scores that a loss is given, and the last layer before."""
        return self._squashed.get(id(memory(logits)), (None, ""))[1], self._weighs

    def node(self, node: Node) -> None:
        """Mark a node, so that its gradients are looked at."""
        super().node(node)
        node.plan = _Heard(node.plan, self, self.place())

    def _found(self, error: AnomalyError, where: str) -> None:
        """Note the first NaN or Inf, and look for no others: they come of it."""
        if self.anomaly is None:
            self.anomaly = where, str(error)
        self.nan = self.inf = False

    # ------------------------------------------------------------ gradients and steps
    def _gradient_of(self, name: str, p: Tensor) -> Callable[[Tensor], None]:
        def hear(g: Tensor) -> None:
            self.gradients.setdefault(name, []).append(rms(g.array))
            if name in self._used and p.grad is not None and np.any(p.grad.array):
                self.kept.add(name)
            self._used.discard(name)

        return hear

    def _before_step(self, *_: Any) -> None:
        self._before = {name: p.array.copy() for name, p in self.parameters.items()}
        self.sizes = {name: rms(array) for name, array in self._before.items()}

    def _after_step(self, *_: Any) -> None:
        self.steps += 1
        self._used = {*self.parameters}
        fall = 0.0
        for name, p in self.parameters.items():
            change = p.array.astype(np.float64) - self._before[name]
            self.updates.setdefault(name, []).append(rms(change) / self.scale(name))
            if p.grad is not None:
                fall -= float(np.sum(change * p.grad.array))
        self.falls.append(fall)
        self.reached.update(id(t) for t in self.outside if t.grad is not None)
        self._before = {}

    # ------------------------------------------------------------ what checks ask
    def held(self, p: Tensor) -> bool:
        """Is it one of the optimizer's?"""
        return any(p is t for t in _parameters_of(self.optimizer))

    def optimized(self, p: Tensor) -> bool:
        """Is it, or another optimizer's?"""
        return self.held(p) or _optimized.get(id(p)) is p

    def owner(self, name: str) -> Module | None:
        """The module that holds the parameter of this name."""
        path = name.rpartition(".")[0]
        return next((m for m, n in self.names.items() if n == path), None)

    def scale(self, name: str) -> float:
        """How large the numbers of a matrix are, or would be in the beginning if that is more."""
        p = self.parameters[name]
        return max(self.sizes.get(name) or rms(p.array), (p.shape[0] / max(p.numel(), 1)) ** 0.5 if p.ndim > 1 else 1.0)


class _Heard(WatchedPlan):
    """A plan that tells a record of NaN and Inf in the gradients, and goes on."""

    def __init__(self, plan: WatchedPlan, record: Record, where: str) -> None:
        super().__init__(plan.plan, plan.line)
        self.record, self.where = record, where

    def partial(self, wanted: tuple[bool, ...]) -> Callable[..., Any]:
        """As a watched plan, but it does not raise."""
        watched, pull = super().partial(wanted), self.plan.partial(wanted)

        def heard(g: Any, saved: Any) -> Any:
            try:
                return watched(g, saved)
            except AnomalyError as error:
                self.record._found(error, self.where)
                with ambient(tape=None):
                    return pull(g, saved)

        return heard


def rms(array: Array) -> float:
    """The root of the mean of the squares."""
    with np.errstate(all="ignore"):
        return float(np.sqrt(np.mean(np.square(array, dtype=np.float64)))) if array.size else 0.0


def _parameters_of(optimizer: Any) -> list[Tensor]:
    return [p for group in getattr(optimizer, "param_groups", ()) for p in group["params"]]


def _acts_differently(module: Module) -> bool:
    """Does it do another thing in training than in evaluation? A layer whose parameters are all frozen is meant as it is."""
    if isinstance(module, _Dropout):
        return module.p > 0
    own = list(module.parameters())
    return isinstance(module, _BatchNorm) and (not own or any(p.requires_grad for p in own))
