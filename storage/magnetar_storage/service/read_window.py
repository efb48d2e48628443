"""How many reads a connection may have in work, so that what they give stays small. Pure.

What a read will give is not known before, so it is expected to be what reads gave lately. A
connection begins with few: its entries may be large.
"""

from typing import Final

_FIRST_BYTES: Final = 1 << 20
_FORGET: Final = 8
"""An expectation that was too high falls by so large a part with each read."""


class ReadWindow:
    """The reads in work of one connection.

    Attributes:
        in_work: begun and not ended.
    """

    def __init__(self, max_reads: int, max_bytes: int) -> None:
        """Args: `max_bytes` is what they may give together, if they give what is expected."""
        self._max_reads = max_reads
        self._max_bytes = max_bytes
        self._expected_bytes = _FIRST_BYTES
        self.in_work = 0

    @property
    def has_room(self) -> bool:
        """Whether another one may begin; one always may."""
        most = min(self._max_reads, self._max_bytes // max(1, self._expected_bytes))
        return self.in_work < max(1, most)

    def begin(self) -> None:
        """One begins."""
        self.in_work += 1

    def end(self, given_bytes: int) -> None:
        """One has ended."""
        self.in_work -= 1
        expected = self._expected_bytes
        self._expected_bytes = max(given_bytes, expected - expected // _FORGET)
