"""Judges what one producer sent and what was read: pure, so it can be tested on its own."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    """Counts of what went wrong, and of what at-least-once allows.

    Attributes:
        lost: Acknowledged, but not read.
        phantoms: Read, but never sent.
        order_breaks: Messages whose first copy came after a later message's first copy.
        repeats: Further copies; a resend after an unknown outcome makes them.
    """

    lost: int
    phantoms: int
    order_breaks: int
    repeats: int

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong; repeats are not."""
        return not (self.lost or self.phantoms or self.order_breaks)

    def worst(self, other: "Verdict") -> "Verdict":
        """Both audits of the same producer as one: what either found, not twice."""
        return Verdict(
            lost=max(self.lost, other.lost),
            phantoms=max(self.phantoms, other.phantoms),
            order_breaks=max(self.order_breaks, other.order_breaks),
            repeats=max(self.repeats, other.repeats),
        )


def judge(sent_count: int, acknowledged: Iterable[int], read: Sequence[int]) -> Verdict:
    """Compares numbers 0..`sent_count`-1 of one producer with what was read of it, in order."""
    first_copies = list(dict.fromkeys(read))
    seen = set(first_copies)
    order_breaks = 0
    highest = -1
    for number in first_copies:
        order_breaks += number < highest
        highest = max(highest, number)
    return Verdict(
        lost=len(set(acknowledged) - seen),
        phantoms=sum(not 0 <= number < sent_count for number in seen),
        order_breaks=order_breaks,
        repeats=len(read) - len(first_copies),
    )
