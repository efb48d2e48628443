"""What happened in a simulation, as a hash: two runs are the same if their digests are."""

from collections import deque
from hashlib import blake2b
from typing import Final

_TAIL_EVENTS: Final = 200


class Trace:
    """Takes events in their order.

    Texts of events must say the same in every process: no address, no hash, no number that the
    process counts.
    """

    def __init__(self) -> None:
        self._hash = blake2b(digest_size=16)
        self._tail: deque[str] = deque(maxlen=_TAIL_EVENTS)
        self.events = 0

    def add(self, now_ns: int, text: str, data: bytes | bytearray | memoryview = b"") -> None:
        """One event: what happened, when in virtual time, and the bytes that moved."""
        self.events += 1
        line = f"{now_ns} {text}"
        self._tail.append(line)
        self._hash.update(b"%d %d %b" % (len(line), len(data), line.encode()))
        if data:
            self._hash.update(data)

    def digest(self) -> str:
        """The hash of all events so far."""
        return self._hash.copy().hexdigest()

    def tail(self) -> list[str]:
        """The latest events, `<time in ns> <text>` each, for the person who looks for a bug."""
        return list(self._tail)
