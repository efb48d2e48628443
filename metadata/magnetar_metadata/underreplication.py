"""Which ledgers lack replicas, whether repair is on, and how long a lost bookie is waited for."""

from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Final

from magnetar_runtime.clock import Clock

from magnetar_metadata.errors import MalformedRecordError
from magnetar_metadata.ledger_paths import LEDGERS_ROOT
from magnetar_metadata.store import (
    ANY_VERSION,
    BadVersionError,
    MetadataStore,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
    UnknownOutcomeError,
)
from magnetar_metadata.underreplication_records import (
    LAYOUT,
    UnderreplicatedLedger,
    check_layout,
    decode_check_time,
    encode_check_time,
    ledger_of_marker,
    marker_path,
    markers_path,
    parents_of_marker,
    underreplication_root,
)

_ATTEMPTS: Final = 10
"""Of a change that others undo or whose outcome is unknown; each may be made twice."""


class Underreplication:
    """BookKeeper's nodes below `/ledgers/underreplication`, without the locks and the election."""

    def __init__(self, store: MetadataStore, clock: Clock, root: str = LEDGERS_ROOT) -> None:
        self._store = store
        self._clock = clock
        self._ledgers_root = root
        self._root = underreplication_root(root)
        self._disable = f"{self._root}/disable"
        self._delay = f"{self._root}/lostBookieRecoveryDelay"
        self._check_time = f"{self._root}/checkallledgersctime"

    async def prepare(self) -> None:
        """Make the nodes that Apache's tools expect.

        Raises:
            MalformedRecordError: they have another layout.
        """
        layout = f"{self._root}/LAYOUT"
        for path, value in (
            (layout, LAYOUT),
            (markers_path(self._ledgers_root), b""),
            (f"{self._root}/locks", b""),
        ):
            with suppress(NodeExistsError):
                await self._store.create(path, value)
        node = await self._store.get(layout)
        check_layout(b"" if node is None else node.value)

    async def mark(self, ledger_id: int, replicas: Collection[str]) -> None:
        """Say that these bookies lack entries of the ledger.

        The marker changes its version even if it says so already: who is about to remove it has
        looked before now, and must look again.

        Raises:
            UnknownOutcomeError: it may be marked or not.
            MetadataError
        """
        path = marker_path(ledger_id, self._ledgers_root)
        for _ in range(_ATTEMPTS):
            # All these mean: somebody else was here, or it was done and nobody heard of it.
            with suppress(BadVersionError, NodeExistsError, NoNodeError, UnknownOutcomeError):
                await self._mark(path, replicas)
                return
        raise UnknownOutcomeError(path, "mark")

    async def read(self, ledger_id: int) -> tuple[UnderreplicatedLedger, int] | None:
        """A ledger's marker and its version, or None. Raises MalformedRecordError."""
        node = await self._store.get(marker_path(ledger_id, self._ledgers_root))
        return (
            None if node is None else (UnderreplicatedLedger.decode(node.value), node.stat.version)
        )

    async def remove(self, ledger_id: int, version: int = ANY_VERSION) -> bool:
        """Take a marker away; False if it was changed meanwhile.

        Raises:
            MetadataError: also if nobody knows whether it was done.
        """
        path = marker_path(ledger_id, self._ledgers_root)
        try:
            await self._store.delete(path, version)
        except BadVersionError:
            return False
        except NoNodeError:
            return True
        for parent in parents_of_marker(path):
            try:
                await self._store.delete(parent)
            except (NotEmptyError, NoNodeError, UnknownOutcomeError):
                break  # in use, gone, or left over: an empty parent does no harm
        return True

    async def list_ids(self) -> list[int]:
        """The ledgers that are marked, ascending."""
        ids: list[int] = []
        await self._collect(markers_path(self._ledgers_root), ids)
        return sorted(ids)

    async def enabled(self) -> bool:
        """Whether lost replicas are to be replaced; an operator may have switched it off."""
        return await self._store.get(self._disable) is None

    async def enable(self, on: bool = True) -> None:
        """Switch the repair on or off, for the whole cluster."""
        if on:
            with suppress(NoNodeError):
                await self._store.delete(self._disable)
        else:
            with suppress(NodeExistsError):
                await self._store.create(self._disable, b"")

    async def lost_bookie_recovery_delay_s(self, configured_s: int) -> int:
        """How long a bookie must be gone before its replicas are replaced.

        Args:
            configured_s: what the configuration says; counts, and is written down, only if the
                cluster has no delay yet.

        Raises:
            MalformedRecordError
        """
        node = await self._store.get(self._delay)
        if node is None:
            with suppress(NodeExistsError):
                await self._store.create(self._delay, b"%d" % configured_s)
                return configured_s
            return await self.lost_bookie_recovery_delay_s(configured_s)
        try:
            return int(node.value)
        except ValueError as error:
            raise MalformedRecordError("lostBookieRecoveryDelay", str(error)) from error

    async def set_lost_bookie_recovery_delay_s(self, delay_s: int) -> None:
        """For the whole cluster."""
        value = b"%d" % delay_s
        try:
            await self._store.set(self._delay, value)
        except NoNodeError:
            await self._store.create(self._delay, value)

    async def last_check_ms(self) -> int | None:
        """When all ledgers were last checked, in wall time. Raises MalformedRecordError."""
        node = await self._store.get(self._check_time)
        return None if node is None else decode_check_time(node.value)

    async def checked(self, wall_ms: int) -> None:
        """Note that all ledgers were checked."""
        value = encode_check_time(wall_ms)
        try:
            await self._store.set(self._check_time, value)
        except NoNodeError:
            await self._store.create(self._check_time, value)

    def watch(self, hint: Callable[[str], None]) -> Callable[[], None]:
        """Hint when something was marked, or the repair switched on or off, or the delay changed.

        Not each marker is hinted at: only the first of its group of ids.
        """
        paths = (markers_path(self._ledgers_root), self._disable, self._delay)
        ends = [self._store.watch(path, hint) for path in paths]

        def end() -> None:
            for end_one in ends:
                end_one()

        return end

    async def _mark(self, path: str, replicas: Collection[str]) -> None:
        node = await self._store.get(path)
        if node is None:
            marker = UnderreplicatedLedger(tuple(replicas), self._clock.wall_ms())
            await self._store.create(path, marker.encode())
        else:
            marker = UnderreplicatedLedger.decode(node.value).with_replicas(replicas)
            await self._store.set(path, marker.encode(), node.stat.version)

    async def _collect(self, path: str, ids: list[int]) -> None:
        for name in await self._store.children(path):
            ledger_id = ledger_of_marker(name)
            if ledger_id is None:
                await self._collect(f"{path}/{name}", ids)
            else:
                ids.append(ledger_id)
