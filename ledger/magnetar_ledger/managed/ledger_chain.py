"""The ledgers of a topic as they stand in metadata: listed, recovered, replaced, removed."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from magnetar_metadata.ledger_metadata import DigestType
from magnetar_metadata.managed_ledger_info import LedgerInfo, ManagedLedgerInfo
from magnetar_metadata.store import BadVersionError, MetadataError, NoNodeError

from magnetar_ledger.errors import (
    LedgerError,
    LedgerMetadataError,
    ManagedLedgerFencedError,
    NoSuchLedgerError,
    NoSuchManagedLedgerError,
)
from magnetar_ledger.managed.config import ManagedLedgerDeps
from magnetar_ledger.managed.ledger_list import LedgerList
from magnetar_ledger.managed.versioned_node import VersionedNode
from magnetar_ledger.position import Position
from magnetar_ledger.writer import LedgerWriter

PASSWORD = b""
"""Pulsar's ledgers have none."""

_log = logging.getLogger(__name__)


def custom_metadata(name: str, cursor: str | None = None) -> dict[str, bytes]:
    """What Pulsar writes into a ledger's metadata, so that tools know whose it is."""
    custom = {
        "application": b"pulsar",
        "component": b"managed-ledger",
        "pulsar/managed-ledger": name.encode(),
    }
    if cursor is not None:
        custom["pulsar/cursor"] = cursor.encode()
    return custom


class LedgerChain:
    """The list of ledgers in the topic's node; all changes of the node go through here."""

    def __init__(
        self,
        name: str,
        deps: ManagedLedgerDeps,
        fenced: Callable[[LedgerError], None] = lambda error: None,
    ) -> None:
        """
        Args:
            fenced: called when somebody else turns out to have changed the node.
        """
        self.name = name
        self._fenced = fenced
        self.ledgers = LedgerList()
        self.properties: dict[str, str] = {}
        self.terminated_position: Position | None = None
        self._deps = deps
        self._offloads: dict[int, bytes] = {}
        self._closed_ms: dict[int, int] = {}
        self._lock = asyncio.Lock()  # the node's version passes from one write to the next
        registry = deps.registry
        self._node = VersionedNode[ManagedLedgerInfo](
            f"managed ledger {name}",
            lambda: registry.read(name),
            lambda info: registry.create(name, info),
            lambda info, version: registry.write(name, info, version),
            lambda: registry.sync(name),
        )

    @property
    def doubtful(self) -> bool:
        """Whether a list that could not be written may stand there, or may come to."""
        return self._node.doubtful

    async def sync(self) -> None:
        """Wait for an answer of the metadata store. Raises LedgerMetadataError."""
        try:
            await self._deps.registry.sync(self.name)
        except MetadataError as error:
            raise LedgerMetadataError(f"managed ledger {self.name}: {error}") from error

    async def recover(self, *, create: bool) -> list[int]:
        """Read the list, end the work of an owner before us, and learn what the ledgers hold.

        Returns:
            Ids of empty ledgers that the list no longer has, to be deleted once it is written.

        Raises:
            NoSuchManagedLedgerError: there is none and `create` is false.
            LedgerError
        """
        info = await self._node.read()
        if info is None:
            if not create:
                raise NoSuchManagedLedgerError(self.name)
            info = ManagedLedgerInfo()
            await self._node.write(info)
        self.properties = dict(info.properties)
        if info.terminated_position is not None:
            self.terminated_position = Position(*info.terminated_position)
        empty: list[int] = []
        for listed in info.ledgers:
            last = listed is info.ledgers[-1]
            unclosed = last or not listed.timestamp_ms
            ledger = await self._recover_ledger(listed) if unclosed else listed
            if ledger.entries or (last and self.terminated_position is not None):
                self._list_closed(ledger)
            else:
                empty.append(ledger.ledger_id)
        return empty

    async def _recover_ledger(self, ledger: LedgerInfo) -> LedgerInfo:
        # Recovery fences: from here on nothing that an owner before us still sends is confirmed.
        try:
            reader = await self._deps.client.open(ledger.ledger_id, password=PASSWORD, recover=True)
        except NoSuchLedgerError:
            if ledger.entries:
                raise
            _log.warning("%s: ledger %d is listed and gone", self.name, ledger.ledger_id)
            return ledger
        return replace(
            ledger,
            entries=reader.last_add_confirmed + 1,
            size=reader.length,
            timestamp_ms=ledger.timestamp_ms or self._deps.clock.wall_ms(),
        )

    def _list_closed(self, ledger: LedgerInfo) -> None:
        self.ledgers.append_closed(ledger.ledger_id, ledger.entries, ledger.size)
        self._closed_ms[ledger.ledger_id] = ledger.timestamp_ms
        if ledger.offload_context:
            self._offloads[ledger.ledger_id] = ledger.offload_context

    async def create_ledger(self) -> LedgerWriter:
        """Make a ledger that the list does not have yet. Raises LedgerError."""
        config = self._deps.config
        return await self._deps.client.create(
            ensemble_size=config.ensemble_size,
            write_quorum=config.write_quorum,
            ack_quorum=config.ack_quorum,
            digest_type=DigestType.CRC32C,
            password=PASSWORD,
            custom=custom_metadata(self.name),
        )

    async def switch_to(self, ledger_id: int) -> int | None:
        """List a new ledger as the one that is written, and the current one as closed.

        The new one must be listed before an entry in it is confirmed: an owner after us finds
        entries only in listed ledgers.

        Returns:
            The ledger before it if that was left empty and so is no longer listed.

        Raises:
            ManagedLedgerFencedError, LedgerMetadataError: nothing has changed here.
        """
        async with self._lock:
            ledgers, old = self.ledgers, self.ledgers.current_id
            now_ms = self._deps.clock.wall_ms()
            kept = [self._info(each) for each in ledgers.ids if each != old]
            old_is_kept = bool(ledgers.entries.get(old))
            if old_is_kept:
                kept.append(replace(self._info(old), timestamp_ms=now_ms))
            await self._write([*kept, LedgerInfo(ledger_id)])
            ledgers.append_open(ledger_id)
            if old_is_kept:
                self._closed_ms[old] = now_ms
            elif old in ledgers.entries:
                ledgers.remove([old])
                return old
            return None

    async def remove(self, ledger_ids: Sequence[int]) -> list[int]:
        """Take ledgers out of the list; those that were in it are returned, to be deleted.

        Raises as `switch_to` does.
        """
        async with self._lock:
            gone = sorted(set(ledger_ids) & set(self.ledgers.ids))
            await self._write([info for info in self.infos() if info.ledger_id not in gone])
            self.ledgers.remove(gone)
            for ledger_id in gone:
                self._closed_ms.pop(ledger_id, None)
                self._offloads.pop(ledger_id, None)
            return gone

    async def claim(self) -> None:
        """Make sure that nobody else has the managed ledger, unless it is gone.

        Raises:
            ManagedLedgerFencedError: somebody else has it now, or had it since.
            LedgerMetadataError
        """
        async with self._lock:
            try:
                found = await self._deps.registry.read(self.name)
            except MetadataError as error:
                raise LedgerMetadataError(f"managed ledger {self.name}: {error}") from error
            if found is not None:
                await self._write(self.infos())

    async def delete_list(self) -> None:
        """Forget the managed ledger, which has no cursors any more. Its ledgers are there yet.

        Raises:
            ManagedLedgerFencedError: somebody else has it now, or had it since.
            LedgerMetadataError
        """
        async with self._lock:
            if self._node.doubtful:
                await self._write(self.infos())  # so that the version is known
            try:
                await self._deps.registry.delete(self.name, self._node.version)
            except NoNodeError:
                pass  # gone already is as good
            except BadVersionError as error:
                raise ManagedLedgerFencedError(f"managed ledger {self.name}: {error}") from error
            except MetadataError as error:
                raise LedgerMetadataError(f"managed ledger {self.name}: {error}") from error

    async def delete_ledgers(self, ledger_ids: Sequence[int]) -> None:
        """Delete ledgers that nothing refers to any more; a failure leaves one over."""
        for ledger_id in ledger_ids:
            try:
                await self._deps.client.delete(ledger_id)
            except NoSuchLedgerError:
                continue
            except LedgerError as error:
                _log.warning("%s: ledger %d is left over: %s", self.name, ledger_id, error)

    async def set_properties(self, properties: Mapping[str, str]) -> None:
        """Replace the topic's properties. Raises as `switch_to` does."""
        async with self._lock:
            await self._write(self.infos(), properties=properties)
            self.properties = dict(properties)

    async def set_property(self, key: str, value: str) -> None:
        """Set one of the topic's properties. Raises as `switch_to` does."""
        await self.change_properties({key: value})

    async def change_properties(self, changes: Mapping[str, str | None]) -> None:
        """Change some of the topic's properties; None forgets. Raises as `switch_to` does."""
        async with self._lock:
            changed = {**self.properties, **changes}
            properties = {key: value for key, value in changed.items() if value is not None}
            await self._write(self.infos(), properties=properties)
            self.properties = properties

    async def terminate(self) -> Position:
        """List the current ledger as closed and the topic as ended behind its last entry.

        Raises as `switch_to` does.
        """
        async with self._lock:
            ledgers, now_ms = self.ledgers, self._deps.clock.wall_ms()
            last = ledgers.last_position()
            infos = [replace(i, timestamp_ms=i.timestamp_ms or now_ms) for i in self.infos()]
            await self._write(infos, terminated=last)
            self._closed_ms.setdefault(ledgers.current_id, now_ms)
            ledgers.close_current()
            self.terminated_position = last
            return last

    def infos(self) -> list[LedgerInfo]:
        """All ledgers, oldest first; the one that is written with what it holds so far."""
        return [self._info(ledger_id) for ledger_id in self.ledgers.ids]

    def _info(self, ledger_id: int) -> LedgerInfo:
        return LedgerInfo(
            ledger_id,
            entries=self.ledgers.entries[ledger_id],
            size=self.ledgers.sizes[ledger_id],
            timestamp_ms=self._closed_ms.get(ledger_id, 0),
            offload_context=self._offloads.get(ledger_id, b""),
        )

    async def _write(
        self,
        infos: Sequence[LedgerInfo],
        *,
        terminated: Position | None = None,
        properties: Mapping[str, str] | None = None,
    ) -> None:
        # The open ledger stands there with its id alone: what it holds is known by recovery.
        listed = tuple(info if info.timestamp_ms else LedgerInfo(info.ledger_id) for info in infos)
        terminated = terminated or self.terminated_position
        info = ManagedLedgerInfo(
            listed,
            None if terminated is None else (terminated.ledger_id, terminated.entry_id),
            dict(self.properties if properties is None else properties),
        )
        try:
            await self._node.write(info)
        except ManagedLedgerFencedError as error:
            self._fenced(error)
            raise
