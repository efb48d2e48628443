"""What stands behind a non-persistent topic in place of a managed ledger: nothing is kept.

An entry exists while it is handed from its producer to the consumers that have room for it. So the
topic is the one of persistent topics, with another ledger below and other dispatchers above.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from magnetar_ledger.position import EARLIEST, Position

if TYPE_CHECKING:
    from magnetar_ledger.errors import LedgerError
    from magnetar_ledger.managed import AppendSink


class VolatileCursor:
    """A subscription's place in a topic that keeps nothing: acks and places mean nothing."""

    durable = False
    mark_delete = EARLIEST
    backlog_entries = 0

    def __init__(self, name: str) -> None:
        self.name = name
        self.active = False

    def ack_individual(
        self, position: Position, ack_set: Sequence[int] | None = None, batch_size: int = 0
    ) -> bool:
        return True

    def ack_cumulative(self, position: Position, ack_set: Sequence[int] | None = None) -> None:
        """Nothing is kept that could be acked."""

    def ack_set_of(self, position: Position) -> tuple[int, ...] | None:
        return None

    async def reset(self, position: Position, ack_set: Sequence[int] | None = None) -> None:
        """There is one place only: the next message."""


class VolatileLedger:
    """Confirms appends at once, and lends them to the dispatchers of the topic while it does.

    Attributes:
        sink: The topic.
        payloads: The entries that are being handed on, empty at any other time.
        first_entry_id: Of the first of them.
        ledger_id: Differs each time the topic is loaded. Readers skip what comes before their last
            message, which must not hit the messages of a topic that was loaded anew.
    """

    writable = True
    terminated = False
    size = 0
    entries_total = 0
    last_position = EARLIEST

    def __init__(self, ledger_id: int) -> None:
        self.sink: AppendSink | None = None
        self.on_fenced: Callable[[LedgerError], None] | None = None
        self.cursors: dict[str, VolatileCursor] = {}
        self.properties: dict[str, str] = {}
        self.ledger_id = ledger_id
        self.first_entry_id = 0
        self.payloads: Sequence[bytes] = ()

    def add_all(self, payloads: Sequence[bytes]) -> None:
        """Hand entries on; the sink hears of them before this returns."""
        assert self.sink is not None
        self.payloads = payloads
        self.sink.entries_appended(self.ledger_id, self.first_entry_id, len(payloads))
        self.first_entry_id += len(payloads)
        self.payloads = ()

    async def set_property(self, key: str, value: str) -> None:
        """Kept as long as the topic is loaded."""
        self.properties[key] = value

    async def change_properties(self, changes: Mapping[str, str | None]) -> None:
        """Kept as long as the topic is loaded."""
        for key, value in changes.items():
            if value is None:
                self.properties.pop(key, None)
            else:
                self.properties[key] = value

    def when_writable(self, callback: Callable[[], None]) -> None:
        callback()

    def previous_position(self, position: Position) -> Position:
        return EARLIEST

    def read_cached(
        self, position: Position, max_entries: int, max_bytes: int
    ) -> tuple[Position, list[bytes]] | None:
        return None

    async def read(
        self, position: Position, max_entries: int, max_bytes: int
    ) -> tuple[Position, list[bytes]]:
        return position, []

    async def find_first(self, predicate: Callable[[bytes], bool]) -> Position | None:
        return None

    async def open_cursor(
        self, name: str, start: Position, properties: Mapping[str, str] | None = None
    ) -> VolatileCursor:
        return self.open_transient_cursor(name, start)

    def open_transient_cursor(self, name: str, start: Position) -> VolatileCursor:
        cursor = self.cursors[name] = VolatileCursor(name)
        return cursor

    async def delete_cursor(self, name: str) -> None:
        self.cursors.pop(name, None)

    def fenced(self, error: LedgerError) -> None:
        """There is nothing that another owner could take."""

    async def trim(self) -> None:
        """There is nothing to trim."""

    async def close(self) -> None:
        """There is nothing to write down."""

    async def claim(self) -> None:
        """There is nothing that another owner could have."""

    async def delete(self) -> None:
        """There is nothing to delete."""
