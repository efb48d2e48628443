"""Keys and fences: who may add, and when a fence may be told."""

import asyncio

from magnetar_proto.bookie import FENCE, HIGH_PRIORITY, RECOVERY_ADD, Status
from magnetar_storage.disk_watch import Room

from tests.proto.bookie_contract import KEY, LEDGER, MAX_BYTES, Adds, Reads, header_of
from tests.storage.support import Box


async def test_a_header_of_another_entry_is_a_bad_request(box: Box) -> None:
    sink = Adds()
    box.bookie.add(LEDGER, [1], KEY, [header_of(LEDGER, 2)], [b""], 0, sink)
    box.bookie.add(LEDGER, [2], KEY, [header_of(LEDGER, 2)[:31]], [b""], 0, sink)
    box.bookie.add(LEDGER, [-1], KEY, [header_of(LEDGER, -1)], [b""], 0, sink)
    await box.settle()
    assert set(sink.by_entry.values()) == {Status.BAD_REQUEST}
    assert (await box.read(0))[0] is Status.NO_LEDGER


async def test_a_fencing_read_waits_for_the_sync_even_to_say_no(box: Box) -> None:
    box.journal_worker.holding = True
    sink = Reads()
    box.bookie.read(LEDGER, 0, 1, MAX_BYTES, FENCE, KEY, sink, 0)
    box.bookie.read(LEDGER, 0, 1, MAX_BYTES, FENCE, KEY, sink, 1)
    for _ in range(5):
        await asyncio.sleep(0)
    assert sink.rows == []
    box.journal_worker.release()
    await box.settle()
    assert [row[1] for row in sink.rows] == [Status.NO_ENTRY, Status.NO_ENTRY]


async def test_a_full_disk_takes_recovery_of_high_priority_only(box: Box) -> None:
    (directory,) = box.config.ledger_directories
    box.bookie.set_rooms({directory: Room.RECOVERY})
    assert await box.add([0]) == {0: Status.READ_ONLY}
    assert await box.add([0], flags=RECOVERY_ADD) == {0: Status.READ_ONLY}
    assert await box.add([1], flags=RECOVERY_ADD | HIGH_PRIORITY) == {1: Status.OK}
    box.bookie.set_rooms({directory: Room.NONE})
    assert await box.add([2], flags=RECOVERY_ADD | HIGH_PRIORITY) == {2: Status.READ_ONLY}
    box.bookie.set_rooms({directory: Room.ENTRIES})
    assert await box.add([2]) == {2: Status.OK}
