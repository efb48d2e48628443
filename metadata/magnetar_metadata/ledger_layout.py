"""Where a cluster's ledgers stand, and the nodes that it has before its first bookie starts."""

from contextlib import suppress
from typing import Final

from magnetar_metadata.errors import UnknownLayoutError
from magnetar_metadata.ledger_paths import LEDGERS_ROOT
from magnetar_metadata.store import (
    MetadataError,
    MetadataStore,
    NodeExistsError,
    UnknownOutcomeError,
)

LAYOUT: Final = b"2\norg.apache.bookkeeper.meta.HierarchicalLedgerManagerFactory:1"


async def read_instance_id(store: MetadataStore, root: str = LEDGERS_ROOT) -> str:
    """What tells this cluster from others. Raises MetadataError if there is no cluster."""
    path = f"{root}/INSTANCEID"
    node = await store.get(path)
    if node is None:
        raise MetadataError(path, "there is no cluster: run `magnetar cluster init` first")
    return node.value.decode("utf-8", "replace")


async def check_layout(
    store: MetadataStore, root: str = LEDGERS_ROOT, *, required: bool = False
) -> None:
    """Make sure that ledgers stand where `ledger_path` says.

    1. BookKeeper's client keeps ledger 5 where its own layout says. 2. A bookie looks for it here,
    finds none, and takes it for deleted. 3. Its acknowledged entries go.

    Args:
        required: a cluster that says nothing is refused too; else it has BookKeeper's default.

    Raises:
        UnknownLayoutError: they stand elsewhere.
        MetadataError: the store cannot be read.
    """
    path = f"{root}/LAYOUT"
    node = await store.get(path)
    if node is None and required:
        raise UnknownLayoutError(path, "is not there: nothing says how the ledgers are laid out")
    if node is not None and node.value != LAYOUT:
        found = node.value.decode(errors="replace").partition("\n")[2]
        raise UnknownLayoutError(
            path,
            f"the ledgers are laid out by {found!r}; Magnetar knows only BookKeeper's default, "
            "HierarchicalLedgerManagerFactory, so this cluster needs BookKeeper's own bookies "
            "and clients",
        )


async def settle_layout(store: MetadataStore, root: str = LEDGERS_ROOT) -> None:
    """`check_layout`; a cluster that says nothing yet gets its layout, as from BookKeeper's client.

    Raises:
        UnknownLayoutError, MetadataError
    """
    path = f"{root}/LAYOUT"
    if await store.get(path) is None:
        with suppress(NodeExistsError, UnknownOutcomeError):  # what is there then is looked at
            await store.create(path, LAYOUT)
        await store.sync(path)
    await check_layout(store, root, required=True)


async def prepare_ledger_root(
    store: MetadataStore, new_instance_id: str, root: str = LEDGERS_ROOT
) -> str:
    """Make what is missing, and return the cluster's instance id.

    Args:
        new_instance_id: for a cluster that has none, a random UUID as text.

    Raises:
        UnknownLayoutError, MetadataError
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
    await check_layout(store, root, required=True)
    return await read_instance_id(store, root)
