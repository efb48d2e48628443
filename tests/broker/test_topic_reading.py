"""Reading of topics by administrators: places, bytes and limits, on real ledgers."""

from typing import Any

import pytest
from magnetar_broker import topic_reading
from magnetar_broker.errors import UnsupportedError
from magnetar_broker.topic_name import TopicName
from magnetar_broker.topic_reading import analyzed, bytes_behind, cursor_of, log_of, nth_unacked
from magnetar_ledger.position import Position

from tests.broker.http.web_world import Web, web_world

T = "/admin/v2/persistent/public/default/t"


class _Ledger:
    ledgers = ((3, 10, 1000), (5, 0, 0), (7, 4, 400))


@pytest.mark.parametrize(
    ("position", "size"),
    [
        (Position(-1, -1), 1400),
        (Position(3, -1), 1400),
        (Position(3, 4), 900),
        (Position(4, 0), 400),
        (Position(5, 9), 400),
        (Position(7, 1), 200),
        (Position(7, 99), 0),
        (Position(8, 0), 0),
    ],
)
def test_bytes_behind_a_place(position: Position, size: int) -> None:
    ledger: Any = _Ledger()
    assert bytes_behind(ledger, position) == size


async def _four(world: Web) -> Any:
    assert (await world.ask("PUT", f"{T}/subscription/s", "earliest"))[0] == 204
    await world.produce("1", "2", "3", "4")
    return world.service.topics.loaded["persistent://public/default/t"]


async def test_places_among_what_is_left() -> None:
    async with web_world() as world:
        topic = await _four(world)
        ledger, cursor = log_of(topic), cursor_of(topic.subscriptions["s"])
        entries = [ledger.nth_entry(index) for index in range(5)]
        assert entries[4] is None
        cursor.ack_individual(entries[0] or Position(0, 0))
        cursor.ack_individual(entries[2] or Position(0, 0))
        found = [await nth_unacked(ledger, cursor, number) for number in (1, 2, 3)]
        assert found == [entries[1], entries[3], None]


async def test_a_long_backlog_is_read_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topic_reading, "MOST_ANALYZED_ENTRIES", 3)
    async with web_world() as world:
        topic = await _four(world)
        backlog = await analyzed(log_of(topic), cursor_of(topic.subscriptions["s"]), None)
        assert (backlog.entries, backlog.aborted) == (3, True)


async def test_non_persistent_topics_have_no_log() -> None:
    async with web_world() as world:
        name = TopicName.parse("non-persistent://public/default/t")
        topic = await world.service.admin.create(name)
        with pytest.raises(UnsupportedError):
            log_of(topic)
