"""Several workers, and yet the events of each account in their order: a key-shared subscription.

    python examples/ordered_by_key.py [SERVICE_URL]

All events of one account have its name as their key. The broker gives each key to one worker, so
an account is never worked on by two at a time. Batches by key keep different keys apart.
"""

import asyncio
import sys
from collections import defaultdict

from magnetar import BatchingType, Client, Consumer, ConsumerType, InitialPosition

TOPIC = "example-account-events"
ACCOUNTS = ("anna", "ben", "carla", "dora", "emil", "fritz")
EVENTS_PER_ACCOUNT = 50
WORKERS = 3

Seen = dict[str, list[tuple[int, int]]]
"""By account: which worker saw which event, in the order of seeing."""


async def worker(number: int, consumer: Consumer, seen: Seen, all_seen: asyncio.Event) -> None:
    """Notes what it sees until it is cancelled."""
    async for message in consumer:
        seen[message.partition_key()].append((number, int(message.data())))
        await consumer.acknowledge(message)
        if sum(map(len, seen.values())) == EVENTS_PER_ACCOUNT * len(ACCOUNTS):
            all_seen.set()


async def main(service_url: str) -> None:
    seen: Seen = defaultdict(list)
    all_seen = asyncio.Event()
    async with Client(service_url) as client:
        consumers = [
            await client.subscribe(
                TOPIC,
                "bookkeeping",
                consumer_type=ConsumerType.KeyShared,
                initial_position=InitialPosition.Earliest,
            )
            for _ in range(WORKERS)
        ]
        producer = await client.create_producer(TOPIC, batching_type=BatchingType.KeyBased)
        async with asyncio.TaskGroup() as group:
            workers = [
                group.create_task(worker(number, consumer, seen, all_seen))
                for number, consumer in enumerate(consumers)
            ]
            for event in range(EVENTS_PER_ACCOUNT):
                for account in ACCOUNTS:
                    producer.send_nowait(str(event).encode(), partition_key=account)
            await producer.flush()
            async with asyncio.timeout(30):
                await all_seen.wait()
            for task in workers:
                task.cancel()
    for account in ACCOUNTS:
        events = [event for _, event in seen[account]]
        who = {number for number, _ in seen[account]}
        print(f"{account}: {len(events)} events, in order: {events == sorted(events)}, by {who}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "pulsar://localhost:6650"))
