"""Cancelled at each turn of the loop, nothing is swallowed and nothing is left over.

No broker: the connection is one that the test reads. For each pair of turns, one in which what is
waited for happens and one in which who waits is cancelled, exactly one of two things must hold: the
caller has it, or it is still there.
"""

import asyncio
import random
from types import SimpleNamespace
from typing import Any

import pytest
from magnetar.consumer import Consumer
from magnetar.consumer_options import ConsumerOptions
from magnetar.inbox import Inbox
from magnetar.producer_core import ProducerCore
from magnetar.producer_options import ProducerOptions
from magnetar.topic_producer import TopicProducer
from magnetar_runtime.clock import SystemClock
from magnetar_runtime.scope import TaskScope

TURNS = 6


class Source:
    """Counts what was taken."""

    def __init__(self) -> None:
        self.taken_numbers: list[int] = []

    def taken(self, message: Any) -> None:
        self.taken_numbers.append(message.number)


class Note:
    """Stands for a message."""

    def __init__(self, source: Source, number: int) -> None:
        self._source = source
        self.number = number
        self.size_bytes = 1


async def turns_with(actions: dict[int, list[Any]]) -> None:
    for turn in range(TURNS + 4):
        for action in actions.get(turn, []):
            action()
        await asyncio.sleep(0)


@pytest.mark.parametrize(("waiters", "count"), [(1, 1), (2, 1), (2, 2)])
@pytest.mark.parametrize("how", ["receive", "timed", "batch"])
async def test_receiving(how: str, waiters: int, count: int) -> None:
    for arrival in range(TURNS):
        for cancel in range(TURNS):
            source, inbox = Source(), Inbox()
            consumer = Consumer("t", ConsumerOptions(subscription_name="s"), inbox, None, print)

            async def receive(consumer: Consumer = consumer) -> list[Any]:
                if how == "batch":
                    return await consumer.batch_receive()
                timeout = 5 if how == "timed" else None
                return [await consumer.receive(timeout=timeout)]

            tasks = [asyncio.create_task(receive()) for _ in range(waiters)]
            notes: list[Any] = [Note(source, number) for number in range(count)]
            actions: dict[int, list[Any]] = {}
            actions.setdefault(arrival, []).append(lambda i=inbox, n=notes: i.put(n))
            actions.setdefault(cancel, []).append(tasks[0].cancel)
            await turns_with(actions)
            if how != "batch":
                # What woke the cancelled one wakes the next.
                assert not len(inbox) or all(task.done() for task in tasks)
            for task in tasks[1:]:
                task.cancel()
            if not tasks[0].done():
                tasks[0].cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            got = [each.number for r in results if isinstance(r, list) for each in r]
            left = []
            while (message := inbox.pop()) is not None:
                left.append(message.number)  # type: ignore[attr-defined]
            assert sorted(got + left) == list(range(count)), (arrival, cancel)
            assert sorted(source.taken_numbers) == sorted(got)


def producer() -> TopicProducer:
    options = ProducerOptions(batching_enabled=False, max_pending_messages=1)
    core = ProducerCore("t", -1, 0, options, str)
    core.attached("n", -1, b"", 1000)
    lookup: Any = SimpleNamespace(rng=random.Random(1))
    return TopicProducer("t", core, options, None, lookup, TaskScope(), SystemClock(), 5)


async def test_waiting_for_room() -> None:
    for receipt in range(TURNS):
        for cancel in range(TURNS):
            made = producer()
            loop = asyncio.get_running_loop()
            made.send_now(b"first", None, None, loop.create_future())

            async def send(made: TopicProducer = made) -> None:
                await made.room()
                made.send_now(b"next", None, None, asyncio.get_running_loop().create_future())

            tasks = [asyncio.create_task(send()) for _ in range(2)]
            actions: dict[int, list[Any]] = {}
            actions.setdefault(receipt, []).append(lambda made=made: made.receipt(0, 1, 1))
            actions.setdefault(cancel, []).append(tasks[0].cancel)
            await turns_with(actions)
            first_went = tasks[0].done() and not tasks[0].cancelled()
            assert tasks[1].done() != first_went, (receipt, cancel)
            assert made.core.waiting_messages == 1
            if not tasks[1].done():
                made.receipt(1, 1, 2)
                await asyncio.wait_for(tasks[1], 1)
            made.end()


async def test_a_cancelled_send_leaves_the_window_in_order() -> None:
    for cancel in range(TURNS):
        made = producer()
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        made.send_now(b"x", None, None, future)

        async def wait(future: "asyncio.Future[Any]" = future) -> Any:
            return await future

        task = asyncio.create_task(wait())
        actions: dict[int, list[Any]] = {4: [lambda made=made: made.receipt(0, 1, 1)]}
        actions.setdefault(cancel, []).append(task.cancel)
        await turns_with(actions)
        assert task.done()
        assert made.core.waiting_messages == 0
        assert made.core.pending.last_sequence_id == 0
        made.end()
