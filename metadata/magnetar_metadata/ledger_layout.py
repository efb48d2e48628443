"""The nodes that a cluster has before its first bookie starts."""

from contextlib import suppress
from typing import Final

from magnetar_metadata.ledger_paths import LEDGERS_ROOT
from magnetar_metadata.store import MetadataStore, NodeExistsError

LAYOUT: Final = b"2\norg.apache.bookkeeper.meta.HierarchicalLedgerManagerFactory:1"


async def prepare_ledger_root(
    store: MetadataStore, new_instance_id: str, root: str = LEDGERS_ROOT
) -> str:
    """Make what is missing, and return the cluster's instance id.

    Args:
        new_instance_id: for a cluster that has none, a random UUID as text.
    """
    nodes = (
        (f"{root}/INSTANCEID", new_instance_id.encode()),
        (f"{root}/LAYOUT", LAYOUT),
        (f"{root}/available/readonly", b""),
        (f"{root}/cookies", b""),
    )
    for path, value in nodes:
        with suppress(NodeExistsError):  # prepared before, or by another process just now
            await store.create(path, value)
    node = await store.get(f"{root}/INSTANCEID")
    assert node is not None
    return node.value.decode()
