"""Which entries of one ledger are acknowledged: one bit per entry, in chunks.

Setting a bit costs the same however many holes there are, a chunk behind the mark-delete position
is dropped whole, and counting and scanning run over whole chunks inside the interpreter's C code.
"""

import re
from collections.abc import Iterator
from typing import Final

CHUNK_SHIFT: Final = 15
CHUNK_ENTRIES: Final = 1 << CHUNK_SHIFT
CHUNK_BYTES: Final = CHUNK_ENTRIES // 8
_BYTE_MASK: Final = CHUNK_BYTES - 1
_NOT_FULL = re.compile(rb"[^\xff]")


class AckBitmap:
    """A set of entry ids. Ids below the mark-delete position may be left in it as garbage."""

    __slots__ = ("_chunks",)

    def __init__(self) -> None:
        self._chunks: dict[int, bytearray] = {}

    @property
    def size_bytes(self) -> int:
        """What its bits take in memory."""
        return CHUNK_BYTES * len(self._chunks)

    def add(self, entry_id: int) -> bool:
        """Put an entry in; False if it was in already."""
        chunk = self._chunks.get(entry_id >> CHUNK_SHIFT)
        if chunk is None:
            chunk = self._chunks[entry_id >> CHUNK_SHIFT] = bytearray(CHUNK_BYTES)
        at = (entry_id >> 3) & _BYTE_MASK
        bit = 1 << (entry_id & 7)
        if chunk[at] & bit:
            return False
        chunk[at] |= bit
        return True

    def discard(self, entry_id: int) -> bool:
        """Take an entry out; False if it was not in."""
        chunk = self._chunks.get(entry_id >> CHUNK_SHIFT)
        at = (entry_id >> 3) & _BYTE_MASK
        bit = 1 << (entry_id & 7)
        if chunk is None or not chunk[at] & bit:
            return False
        chunk[at] ^= bit
        return True

    def __contains__(self, entry_id: int) -> bool:
        chunk = self._chunks.get(entry_id >> CHUNK_SHIFT)
        return chunk is not None and bool(
            chunk[(entry_id >> 3) & _BYTE_MASK] & (1 << (entry_id & 7))
        )

    def add_range(self, first: int, end: int) -> None:
        """Put the entries from `first` up to but not including `end` in."""
        while first < end:
            number, start = first >> CHUNK_SHIFT, first & (CHUNK_ENTRIES - 1)
            stop = min(end - first + start, CHUNK_ENTRIES)
            chunk = self._chunks.setdefault(number, bytearray(CHUNK_BYTES))
            first_byte, last_byte = start >> 3, (stop + 7) >> 3
            mask = ((1 << (stop - start)) - 1) << (start & 7)
            part = int.from_bytes(chunk[first_byte:last_byte], "little") | mask
            chunk[first_byte:last_byte] = part.to_bytes(last_byte - first_byte, "little")
            first += stop - start

    def run_end(self, entry_id: int) -> int:
        """The first id at or after `entry_id` that is not in."""
        while True:
            chunk = self._chunks.get(entry_id >> CHUNK_SHIFT)
            if chunk is None:
                return entry_id
            base = entry_id & -CHUNK_ENTRIES
            at = (entry_id >> 3) & _BYTE_MASK
            # Bits below entry_id count as set, so that the first clear one is the answer.
            rest = chunk[at] | ((1 << (entry_id & 7)) - 1)
            if rest == 0xFF:
                found = _NOT_FULL.search(chunk, at + 1)
                if found is None:
                    entry_id = base + CHUNK_ENTRIES
                    continue
                at = found.start()
                rest = chunk[at]
            return base + at * 8 + (~rest & (rest + 1)).bit_length() - 1

    def count(self, first: int, end: int) -> int:
        """How many of the ids from `first` up to but not including `end` are in."""
        total = 0
        for number, chunk in self._chunks.items():
            base = number << CHUNK_SHIFT
            start, stop = max(first - base, 0), min(end - base, CHUNK_ENTRIES)
            if start < stop:
                part = int.from_bytes(chunk[start >> 3 : (stop + 7) >> 3], "little")
                part >>= start & 7
                total += (part & ((1 << (stop - start)) - 1)).bit_count()
        return total

    def last(self) -> int:
        """The highest id that is in; -1 if none is."""
        for number in sorted(self._chunks, reverse=True):
            bits = int.from_bytes(self._chunks[number], "little")
            if bits:
                return (number << CHUNK_SHIFT) + bits.bit_length() - 1
        return -1

    def forget_before(self, entry_id: int) -> None:
        """Drop whole chunks below `entry_id`; it is the caller who no longer looks there."""
        number = entry_id >> CHUNK_SHIFT
        if len(self._chunks) > 1 or number not in self._chunks:
            for old in [n for n in self._chunks if n < number]:
                del self._chunks[old]

    def forget_from(self, entry_id: int) -> None:
        """Drop the ids from `entry_id` on."""
        for number in [n for n in self._chunks if (n + 1) << CHUNK_SHIFT > entry_id]:
            keep = max(entry_id - (number << CHUNK_SHIFT), 0)
            bits = int.from_bytes(self._chunks[number], "little") & ((1 << keep) - 1)
            self._chunks[number] = bytearray(bits.to_bytes(CHUNK_BYTES, "little"))

    def ranges(self, first: int) -> Iterator[tuple[int, int]]:
        """Runs of ids from `first` on, each as first id and the id behind its last."""
        opened, end = -1, -1
        for number in sorted(self._chunks):
            base = number << CHUNK_SHIFT
            if opened >= 0 and end != base:
                yield opened, end
                opened = -1
            end = base + CHUNK_ENTRIES
            text = self._text(number)
            at = max(first - base, 0)
            while at < CHUNK_ENTRIES:
                if opened < 0:
                    at = text.find("1", at)
                    if at < 0:
                        break
                    opened = base + at
                at = text.find("0", at)
                if at < 0:
                    break
                yield opened, base + at
                opened = -1
        if opened >= 0:
            yield opened, end

    def _text(self, number: int) -> str:
        """A chunk as ones and zeros, lowest id first: `str.find` walks it fastest."""
        return format(int.from_bytes(self._chunks[number], "little"), f"0{CHUNK_ENTRIES}b")[::-1]

    def range_count(self, first: int) -> int:
        """How many runs `ranges` would give."""
        total, previous, carry = 0, -2, 0
        for number in sorted(self._chunks):
            bits = self._bits(number, first)
            carry = carry if number == previous + 1 else 0
            total += (bits & ~(bits << 1 | carry)).bit_count()
            carry = bits >> (CHUNK_ENTRIES - 1)
            previous = number
        return total

    def _bits(self, number: int, first: int) -> int:
        bits = int.from_bytes(self._chunks[number], "little")
        skip = first - (number << CHUNK_SHIFT)
        return bits >> skip << skip if skip > 0 else bits

    def to_bytes(self, first: int) -> bytes:
        """The ids from `first` on as a little-endian bit set that begins at id 0."""
        numbers = sorted(self._chunks)
        parts = bytearray((numbers[-1] + 1) * CHUNK_BYTES if numbers else 0)
        for number in numbers:
            at = number * CHUNK_BYTES
            parts[at : at + CHUNK_BYTES] = self._bits(number, first).to_bytes(CHUNK_BYTES, "little")
        return bytes(parts).rstrip(b"\0")

    def merge_bytes(self, data: bytes, first: int = 0) -> None:
        """Put in what `to_bytes` gave, or a part of it that begins at id `first`."""
        assert first % CHUNK_ENTRIES == 0, "parts begin with chunks"
        for number, at in enumerate(range(0, len(data), CHUNK_BYTES), first >> CHUNK_SHIFT):
            part = data[at : at + CHUNK_BYTES]
            if part.strip(b"\0"):
                chunk = self._chunks.get(number, b"")
                bits = int.from_bytes(part, "little") | int.from_bytes(chunk, "little")
                self._chunks[number] = bytearray(bits.to_bytes(CHUNK_BYTES, "little"))
