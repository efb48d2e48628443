"""Makes the data directory of the current formats that every later version must open.

    python -m tests.storage.golden tests/golden/bookie-3

Run once per format, by hand; what is committed is never made again.
"""

import asyncio
import sys
from pathlib import Path
from struct import pack

from magnetar_proto.bookie import Status

from tests.proto.bookie_contract import KEY, LEDGER
from tests.storage.support import Box

FLUSHED = range(400)
RE_ADDED = (5, 6, 200, 399)
RE_ADDED_SIZE = 33
JOURNAL_ONLY = range(400, 420)
FENCED_LEDGER = 8  # with two directories in the other one than the first ledger
LEDGER_NAMES = ["ledgers", "more"]
JOURNAL_NAMES = ["journal", "other"]
UNKNOWN_LEDGER = 9
FLUSHED_LAC, JOURNAL_LAC = 401, 417  # told by writers; since bookie-3


async def fill(box: Box) -> None:
    """Everything a directory can hold: blocks, cut rows, records, a journal behind the mark."""
    await box.add(FLUSHED)
    await box.bookie.flush()
    await box.add(RE_ADDED, size=RE_ADDED_SIZE)
    tell_lac(box, FENCED_LEDGER, FLUSHED_LAC)
    await box.settle()
    await box.bookie.flush()
    await box.add(JOURNAL_ONLY)
    await box.add([0, 2], ledger_id=FENCED_LEDGER)
    await box.fence(FENCED_LEDGER)
    tell_lac(box, LEDGER, JOURNAL_LAC)


def lac_body(ledger_id: int, lac: int) -> bytes:
    return pack(">qq", ledger_id, lac) + b"crc!"


def tell_lac(box: Box, ledger_id: int, lac: int) -> None:
    def kept(status: Status, _: bytes | None) -> None:
        assert status is Status.OK

    box.bookie.write_lac(ledger_id, lac, KEY, lac_body(ledger_id, lac), kept)


async def make(directory: Path) -> None:
    box = Box(directory, journal_file_bytes=16 << 10, journal_spare_files=0)
    box.ledger_names, box.journal_names = LEDGER_NAMES, JOURNAL_NAMES
    await box.open()
    await fill(box)
    await box.settle()
    await box.crash()
    for lock in [*directory.rglob("lock.mdb"), *directory.rglob("LOCK")]:
        lock.unlink()


if __name__ == "__main__":
    asyncio.run(make(Path(sys.argv[1])))
