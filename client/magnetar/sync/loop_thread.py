"""An event loop in a thread, and calls into it from others."""

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

from magnetar_runtime.loop_inbox import LoopInbox

from magnetar.errors import AlreadyClosed, ClientForked

T = TypeVar("T")


class LoopThread:
    """Runs coroutines for threads that wait."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._inbox = LoopInbox(self._loop)
        self._thread = threading.Thread(target=self._run, name="magnetar", daemon=True)
        self._closed = False
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            self._loop.run_until_complete(_end_tasks())
        finally:
            self._loop.close()

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run it in the loop, and wait for its result.

        An interrupt of the thread that waits (Ctrl-C) cancels it.
        """
        try:
            self.check()
        except BaseException:
            coroutine.close()
            raise
        future: Future[T] = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except CancelledError as error:
            if self._closed:
                raise AlreadyClosed("the client was closed during the call") from error
            raise
        except BaseException:
            future.cancel()
            raise

    def call_soon(self, function: Callable[..., None], *arguments: Any) -> None:
        """Have the loop call it; calls of one thread come in their order."""
        self.check()
        self._inbox.put(function, *arguments)

    def check(self) -> None:
        """Raise if nothing can be called: it was closed, this is a forked child, or the loop."""
        if os.getpid() != self._pid:
            raise ClientForked(
                "this client was made before a fork; a child process must make its own"
            )
        if self._closed:
            raise AlreadyClosed("the client is closed")
        if threading.current_thread() is self._thread:
            raise RuntimeError(
                "a blocking call from a callback would wait for itself: hand the work to a thread"
            )

    def close(self) -> None:
        """End the loop and its thread."""
        if self._closed or os.getpid() != self._pid:
            return
        self._closed = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        if threading.current_thread() is not self._thread:
            self._thread.join()


async def _end_tasks() -> None:
    """Cancel the calls that are under way: threads wait for them."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
