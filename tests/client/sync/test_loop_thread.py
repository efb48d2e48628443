import asyncio
import threading

import pytest
from magnetar.errors import AlreadyClosed
from magnetar.sync.loop_thread import LoopThread


async def where() -> str:
    await asyncio.sleep(0)
    return threading.current_thread().name


async def fails() -> None:
    raise OSError("x")


def test_results_and_errors_come_back() -> None:
    thread = LoopThread()
    assert thread.call(where()) == "magnetar"
    with pytest.raises(OSError, match="x"):
        thread.call(fails())
    thread.close()
    thread.close()
    with pytest.raises(AlreadyClosed):
        thread.call(where())


def test_calls_of_a_thread_come_in_their_order() -> None:
    thread = LoopThread()
    found: list[int] = []
    for number in range(1000):
        thread.call_soon(found.append, number)
    thread.call(where())
    assert found == list(range(1000))
    thread.close()


def test_a_call_from_within_does_not_wait_for_itself() -> None:
    thread = LoopThread()

    async def inside() -> None:
        thread.call(where())

    with pytest.raises(RuntimeError, match="wait for itself"):
        thread.call(inside())
    thread.close()


def test_closing_ends_the_calls_of_other_threads() -> None:
    thread = LoopThread()
    begun, errors = threading.Event(), list[AlreadyClosed]()

    async def never() -> None:
        begun.set()
        await asyncio.get_running_loop().create_future()

    def wait() -> None:
        try:
            thread.call(never())
        except AlreadyClosed as error:
            errors.append(error)

    other = threading.Thread(target=wait, daemon=True)
    other.start()
    assert begun.wait(5)
    thread.close()
    other.join(5)
    assert len(errors) == 1


def test_closing_from_within() -> None:
    thread = LoopThread()
    thread.call_soon(thread.close)
    for each in threading.enumerate():
        if each.name == "magnetar":
            each.join(5)
    with pytest.raises(AlreadyClosed):
        thread.check()
