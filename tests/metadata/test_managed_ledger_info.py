"""Managed ledgers and cursors in Pulsar's paths and bytes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from magnetar_metadata.errors import BadVersionError, MalformedRecordError, NoNodeError
from magnetar_metadata.managed_ledger_info import (
    CursorInfo,
    LedgerInfo,
    ManagedLedgerInfo,
    ManagedLedgerRegistry,
)
from magnetar_metadata.memory import MemoryStore

from tests.metadata.clocks import ManualClock
from tests.metadata.store_contract import value_of

NAME = "public/default/persistent/t"
IDS = st.integers(-1, 2**62)
KEYS = st.tuples(IDS, IDS)
POSITIVE = st.integers(1, 2**62)
TEXTS = st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=2)


@settings(max_examples=25, deadline=None)
@given(
    st.builds(
        ManagedLedgerInfo,
        st.lists(
            st.builds(LedgerInfo, IDS)
            | st.builds(LedgerInfo, IDS, POSITIVE, POSITIVE, POSITIVE, st.binary(max_size=4)),
            max_size=3,
        ).map(tuple),
        st.none() | KEYS,
        TEXTS,
    )
)
def test_a_managed_ledger_comes_back(info: ManagedLedgerInfo) -> None:
    assert ManagedLedgerInfo.decode(info.encode()) == info


@settings(max_examples=25, deadline=None)
@given(
    st.builds(
        CursorInfo,
        IDS,
        st.none() | KEYS,
        st.lists(st.tuples(KEYS, KEYS), max_size=3).map(tuple),
        st.lists(st.tuples(KEYS, st.lists(IDS, max_size=3).map(tuple)), max_size=2).map(tuple),
        st.dictionaries(st.text(max_size=4), IDS, max_size=2),
        TEXTS,
        POSITIVE,
    )
)
def test_a_cursor_comes_back(info: CursorInfo) -> None:
    assert CursorInfo.decode(info.encode()) == info


def test_the_bytes_are_pulsars() -> None:
    info = ManagedLedgerInfo((LedgerInfo(3, 10, 500, 1_000), LedgerInfo(4)), properties={"k": "v"})
    # Field numbers of ManagedLedgerInfo; the open ledger stands there with its id alone.
    assert info.encode().hex() == "0a0a0803100a18f40320e807" + "0a020804" + "1a060a016b120176"
    cursor = CursorInfo(-1, (3, 4), (((3, 5), (3, 6)),))
    assert cursor.encode().hex() == (
        "08ffffffffffffffffff01" + "1003" + "1804" + "220c" + "0a0408031005" + "120408031006"
    )


@pytest.mark.parametrize("value", [b"\xff", b"\x47\x78\x00\x00\x00\x00"])
def test_foreign_bytes_are_refused(value: bytes) -> None:
    with pytest.raises(MalformedRecordError):
        ManagedLedgerInfo.decode(value)
    with pytest.raises(MalformedRecordError):
        CursorInfo.decode(value)


async def test_the_registry_is_compare_and_set() -> None:
    store = MemoryStore(ManualClock())
    registry = ManagedLedgerRegistry(store)
    assert await registry.read(NAME) is None
    version = await registry.create(NAME, ManagedLedgerInfo())
    info = ManagedLedgerInfo((LedgerInfo(1),))
    version = await registry.write(NAME, info, version)
    assert await registry.read(NAME) == (info, version)
    assert await value_of(store, "/managed-ledgers/public/default/persistent/t") == info.encode()
    with pytest.raises(BadVersionError):
        await registry.write(NAME, info, version - 1)
    assert await registry.names("public", "default") == [NAME]
    await registry.delete(NAME, version)
    assert await registry.names("public", "default") == []


async def test_cursors_stand_below_their_managed_ledger() -> None:
    store = MemoryStore(ManualClock())
    registry = ManagedLedgerRegistry(store)
    cursor = CursorInfo(-1, (1, 2))
    with pytest.raises(NoNodeError):
        await registry.create_cursor(NAME, "a/b c", cursor)
    await registry.create(NAME, ManagedLedgerInfo())
    version = await registry.create_cursor(NAME, "a/b c", cursor)
    path = "/managed-ledgers/public/default/persistent/t/a%2Fb+c"
    assert await value_of(store, path) == cursor.encode()
    assert await registry.cursor_names(NAME) == ["a/b c"]
    moved = CursorInfo(9, (1, 5))
    version = await registry.write_cursor(NAME, "a/b c", moved, version)
    assert await registry.read_cursor(NAME, "a/b c") == (moved, version)
    with pytest.raises(BadVersionError):
        await registry.delete_cursor(NAME, "a/b c", version - 1)
    await registry.delete_cursor(NAME, "a/b c")
    assert await registry.read_cursor(NAME, "a/b c") is None


async def test_nodes_as_they_are() -> None:
    registry = ManagedLedgerRegistry(MemoryStore(ManualClock()))
    assert await registry.node("t/n/persistent/x") is None
    await registry.create("t/n/persistent/x", ManagedLedgerInfo())
    node = await registry.node("t/n/persistent/x")
    assert node is not None
    assert node.stat.version == 0
    assert await registry.node("t/n/persistent/x", "s") is None
