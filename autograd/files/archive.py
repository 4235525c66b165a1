"""Zip files, written so that what they hold can be mapped into memory, and read with distrust."""

from __future__ import annotations

import struct
import zlib
from typing import Any, BinaryIO
from zipfile import ZIP64_LIMIT, ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import numpy as np

from .parts import Source

ALIGNED = 64  # an entry begins at a multiple of this, as a processor likes it
GROWS = 100  # how many times the size of the file its entries may add up to: more is a bomb, not compression


class Archive:
    """The entries of a zip file by name. Raises FileError if they overlap, reach outside the file, or unpack absurdly."""

    def __init__(self, source: Source) -> None:
        self.source = source
        try:
            self.zip = ZipFile(source.file)
        except OSError as error:  # it was led astray; that the file could be opened is known
            raise source.error(f"its directory leads nowhere ({error})") from error
        self.entries: dict[str, tuple[ZipInfo, int]] = {}  # by name, with the place where the content begins
        end = 0
        for info in sorted(self.zip.infolist(), key=lambda info: info.header_offset):
            name, what = info.filename, f"entry {info.filename[:60]!r}"
            if info.header_offset < end or name in self.entries:
                raise source.error(f"{what} is there twice, or overlaps another")
            if info.flag_bits & 1 or info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
                raise source.error(f"{what} is encrypted or compressed in an unusual way", "save it without that")
            header = source.part(info.header_offset, 30).tobytes()
            if header[:4] != b"PK\3\4":
                raise source.error(f"{what} does not begin where it should")
            start = info.header_offset + 30 + sum(struct.unpack("<HH", header[26:]))
            end = start + info.compress_size
            if end > source.size or (info.compress_type == ZIP_STORED and info.compress_size != info.file_size):
                raise source.error(f"{what} is said to hold {info.file_size} bytes, which are not there")
            self.entries[name] = info, start
        total = sum(info.file_size for info, _ in self.entries.values())
        if total > max(2**26, GROWS * source.size):
            advice = "if you trust it, unpack it with another program and save it anew"
            raise source.error(f"{source.size} bytes claim to unpack to {total}, as a zip bomb does", advice)

    def read(self, name: str) -> Any:
        """The bytes of an entry. Those that are not compressed are mapped if the file is; all others are checked."""
        if name not in self.entries:
            raise self.source.error(f"it has no entry {name[:60]!r}")
        info, start = self.entries[name]
        raw = self.source.part(start, info.compress_size)
        if info.compress_type == ZIP_DEFLATED:  # not by zipfile, which unpacks all there is before it looks how much
            unpacked = zlib.decompressobj(-zlib.MAX_WBITS).decompress(raw, info.file_size + 1)
            raw = np.frombuffer(bytearray(unpacked), np.uint8)
        elif self.source.memory is not None:
            return raw
        if raw.size != info.file_size or zlib.crc32(raw) != info.CRC:
            raise self.source.error(f"entry {name[:60]!r} is not the {info.file_size} bytes with the checksum that it should be")
        return raw


def add(zip: ZipFile, file: BinaryIO, name: str, *contents: Any) -> None:
    """Write an entry that holds `contents`, bytes or arrays in C order, one after the other, uncompressed and aligned."""
    info = ZipInfo(name)  # of no particular date: the same state gives the same file
    info.file_size = sum(memoryview(part).nbytes for part in contents)
    large = info.file_size * 1.05 > ZIP64_LIMIT  # then zipfile puts 20 bytes more into the header
    info.extra = b"\0" * (-(file.tell() + 30 + len(name.encode()) + 4 + 20 * large) % ALIGNED)
    info.extra = struct.pack("<HH", 0x4246, len(info.extra)) + info.extra
    with zip.open(info, "w") as entry:
        for part in contents:
            entry.write(part)
