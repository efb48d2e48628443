"""What a seed decides: one stream of random numbers per purpose, and how rough the machine is."""

from dataclasses import dataclass
from random import Random
from typing import Self


def stream(seed: int, purpose: str) -> Random:
    """Random numbers of their own for a purpose: a draw here does not shift the draws elsewhere."""
    return Random(f"{seed}/{purpose}")  # a text: the same for every PYTHONHASHSEED


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopShape:
    """How far a loop uses the freedom that asyncio leaves it.

    Attributes:
        turn_max_us: A turn of the loop takes up to so much virtual time. Zero lets code that waits
            by `sleep(0)` stop the time.
        late_max_us: A sleeping loop wakes up for its next timer up to so late. Timers that are due
            by then come in any order, so more than the millisecond of libuv would be unfair.
        shuffled: Tasks that were woken one after another run in any order, and so do timers that
            are due together. Callbacks of `call_soon` never change places.
    """

    turn_max_us: int = 20
    late_max_us: int = 100
    shuffled: bool = True

    @classmethod
    def draw(cls, rng: Random) -> Self:
        """A shape among all that are fair."""
        return cls(
            turn_max_us=rng.choice((1, 20, 200, 2_000)),
            late_max_us=rng.choice((0, 10, 100, 1_000)),
            shuffled=rng.random() < 0.9,
        )


CALM = LoopShape(turn_max_us=0, late_max_us=0, shuffled=False)
"""Callbacks cost no time and come in asyncio's usual order: for tests that count milliseconds."""
