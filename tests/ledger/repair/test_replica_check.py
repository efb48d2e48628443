"""What a bookie lacks is found entry by entry; silence is no answer."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from magnetar_ledger.errors import DigestMismatchError, SilentBookieError
from magnetar_ledger.repair.bookie_adds import LedgerAccess
from magnetar_ledger.repair.config import RepairConfig
from magnetar_ledger.repair.replica_check import bad_entries, in_batches, runs_of, verified
from magnetar_proto.bookie import Status

from tests.ledger.repair.world import RepairWorld
from tests.ledger.virtual_time import run


@given(st.sets(st.integers(0, 50)))
def test_runs_are_what_follows_on(ids: set[int]) -> None:
    runs = list(runs_of(sorted(ids)))
    assert [e for run_ in runs for e in run_] == sorted(ids)
    assert all(later.start > earlier.stop for earlier, later in pairwise(runs))


def test_batches() -> None:
    assert list(in_batches(iter(range(5)), 2)) == [[0, 1], [2, 3], [4]]
    assert list(in_batches(iter(()), 2)) == []


@pytest.mark.parametrize("missing", [[], [0], [9], [3, 4], [2, 5, 7], list(range(10))])
@pytest.mark.parametrize("how", ["absent", "damaged", "another's"])
def test_each_bad_entry_is_found(missing: list[int], how: str) -> None:
    async def main() -> None:
        world = await RepairWorld().begin()
        ledger_id = await world.written(10)
        entries = world.bookies["b0"].entries
        name = (await world.ensemble_of(ledger_id))[0]
        stored = world.bookies[name].entries[ledger_id]
        for entry_id in missing:
            if how == "absent":
                del stored[entry_id]
            elif how == "damaged":
                stored[entry_id] = stored[entry_id][:-1] + b"?"
            else:
                stored[entry_id] = stored[(entry_id + 1) % 10]
        if how == "absent" and len(missing) == 10:
            del world.bookies[name].entries[ledger_id]
        if how == "another's" and len(missing) == 10:
            return  # each has been put into the place of the next
        ledger = LedgerAccess.of(ledger_id, await world.metadata(ledger_id))
        found = await bad_entries(world.tools(), RepairConfig(), ledger, name, range(10))
        assert found == missing
        assert entries is world.bookies["b0"].entries

    run(main())


@pytest.mark.parametrize("status", [Status.TIMEOUT, Status.UNAVAILABLE, Status.TOO_MANY_REQUESTS])
def test_silence_says_nothing(status: Status) -> None:
    async def main() -> None:
        world = await RepairWorld().begin()
        ledger_id = await world.written(3)
        name = (await world.ensemble_of(ledger_id))[0]
        world.bookies[name].answer = status
        ledger = LedgerAccess.of(ledger_id, await world.metadata(ledger_id))
        with pytest.raises(SilentBookieError, match=status.name):
            await bad_entries(world.tools(), RepairConfig(), ledger, name, [0, 2])

    run(main())


@pytest.mark.parametrize("status", [Status.IO_ERROR, Status.UNKNOWN_LEDGER_STATE])
def test_a_bookie_that_cannot_give_an_entry_lacks_it(status: Status) -> None:
    async def main() -> None:
        world = await RepairWorld().begin()
        ledger_id = await world.written(3)
        name = (await world.ensemble_of(ledger_id))[0]
        world.bookies[name].answer = status
        ledger = LedgerAccess.of(ledger_id, await world.metadata(ledger_id))
        assert await bad_entries(world.tools(), RepairConfig(), ledger, name, [0, 2]) == [0, 2]

    run(main())


def test_a_call_that_never_ends_is_silence() -> None:
    async def main() -> None:
        world = await RepairWorld().begin()
        ledger_id = await world.written(3)
        name = (await world.ensemble_of(ledger_id))[0]
        world.bookies[name].held = True
        ledger = LedgerAccess.of(ledger_id, await world.metadata(ledger_id))
        with pytest.raises(SilentBookieError):
            await bad_entries(world.tools(), RepairConfig(), ledger, name, [0])

    run(main())


def test_verified_stops_at_the_first_bad_one() -> None:
    async def main() -> None:
        world = await RepairWorld().begin()
        ledger_id = await world.written(3)
        name = (await world.ensemble_of(ledger_id))[0]
        stored = world.bookies[name].entries[ledger_id]
        ledger = LedgerAccess.of(ledger_id, await world.metadata(ledger_id))
        entries = [stored[0], stored[1], stored[0]]
        assert list(verified(ledger, 0, entries)) == entries[:2]
        with pytest.raises(DigestMismatchError):
            verified(ledger, 1, entries)

    run(main())
