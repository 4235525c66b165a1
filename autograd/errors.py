"""Every exception that chainrule raises on purpose, each also of the type PyTorch or NumPy would raise.

    AutogradError
    ├── GraphError        (RuntimeError)              the graph cannot do what was asked
    │   ├── FreedGraphError                           an earlier backward freed what is needed now
    │   ├── InPlaceError                              an in-place write would make, or made, a gradient wrong
    │   └── NoGradientError                           nothing here requires grad, or no rule says how
    ├── BatchError        (RuntimeError)              what vmap cannot do for all samples at once, where it must not loop
    ├── AnomalyError      (RuntimeError, FloatingPointError)  a NaN or Inf, where detect_anomaly looks for them
    ├── DivisionError     (RuntimeError, ZeroDivisionError)  an integer divided by 0
    ├── CompileError      (RuntimeError)              a step that cannot become a fixed program, where it must
    ├── GradcheckError    (RuntimeError)              a gradient is not what finite differences say
    ├── RenderError       (RuntimeError)              a picture cannot be made
    ├── StateError        (RuntimeError, ValueError)  a state_dict that does not fit
    ├── FileError         (RuntimeError, ValueError)  a file that is damaged, or asks for what reading must not do
    ├── ShapeError        (RuntimeError, ValueError)  shapes that do not fit together
    ├── DtypeError        (RuntimeError, TypeError)   dtypes that do not fit together
    ├── DimError          (IndexError)                a dimension or index that does not exist
    ├── ArgumentError     (ValueError)                a value that makes no sense here
    ├── MissingError      (ImportError)               a package that is needed now and is not installed
    ├── NoFormulaError    (NotImplementedError)       a distribution or a transform for which there is no such formula
    ├── NoAttributeError  (AttributeError)            a module has nothing of that name
    ├── DistributedError  (RuntimeError)              processes that do not do the same, or no longer answer
    ├── WorkerError       (RuntimeError)              a process that loads data died, or took too long
    └── UnsupportedError  (TypeError)                 something a Tensor does not do, by name

and one warning of its own, DetachedWarning (UserWarning): a recorded value became a plain one.

A message is one sentence: which op and argument, what was found, what to do.
"""

from __future__ import annotations

import inspect
from typing import Any


class AutogradError(Exception):
    """The root: catch this to catch everything below."""


class GraphError(AutogradError, RuntimeError):
    """The graph cannot do what was asked of it."""


class FreedGraphError(GraphError):
    """A backward needs values that an earlier one freed."""


class InPlaceError(GraphError):
    """An in-place write that would make a gradient wrong, or has."""


class NoGradientError(GraphError):
    """A gradient was asked of something that has none."""


class BatchError(AutogradError, RuntimeError):
    """What vmap cannot do for all samples at once; it then loops, or raises this, as it was told."""

    def again(self, op: Any, values: list[Any]) -> Any:
        """What `op`, in which this was raised, makes of its arguments in another way, if there is one."""
        raise self


class AnomalyError(AutogradError, RuntimeError, FloatingPointError):
    """A NaN or Inf, where detect_anomaly looks for them."""


class DivisionError(AutogradError, RuntimeError, ZeroDivisionError):
    """An integer was divided by 0, of which no integer is the result."""


class CompileError(AutogradError, RuntimeError):
    """A step cannot become a fixed program: the message says why, and at which line."""


class GradcheckError(AutogradError, RuntimeError):
    """A gradient is not what finite differences say it should be."""


class RenderError(AutogradError, RuntimeError):
    """A picture cannot be made."""


class StateError(AutogradError, RuntimeError, ValueError):
    """A state_dict that does not fit the module or optimizer that is to load it."""


class FileError(AutogradError, RuntimeError, ValueError):
    """A file that is damaged, hostile, or of a kind that is not read here."""


class ShapeError(AutogradError, RuntimeError, ValueError):
    """Shapes that do not fit together."""


class DtypeError(AutogradError, RuntimeError, TypeError):
    """Dtypes that do not fit together."""


class DimError(AutogradError, IndexError):
    """A dimension or an index that does not exist."""


class ArgumentError(AutogradError, ValueError):
    """A value that makes no sense for the argument it was given to."""


class NoFormulaError(AutogradError, NotImplementedError):
    """A distribution, or a transform, for which there is no such formula."""


class NoAttributeError(AutogradError, AttributeError):
    """A module has nothing of that name."""


class MissingError(AutogradError, ImportError):
    """A package that is needed now and is not installed."""


class DistributedError(AutogradError, RuntimeError):
    """Processes of a group do not do the same, or no longer answer."""


class WorkerError(AutogradError, RuntimeError):
    """A process that loads data for a DataLoader died, or took too long."""


class UnsupportedError(AutogradError, TypeError):
    """Something that a Tensor does not do."""


class DetachedWarning(UserWarning):
    """A value that gradients flow to became a plain one, through which none do."""


def describe(value: Any) -> str:
    """Say what an argument is, in a few words: arrays by dtype and shape, all else by its repr.

    >>> import numpy as np
    >>> describe(np.zeros((2, 3))), describe(None)
    ('float64 (2, 3)', 'None')
    """
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return f"{value.dtype} {value.shape}"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def shown(name: str, most: int = 60) -> str:
    """A name as it can be printed: of a long one the beginning; what nobody would see, or what moves the cursor, escaped.

    >>> shown("weight"), shown("a\\x1b[2Jb"), shown("x" * 70_000, 10)
    ('weight', 'a\\\\x1b[2Jb', 'xxxxxxx...')
    """
    name = name if len(name) <= most else name[: most - 3] + "..."
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def explain(op: str, names: list[str], args: list[Any], error: Exception) -> AutogradError:
    """The error to raise where NumPy or Python raised one inside `op`: it names the op, its arguments and their shapes.

    Only if these can be the reason: otherwise, and if it is an error of ours already, it is raised as it is.
    """
    if isinstance(error, AutogradError) or not _at_fault(args, error):
        raise error
    named = [(n.lstrip("*"), a) for n, a in zip([*names, *names[-1:] * len(args)], args, strict=False)]
    found = ", ".join(f"{n} {describe(a)}" for n, a in named[:12]) + f" and {len(named) - 12} more" * (len(named) > 12)
    kind: type[AutogradError]
    if isinstance(error, AttributeError):
        name, odd = next((n, v) for n, a in named for v in _all_in([a]) if _taken_for_a_tensor(v, error))
        return DtypeError(f"{op}: {name} must be a tensor, not {describe(odd)}")
    if isinstance(error, IndexError):
        kind = DimError
    elif isinstance(error, OverflowError):
        return DtypeError(f"{op} does not work on {found}: {error}; use a wider dtype")
    elif isinstance(error, TypeError):
        kind = DtypeError
    else:
        kind = ShapeError if any(w in str(error) for w in ("shape", "dimension", "broadcast", "size")) else ArgumentError
    return kind(f"{op} does not work on {found}: {error}")


def misuse(function: Any, op: Any, args: Any, options: Any, error: Exception) -> Exception:
    """The error to raise where `function`, of NumPy, was called on Tensors, for which it does `op`, or nothing (None).

    As `explain`: what is raised inside of `op` is raised as it is, if that can be called like this.
    """
    if op is None:
        what, advice = f"np.{name_in_numpy(function)} does not work on Tensors", "compose it of functions that do"
        if name_in_numpy(function).startswith("fft."):
            advice = "autograd.fft has it, for pairs of a real and an imaginary part"
        return UnsupportedError(f"{what}; {advice}, or use detach().numpy()")
    try:
        inspect.signature(op).bind(*args, **options)
    except TypeError:
        if not isinstance(error, AutogradError):
            return UnsupportedError(f"np.{name_in_numpy(function)} does not work like this on Tensors: {error}")
    raise error


def name_in_numpy(function: Any) -> str:
    """What comes after `np.`: `exp`, `linalg.inv`, `add.reduce`."""
    ufunc = getattr(function, "__self__", None)  # of which it is a method
    home = getattr(ufunc, "__name__", "") if hasattr(ufunc, "nin") else getattr(function, "__module__", "numpy")
    return f"{home}.{function.__name__}".removeprefix("numpy.")


def _at_fault(args: list[Any], error: Exception) -> bool:
    """Can it be that the caller of an op, who gave it these, is to blame for what was raised inside?"""
    given = _all_in(args)
    if isinstance(error, AttributeError):
        return any(_taken_for_a_tensor(a, error) for a in given)
    if isinstance(error, KeyError):  # or looked up
        return any(a is error.args[0] for a in given)
    if not isinstance(error, TypeError) or "ufunc" in str(error):  # NumPy names that whose dtypes it refuses
        return True
    leaves = [a for a in given if not isinstance(a, (tuple, list))]
    return any(not hasattr(a, "dtype") or a.dtype.kind != "f" for a in leaves)  # arrays of floats are never a wrong kind


def _taken_for_a_tensor(value: Any, error: AttributeError) -> bool:
    """Is it this argument that lacks the attribute? A number that does may have been made of it."""
    return not hasattr(value, "dtype") and (value is error.obj or isinstance(error.obj, (int, float)))


def _all_in(values: Any) -> list[Any]:
    """These, and all that is in those of them that are lists or tuples."""
    return [v for value in values for v in ([value, *_all_in(value)] if isinstance(value, (tuple, list)) else [value])]
