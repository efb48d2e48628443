"""The last add confirmed of a writer that is idle, told to bookies without an entry.

An entry carries the LAC that its writer had when it sent it, so readers that do not recover never
see the last entry of a writer that pauses. Bookies that speak version 3 keep the LAC by itself.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from magnetar_proto.bookie import Bookie, Status

LacDone = Callable[[Status, bytes | None], None]
"""Takes how a call ended and what was kept: ledger id, LAC and digest over both."""


@runtime_checkable
class LacKeeper(Protocol):
    """A bookie that may keep explicit LACs; calls end as those of `Bookie`."""

    @property
    def keeps_lac(self) -> bool:
        """Whether the calls can be made at all."""

    def write_lac(
        self, ledger_id: int, lac: int, master_key: bytes, body: bytes, done: LacDone
    ) -> None: ...

    def read_lac(self, ledger_id: int, done: LacDone) -> None: ...


def keepers(bookies: Sequence[Bookie]) -> list[LacKeeper]:
    """Those of the bookies that keep LACs."""
    return [b for b in bookies if isinstance(b, LacKeeper) and b.keeps_lac]
