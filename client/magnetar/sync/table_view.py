"""Blocking table views."""

from collections.abc import Callable, Iterator
from typing import Any

from magnetar import table_view as asyncio_table_view
from magnetar.closing import Closing
from magnetar.sync.loop_thread import LoopThread


class TableView(Closing):
    """A table of keys and values. See `magnetar.TableView`."""

    def __init__(self, view: asyncio_table_view.TableView, thread: LoopThread) -> None:
        self._view = view
        self._thread = thread

    def get(self, key: str) -> Any:
        """The value of a key; None if it has none."""
        return self._view.get(key)

    def for_each(self, callback: Callable[[str, Any], None]) -> None:
        """Call with each key and its value now."""
        self._view.for_each(callback)

    def for_each_and_listen(self, callback: Callable[[str, Any], None]) -> None:
        """Call with each key now, and in the client's thread with each change from now on."""
        self._thread.call(self._listen(callback))

    async def _listen(self, callback: Callable[[str, Any], None]) -> None:
        self._view.for_each_and_listen(callback)

    def __len__(self) -> int:
        return len(self._view)

    def __contains__(self, key: str) -> bool:
        return key in self._view

    def __iter__(self) -> Iterator[str]:
        return iter(self._view)

    def close(self) -> None:
        """Follow the topic no more."""
        self._thread.call(self._view.close())
