"""A directory that is out of use keeps no other from being flushed, cleared and checked."""

import errno
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from magnetar_proto.bookie import Status
from magnetar_storage.errors import OutOfUseError

from tests.storage.support import Box
from tests.storage.test_garbage import Listing
from tests.storage.test_journals import LEDGER_IDS, add_all, homes, several


@pytest.fixture
async def broken(tmp_path: Path) -> AsyncIterator[Box]:
    """Of three directories the disk of the second one failed."""
    box = several(tmp_path, 3)
    await box.open()
    await add_all(box, 0)
    path = box.config.ledger_directories[1]
    assert box.bookie.directory_failed(path, OSError(errno.EIO, "planned"))
    yield box
    await box.bookie.close()


async def test_flush(broken: Box) -> None:
    with pytest.raises(OutOfUseError, match="planned"):
        await broken.bookie.flush()
    cached = [bool(engine.cache.active.ledgers) for engine in broken.bookie.engines]
    assert cached == [False, True, False]


async def test_deletion(broken: Box) -> None:
    before = homes(broken)
    with pytest.raises(OutOfUseError, match="planned"):
        await broken.bookie.collect_garbage(Listing([]))
    assert homes(broken) == {each: home for each, home in before.items() if home == 1}
    gone = next(each for each in LEDGER_IDS if before[each] != 1)
    assert (await broken.read(0, ledger_id=gone))[0] is Status.NO_LEDGER
    assert await broken.add([0], ledger_id=gone) == {0: Status.OK}


async def test_deletion_that_does_not_concern_it(broken: Box) -> None:
    well = [each for each, home in homes(broken).items() if home != 1]
    await broken.bookie.delete_ledgers(well)
    assert set(homes(broken).values()) == {1}
