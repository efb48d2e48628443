"""What is written and what is confirmed while syncs are deferred."""

import pytest
from magnetar_ledger.deferred_core import DeferredCore
from magnetar_ledger.digest import EntryDigest
from magnetar_ledger.striping import Quorum
from magnetar_metadata.ledger_metadata import DigestType
from magnetar_proto.bookie import Status

QUORUMS = [(1, 1, 1), (3, 3, 2), (4, 3, 2)]


def core_of(quorum: Quorum) -> DeferredCore:
    ensemble = [f"b{i}" for i in range(quorum.ensemble_size)]
    return DeferredCore(5, quorum, ensemble, EntryDigest.of(DigestType.CRC32C, b""))


def ack(core: DeferredCore, first: int, behind: int, places: list[int]) -> None:
    for entry_id in range(first, behind):
        for place in core.quorum.write_set(entry_id):
            if place in places:
                assert core.acked(place, [entry_id]) == 0


@pytest.mark.parametrize("sizes", QUORUMS)
def test_acks_write_and_only_a_force_confirms(sizes: tuple[int, int, int]) -> None:
    core = core_of(Quorum(*sizes))
    everyone = list(range(sizes[0]))
    core.push([b"x"] * 4)
    assert core.take_written() == 0
    ack(core, 0, 3, everyone)
    assert (core.take_written(), core.take_written()) == (3, 0)
    assert core.last_add_confirmed == -1
    assert len(core.payloads) == 4
    assert not core.can_force(3)
    assert core.can_force(2)
    assert core.forced(2) == 3
    assert (core.last_add_confirmed, core.confirmed_length, core.payloads) == (2, 3, [b"x"])
    ack(core, 3, 4, everyone)
    assert (core.take_written(), core.written, core.last_add_confirmed) == (1, 3, 2)


def test_entries_carry_the_lac_of_the_last_force() -> None:
    core = core_of(Quorum(3, 3, 2))

    def lac_of_next() -> int:
        (header,) = core.push([b"x"])
        return int.from_bytes(header[16:24], signed=True)

    assert lac_of_next() == -1
    ack(core, 0, 1, [0, 1])
    assert lac_of_next() == -1
    assert core.forced(0) == 1
    assert lac_of_next() == 0


@pytest.mark.parametrize("sizes", [(3, 3, 2), (4, 3, 2)])
def test_a_new_bookie_owes_all_that_was_not_forced(sizes: tuple[int, int, int]) -> None:
    core = core_of(Quorum(*sizes))
    core.push([b"x"] * 4)
    everyone = list(range(sizes[0]))
    ack(core, 0, 4, everyone)
    assert core.take_written() == 4
    assert core.replica_failed(0, Status.UNAVAILABLE) is None
    segment = core.freeze({0: "new"})
    assert segment.first_entry_id == 0
    assert not core.can_force(3)
    core.ensemble_changed(segment, [0])
    assert core.thaw() == 0
    owed = core.entries_for(0)
    assert owed
    assert core.lagging(3) == {0}
    for entry_id in owed:
        core.acked(0, [entry_id])
    assert core.lagging(3) == set()
    assert core.take_written() == 0  # told before
    assert core.forced(3) == 4


def test_nothing_is_told_while_a_segment_is_written() -> None:
    core = core_of(Quorum(3, 3, 2))
    core.push([b"x"])
    core.replica_failed(2, Status.UNAVAILABLE)
    core.freeze({2: "new"})
    ack(core, 0, 1, [0, 1])
    assert core.take_written() == 0
    assert core.thaw() == 0
    assert core.take_written() == 1


def test_nothing_is_forced_below_the_quorum() -> None:
    core = core_of(Quorum(3, 3, 2))
    core.push([b"x"])
    ack(core, 0, 1, [0, 1, 2])
    for place in (0, 1):
        assert core.can_force(0)
        core.replica_failed(place, Status.UNAVAILABLE)
    assert not core.can_force(0)
