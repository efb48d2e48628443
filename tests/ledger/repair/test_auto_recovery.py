"""Auditors and workers together, on a cluster that loses bookies."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from magnetar_ledger.repair.auto_recovery import AutoRecovery
from magnetar_metadata.errors import MalformedRecordError, UnknownOutcomeError
from magnetar_metadata.memory import MemoryStore
from magnetar_runtime.scope import TaskScope

from tests.ledger.cluster import payload
from tests.ledger.repair.world import CONFIG, RepairWorld
from tests.ledger.virtual_time import run


def recovery(world: RepairWorld, name: str, store: Any = None, **changes: Any) -> AutoRecovery:
    store = store or world.store.new_session()
    config = replace(CONFIG, **changes)
    return AutoRecovery(store, world.tools(store=store), name, config)


async def read_back(world: RepairWorld, ledger_id: int, count: int) -> None:
    reader = await world.client().open(ledger_id, password=b"secret", recover=False)
    assert reader.last_add_confirmed == count - 1
    found: list[bytes] = []
    while len(found) < count:
        found += await reader.read(len(found), 100, 1_000_000)
    assert found == [payload(n) for n in range(count)]


def test_bookies_are_lost_one_after_the_other_and_nothing_with_them() -> None:
    async def main() -> None:
        world = await RepairWorld(7).begin()
        sizes = [(3, 3, 2), (3, 2, 2), (4, 2, 2)]
        counts = [3 + 7 * n for n in range(30)]
        ledgers = [await world.written(c, sizes[n % 3]) for n, c in enumerate(counts)]
        async with TaskScope() as scope:
            nodes = [recovery(world, f"node {n}") for n in range(3)]
            tasks = [scope.spawn(node.run(), name="node") for node in nodes]
            for name in ("b0", "b1", "b2"):
                await asyncio.sleep(60)
                await world.kill(name)
            await asyncio.sleep(120)
            assert sum(node.auditor.leading for node in nodes) == 1
            for task in tasks:
                task.cancel()
        assert await world.marked.list_ids() == []
        for ledger_id, count in zip(ledgers, counts, strict=True):
            assert await world.lacking(ledger_id) == []
            await read_back(world, ledger_id, count)

    run(main())


def test_a_damaged_copy_is_found_by_the_check_and_repaired_in_place() -> None:
    async def main() -> None:
        world = await RepairWorld(4).begin()
        ledger_id = await world.written(50)
        metadata = await world.metadata(ledger_id)
        stored = world.bookies[metadata.segments[0].bookies[1]].entries[ledger_id]
        before = dict(stored)
        stored[25] = stored[25][:-1] + b"?"
        node = recovery(world, "node", verification_percent=100)
        async with TaskScope() as scope:
            task = scope.spawn(node.run(), name="node")
            await asyncio.sleep(60)
            task.cancel()
        assert stored == before
        assert await world.metadata(ledger_id) == metadata
        assert node.worker.entries_copied == 1
        assert await world.marked.list_ids() == []

    run(main())


def test_it_begins_when_the_store_is_there() -> None:
    class Away(MemoryStore):
        away = True

        async def create(self, path: str, value: bytes, **options: Any) -> str:
            if self.away:
                raise UnknownOutcomeError(path)
            return await super().create(path, value, **options)

    async def main() -> None:
        world = await RepairWorld(4).begin()
        session: Any = world.store.new_session()
        session.__class__ = Away
        node = recovery(world, "node", session)
        async with TaskScope() as scope:
            task = scope.spawn(node.run(), name="node")
            await asyncio.sleep(30)
            assert not node.auditor.leading
            session.away = False
            await asyncio.sleep(30)
            assert node.auditor.leading
            task.cancel()

    run(main())


def test_another_layout_is_refused() -> None:
    async def main() -> None:
        world = await RepairWorld(4).begin()
        await world.store.set("/ledgers/underreplication/LAYOUT", b'type: "X"\nversion: 2\n')
        with pytest.raises(MalformedRecordError):
            await recovery(world, "node").run()

    run(main())
