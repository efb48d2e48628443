"""A real broker on a drive that fails: it acknowledges nothing more, ends with 4, loses nothing.

What a failed sync was to bring is lost for good, as on Linux: a second try would succeed and lie.
"""

import errno
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.load import Load
from tests.crash.powered import MountedDrive, PoweredMagnetar, missing
from tests.interop.official import Session

pytestmark = [
    pytest.mark.official,
    pytest.mark.skipif(
        missing() is not None and "POWER_CUTS" not in os.environ,
        reason=f"disk faults of the real process are left out: {missing()}",
    ),
]

DISK_FAILED = 4
END_TIMEOUT_S = 20.0
LOAD_S = 0.3


@pytest.fixture
def drive(tmp_path: Path) -> Iterator[MountedDrive]:
    with MountedDrive(tmp_path / "drive") as drive:
        yield drive


@pytest.fixture
def server(tmp_path: Path, drive: MountedDrive) -> Iterator[PoweredMagnetar]:
    server = PoweredMagnetar(tmp_path, drive, random.Random(1))
    yield server
    server.kill()


@pytest.mark.parametrize(
    ("operation", "suffix", "after"),
    [
        pytest.param("sync", ".journal", 20, id="journal"),
        pytest.param("sync", "/preparing", 0, id="new journal file"),
        pytest.param("sync_directory", "/journal", 0, id="journal directory"),
        pytest.param("sync", ".log", 1, id="entry log"),
        pytest.param("sync", "data.mdb", 1, id="index"),
        pytest.param("sync", "metadata.sqlite-wal", 0, id="metadata"),
    ],
)
def test_the_first_failed_sync_ends_it(
    operation: str, suffix: str, after: int, drive: MountedDrive, server: PoweredMagnetar
) -> None:
    fault = {"operation": operation, "suffix": suffix, "after": after, "error": errno.EIO}
    figures = end_by_fault(server, drive, fault)
    assert figures["failed"] == 1


@pytest.mark.parametrize("suffix", [".journal", ".log", "data.mdb", "metadata.sqlite-wal"])
def test_a_disk_that_is_full_without_warning_ends_it(
    suffix: str, drive: MountedDrive, server: PoweredMagnetar
) -> None:
    fault = {"operation": "write", "suffix": suffix, "error": errno.ENOSPC, "times": 1 << 30}
    end_by_fault(server, drive, fault)


def end_by_fault(
    server: PoweredMagnetar, drive: MountedDrive, fault: dict[str, object]
) -> dict[str, int]:
    """A load, the fault, the end of the broker, a power cut, a start without the fault, an audit.

    Returns:
        The drive's figures at the end of the broker.
    """
    server.start()
    with Session(server, quiet=True) as session:
        load = Load(server, session, "persistent://public/default/fault")
        load.start()
        try:
            time.sleep(LOAD_S)
            drive.ask("fault", **fault)
            code, output = server.end_of_itself(END_TIMEOUT_S)
            figures = drive.ask("heal")
            server.cut_power()
            server.start()
            load.stop()
        finally:
            load.abandon()
    load.read_all()
    assert code == DISK_FAILED, output
    assert "stopped, because the disk failed" in output
    assert "Traceback" not in output
    assert all(producer.verdict().clean for producer in load.producers)
    assert not any(producer.failures for producer in load.producers)
    assert server.stop() == 0
    return figures
