"""Copies are byte for byte, from whoever has a good one, at a bounded rate."""

import asyncio
from dataclasses import replace

import pytest
from magnetar_ledger.errors import (
    EntryUnreadableError,
    LedgerError,
    NoSuchEntryError,
    NotEnoughBookiesError,
)
from magnetar_ledger.repair.fragment_copy import FragmentCopier
from magnetar_ledger.repair.fragments import known_fragments
from magnetar_proto.bookie import Status

from tests.ledger.repair.world import CONFIG, RepairWorld
from tests.ledger.virtual_time import run

SIZES = [(3, 3, 2), (3, 2, 2), (4, 2, 1)]


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("count", [1, 7, 250])
def test_a_new_bookie_gets_what_the_lost_one_had(sizes: tuple[int, int, int], count: int) -> None:
    async def main() -> None:
        world = await RepairWorld(sizes[0] + 1).begin()
        ledger_id = await world.written(count, sizes)
        metadata = await world.metadata(ledger_id)
        (target,) = set(world.bookies) - set(metadata.segments[0].bookies)
        for fragment in known_fragments(metadata):
            lost = world.bookies[fragment.bookie_id].entries[ledger_id]
            world.bookies[target].entries.clear()
            await world.kill(fragment.bookie_id)
            copier = FragmentCopier(world.tools(), CONFIG)
            await copier.copy_to(metadata, ledger_id, fragment, target)
            assert world.bookies[target].entries[ledger_id] == lost
            assert copier.entries_copied == len(lost)
            assert copier.bytes_copied == sum(map(len, lost.values()))
            await world.revive(fragment.bookie_id)

    run(main())


def test_a_bad_copy_is_not_copied() -> None:
    async def main() -> None:
        world = await RepairWorld().begin()
        ledger_id = await world.written(5)
        metadata = await world.metadata(ledger_id)
        lost, one, other = metadata.segments[0].bookies
        good = dict(world.bookies[lost].entries[ledger_id])
        for name, entry_id in ((one, 1), (other, 3)):
            stored = world.bookies[name].entries[ledger_id]
            stored[entry_id] = stored[entry_id][:-1] + b"?"
        del world.bookies[one].entries[ledger_id][4]
        await world.kill(lost)
        (target,) = set(world.bookies) - set(metadata.segments[0].bookies)
        copier = FragmentCopier(world.tools(), CONFIG)
        await copier.copy_to(metadata, ledger_id, known_fragments(metadata)[0], target)
        assert world.bookies[target].entries[ledger_id] == good

    run(main())


def test_an_entry_that_no_replica_has_is_told() -> None:
    async def main() -> None:
        world = await RepairWorld().begin()
        ledger_id = await world.written(5)
        metadata = await world.metadata(ledger_id)
        for name in metadata.segments[0].bookies:
            del world.bookies[name].entries[ledger_id][3]
        copier = FragmentCopier(world.tools(), CONFIG)
        with pytest.raises(NoSuchEntryError):
            await copier.copy_to(metadata, ledger_id, known_fragments(metadata)[0], "b3")

    run(main())


def test_the_only_replica_may_serve_though_it_is_not_registered() -> None:
    async def main() -> None:
        world = await RepairWorld().begin()
        ledger_id = await world.written(5, (1, 1, 1))
        metadata = await world.metadata(ledger_id)
        (name,) = metadata.segments[0].bookies
        (target, *_) = set(world.bookies) - {name}
        await world.unregister(name)
        copier, fragment = FragmentCopier(world.tools(), CONFIG), known_fragments(metadata)[0]
        await copier.copy_to(metadata, ledger_id, fragment, target)
        assert len(world.bookies[target].entries[ledger_id]) == 5
        del world.bookies[name].entries[ledger_id][2]
        with pytest.raises(EntryUnreadableError, match="one replica only"):
            await copier.fill(metadata, ledger_id, fragment)

    run(main())


@pytest.mark.parametrize("sizes", SIZES)
def test_a_bookie_is_filled_with_what_it_lacks_and_no_more(sizes: tuple[int, int, int]) -> None:
    async def main() -> None:
        world = await RepairWorld(4).begin()
        ledger_id = await world.written(250, sizes)
        metadata = await world.metadata(ledger_id)
        fragment = known_fragments(metadata)[0]
        bookie = world.bookies[fragment.bookie_id]
        before = dict(bookie.entries[ledger_id])
        ids = list(fragment.entry_ids())
        lacking = [ids[0], *ids[30:50], ids[-1]]
        for entry_id in lacking:
            del bookie.entries[ledger_id][entry_id]
        copier = FragmentCopier(world.tools(), CONFIG)
        await copier.fill(metadata, ledger_id, fragment)
        assert bookie.entries[ledger_id] == before
        assert copier.entries_copied == len(lacking)

    run(main())


def test_a_bookie_that_takes_nothing_is_told() -> None:
    async def main() -> None:
        world = await RepairWorld().begin()
        ledger_id = await world.written(5)
        metadata = await world.metadata(ledger_id)
        world.bookies["new"] = type(world.bookies["b0"])("new")
        world.bookies["new"].answer = Status.READ_ONLY
        copier = FragmentCopier(world.tools(), CONFIG)
        with pytest.raises(NotEnoughBookiesError, match="new answered READ_ONLY"):
            await copier.copy_to(metadata, ledger_id, known_fragments(metadata)[0], "new")

    run(main())


def test_a_fragment_that_has_changed_is_not_copied() -> None:
    async def main() -> None:
        world = await RepairWorld().begin()
        ledger_id = await world.written(5)
        metadata = await world.metadata(ledger_id)
        fragment = replace(known_fragments(metadata)[0], bookie_id="other")
        with pytest.raises(LedgerError, match="changed"):
            await FragmentCopier(world.tools(), CONFIG).copy_to(metadata, ledger_id, fragment, "b3")

    run(main())


def test_the_rate_is_kept() -> None:
    async def main() -> None:
        world = await RepairWorld().begin()
        ledger_id = await world.written(1000)
        metadata = await world.metadata(ledger_id)
        (target,) = set(world.bookies) - set(metadata.segments[0].bookies)
        config = replace(CONFIG, copy_rate_bytes_per_s=5000, copy_batch_entries=10)
        copier = FragmentCopier(world.tools(), config)
        began = asyncio.get_running_loop().time()
        await copier.copy_to(metadata, ledger_id, known_fragments(metadata)[0], target)
        took_s = asyncio.get_running_loop().time() - began
        assert copier.bytes_copied / took_s == pytest.approx(5000, rel=0.1)

    run(main())
