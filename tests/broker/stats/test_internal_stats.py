"""Ledgers and cursors of a topic."""

import pytest
from magnetar_broker.stats import internal_stats as module
from magnetar_broker.stats.internal_stats import internal_stats
from magnetar_proto import pulsar_api_pb2 as api

from tests.broker.consume_world import TOPIC, ConsumeWorld, scenario


@scenario
async def test_ledgers_and_cursors(world: ConsumeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await world.client()
    await client.subscribe("s", api.CommandSubscribe.Shared, permits=9)
    published = await world.publish(6)
    messages = await client.messages(6)
    client.ack(messages[1], messages[3])
    topic = world.service.topics.loaded[TOPIC]
    stats = internal_stats(topic)
    ledger_id = published[0][0]
    assert (stats["entriesAddedCounter"], stats["numberOfEntries"]) == (6, 6)
    assert (stats["currentLedgerEntries"], stats["currentLedgerSize"]) == (6, topic.bytes_in)
    assert (stats["lastConfirmedEntry"], stats["state"]) == (f"{ledger_id}:5", "LedgerOpened")
    assert [each["ledgerId"] for each in stats["ledgers"]] == [ledger_id]
    cursor = stats["cursors"]["s"]
    assert cursor["markDeletePosition"] == f"{ledger_id}:-1"
    assert cursor["readPosition"] == f"{ledger_id}:6"
    first = f"({ledger_id}:0..{ledger_id}:1]"
    assert cursor["individuallyDeletedMessages"] == f"[{first},({ledger_id}:2..{ledger_id}:3]]"
    assert cursor["totalNonContiguousDeletedMessagesRange"] == 2
    monkeypatch.setattr(module, "MOST_RANGES", 1)
    assert internal_stats(topic)["cursors"]["s"]["individuallyDeletedMessages"] == f"[{first}]"
    await topic.terminate()
    assert internal_stats(topic)["state"] == "Terminated"


@scenario
async def test_non_persistent_topics_have_none(world: ConsumeWorld) -> None:
    client, name = await world.client(), "non-persistent://public/default/x"
    await client.produce(name, 1)
    stats = internal_stats(world.service.topics.loaded[name])
    assert (stats["numberOfEntries"], stats["cursors"], stats["pendingAddEntriesCount"]) == (
        0,
        {},
        0,
    )
    assert "state" not in stats
