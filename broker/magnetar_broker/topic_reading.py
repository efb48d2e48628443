"""What administrators read of a topic: single entries, and what a subscription has left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from magnetar_proto.errors import PayloadError
from magnetar_proto.payloads import message_count

from magnetar_broker.errors import AbsentError, PreconditionError, UnsupportedError
from magnetar_broker.volatile import VolatileLedger

if TYPE_CHECKING:
    from magnetar_ledger.managed import Cursor, ManagedLedger
    from magnetar_ledger.position import Position

    from magnetar_broker.subscription import Subscription
    from magnetar_broker.topic import Topic

_ONE_ENTRY_BYTES: Final = 1
_READ_BYTES: Final = 1 << 20
_READ_ENTRIES: Final = 1000
_STEPS_AT_ONCE: Final = 1000
MOST_ANALYZED_ENTRIES: Final = 10_000
"""So many entries of a backlog are read at most (Pulsar's subscriptionBacklogScanMaxEntries)."""


def log_of(topic: Topic) -> ManagedLedger:
    """The managed ledger of a persistent topic. Raises UnsupportedError if it is not one."""
    if isinstance(topic.ledger, VolatileLedger):
        raise UnsupportedError(f"{topic.name} is not persistent: it keeps no messages")
    return topic.ledger


def cursor_of(subscription: Subscription) -> Cursor:
    """The cursor of a subscription of a persistent topic. Raises UnsupportedError."""
    log = log_of(subscription.topic)  # type: ignore[arg-type]
    return log.cursors[subscription.name]


async def entry_at(ledger: ManagedLedger, position: Position) -> bytes:
    """The payload of an entry. Raises AbsentError, LedgerError."""
    absent = AbsentError("Message not found")
    if not position.entry_id >= 0 or position > ledger.last_position:
        raise absent
    found, payloads = await ledger.read(position, 1, _ONE_ENTRY_BYTES)
    if not payloads or found != position:
        raise absent
    return payloads[0]


async def nth_unacked(ledger: ManagedLedger, cursor: Cursor, number: int) -> Position | None:
    """The entry that is so many places on in what a cursor has left, from 1; None at the end."""
    if number > cursor.backlog_entries:
        return None
    position = cursor.first_unacked()
    for step in range(1, number):
        position = cursor.next_unacked(ledger.next_position(position))
        if step % _STEPS_AT_ONCE == 0:
            await asyncio.sleep(0)
    return position if position <= ledger.last_position else None


async def examined(ledger: ManagedLedger, *, latest: bool, number: int) -> tuple[Position, bytes]:
    """An entry by its place, from 1: counted from the end if `latest`, else from the beginning."""
    total = ledger.entries_total
    if not total:
        raise PreconditionError("Could not examine messages due to the total message is zero")
    number = min(max(number, 1), total)
    position = ledger.nth_entry(total - number if latest else number - 1)
    if position is None:  # it was trimmed just now
        raise AbsentError("Message not found")
    return position, await entry_at(ledger, position)


def bytes_behind(ledger: ManagedLedger, position: Position) -> int:
    """About how many bytes lie behind a position; within a ledger by the share of its entries."""
    total = 0
    for ledger_id, entries, size in ledger.ledgers:
        if ledger_id > position.ledger_id:
            total += size
        elif ledger_id == position.ledger_id and entries:
            left = entries - min(max(position.entry_id + 1, 0), entries)
            total += size * left // entries
    return total


@dataclass(slots=True)
class Backlog:
    """What a subscription has left, as far as it was read."""

    entries: int = 0
    messages: int = 0
    first: Position | None = None
    last: Position | None = None
    aborted: bool = False


async def analyzed(ledger: ManagedLedger, cursor: Cursor, start: Position | None) -> Backlog:
    """Count the messages of a backlog, from `start` or the first that is not acked."""
    backlog = Backlog()
    async for position, payload in _unacked(ledger, cursor, start):
        if backlog.entries >= MOST_ANALYZED_ENTRIES:
            backlog.aborted = True
            break
        backlog.entries += 1
        backlog.messages += _messages_in(payload)
        backlog.first = backlog.first or position
        backlog.last = position
    return backlog


async def _unacked(
    ledger: ManagedLedger, cursor: Cursor, start: Position | None
) -> AsyncIterator[tuple[Position, bytes]]:
    position = cursor.first_unacked() if start is None else start
    while True:
        position, payloads = await ledger.read(position, _READ_ENTRIES, _READ_BYTES)
        if not payloads:
            return
        for payload in payloads:
            if start is not None or not cursor.is_acked(position):
                yield position, payload
            position = ledger.next_position(position)


def _messages_in(payload: bytes) -> int:
    try:
        return message_count(payload)
    except PayloadError:
        return 1  # what a producer wrote may be anything; it is still an entry
