"""Files in the format of safetensors: the length of a header, the header in JSON, and the bytes of all tensors.

https://huggingface.co/docs/safetensors
"""

from __future__ import annotations

import json
from math import prod
from typing import Any, BinaryIO

import numpy as np

from .parts import WIDENED, Arrays, Source, typed, width
from .state import as_text, parsed, put_together

KINDS = dict(
    BOOL="bool", I8="int8", I16="int16", I32="int32", I64="int64", U8="uint8", U16="uint16", U32="uint32", U64="uint64",
    F16="float16", F32="float32", F64="float64", BF16="bfloat16", F8_E4M3="float8_e4m3fn", F8_E5M2="float8_e5m2",
)  # fmt: skip
NAMES = {np.dtype(kind): name for name, kind in KINDS.items() if kind not in WIDENED}
DESCRIPTION = "chainrule"  # a key of the metadata, which holds the description of the state
LONGEST = 100_000_000  # bytes of a header, as in the reference implementation


def write(file: BinaryIO, description: Any, arrays: Arrays) -> None:
    """Write a state that was taken apart, the largest numbers first in the file: then all are aligned."""
    text, header, end = as_text(description, arrays), dict[str, Any](), 0
    largest_first = sorted(arrays, key=lambda name: -arrays[name].itemsize)
    for name in largest_first:
        array = arrays[name]
        start, end = end, end + array.nbytes
        header[name] = {"dtype": NAMES[array.dtype.newbyteorder("=")], "shape": array.shape, "data_offsets": (start, end)}
    header = {name: header[name] for name in arrays}  # but named in their own order
    if text is not None:
        header = {"__metadata__": {DESCRIPTION: text}} | header
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    file.write(len(head).to_bytes(8, "little") + head)
    for name in largest_first:
        array = arrays[name]
        file.write(np.ascontiguousarray(array.reshape(-1), array.dtype.newbyteorder("<")).view(np.uint8).data)


def read(source: Source) -> Any:
    """The state in the file; of one that another program wrote, the tensors by name."""
    size = int.from_bytes(source.part(0, 8).tobytes(), "little")
    if not 2 <= size <= min(LONGEST, source.size - 8):
        raise source.error(f"its header is said to be {size} bytes long, in a file of {source.size}")

    def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(found := dict(pairs)) != len(pairs):
            raise source.error("its header has a name twice")
        return found

    header = parsed(source, source.part(8, size).tobytes(), object_pairs_hook=distinct)
    metadata, base, end = header.pop("__metadata__", {}), 8 + size, 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        what, kind, shape, (start, stop) = f"tensor {name[:60]!r}", entry["dtype"], entry["shape"], entry["data_offsets"]
        if kind not in KINDS:
            raise source.error(
                f"{what} is {str(kind)[:20]}, which NumPy does not have", "convert it, to F32 say, where it came from"
            )
        if len(shape) > 64 or not all(type(n) is int and 0 <= n < 2**63 for n in (*shape, start, stop)):
            raise source.error(f"{what} has the shape {str(shape)[:60]}")
        if start != end or stop - start != prod(shape) * width(KINDS[kind]):
            raise source.error(f"{what} overlaps another, leaves a gap, or is not as long as its shape {str(shape)[:60]} says")
        end = stop
    if base + end != source.size:
        raise source.error(f"its tensors end at byte {base + end}, the file at {source.size}")

    def array(name: str, entry: Any) -> Any:
        start, stop = entry["data_offsets"]
        raw = source.part(base + start, stop - start)
        return typed(source, raw, KINDS[entry["dtype"]], f"tensor {name[:60]!r}").reshape(entry["shape"])

    text = metadata.get(DESCRIPTION)
    return put_together(source, text and text.encode(), {name: array(name, entry) for name, entry in header.items()})
