"""What the delayed indexes of all subscriptions may take in memory together."""

from typing import Protocol


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

    @property
    def full(self) -> bool:
        return self.used_bytes >= self.max_bytes

    def hold_back(self, holder: Holder) -> bool:
        """Whether the holder must not add rows now; it is told when it may."""
        if self.used_bytes < self.max_bytes:
            return False
        self._held_back[holder] = None
        return True

    def set_used(self, holder: Holder, used_bytes: int) -> None:
        """An index takes so much now."""
        before = self._used.get(holder, 0)
        self.used_bytes += used_bytes - before
        if used_bytes:
            self._used[holder] = used_bytes
        else:
            self._used.pop(holder, None)
        if self._relieving is None and used_bytes > before and self._pressed:
            self._relieve()
        elif self._held_back and not self.full:
            waiting, self._held_back = self._held_back, {}
            for each in waiting:
                each.on_room()

    @property
    def _pressed(self) -> bool:
        return 2 * self.used_bytes >= self.max_bytes

    def _relieve(self) -> None:
        largest = max(self._used, key=lambda each: each.sealable_rows)
        # Scenario: what is used is bits and loaded segments, which no bucket relieves. Without a
        # least number each new row would get a ledger of its own.
        if largest.sealable_rows >= max(1, self.max_bytes >> 16):
            self._relieving = largest
            largest.relieve()

    def relieved(self, holder: Holder) -> None:
        """The holder has tried to write a bucket, or ends."""
        if holder is self._relieving:
            self._relieving = None
            if self._pressed and self._used:
                self._relieve()
