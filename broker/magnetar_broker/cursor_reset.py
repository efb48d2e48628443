"""Where administrators send a subscription: to a message, or behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from magnetar_ledger.position import LATEST, Position
from magnetar_proto.ack_sets import words_of_bits
from magnetar_proto.errors import PayloadError
from magnetar_proto.payloads import parse_metadata

from magnetar_broker.seek import seek

if TYPE_CHECKING:
    from magnetar_ledger.managed import ManagedLedger

    from magnetar_broker.subscription import Subscription
    from magnetar_broker.volatile import VolatileLedger

_ONE_ENTRY_BYTES: Final = 1


@dataclass(frozen=True, slots=True)
class Place:
    """A message of a topic.

    Attributes:
        position: Its entry.
        batch_index: Its index in the batch that the entry is; -1 is the entry as a whole.
        excluded: What comes behind it is meant.
    """

    position: Position
    batch_index: int = -1
    excluded: bool = False


async def seek_place(subscription: Subscription, place: Place) -> None:
    """Send the consumers away; the next message sent is the one at `place`, or the one behind.

    An index that the entry does not have, or in an entry that is no batch, means the whole entry.

    Raises:
        MetadataFailedError: Another seek is under way.
        LedgerError, MetadataError: The entry could not be read, or the new place not stored.
    """
    count = 0
    if place.batch_index >= 0 and subscription.context.limits.batch_index_ack_enabled:
        count = await _messages_at(subscription.topic.ledger, place.position)
    await seek(subscription, *_start_of(place, count))


def _start_of(place: Place, count: int) -> tuple[Position, tuple[int, ...]]:
    """The entry that comes next and the ack set of what is wanted of it; all of it if empty."""
    first = place.batch_index + place.excluded
    if place.batch_index < 0 or place.batch_index >= count:
        first = count if place.excluded else 0
    if first < count:
        return place.position, words_of_bits((1 << count) - (1 << first)) if first else ()
    if not place.excluded or place.position == LATEST:
        return place.position, ()
    return Position(place.position.ledger_id, place.position.entry_id + 1), ()


async def _messages_at(ledger: ManagedLedger | VolatileLedger, position: Position) -> int:
    """How many messages the batch at a position has; 0 if there is none."""
    found, payloads = await ledger.read(position, 1, _ONE_ENTRY_BYTES)
    if not payloads or found != position:
        return 0
    try:
        metadata, _ = parse_metadata(payloads[0])
    except PayloadError:
        return 0  # what a producer wrote may be anything; it still has a position
    return metadata.num_messages_in_batch if metadata.HasField("num_messages_in_batch") else 0
