"""The metadata store of a standalone: one SQLite file.

The tree is in memory; the file is its log. A call is decided on the loop, in the order of the
calls, and told when the commit that has its rows is durable. One commit is under way at a time and
takes the rows of all calls that came meanwhile. A read waits until what it has seen is durable:
nobody is told what a power cut could take back.

The session is the process: ephemeral nodes are never written, so they are gone after any end.
"""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from magnetar_runtime.clock import Clock
from magnetar_runtime.disk import Worker
from magnetar_runtime.worker import ThreadWorker

from magnetar_metadata.errors import StoreFileError
from magnetar_metadata.sqlite_rows import Row, load_tree, open_database, row_of, write_rows
from magnetar_metadata.store import (
    ANY_VERSION,
    Node,
    Operation,
    SessionExpiredError,
    Stat,
    UnknownOutcomeError,
)
from magnetar_metadata.tree import NodeTree
from magnetar_metadata.watches import WatchTable


class NodeFile(Protocol):
    """Where the rows of nodes are kept. Both calls block."""

    def write(self, rows: Sequence[Row]) -> None:
        """Make all rows durable, or none."""

    def close(self) -> None: ...


class _Database:
    """`NodeFile` as one SQLite file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.close = connection.close

    def write(self, rows: Sequence[Row]) -> None:
        write_rows(self._connection, rows)


def _load(path: str, opened: list[sqlite3.Connection]) -> NodeTree:
    opened.append(open_database(path))
    return load_tree(opened[0])


def _close_all(opened: Sequence[sqlite3.Connection]) -> None:
    for connection in opened:
        connection.close()


class SqliteStore:
    """A tree of nodes in one file that only this process has open. Made by `open`."""

    def __init__(
        self, path: str, clock: Clock, worker: Worker, file: NodeFile, tree: NodeTree
    ) -> None:
        self._path = path
        self._clock = clock
        self._worker = worker
        self._file = file
        self._tree = tree
        self._watches = WatchTable()
        # Rows of decided calls, by path, for the next commit, and who waits for it.
        self._unwritten: dict[str, None] = {}
        self._next_commit: asyncio.Future[None] | None = None
        self._commit: asyncio.Future[None] | None = None
        self._failure: BaseException | None = None
        self._closed = False
        # Ephemeral owners must differ from those of an earlier process only in files: none is kept.
        self._session_id = clock.wall_ms() << 20 | os.getpid() & 0xFFFFF
        self._session_callbacks: list[Callable[[int], None]] = []

    @classmethod
    async def open(cls, path: str, clock: Clock, worker: Worker | None = None) -> "SqliteStore":
        """Open or make the file. The directory is there and locked by the caller.

        Args:
            worker: the thread that the file belongs to; the store closes it. One is made if None.

        Raises:
            StoreFileError: the file cannot be opened or is none of ours.
        """
        worker = worker or ThreadWorker(asyncio.get_running_loop(), "metadata")
        opened: list[sqlite3.Connection] = []
        try:
            tree = await worker.run(partial(_load, path, opened))
        except BaseException as error:
            # Also when a start is cancelled: it stands in the queue behind what is still done.
            await worker.run(partial(_close_all, opened))
            await worker.close()
            if isinstance(error, sqlite3.Error):
                raise StoreFileError(path, str(error)) from error
            raise
        return cls(path, clock, worker, _Database(opened[0]), tree)

    async def get(self, path: str) -> Node | None:
        self._check_open(path)
        node = self._tree.get(path)
        await self._committed(path)
        return node

    async def create(
        self,
        path: str,
        value: bytes,
        *,
        ephemeral: bool = False,
        sequential: bool = False,
        make_parents: bool = True,
    ) -> str:
        self._check_open(path)
        created, touched = self._tree.create(
            path,
            value,
            owner=self._session_id if ephemeral else 0,
            sequential=sequential,
            make_parents=make_parents,
            now_ms=self._clock.wall_ms(),
        )
        await self._written(path, touched)
        return created

    async def set(self, path: str, value: bytes, version: int = ANY_VERSION) -> Stat:
        self._check_open(path)
        touched = self._tree.set(path, value, version, self._clock.wall_ms())
        stat = self._tree.nodes[path].stat()
        await self._written(path, touched)
        return stat

    async def delete(self, path: str, version: int = ANY_VERSION) -> None:
        self._check_open(path)
        await self._written(path, self._tree.delete(path, version))

    async def children(self, path: str) -> list[str]:
        self._check_open(path)
        names = self._tree.children(path)
        await self._committed(path)
        return names

    async def multi(self, operations: Sequence[Operation]) -> None:
        if not operations:
            return
        path = operations[0].path
        self._check_open(path)
        touched = self._tree.multi(operations, self._session_id, self._clock.wall_ms())
        await self._written(path, touched)

    async def sync(self, path: str) -> None:
        self._check_open(path)
        await self._committed(path)

    def watch(self, path: str, hint: Callable[[str], None]) -> Callable[[], None]:
        return self._watches.watch(path, hint)

    @property
    def session_id(self) -> int:
        return self._session_id

    def when_session_ends(self, callback: Callable[[int], None]) -> None:
        self._session_callbacks.append(callback)

    async def close(self) -> None:
        """Wait for the calls under way and close the file."""
        if self._closed:
            return
        self._closed = True
        while self._commit is not None:
            await asyncio.wait([self._commit])
        await self._worker.run(self._file.close)
        await self._worker.close()

    async def _committed(self, path: str) -> None:
        """Wait until all that was decided before is durable: only then may it be told."""
        last = self._next_commit or self._commit
        if last is not None:
            await self._wait(path, last)

    async def _written(self, path: str, touched: Sequence[str]) -> None:
        """Note the paths for the next commit, begin it if none is under way, and wait for it."""
        self._unwritten.update(dict.fromkeys(touched))
        if self._next_commit is None:
            self._next_commit = asyncio.get_running_loop().create_future()
        last = self._next_commit
        if self._commit is None:
            # Not at once: what other callers decide in this turn goes along.
            self._commit = self._next_commit
            asyncio.get_running_loop().call_soon(self._begin_commit)
        await self._wait(path, last)

    async def _wait(self, path: str, commit: asyncio.Future[None]) -> None:
        await asyncio.shield(commit)  # several wait for it: one that is cancelled must not end it
        if self._failure is not None:
            raise UnknownOutcomeError(path, str(self._failure)) from self._failure

    def _begin_commit(self) -> None:
        touched, self._unwritten = self._unwritten, {}
        self._commit, self._next_commit = self._next_commit, None
        rows: list[Row] = [row_of(path, self._tree.nodes.get(path)) for path in touched]

        def done(result: object, error: BaseException | None) -> None:
            self._commit_done(touched, error)

        self._worker.submit(lambda: self._file.write(rows), done)

    def _commit_done(self, touched: dict[str, None], error: BaseException | None) -> None:
        commit, self._commit = self._commit, None
        assert commit is not None
        if error is not None:
            self._fail(error)
        elif self._watches.touched(touched):
            asyncio.get_running_loop().call_soon(self._watches.give_hints)
        if self._next_commit is not None:
            if self._failure is None:
                self._commit = self._next_commit
                self._begin_commit()
            else:
                self._next_commit.set_result(None)
                self._next_commit = None
        commit.set_result(None)

    def _fail(self, error: BaseException) -> None:
        # The tree in memory is ahead of the file now, and of which rows are on the disk nobody
        # knows. So the store is over: only a new process can read what holds.
        self._failure = error
        loop = asyncio.get_running_loop()
        for callback in self._session_callbacks:
            loop.call_soon(callback, self._session_id)

    def _check_open(self, path: str) -> None:
        if self._closed or self._failure is not None:
            raise SessionExpiredError(path, f"the store {self._path} is closed or has failed")
