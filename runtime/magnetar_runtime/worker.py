"""A thread for calls that wait without the interpreter lock."""

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from magnetar_runtime.loop_inbox import LoopInbox

_Call = Callable[[], Any]
_Done = Callable[[Any, BaseException | None], None]


async def made(
    loop: asyncio.AbstractEventLoop, submit: Callable[[_Call, _Done], None], call: _Call
) -> Any:
    """What `Worker.run` is on top of `Worker.submit`: the result of the call, or its error."""
    future = loop.create_future()

    def done(result: Any, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)

    submit(call, done)
    return await future


class ThreadWorker:
    """One thread behind `magnetar_runtime.disk.Worker`.

    One wake-up of the loop settles all completions that wait. The queue has no bound of its own:
    who submits keeps to his own (one journal flush in flight, say).
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, name: str) -> None:
        self._loop = loop
        self._calls: SimpleQueue[tuple[_Call, _Done] | None] = SimpleQueue()
        self._inbox = LoopInbox(loop)
        self._closing = False
        self._thread = threading.Thread(target=self._work, name=name)
        self._thread.start()

    def submit(self, call: _Call, done: _Done) -> None:
        """Run `call()` on the thread, then `done(result, error)` on the loop, in order."""
        assert not self._closing, "the worker is closed"
        self._calls.put((call, done))

    async def run(self, call: _Call) -> Any:
        """Run `call()` on the thread and return its result or raise its error.

        A cancelled wait does not cancel the call.
        """
        return await made(self._loop, self.submit, call)

    async def close(self) -> None:
        """Wait for all that was submitted and told, then end the thread."""
        if self._closing:
            return
        self._closing = True
        drained = self._loop.create_future()
        self._calls.put((lambda: None, lambda _result, _error: _resolve(drained)))
        self._calls.put(None)
        await drained
        self._thread.join()

    def _work(self) -> None:
        while (item := self._calls.get()) is not None:
            call, done = item
            result, failure = None, None
            try:
                result = call()
            except BaseException as error:  # noqa: BLE001 - goes to `done`, on the loop
                failure = error
            self._inbox.put(done, result, failure)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
