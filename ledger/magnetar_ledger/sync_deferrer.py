"""Bookies that may answer adds before they are durable: those that speak version 3."""

from collections.abc import Iterable

from magnetar_proto.bookie import Bookie, SyncDeferrer

from magnetar_ledger.errors import NotEnoughBookiesError

__all__ = ["SyncDeferrer", "check_deferrers", "deferrer"]


def deferrer(bookie: Bookie) -> SyncDeferrer | None:
    """The bookie, if it can be asked for that."""
    return bookie if isinstance(bookie, SyncDeferrer) and bookie.defers_sync else None


def check_deferrers(bookies: Iterable[Bookie]) -> None:
    """Raises NotEnoughBookiesError if some of the bookies cannot be asked to defer syncs."""
    if not all(map(deferrer, bookies)):
        raise NotEnoughBookiesError(
            "syncs can be deferred only over version 3 of the protocol (useV2WireProtocol=false)"
        )
