"""Readers that wait: woken once, by whatever comes first."""

import asyncio

from magnetar_storage.service.long_polls import LongPolls


async def turns() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_each_reader_is_woken_once_and_not_within_the_call() -> None:
    polls = LongPolls(asyncio.get_running_loop(), 10)
    woken: list[str] = []
    polls.wait(1, 5, 60_000, lambda: woken.append("low"))
    polls.wait(1, 9, 60_000, lambda: woken.append("high"))
    polls.wait(2, 5, 60_000, lambda: woken.append("other"))
    polls.lac_moved(1, 5)
    await turns()
    assert woken == []
    polls.lac_moved(1, 6)
    assert woken == []
    polls.lac_moved(1, 7)
    await turns()
    assert woken == ["low"]
    polls.fenced(1)
    await turns()
    assert woken == ["low", "high"]
    assert len(polls) == 1
    polls.close()
    assert len(polls) == 0


async def test_too_many_are_answered_at_once() -> None:
    polls = LongPolls(asyncio.get_running_loop(), 1)
    woken: list[int] = []
    polls.wait(1, 5, 60_000, lambda: woken.append(1))
    polls.wait(1, 5, 60_000, lambda: woken.append(2))
    while not woken:
        await asyncio.sleep(0)
    assert woken == [2]
    polls.close()


async def test_a_forgotten_reader_is_not_woken() -> None:
    polls = LongPolls(asyncio.get_running_loop(), 10)
    woken: list[int] = []
    forget = polls.wait(1, 5, 60_000, lambda: woken.append(1))
    forget()
    forget()
    polls.lac_moved(1, 9)
    await turns()
    assert woken == []
    assert len(polls) == 0
