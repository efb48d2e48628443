"""The cursors of one managed ledger: loaded, made and deleted, one at a time."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Final

from magnetar_metadata.store import MetadataError
from magnetar_runtime.bugs import report_bug
from magnetar_runtime.scope import TaskScope

from magnetar_ledger.errors import (
    LedgerClosedError,
    LedgerError,
    LedgerMetadataError,
    ManagedLedgerFencedError,
)
from magnetar_ledger.managed.config import ManagedLedgerConfig, ManagedLedgerDeps
from magnetar_ledger.managed.cursor import Cursor
from magnetar_ledger.managed.cursor_buckets import CursorBuckets
from magnetar_ledger.managed.cursor_state import CursorState
from magnetar_ledger.managed.cursor_store import CursorStore
from magnetar_ledger.managed.ledger_list import LedgerList
from magnetar_ledger.position import Position

_log = logging.getLogger(__name__)

LOADED_AT_ONCE: Final = 16
"""Each needs two to ten requests, one after the other: a topic may have hundreds."""

_Loaded = tuple[str, CursorState, CursorStore]


class Cursors:
    """Those of one managed ledger.

    Attributes:
        by_name: All, durable or not; always the same dictionary.
    """

    def __init__(
        self,
        name: str,
        ledgers: LedgerList,
        deps: ManagedLedgerDeps,
        scope: TaskScope,
        *,
        claim: Callable[[], Awaitable[None]],
        passed: Callable[[], None],
        fenced: Callable[[LedgerError], None],
    ) -> None:
        """
        Args:
            claim: makes sure that no other broker has the topic, else raises LedgerError.
            passed: called when a durable cursor has moved or gone: data may have become free.
            fenced: called when another broker turns out to own the topic.
        """
        self.by_name: dict[str, Cursor] = {}
        self._name = name
        self._ledgers = ledgers
        self._deps = deps
        self._scope = scope
        self._claim = claim
        self._passed = passed
        self._fenced = fenced
        self._lock = asyncio.Lock()  # a cursor is opened or deleted once at a time
        self._closed = False
        self._abandoned: LedgerError | None = None

    def configure(self, config: ManagedLedgerConfig) -> None:
        """How often they are written has changed."""
        for cursor in self.by_name.values():
            cursor.configure(config)

    async def load(self) -> None:
        """All durable ones, as they were kept. Raises LedgerError."""
        try:
            names = await self._deps.registry.cursor_names(self._name)
        except MetadataError as error:
            raise LedgerMetadataError(f"cursors of {self._name}: {error}") from error
        for start in range(0, len(names), LOADED_AT_ONCE):
            for loaded in await self._load_part(names[start : start + LOADED_AT_ONCE]):
                self._take_over(loaded)

    async def _load_part(self, names: Sequence[str]) -> list[_Loaded]:
        errors: list[LedgerError] = []
        async with TaskScope() as scope:
            tasks = [scope.spawn(self._load_noting(each, errors), name=each) for each in names]
        if errors:
            raise errors[0]  # metadata that is away fails them all: the others are no news
        return [loaded for loaded in (task.result() for task in tasks) if loaded is not None]

    async def _load_noting(self, name: str, errors: list[LedgerError]) -> _Loaded | None:
        try:
            return await self._load_one(name)
        except LedgerError as error:
            errors.append(error)
            return None

    async def _load_one(self, name: str) -> _Loaded | None:
        state = CursorState(self._ledgers, self._ledgers.first_position)
        store = CursorStore(self._name, name, self._deps)
        return (name, state, store) if await store.load(state) else None

    def _take_over(self, loaded: _Loaded) -> Cursor:
        cursor = self._new(*loaded)
        if cursor.buckets is not None and cursor.buckets.leftovers:
            self._scope.spawn(cursor.buckets.collect(), name=f"buckets of {cursor.name}")
        return cursor

    async def open(
        self, name: str, initial: Position, properties: Mapping[str, str] | None
    ) -> Cursor:
        """See `ManagedLedger.open_cursor`."""
        async with self._lock:
            self._check_open()
            if name in self.by_name:
                return self.by_name[name]
            state = CursorState(self._ledgers, self._ledgers.before(initial))
            state.cursor_properties = dict(properties or {})
            store = CursorStore(self._name, name, self._deps)
            try:
                await store.create(state)
            except ManagedLedgerFencedError:
                found = await self._load_found(name)
                if found is None:
                    raise
                return self._take_over(found)
            return self._new(name, state, store)

    async def _load_found(self, name: str) -> _Loaded | None:
        """A cursor that stands there though it was not there when the topic was loaded.

        Scenario: our create arrived, its answer did not, and metadata was away for so long that
        whoever asked gave up; now the client asks again. Or an owner before us made it, which had
        not heard yet that it is none. In both cases the cursor is ours.

        Or there is an owner after us of which we have not heard, and a client subscribed there. To
        open its cursor ledger would fence it, and a write of ours would have its next one refused:
        twice the owner would be ended by who is none. So the topic's node is written first, which
        an owner after us has changed. One that comes later still is met as with any cursor that was
        loaded: who writes the cursor's node second is fenced, and no ack that was kept is lost.
        """
        await self._claim()
        return await self._load_one(name)

    def open_transient(self, name: str, start: Position) -> Cursor:
        """See `ManagedLedger.open_transient_cursor`."""
        assert name not in self.by_name, "transient cursors have names of their own"
        state = CursorState(self._ledgers, self._ledgers.before(start))
        return self._new(name, state, None)

    async def delete(self, name: str) -> None:
        """See `ManagedLedger.delete_cursor`."""
        async with self._lock:
            cursor = self.by_name.get(name)
            if cursor is not None:
                if cursor.durable:
                    self._check_open()
                await cursor.delete()
                del self.by_name[name]
                self._passed()

    def abandon(self, error: LedgerError) -> None:
        """Another owner keeps them now: none is written any more. `close` is still to be called."""
        self._abandoned = error
        for cursor in self.by_name.values():
            cursor.abandon(error)

    async def delete_all(self) -> None:
        """The topic goes. Raises LedgerError: some are left."""
        self._closed = True
        async with self._lock:
            for cursor in list(self.by_name.values()):
                await cursor.delete()
            self.by_name.clear()

    async def close(self) -> None:
        """Write all down; what cannot be written is logged: the next owner recovers it.

        One that is being made is waited for. After that they are the next owner's: one that were
        made here it would not know of, one that were deleted it would miss.
        """
        self._closed = True
        async with self._lock:
            for cursor in list(self.by_name.values()):
                await self._close_quietly(cursor)

    async def _close_quietly(self, cursor: Cursor) -> None:
        try:
            await cursor.close()
        except LedgerError as error:
            _log.warning("%s cursor %s: %s", self._name, cursor.name, error)
        except Exception as error:  # noqa: BLE001 - it must not cost the others their acks
            report_bug(f"{self._name} cursor {cursor.name} is not closed", error)

    def _check_open(self) -> None:
        if self._closed:
            raise LedgerClosedError(f"managed ledger {self._name} is closed")
        if self._abandoned is not None:
            raise ManagedLedgerFencedError(str(self._abandoned))

    def _new(self, name: str, state: CursorState, store: CursorStore | None) -> Cursor:
        cursor = Cursor(
            name,
            self._ledgers,
            state,
            store=store,
            buckets=partial(CursorBuckets, self._name, name, self._deps) if store else None,
            config=self._deps.config,
            scope=self._scope,
            moved=self._moved,
            fenced=self._fenced,
        )
        if self._abandoned is not None:
            cursor.abandon(self._abandoned)
        self.by_name[name] = cursor
        return cursor

    def _moved(self, cursor: Cursor) -> None:
        if cursor.durable:
            self._passed()
