"""A managed ledger whose appends end when the test says so, and how the test says."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from magnetar_ledger.errors import LedgerError
from magnetar_ledger.managed import LedgerPolicies
from magnetar_ledger.position import Position


class FakeCursor:
    """A durable subscription's place, where nothing ever waits."""

    durable = True
    backlog_entries = 0

    def __init__(self, name: str) -> None:
        self.name = name
        self.active = False
        self.properties: dict[str, str] = {}


class FakeLedger:
    """Only what the producing side of a topic touches."""

    size = 0
    entries_total = 0

    def __init__(self, name: str = "t/n/persistent/x", ledger_id: int = 7) -> None:
        self.name = name
        self.ledger_id = ledger_id
        self.sink: Any = None
        self.cursors: dict[str, Any] = {}
        self.truncated = 0
        self.properties: dict[str, str] = {}
        self.property_writes: list[str] = []
        self.property_gate: asyncio.Future[None] | None = None
        self.property_error: LedgerError | None = None
        self.policies: LedgerPolicies | None = None
        self.terminated = False
        self.writable = True
        self.payloads: list[bytes] = []
        self.closed = False
        self.deleted = False
        self.on_fenced: Callable[[LedgerError], None] | None = None
        self.fence_error: LedgerError | None = None
        self.trims = 0
        self.trimmed = asyncio.Event()
        self.trim_error: LedgerError | None = None
        self._pending: deque[bytes] = deque()
        self._callbacks: list[Callable[[], None]] = []

    def add(self, payload: bytes) -> None:
        assert not self.closed
        self._pending.append(payload)

    def add_all(self, payloads: Sequence[bytes]) -> None:
        for payload in payloads:
            self.add(payload)

    @property
    def pending(self) -> int:
        return len(self._pending)

    def confirm(self, count: int | None = None) -> None:
        """The oldest appends are durable."""
        count = len(self._pending) if count is None else count
        first = len(self.payloads)
        self.payloads += [self._pending.popleft() for _ in range(count)]
        self.sink.entries_appended(self.ledger_id, first, count)

    def fail(self, error: LedgerError, count: int | None = None) -> None:
        """The oldest appends failed."""
        count = len(self._pending) if count is None else count
        for _ in range(count):
            self._pending.popleft()
        self.sink.append_failed(count, error)

    def when_writable(self, callback: Callable[[], None]) -> None:
        self._callbacks.append(callback)

    def make_writable(self) -> None:
        self.writable = True
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    async def set_property(self, key: str, value: str) -> None:
        """Keeps it; behind `property_gate`, if there is one, and unless it has to fail."""
        if self.property_gate is not None:
            await asyncio.shield(self.property_gate)
        if self.property_error is not None:
            raise self.property_error
        self.properties[key] = value
        self.property_writes.append(value)

    async def terminate(self) -> Position:
        self.terminated = True
        return Position(self.ledger_id, len(self.payloads) - 1)

    async def open_cursor(
        self, name: str, start: Position, properties: Mapping[str, str] | None = None
    ) -> FakeCursor:
        cursor = self.cursors[name] = FakeCursor(name)
        return cursor

    def apply(self, policies: LedgerPolicies) -> None:
        self.policies = policies

    async def truncate(self) -> None:
        self.truncated += 1

    async def delete_cursor(self, name: str) -> None:
        del self.cursors[name]

    def fenced(self, error: LedgerError) -> None:
        """Another broker owns the topic."""
        if self.fence_error is None:
            self.fence_error = error
            if self.on_fenced is not None:
                self.on_fenced(error)

    async def close(self) -> None:
        self.closed = True

    async def claim(self) -> None:
        """Nobody else has it."""

    async def delete(self) -> None:
        self.deleted = True

    async def trim(self) -> None:
        self.trims += 1
        self.trimmed.set()
        if self.trim_error is not None:
            raise self.trim_error
