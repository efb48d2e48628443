"""Whether every bookie of every write set has a good copy of every entry of a ledger."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from magnetar_metadata.ledger_metadata import LedgerMetadata, Segment
from magnetar_proto.bookie import Status

from magnetar_ledger.bookie_calls import read_bookie
from magnetar_ledger.client_tools import ClientTools
from magnetar_ledger.digest import EntryDigest, length_of
from magnetar_ledger.errors import DigestMismatchError
from magnetar_ledger.striping import Quorum

_WINDOW_ENTRIES = 100
_READ_BYTES = 1 << 20

Content = tuple[bytes, int]
"""Payload and ledger length of an entry. The last add confirmed and so the digest differ where
recovery has added it again."""


class Fault(StrEnum):
    """What is wrong with a copy."""

    MISSING = "missing"
    UNREADABLE = "unreadable"
    WRONG_DIGEST = "wrong digest"
    DIFFERENT = "differs from the others"


@dataclass(slots=True)
class FaultyCopies:
    """A run of entries with one fault on one bookie."""

    bookie_id: str
    fault: Fault
    first_entry_id: int
    last_entry_id: int


@dataclass(slots=True)
class Verification:
    """What a ledger is like.

    Attributes:
        entries: confirmed entries that were looked at.
        copies: copies of them that there should be.
        lost: entries without one good copy.
    """

    entries: int = 0
    copies: int = 0
    lost: list[int] = field(default_factory=list)
    faults: list[FaultyCopies] = field(default_factory=list)

    def note(self, bookie_id: str, fault: Fault, entry_id: int) -> None:
        """A copy is bad. Of one bookie they come in the order of their ids."""
        for run in reversed(self.faults):
            if run.bookie_id == bookie_id:
                if run.fault is fault and run.last_entry_id == entry_id - 1:
                    run.last_entry_id = entry_id
                    return
                break
        self.faults.append(FaultyCopies(bookie_id, fault, entry_id, entry_id))


async def verify_ledger(
    tools: ClientTools, ledger_id: int, metadata: LedgerMetadata, last_entry_id: int
) -> Verification:
    """Read all copies of the entries up to one, and compare them.

    A bookie that does not answer has only unreadable copies; it is asked once for each hundred.
    """
    found = Verification()
    check = _LedgerCheck(tools, ledger_id, metadata)
    for segment, first, end in _segments(metadata, last_entry_id):
        for start in range(first, end, _WINDOW_ENTRIES):
            await check.look_at(segment, range(start, min(start + _WINDOW_ENTRIES, end)), found)
    return found


def _segments(metadata: LedgerMetadata, last_entry_id: int) -> Iterator[tuple[Segment, int, int]]:
    """With the first id of each and the one behind the last."""
    segments = metadata.segments
    ends = [each.first_entry_id for each in segments[1:]] + [last_entry_id + 1]
    for segment, end in zip(segments, ends, strict=True):
        yield segment, segment.first_entry_id, min(end, last_entry_id + 1)


class _LedgerCheck:
    def __init__(self, tools: ClientTools, ledger_id: int, metadata: LedgerMetadata) -> None:
        self._tools = tools
        self._ledger_id = ledger_id
        self._quorum = Quorum.of(metadata)
        self._digest = EntryDigest.of(metadata.digest_type, metadata.password)

    async def look_at(self, segment: Segment, entry_ids: range, found: Verification) -> None:
        """Compare all copies of some entries."""
        of_place: list[list[int]] = [[] for _ in segment.bookies]
        for entry_id in entry_ids:
            for place in self._quorum.write_set(entry_id):
                of_place[place].append(entry_id)
        copies = await asyncio.gather(
            *(
                self._copies(bookie_id, ids)
                for bookie_id, ids in zip(segment.bookies, of_place, strict=True)
            )
        )
        for entry_id in entry_ids:
            places = self._quorum.write_set(entry_id)
            of_bookies = {segment.bookies[place]: copies[place][entry_id] for place in places}
            self._compare(entry_id, of_bookies, found)

    def _compare(
        self, entry_id: int, copies: Mapping[str, Content | Fault], found: Verification
    ) -> None:
        found.entries += 1
        found.copies += len(copies)
        good = Counter(copy for copy in copies.values() if not isinstance(copy, Fault))
        if not good:
            found.lost.append(entry_id)
        for bookie_id, copy in copies.items():
            if isinstance(copy, Fault):
                found.note(bookie_id, copy, entry_id)
            elif copy != good.most_common(1)[0][0]:
                found.note(bookie_id, Fault.DIFFERENT, entry_id)

    async def _copies(self, bookie_id: str, ids: Sequence[int]) -> dict[int, Content | Fault]:
        """What a bookie has of these entries; all of them are in the result."""
        copies: dict[int, Content | Fault] = {}
        place = 0
        while place < len(ids):
            # Of a striped ledger it has only some that follow on.
            count = 1
            while place + count < len(ids) and ids[place + count] == ids[place] + count:
                count += 1
            status, entries = await self._read(bookie_id, ids[place], count)
            if status in (Status.UNAVAILABLE, Status.TIMEOUT):
                copies.update(dict.fromkeys(ids[place:], Fault.UNREADABLE))
                break
            if not entries:
                gone = status in (Status.NO_ENTRY, Status.NO_LEDGER)
                copies[ids[place]] = Fault.MISSING if gone else Fault.UNREADABLE
                place += 1
                continue
            for entry in entries:
                copies[ids[place]] = self._content(entry, ids[place])
                place += 1
        return copies

    async def _read(self, bookie_id: str, first: int, count: int) -> tuple[Status, Sequence[bytes]]:
        bookie, timeout_ms = (
            self._tools.bookies.bookie(bookie_id),
            self._tools.config.read_timeout_ms,
        )
        status, entries = await read_bookie(
            bookie, self._ledger_id, first, count, _READ_BYTES, timeout_ms
        )
        return status, entries[:count] if status is Status.OK else ()

    def _content(self, entry: bytes, entry_id: int) -> Content | Fault:
        try:
            return self._digest.payload_of(entry, self._ledger_id, entry_id), length_of(entry)
        except DigestMismatchError:
            return Fault.WRONG_DIGEST
