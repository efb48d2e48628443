"""The SQLite store keeps the contract, and what it told is in the file."""

import asyncio
import os
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from magnetar_metadata.errors import (
    MetadataError,
    SessionExpiredError,
    StoreFileError,
    UnknownOutcomeError,
)
from magnetar_metadata.sqlite import SqliteStore
from magnetar_metadata.store import Create, Node, SetValue, Stat

from tests.metadata.clocks import ManualClock
from tests.metadata.store_contract import StoreContract, value_of

GOLDEN = Path(__file__).parent.parent / "golden"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def store(tmp_path: Path, clock: ManualClock) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(str(tmp_path / "metadata.sqlite"), clock)
    yield store
    await store.close()


class TestSqliteStore(StoreContract):
    pass


class InlineWorker:
    """A worker whose calls are done when the test says so, on its own thread."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Callable[[], Any], Callable[[Any, BaseException | None], None]]]
        self.waiting = []

    def submit(
        self, call: Callable[[], Any], done: Callable[[Any, BaseException | None], None]
    ) -> None:
        self.waiting.append((call, done))

    def settle(self, error: BaseException | None = None) -> None:
        """Do the oldest call, or fail it."""
        call, done = self.waiting.pop(0)
        done(None, error) if error is not None else done(call(), None)

    async def run(self, call: Callable[[], Any]) -> Any:
        return call()

    async def close(self) -> None:
        assert not self.waiting


async def turn() -> None:
    """Let what is ready run: a call begins its commit in the turn after its own."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_an_open_that_is_cancelled_leaves_no_thread_and_no_file_open(
    tmp_path: Path, clock: ManualClock
) -> None:
    path = str(tmp_path / "m.sqlite")
    opening = asyncio.ensure_future(SqliteStore.open(path, clock))
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert "metadata" not in [thread.name for thread in threading.enumerate()]
    assert os.listdir(tmp_path) == ["m.sqlite"]  # without its journal


async def test_a_new_process_finds_what_was_told(tmp_path: Path, clock: ManualClock) -> None:
    path = str(tmp_path / "m.sqlite")
    store = await SqliteStore.open(path, clock)
    await store.create("/a/b", b"1")
    await store.set("/a/b", b"2")
    await store.create("/gone", b"")
    await store.delete("/gone")
    await store.create("/a/e", b"", ephemeral=True)
    number = await store.create("/q/ID-", b"", sequential=True, ephemeral=True)
    await store.multi([Create("/m", b"3"), SetValue("/a", b"4")])
    before = await store.get("/a/b")
    await store.close()

    store = await SqliteStore.open(path, clock)
    assert await store.get("/a/b") == before
    assert await value_of(store, "/a") == b"4"
    assert await value_of(store, "/m") == b"3"
    assert await store.children("/") == ["a", "m", "q"]
    assert await store.children("/a") == ["b"]
    assert await store.children("/q") == []
    # The number of an ephemeral node that went with its process is not given again: ledger ids.
    again = await store.create("/q/ID-", b"", sequential=True)
    assert int(again[-10:]) > int(number[-10:])
    await store.close()


@pytest.fixture
async def worker() -> InlineWorker:
    return InlineWorker()


@pytest.fixture
async def held(tmp_path: Path, clock: ManualClock, worker: InlineWorker) -> SqliteStore:
    """A store whose commits wait for `worker.settle`."""
    return await SqliteStore.open(str(tmp_path / "m.sqlite"), clock, worker)


async def test_calls_that_come_during_a_commit_share_the_next(
    held: SqliteStore, worker: InlineWorker
) -> None:
    first = asyncio.ensure_future(held.create("/1", b""))
    await turn()
    rest = [asyncio.ensure_future(held.create(f"/{i}", b"")) for i in range(2, 9)]
    await turn()
    assert len(worker.waiting) == 1
    worker.settle()
    await turn()
    assert first.done()
    assert not any(call.done() for call in rest)
    assert len(worker.waiting) == 1
    worker.settle()
    await asyncio.gather(*rest)
    assert not worker.waiting
    await held.close()


async def test_a_read_is_told_when_what_it_saw_is_durable(
    held: SqliteStore, worker: InlineWorker
) -> None:
    write = asyncio.ensure_future(held.create("/a", b"1"))
    await turn()
    read = asyncio.ensure_future(held.get("/a"))
    names = asyncio.ensure_future(held.children("/"))
    await turn()
    assert not read.done()
    later = asyncio.ensure_future(held.set("/a", b"2"))
    await turn()
    worker.settle()
    node = await read
    assert node is not None
    assert node.value == b"1"  # not what the next commit may still lose
    assert await names == ["a"]
    worker.settle()
    await asyncio.gather(write, later)
    await held.close()


async def test_a_cancelled_call_happens_all_the_same(
    held: SqliteStore, worker: InlineWorker
) -> None:
    call = asyncio.ensure_future(held.create("/a", b""))
    other = asyncio.ensure_future(held.create("/b", b""))
    await turn()
    call.cancel()
    await turn()
    worker.settle()
    await other
    assert await held.children("/") == ["a", "b"]
    await held.close()


async def test_a_failed_commit_ends_the_store(held: SqliteStore, worker: InlineWorker) -> None:
    ended: list[int] = []
    hints: list[str] = []
    held.when_session_ends(ended.append)
    held.watch("/a", hints.append)
    under_way = asyncio.ensure_future(held.create("/a", b""))
    await turn()
    waiting = asyncio.ensure_future(held.create("/b", b""))
    read = asyncio.ensure_future(held.get("/a"))
    await turn()
    worker.settle(sqlite3.OperationalError("disk I/O error"))
    for call in (under_way, waiting, read):
        with pytest.raises(UnknownOutcomeError, match="disk I/O error"):
            await call
    with pytest.raises(SessionExpiredError):
        await held.get("/a")
    assert ended == [held.session_id]
    assert hints == []
    assert not worker.waiting  # pages of a failed sync are not written again
    await held.close()


async def test_close_waits_for_calls_under_way(held: SqliteStore, worker: InlineWorker) -> None:
    call = asyncio.ensure_future(held.create("/a", b""))
    await turn()
    closing = asyncio.ensure_future(held.close())
    await turn()
    assert not closing.done()
    worker.settle()
    await closing
    assert await call == "/a"


async def test_a_file_of_format_1_opens(tmp_path: Path, clock: ManualClock) -> None:
    """What was landed once must open in every later version."""
    path = tmp_path / "metadata.sqlite"
    shutil.copy(GOLDEN / "metadata-1" / "metadata.sqlite", path)
    store = await SqliteStore.open(str(path), clock)
    created_ms = 1_700_000_000_000
    assert await store.get("/a/b") == Node(b"two", Stat(1, created_ms, created_ms, 0))
    assert await value_of(store, "/ledgers/INSTANCEID") == b"golden"
    assert await store.children("/") == ["a", "ledgers"]
    assert await store.children("/ledgers/idgen") == []
    number = await store.create("/ledgers/idgen/ID-", b"", sequential=True)
    assert number == "/ledgers/idgen/ID-0000000001"
    await store.close()


async def test_a_file_that_is_none_of_ours_is_refused(tmp_path: Path, clock: ManualClock) -> None:
    path = tmp_path / "m.sqlite"
    path.write_bytes(b"something else" * 100)
    with pytest.raises(StoreFileError) as error:
        await SqliteStore.open(str(path), clock)
    assert error.value.path == str(path)
    assert isinstance(error.value, MetadataError)
    with pytest.raises(StoreFileError):
        await SqliteStore.open(str(tmp_path / "no" / "directory"), clock)
