"""A program for the official client's asyncio module, moved to this client.

    python examples/from_official_client.py [SERVICE_URL]

Names, arguments and defaults are the same, so a port is the import. Marked with `# was:` are the
only lines that differ; what follows them is what one gets in addition.
"""

import asyncio
import sys

import magnetar as pulsar  # was: import pulsar, pulsar.asyncio
from magnetar.schema import (  # was: from pulsar.schema import ...
    Integer,
    JsonSchema,
    Record,
    String,
)

TOPIC = "example-migration"


class Reading(Record):
    sensor = String(required=True)
    value = Integer()


async def main(service_url: str) -> None:
    client = pulsar.Client(service_url)  # was: pulsar.asyncio.Client(service_url)
    consumer = await client.subscribe(
        TOPIC,
        "my-subscription",
        consumer_type=pulsar.ConsumerType.Shared,
        initial_position=pulsar.InitialPosition.Earliest,
        schema=JsonSchema(Reading),
        negative_ack_redelivery_delay_ms=1000,
    )
    producer = await client.create_producer(
        TOPIC, schema=JsonSchema(Reading), compression_type=pulsar.CompressionType.ZLib
    )
    await producer.send(Reading(sensor="s1", value=20), properties={"room": "cellar"})

    message = await consumer.receive()
    print(message.value().sensor, message.value().value, message.properties()["room"])
    await consumer.acknowledge(message)

    # In addition: a time-out that loses no message, `async for`, `async with`, the ids of others.
    try:
        await consumer.receive(timeout=0.1)
    except pulsar.Timeout:
        print("nothing more")
    same = pulsar.MessageId.deserialize(message.message_id().serialize())
    print("ids are equal:", same == message.message_id())
    await client.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "pulsar://localhost:6650"))
