"""NumPy's .npz files: a zip of arrays, each with a header, and the description of the state as one more."""

from __future__ import annotations

import re
from math import prod
from typing import Any, BinaryIO
from zipfile import ZipFile

import numpy as np

from .archive import Archive, add
from .parts import Arrays, typed
from .state import as_text, put_together

DESCRIPTION = "__state__"  # of bytes that are JSON
HEADER = re.compile(
    r"""\{\s*'descr':\s*'([<>|=][biuf]\d+)',\s*'fortran_order':\s*(True|False),\s*'shape':\s*\(([\d,\s]*)\),?\s*\}\s*"""
)


def write(file: BinaryIO, description: Any, arrays: Arrays) -> None:
    """Write a state that was taken apart. An array in Fortran's order stays so."""
    text = as_text(description, arrays)
    extra = {} if text is None else {DESCRIPTION: np.frombuffer(text.encode(), np.uint8)}
    with ZipFile(file, "w") as zip:
        for name, array in (arrays | extra).items():
            fortran = array.flags.f_contiguous and not array.flags.c_contiguous
            shape, kind = array.shape, array.dtype.newbyteorder("<").str
            header = f"{{'descr': '{kind}', 'fortran_order': {fortran}, 'shape': {shape}, }}".encode()
            header += b" " * (-(len(header) + 11) % 64) + b"\n"
            magic = b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little")
            content = np.ascontiguousarray((array.T if fortran else array).reshape(-1), kind)
            add(zip, file, name + ".npy", magic, header, content.view(np.uint8))


def read(archive: Archive) -> Any:
    """The state in the file; of one that another program wrote, the arrays by name."""
    arrays = {name.removesuffix(".npy"): _array(archive, name) for name in archive.entries}
    text = arrays.pop(DESCRIPTION, None)
    return put_together(archive.source, None if text is None else text.tobytes(), arrays)


def _array(archive: Archive, name: str) -> Any:
    source, raw, what = archive.source, archive.read(name), f"entry {name[:60]!r}"
    magic = raw[:12].tobytes()
    if not name.endswith(".npy") or magic[:6] != b"\x93NUMPY" or magic[6] not in (1, 2, 3):
        raise source.error(f"{what} is not an array of NumPy's")
    start = 10 if magic[6] == 1 else 12
    start, size = start + int.from_bytes(magic[8:start], "little"), start
    found = HEADER.fullmatch(raw[size : min(start, 10_000)].tobytes().decode("latin1"))
    if found is None:
        raise source.error(f"{what} is not an array of numbers", "only numbers are read here: nothing of a file is executed")
    dtype, shape = np.dtype(found[1]), tuple(map(int, filter(None, map(str.strip, found[3].split(",")))))
    if len(shape) > 64 or prod(shape) * dtype.itemsize != raw.size - start:
        raise source.error(f"{what} is said to be {dtype} {shape}, which does not take {raw.size - start} bytes"[:300])
    return typed(source, raw[start:], found[1], what).reshape(shape, order="F" if found[2] == "True" else "C")
