"""Stored entries are added as they are, past fences, and end in time."""

from dataclasses import replace

import pytest
from magnetar_ledger.repair.bookie_adds import LedgerAccess, StoredEntry, add_stored
from magnetar_metadata.ledger_metadata import DigestType
from magnetar_proto.bookie import HIGH_PRIORITY, RECOVERY_ADD, Status

from tests.ledger.fake_bookie import AddCall, FakeBookie
from tests.ledger.repair.world import RepairWorld
from tests.ledger.virtual_time import run, turns


async def entries_of(world: RepairWorld, ledger_id: int) -> list[StoredEntry]:
    name = (await world.ensemble_of(ledger_id))[0]
    return [StoredEntry(*item) for item in world.bookies[name].entries[ledger_id].items()]


@pytest.mark.parametrize("digest", list(DigestType))
def test_the_bytes_are_the_same(digest: DigestType) -> None:
    async def main() -> None:
        world = await RepairWorld().begin()
        writer, _ = await world.writer(digest=digest)
        writer.add_all([b"one", b"", b"three"])
        await turns()
        entries = await entries_of(world, writer.ledger_id)
        metadata = await world.metadata(writer.ledger_id)
        bookie = FakeBookie()
        bookie.fenced.add(writer.ledger_id)
        ledger = LedgerAccess.of(writer.ledger_id, metadata)
        assert await add_stored(bookie, ledger, entries, 1000) is Status.OK
        assert bookie.entries[writer.ledger_id] == dict(entries)
        call = bookie.calls[0]
        assert isinstance(call, AddCall)
        assert call.flags == RECOVERY_ADD | HIGH_PRIORITY

    run(main())


def test_one_failure_is_the_answer() -> None:
    async def main() -> None:
        world = await RepairWorld().begin()
        ledger_id = await world.written(3)
        ledger = LedgerAccess.of(ledger_id, await world.metadata(ledger_id))
        entries = await entries_of(world, ledger_id)
        other = ledger._replace(key=b"x" * 20)
        bookie = FakeBookie()
        assert await add_stored(bookie, ledger, entries[:1], 1000) is Status.OK
        assert await add_stored(bookie, other, entries, 1000) is Status.UNAUTHORIZED
        bookie.held = True
        assert await add_stored(bookie, ledger, entries, 1000) is Status.TIMEOUT
        bookie.run_all()  # an answer after its time disturbs nobody

    run(main())


def test_access_comes_from_metadata() -> None:
    async def main() -> None:
        world = await RepairWorld().begin()
        ledger_id = await world.written(1)
        metadata = await world.metadata(ledger_id)
        assert len(LedgerAccess.of(ledger_id, metadata).key) == 20
        other = replace(metadata, password=b"other")
        assert LedgerAccess.of(ledger_id, other).key != LedgerAccess.of(ledger_id, metadata).key

    run(main())
