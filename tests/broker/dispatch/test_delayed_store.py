"""Buckets of the delayed index kept by a cursor."""

import asyncio
from typing import Any

import pytest
from magnetar_broker.dispatch.delayed_runs import SortedRun, key_of
from magnetar_broker.dispatch.delayed_store import BucketLostError, DelayedStore
from magnetar_ledger.errors import LedgerError
from magnetar_runtime.clock import SystemClock

from tests.broker.dispatch.memory_buckets import MemoryBuckets


def store_of(ledgers: Any) -> DelayedStore:
    return DelayedStore(ledgers, SystemClock(), segment_rows=3)


def run_of(count: int, ledger_id: int = 1) -> SortedRun:
    return SortedRun([key_of(n, ledger_id, n) for n in range(count)])


async def test_stored_loaded_and_restored() -> None:
    ledgers = MemoryBuckets()
    store = store_of(ledgers)
    assert store.is_empty
    bucket = await store.store([run_of(5)])
    assert not store.is_empty
    assert list((await store.load(bucket)).remaining()) == list(run_of(3).remaining())
    ((again, directory),) = await store_of(ledgers).restore()
    assert (again.ledger_id, again.next_ms) == (bucket.ledger_id, 0)
    assert directory.entries == [(1, b"\x1f")]


async def test_what_cannot_be_read_now_is_asked_for_again_by_the_caller() -> None:
    ledgers = MemoryBuckets()
    store = store_of(ledgers)
    bucket = await store.store([run_of(5)])
    for call in (lambda: store.load(bucket), store.restore, lambda: store.store([run_of(1)])):
        ledgers.failures = 1
        with pytest.raises(LedgerError):
            await call()


async def test_lost_and_unfinished_buckets_are_dropped() -> None:
    ledgers = MemoryBuckets()
    store = store_of(ledgers)
    whole, cut = await store.store([run_of(5)]), await store.store([run_of(5, ledger_id=2)])
    del ledgers.ledgers[cut.ledger_id][-1]
    assert [bucket.ledger_id for bucket, _ in await store.restore()] == [whole.ledger_id]
    assert ledgers.kept == (whole.ledger_id,)
    with pytest.raises(BucketLostError):
        await store.load(cut)


async def test_dropping_never_fails(caplog: pytest.LogCaptureFixture) -> None:
    ledgers = MemoryBuckets()
    store = store_of(ledgers)
    bucket = await store.store([run_of(5)])
    ledgers.failures = 1
    await store.drop([bucket.ledger_id])
    assert "left over" in caplog.text
    await store.drop(store.forget_all())
    assert ledgers.kept == ()


async def test_a_bucket_that_waits_to_be_kept_outlives_one_that_is_dropped_meanwhile() -> None:
    ledgers = MemoryBuckets()
    store = store_of(ledgers)
    old, older = await store.store([run_of(5)]), await store.store([run_of(5)])
    async with asyncio.TaskGroup() as group, ledgers.lock:
        group.create_task(store.drop([older.ledger_id]))
        made = group.create_task(store.store([run_of(5, ledger_id=3)]))
        await asyncio.sleep(0)
        group.create_task(store.drop([old.ledger_id]))
        await asyncio.sleep(0)
    assert ledgers.kept == (made.result().ledger_id,)
