"""Mistakes that `mypy --strict` must find, one on each line that says so (see test_typing.py)."""

from magnetar import Client, MessageId
from magnetar.schema import JsonSchema, StringSchema


async def main(client: Client) -> None:
    await client.create_producer("t", compresion_type=1)  # mistake
    await client.create_producer(7)  # mistake
    await client.subscribe("t")  # mistake
    producer = await client.create_producer("t")
    await producer.send(b"x", partition_key=3)  # mistake
    message_id: str = await producer.send(b"x")  # mistake
    StringSchema().encode(b"x")  # mistake
    number: str = JsonSchema(int).decode(b"")  # mistake
    _ = MessageId(1, 2) < 3  # mistake
    _ = message_id, number
