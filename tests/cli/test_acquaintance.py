"""Metadata and ledger directories that do not belong together delete nothing."""

import pytest
from magnetar_cli.acquaintance import acquaint
from magnetar_metadata.cookies import Cookie, CookieRegistry
from magnetar_metadata.ledger_metadata import LedgerMetadata, Segment
from magnetar_metadata.ledger_registry import LedgerRegistry
from magnetar_metadata.memory import MemoryStore
from magnetar_runtime.clock import SystemClock
from magnetar_storage.errors import DirectoryError

COOKIE = Cookie("bookie", ("journal",), ("ledgers",))


def world() -> tuple[CookieRegistry, LedgerRegistry]:
    store = MemoryStore(SystemClock())
    return CookieRegistry(store), LedgerRegistry(store)


async def test_a_new_bookie_is_noted() -> None:
    cookies, registry = world()
    await acquaint(COOKIE, [], cookies, registry)
    found = await cookies.read("bookie")
    assert found is not None
    assert found[0] == COOKIE
    await acquaint(COOKIE, [3, 4], cookies, registry)  # known from now on, whatever it holds


async def test_ledgers_of_other_metadata_are_refused() -> None:
    cookies, registry = world()
    with pytest.raises(DirectoryError, match="ledgers hold 2 ledgers that the metadata"):
        await acquaint(COOKIE, [3, 4], cookies, registry)
    assert await cookies.read("bookie") is None


async def test_a_bookie_from_before_there_were_cookies_is_known_by_its_ledgers() -> None:
    cookies, registry = world()
    metadata = LedgerMetadata(1, 1, 1, (Segment(0, ("bookie",)),))
    await registry.create(4, metadata)
    await acquaint(COOKIE, [3, 4], cookies, registry)
    assert await cookies.read("bookie") is not None
