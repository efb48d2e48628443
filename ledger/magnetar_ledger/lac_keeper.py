"""The last add confirmed of a writer that is idle, told to bookies without an entry.

An entry carries the LAC that its writer had when it sent it, so readers that do not recover never
see the last entry of a writer that pauses. Bookies that speak version 3 keep the LAC by itself.
"""

from collections.abc import Sequence

from magnetar_proto.bookie import Bookie, LacDone, LacKeeper

__all__ = ["LacDone", "LacKeeper", "keepers"]


def keepers(bookies: Sequence[Bookie]) -> list[LacKeeper]:
    """Those of the bookies that keep LACs."""
    return [b for b in bookies if isinstance(b, LacKeeper) and b.keeps_lac]
