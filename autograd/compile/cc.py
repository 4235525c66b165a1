"""A C compiler, wherever there is one, a cache on disk of what it made, and the BLAS that NumPy brings."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import errno
import functools
import glob
import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from ..engine.warn import warn
from ..errors import CompileError

# All that is right for NaN and infinity, and nothing of -ffast-math; integers wrap around, as NumPy's do.
SAFE = "-fno-math-errno -fno-trapping-math -fopenmp-simd -fwrapv -std=gnu11 -fPIC -w".split()


@functools.cache
def compiler() -> tuple[str, ...] | None:
    """The compiler as a command: $CC, one of the system's, or the one that `pip install ziglang` brings; or None."""
    if command := os.environ.get("CC"):
        return tuple(command.split())
    for name in ("cc", "gcc", "clang"):
        if path := shutil.which(name):
            return (path,)
    return (sys.executable, "-m", "ziglang", "cc") if importlib.util.find_spec("ziglang") else None


def options() -> list[str]:
    """What it is told. CHAINRULE_CFLAGS in the environment takes the place of -O3 and the machine's own instructions."""
    native = "-march=native" if platform.machine() in ("x86_64", "AMD64") else "-mcpu=native"
    return [*os.environ.get("CHAINRULE_CFLAGS", f"-O3 {native}").split(), *SAFE]


def environment() -> tuple[str, ...]:
    """What compiled code may not be shared with another for: the compiler, what it is told, and the machine."""
    if (command := compiler()) is None:
        raise CompileError("there is no C compiler: install one, or `pip install ziglang`")
    return *command, *options(), machine(command), blas()[1]


@functools.cache
def machine(command: tuple[str, ...]) -> str:
    """The system, the processor's features, and which compiler it is, by its file: to ask it takes longer than all else."""
    cpu = ""
    with contextlib.suppress(OSError), open("/proc/cpuinfo") as f:
        cpu = next((line for line in f if line.startswith(("flags", "Features"))), "")
    module = importlib.util.find_spec(command[2]) if command[1:2] == ("-m",) else None
    files = [*map(shutil.which, command), module.origin if module else None]
    stamps = [(s.st_size, s.st_mtime_ns) for f in files if f for s in [os.stat(f)]]
    system = platform.system(), platform.release(), platform.version(), platform.machine(), platform.libc_ver()
    return f"{system} {cpu or platform.processor()} {stamps}"


# ---------------------------------------------------------------- the cache
@functools.cache
def folder() -> Path:
    """Where compiled steps are kept: $CHAINRULE_CACHE, or chainrule in the user's cache; if that cannot be written, for now."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    path = Path(os.environ.get("CHAINRULE_CACHE") or os.path.join(home, "chainrule"))
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path) as f:
            f.write(b"x" * 4096)
        return path
    except OSError as error:
        return instead(path, str(error.strerror))


@functools.cache
def instead(path: Path, why: str) -> Path:
    """Another folder, until this process ends, which is said once."""
    warn(f"compile: {path} cannot be used ({why}), so what is compiled is kept until this process ends")
    path = Path(tempfile.mkdtemp(prefix="chainrule"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def clear_cache() -> None:
    """Delete the compiled steps that are kept on disk."""
    for path in folder().glob("step_*"):
        path.unlink(missing_ok=True)


def load(source: str) -> Any:
    """`source` compiled, or found in the cache, and loaded."""
    around = environment()
    (single, double), integer = blas()
    source = f'#define EXPORT __attribute__((visibility("default")))\n#define INT {integer}\n{source}'
    key = hashlib.sha256("\0".join([source, *around]).encode()).hexdigest()[:24]
    name = f"step_{key}.so"
    try:
        library = _loaded(source, folder() / name)
    except OSError as error:  # the disk is full by now, or nothing may be run from there
        library = _loaded(source, instead(folder(), error.strerror or "nothing runs from there") / name)
    library.set_blas(*(ctypes.cast(f, ctypes.c_void_p) for f in (single, double)))
    return library


def _loaded(source: str, path: Path) -> Any:
    if path.exists():
        try:
            return ctypes.CDLL(str(path))
        except OSError:  # only a part of it was written, as when power failed
            path.unlink()
    _compile(source, path)
    return ctypes.CDLL(str(path))


def _compile(source: str, path: Path) -> None:
    """Aside, and renamed when all is there: another process may be doing the same."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix="making") as made:
        text, out = Path(made, "step.c"), Path(made, "step.so")
        text.write_text(source, encoding="utf-8")
        job = [*(compiler() or ()), *options(), "-shared", str(text), "-o", str(out), "-lm"]
        done = subprocess.run(job, capture_output=True, text=True, check=False)
        if done.returncode and shutil.disk_usage(made).free < 2**20:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if done.returncode:
            raise CompileError(f"the C compiler failed: {' '.join(job)}\n{done.stderr[:2000]}")
        _rename(text, path.with_suffix(".c"))
        _rename(out, path)


def _rename(made: Path, path: Path) -> None:
    try:
        os.replace(made, path)
    except OSError:  # Windows lets nobody replace what another process uses: it is the same
        if not path.exists():
            raise


def keep(name: str, data: bytes) -> None:
    """Keep data in the cache under a name that nothing else has, if there is room."""
    with contextlib.suppress(OSError), tempfile.TemporaryDirectory(dir=folder(), prefix="making") as made:
        Path(made, name).write_bytes(hashlib.sha256(data).digest() + data)
        _rename(Path(made, name), folder() / name)


def kept(name: str) -> bytes | None:
    """What was kept under that name, if it is there, and whole."""
    with contextlib.suppress(OSError):
        digest, data = (found := (folder() / name).read_bytes())[:32], found[32:]
        return data if hashlib.sha256(data).digest() == digest else None
    return None


def give_back() -> None:
    """Let the system have memory that was freed, where the C library keeps much of it for later."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


# ---------------------------------------------------------------- BLAS
@functools.cache
def blas() -> tuple[list[Any], str]:
    """cblas_sgemm and cblas_dgemm of the library that NumPy has loaded, or of the system, and the type of its integers."""
    library, pattern, integer = _blas()
    return [getattr(library, pattern.format(f)) for f in ("sgemm", "dgemm")], integer


@functools.cache
def blas_threads() -> tuple[Any, Any] | None:
    """How many threads it uses, and how to change that, as two functions; None if it has none for that."""
    library = _blas()[0]
    for name in ("scipy_openblas_{}_num_threads64_", "openblas_{}_num_threads64_", "openblas_{}_num_threads"):
        with contextlib.suppress(AttributeError):
            get, change = (getattr(library, name.format(verb)) for verb in ("get", "set"))
            get.argtypes, get.restype, change.argtypes, change.restype = [], ctypes.c_int, [ctypes.c_int], None
            return get, change
    return None


@functools.cache
def _blas() -> tuple[Any, str, str]:
    """The library, and how its functions and its integers are called."""
    base = os.path.dirname(np.__file__)
    places = [os.path.join(base, "..", "numpy.libs", "*openblas*"), os.path.join(base, ".dylibs", "*openblas*")]
    paths = [p for place in places for p in glob.glob(place)]
    if sys.platform == "darwin":
        paths.append("/System/Library/Frameworks/Accelerate.framework/Accelerate")
    for path in [*paths, "libcblas.so.3", "libopenblas.so.0", "libblas.so.3"]:
        for pattern, integer in (("scipy_cblas_{}64_", "int64_t"), ("cblas_{}64_", "int64_t"), ("cblas_{}", "int")):
            with contextlib.suppress(OSError, AttributeError):
                library = ctypes.CDLL(path)
                getattr(library, pattern.format("sgemm"))
                return library, pattern, integer
    raise CompileError("no BLAS with the C interface was found beside NumPy")
