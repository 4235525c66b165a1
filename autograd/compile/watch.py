"""What a step depends on besides its arguments: all that its closure, its globals and the objects in them hold."""

from __future__ import annotations

import builtins
import functools
import os
import sys
import sysconfig
import types
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from operator import is_
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from ..api.random import Generator
from ..engine.graph import Node
from ..engine.tensor import Tensor
from ..engine.warn import OURS
from .callback import Callback
from .straight import Lines

PLAIN = (type(None), bool, int, float, complex, str, bytes, np.generic, np.dtype, type(...), range, slice)
STANDARD = sysconfig.get_path("stdlib") + os.sep  # where Python's own functions are
PYTHONS = (  # which are taken for what they are
    types.BuiltinFunctionType, CodeType, types.GetSetDescriptorType, types.MemberDescriptorType, types.MethodDescriptorType,
    types.WrapperDescriptorType,
)  # fmt: skip
MISSING = object()  # what stands for an attribute that is not there
QUICKLY_EMPTY = (dict, list, set, deque, OrderedDict, defaultdict)  # which are false without a call of Python's
NAMESPACES = ("SimpleNamespace", "Namespace")  # of types and argparse: Python's classes of which one looks at the attributes
FEW = 16  # values in a container, which are compared one by one
MOST = 50_000  # facts; who holds more is not watched, and not compiled
_Fact = tuple[str, Any]


class Unwatchable(Exception):
    """What a step holds, or is given, cannot be watched."""


ELSEWHERE = "it works on arrays of another library, as on a GPU"


class Watch:
    """Walks once through everything that `root`, a function or what stands in for one, can see.

    `facts` says in comparable terms what is there, each with the path to it: plain values, which objects, which arrays, who
    requires grad, which hooks. Two watches with equal facts saw the same step. `same` says quickly whether nothing was
    exchanged since; it may say no without need, never yes. Numbers in arrays are no facts: a program reads them where they are.
    """

    def __init__(self, *roots: Any) -> None:
        self.roots = roots
        self.names: set[str] = set()  # that the code which was reached uses: attributes of other names are not looked at
        known = -1
        while len(self.names) > known:
            known = len(self.names)
            self._walk(roots)
        self.facts: tuple[_Fact, ...] = tuple(self._facts)

    def _walk(self, roots: Any) -> None:
        self._facts: list[_Fact] = []
        self.kept: dict[int, Any] = {}  # what was reached, so that ids stay its own
        self.arrays: dict[int, str] = {}  # id of an array: how the program calls it
        self.leaves: dict[Node, Tensor] = {}  # of those that require grad
        self.generators: set[int] = set()
        self._held: list[tuple[Any, tuple[Any, ...]]] = []  # containers, and what is in them
        self._slots: list[tuple[Any, str, Any]] = []
        self._sizes: list[tuple[Any, int]] = []
        self._cells: list[tuple[Any, Any]] = []
        self._named: list[tuple[Any, str, Any]] = []
        self._parts: list[tuple[Any, tuple[Any, ...]]] = []  # of functions: kept, too, so that their ids stay their own
        self._tensors: list[tuple[Tensor, Any, Any, Any]] = []
        self._calls: list[tuple[Any, Any, Any]] = []
        self._stack: list[tuple[str, Any]] = [("", root) for root in reversed(roots)]
        while self._stack:
            self._look(*self._stack.pop())
            if len(self._facts) > MOST:
                raise Unwatchable(f"it can see more than {MOST} values, modules and settings, too many to look after")

    # ------------------------------------------------------------ quickly
    def same(self) -> bool:
        """Has nothing been exchanged?"""
        self.same = self._written()  # type: ignore[method-assign]
        return self.same()

    def holds(self, roots: Sequence[Any]) -> bool:
        """Is it a watch of these, and has nothing been exchanged?"""
        return _alike(roots, self.roots) and self.same()

    def _written(self) -> Callable[[], bool]:
        """What `same` compares, as straight Python: some 10 ns for each object, a third of what any loop over them takes."""
        lines = Lines()
        name, add = lines.name, lines.add

        def differ(pairs: Iterable[tuple[str, Any]]) -> None:
            if texts := [f"{now} is not {name(before)}" for now, before in pairs]:
                add(f"if {' or '.join(texts)}: return False")

        differ((f"{name(cell)}.cell_contents", value) for cell, value in self._cells)
        differ({(id(names), key): (f"{name(names)}[{key!r}]", value) for names, key, value in self._named}.values())
        differ((f"{name(getattr)}({name(x)}, {key!r}, {name(MISSING)})", value) for x, key, value in self._slots)
        for f, parts in self._parts:
            differ(zip((f"{name(f)}.{part}" for part in ("__code__", "__defaults__", "__kwdefaults__")), parts, strict=True))
        for t, array, node, hooks in self._tensors:
            differ([(f"{name(t)}.array", array), (f"{name(t)}.node", node), *([(f"{name(node)}.hooks", hooks)] if node else [])])
        for held, values in self._held:
            view = held.values() if isinstance(held, Mapping) else held
            if not values and type(held) in QUICKLY_EMPTY:
                add(f"if {name(held)}: return False")
            elif isinstance(held, Mapping) and not isinstance(held, dict):  # it may make its values anew, as os.environ
                add(f"if not {name(_equal)}({name(view)}, {name(values)}): return False")
            elif 0 < len(values) <= FEW:
                seen = [f"v{k}" for k in range(len(values))]
                add(f"{', '.join(seen)}, = {name(view)}")
                differ(zip(seen, values, strict=True))
            else:
                add(f"if not {name(_alike)}({name(view)}, {name(values)}): return False")
        for own, n in self._sizes:
            add(f"if len({name(own)}) != {n}: return False")
        for facts, found, reads in self._calls:
            now, again = _reader(facts, found, reads)
            texts = [f"{name(c)}[{key!r}] is not {name(now)}[{k}]" for k, (c, key, _) in enumerate(reads())]
            texts += [f"len({name(c)}) != {len(c)}" for c in {id(c): c for c, *_ in reads() if isinstance(c, list)}.values()]
            add(f"if ({' or '.join(texts)}) and not {name(again)}(): return False")
        add("return True")
        return lines.function(otherwise="False")  # a name, a cell's value, an option is gone; or there are more or fewer values

    # ------------------------------------------------------------ one thing
    def _look(self, path: str, x: Any) -> None:
        if isinstance(x, PLAIN):
            self._facts.append((path, told(x)))
            return
        self._facts.append((path, id(x)))
        if id(x) in self.kept:
            return
        self.kept[id(x)] = x
        if isinstance(x, Tensor):
            self._tensor(path, x)
        elif isinstance(x, np.ndarray):
            self.arrays.setdefault(id(x), path)
        elif isinstance(x, Generator):
            self.generators.add(id(x))
        elif isinstance(x, (tuple, list, set, frozenset, deque, Mapping)):
            self._container(path, x)
        elif isinstance(x, MethodType):
            self._push((path, x.__func__), (path, x.__self__))
        elif isinstance(x, partial):
            self._push((path, x.func), (path, x.args), (path, x.keywords))
        elif isinstance(x, FunctionType):
            self._function(path, x)
        elif isinstance(x, type):
            self._class(path, x)
        elif isinstance(x, ModuleType):
            if not _is_library(x) and "site-packages" not in (getattr(x, "__file__", None) or ""):
                self._module(path, x)
        elif isinstance(x, functools._lru_cache_wrapper):
            self._push((path, x.__wrapped__))
        elif not isinstance(x, (*PYTHONS, Callback)) and not _is_pythons(type(x)):
            self._object(path, x)

    def _push(self, *found: _Fact) -> None:
        self._stack.extend(reversed(found))

    def _tensor(self, path: str, t: Tensor) -> None:
        node, array = t.node, t.array
        hooks = node.hooks if node is not None else None
        self._facts.append((path, (id(array), node is not None, id(node) if node is not None and node.plan else None)))
        if not isinstance(array, np.ndarray):
            raise Unwatchable(ELSEWHERE)
        self.kept[id(array)] = array
        self.arrays[id(array)] = path
        if node is not None:
            self.leaves[node] = t
            self.kept[id(node)] = node
        self._tensors.append((t, array, node, hooks))
        if hooks:
            self._push((f"{path}.hooks", hooks))

    def _container(self, path: str, x: Any) -> None:
        if isinstance(x, Mapping):
            self._facts.append((path, tuple(k if isinstance(k, PLAIN) else id(k) for k in x)))
            self._push(*((self._at(path, k), v) for k, v in x.items()))
            self._push(*((path, k) for k in x if not isinstance(k, PLAIN)))
            self._held.append((x, tuple(x.values())))
            return
        items = sorted(x, key=lambda v: repr(v) if isinstance(v, PLAIN) else str(id(v))) if isinstance(x, (set, frozenset)) else x
        self._facts.append((path, len(items)))
        self._push(*((f"{path}.{i}", v) for i, v in enumerate(items)))
        if not isinstance(x, (tuple, frozenset)):
            self._held.append((x, tuple(x)))

    def _at(self, path: str, key: Any) -> str:
        """The path to what stands under a key: of a tensor, as the state of an optimizer, the path to that."""
        if isinstance(key, Tensor):
            return self.arrays.get(id(key.array), path)
        return f"{path}.{key}" if isinstance(key, (str, int)) else path

    def _function(self, path: str, f: Any) -> None:
        ours = f.__code__.co_filename.startswith(OURS)
        found: list[_Fact] = []
        for name, cell in zip(f.__code__.co_freevars, f.__closure__ or (), strict=True):
            try:
                value = cell.cell_contents
            except ValueError:  # it is not there yet
                continue
            if not ours or isinstance(value, (FunctionType, MethodType, Tensor)):  # or what a decorator of ours was put on
                self._cells.append((cell, value))
                found.append((f"{path}.{name}" if path else name, value))
        if ours or _of_python(f):
            self._push(*found)
            return
        parts = f.__code__, f.__defaults__, f.__kwdefaults__  # which an editor may exchange while a program runs
        self._parts.append((f, parts))
        self._facts.append((path, tuple(map(id, parts))))
        found += [(path, defaults) for defaults in parts[1:] if defaults]
        used = _used(f.__code__)
        for name in used:
            if name in f.__globals__:
                value = f.__globals__[name]
                self._named.append((f.__globals__, name, value))
                if isinstance(value, ModuleType) and not _is_library(value):
                    for inner in used:
                        if inner in vars(value):
                            self._named.append((vars(value), inner, vars(value)[inner]))
                            found.append((f"{name}.{inner}", vars(value)[inner]))
                found.append((name, value))
        self.names.update(used)
        self._push(*sorted(found, key=lambda f: hasattr(type(f[1]), "_facts")))  # optimizers last: models name their parameters

    def _class(self, path: str, cls: type) -> None:
        library = [base for base in cls.__mro__ if _of_library(base)]
        for base in cls.__mro__:
            if base in library:
                continue
            self._sizes.append((vars(base), len(vars(base))))
            for name, value in vars(base).items():
                called = self._is_read(name) or any(name in vars(b) for b in library)
                if called and name not in ("__dict__", "__weakref__", "__doc__") and not isinstance(value, PYTHONS):
                    self._named.append((vars(base), name, value))
                    inner = next((getattr(value, part) for part in ("fget", "__func__", "func") if hasattr(value, part)), value)
                    self._push((f"{path}.{name}", inner))

    def _module(self, path: str, module: ModuleType) -> None:
        """What a module of the user's holds under names that code uses."""
        inside = vars(module)
        for name in sorted(self.names & inside.keys()):
            self._named.append((inside, name, inside[name]))
            self._push((f"{path}.{name}", inside[name]))

    def _is_read(self, name: str) -> bool:
        """Does code that was reached read such an attribute, or may the library?"""
        return name in self.names or name[0] == "_" or name == "training"

    def _object(self, path: str, x: Any) -> None:
        cls: Any = type(x)
        own = getattr(x, "__dict__", None)
        self._push((path, cls))
        if speaks := all(hasattr(cls, name) for name in ("_fixed", "_facts", "_reads")):  # it says itself what counts
            self._calls.append((partial(cls._facts, x), found := cls._facts(x), partial(cls._reads, x)))
            self._facts.append((path, found))
        for part in cls._fixed(x) if hasattr(cls, "_fixed") else ():
            if part is not own:
                self._push((path, part))
        slotted = [vars(base) for base in cls.__mro__ if "__slots__" in vars(base) and not _of_library(base)]
        for name in [n for inside in slotted for n, d in inside.items() if isinstance(d, types.MemberDescriptorType)]:
            if self._is_read(name):
                self._slots.append((x, name, value := getattr(x, name, MISSING)))
                if value is not MISSING:
                    self._push((f"{path}.{name}", value))
        if own is None:
            return
        if speaks:
            for name in [n for n in own if n in self.names]:  # what the user's code reads of it, as param_groups
                self._named.append((own, name, own[name]))
                self._push((f"{path}.{name}", own[name]))
            return
        anything = any(_of_library(b) and b.__init__ is not object.__init__ and "_fixed" not in vars(b) for b in cls.__mro__)
        anything = anything or _of_library(cls)  # else the library reads what has _ before it, and `training`
        self._facts.append((path, len(own)))
        self._held += [(own, tuple(own.values()))] * anything
        self._sizes += [(own, len(own))] * (not anything)
        inside: list[_Fact] = []
        for name, value in own.items():
            if anything or self._is_read(name):
                if not anything:
                    self._named.append((own, name, value))
                inside.append((f"{path}.{name}" if path else name, value))
        self._push(*inside)


def told(x: Any) -> Any:
    """A plain value, as one that is told from all others: from equal ones of another type, and -0.0 from 0.0."""
    odd = isinstance(x, slice) or x != x or (x == 0 and isinstance(x, (float, complex, np.inexact)))
    return type(x), repr(x) if odd else x


def _alike(now: Collection[Any], before: Collection[Any]) -> bool:
    return len(now) == len(before) and all(map(is_, now, before))


def _equal(now: Collection[Any], before: Collection[Any]) -> bool:
    pairs = zip(now, before, strict=True)
    return all([a is b or (isinstance(a, PLAIN) and isinstance(b, PLAIN) and told(a) == told(b)) for a, b in pairs])


def _reader(facts: Callable[[], Any], found: Any, reads: Callable[[], list[Any]]) -> tuple[list[Any], Callable[[], bool]]:
    """What facts were found in, and what looks again, where other things are now, whether it comes to the same."""
    now = [value for *_, value in reads()]

    def again() -> bool:
        if facts() != found:
            return False
        now[:] = [value for *_, value in reads()]
        return True

    return now, again


def _used(code: CodeType) -> list[str]:
    """The names, and the strings that may be such, in a function and those in it."""
    found = dict.fromkeys(code.co_names)
    for value in code.co_consts:
        if isinstance(value, CodeType):
            found |= dict.fromkeys(_used(value))
        elif isinstance(value, str) and value.isidentifier():
            found[value] = None
    return list(found)


@functools.cache
def _of_library(cls: Any) -> bool:
    """Is a class Python's, NumPy's or this library's, of which all instances' attributes are looked at, and nothing of itself?"""
    module = cls.__module__ or "builtins"
    first, file = module.partition(".")[0], getattr(sys.modules.get(module), "__file__", None) or ""
    if module == "builtins":
        return getattr(builtins, cls.__name__, None) is cls
    return file.startswith(OURS) or (first in sys.stdlib_module_names and first != "__main__")


def _is_library(module: ModuleType) -> bool:
    first = module.__name__.partition(".")[0]
    return (module.__file__ or "").startswith(OURS) if getattr(module, "__file__", None) else first in sys.stdlib_module_names


def _is_pythons(cls: type) -> bool:
    """Is it a class of Python's or NumPy's, whose instances are taken for what they are?"""
    first = (cls.__module__ or "builtins").partition(".")[0]
    return first == "numpy" or (_of_library(cls) and first not in ("autograd", "nn") and cls.__name__ not in NAMESPACES)


def _of_python(f: FunctionType) -> bool:
    """Is a function in the standard library?"""
    file = f.__code__.co_filename
    return file.startswith((STANDARD, "<frozen")) and "site-packages" not in file


def change(before: tuple[_Fact, ...], after: tuple[_Fact, ...]) -> str:
    """What the first difference between two watches is."""
    for (path, one), (other, two) in zip(before, after, strict=False):
        if path != other or one != two:
            plain = [isinstance(v, tuple) and len(v) == 2 and isinstance(v[0], type) for v in (one, two)]
            shown = [v[1] if p else "one object" for v, p in zip((one, two), plain, strict=True)]
            return f"{path or other} was {shown[0]!r}, then {shown[1]!r}" if path == other else f"{other or path} is new or gone"
    return "something was added to what it holds, or taken away"
