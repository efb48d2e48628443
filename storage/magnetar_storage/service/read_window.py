"""How many reads a connection may have in work, so that what they give stays small. Pure.

What a read will give is not known before, so it is expected to be what reads gave lately. A
connection begins with few: its entries may be large.
"""

from typing import Final

_FIRST_BYTES: Final = 1 << 20
_FORGET: Final = 8
"""An expectation that was too high falls by so large a part with each read."""


class ReadWindow:
    """The reads in work of one connection: whoever begins one counts it.

    Attributes:
        in_work: begun and not ended.
        most: so many may be; at least one.
    """

    __slots__ = ("_expected_bytes", "_max_bytes", "_max_reads", "in_work", "most")

    def __init__(self, max_reads: int, max_bytes: int) -> None:
        """Args: `max_bytes` is what they may give together, if they give what is expected."""
        self._max_reads = max_reads
        self._max_bytes = max_bytes
        self._expected_bytes = 0
        self.in_work = self.most = 0
        self._expect(_FIRST_BYTES)

    def end(self, given_bytes: int) -> None:
        """One has ended."""
        self.in_work -= 1
        expected = self._expected_bytes
        if given_bytes > expected or expected > _FORGET:
            self._expect(max(given_bytes, expected - expected // _FORGET))

    def _expect(self, read_bytes: int) -> None:
        self._expected_bytes = read_bytes
        self.most = max(1, min(self._max_reads, self._max_bytes // max(1, read_bytes)))
