"""Watches that stay, made of ZooKeeper's, which fire once.

A watch is armed again before its hint is given. Requests of a session are served in order, so who
reads after the hint sees everything that happened before the watch was armed; what happens later
fires it again. ZooKeeper's watches go with the connection, so each new one arms all and hints all.
"""

import asyncio
from collections.abc import Callable

from magnetar_metadata.watches import Hint, WatchTable


class ArmedWatches:
    """The watches of one store.

    Args:
        arm: asks ZooKeeper to tell the next change of a path's node or children.
    """

    def __init__(self, arm: Callable[[str], None]) -> None:
        self._arm = arm
        self._table = WatchTable()
        self._armed: set[str] = set()
        self._connected = False

    def watch(self, path: str, hint: Hint) -> Callable[[], None]:
        """Add a watch; the returned function ends it and may be called twice."""
        end = self._table.watch(path, hint)
        self._arm_path(path)
        return end

    def fired(self, path: str) -> None:
        """A change was told; its watch is spent."""
        self._armed.discard(path)
        if self._table.is_watched(path):
            self._arm_path(path)
            self._hint([path])

    def connected(self) -> None:
        """A connection is there; changes may have been missed."""
        self._connected = True
        self._armed.clear()
        paths = self._table.paths()
        for path in paths:
            self._arm_path(path)
        self._hint(paths)

    def disconnected(self) -> None:
        self._connected = False

    def _arm_path(self, path: str) -> None:
        if self._connected and path not in self._armed:
            self._armed.add(path)
            self._arm(path)

    def _hint(self, paths: list[str]) -> None:
        if self._table.touched(paths):
            asyncio.get_running_loop().call_soon(self._table.give_hints)
