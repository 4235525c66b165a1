"""Zip files, written so that what they hold can be mapped into memory, and read with distrust."""

from __future__ import annotations

import struct
import zlib
from typing import Any, BinaryIO, NamedTuple
from zipfile import ZIP64_LIMIT, ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import numpy as np

from .parts import Source

ALIGNED = 64  # an entry begins at a multiple of this, as a processor likes it
# The records of a zip file. https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
HEADER, RECORD, END = struct.Struct("<4s5H3L2H"), struct.Struct("<4s6H3L5H2L"), struct.Struct("<4s4H2LH")
LONG_END, LOCATOR = struct.Struct("<4sQ2H2L4Q"), struct.Struct("<4sLQL")
FLAGS = 0x80E  # those that are known: two for how well it was compressed; DESCRIBED; that its name is in UTF-8
DESCRIBED, UTF8 = 8, 0x800
NOTHING, DESCRIPTIONS = [0], [12, 16, 20, 24]  # how long what follows an entry can be: its checksum and sizes if DESCRIBED


class Entry(NamedTuple):
    """Where the content of an entry begins, how many bytes are stored there, and what is known of them unpacked."""

    start: int
    stored: int
    size: int
    checksum: int
    deflated: bool


class Archive:
    """The entries of a zip file by name.

    What is said there twice must agree: in the directory, in the headers of the entries, and at the end, which says how many
    there are. And nothing may be left over: the entries and the directory lie side by side. Raises FileError if not.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        begin, end, count = self._directory()
        directory, at, found = source.part(begin, end - begin).tobytes(), 0, list[Any]()
        while at < len(directory):
            sign, _, _, flags, method, _, _, *sums, named, more, comment, disk, _, _, place = RECORD.unpack_from(directory, at)
            name, extra = (directory[at + RECORD.size :][:named], directory[at + RECORD.size + named :][:more])
            at += RECORD.size + named + more + comment
            if sign != b"PK\1\2" or disk:
                raise source.error(f"entry {len(found)} of its directory is none")
            checksum, *sizes = sums
            size, stored, place = _long(extra, *sizes[::-1], place)
            found.append((place, name, flags, method, (checksum, stored, size)))
        if at != len(directory) or len(found) != count:
            raise source.error(f"it should have {count} entries, but its directory has {len(found)}")
        self.entries: dict[str, Entry] = {}
        stop, gaps = 0, NOTHING
        for place, name, flags, method, sums in [*sorted(found), (begin, b"", 0, 0, ())]:
            if place - stop not in gaps:
                raise source.error(
                    f"entry {name[:60]!r} does not begin where the one before ends: it is there twice, or overlaps it"
                )
            if sums:
                entry = self._entry(place, name, flags, method, *sums)
                text = name.decode("utf-8" if flags & UTF8 else "cp437")
                if text in self.entries:
                    raise source.error(f"entry {text[:60]!r} is there twice")
                self.entries[text] = entry
                stop, gaps = entry.start + entry.stored, DESCRIPTIONS if flags & DESCRIBED else NOTHING

    def _directory(self) -> tuple[int, int, int]:
        """Where the directory begins and ends, and how many entries are in it, as the end of the file says."""
        source = self.source
        tail = source.part(max(source.size - END.size - 65535, 0), min(source.size, END.size + 65535)).tobytes()
        where = tail.rfind(b"PK\5\6")
        if where < 0 or where + END.size > len(tail):
            raise source.error("it is a zip file without an end")
        *disks, count, total, size, begin, comment = END.unpack_from(tail, where)[1:]
        end = source.size - len(tail) + where
        said = count, total, size, begin
        if end >= LOCATOR.size + LONG_END.size:
            sign, disk, place, _ = LOCATOR.unpack(source.part(end - LOCATOR.size, LOCATOR.size).tobytes())
            if sign == b"PK\6\7":
                sign, length, _, _, *disks, count, total, size, begin = LONG_END.unpack(
                    source.part(place, LONG_END.size).tobytes()
                )
                if sign != b"PK\6\6" or disk or place + 12 + length != end - LOCATOR.size:
                    raise source.error("its end is in disorder")
                end = place
        most = 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF
        same = all(a in (b, m) for a, b, m in zip(said, (count, total, size, begin), most, strict=True))
        if any(disks) or count != total or not same or begin + size != end or where + END.size + comment != len(tail):
            raise source.error(f"its directory of {count} entries is not where its end says it is")
        return begin, end, count

    def _entry(self, place: int, name: bytes, flags: int, method: int, checksum: int, stored: int, size: int) -> Entry:
        """An entry that the directory describes, if its own header says the same."""
        source, what = self.source, f"entry {name[:60]!r}"
        header = HEADER.unpack(source.part(place, HEADER.size).tobytes())
        sign, _, own_flags, own_method, _, _, *sums, named, more = header
        if sign != b"PK\3\4":
            raise source.error(f"{what} does not begin where it should")
        rest = source.part(place + HEADER.size, named + more).tobytes()
        if flags & ~FLAGS or method not in (ZIP_STORED, ZIP_DEFLATED):
            raise source.error(f"{what} is encrypted or compressed in an unusual way", "save it without that")
        if (own_flags, own_method, rest[:named]) != (flags, method, name):
            raise source.error(f"{what} is called {rest[:named][:60]!r}, or of another kind, where it begins")
        own_checksum, *sizes = sums
        own_size, own_stored = _long(rest[named:], *sizes[::-1])
        if not flags & DESCRIBED and (own_checksum, own_stored, own_size) != (checksum, stored, size):
            raise source.error(
                f"{what} is said to hold {size} bytes, and where it begins {own_size}, or others; some are not there"
            )
        start = place + HEADER.size + named + more
        if start + stored > source.size or (method == ZIP_STORED and stored != size):
            raise source.error(f"{what} is said to hold {size} bytes, which are not there")
        return Entry(start, stored, size, checksum, method == ZIP_DEFLATED)

    def read(self, name: str) -> Any:
        """The bytes of an entry. Those that are not compressed are mapped if the file is; all others are checked."""
        if name not in self.entries:
            raise self.source.error(f"it has no entry {name[:60]!r}")
        entry = self.entries[name]
        raw = self.source.part(entry.start, entry.stored)
        if entry.deflated:
            self.source.charge(entry.size)
            raw = _unpacked(raw, entry.size)
        elif self.source.memory is not None:
            return raw
        if raw.size != entry.size or zlib.crc32(raw) != entry.checksum:
            what = f"entry {name[:60]!r} is not the {entry.size} bytes with the checksum that it should be"
            raise self.source.error(what)
        return raw


def _long(extra: bytes, *numbers: int) -> list[int]:
    """Numbers of a record; those too long for their place stand in an extra field of kind 1."""
    long = b""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        if kind == 1:
            long = extra[4 : 4 + length]
        extra = extra[4 + length :]
    longer = struct.iter_unpack("<Q", long[: len(long) // 8 * 8] + bytes(24))
    return [next(longer)[0] if n == 0xFFFFFFFF else n for n in numbers]


def _unpacked(raw: Any, size: int) -> Any:
    """What deflated bytes unpack to; if that is more than `size` bytes, one more."""
    out, unpack, at = np.empty(size + 1, np.uint8), zlib.decompressobj(-zlib.MAX_WBITS), 0
    for start in range(0, raw.size, 2**16):
        if unpack.eof or at > size:
            break
        piece = unpack.decompress(raw[start : start + 2**16], size + 1 - at)
        out[at : at + len(piece)] = np.frombuffer(piece, np.uint8)
        at += len(piece)
    return out[:at]


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
