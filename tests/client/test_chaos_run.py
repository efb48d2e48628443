"""A producer and a consumer through a network that is cut, stalled, reset, slowed down, half open.

Goal: nothing is lost, nothing overtakes, nothing is stored twice, and no task or connection is left
over. Method: numbers are sent without a pause while a plan of faults, drawn by a seed, runs on the
proxy between client and broker; deduplication is on, so a message that is sent again is stored
once. Longer: CHAOS_SECONDS=60; another plan: CHAOS_SEED=5.
"""

import asyncio
import os
from pathlib import Path

import pytest
from magnetar import Client, Consumer, ConsumerType, InitialPosition, MessageId, Producer
from magnetar.testing import Broker, ChaosProxy, Fault, Step, draw_plan

SECONDS = float(os.environ.get("CHAOS_SECONDS", "3"))
SEED = int(os.environ.get("CHAOS_SEED", "1"))
KEEP_ALIVE_MS = 400
RECOVERY_S = 60.0
SLICE = 50


def plan_of(seed: int) -> list[Step]:
    """Each fault once, a stall that keep-alive must notice, then as the seed draws them."""
    each = [Step(0.1, fault, 0.3) for fault in Fault]
    return [*each, Step(0.1, Fault.STALL, 2.5 * KEEP_ALIVE_MS / 1000), *draw_plan(seed, SECONDS)]


async def produce(producer: Producer, stop: asyncio.Event) -> list[asyncio.Future[MessageId]]:
    """Sends 0, 1, 2 and so on until it is told to stop."""
    sent: list[asyncio.Future[MessageId]] = []
    while not stop.is_set():
        for _ in range(SLICE):
            await producer.room()
            sent.append(producer.send_nowait(b"%d" % len(sent)))
        await asyncio.sleep(0.01)
    return sent


async def consume(consumer: Consumer, received: list[int]) -> None:
    """Notes and acknowledges all that comes, until it is cancelled."""
    async for message in consumer:
        received.append(int(message.data()))
        await consumer.acknowledge(message)


@pytest.mark.parametrize("kind", [ConsumerType.Exclusive, ConsumerType.Shared])
async def test_nothing_is_lost_and_nothing_overtakes(kind: ConsumerType, tmp_path: Path) -> None:
    before = asyncio.all_tasks()
    with Broker(tmp_path, {"brokerDeduplicationEnabled": "true"}) as broker:
        async with ChaosProxy("127.0.0.1", broker.port, seed=SEED) as proxy:
            client = Client(
                proxy.service_url, keep_alive_interval_ms=KEEP_ALIVE_MS, connection_timeout_ms=2000
            )
            consumer = await client.subscribe(
                "topic", "sub", consumer_type=kind, initial_position=InitialPosition.Earliest
            )
            producer = await client.create_producer("topic", send_timeout_millis=0)
            received: list[int] = []
            stop = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                consuming = group.create_task(consume(consumer, received))
                producing = group.create_task(produce(producer, stop))
                await proxy.run(plan_of(SEED))
                stop.set()
                async with asyncio.timeout(RECOVERY_S):
                    sent = await producing
                    ids = await asyncio.gather(*sent)
                    while len(set(received)) < len(sent):
                        await asyncio.sleep(0.02)
                consuming.cancel()
            await client.close()
            assert proxy.accepted > len(Fault)  # the faults did reach the client
        print(f"{kind.name}: {len(sent)} sent, {len(received)} received, {proxy.accepted} links")
        check_received(received, len(sent), ordered=kind is ConsumerType.Exclusive)
        # What was stored already when it was sent again has no place of its own.
        placed = [message_id for message_id in ids if message_id.ledger_id() >= 0]
        assert placed == sorted(placed)
        await check_stored(broker, len(sent))
    assert asyncio.all_tasks() == before


def check_received(received: list[int], count: int, *, ordered: bool) -> None:
    """All came; in order, where one consumer has all. What was not acknowledged may come again."""
    first = list(dict.fromkeys(received))
    assert (first if ordered else sorted(first)) == list(range(count))


async def check_stored(broker: Broker, count: int) -> None:
    """The topic holds each number once, in order."""
    async with Client(broker.service_url) as client:
        reader = await client.create_reader("topic", MessageId.earliest)
        stored = []
        while await reader.has_message_available():
            stored.append(int((await reader.read_next()).data()))
    assert stored == list(range(count))
