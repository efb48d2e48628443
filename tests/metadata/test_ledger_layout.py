"""The first nodes of a cluster."""

from magnetar_metadata.ledger_layout import prepare_ledger_root
from magnetar_metadata.memory import MemoryStore

from tests.metadata.clocks import ManualClock
from tests.metadata.store_contract import value_of


async def test_a_new_cluster_gets_its_nodes_and_keeps_its_id() -> None:
    store = MemoryStore(ManualClock())
    assert await prepare_ledger_root(store, "first") == "first"
    assert await prepare_ledger_root(store, "second") == "first"
    assert await store.children("/ledgers") == ["INSTANCEID", "LAYOUT", "available", "cookies"]
    layout = await value_of(store, "/ledgers/LAYOUT")
    assert layout == b"2\norg.apache.bookkeeper.meta.HierarchicalLedgerManagerFactory:1"
    assert len(layout) == 63
