"""Locks of ledgers under repair: one worker of the cluster at a time, Apache's included."""

import random
from collections.abc import Callable, Container
from dataclasses import dataclass

from magnetar_metadata.ledger_paths import LEDGERS_ROOT
from magnetar_metadata.session_bound import delete_own
from magnetar_metadata.store import (
    Create,
    Delete,
    MetadataStore,
    NodeExistsError,
    Operation,
    UnknownOutcomeError,
)
from magnetar_metadata.underreplication_records import (
    decode_lock,
    encode_lock,
    ledger_of_marker,
    marker_name,
    marker_path,
    markers_path,
    underreplication_root,
)


@dataclass(frozen=True, slots=True)
class RepairLock:
    """A ledger that this session may repair.

    Attributes:
        marker_version: of the marker as it stood when the lock was taken: what was marked later is
            not covered by this repair.
    """

    ledger_id: int
    path: str
    marker_version: int
    session_id: int


class RepairLocks:
    """Takes and releases locks, for one worker with a session of its own.

    Args:
        worker: who repairs, for people.
    """

    def __init__(self, store: MetadataStore, worker: str, root: str = LEDGERS_ROOT) -> None:
        self._store = store
        self._data = encode_lock(worker)
        self._ledgers_root = root
        self._root = f"{underreplication_root(root)}/locks"
        self._left: set[str] = set()  # perhaps there, and nobody works under them

    async def take_any(self, rng: random.Random, skipped: Container[int]) -> RepairLock | None:
        """Lock a marked ledger that nobody repairs; None if there is none.

        Args:
            skipped: ledgers not to be taken now.
        """
        await self._clear_left()
        taken = set(await self._store.children(self._root))
        return await self._take_below(markers_path(self._ledgers_root), rng, skipped, taken)

    async def take(self, ledger_id: int) -> RepairLock | None:
        """Lock a ledger; None if it is not marked or somebody else repairs it."""
        path = f"{self._root}/{marker_name(ledger_id)}"
        session_id = self._store.session_id
        self._left.add(path)  # until all is known: a reply may be lost at each step
        if not await self._create(path):
            self._left.discard(path)
            return None
        # Only now: a marker that was read before may have been dealt with by who had the lock.
        marker = await self._store.get(marker_path(ledger_id, self._ledgers_root))
        if marker is None:
            await self._remove(path)
            return None
        self._left.discard(path)
        return RepairLock(ledger_id, path, marker.stat.version, session_id)

    def with_lock(self, lock: RepairLock, *operations: Operation) -> list[Operation]:
        """For `multi`: the operations happen only while the lock is held.

        1. We copy entries to a new bookie. 2. Our session ends, the lock goes. 3. That bookie
        collects what metadata does not say is its own, for which it takes the lock (as Apache's
        bookies do). 4. We would write into metadata that it has the entries. Making the lock anew
        in the same step binds all to its session.
        """
        anew = (Delete(lock.path), Create(lock.path, self._data, ephemeral=True))
        return [*anew, *operations]

    def held(self, lock: RepairLock) -> bool:
        """Whether the lock's session goes on, as far as is known here."""
        return lock.session_id == self._store.session_id

    async def release(self, lock: RepairLock) -> None:
        """Give the lock back.

        Raises:
            MetadataError: it may be there still; the next `take_any` removes it, or the end of the
                session does.
        """
        if self.held(lock):
            self._left.add(lock.path)
            await self._remove(lock.path)

    async def owner(self, ledger_id: int) -> str | None:
        """Who repairs a ledger now, or None. Raises MalformedRecordError."""
        node = await self._store.get(f"{self._root}/{marker_name(ledger_id)}")
        return None if node is None else decode_lock(node.value)

    def watch(self, hint: Callable[[str], None]) -> Callable[[], None]:
        """Hint when locks were taken or released. Returns what ends the watch."""
        return self._store.watch(self._root, hint)

    async def _take_below(
        self, path: str, rng: random.Random, skipped: Container[int], taken: Container[str]
    ) -> RepairLock | None:
        names = await self._store.children(path)
        rng.shuffle(names)  # so that many workers do not run for the same one
        for name in names:
            ledger_id = ledger_of_marker(name)
            if ledger_id is None:
                lock = await self._take_below(f"{path}/{name}", rng, skipped, taken)
            elif ledger_id in skipped or name in taken:
                lock = None
            else:
                lock = await self.take(ledger_id)
            if lock is not None:
                return lock
        return None

    async def _create(self, path: str) -> bool:
        try:
            await self._store.create(path, self._data, ephemeral=True)
        except NodeExistsError:
            return False
        except UnknownOutcomeError:
            return await self._is_own(path)
        return True

    async def _remove(self, path: str) -> None:
        await delete_own(self._store, path)
        self._left.discard(path)

    async def _clear_left(self) -> None:
        """Remove locks of this session that calls of unknown outcome have left: nobody else could
        ever repair their ledgers."""
        for path in sorted(self._left):
            await self._remove(path)

    async def _is_own(self, path: str) -> bool:
        node = await self._store.get(path)
        return node is not None and node.stat.ephemeral_owner == self._store.session_id
