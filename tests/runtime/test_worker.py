"""The worker thread: order, batched wake-ups, errors, closing. Its calls here do not block."""

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from magnetar_runtime.worker import ThreadWorker


@pytest_asyncio.fixture
async def worker() -> AsyncIterator[ThreadWorker]:
    worker = ThreadWorker(asyncio.get_running_loop(), "test-worker")
    yield worker
    await worker.close()


async def test_runs_on_its_thread_and_tells_on_the_loop(worker: ThreadWorker) -> None:
    told: list[tuple[str, str]] = []

    def done(result: str, error: BaseException | None) -> None:
        assert error is None
        told.append((result, threading.current_thread().name))

    worker.submit(lambda: threading.current_thread().name, done)
    await worker.close()
    assert told == [("test-worker", threading.main_thread().name)]


async def test_keeps_the_order_of_submits(worker: ThreadWorker) -> None:
    ran: list[int] = []
    told: list[int] = []
    for number in range(1000):
        worker.submit(lambda number=number: ran.append(number), _append_to(told, number))
    await worker.close()
    assert ran == told == list(range(1000))


async def test_one_wake_up_settles_all_that_waits(
    worker: ThreadWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    wake_ups = 0
    real = loop.call_soon_threadsafe

    def counted(*args: Any, **kwargs: Any) -> asyncio.Handle:
        nonlocal wake_ups
        wake_ups += 1
        return real(*args, **kwargs)

    monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
    told: list[int] = []
    ended = threading.Event()
    for number in range(100):
        worker.submit(lambda: None, _append_to(told, number))
    worker.submit(ended.set, _append_to(told, 100))
    # The loop is held until the thread has ended all calls; so one wake-up finds all rows (the
    # last row may come just behind its event).
    ended.wait()
    assert wake_ups == 1
    await worker.close()
    assert told == list(range(101))


async def test_an_error_goes_to_done_and_the_thread_lives_on(worker: ThreadWorker) -> None:
    with pytest.raises(ZeroDivisionError):
        await worker.run(lambda: 1 // 0)
    assert await worker.run(lambda: 7) == 7


async def test_a_done_that_raises_does_not_take_the_other_rows_along(worker: ThreadWorker) -> None:
    failures: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    told: list[int] = []

    def broken(result: Any, error: BaseException | None) -> None:
        raise RuntimeError("bug")

    worker.submit(lambda: None, broken)
    worker.submit(lambda: None, _append_to(told, 1))
    await worker.close()
    assert told == [1]
    assert [str(context["exception"]) for context in failures] == ["bug"]


async def test_a_cancelled_wait_does_not_cancel_the_call(worker: ThreadWorker) -> None:
    release = threading.Event()
    ran: list[int] = []

    def call() -> None:
        release.wait()
        ran.append(1)

    waiting = asyncio.get_running_loop().create_task(worker.run(call))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    release.set()
    await worker.close()
    assert ran == [1]


async def test_closing_ends_the_thread_and_refuses_more(worker: ThreadWorker) -> None:
    await worker.close()
    await worker.close()
    assert "test-worker" not in [thread.name for thread in threading.enumerate()]
    with pytest.raises(AssertionError):
        worker.submit(lambda: None, lambda _result, _error: None)


def _append_to(told: list[int], number: int) -> Any:
    return lambda _result, _error: told.append(number)
