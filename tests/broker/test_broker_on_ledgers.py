"""The broker on real managed ledgers, a memory store and a bookie in memory, in virtual time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from magnetar_broker.config import BrokerConfig
from magnetar_broker.errors import ErrorCode
from magnetar_broker.service import BrokerDeps, BrokerService
from magnetar_broker.topic_name import TopicName
from magnetar_ledger.errors import ManagedLedgerFencedError
from magnetar_ledger.managed import LedgerPolicies, ManagedLedger
from magnetar_ledger.position import EARLIEST, Position
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.bookie import Status
from magnetar_proto.frames import SIZE_BYTES
from magnetar_runtime.limits import Limits
from magnetar_runtime.scope import TaskScope

from tests.broker.client import Client, kind_of, send_frame, sends
from tests.ledger.managed.harness import World, run

TOPIC = "persistent://public/default/x"


@asynccontextmanager
async def broker_on(
    world: World, config: BrokerConfig | None = None, **ledger_config: Any
) -> AsyncIterator[BrokerService]:
    """A broker that is stopped in the end, as a process that is asked to end."""
    deps = world.deps(**ledger_config)

    async def open_ledger(
        name: str, *, create: bool, policies: LedgerPolicies | None = None
    ) -> ManagedLedger:
        return await ManagedLedger.open(name, deps, create, policies)

    scope = TaskScope()
    service = BrokerService(
        config or BrokerConfig(), BrokerDeps(world.store, open_ledger, world.clock), scope
    )
    await service.start()
    try:
        yield service
    finally:
        await service.stop()
        await scope.close()


async def client_of(service: BrokerService) -> Client:
    client = Client(service.new_connection)
    await client.connect()
    return client


async def replies(client: Client, count: int) -> list[Any]:
    """The next replies; time jumps while they are awaited."""
    found: list[Any] = []
    for _ in range(1000):
        found += client.received()
        if len(found) >= count:
            break
        await asyncio.sleep(0.01)
    assert len(found) == count, found
    return found


def on_virtual_time(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    def run_test() -> None:
        run(test())  # type: ignore[arg-type]

    run_test.__name__ = test.__name__
    run_test.__doc__ = test.__doc__
    return run_test


@on_virtual_time
async def test_a_topic_of_another_owner_delivers_nothing_more() -> None:
    world = World()
    async with broker_on(world) as service:
        client = await client_of(service)
        await client.produce("x", 1)
        subscribe = api.CommandSubscribe(
            topic="x", subscription="s", subType=1, request_id=2, consumer_id=1
        )
        await client.ask(subscribe)
        client.publish(*sends(1, 0, 1, 2))
        await replies(client, 3)
        async with broker_on(world) as other:
            await (await client_of(other)).produce("x", 1)
            # The first refused write is that of a property; nothing is published meanwhile.
            with pytest.raises(ManagedLedgerFencedError):
                await service.topics.loaded[TOPIC].ledger.set_property("a", "b")
            client.send(api.CommandFlow(consumer_id=1, messagePermits=10))
            closed = await replies(client, 2)
            assert sorted(map(kind_of, closed)) == ["close_consumer", "close_producer"]
            assert await client.turn() == []
            assert not service.topics.loaded


@on_virtual_time
async def test_messages_outlive_the_broker() -> None:
    world = World()
    async with broker_on(world) as service:
        client = await client_of(service)
        first = await client.produce("x", 1)
        # Without a subscription nothing holds what is written.
        await service.topics.loaded[TOPIC].ledger.open_cursor("s", EARLIEST)
        client.publish(*sends(1, *range(50)), body=b"before")
        receipts = await replies(client, 50)
        assert [receipt.message_id.entryId for receipt in receipts] == list(range(50))
    async with broker_on(world) as service:
        client = await client_of(service)
        second = await client.produce("x", 1)
        assert first.producer_name != second.producer_name
        client.publish(*sends(1, 0), body=b"after")
        [receipt] = await replies(client, 1)
        ledger = service.topics.loaded[TOPIC].ledger
        assert ledger.entries_total == 51
        place = ledger.first_position
        bodies: list[bytes] = []
        while True:
            position, payloads = await ledger.read(ledger.next_position(place), 100, 1 << 20)
            if not payloads:
                break
            bodies += payloads
            place = Position(position.ledger_id, position.entry_id + len(payloads) - 1)
        assert [body[-5:] for body in bodies] == [b"efore"] * 50 + [b"after"]
        assert place == (receipt.message_id.ledgerId, receipt.message_id.entryId)
        await world.scope.close()


@on_virtual_time
async def test_stop_while_messages_are_under_way_ends_them() -> None:
    world = World()
    async with broker_on(world) as service:
        client = await client_of(service)
        await client.produce("x", 1)
        client.publish(*sends(1, *range(10)))
    told = [kind_of(reply) for reply in client.received()]
    assert told == ["send_receipt"] * 10 + ["close_producer"]
    await world.scope.close()


@on_virtual_time
async def test_topic_that_another_broker_takes_over() -> None:
    world = World()
    async with broker_on(world) as old, broker_on(world) as new:
        client = await client_of(old)
        await client.produce("x", 1)
        newcomer = await client_of(new)
        await newcomer.produce("x", 1)
        client.publish(*sends(1, 0))
        error, close = await replies(client, 2)
        assert error.error == ErrorCode.PERSISTENCE
        assert kind_of(close) == "close_producer"
        for _ in range(100):
            await asyncio.sleep(0)
        assert old.topics.loaded == {}
        newcomer.publish(*sends(1, 0))
        [receipt] = await replies(newcomer, 1)
        assert kind_of(receipt) == "send_receipt"
    await world.scope.close()


@on_virtual_time
async def test_bookie_that_fails_for_a_while() -> None:
    world = World()
    async with broker_on(world) as service:
        client = await client_of(service)
        await client.produce("x", 1)
        world.bookies[0].answer = Status.IO_ERROR
        client.publish(*sends(1, 0, 1, 2))
        told = await replies(client, 4)
        assert [kind_of(reply) for reply in told] == ["send_error"] * 3 + ["close_producer"]
        assert [reply.sequence_id for reply in told[:3]] == [0, 1, 2]
        world.bookies[0].answer = None
        await asyncio.sleep(20)
        assert kind_of(await client.produce("x", 1, epoch=1)) == "producer_success"
        client.publish(*sends(1, 0, 1, 2))
        receipts = await replies(client, 3)
        assert [(kind_of(each), each.sequence_id) for each in receipts] == [
            ("send_receipt", 0),
            ("send_receipt", 1),
            ("send_receipt", 2),
        ]
    await world.scope.close()


@on_virtual_time
async def test_trap_16_the_largest_frame_of_a_client_is_stored() -> None:
    """Were a later hop to refuse it, the topic would change ledgers for ever."""
    world = World()
    limits = Limits(max_message_bytes=1 << 20)
    async with broker_on(world, BrokerConfig(limits=limits)) as service:
        client, other = await client_of(service), await client_of(service)
        await client.produce("x", 1)
        send = sends(1, 0)[0]
        empty = len(send_frame(send, b""))
        largest = bytes(limits.max_message_bytes + limits.frame_padding_bytes - empty)
        frame = send_frame(send, largest)
        assert len(frame) == limits.max_frame_bytes
        client.feed(frame)
        [receipt] = await replies(client, 1)
        assert kind_of(receipt) == "send_receipt"
        ledger = service.topics.loaded[TOPIC].ledger
        _, [stored] = await ledger.read(ledger.next_position(ledger.first_position), 1, 1)
        assert frame.endswith(stored)
        assert len(stored) > limits.max_message_bytes + SIZE_BYTES
        client.feed(send_frame(send, largest + b"x"))
        assert client.transport.closing
        assert kind_of(await other.ask(api.CommandPing())) == "pong"
    await world.scope.close()


@on_virtual_time
async def test_keep_alive_in_time() -> None:
    world = World()
    async with broker_on(world) as service:
        silent, mute = await client_of(service), Client(service.new_connection)
        lively = await client_of(service)
        for _ in range(58):
            await asyncio.sleep(1)
            lively.send(api.CommandPong())
        assert mute.transport.closing  # no CONNECT within one interval
        assert not silent.transport.closing  # asked at one interval, has until the next
        assert "ping" in [kind_of(reply) for reply in silent.received()]
        for _ in range(4):
            await asyncio.sleep(1)
            lively.send(api.CommandPong())
        assert silent.transport.aborted
        assert not lively.transport.closing
    await world.scope.close()


@on_virtual_time
async def test_inactive_topic_goes_with_its_ledgers() -> None:
    world = World()
    async with broker_on(world) as service:
        client = await client_of(service)
        await client.produce("x", 1)
        client.publish(*sends(1, 0))
        await replies(client, 1)
        await client.ask(api.CommandCloseProducer(producer_id=1, request_id=1))
        await asyncio.sleep(130)
        assert service.topics.loaded == {}
        assert await world.ledger_registry.list_ids() == []
    await world.scope.close()


@on_virtual_time
async def test_a_deletion_by_an_owner_that_was_replaced_leaves_the_policies() -> None:
    world, name = World(), TopicName.parse(TOPIC)
    async with broker_on(world) as service:
        await service.topic(name, create=True)
        await service.policy_store.change_topic(name, lambda found: found.update(maxProducers=3))
        next_owner = await ManagedLedger.open(name.ledger_name, world.deps(), create=False)
        with pytest.raises(ManagedLedgerFencedError):
            await service.topics.delete(name)
        assert await service.policy_store.topic(name) == {"maxProducers": 3}
        await next_owner.close()


@on_virtual_time
async def test_who_subscribes_while_the_topic_closes_is_told_to_look_it_up_again() -> None:
    world = World()
    create = world.store.create

    async def late(*args: Any, **options: Any) -> Any:
        result = await create(*args, **options)
        await asyncio.sleep(0.01)
        return result

    async with broker_on(world) as service:
        client = await client_of(service)
        await client.produce("x", 1)
        world.store.create = late  # type: ignore[method-assign]
        for number, name in enumerate(["made now", "waits for that"]):
            client.send(
                api.CommandSubscribe(
                    topic="x", subscription=name, subType=1, request_id=number, consumer_id=number
                )
            )
        await asyncio.sleep(0.001)
        service.topics.unload_soon(service.topics.loaded[TOPIC])
        told = [each for each in await replies(client, 3) if kind_of(each) == "error"]
        assert [each.error for each in told] == [ErrorCode.SERVICE_NOT_READY] * 2
        assert not service.topics.loaded
    await world.scope.close()
