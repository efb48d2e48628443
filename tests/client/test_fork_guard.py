"""A client in a forked child says so instead of hanging."""

import asyncio
import multiprocessing
from multiprocessing.connection import Connection

from magnetar import Client
from magnetar.errors import ClientForked
from magnetar.fork_guard import guard

from bench.servers import Server


def test_children_are_told() -> None:
    class Each:
        dead = False

        def forked(self) -> None:
            self.dead = True

    each = Each()
    guard(each)
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    child = context.Process(target=lambda: there.send(each.dead))
    child.start()
    assert here.poll(10)
    assert here.recv()
    child.join(10)
    assert not each.dead


def test_a_client_in_a_child(magnetar_server: Server) -> None:
    async def parent() -> list[str]:
        async with Client(magnetar_server.service_url) as client:
            producer = await client.create_producer("forked")
            consumer = await client.subscribe("forked", "sub")

            async def each_raises() -> list[str]:
                errors = []
                for action in (
                    lambda: producer.send(b"x"),
                    consumer.receive,
                    lambda: client.create_producer("x"),
                ):
                    try:
                        await action()
                    except ClientForked as error:
                        errors.append(str(error))
                return errors

            def in_child(pipe: Connection) -> None:
                asyncio._set_running_loop(None)
                pipe.send(asyncio.new_event_loop().run_until_complete(each_raises()))

            context = multiprocessing.get_context("fork")
            here, there = context.Pipe()
            child = context.Process(target=in_child, args=(there,))
            child.start()
            assert here.poll(20)
            errors: list[str] = here.recv()
            child.join(10)
            await producer.send(b"the parent goes on")
            return errors

    errors = asyncio.run(parent())
    assert len(errors) == 3
    assert all("make its own" in each for each in errors)


async def test_what_a_child_ends_the_broker_does_not_hear(magnetar_server: Server) -> None:
    async with Client(magnetar_server.service_url) as client:
        consumer = await client.subscribe("forked-acks", "sub")
        producer = await client.create_producer("forked-acks")
        await producer.send(b"x")
        await consumer.acknowledge(await consumer.receive(timeout=10))  # told in a while
        [source] = consumer.sources.values()
        connection = source.connection
        assert connection is not None

        def in_child(pipe: Connection) -> None:
            asyncio._set_running_loop(None)
            told: list[bytes] = []
            connection.send = told.append  # type: ignore[method-assign,assignment]
            again = consumer.redeliver_unacknowledged_messages()
            asyncio.new_event_loop().run_until_complete(again)
            consumer.shutdown()
            client.shutdown()
            pipe.send(told)

        context = multiprocessing.get_context("fork")
        here, there = context.Pipe()
        child = context.Process(target=in_child, args=(there,))
        child.start()
        assert here.poll(20)
        assert here.recv() == []
        child.join(10)
        async with asyncio.timeout(10):
            await producer.send(b"the parent goes on")
