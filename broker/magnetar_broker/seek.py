"""Moving a subscription to another place in its topic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from magnetar_ledger.position import LATEST, Position
from magnetar_proto.errors import PayloadError
from magnetar_proto.frames import parse_metadata

if TYPE_CHECKING:
    from magnetar_ledger.managed import ManagedLedger

    from magnetar_broker.subscription import Subscription
    from magnetar_broker.volatile import VolatileLedger


def publish_time_ms(payload: bytes) -> int:
    """As the producer gave it; 0 for an entry that cannot be understood."""
    try:
        return parse_metadata(payload)[0].publish_time
    except PayloadError:
        return 0


async def first_published_since(ledger: ManagedLedger | VolatileLedger, time_ms: int) -> Position:
    """The first entry that was published at this time or later; `LATEST` if all are older.

    Publish times are given by clients and hardly ever go back, so a binary search is good enough.

    Raises:
        LedgerError: Entries could not be read.
    """
    found = await ledger.find_first(lambda payload: publish_time_ms(payload) >= time_ms)
    return found if found is not None else LATEST


async def seek(subscription: Subscription, position: Position, ack_set: Sequence[int] = ()) -> None:
    """Send the consumers away and move the cursor: the next entry sent is the one at `position`.

    Clients expect CLOSE_CONSUMER before the answer to SEEK, and subscribe again by themselves.

    Args:
        ack_set: Which messages of that entry are wanted (bit set); all of them if empty.

    Raises:
        MetadataFailedError: Another seek is under way.
        LedgerError, MetadataError: The new place could not be stored.
    """
    if not subscription.topic.name.persistent:
        return  # there is one place only: the next message
    moving = subscription.begin_move()
    try:
        await subscription.cursor.reset(position, tuple(ack_set) or None)
    finally:
        subscription.end_move(moving)
        if not subscription.durable:
            # The place that was sought lives in the subscription alone: it waits for its reader.
            context = subscription.context
            wait_s = context.limits.reader_reconnect_ms / 1000
            context.call_later(wait_s, subscription.vanish_if_unused)


async def seek_time(subscription: Subscription, time_ms: int) -> None:
    """Go on with the first entry that was published at this time or later.

    Raises:
        MetadataFailedError: Another seek is under way.
        LedgerError, MetadataError: Entries could not be read, or the new place not stored.
    """
    await seek(subscription, await first_published_since(subscription.topic.ledger, time_ms))
