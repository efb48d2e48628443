"""A bookie that keeps entries in a dict: what the contract suite is tried on.

Its "disk" is a dict that outlives `restart`; what waits for it is done in `settle`.
"""

from collections.abc import Callable, Sequence
from typing import Any

from magnetar_proto.bookie import FENCE, LAST_ENTRY, RECOVERY_ADD, AddSink, ReadSink, Status


class Ledger:
    """What is kept of one ledger."""

    def __init__(self, master_key: bytes) -> None:
        self.master_key = master_key
        self.fenced = False
        self.entries: dict[int, bytes] = {}


class MemoryBookie:
    """Decides inside the call, tells about it when `run_all` runs."""

    def __init__(self, ledgers: dict[int, Ledger], flood_bytes: int) -> None:
        self.ledgers = ledgers
        self._flood_bytes = flood_bytes
        self._waiting_bytes = 0
        self._later: list[Callable[[], object]] = []
        self._when_writable: list[Callable[[], None]] = []

    def add(
        self,
        ledger_id: int,
        entry_ids: Sequence[int],
        master_key: bytes,
        headers: Sequence[bytes],
        payloads: Sequence[bytes],
        flags: int,
        sink: AddSink,
    ) -> None:
        ledger = self.ledgers.setdefault(ledger_id, Ledger(master_key))
        status = self.add_status(ledger, master_key, flags)
        if status is Status.OK:
            for entry_id, header, payload in zip(entry_ids, headers, payloads, strict=True):
                ledger.entries[entry_id] = header + payload
                self._waiting_bytes += len(payload)
        self.later(lambda: sink.adds_completed(entry_ids, status))

    def add_status(self, ledger: Ledger, master_key: bytes, flags: int) -> Status:
        if ledger.master_key != master_key:
            return Status.UNAUTHORIZED
        if ledger.fenced and not flags & RECOVERY_ADD:
            return Status.FENCED
        return Status.OK

    def read(
        self,
        ledger_id: int,
        first_entry_id: int,
        max_entries: int,
        max_bytes: int,
        flags: int,
        master_key: bytes,
        sink: ReadSink,
        context: int,
    ) -> None:
        status, first, entries = Status.NO_LEDGER, first_entry_id, list[bytes]()
        if flags & FENCE:
            status = self.fence(ledger_id, master_key)
        if ledger_id in self.ledgers and status is not Status.UNAUTHORIZED:
            kept = self.ledgers[ledger_id].entries
            first = max(kept, default=-1) if first_entry_id == LAST_ENTRY else first_entry_id
            most = 1 if first_entry_id == LAST_ENTRY else max_entries
            entries = self.run_of(kept, first, most, max_bytes)
            status = Status.OK if entries else Status.NO_ENTRY
        self.later(lambda: sink.read_completed(context, status, first, entries))

    def fence(self, ledger_id: int, master_key: bytes) -> Status:
        ledger = self.ledgers.setdefault(ledger_id, Ledger(master_key))
        if ledger.master_key != master_key:
            return Status.UNAUTHORIZED
        ledger.fenced = True
        return Status.OK

    def run_of(
        self, kept: dict[int, bytes], first: int, max_entries: int, max_bytes: int
    ) -> list[bytes]:
        entries: list[bytes] = []
        while len(entries) < max_entries:
            entry = kept.get(first + len(entries))
            if entry is None or (entries and sum(map(len, entries)) + len(entry) > max_bytes):
                break
            entries.append(entry)
        return entries

    @property
    def writable(self) -> bool:
        return self._waiting_bytes < self._flood_bytes

    def when_writable(self, callback: Callable[[], None]) -> None:
        self._when_writable.append(callback)

    def later(self, call: Callable[[], Any]) -> None:
        self._later.append(call)

    def run_all(self) -> None:
        calls, self._later = self._later, []
        for call in calls:
            call()
        self._waiting_bytes = 0
        callbacks, self._when_writable = self._when_writable, []
        for callback in callbacks:
            callback()


class MemoryHarness:
    """Moves a memory bookie, or a subclass with a bug."""

    flood_bytes = 100_000

    def __init__(self, kind: type[MemoryBookie] = MemoryBookie) -> None:
        self._kind = kind
        self.bookie = kind({}, self.flood_bytes)

    async def settle(self) -> None:
        self.bookie.run_all()

    async def restart(self) -> None:
        self.bookie = self._kind(self.bookie.ledgers, self.flood_bytes)
