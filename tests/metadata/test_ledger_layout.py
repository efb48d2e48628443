"""The first nodes of a cluster, and where its ledgers stand."""

import pytest
from magnetar_metadata.errors import MetadataError, UnknownLayoutError, UnknownOutcomeError
from magnetar_metadata.ledger_layout import (
    LAYOUT,
    check_layout,
    prepare_ledger_root,
    read_instance_id,
    settle_layout,
)
from magnetar_metadata.memory import MemoryStore

from tests.metadata.clocks import ManualClock
from tests.metadata.store_contract import value_of

OTHERS = (
    LAYOUT.replace(b"meta.", b"meta.Long"),
    LAYOUT.replace(b"meta.", b"meta.Legacy"),
    LAYOUT + b"0",  # another version
    b"?",
)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(ManualClock())


async def test_a_new_cluster_gets_its_nodes_and_keeps_its_id(store: MemoryStore) -> None:
    with pytest.raises(MetadataError, match="magnetar cluster init"):
        await read_instance_id(store)
    assert await prepare_ledger_root(store, "first") == "first"
    assert await prepare_ledger_root(store, "second") == "first"
    assert await store.children("/ledgers") == ["INSTANCEID", "LAYOUT", "available", "cookies"]
    layout = await value_of(store, "/ledgers/LAYOUT")
    assert layout == b"2\norg.apache.bookkeeper.meta.HierarchicalLedgerManagerFactory:1"
    assert len(layout) == 63


@pytest.mark.parametrize("other", OTHERS)
async def test_another_layout_is_refused_and_stays(store: MemoryStore, other: bytes) -> None:
    await store.create("/x/LAYOUT", other)
    with pytest.raises(UnknownLayoutError, match="/x/LAYOUT: the ledgers are laid out by"):
        await check_layout(store, "/x")
    with pytest.raises(UnknownLayoutError):
        await settle_layout(store, "/x")
    with pytest.raises(UnknownLayoutError):
        await prepare_ledger_root(store, "id", "/x")
    assert await value_of(store, "/x/LAYOUT") == other


async def test_a_cluster_without_one_has_the_default_and_gets_it(store: MemoryStore) -> None:
    await check_layout(store)
    assert await store.children("/ledgers") == []
    with pytest.raises(UnknownLayoutError, match="is not there"):
        await check_layout(store, required=True)
    await settle_layout(store)
    assert await value_of(store, "/ledgers/LAYOUT") == LAYOUT
    await check_layout(store, required=True)


class Racing(MemoryStore):
    """While a node is made, another client makes it, or the reply is lost."""

    value: bytes

    async def create(self, path: str, value: bytes, **options: bool) -> str:
        await super().create(path, self.value, **options)
        if self.value == value:
            raise UnknownOutcomeError(path)
        return await super().create(path, value, **options)


@pytest.mark.parametrize("other", OTHERS)
async def test_another_client_may_be_quicker(other: bytes) -> None:
    store = Racing(ManualClock())
    store.value = other
    with pytest.raises(UnknownLayoutError):
        await settle_layout(store)


async def test_a_lost_reply_is_got_over() -> None:
    store = Racing(ManualClock())
    store.value = LAYOUT
    await settle_layout(store)
    assert await value_of(store, "/ledgers/LAYOUT") == LAYOUT
