"""Racks as pulsar-admin writes them."""

import pytest
from magnetar_metadata.bookie_racks import BOOKIE_RACKS_PATH, BookieRacks
from magnetar_metadata.errors import MalformedRecordError
from magnetar_metadata.memory import MemoryStore
from magnetar_runtime.clock import SystemClock

WRITTEN = (
    b'{"default":{"127.0.0.1:3181":{"rack":"/rack-1","hostname":"one"}},'
    b'"other":{"bookie-2":{"rack":"/rack-2"},"bookie-3":{"rack":""}}}'
)


async def test_racks_of_all_groups() -> None:
    store = MemoryStore(SystemClock())
    assert await BookieRacks(store).racks() == {}
    await store.create(BOOKIE_RACKS_PATH, WRITTEN)
    assert await BookieRacks(store).racks() == {
        "127.0.0.1:3181": "/rack-1",
        "bookie-2": "/rack-2",
    }


@pytest.mark.parametrize("value", [b"{", b"[]", b'{"a":1}', b'{"a":{"b":[]}}', b"\xff"])
async def test_other_bytes_are_named(value: bytes) -> None:
    store = MemoryStore(SystemClock())
    await store.create(BOOKIE_RACKS_PATH, value)
    with pytest.raises(MalformedRecordError):
        await BookieRacks(store).racks()


async def test_groups_are_as_they_were_written() -> None:
    store = MemoryStore(SystemClock())
    assert await BookieRacks(store).groups() == {}
    await store.create(BOOKIE_RACKS_PATH, b"")
    assert await BookieRacks(store).groups() == {}
    await store.set(BOOKIE_RACKS_PATH, WRITTEN)
    groups = await BookieRacks(store).groups()
    assert groups["default"] == {"127.0.0.1:3181": {"rack": "/rack-1", "hostname": "one"}}
    assert set(groups) == {"default", "other"}
