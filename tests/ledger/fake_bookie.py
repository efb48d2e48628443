"""A bookie in memory that keeps the bookie contract, with every completion under control.

By default calls are done in the next turn of the loop, adds of one sink in one batch. While `held`
they wait in `pending` until a test runs or loses them, in any order.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from magnetar_proto.bookie import FENCE, LAST_ENTRY, RECOVERY_ADD, AddSink, ReadSink, Status


@dataclass(eq=False)
class AddCall:
    ledger_id: int
    entry_id: int
    master_key: bytes
    entry: bytes
    flags: int
    sink: AddSink


@dataclass(eq=False)
class ReadCall:
    ledger_id: int
    first_entry_id: int
    max_entries: int
    max_bytes: int
    flags: int
    master_key: bytes
    sink: ReadSink
    context: int


Call = AddCall | ReadCall


class FakeBookie:
    def __init__(self, name: str = "bookie") -> None:
        self.name = name
        self.entries: dict[int, dict[int, bytes]] = {}
        self.fenced: set[int] = set()
        self.keys: dict[int, bytes] = {}
        self.pending: list[Call] = []
        self.calls: list[Call] = []  # all there ever were
        self.held = False
        self.answer: Status | None = None  # for every call, instead of doing it
        self._writable = True
        self._writable_callbacks: list[Callable[[], None]] = []
        self._scheduled = False

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
        assert entry_ids, "an add without entries never ends"
        for entry_id, header, payload in zip(entry_ids, headers, payloads, strict=True):
            self._take(AddCall(ledger_id, entry_id, master_key, header + payload, flags, sink))

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
        self._take(
            ReadCall(
                ledger_id, first_entry_id, max_entries, max_bytes, flags, master_key, sink, context
            )
        )

    @property
    def writable(self) -> bool:
        return self._writable

    @writable.setter
    def writable(self, value: bool) -> None:
        self._writable = value
        if value:
            callbacks, self._writable_callbacks = self._writable_callbacks, []
            for callback in callbacks:
                callback()

    def when_writable(self, callback: Callable[[], None]) -> None:
        if self._writable:
            asyncio.get_running_loop().call_soon(callback)
        else:
            self._writable_callbacks.append(callback)

    def run(self, call: Call) -> None:
        """Do a pending call and tell its end."""
        self.pending.remove(call)
        if isinstance(call, AddCall):
            call.sink.adds_completed([call.entry_id], self._add_status(call))
        else:
            status, first, entries = self._read_answer(call)
            call.sink.read_completed(call.context, status, first, entries)

    def run_all(self) -> None:
        """Do all that is pending now, in order; adds of one sink and status end in one batch."""
        self._scheduled = False
        calls, self.pending = self.pending, []
        batch: list[AddCall] = []
        status = Status.OK
        for call in calls:
            if isinstance(call, AddCall):
                new_status = self._add_status(call)
                if batch and (new_status, call.sink) != (status, batch[0].sink):
                    self._complete(batch, status)
                    batch = []
                status = new_status
                batch.append(call)
                continue
            self._complete(batch, status)
            batch = []
            call.sink.read_completed(call.context, *self._read_answer(call))
        self._complete(batch, status)

    def lose(self, call: Call, *, done: bool, status: Status = Status.TIMEOUT) -> None:
        """End a pending call as unknown; whether it was done only the bookie knows."""
        self.pending.remove(call)
        if isinstance(call, AddCall):
            if done:
                self._add_status(call)
            call.sink.adds_completed([call.entry_id], status)
        else:
            if done:
                self._read_answer(call)
            call.sink.read_completed(call.context, status, call.first_entry_id, ())

    def forget(self, call: Call) -> None:
        """Drop a pending call and never tell: for the caller's own deadline to find."""
        self.pending.remove(call)

    def _take(self, call: Call) -> None:
        self.pending.append(call)
        self.calls.append(call)
        if not self.held and not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self.run_all)

    def _complete(self, batch: Sequence[AddCall], status: Status) -> None:
        if batch:
            batch[0].sink.adds_completed([call.entry_id for call in batch], status)

    def _add_status(self, call: AddCall) -> Status:
        if self.answer is not None:
            return self.answer
        if self.keys.setdefault(call.ledger_id, call.master_key) != call.master_key:
            return Status.UNAUTHORIZED
        if call.ledger_id in self.fenced and not call.flags & RECOVERY_ADD:
            return Status.FENCED
        self.entries.setdefault(call.ledger_id, {})[call.entry_id] = call.entry
        return Status.OK

    def _read_answer(self, call: ReadCall) -> tuple[Status, int, Sequence[bytes]]:
        first = call.first_entry_id
        if self.answer is not None:
            return self.answer, first, ()
        if call.flags & FENCE:
            if self.keys.setdefault(call.ledger_id, call.master_key) != call.master_key:
                return Status.UNAUTHORIZED, first, ()
            self.fenced.add(call.ledger_id)
        stored = self.entries.get(call.ledger_id)
        if stored is None:
            return Status.NO_LEDGER, first, ()
        if first == LAST_ENTRY:
            first = max(stored)
            return Status.OK, first, [stored[first]]
        entries: list[bytes] = []
        total = 0
        for entry_id in range(first, first + call.max_entries):
            entry = stored.get(entry_id)
            if entry is None or (entries and total + len(entry) > call.max_bytes):
                break
            entries.append(entry)
            total += len(entry)
        return (Status.OK if entries else Status.NO_ENTRY), first, entries
