"""Task scopes: waiting, first error, cancellation from outside, closing; no time passes."""

import asyncio
from typing import Any

import pytest
from magnetar_runtime.scope import TaskScope, periodically


class SomethingBroke(Exception):
    pass


async def _fail() -> None:
    raise SomethingBroke("task")


async def _for_ever(log: list[str]) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        log.append("cancelled")


@pytest.fixture
async def reported() -> list[dict[str, Any]]:
    contexts: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: contexts.append(context))
    return contexts


async def test_waits_for_all_tasks() -> None:
    log: list[int] = []

    async def work(number: int) -> None:
        await asyncio.sleep(0)
        log.append(number)

    async with TaskScope() as scope:
        for number in range(3):
            scope.spawn(work(number), name=f"work-{number}")
        assert log == []
    assert log == [0, 1, 2]


async def test_the_first_error_cancels_tasks_and_body_and_is_raised() -> None:
    log: list[str] = []
    with pytest.raises(SomethingBroke):
        async with TaskScope() as scope:
            scope.spawn(_for_ever(log), name="other")
            scope.spawn(_fail(), name="fail")
            await asyncio.Event().wait()
    assert log == ["cancelled"]
    current = asyncio.current_task()
    assert current is not None
    assert current.cancelling() == 0


async def test_an_error_while_waiting_at_the_end_is_raised() -> None:
    log: list[str] = []
    with pytest.raises(SomethingBroke):
        async with TaskScope() as scope:
            scope.spawn(_for_ever(log), name="other")
            scope.spawn(_fail(), name="fail")
    assert log == ["cancelled"]
    await asyncio.sleep(0)


async def test_an_error_of_the_body_cancels_the_tasks() -> None:
    log: list[str] = []
    with pytest.raises(SomethingBroke, match="body"):
        async with TaskScope() as scope:
            scope.spawn(_for_ever(log), name="other")
            await asyncio.sleep(0)
            raise SomethingBroke("body")
    assert log == ["cancelled"]


async def test_a_cancel_from_outside_goes_through() -> None:
    log: list[str] = []

    async def outer() -> None:
        async with TaskScope() as scope:
            scope.spawn(_for_ever(log), name="inner")

    task = asyncio.get_running_loop().create_task(outer())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == ["cancelled"]


async def test_a_second_error_is_reported_not_lost(reported: list[dict[str, Any]]) -> None:
    async def fail_when_cancelled() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise SomethingBroke("second")

    with pytest.raises(SomethingBroke, match="task"):
        async with TaskScope() as scope:
            scope.spawn(fail_when_cancelled(), name="slow")
            scope.spawn(_fail(), name="fail")
    assert [str(context["exception"]) for context in reported] == ["second"]


async def test_a_scope_that_is_not_entered_reports_at_once_and_raises_at_close(
    reported: list[dict[str, Any]],
) -> None:
    log: list[str] = []
    scope = TaskScope()
    scope.spawn(_for_ever(log), name="other")
    scope.spawn(_fail(), name="fail")
    for _ in range(5):
        await asyncio.sleep(0)
    assert log == ["cancelled"]
    assert [context["message"] for context in reported] == ["task fail failed"]
    with pytest.raises(SomethingBroke):
        await scope.close()
    await scope.close()


async def test_a_failure_that_somebody_is_told_of_is_not_the_scopes(
    reported: list[dict[str, Any]],
) -> None:
    told: list[Exception] = []
    log: list[str] = []
    scope = TaskScope()
    scope.spawn(_for_ever(log), name="other")
    scope.spawn(_fail(), name="fails", on_error=told.append)
    for _ in range(3):
        await asyncio.sleep(0)
    assert [str(error) for error in told] == ["task"]
    assert (log, reported) == ([], [])
    await scope.close()
    assert log == ["cancelled"]


async def test_close_cancels_and_refuses_more() -> None:
    log: list[str] = []
    scope = TaskScope()
    scope.spawn(_for_ever(log), name="other")
    await asyncio.sleep(0)
    await scope.close()
    assert log == ["cancelled"]
    with pytest.raises(AssertionError):
        scope.spawn(_for_ever(log), name="late")


async def test_a_close_that_is_cancelled_ends_all_the_same_and_says_so() -> None:
    scope = TaskScope()

    async def slow_to_end() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.shield(asyncio.sleep(0.01))

    task = scope.spawn(slow_to_end(), name="slow")
    await asyncio.sleep(0)
    closing = asyncio.create_task(scope.close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert task.done()


async def test_close_inside_the_block_ends_it() -> None:
    log: list[str] = []
    async with TaskScope() as scope:
        scope.spawn(_for_ever(log), name="other")
        await asyncio.sleep(0)
        await scope.close()
    assert log == ["cancelled"]


async def test_periodically_waits_the_interval_between_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waited: list[float] = []
    calls: list[str] = []
    real_sleep = asyncio.sleep

    async def sleep(seconds: float) -> None:
        waited.append(seconds)
        await real_sleep(0)

    async def slow() -> None:
        calls.append("async")

    monkeypatch.setattr(asyncio, "sleep", sleep)
    scope = TaskScope()
    periodically(scope, 250, lambda: calls.append("sync"), "sync")
    periodically(scope, 500, slow, "async")
    for _ in range(3):
        await real_sleep(0)
    await scope.close()
    assert calls == ["sync", "async", "sync", "async"]
    assert waited == [0.25, 0.5, 0.25, 0.5, 0.25, 0.5]


async def test_a_scope_that_is_not_entered_tells_of_its_first_failure() -> None:
    async def fail(text: str) -> None:
        raise RuntimeError(text)

    told: list[BaseException] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    scope = TaskScope(told.append)
    beside = scope.spawn(asyncio.sleep(3600), name="beside")
    scope.spawn(fail("first"), name="failing")
    scope.spawn(fail("second"), name="failing too")
    await asyncio.wait([beside])
    assert [str(error) for error in told] == ["first"]
    assert str(scope.failure) == "first"
    assert not scope.closed
    with pytest.raises(RuntimeError, match="first"):
        await scope.close()
