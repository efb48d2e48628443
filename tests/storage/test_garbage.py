"""Collection: only what metadata certainly does not have."""

import asyncio
from collections.abc import Collection
from typing import Any

import pytest
from magnetar_metadata.errors import UnknownOutcomeError
from magnetar_proto.bookie import Status
from magnetar_storage.location_index import IndexBatch

from tests.storage.support import Box


class Listing:
    def __init__(self, listed: Collection[int], there: Collection[int] = ()) -> None:
        self.listed = listed
        self.there = set(listed) | set(there)
        self.before_listing = lambda: None
        self.before_sync = lambda: None

    async def sync(self) -> None:
        self.before_sync()

    async def list_ids(self) -> Collection[int]:
        self.before_listing()
        return self.listed

    async def read(self, ledger_id: int) -> object | None:
        return object() if ledger_id in self.there else None


async def three_ledgers(box: Box) -> None:
    for ledger_id in (1, 2, 3):
        await box.add([0], ledger_id=ledger_id)
    await box.bookie.flush()


async def statuses(box: Box) -> list[Status]:
    return [(await box.read(0, ledger_id=ledger_id))[0] for ledger_id in (1, 2, 3)]


async def test_ledgers_without_metadata_go(box: Box) -> None:
    await three_ledgers(box)
    assert await box.bookie.collect_garbage(Listing([1, 3, 77])) == 1
    assert await statuses(box) == [Status.OK, Status.NO_LEDGER, Status.OK]
    assert box.bookie.counters.ledgers_deleted == 1
    assert await box.bookie.collect_garbage(Listing([1, 3])) == 0


async def test_a_gap_in_the_listing_deletes_nothing(box: Box) -> None:
    await three_ledgers(box)
    assert await box.bookie.collect_garbage(Listing([1], there=[2, 3])) == 0
    assert await statuses(box) == [Status.OK] * 3


async def test_a_failed_listing_deletes_nothing(box: Box) -> None:
    await three_ledgers(box)
    listing = Listing([])

    def fail() -> None:
        raise ConnectionError("planned")

    listing.before_listing = fail
    with pytest.raises(ConnectionError):
        await box.bookie.collect_garbage(listing)
    assert await statuses(box) == [Status.OK] * 3


async def test_a_ledger_that_comes_during_the_listing_stays(box: Box) -> None:
    listing = Listing([])
    listing.before_listing = lambda: box.parts.records.obtain(9) and None
    assert await box.bookie.collect_garbage(listing) == 0
    assert 9 in box.parts.records


class Follower(Listing):
    """A server of the store that is cut off from the leader: it has an old state until a sync."""

    def __init__(self, listed: Collection[int], there: Collection[int]) -> None:
        super().__init__(listed)
        self.before_sync = lambda: self.caught_up(there)

    def caught_up(self, there: Collection[int]) -> None:
        self.listed = there
        self.there = set(there)


async def test_a_ledger_that_the_server_asked_does_not_know_yet_stays(box: Box) -> None:
    """Scenario: its client made it through another server, and its entries are acknowledged."""
    await three_ledgers(box)
    assert await box.bookie.collect_garbage(Follower([1], there=[1, 2])) == 1
    assert await statuses(box) == [Status.OK, Status.OK, Status.NO_LEDGER]


async def test_a_server_that_cannot_catch_up_deletes_nothing(box: Box) -> None:
    await three_ledgers(box)
    listing = Listing([])

    def fail() -> None:
        raise UnknownOutcomeError("/ledgers")

    listing.before_sync = fail
    with pytest.raises(UnknownOutcomeError):
        await box.bookie.collect_garbage(listing)
    assert await statuses(box) == [Status.OK] * 3


async def test_a_ledger_that_comes_during_the_sync_stays(box: Box) -> None:
    listing = Listing([])
    listing.before_sync = lambda: box.parts.records.obtain(9) and None
    assert await box.bookie.collect_garbage(listing) == 0
    assert 9 in box.parts.records


async def test_logs_of_an_interrupted_flush_go_at_the_next_start(box: Box) -> None:
    await three_ledgers(box)
    await box.crash()
    log = box.logs[0]
    dead = log.with_name("00000000000000ff.log")
    dead.write_bytes(log.read_bytes())
    await box.open()
    assert box.logs == [log]
    assert await statuses(box) == [Status.OK] * 3


async def test_a_deletion_that_was_interrupted_goes_on_at_the_next_start(box: Box) -> None:
    await box.add(range(2000), ledger_id=1)
    await box.add([0], ledger_id=2)
    await box.bookie.flush()
    index = box.parts.catalog.index
    index.commit(IndexBatch(record_deletes=[1]))
    assert len(index.between(1, 0, 5000)) > 4
    await box.restart()
    assert box.parts.catalog.index.between(1, 0, 5000) == []
    assert (await box.read(0, ledger_id=1))[0] is Status.NO_LEDGER
    assert (await box.read(0, ledger_id=2))[0] is Status.OK


async def test_all_rows_of_a_ledger_go_however_many(box: Box) -> None:
    """In several commits, with neighbours before and behind that stay."""
    for ledger_id in (1, 2, 3):
        await box.add([0], ledger_id=ledger_id)
    for step in range(3):  # a row for each id: every third one is added again
        await box.add(range(step, 1500, 3), ledger_id=2)
        await box.bookie.flush()
    assert len(box.parts.catalog.index.between(2, 0, 5000)) > 1000
    await box.bookie.delete_ledgers([2])
    assert box.parts.catalog.index.between(2, 0, 5000) == []
    assert [(await box.read(0, ledger_id=each))[0] for each in (1, 3)] == [Status.OK] * 2


async def test_a_flush_does_not_wait_for_a_long_deletion(box: Box) -> None:
    """Else the write cache is full before a topic of terabytes is gone."""
    for entry_id in range(10):  # a row for each flush
        for ledger_id in range(1, 201):
            await box.add([entry_id], ledger_id=ledger_id)
        await box.bookie.flush()
    commits: list[str] = []
    commit = box.parts.catalog.commit

    async def noted(batch: IndexBatch, added: Any = (), *rest: Any) -> None:
        await commit(batch, added, *rest)
        commits.append("flush" if added else "deletion")

    box.parts.catalog.commit = noted  # type: ignore[method-assign]
    await box.add([0], ledger_id=999)
    deletion = asyncio.ensure_future(box.bookie.delete_ledgers(range(1, 201)))
    while not commits:
        await asyncio.sleep(0)
    await box.bookie.flush()
    await deletion
    assert commits.index("flush") <= 3 < len(commits) - 3
    assert (await box.read(0, ledger_id=999))[0] is Status.OK
    assert not box.parts.catalog.index.between(1, 0, 10)
