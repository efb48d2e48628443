"""Whether metadata and a bookie's directories belong together, before anything is deleted.

Scenario: the data directory is empty (its disk is not mounted, or another one was named) while the
ledger directories are those of before. To the collector every ledger would be one that metadata has
deleted. So metadata keeps the bookie's cookie, and a bookie with ledgers that comes without one is
taken only if metadata knows some of them.
"""

from collections.abc import Sequence

from magnetar_metadata.cookies import Cookie, CookieRegistry
from magnetar_metadata.ledger_registry import LedgerRegistry
from magnetar_storage.errors import DirectoryError


async def acquaint(
    cookie: Cookie, ledger_ids: Sequence[int], cookies: CookieRegistry, registry: LedgerRegistry
) -> None:
    """Make sure that this metadata is that of the bookie; a new bookie is noted in it.

    Args:
        ledger_ids: what the bookie holds.

    Raises:
        DirectoryError: the ledgers are of other metadata.
        MetadataError: the store cannot be read or written.
    """
    if await cookies.read(cookie.bookie_id) is not None:
        return
    if ledger_ids and not set(ledger_ids) & set(await registry.list_ids()):
        directories = ", ".join(cookie.ledger_directories)
        raise DirectoryError(
            f"{directories} hold {len(ledger_ids)} ledgers that the metadata in the data directory "
            "does not know: start with the data directory that belongs to them (is its disk "
            "mounted?), or give this one ledger directories of its own"
        )
    await cookies.create(cookie)
