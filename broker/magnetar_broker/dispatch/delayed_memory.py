"""What the delayed indexes of all subscriptions may take in memory together."""

from typing import Final, Protocol

_LEAST_ROW_BYTES: Final = 10
"""What a row takes at least, so that so many rows are surely worth this memory."""
_WORTH_SHARE: Final = 16
"""Small indexes give up rows, too, where all of them together take this part of the limit."""
_STEP_SHARE: Final = 256
"""After a look in vain the next comes when this part more is used: a look goes over all."""


class Holder(Protocol):
    """One index and its keeper."""

    @property
    def sealable_rows(self) -> int:
        """Rows that could go into a bucket now."""

    def relieve(self) -> None:
        """Begin to write them into one."""

    def on_room(self) -> None:
        """There is room again: who was held back may go on."""


class DelayedMemory:
    """Counts. Beyond a half of the limit the largest index gives up rows; at the limit no
    subscription reads on, so that none is added, until there is room.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.used_bytes = 0
        self._used: dict[Holder, int] = {}
        self._held_back: dict[Holder, None] = {}
        self._relieving: Holder | None = None
        self._look_at_bytes = 0

    @property
    def full(self) -> bool:
        return self.used_bytes >= self.max_bytes

    def hold_back(self, holder: Holder) -> bool:
        """Whether the holder must not add rows now; it is told when it may."""
        if self.used_bytes < self.max_bytes:
            return False
        self._held_back[holder] = None
        if self._relieving is None:
            self._relieve()  # whatever the last look found: nothing grows any more
        return True

    def set_used(self, holder: Holder, used_bytes: int) -> None:
        """An index takes so much now."""
        before = self._used.get(holder, 0)
        self.used_bytes += used_bytes - before
        if used_bytes:
            self._used[holder] = used_bytes
        else:
            self._used.pop(holder, None)
        self._look_at_bytes = min(self._look_at_bytes, self.used_bytes + self._step_bytes)
        if self._relieving is None and used_bytes > before and self._pressed:
            if self.used_bytes >= self._look_at_bytes:
                self._relieve()
        elif self._held_back and not self.full:
            waiting, self._held_back = self._held_back, {}
            for each in waiting:
                each.on_room()

    @property
    def _pressed(self) -> bool:
        return 2 * self.used_bytes >= self.max_bytes

    @property
    def _step_bytes(self) -> int:
        return self.max_bytes // _STEP_SHARE

    def _relieve(self) -> None:
        rows = {each: each.sealable_rows for each in self._used}
        largest = max(rows, key=lambda each: rows[each])
        # Scenario: what is used is bits and loaded segments, which no bucket relieves. Without a
        # least number each new row would get a ledger of its own.
        large = rows[largest] >= max(1, self.max_bytes >> 16)
        # Scenario: very many subscriptions with few rows each take all memory, and none is large.
        worth = _WORTH_SHARE * _LEAST_ROW_BYTES * sum(rows.values()) >= self.max_bytes
        if large or worth:
            self._relieving, self._look_at_bytes = largest, 0
            largest.relieve()
        else:
            self._look_at_bytes = self.used_bytes + self._step_bytes

    def relieved(self, holder: Holder) -> None:
        """The holder has tried to write a bucket, or ends."""
        if holder is self._relieving:
            self._relieving = None
            if self._pressed and self._used:
                self._relieve()
