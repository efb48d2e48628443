"""Cookies in BookKeeper's text."""

import pytest
from magnetar_metadata.cookies import Cookie, CookieRegistry
from magnetar_metadata.errors import BadVersionError, MalformedRecordError, NodeExistsError
from magnetar_metadata.memory import MemoryStore

from tests.metadata.clocks import ManualClock
from tests.metadata.store_contract import value_of

COOKIE = Cookie(
    "127.0.0.1:3181", ("/data/journal",), ("/data/ledgers-1", "/data/ledgers-2"), "a-b-c"
)
TEXT = rb"""5
bookieHost: "127.0.0.1:3181"
journalDir: "/data/journal"
ledgerDirs: "2\t/data/ledgers-1\t/data/ledgers-2"
instanceId: "a-b-c"
"""


def test_the_text_is_bookkeepers() -> None:
    assert COOKIE.encode() == TEXT
    assert Cookie.decode(TEXT) == COOKIE


def test_several_journals_and_index_directories_come_back() -> None:
    cookie = Cookie("id", ("/j1", "/j2"), ("/l",), index_directories=("/i1", "/i2"))
    assert Cookie.decode(cookie.encode()) == cookie


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"4\n",
        b"\xff",
        b"5\nbookieHost: 1",
        TEXT.replace(b'"2', b'"3'),
        TEXT.replace(b'"2', b'"x'),
        b"5\n",
    ],
)
def test_what_is_no_cookie_is_refused(value: bytes) -> None:
    with pytest.raises(MalformedRecordError):
        Cookie.decode(value)


async def test_the_clusters_copy() -> None:
    store = MemoryStore(ManualClock())
    registry = CookieRegistry(store)
    assert await registry.read(COOKIE.bookie_id) is None
    assert await registry.ids() == []
    await registry.create(COOKIE)
    assert await registry.ids() == [COOKIE.bookie_id]
    assert await value_of(store, "/ledgers/cookies/127.0.0.1:3181") == TEXT
    with pytest.raises(NodeExistsError):
        await registry.create(COOKIE)
    found = await registry.read(COOKIE.bookie_id)
    assert found is not None
    assert found[0] == COOKIE
    await registry.write(COOKIE, found[1])
    with pytest.raises(BadVersionError):
        await registry.write(COOKIE, found[1])
    await registry.delete(COOKIE.bookie_id)
    assert await registry.read(COOKIE.bookie_id) is None
