"""All copies of a ledger, compared."""

from magnetar_ledger.digest import EntryDigest
from magnetar_ledger.verification import Fault, FaultyCopies, Verification, verify_ledger
from magnetar_proto.bookie import Status

from tests.ledger.cluster import payload
from tests.ledger.test_mending import COUNT, World, in_virtual_time, world_of


async def verified(world: World) -> Verification:
    return await verify_ledger(world.cluster.tools(), world.ledger_id, world.metadata, COUNT - 1)


@in_virtual_time
async def test_nothing_is_wrong() -> None:
    for write in (2, 3):
        found = await verified(await world_of(write=write))
        assert (found.entries, found.copies, found.lost) == (COUNT, COUNT * write, [])
        assert found.faults == []


@in_virtual_time
async def test_each_fault_on_its_bookie() -> None:
    world = await world_of()
    for entry_id in (3, 4, 9):
        del world.entries[entry_id]
    world.entries[12] = world.entries[12][:-1] + b"?"
    world.entries[13] = world.entries[14]
    digest = EntryDigest.of(world.metadata.digest_type, world.metadata.password)
    header = digest.header(world.ledger_id, 16, 15, 0, b"other")
    world.entries[16] = header + b"other"
    found = await verified(world)
    assert found.lost == []
    assert found.faults == [
        FaultyCopies(world.bookie_id, Fault.MISSING, 3, 4),
        FaultyCopies(world.bookie_id, Fault.MISSING, 9, 9),
        FaultyCopies(world.bookie_id, Fault.WRONG_DIGEST, 12, 13),
        FaultyCopies(world.bookie_id, Fault.DIFFERENT, 16, 16),
    ]


@in_virtual_time
async def test_a_copy_that_recovery_added_again_is_the_same() -> None:
    """Its last add confirmed is another one, and so is its digest."""
    world = await world_of()
    digest = EntryDigest.of(world.metadata.digest_type, world.metadata.password)
    length = sum(len(payload(each)) for each in range(6))
    header = digest.header(world.ledger_id, 5, 4, length, payload(5))
    assert world.entries[5] != header + payload(5)
    world.entries[5] = header + payload(5)
    assert (await verified(world)).faults == []


@in_virtual_time
async def test_bookies_that_are_away_or_cannot_say() -> None:
    world = await world_of(write=2)
    one, other = world.others
    one.answer = Status.UNAVAILABLE
    other.answer = Status.IO_ERROR
    found = await verified(world)
    assert {(each.bookie_id, each.fault) for each in found.faults} == {
        (one.name, Fault.UNREADABLE),
        (other.name, Fault.UNREADABLE),
    }
    assert found.lost == [each for each in range(COUNT) if each not in world.entries]
