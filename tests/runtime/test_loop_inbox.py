"""Rows from threads are settled on the loop, in order, with one wake-up for many."""

import asyncio
import threading
from typing import Any

import pytest
from magnetar_runtime.loop_inbox import LoopInbox


async def test_rows_of_a_thread_come_in_order_on_the_loop() -> None:
    rows: list[tuple[int, threading.Thread]] = []
    inbox = LoopInbox(asyncio.get_running_loop())
    last = asyncio.Event()

    def send() -> None:
        for number in range(1000):
            inbox.put(lambda n: rows.append((n, threading.current_thread())), number)
        inbox.put(last.set)

    thread = threading.Thread(target=send)
    thread.start()
    await last.wait()
    thread.join()
    assert [number for number, _ in rows] == list(range(1000))
    assert {where for _, where in rows} == {threading.current_thread()}


async def test_rows_of_one_turn_share_a_wake_up(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    inbox, calls = LoopInbox(loop), list[int]()
    wake_ups: list[Any] = []
    monkeypatch.setattr(loop, "call_soon_threadsafe", wake_ups.append)
    for number in range(3):
        inbox.put(calls.append, number)
    assert len(wake_ups) == 1
    wake_ups.pop()()
    assert calls == [0, 1, 2]
    inbox.put(calls.append, 3)
    assert len(wake_ups) == 1


async def test_a_row_that_raises_leaves_the_others() -> None:
    loop = asyncio.get_running_loop()
    errors: list[Any] = []
    loop.set_exception_handler(lambda _, context: errors.append(context["exception"]))
    inbox, calls = LoopInbox(loop), list[int]()

    def fail() -> None:
        raise ValueError("planted")

    inbox.put(fail)
    inbox.put(calls.append, 1)
    for _ in range(3):
        await asyncio.sleep(0)
    assert calls == [1]
    assert [str(error) for error in errors] == ["planted"]
