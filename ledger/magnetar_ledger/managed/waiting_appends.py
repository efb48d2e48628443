"""Entries that wait for the next ledger, in order."""

from collections import deque
from collections.abc import Collection


class WaitingAppends:
    """A queue that knows its bytes.

    Whoever adds is told by `has_room` when it should pause; what comes all the same is taken.
    """

    __slots__ = ("_max_bytes", "_max_entries", "_payloads", "_size_bytes")

    def __init__(self, max_entries: int, max_bytes: int) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._payloads: deque[bytes] = deque()
        self._size_bytes = 0

    def __len__(self) -> int:
        return len(self._payloads)

    @property
    def has_room(self) -> bool:
        """False while more waits than is good, in entries or bytes."""
        return len(self._payloads) < self._max_entries and self._size_bytes < self._max_bytes

    def append(self, payload: bytes) -> None:
        """Behind all that waits."""
        self._payloads.append(payload)
        self._size_bytes += len(payload)

    def put_back(self, payloads: Collection[bytes]) -> None:
        """Entries that were taken before come first again, in their order."""
        self._payloads.extendleft(reversed(list(payloads)))
        self._size_bytes += sum(map(len, payloads))

    def popleft(self) -> bytes:
        """The oldest one."""
        payload = self._payloads.popleft()
        self._size_bytes -= len(payload)
        return payload

    def clear(self) -> int:
        """Forget all; returns how many there were."""
        count = len(self._payloads)
        self._payloads.clear()
        self._size_bytes = 0
        return count
