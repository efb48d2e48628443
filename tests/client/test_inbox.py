"""A message leaves only in the step in which it is returned, whenever who waits is cancelled."""

import asyncio
from typing import Any

import pytest
from magnetar.errors import AlreadyClosed
from magnetar.inbox import Inbox


class Note:
    """Stands for a message."""

    def __init__(self, source: str, number: int) -> None:
        self._source = source
        self.number = number


def notes(*numbers: int, source: str = "a") -> list[Any]:
    return [Note(source, number) for number in numbers]


async def take(inbox: Inbox) -> Any:
    while True:
        await inbox.arrival()
        message = inbox.pop()
        if message is not None:
            return message


async def test_who_waits_first_gets_first() -> None:
    inbox = Inbox()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(take(inbox)) for _ in range(3)]
        await asyncio.sleep(0)
        inbox.put(notes(1, 2, 3))
    assert [task.result().number for task in tasks] == [1, 2, 3]


@pytest.mark.parametrize("when", ["before", "same step", "after"])
async def test_a_cancelled_waiter_takes_nothing(when: str) -> None:
    inbox = Inbox()
    first = asyncio.create_task(take(inbox))
    second = asyncio.create_task(take(inbox))
    await asyncio.sleep(0)
    if when == "before":
        first.cancel()
        await asyncio.sleep(0)
    inbox.put(notes(1))
    if when == "same step":
        first.cancel()  # it was woken, and never runs: the other must
    got = {}
    if when == "after":
        got["first"] = await first
        first.cancel()
        inbox.put(notes(2))
    got["second"] = await asyncio.wait_for(second, 1)
    assert len(inbox) == 0
    assert sorted(each.number for each in got.values()) == ([1, 2] if when == "after" else [1])


async def test_the_end_comes_after_what_is_here() -> None:
    inbox = Inbox()
    waiting = asyncio.create_task(take(inbox))
    await asyncio.sleep(0)
    inbox.end(AlreadyClosed("x"))
    with pytest.raises(AlreadyClosed):
        await waiting
    inbox.put(notes(1))
    assert (await take(inbox)).number == 1


def test_dropping_one_topic_and_putting_back() -> None:
    inbox = Inbox()
    inbox.put([*notes(1), *notes(2, source="b"), *notes(3)])
    source: Any = "a"
    assert inbox.drop(source) == 2
    inbox.put_back(notes(8, 9))
    assert [inbox.pop().number for _ in range(3)] == [8, 9, 2]  # type: ignore[union-attr]
    assert inbox.pop() is None
    inbox.forked(AlreadyClosed("x"))
