"""Requests and replies: a service that is asked by messages, and a caller that awaits answers.

    python examples/request_reply.py [SERVICE_URL]

Each caller has a topic of its own for replies and names it in the request. A number tells which
reply belongs to which request, so many may be under way at once. That topic is non-persistent: a
reply is of no use to anybody when its caller has gone.
"""

import asyncio
import itertools
import sys
from typing import Self

from magnetar import Client, Consumer, ConsumerType, Producer

REQUESTS = "example-requests"
REPLIES = "non-persistent://public/default/example-replies"
TIMEOUT_S = 10.0


class Caller:
    """Asks, and awaits the answers."""

    def __init__(self, producer: Producer, replies: Consumer) -> None:
        self._producer = producer
        self._replies = replies
        self._waiting: dict[str, asyncio.Future[bytes]] = {}
        self._numbers = itertools.count()

    @classmethod
    async def open(cls, client: Client) -> Self:
        return cls(
            await client.create_producer(REQUESTS), await client.subscribe(REPLIES, "caller")
        )

    async def call(self, content: bytes) -> bytes:
        number = str(next(self._numbers))
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            properties = {"reply-to": REPLIES, "number": number}
            await self._producer.send(content, properties=properties)
            async with asyncio.timeout(TIMEOUT_S):
                return await answer
        finally:
            del self._waiting[number]

    async def take_replies(self) -> None:
        """Runs beside the calls."""
        async for message in self._replies:
            await self._replies.acknowledge(message)
            answer = self._waiting.get(message.properties()["number"])
            if answer is not None and not answer.done():
                answer.set_result(message.data())


async def serve(client: Client, requests: Consumer) -> None:
    """The service: any number of them may run, each request goes to one."""
    producers: dict[str, Producer] = {}
    async for message in requests:
        properties = message.properties()
        topic = properties["reply-to"]
        if topic not in producers:
            producers[topic] = await client.create_producer(topic)
        await producers[topic].send(
            message.data().upper(), properties={"number": properties["number"]}
        )
        await requests.acknowledge(message)


async def main(service_url: str) -> None:
    async with Client(service_url) as client, asyncio.TaskGroup() as group:
        caller = await Caller.open(client)
        requests = await client.subscribe(REQUESTS, "service", consumer_type=ConsumerType.Shared)
        tasks = [
            group.create_task(serve(client, requests)),
            group.create_task(caller.take_replies()),
        ]
        answers = await asyncio.gather(*(caller.call(b"hello %d" % n) for n in range(5)))
        print(b", ".join(answers).decode())
        for task in tasks:
            task.cancel()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "pulsar://localhost:6650"))
