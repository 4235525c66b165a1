"""Writes the pages of the API reference into docs/reference/, one for each topic of topics.toml: Sphinx calls it, see conf.py."""

import ast
import inspect
import sys
import tomllib
from fnmatch import fnmatchcase
from functools import cache, reduce
from pathlib import Path
from types import ModuleType
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import autograd
import nn  # noqa: F401 (it is looked into by name)

__all__ = ["autograd", "entries", "find", "public", "sources", "table", "write"]

DOCS = Path(__file__).resolve().parent
TOPICS = tomllib.loads((DOCS / "topics.toml").read_text(encoding="utf-8"))
INDEX = """# API reference

{count} entries by topic. The names are PyTorch's where PyTorch has them.

{list}

```{{toctree}}
:hidden:

{pages}
```
"""


def public() -> list[str]:
    """All public names, as the tests list them."""
    lines = (DOCS.parent / "tests" / "public_names.txt").read_text(encoding="utf-8").splitlines()
    return [line.partition("(")[0] for line in lines]


def find(name: str) -> Any:
    """What a public name stands for."""
    top, *path = name.split(".")
    return reduce(getattr, path, sys.modules[top])


def entries(names: list[str]) -> dict[str, dict[str, list[str]]]:
    """For each topic its entries, each with the other names of the same: of the function, or of a method that calls it.

    Raises ValueError for what a topic lists and is not public, or two of them list, and for what is on none.
    """
    listed = [(w if w.startswith("nn.") else f"autograd.{w}", topic) for topic, t in TOPICS.items() for w in t["names"].split()]
    out: dict[str, dict[str, list[str]]] = {topic: {} for topic in TOPICS}
    others: dict[Any, list[str]] = {}  # of an entry, by its names, and by what it stands for
    rest = [name for name in names if not isinstance(find(name), ModuleType)]

    def place(name: str, topic: str) -> None:
        if name not in rest:
            raise ValueError(f"topics.toml, {topic}: {name} is no public name, or has its place already")
        rest.remove(name)
        out[topic][name] = others[name] = others[id(find(name))] = []

    def join() -> None:
        for name in list(rest):
            method = name.rpartition(".")[2] if name.startswith("autograd.Tensor.") else ""  # `x.exp_()` is told with `exp`
            keys = [id(find(name)), *(f"autograd.{m}" for m in (method, method.rstrip("_")) if method)]
            if (known := next((others[key] for key in keys if key in others), None)) is not None:
                rest.remove(name)
                known.append(name)
                others[name] = known

    for word, topic in listed:
        if "*" not in word:
            place(word, topic)
    join()
    for word, topic in sorted(listed, key=lambda pair: -len(pair[0])):  # `nn.*Loss` says more than `nn.*`
        for name in [n for n in rest if fnmatchcase(n, word) and n.count(".") == word.count(".")]:
            place(name, topic)
    join()
    if rest:
        raise ValueError(f"on no topic: {', '.join(rest)}; name them in docs/topics.toml")
    return out


# ---------------------------------------------------------------- where the source of an entry stands
@cache
def table() -> dict[int, tuple[str, int, int]]:
    """For each primitive the module, first and last line of its entry in the table, which is an assignment."""
    places = {}
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in ("autograd", "nn") and getattr(module, "__file__", None):
            for node in ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8")).body:
                if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                    thing = getattr(module, node.targets[0].id, None)
                    if hasattr(thing, "rules") and isinstance(node.value, ast.Call):
                        places[id(thing)] = name, node.lineno, node.end_lineno or node.lineno
    return places


def stands(name: str) -> tuple[str, int, int] | None:
    """The module, first and last line of an entry; None for what has no source."""
    thing = find(name)
    if place := table().get(id(thing)):
        return place
    try:
        thing = inspect.unwrap(thing.fget if isinstance(thing, property) else thing)
        lines, first = inspect.getsourcelines(thing)
    except (TypeError, OSError):
        return None
    return thing.__module__, first, first + len(lines) - 1


@cache
def sources() -> dict[str, tuple[str, int, int]]:
    """Where each entry stands."""
    return {name: place for found in entries(public()).values() for name in found if (place := stands(name))}


# ---------------------------------------------------------------- pages
def directive(name: str, also: list[str]) -> str:
    """The lines by which autodoc writes an entry."""
    thing = find(name)
    kind = "class" if inspect.isclass(thing) else "function" if callable(thing) else "data"
    if name.startswith("autograd.Tensor."):
        kind = "method" if callable(thing) else "attribute"
    lines = [f".. auto{kind}:: {name}", *(["   :no-value:"] if kind in ("data", "attribute") else [])]
    if name in ("autograd.Tensor", "autograd.dtype"):
        lines.append("   :no-members:")  # they are entries of their own, or NumPy's
    if also:
        names = ", ".join(f"``{n.removeprefix('autograd.')}``" for n in also)
        lines += ["", f"   Also: {names}."]
    return "\n".join(lines) + "\n"


def write(folder: Path = DOCS / "reference") -> None:
    """Write the pages, and the page that lists them."""
    folder.mkdir(exist_ok=True)
    topics = entries(public())
    rows = [f"- [{TOPICS[topic]['title']}]({topic}.rst): {TOPICS[topic]['about']}" for topic in topics]
    count = sum(map(len, topics.values()))
    pages = {"index.md": INDEX.format(count=count, list="\n".join(rows), pages="\n".join(topics))}
    for topic, found in topics.items():
        title, about = TOPICS[topic]["title"], TOPICS[topic]["about"]
        lines = [title, "=" * len(title), "", about, "", ".. autosummary::", "   :nosignatures:", ""]
        lines += [*(f"   ~{name}" for name in found), "", *(directive(name, also) for name, also in found.items())]
        pages[f"{topic}.rst"] = "\n".join(lines)
    for old in set(folder.iterdir()) - {folder / name for name in pages}:
        old.unlink()
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:  # or Sphinx would read all of them again
            path.write_text(text, encoding="utf-8")
