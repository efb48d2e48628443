"""The way from foreign threads onto the loop: rows, settled in the order in which they came."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any


class LoopInbox:
    """Calls that threads leave for the loop. One wake-up settles all that wait.

    It has no bound of its own: who causes the rows keeps to his own.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._rows: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._wake_up_scheduled = False

    def put(self, call: Callable[..., None], *arguments: Any) -> None:
        """Let the loop make the call. From any thread.

        Raises:
            RuntimeError: the loop is closed.
        """
        # First the row, then the look at the flag; `_settle` first clears the flag, then takes
        # rows. So a row is never left behind without a wake-up.
        self._rows.append((call, arguments))
        if not self._wake_up_scheduled:
            self._wake_up_scheduled = True
            self._loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        self._wake_up_scheduled = False
        rows = self._rows
        try:
            for _ in range(len(rows)):
                call, arguments = rows.popleft()
                call(*arguments)
        finally:
            # A call that raises is a bug for the loop's handler; the other rows are still owed.
            if rows:
                self._loop.call_soon(self._settle)
