"""LACs that a writer tells without an entry: kept durably, the highest one."""

from pathlib import Path
from struct import pack

import pytest
from magnetar_proto.bookie import LacKeeper, Status
from magnetar_storage.disk_watch import Room
from magnetar_storage.explicit_lacs import MAX_BODY_BYTES, is_body, lac_of_body

from tests.proto.bookie_contract import KEY, LEDGER, OTHER_KEY
from tests.storage.support import Box


def body_of(lac: int, ledger_id: int = LEDGER, digest: bytes = b"crc!") -> bytes:
    return pack(">qq", ledger_id, lac) + digest


@pytest.mark.parametrize(
    ("body", "good"),
    [
        (body_of(5), True),
        (body_of(-1), True),
        (body_of(5, digest=b""), True),
        (body_of(5, digest=b"x" * 20), True),
        (body_of(5)[:15], False),
        (b"", False),
        (body_of(-2), False),
        (body_of(5, LEDGER + 1), False),
        (body_of(5, digest=b"x" * MAX_BODY_BYTES), False),
    ],
)
def test_what_can_be_a_body(body: bytes, good: bool) -> None:
    assert is_body(LEDGER, body) is good
    if good:
        assert lac_of_body(body) == int.from_bytes(body[8:16], "big", signed=True)


async def write(
    box: Box, lac: int, *, key: bytes = KEY, ledger_id: int = LEDGER, body: bytes | None = None
) -> Status:
    told: list[tuple[Status, bytes | None]] = []
    body = body_of(lac, ledger_id) if body is None else body
    box.bookie.write_lac(ledger_id, lac, key, body, lambda *end: told.append(end))
    assert told == [], "never within the call"
    await box.settle()
    ((status, answer),) = told
    assert answer == (body if status is Status.OK else None)
    return status


async def read(box: Box, ledger_id: int = LEDGER) -> tuple[Status, bytes | None]:
    told: list[tuple[Status, bytes | None]] = []
    box.bookie.read_lac(ledger_id, lambda *end: told.append(end))
    await box.settle()
    (end,) = told
    return end


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


async def test_the_highest_one_is_kept(box: Box) -> None:
    bookie: LacKeeper = await box.open()
    assert bookie.keeps_lac
    assert await read(box) == (Status.NO_LEDGER, None)
    await box.add([0])
    assert await read(box) == (Status.NO_ENTRY, None)
    for lac in (3, 5, 4):
        assert await write(box, lac) is Status.OK
    assert await read(box) == (Status.OK, body_of(5))
    await box.bookie.close()


@pytest.mark.parametrize("flushed", [False, True])
@pytest.mark.parametrize("clean", [False, True])
async def test_it_outlives_a_restart(box: Box, flushed: bool, clean: bool) -> None:
    await box.open()
    await write(box, 7, ledger_id=LEDGER + 1)
    await box.add([0, 1])
    await write(box, 1)
    if flushed:
        await box.bookie.flush()
    await (box.reopen() if clean else box.restart())
    assert await read(box) == (Status.OK, body_of(1))
    assert await read(box, LEDGER + 1) == (Status.OK, body_of(7, LEDGER + 1))
    assert await write(box, 2, key=OTHER_KEY, ledger_id=LEDGER + 1) is Status.UNAUTHORIZED
    await write(box, 9)
    await box.restart()
    assert await read(box) == (Status.OK, body_of(9))
    await box.bookie.close()


async def test_a_lower_one_behind_it_in_the_journal_changes_nothing(box: Box) -> None:
    await box.open()
    await write(box, 9)
    await write(box, 8)
    await box.restart()
    assert await read(box) == (Status.OK, body_of(9))
    await box.bookie.close()


async def test_readers_get_it_when_it_is_durable(box: Box) -> None:
    await box.open()
    await box.add([0])
    told: list[Status] = []
    box.journal_worker.holding = True
    box.bookie.write_lac(LEDGER, 0, KEY, body_of(0), lambda status, _: told.append(status))
    assert box.bookie.explicit_lac(LEDGER) == b""
    box.journal_worker.release()
    await box.settle()
    assert told == [Status.OK]
    assert box.bookie.explicit_lac(LEDGER) == body_of(0)
    await box.bookie.close()


async def test_what_is_refused(box: Box) -> None:
    await box.open()
    await box.add([0])
    assert await write(box, 0, key=OTHER_KEY) is Status.UNAUTHORIZED
    assert await write(box, 0, body=b"short") is Status.BAD_REQUEST
    assert await write(box, 0, body=body_of(0, LEDGER + 1)) is Status.BAD_REQUEST
    box.bookie.set_rooms({box.config.ledger_directories[0]: Room.RECOVERY})
    assert await write(box, 0) is Status.READ_ONLY
    assert await read(box) == (Status.NO_ENTRY, None)
    await box.bookie.close()


async def test_a_fenced_ledger_takes_it_as_bookkeepers_does(box: Box) -> None:
    await box.open()
    await box.add([0])
    await box.fence()
    assert await write(box, 0) is Status.OK
    await box.bookie.close()


async def test_a_ledger_that_is_deleted_meanwhile_stays_deleted(box: Box) -> None:
    await box.open()
    await box.add([0])
    told: list[Status] = []
    box.journal_worker.holding = True
    box.bookie.write_lac(LEDGER, 0, KEY, body_of(0), lambda status, _: told.append(status))
    await box.bookie.delete_ledgers([LEDGER])
    box.journal_worker.release()
    await box.settle()
    assert told == [Status.OK]
    await box.bookie.flush()
    assert await read(box) == (Status.NO_LEDGER, None)
    await box.bookie.close()


async def test_a_journal_that_fails_leaves_the_end_unknown(box: Box) -> None:
    await box.open()
    await box.add([0])
    box.disk.failing = "journal"
    assert await write(box, 0) is Status.IO_ERROR
    assert box.bookie.explicit_lac(LEDGER) == b""
    await box.bookie.close()
