"""Resets of subscriptions, as Apache Pulsar 4.0.7 answered the same calls."""

import pytest
from magnetar_broker.cursor_reset import Place, seek_place
from magnetar_ledger.position import EARLIEST, LATEST, Position

from tests.broker.consuming import payload
from tests.broker.subscribed import MemoryTopic

BATCH = 10


async def start_of(place: Place, *, by_index: bool = True) -> tuple[tuple[int, int], list[int]]:
    """The entry that comes next after two batches of ten, and what is wanted of it."""
    topic = MemoryTopic(batch_index_ack_enabled=by_index)
    topic.ledger.add(payload(0, batch=BATCH), payload(1, batch=BATCH), payload(2))
    subscription = await topic.open()
    await seek_place(subscription, place)
    first = subscription.cursor.first_unacked()
    words = subscription.cursor.ack_set_of(first)
    bits = None if words is None else words[0]
    wanted = range(BATCH) if bits is None else [n for n in range(64) if bits >> n & 1]
    return first, list(wanted)


WHOLE = list(range(BATCH))
FIRST, SECOND, THIRD, END = ((1, entry_id) for entry_id in range(4))


@pytest.mark.parametrize(
    ("place", "entry", "wanted"),
    [
        (Place(Position(1, 0)), FIRST, WHOLE),
        (Place(Position(1, 0), 4), FIRST, [4, 5, 6, 7, 8, 9]),
        (Place(Position(1, 0), 0), FIRST, WHOLE),
        (Place(Position(1, 0), 4, excluded=True), FIRST, [5, 6, 7, 8, 9]),
        (Place(Position(1, 0), 9, excluded=True), SECOND, WHOLE),
        (Place(Position(1, 0), 99), FIRST, WHOLE),
        (Place(Position(1, 0), 99, excluded=True), SECOND, WHOLE),
        (Place(Position(1, 0), excluded=True), SECOND, WHOLE),
        (Place(Position(1, 0), -5), FIRST, WHOLE),
        (Place(Position(1, 1), 9), SECOND, [9]),
        (Place(Position(1, 2), 3), THIRD, WHOLE),
        (Place(Position(1, 2), 3, excluded=True), END, WHOLE),
        (Place(Position(1, 77), 3), END, WHOLE),
        (Place(Position(51, 0), 3), END, WHOLE),
        (Place(EARLIEST, 3), FIRST, WHOLE),
        (Place(EARLIEST, excluded=True), FIRST, WHOLE),
        (Place(Position(-9, -9)), FIRST, WHOLE),
        (Place(LATEST), END, WHOLE),
        (Place(LATEST, excluded=True), END, WHOLE),
    ],
)
async def test_what_comes_next(place: Place, entry: tuple[int, int], wanted: list[int]) -> None:
    assert await start_of(place) == (entry, wanted)


async def test_batches_stay_whole_where_their_messages_are_not_acknowledged() -> None:
    assert await start_of(Place(Position(1, 0), 4), by_index=False) == (FIRST, WHOLE)
    place = Place(Position(1, 0), 4, excluded=True)
    assert await start_of(place, by_index=False) == (SECOND, WHOLE)


async def test_an_entry_that_is_no_message_is_one_entry() -> None:
    topic = MemoryTopic()
    topic.ledger.add(b"broken", payload(1))
    subscription = await topic.open()
    await seek_place(subscription, Place(Position(1, 0), 3, excluded=True))
    assert subscription.cursor.first_unacked() == SECOND
