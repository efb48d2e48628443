"""Ledger ids and ledger metadata in the metadata store."""

from contextlib import suppress

from magnetar_metadata.errors import LedgerExistsError
from magnetar_metadata.ledger_layout import check_layout
from magnetar_metadata.ledger_metadata import LedgerMetadata
from magnetar_metadata.ledger_paths import (
    LEDGERS_ROOT,
    SHORT_ID_LIMIT,
    ledger_id_of,
    ledger_path,
    parents_of_ledger,
)
from magnetar_metadata.store import (
    ANY_VERSION,
    MetadataStore,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
    UnknownOutcomeError,
)

_UNKNOWN_OUTCOME_RETRIES = 3
_LONG_ID_LOW_LIMIT = 2**31  # a sequential suffix above this has run over


class LedgerRegistry:
    """The ledgers of a cluster. Versions are those of the nodes: writes are compare-and-set."""

    def __init__(self, store: MetadataStore, root: str = LEDGERS_ROOT) -> None:
        self._store = store
        self._root = root

    async def new_ledger_id(self) -> int:
        """An id that no ledger of this cluster has or had."""
        if not await self._store.children(f"{self._root}/idgen-long"):
            ledger_id = await self._next_number(f"{self._root}/idgen/ID-")
            if ledger_id < SHORT_ID_LIMIT:
                return ledger_id
            await self._make_long_id_parent(1)
        return await self._new_long_id()

    async def create(self, ledger_id: int, metadata: LedgerMetadata) -> int:
        """Make the ledger's node and return its version.

        Raises:
            LedgerExistsError: another client made one of this id.
        """
        path = ledger_path(ledger_id, self._root)
        for _ in range(_UNKNOWN_OUTCOME_RETRIES):
            try:
                await self._store.create(path, metadata.encode())
            except UnknownOutcomeError:
                await self._store.sync(path)
                continue
            except NodeExistsError:
                return await self._own_create(ledger_id, metadata)
            except NoNodeError:
                # Another client deleted the ledger next to it, and then the empty parent that had
                # just been made for this one.
                continue
            return 0
        raise UnknownOutcomeError(path, "create")

    async def read(self, ledger_id: int) -> tuple[LedgerMetadata, int] | None:
        """A ledger's metadata and version, or None if there is no such ledger.

        Raises:
            MalformedRecordError
        """
        node = await self._store.get(ledger_path(ledger_id, self._root))
        return None if node is None else (LedgerMetadata.decode(node.value), node.stat.version)

    async def write(self, ledger_id: int, metadata: LedgerMetadata, version: int) -> int:
        """Replace a ledger's metadata if it still has this version; returns the new version.

        Raises:
            NoNodeError, BadVersionError, UnknownOutcomeError
        """
        path = ledger_path(ledger_id, self._root)
        return (await self._store.set(path, metadata.encode(), version)).version

    async def delete(self, ledger_id: int, version: int = ANY_VERSION) -> None:
        """Forget a ledger; bookies collect its entries afterwards.

        Raises:
            NoNodeError, BadVersionError, UnknownOutcomeError
        """
        await self._store.delete(ledger_path(ledger_id, self._root), version)
        for parent in parents_of_ledger(ledger_id, self._root):
            try:
                await self._store.delete(parent)
            except (NotEmptyError, NoNodeError, UnknownOutcomeError):
                return  # in use, or gone, or left over: an empty parent does no harm

    async def sync(self) -> None:
        """Wait until reads see every ledger that was made before. Raises UnknownOutcomeError."""
        await self._store.sync(self._root)

    async def list_ids(self) -> list[int]:
        """All ledger ids, ascending.

        Raises:
            UnknownLayoutError: others have ledgers that this list would not have.
        """
        await check_layout(self._store, self._root)
        ids: list[int] = []
        for top in await self._store.children(self._root):
            if top.isdigit() and len(top) in (2, 3):
                await self._collect_ids(f"{self._root}/{top}", top, ids)
        return sorted(ids)

    async def _collect_ids(self, path: str, digits: str, ids: list[int]) -> None:
        for name in await self._store.children(path):
            if not name.startswith("L"):
                await self._collect_ids(f"{path}/{name}", digits + name, ids)
            elif (ledger_id := ledger_id_of(digits + name[1:])) is not None:
                ids.append(ledger_id)

    async def _own_create(self, ledger_id: int, metadata: LedgerMetadata) -> int:
        # 1. We create; the connection goes before the answer. 2. We create again: it exists. Whose
        # it is only the token tells. Its version need not be 0, but it can only be ours to change.
        existing = await self.read(ledger_id)
        if existing is not None and metadata.creation_token:
            found, version = existing
            if found.creation_token == metadata.creation_token:
                return version
        raise LedgerExistsError(ledger_path(ledger_id, self._root))

    async def _next_number(self, prefix: str) -> int:
        for _ in range(_UNKNOWN_OUTCOME_RETRIES):
            try:
                path = await self._store.create(prefix, b"", ephemeral=True, sequential=True)
            except UnknownOutcomeError:
                continue  # a number is lost, and its node goes with the session
            break
        else:
            raise UnknownOutcomeError(prefix, "create")
        # Only tidiness: the node goes with the session.
        with suppress(NoNodeError, UnknownOutcomeError):
            await self._store.delete(path)
        return int(path[len(prefix) :])

    async def _new_long_id(self) -> int:
        while True:
            parents = await self._store.children(f"{self._root}/idgen-long")
            high = max(int(name.removeprefix("HOB-")) for name in parents)
            low = await self._next_number(f"{self._root}/idgen-long/HOB-{high:010d}/ID-")
            if 0 <= low < _LONG_ID_LOW_LIMIT:
                return high << 32 | low
            await self._make_long_id_parent(high + 1)

    async def _make_long_id_parent(self, high: int) -> None:
        with suppress(NodeExistsError):  # another client was quicker
            await self._store.create(f"{self._root}/idgen-long/HOB-{high:010d}", b"")
