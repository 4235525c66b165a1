"""Writes what type checkers and editors read about names that come from tables: autograd/__init__.pyi and api/methods.pyi.

    python docs/stubs.py

In a public signature, `Any` as what is returned means a Tensor (inside the library it may be an array, as rules run on both).
Tests compare the two files with what this writes, and what is said here with what the sample records return.
"""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from textwrap import indent
from types import ModuleType
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import autograd
from autograd.api import convert, creation, leaf, names

PACKAGE = Path(autograd.__file__).parent
RETURNS = {  # what neither the signature nor the rule above says
    **dict.fromkeys("atleast_1d atleast_2d atleast_3d device nonzero size stride type unique unique_consecutive".split(), "Any"),
    **dict.fromkeys("__array_ufunc__ __array_function__".split(), "Any"),
    **dict.fromkeys("dim element_size get_device itemsize nbytes ndimension numel".split(), "int"),
    "broadcast_shapes": "tuple[int, ...]",
    **dict.fromkeys("is_floating_point is_nonzero is_same_size is_signed is_storage is_tensor retains_grad".split(), "bool"),
    **dict.fromkeys("is_cpu is_cuda is_meta is_mps is_nested is_quantized is_sparse is_sparse_csr is_xpu".split(), "bool"),
    "layout": "str",
    **dict.fromkeys("item tolist numpy register_hook".split(), "Any"),
    **dict.fromkeys("__array__ __deepcopy__ __dlpack__ __dlpack_device__ __reduce__".split(), "Any"),
    **dict.fromkeys("std_mean var_mean".split(), "tuple[Tensor, ...]"),
}  # fmt: skip
ALL, ALONG, TWO = ("", "Tensor"), ("dim: int, keepdim: bool = ...", "ValuesIndices"), ("other: Tensor", "Tensor")
OVERLOADS = {  # where the result depends on the arguments: those after the first, and what comes then
    "max": (ALL, ALONG, TWO), "min": (ALL, ALONG, TWO), "median": (ALL, ALONG), "nanmedian": (ALL, ALONG),
}  # fmt: skip
HEAD = '"""{}; written by docs/stubs.py."""\n\nimport builtins\nfrom typing import Any, overload\n'
TYPES = r"int|float|bool|str|tuple|list"
RESULTS = {
    "ValuesIndices": "common",
    "Frexp": "elementwise",
    "QRResult": "decomposition",
    "SVDResultV": "decomposition",
    "SlogdetResult": "decomposition",
    "MinMax": "reduce",
    "Histogram": "statistics",
}  # pairs with names


def annotation(given: Any) -> str:
    """An annotation as it can stand in a stub; Python's types by their full names, as autograd and Tensor have an int too."""
    text = "Any" if given is inspect.Parameter.empty else str(getattr(given, "__name__", given))
    text = text.replace("Dims", "int | tuple[int, ...] | list[int] | None")
    if not re.fullmatch(rf"({TYPES}|None|Any|Tensor|Generator|Node|{'|'.join(RESULTS)}|\.\.\.|[\[\]|, ])+", text):
        return "Any"
    return re.sub(rf"\b({TYPES})\b", r"builtins.\1", text)


def returned(name: str, given: Any = "Any") -> str:
    """What a public function, method or property returns."""
    return annotation(RETURNS[name]) if name in RETURNS else re.sub(r"\bAny\b", "Tensor", annotation(given))


def declaration(name: str, function: Any, first: str = "") -> str:
    """The lines for a function, or for a method, whose first argument is called something else."""
    signature = inspect.signature(function)
    if name in OVERLOADS:
        forms = [(re.sub(rf"\b({TYPES})\b", r"builtins.\1", more), result) for more, result in OVERLOADS[name]]
        start = first or "input: Any"
        return "\n".join(
            f"@overload\ndef {name}({', '.join(filter(None, (start, more)))}) -> {result}: ..." for more, result in forms
        )
    words: list[str] = []
    for i, p in enumerate(signature.parameters.values()):
        if p.kind is p.KEYWORD_ONLY and not any(word.startswith("*") for word in words):
            words.append("*")
        star = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        default = "" if p.default is p.empty else " = ..."
        words.append(first if first and not i else f"{star}{p.name}: {annotation(p.annotation)}{default}")
    return f"def {name}({', '.join(words)}) -> {returned(name, signature.return_annotation)}: ..."


def methods() -> str:
    """The text of api/methods.pyi: what Tensor inherits, for type checkers alone."""
    plain = {name: method for name, method in (convert.METHODS | leaf.METHODS).items() if inspect.isfunction(method)}
    lines = ["__slots__ = ()", "def __init__(self, *data: Any, **options: Any) -> None: ..."]
    for name, place in leaf.PROPERTIES.items():
        result = annotation(inspect.signature(place.fget).return_annotation)
        lines.append(f"@property\ndef {name}(self) -> {result}: ...")
        lines += [f"@{name}.setter\ndef {name}(self, value: {result}) -> None: ..."] * bool(place.fset)
    lines += [declaration(name, function, "self") for name, function in (names.FUNCTIONS | names.ONLY_METHODS | plain).items()]
    lines += ["def __hash__(self) -> builtins.int: ...", "def __reversed__(self) -> Tensor: ..."]
    lines += ["def _take(self, *args: Any, **kwargs: Any) -> Tensor: ..."]
    lines += [f"def {name}_(self, *args: Any, **kwargs: Any) -> Tensor: ..." for name in (*names.IN_PLACE, *names.RESHAPING)]
    lines += [f"def __{form}{name}__(self, other: Any) -> Tensor: ..." for name in names.BINARY for form in ("", "r", "i")]
    lines += [f"def __{name}__(self) -> Tensor: ..." for name in names.UNARY]
    for name in names.COMPARE:
        lines.append(f"def __{name}__(self, other: Any) -> Tensor: ..." + "  # type: ignore[override]" * (name in ("eq", "ne")))
    lines += ["def __getitem__(self, index: Any) -> Tensor: ...", "def __setitem__(self, index: Any, value: Any) -> None: ..."]
    lines += [f"@property\ndef {name}(self) -> {returned(name)}: ..." for name in names.PROPERTIES]
    head = HEAD.format("What Tensor has by the table of names")
    imports = [
        "from ..engine.graph import Node",
        "from ..engine.tensor import Tensor",
        *(f"from .{file} import {result}" for result, file in RESULTS.items()),
    ]
    imports.append("from .random import Generator")
    return "\n".join([head, *imports, "", "class Methods:", indent("\n".join(lines), "    ")]) + "\n"


def index() -> str:
    """The text of autograd/__init__.pyi."""
    table, source = names.FUNCTIONS | names.ONLY_FUNCTIONS, (PACKAGE / "__init__.py").read_text(encoding="utf-8")
    homes = {
        name: module
        for module, listed in re.findall(r"^from (\S+) import (\([^)]*\)|.*)$", source, re.MULTILINE)
        for name in re.findall(r"\w+", listed)
    }
    imports, lines = [f"from .api.{file} import {result}" for result, file in RESULTS.items()], ["__version__: str"]
    for name in sorted(n for n in dir(autograd) if n[0] != "_" and n != "annotations"):
        thing = getattr(autograd, name)
        if name in creation.TYPED:
            lines.append(f"{name}: Any")
        elif name in table or (name not in homes and inspect.isfunction(thing)):
            lines.append(declaration(name, thing))
        elif name in homes and not (isinstance(thing, ModuleType) and homes[name] != "."):
            imports.append(f"from {homes[name]} import {name} as {name}")
    head = HEAD.format("The names of autograd")
    return "\n".join([head, *imports, "", *lines]) + "\n"


def special() -> str:
    """The text of autograd/special.pyi."""
    lines = [declaration(name, getattr(autograd.special, name)) for name in autograd.special.__all__]
    return "\n".join([HEAD.format("Special functions"), "from .engine.tensor import Tensor", "", *lines]) + "\n"


FILES = {PACKAGE / "__init__.pyi": index, PACKAGE / "special.pyi": special, PACKAGE / "api" / "methods.pyi": methods}

if __name__ == "__main__":
    for file, write in FILES.items():
        file.write_text(write(), encoding="utf-8")
