"""The files of the packages, and what each imports of the others."""

import ast
from pathlib import Path

import autograd
import nn

PACKAGES = {package.__name__: Path(package.__file__).parent for package in (autograd, nn)}
SOURCES = [file for folder in PACKAGES.values() for file in sorted(folder.rglob("*.py"))]


def place(file):
    """Where a file lives, as LAYERS in test_project.py writes it: (package, path in it without .py)."""
    package = next(name for name, folder in PACKAGES.items() if file.is_relative_to(folder))
    return package, file.relative_to(PACKAGES[package]).with_suffix("").as_posix()


def imports(file):
    """The files of ours that a file imports, wherever in it, as places; not for the type checker alone."""
    package, path = place(file)
    here = [package, *path.split("/")]
    todo: list[ast.AST] = [ast.parse(file.read_text(encoding="utf-8"))]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            todo += node.orelse
            continue
        todo += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            found = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = [*(here[: -node.level] if node.level else []), *(node.module.split(".") if node.module else [])]
            found = [[*module, alias.name] for alias in node.names]
        else:
            continue
        for top, *rest in found:
            if top in PACKAGES:
                while rest and not PACKAGES[top].joinpath(*rest).with_suffix(".py").exists():
                    if PACKAGES[top].joinpath(*rest).is_dir():
                        rest.append("__init__")
                    else:
                        rest.pop()  # a name in a module
                yield top, "/".join(rest) or "__init__"
