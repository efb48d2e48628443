"""Tasks that somebody waits for."""

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from functools import partial
from types import TracebackType
from typing import Any, Self


class TaskScope:
    """The only place where tasks begin.

    `async with TaskScope() as scope` waits at its end for all tasks; the first that fails cancels
    the others and the body, and its error is raised there. An object that outlives a block keeps a
    scope without entering it and ends it with `close`; there the first error is reported to the
    loop's exception handler at once, told to `on_failure`, and raised by `close`.

    Args:
        on_failure: for scopes that are not entered: told of the first error, when all tasks have
            been cancelled. What the scope did is not done any more; somebody must act.
    """

    def __init__(self, on_failure: Callable[[BaseException], None] | None = None) -> None:
        self._on_failure = on_failure
        # In the order of their beginning: that of a set would differ from process to process.
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._error: BaseException | None = None
        self._owner: asyncio.Task[Any] | None = None
        self._owner_cancelled = False
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether no task may begin any more."""
        return self._closed

    @property
    def failure(self) -> BaseException | None:
        """The first error of a task, because of which all others were cancelled."""
        return self._error

    def spawn(
        self,
        coroutine: Coroutine[Any, Any, Any],
        *,
        name: str,
        on_error: Callable[[Exception], None] | None = None,
    ) -> asyncio.Task[Any]:
        """Begin a task; its failure is the scope's failure.

        Args:
            on_error: told of an exception, which is then not the scope's failure.
        """
        if self._closed:
            coroutine.close()
            raise AssertionError(f"task {name} begun in a closed scope")
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        self._tasks[task] = None
        task.add_done_callback(partial(self._ended, on_error))
        return task

    async def close(self) -> None:
        """Cancel all tasks, wait for their end, and raise the first error there was.

        Cancelled, it waits for them all the same, and says so then.
        """
        self._closed = True
        self._cancel()
        cancelled_outside = await self._wait()
        error, self._error = self._error, None
        if cancelled_outside:
            raise asyncio.CancelledError
        if error is not None:
            raise error

    async def __aenter__(self) -> Self:
        self._owner = asyncio.current_task()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            self._cancel()
        cancelled_outside = await self._wait()
        self._closed = True
        if self._owner_cancelled:
            assert self._owner is not None
            # Take back our own cancel; what is left over was asked for by somebody else.
            cancelled_outside = self._owner.uncancel() > 0
        self._owner = None
        own_cancel = self._owner_cancelled and isinstance(error, asyncio.CancelledError)
        if self._error is not None and (error is None or own_cancel) and not cancelled_outside:
            raise self._error
        if cancelled_outside and error is None:
            raise asyncio.CancelledError

    def _ended(self, on_error: Callable[[Exception], None] | None, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if on_error is not None and isinstance(error, Exception):
            on_error(error)
            return
        if self._error is not None or self._owner is None:
            context = {"message": f"task {task.get_name()} failed", "exception": error}
            task.get_loop().call_exception_handler(context)
        if self._error is None:
            self._error = error
            self._cancel()
            if self._owner is not None and not self._owner_cancelled:
                self._owner_cancelled = True
                self._owner.cancel()
            if self._on_failure is not None:
                self._on_failure(error)

    def _cancel(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _wait(self) -> bool:
        """Wait until no task is left; True if the wait itself was cancelled meanwhile."""
        cancelled = False
        while self._tasks:
            try:
                await asyncio.wait(self._tasks)
            except asyncio.CancelledError:
                cancelled = True
                self._cancel()
        return cancelled


def periodically(
    scope: TaskScope,
    interval_ms: float,
    action: Callable[[], object],
    name: str,
) -> asyncio.Task[Any]:
    """Call `action` every `interval_ms`, first after one interval; calls never overlap.

    What it returns is awaited if it can be.
    """

    async def run() -> None:
        while True:
            await asyncio.sleep(interval_ms / 1000)
            result = action()
            if inspect.isawaitable(result):
                await result

    return scope.spawn(run(), name=name)
