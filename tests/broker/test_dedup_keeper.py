"""Deduplication of a whole broker: repeats, restarts, what is kept in which form."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from magnetar_broker.config import BrokerConfig, DedupConfig
from magnetar_broker.errors import ErrorCode
from magnetar_broker.service import BrokerService
from magnetar_broker.subscribe import DEDUP_CURSOR
from magnetar_broker.topic import Topic
from magnetar_ledger.errors import LedgerClosedError
from magnetar_ledger.managed import ManagedLedger
from magnetar_ledger.position import EARLIEST, Position
from magnetar_metadata.managed_ledger_info import CursorInfo
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.frames import encode_payload_command
from magnetar_proto.payloads import encode_payload
from magnetar_runtime.limits import Limits

from tests.broker.client import Client, kind_of, send_frame, sends
from tests.broker.test_broker_on_ledgers import (
    TOPIC,
    broker_on,
    client_of,
    on_virtual_time,
    replies,
)
from tests.ledger.managed.harness import World

DEDUP_NODE = "/managed-ledgers/public/default/persistent/x/pulsar.dedup"
DEDUP = BrokerConfig(dedup=DedupConfig(enabled=True, entries_interval=10))
NO_PLACE = (2**64 - 1, 2**64 - 1)


def topic_of(service: BrokerService) -> Topic:
    return service.topics.loaded[TOPIC]


def ledger_of(service: BrokerService) -> ManagedLedger:
    ledger = topic_of(service).ledger
    assert isinstance(ledger, ManagedLedger)
    return ledger


def places(receipts: Sequence[Any]) -> list[tuple[int, int]]:
    assert [kind_of(each) for each in receipts] == ["send_receipt"] * len(receipts)
    return [(each.message_id.ledgerId, each.message_id.entryId) for each in receipts]


async def publish(client: Client, *sequence_ids: int) -> list[tuple[int, int]]:
    client.publish(*sends(1, *sequence_ids))
    receipts = await replies(client, len(sequence_ids))
    assert [each.sequence_id for each in receipts] == list(sequence_ids)
    return places(receipts)


@on_virtual_time
async def test_repeats_get_a_receipt_without_a_place() -> None:
    world = World()
    async with broker_on(world, DEDUP) as service:
        client = await client_of(service)
        success = await client.produce("x", 1, producer_name="p")
        assert success.last_sequence_id == -1
        first = await publish(client, 0, 1, 2)
        assert NO_PLACE not in first
        again = await publish(client, 1, 2, 3, 0)
        assert [place == NO_PLACE for place in again] == [True, True, False, True]
        assert ledger_of(service).entries_total == 4
        assert client.connection.publishes.messages == 0
        assert client.connection.publishes.size_bytes == 0
        other = await client.produce("x", 2, producer_name="q")
        assert other.last_sequence_id == -1
        client.publish(*sends(2, 0))
        assert NO_PLACE not in places(await replies(client, 1))
    await world.scope.close()


@on_virtual_time
async def test_repeats_of_what_is_under_way_are_answered_in_their_turn() -> None:
    """Scenario: a client connects anew and sends again what its broker is about to store.

    Pulsar ends the connection by an error, until the first copy is stored.
    """
    world = World()
    async with broker_on(world, DEDUP) as service:
        client = await client_of(service)
        await client.produce("x", 1, producer_name="p")
        client.publish(*sends(1, 0, 1))
        client.publish(*sends(1, 0, 1, 2))
        receipts = await replies(client, 5)
        assert [each.sequence_id for each in receipts] == [0, 1, 0, 1, 2]
        repeated = [place == NO_PLACE for place in places(receipts)]
        assert repeated == [False, False, True, True, False]
        assert ledger_of(service).entries_total == 3
    await world.scope.close()


@pytest.mark.parametrize("clean", [True, False])
def test_a_restart_keeps_sequence_ids(clean: bool) -> None:
    """Cleanly by the snapshot alone; after a crash by snapshot and replay."""

    @on_virtual_time
    async def play() -> None:
        world = World()
        async with broker_on(world, DEDUP) as service:
            client = await client_of(service)
            await client.produce("x", 1, producer_name="p")
            for first in range(0, 45, 5):
                await publish(client, *range(first, first + 5))
                await asyncio.sleep(0.3)
            client.feed(send_frame(api.CommandSend(producer_id=1, sequence_id=45)))
            await replies(client, 1)
            if not clean:  # what is kept later comes too late
                copy = dict(ledger_of(service).cursors[DEDUP_CURSOR].long_properties)
                assert 10 <= copy["p"] < 45
                async with broker_on(world, DEDUP) as next_service:
                    await check_restored(next_service)
        if clean:
            async with broker_on(world, DEDUP) as service:
                await check_restored(service)
        await world.scope.close()

    play()


async def check_restored(service: BrokerService) -> None:
    client = await client_of(service)
    success = await client.produce("x", 1, producer_name="p")
    assert success.last_sequence_id == 45
    again = await publish(client, 0, 30, 45, 46)
    assert [place == NO_PLACE for place in again] == [True, True, True, False]


@on_virtual_time
async def test_sequence_ids_are_kept_before_what_they_stand_for_may_be_trimmed() -> None:
    world = World()
    async with broker_on(world, DEDUP) as service:
        client = await client_of(service)
        await client.produce("x", 1, producer_name="p")
        cursor = ledger_of(service).cursors[DEDUP_CURSOR]
        flushes: list[tuple[Position, int]] = []
        flush = cursor.flush

        async def spy() -> None:
            flushes.append((cursor.mark_delete, cursor.long_properties["p"]))
            await flush()

        cursor.flush = spy  # type: ignore[method-assign]
        await asyncio.sleep(2)
        places = await publish(client, *range(12))
        await asyncio.sleep(2)
        before, kept = flushes[0]
        assert (before.entry_id, kept) == (-1, 11)
        assert cursor.mark_delete == places[-1]
    await world.scope.close()


@on_virtual_time
async def test_the_cursor_is_no_subscription_and_takes_no_consumer() -> None:
    world = World()
    for _ in range(2):
        async with broker_on(world, DEDUP) as service:
            client = await client_of(service)
            await client.produce("x", 1, producer_name="p")
            assert not topic_of(service).subscriptions
            refused = await client.ask(
                api.CommandSubscribe(
                    topic="x", subscription=DEDUP_CURSOR, subType=0, consumer_id=1, request_id=1
                )
            )
            assert refused.error == ErrorCode.PRODUCER_BUSY
    await world.scope.close()


@on_virtual_time
async def test_switched_off_it_leaves_nothing_behind() -> None:
    world = World()
    async with broker_on(world, DEDUP) as service:
        client = await client_of(service)
        await client.produce("x", 1, producer_name="p")
        await publish(client, 0)
    async with broker_on(world) as service:
        client = await client_of(service)
        success = await client.produce("x", 1, producer_name="p")
        assert success.last_sequence_id == -1
        assert NO_PLACE not in await publish(client, 0)
        assert DEDUP_CURSOR not in ledger_of(service).cursors
    async with broker_on(world, DEDUP) as service:
        client = await client_of(service)
        success = await client.produce("x", 1, producer_name="p")
        assert success.last_sequence_id == -1
    await world.scope.close()


@on_virtual_time
async def test_producers_that_stay_away_are_forgotten() -> None:
    world = World()
    config = BrokerConfig(
        dedup=DedupConfig(
            enabled=True,
            snapshot_frequency_ms=1_000,
            snapshot_interval_ms=5_000,
            producer_timeout_ms=20_000,
        ),
        limits=Limits(keep_alive_interval_ms=1_000_000),
    )
    async with broker_on(world, config) as service:
        client = await client_of(service)
        await client.produce("x", 1, producer_name="p")
        await publish(client, 0)
        cursor = ledger_of(service).cursors[DEDUP_CURSOR]
        await asyncio.sleep(8)
        assert cursor.long_properties == {"p": 0}
        await asyncio.sleep(30)
        assert cursor.long_properties == {"p": 0}
        await client.ask(api.CommandCloseProducer(producer_id=1, request_id=5))
        await client.produce("x", 2, producer_name="q")
        await asyncio.sleep(30)
        assert cursor.long_properties == {}
    await world.scope.close()


@on_virtual_time
async def test_failed_messages_may_come_again() -> None:
    world = World()
    async with broker_on(world, DEDUP) as service:
        client = await client_of(service)
        await client.produce("x", 1, producer_name="p")
        await publish(client, 0)
        dedup = topic_of(service).publishing.dedup
        assert dedup is not None
        path = topic_of(service).publishing
        ledger = ledger_of(service)
        taken: list[bytes] = []
        add_all, ledger.add_all = ledger.add_all, taken.extend
        client.publish(*sends(1, 1, 2, 1))
        assert len(taken) == 2
        path.append_failed(2, LedgerClosedError("gone"))
        ledger.add_all = add_all
        told = [kind_of(each) for each in await replies(client, 4)]
        assert told == ["send_error"] * 3 + ["close_producer"]
        success = await client.produce("x", 1, producer_name="p", epoch=1)
        assert success.last_sequence_id == 0
        again = await publish(client, 0, 1, 2)
        assert [place == NO_PLACE for place in again] == [True, False, False]
    await world.scope.close()


@on_virtual_time
async def test_old_ledgers_are_trimmed_though_nobody_subscribes() -> None:
    world = World()
    async with broker_on(world, DEDUP, max_entries_per_ledger=10) as service:
        client = await client_of(service)
        await client.produce("x", 1, producer_name="p")
        await ledger_of(service).open_cursor("s", EARLIEST)
        await ledger_of(service).delete_cursor("s")
        for first in range(0, 100, 10):
            await publish(client, *range(first, first + 10))
            await asyncio.sleep(2)
        assert ledger_of(service).entries_total <= 20
    async with broker_on(world, DEDUP) as service:
        client = await client_of(service)
        success = await client.produce("x", 1, producer_name="p")
        assert success.last_sequence_id == 99
    await world.scope.close()


@on_virtual_time
async def test_the_largest_id_there_is_does_not_end_the_broker_nor_the_next() -> None:
    largest, world = 2**63 - 1, World()
    async with broker_on(world, DEDUP) as service:
        client = await client_of(service)
        await client.produce("x", 1, producer_name="p")
        metadata = api.MessageMetadata(
            producer_name="p", sequence_id=largest, publish_time=1, num_messages_in_batch=2
        )
        payload = encode_payload(metadata, b"x")
        send = api.CommandSend(producer_id=1, sequence_id=largest, num_messages=2)
        client.feed(encode_payload_command(send, payload) + payload)
        assert NO_PLACE not in places(await replies(client, 1))
        copy = dict(ledger_of(service).cursors[DEDUP_CURSOR].long_properties)
        assert copy == {}  # so that the next one has it from the entry
        async with broker_on(world, DEDUP) as next_service:
            client = await client_of(next_service)
            success = await client.produce("x", 1, producer_name="p")
            assert success.last_sequence_id == largest
            assert await publish(client, largest) == [NO_PLACE]
    node = await world.store.get(DEDUP_NODE)
    assert node is not None
    assert CursorInfo.decode(node.value).properties == {"p": largest}
    await world.scope.close()


def test_a_bug_that_keeping_the_ids_of_one_topic_meets_does_not_end_the_broker(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @on_virtual_time
    async def play() -> None:
        world = World()
        async with broker_on(world, DEDUP) as service:
            client = await client_of(service)
            await client.produce("x", 1, producer_name="p")
            await asyncio.sleep(2)
            dedup = topic_of(service).publishing.dedup
            assert dedup is not None
            snapshot = dedup.snapshot
            dedup.snapshot = lambda: {"p": 1 // 0}  # type: ignore[method-assign]
            await publish(client, *range(12))
            await asyncio.sleep(2)
            assert "ZeroDivisionError" in caplog.text
            dedup.snapshot = snapshot  # type: ignore[method-assign]
            await publish(client, 12)
            await asyncio.sleep(2)
            assert ledger_of(service).cursors[DEDUP_CURSOR].long_properties == {"p": 12}
        await world.scope.close()

    play()


PULSARS_NODE = bytes.fromhex(
    "08ffffffffffffffffff011003181e2a150a116f746865722070726f64756365722dc3bc10722a0d0a0170108080"
    "80808080808040309a8d86c2a134"
)
"""The node of `pulsar.dedup` as Apache Pulsar 4.0.7 left it after `publish_as_recorded`."""
OTHER = "other producer-ü"


async def publish_as_recorded(service: BrokerService) -> tuple[int, int]:
    """31 messages; the place of the last one."""
    client = await client_of(service)
    await client.produce("x", 1, producer_name="p")
    await client.produce("x", 2, producer_name=OTHER)
    await publish(client, *range(15))
    client.publish(*sends(2, *range(100, 115)))
    await replies(client, 15)
    return (await publish(client, 2**62))[0]


@on_virtual_time
async def test_a_stop_leaves_what_pulsar_leaves() -> None:
    world = World()
    async with broker_on(world, DEDUP) as service:
        last = await publish_as_recorded(service)
        await asyncio.sleep(3)
    node = await world.store.get(DEDUP_NODE)
    assert node is not None
    ours, pulsars = CursorInfo.decode(node.value), CursorInfo.decode(PULSARS_NODE)
    # When a cursor was last active is for subscriptions that expire, which are not built.
    moved = replace(pulsars, mark_delete=last, last_active_ms=0)
    assert ours == moved
    assert (
        replace(ours, properties=dict(sorted(ours.properties.items()))).encode() == moved.encode()
    )
    assert pulsars.encode() == PULSARS_NODE


@on_virtual_time
async def test_what_pulsar_left_is_taken_over() -> None:
    """The node alone tells the sequence ids: the entries are of another producer."""
    world = World()
    async with broker_on(world) as service:
        client = await client_of(service)
        await client.produce("x", 1, producer_name="none of them")
        places_ = await publish(client, *range(31))
    info = replace(CursorInfo.decode(PULSARS_NODE), mark_delete=places_[-1])
    await world.store.create(DEDUP_NODE, info.encode())
    async with broker_on(world, DEDUP) as service:
        client = await client_of(service)
        for producer_id, (name, last) in enumerate({"new": -1, "p": 2**62, OTHER: 114}.items()):
            success = await client.produce("x", producer_id, producer_name=name)
            assert success.last_sequence_id == last
        again = await publish(client, 2**62)
        assert again == [NO_PLACE]
    await world.scope.close()
