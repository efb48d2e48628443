"""A topic's log: a chain of ledgers with cursors."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final, Self

from magnetar_runtime.scope import TaskScope

from magnetar_ledger.errors import (
    LedgerClosedError,
    LedgerError,
    ManagedLedgerTerminatedError,
)
from magnetar_ledger.managed.append_sinks import AppendSink
from magnetar_ledger.managed.appender import Appender
from magnetar_ledger.managed.config import LedgerPolicies, ManagedLedgerDeps, Retention
from magnetar_ledger.managed.cursor import Cursor
from magnetar_ledger.managed.cursors import Cursors
from magnetar_ledger.managed.ledger_chain import LedgerChain
from magnetar_ledger.managed.ledger_reads import LedgerReads
from magnetar_ledger.managed.trimmer import Trimmer
from magnetar_ledger.position import Position
from magnetar_ledger.writer import LedgerWriter

__all__ = ["AppendSink", "ManagedLedger"]

NO_RETENTION: Final = Retention(time_ms=0, size_bytes=0)
_EVICT_EVERY_BYTES = 1024 * 1024
_log = logging.getLogger(__name__)


class ManagedLedger:
    """The log of one topic, owned by this broker from `open` until `close`.

    Set `sink` before the first `add`.

    Attributes:
        on_fenced: Called once, when another broker turns out to own the topic or `fenced` says so.
    """

    def __init__(self, name: str, deps: ManagedLedgerDeps, policies: LedgerPolicies) -> None:
        """For `open` only."""
        self._broker_config = deps.config
        deps = replace(deps, config=policies.applied_to(deps.config))
        self.name = name
        self.on_fenced: Callable[[LedgerError], None] | None = None
        self._fence_error: LedgerError | None = None
        self._deps = deps
        self._scope = TaskScope()
        self._chain = LedgerChain(name, deps, fenced=self.fenced)
        self._ledgers = self._chain.ledgers
        self._reads = LedgerReads(self._ledgers, deps)
        self._cache = deps.cache.new_cache()
        self._evict_at_bytes = _EVICT_EVERY_BYTES
        self._appender = Appender(self._chain, deps, self._scope, self)
        self.add: Callable[[bytes], None] = self._appender.add
        """Append an entry, in order. What becomes of it is told to `sink`, never inside."""
        self.add_all: Callable[[Sequence[bytes]], None] = self._appender.add_all
        """`add` for as many as there are at once, at a fraction of the cost of each."""
        self._cursors = Cursors(
            name,
            self._ledgers,
            deps,
            self._scope,
            claim=self._chain.claim,
            passed=self._data_passed,
            fenced=self.fenced,
        )
        self.cursors: Mapping[str, Cursor] = self._cursors.by_name
        """By name, durable or not."""
        self._trimmer = Trimmer(self._chain, self._reads, self.cursors, deps, self._scope)
        self._closed = False

    @classmethod
    async def open(
        cls,
        name: str,
        deps: ManagedLedgerDeps,
        create: bool = True,
        policies: LedgerPolicies | None = None,
    ) -> Self:
        """Take over a topic's log: end a former owner's writing, then begin a new ledger.

        Args:
            name: `magnetar_metadata.topic_paths.managed_ledger_name` makes it.
            create: make it if it does not exist.
            policies: of the topic, if it has any; `apply` changes them.

        Raises:
            NoSuchManagedLedgerError: it does not exist and `create` is false.
            ManagedLedgerFencedError: another broker takes it over at the same time.
            LedgerError
        """
        managed = cls(name, deps, policies or LedgerPolicies())
        try:
            await managed._recover(create)
        except BaseException:
            await managed._stop()
            await managed._end()
            raise
        return managed

    async def _recover(self, create: bool) -> None:
        empty = await self._chain.recover(create=create)
        if self._chain.terminated_position is None:
            await self._appender.start()
            await self._chain.delete_ledgers(empty)
        else:
            await self._appender.stop(self._terminated_error())
        await self._cursors.load()
        self._trimmer.start()

    # Appending

    @property
    def sink(self) -> AppendSink:
        """Takes the ends of adds."""
        return self._appender.sink

    @sink.setter
    def sink(self, sink: AppendSink) -> None:
        self._appender.sink = sink

    @property
    def writable(self) -> bool:
        """False while more waits than is good: producers should pause. Adds are still taken."""
        return self._appender.writable

    def when_writable(self, callback: Callable[[], None]) -> None:
        """Call back once, on the loop, when `writable` has become true again. Never inside."""
        self._appender.when_writable(callback)

    def entries_confirmed(
        self, ledger_id: int, first_entry_id: int, payloads: list[bytes], size_bytes: int
    ) -> None:
        """From the appender: these entries are durable."""
        for cursor in self.cursors.values():
            if cursor.active:
                break
        else:
            return
        cache = self._cache
        cache.append(ledger_id, first_entry_id, payloads, size_bytes)
        if cache.size_bytes >= self._evict_at_bytes:
            self._evict_passed()

    def ledger_changed(self, writer: LedgerWriter) -> None:
        """From the appender: entries go to this ledger now."""
        self._reads.follow(writer)
        self._trimmer.soon()

    def fenced(self, error: LedgerError) -> None:
        """Another broker owns the topic: nothing is written any more, by `close` neither."""
        if self._fence_error is not None:
            return
        self._fence_error = error
        _log.warning("%s is fenced: %s", self.name, error)
        self._appender.fence(error)
        self._trimmer.abandon()
        self._cursors.abandon(error)
        if self.on_fenced is not None:
            self.on_fenced(error)

    def _evict_passed(self) -> None:
        passed = min(
            max(cursor.read_position, cursor.mark_delete)
            for cursor in self.cursors.values()
            if cursor.active
        )
        self._cache.evict_before(passed)
        self._evict_at_bytes = self._cache.size_bytes + _EVICT_EVERY_BYTES

    # Places

    @property
    def last_position(self) -> Position:
        """The last confirmed entry; (newest ledger, -1) if there is none."""
        return self._ledgers.last_position()

    @property
    def first_position(self) -> Position:
        """The place before the oldest entry: (oldest ledger, -1)."""
        return self._ledgers.first_position

    @property
    def entries_total(self) -> int:
        """Entries in all ledgers."""
        return self._ledgers.entries_total

    @property
    def size(self) -> int:
        """Payload bytes in all ledgers."""
        return self._ledgers.size_total

    @property
    def ledgers(self) -> list[tuple[int, int, int]]:
        """Id, entries and payload bytes of each ledger, in order."""
        ledgers = self._ledgers
        return [(each, ledgers.entries[each], ledgers.sizes[each]) for each in ledgers.ids]

    @property
    def open_ledger_id(self) -> int:
        """The ledger that is written; -1 if none is."""
        return self._ledgers.current_id

    @property
    def terminated(self) -> bool:
        """True if no entry will ever follow `last_position`."""
        return self._chain.terminated_position is not None

    def next_position(self, position: Position) -> Position:
        """The place behind `position`: an entry, or where the next one will come."""
        return self._ledgers.next_position(position)

    def previous_position(self, position: Position) -> Position:
        """The last entry before `position`; `first_position` if there is none."""
        return self._ledgers.before(position)

    def nth_entry(self, index: int) -> Position | None:
        """The entry with this index, counted from 0 at the oldest; None if there are fewer."""
        ledgers = self._ledgers
        return (
            ledgers.position_at(ledgers.first_index + index) if index < self.entries_total else None
        )

    def entries_between(self, after: Position, through: Position) -> int:
        """How many entries lie behind `after`, up to and including `through`."""
        return self._ledgers.index_after(through) - self._ledgers.index_after(after)

    # Reading

    def read_cached(
        self, position: Position, max_entries: int, max_bytes: int
    ) -> tuple[Position, list[bytes]] | None:
        """As `read`, from the tail cache only; None if it is not there."""
        position = self._ledgers.at_or_after(position)
        found = self._cache.read(position, max_entries, max_bytes)
        return None if found is None else (position, found)

    async def read(
        self, position: Position, max_entries: int, max_bytes: int
    ) -> tuple[Position, list[bytes]]:
        """Entries of one ledger that follow on, from the first at or after `position`.

        Args:
            max_bytes: the first entry comes also if it is larger.

        Returns:
            Where the first one stands, and the payloads; an empty list at the end.

        Raises:
            LedgerError
        """
        found = self.read_cached(position, max_entries, max_bytes)
        if found is not None:
            return found
        return await self._reads.read(position, max_entries, max_bytes)

    async def find_first(self, predicate: Callable[[bytes], bool]) -> Position | None:
        """The first entry that `predicate` is true of, by binary search; None if it is of none.

        The predicate must be false of all entries before that one and true of all behind it.

        Raises:
            LedgerError
        """
        return await self._reads.find_first(predicate)

    # Cursors

    async def open_cursor(
        self, name: str, initial: Position, properties: Mapping[str, str] | None = None
    ) -> Cursor:
        """The durable cursor of that name, made if there is none.

        Args:
            initial: of a new one: the first entry to read; `EARLIEST` or `LATEST` too.
            properties: of a new one.

        Raises:
            LedgerClosedError: the topic is given up.
            LedgerError
        """
        return await self._cursors.open(name, initial, properties)

    def open_transient_cursor(self, name: str, start: Position) -> Cursor:
        """A cursor that is not kept and holds no data back; `start` is the first entry to read."""
        return self._cursors.open_transient(name, start)

    async def delete_cursor(self, name: str) -> None:
        """Forget a cursor, durable or not; nothing if there is none. Raises as `open_cursor`."""
        await self._cursors.delete(name)

    # Trimming

    def _data_passed(self) -> None:
        self._trimmer.soon()

    async def trim(self) -> None:
        """Delete the ledgers that neither a durable cursor nor retention holds.

        Raises:
            LedgerError: they are still there.
        """
        await self._trimmer.trim(self._deps.config.retention)

    async def truncate(self) -> None:
        """Delete the ledgers that no durable cursor holds, whatever retention says.

        The ledger that is being written stays.

        Raises:
            LedgerError: they are still there.
        """
        await self._trimmer.trim(NO_RETENTION)

    # The topic as a whole

    def apply(self, policies: LedgerPolicies) -> None:
        """Follow other policies from now on; ledgers that are there keep their quorums."""
        config = policies.applied_to(self._broker_config)
        if config == self._deps.config:
            return
        self._deps.config = config
        self._cursors.configure(config)
        self._trimmer.soon()

    @property
    def properties(self) -> Mapping[str, str]:
        """The topic's properties."""
        return self._chain.properties

    async def set_property(self, key: str, value: str) -> None:
        """Set one of the topic's properties. Raises LedgerError."""
        await self._chain.set_property(key, value)

    async def change_properties(self, changes: Mapping[str, str | None]) -> None:
        """Change some of the topic's properties; None forgets one. Raises LedgerError."""
        await self._chain.change_properties(changes)

    async def terminate(self) -> Position:
        """End the topic for good and return its last position. Raises LedgerError."""
        if self._chain.terminated_position is None:
            await self._appender.stop(self._terminated_error())
            await self._appender.close()
            await self._chain.terminate()
        assert self._chain.terminated_position is not None
        return self._chain.terminated_position

    async def close(self) -> None:
        """Give the topic up: pending adds end, cursors and ledger are closed.

        What cannot be written then is logged: the next owner recovers it.
        """
        if await self._stop():
            await self._cursors.close()
            await self._end()

    async def claim(self) -> None:
        """Make sure that nobody else has the topic, unless it is gone.

        Raises:
            ManagedLedgerFencedError: somebody else has it now, or had it since.
            LedgerError
        """
        await self._chain.claim()

    async def delete(self) -> None:
        """Give the topic up and delete it. Raises LedgerError: something of it is left."""
        await self._stop()
        try:
            # Scenario: another broker has the topic since. The list would be found to be its own
            # only when its cursors are gone, as no node is deleted before its children.
            await self._chain.claim()
            await self._cursors.delete_all()
        finally:
            await self._end()
        await self._chain.delete_list()
        await self._chain.delete_ledgers(self._ledgers.ids)

    async def _stop(self) -> bool:
        """End what runs here; False if that was done before."""
        if self._closed:
            return False
        self._closed = True
        await self._appender.stop(LedgerClosedError(f"managed ledger {self.name} is closed"))
        await self._trimmer.stop()
        return True

    async def _end(self) -> None:
        try:
            await self._appender.close()
        except LedgerError as error:
            _log.warning("%s: %s", self.name, error)
        self._cache.clear()
        await self._scope.close()

    def _terminated_error(self) -> LedgerError:
        return ManagedLedgerTerminatedError(f"managed ledger {self.name} is terminated")
