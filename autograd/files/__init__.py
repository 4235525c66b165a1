"""Saving and loading nested state: nothing lost, nothing executed."""

from __future__ import annotations

import os
import re
import struct
import zlib
from contextlib import ExitStack, nullcontext
from typing import Any

from ..engine.dtypes import as_dtype, float32, float64
from ..errors import ArgumentError, FileError, shown
from . import npz, pytorch, safetensors
from .archive import Archive
from .parts import Source, replacing, status, whole
from .state import take_apart

__all__ = ["load", "save"]

FORMATS = {".npz": npz, ".safetensors": safetensors}  # all other files are PyTorch's
OTHERS = {
    bytes.fromhex("8002 8a0a 6cfc 9c46 f920 6aa8 5019"): "by PyTorch before 1.6; load it there, and save it again",
    b"\x93NUMPY": "by numpy.save; use numpy.load, or numpy.savez",
    b"\x89HDF": "as HDF5; convert it to .safetensors",
    b"GGUF": "as GGUF; convert it to .safetensors",
    b"\x80": "by pickle, which would have to be executed; save a state_dict as .npz or .safetensors instead",
}
# What reading runs into where a file is damaged: in our code, in json and zlib, and in NumPy.
DAMAGE = (
    ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RecursionError, EOFError, NotImplementedError,
    struct.error, zlib.error,
)  # fmt: skip


def save(obj: Any, f: Any) -> None:
    """Save nested state: tensors, arrays, numbers, strings, bytes and None, in lists, tuples, sets and dicts (torch.save).

    The name of the file says how: .npz and .safetensors, which other programs read as well, or else, as in PyTorch, the
    format of .pt files, which torch.load reads too. A file that is there is replaced in one step, at the end: whatever
    happens, the old file or the new one is whole, and no others may read it than before. A link stays one; a device or a
    pipe is written to, not replaced. `f` may also be a binary file open for writing; it gets .pt.
    Tensors that share all of their memory are saved once, and share it again when loaded; those that require grad do so
    again, as leaves. Raises UnsupportedError, which says where, for what cannot be saved: of a module or an optimizer,
    save the state_dict().

    >>> import autograd, nn, tempfile
    >>> net, folder = nn.Linear(2, 1), tempfile.TemporaryDirectory()
    >>> autograd.save({"model": net.state_dict(), "epoch": 3}, f"{folder.name}/checkpoint.npz")
    >>> checkpoint = autograd.load(f"{folder.name}/checkpoint.npz")
    >>> checkpoint["epoch"], checkpoint["model"]["weight"].shape, folder.cleanup()
    (3, (1, 2), None)
    """
    description, arrays = take_apart(obj)
    if hasattr(f, "write"):
        seekable = hasattr(f, "seekable") and f.seekable()
        with nullcontext(f) if seekable else whole(f) as file:
            pytorch.write(file, description, arrays)
        return
    with replacing(f) as file:
        form = FORMATS.get(os.path.splitext(os.fsdecode(f))[1].lower(), pytorch)
        form.write(file, description, arrays)


def load(f: Any, map_location: Any = None, *, weights_only: bool = True, mmap: bool = False, map_dtype: Any = None) -> Any:
    """Load what `save`, or PyTorch, or another program saved as .npz, .safetensors or .pt (torch.load).

    What the file holds says which of them it is. Nothing in it is executed, whatever `weights_only` says, and nothing
    outside it is read or written; and it makes no more than a hundred times its size, and 64 MB. Arrays of dtypes that
    tensors do not have stay arrays. Of those that NumPy lacks too, bfloat16, float8_e4m3fn and float8_e5m2 become
    `map_dtype`, float32 or float64, which hold them exactly; without it they are refused. With `mmap` uncompressed arrays
    are not read, but mapped: their values come from the file when they are looked at, and writing to them does not change
    it. Raises FileError, which says what is wrong, for a file that is damaged, or hostile, or of another kind. `f` may
    also be a binary file. `map_location` is for PyTorch's programs, and without effect.
    """
    if map_dtype is not None and as_dtype(map_dtype) not in (float32, float64):
        raise ArgumentError(
            f"load: map_dtype must be float32 or float64, which hold all that is mapped, not {as_dtype(map_dtype)}"
        )
    with ExitStack() as opened:
        if not hasattr(f, "read"):
            status("load", f)
        file = f if hasattr(f, "read") else opened.enter_context(open(f, "rb"))
        name = shown(str(getattr(file, "name", "the file")), 300)
        if hasattr(file, "seekable") and not file.seekable():
            raise ArgumentError(
                f"load: {name} can only be read from front to back; read all of it, and load an io.BytesIO of that"
            )
        source = Source(file, name, mmap, map_dtype and as_dtype(map_dtype))
        try:
            return _read(source)
        except FileError:
            raise
        except DAMAGE as error:
            said = " ".join(f"{type(error).__name__}: {error}".split())
            raise source.error(said if len(said) < 200 else said[:200] + "...") from error


def _read(source: Source) -> Any:
    begin = source.part(0, min(16, source.size)).tobytes()
    if begin[:2] == b"PK":
        archive = Archive(source)
        folders = [name[:-8] for name in archive.entries if re.fullmatch(r"([^/]+/)?data\.pkl", name)]
        if len(folders) > 1:
            raise source.error(f"it holds {len(folders)} states", "unpack it with another program, and save one")
        return pytorch.read(archive, folders[0]) if folders else npz.read(archive)
    if begin[8:9] == b"{":
        return safetensors.read(source)
    for magic, how in OTHERS.items():
        if begin.startswith(magic):
            raise FileError(f"{source.name} cannot be read: it was saved {how}")
    raise source.error("it is no .npz, .safetensors or .pt file")
