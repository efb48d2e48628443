"""What consumers find again when the broker was restarted."""

from magnetar_proto import pulsar_api_pb2 as api

from tests.broker.consume_world import ConsumeWorld, ConsumingClient
from tests.broker.test_broker_on_ledgers import broker_on
from tests.ledger.managed.harness import World, run

SHARED = api.CommandSubscribe.Shared


async def connected(world: ConsumeWorld) -> ConsumingClient:
    client = await world.client()
    answer = await client.subscribe(kind=SHARED, permits=100)
    assert isinstance(answer, api.CommandSuccess)
    return client


def counts(messages: list[api.CommandMessage]) -> list[int]:
    return [one.redelivery_count for one in messages]


def test_redelivery_counts_survive() -> None:
    async def main() -> None:
        world = World()
        async with broker_on(world) as service:
            consume = ConsumeWorld(world, service)
            client = await connected(consume)
            await consume.publish(3)
            first = await client.messages(3)
            for times in (1, 2):
                client.send(
                    api.CommandRedeliverUnacknowledgedMessages(
                        consumer_id=1, message_ids=[first[1].message_id]
                    )
                )
                assert counts(await client.messages(1)) == [times]
            client.ack(first[0])
        async with broker_on(world) as service:
            client = await connected(ConsumeWorld(world, service))
            assert counts(await client.messages(2)) == [2, 0]

    run(main())
