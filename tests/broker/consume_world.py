"""A broker service over real ledgers in memory, and clients that consume, in virtual time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from functools import wraps
from inspect import Signature, signature
from typing import Any

from magnetar_broker.config import BrokerConfig
from magnetar_broker.consume_limits import ConsumeLimits
from magnetar_broker.service import BrokerDeps, BrokerService
from magnetar_broker.subscription import Subscription
from magnetar_ledger.managed import LedgerPolicies, ManagedLedger
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.frames import encode_payload_command

from tests.broker.client import Client
from tests.broker.consuming import payload
from tests.ledger.managed.harness import World, run, until

TOPIC = "persistent://public/default/t"


class ConsumingClient(Client):
    """A client that remembers what it was sent, by consumer."""

    def __init__(self, *args: Any, **fields: Any) -> None:
        super().__init__(*args, **fields)
        self.log: list[Any] = []
        self.next_request = 1

    def take(self) -> list[Any]:
        """What came since the last call, all of it."""
        self.poll()
        taken, self.log = self.log, []
        return taken

    def poll(self) -> list[Any]:
        self.log += self.received()
        return self.log

    def of(self, kind: type) -> list[Any]:
        """Commands of a kind that came and were not taken."""
        return [message for message in self.poll() if isinstance(message, kind)]

    async def reply(self, request_id: int) -> Any:
        """The answer to a request; it stays in the log too."""

        def found() -> list[Any]:
            return [
                message
                for message in self.poll()
                if getattr(message, "request_id", None) == request_id
            ]

        await until(lambda: bool(found()))
        return found()[0]

    async def request(self, command: Any) -> Any:
        """Send a request with an id of its own and wait for the answer."""
        command.request_id = self.next_request
        self.next_request += 1
        self.send(command)
        return await self.reply(command.request_id)

    async def subscribe(
        self,
        subscription: str = "s",
        kind: int = api.CommandSubscribe.Exclusive,
        *,
        consumer_id: int = 1,
        earliest: bool = True,
        permits: int = 0,
        topic: str = TOPIC,
        **fields: Any,
    ) -> Any:
        """Subscribe and give permits; the answer."""
        position = api.CommandSubscribe.Earliest if earliest else api.CommandSubscribe.Latest
        command = api.CommandSubscribe(
            topic=topic,
            subscription=subscription,
            subType=kind,
            consumer_id=consumer_id,
            initialPosition=position,
            request_id=0,
            **fields,
        )
        answer = await self.request(command)
        if permits and isinstance(answer, api.CommandSuccess):
            self.flow(permits, consumer_id)
        return answer

    def flow(self, permits: int, consumer_id: int = 1) -> None:
        self.send(api.CommandFlow(consumer_id=consumer_id, messagePermits=permits))

    def ack(self, *messages: Any, consumer_id: int = 1, cumulative: bool = False) -> None:
        """Ack messages, or message ids."""
        ids = [getattr(message, "message_id", message) for message in messages]
        kind = api.CommandAck.Cumulative if cumulative else api.CommandAck.Individual
        self.send(api.CommandAck(consumer_id=consumer_id, ack_type=kind, message_id=ids))

    async def messages(self, count: int, consumer_id: int = 1) -> list[api.CommandMessage]:
        """Exactly so many messages of a consumer; they are taken out of the log."""

        def mine() -> list[Any]:
            return [one for one in self.of(api.CommandMessage) if one.consumer_id == consumer_id]

        await until(lambda: len(mine()) >= count)
        for _ in range(20):
            await asyncio.sleep(0)
        found = mine()
        assert len(found) == count
        self.log = [one for one in self.log if one not in found]
        return found


class ConsumeWorld:
    """The service and what it stands on."""

    def __init__(self, world: World, service: BrokerService) -> None:
        self.world = world
        self.service = service
        self._producer: Client | None = None
        self._published = 0

    async def client(self, version: str = "Pulsar-Java-v4.0.7") -> ConsumingClient:
        """A client behind its handshake."""
        client = ConsumingClient(self.service.new_connection, ("127.0.0.1", 50_000))
        client.send(api.CommandConnect(client_version=version, protocol_version=21))
        await until(lambda: bool(client.poll()))
        client.take()
        return client

    async def publish(
        self,
        count: int = 1,
        *,
        batch: int | None = None,
        published_ms: int = 0,
        deliver_at_ms: Sequence[int | None] = (),
        key: str | None = None,
        topic: str = TOPIC,
    ) -> list[tuple[int, int]]:
        """Publish entries and wait for their receipts; their positions.

        Args:
            deliver_at_ms: of the first entries; the others have no delay.
        """
        producer = ConsumingClient(self.service.new_connection, ("127.0.0.1", 50_001))
        await producer.connect()
        await producer.produce(topic, producer_name=f"p{self._published}")
        frames = []
        for sequence_id in range(count):
            self._published += 1
            entry = payload(
                self._published,
                batch=batch,
                published_ms=published_ms,
                key=key,
                deliver_at_ms=deliver_at_ms[sequence_id] if deliver_at_ms[sequence_id:] else None,
            )
            send = api.CommandSend(producer_id=1, sequence_id=sequence_id, num_messages=batch or 1)
            frames.append(encode_payload_command(send, entry) + entry)
        producer.feed(b"".join(frames))
        await until(lambda: len(producer.of(api.CommandSendReceipt)) == count)
        ids = [receipt.message_id for receipt in producer.of(api.CommandSendReceipt)]
        producer.transport.close()
        await asyncio.sleep(0)
        return [(one.ledgerId, one.entryId) for one in ids]

    async def subscription(self, name: str = "s", topic: str = TOPIC) -> Subscription:
        return self.service.topics.loaded[topic].subscriptions[name]

    def drop_cache(self, topic: str = TOPIC) -> None:
        """Nothing of a topic is in the tail cache any more."""
        self.service.topics.loaded[topic].ledger._cache.clear()


@asynccontextmanager
async def consume_world(
    config: BrokerConfig | None = None, adjust: Callable[[World], None] | None = None
) -> AsyncIterator[ConsumeWorld]:
    """Start a broker; at the end stop it and see that nothing failed beside the test."""
    world = World()
    if adjust is not None:
        adjust(world)

    async def open_ledger(
        name: str, *, create: bool, policies: LedgerPolicies | None = None
    ) -> ManagedLedger:
        return await ManagedLedger.open(name, world.deps(), create, policies)

    deps = BrokerDeps(store=world.store, open_ledger=open_ledger, clock=world.clock)
    service = BrokerService(config or BrokerConfig(), deps, world.scope)
    await service.start()
    yield ConsumeWorld(world, service)
    await service.stop()
    await world.scope.close()


def message_id(ledger_id: int, entry_id: int, **fields: Any) -> api.MessageIdData:
    """With -1 as the wire has it."""
    return api.MessageIdData(ledgerId=ledger_id % 2**64, entryId=entry_id % 2**64, **fields)


def positions(messages: list[api.CommandMessage]) -> list[tuple[int, int]]:
    return [(one.message_id.ledgerId, one.message_id.entryId) for one in messages]


Scenario = Callable[..., Coroutine[Any, Any, None]]


def scenario(test: Scenario | None = None, **limits: Any) -> Any:
    """Run the test in virtual time with a broker of its own."""

    def wrap(test: Scenario) -> Callable[..., None]:
        async def main(*args: Any, **fields: Any) -> None:
            async with consume_world(BrokerConfig(consume=ConsumeLimits(**limits))) as world:
                await test(world, *args, **fields)

        @wraps(test)
        def sync(*args: Any, **fields: Any) -> None:
            run(main(*args, **fields))

        asked = list(signature(test).parameters.values())[1:]
        sync.__signature__ = Signature(asked)  # type: ignore[attr-defined]
        del sync.__wrapped__
        return sync

    return wrap if test is None else wrap(test)
