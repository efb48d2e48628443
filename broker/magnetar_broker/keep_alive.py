"""One timer for the keep-alive of all connections."""

from __future__ import annotations

from typing import Final, Generic, TypeVar

SLOTS: Final = 30

Member = TypeVar("Member")


class KeepAliveWheel(Generic[Member]):
    """A ring of slots of which one is due at each step: a member comes up once per round.

    Pure: whoever owns it steps it `SLOTS` times per keep-alive interval.
    """

    def __init__(self, slots: int = SLOTS) -> None:
        # Dictionaries keep the order in which members came; sets would not.
        self._slots: list[dict[Member, None]] = [{} for _ in range(slots)]
        self._slot_of: dict[Member, int] = {}
        self._hand = 0

    def __len__(self) -> int:
        return len(self._slot_of)

    def add(self, member: Member) -> None:
        """Take a member in; it comes up first after one whole round."""
        self._slots[self._hand][member] = None
        self._slot_of[member] = self._hand

    def discard(self, member: Member) -> None:
        """Forget a member."""
        slot = self._slot_of.pop(member, None)
        if slot is not None:
            del self._slots[slot][member]

    def step(self) -> list[Member]:
        """Go one slot on; the members that have come up."""
        self._hand = (self._hand + 1) % len(self._slots)
        return list(self._slots[self._hand])
