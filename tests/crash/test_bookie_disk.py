"""A `magnetar bookie` process on a drive that fills up or fails: what it acknowledged stays."""

import errno
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from magnetar_proto.bookie import Status
from magnetar_proto.bookkeeper.requests import VERSION_2, ReadRequest
from magnetar_proto.bookkeeper.responses import AddResponse, ReadResponse
from magnetar_proto.bookkeeper.stream import ResponseStream

from bench.servers import get
from tests.crash.powered import MountedDrive, missing
from tests.hostile.bookie_peer import HOST, MAX_FRAME_BYTES, add_of, encoded
from tests.hostile.lone_bookie import LoneBookie
from tests.interop.official import wait_until

pytestmark = pytest.mark.skipif(
    missing() is not None and "POWER_CUTS" not in os.environ,
    reason=f"disk faults of the real process are left out: {missing()}",
)

LEDGER = 7
ENTRY_BYTES = 64 << 10
DRIVE_BYTES = 48 << 20
MOST_ENTRIES = 2000
END_S = 30.0
DISK_FAILED = 4


class DrivenBookie(LoneBookie):
    """Its directories lie on the drive."""

    def __init__(self, directory: Path, drive: MountedDrive) -> None:
        super().__init__(
            directory,
            {
                "journalMaxSizeMB": 1,
                "flushInterval": 200,
                "dbStorage_writeCacheMaxSizeMb": 4,
                "minUsableSizeForEntryLogCreation": 0,
                # Room for what a quick disk takes between two looks at it, journal and logs.
                "diskUsageThreshold": 0.80,
                "diskUsageWarnThreshold": 0.75,
                "diskCheckInterval": 50,
            },
        )
        self.drive = drive

    @property
    def data_directory(self) -> Path:
        return self.drive.mountpoint / "data"


@pytest.fixture
def drive(tmp_path: Path) -> Iterator[MountedDrive]:
    with MountedDrive(tmp_path / "drive") as drive:
        yield drive


@pytest.fixture
def bookie(tmp_path: Path, drive: MountedDrive) -> Iterator[DrivenBookie]:
    server = DrivenBookie(tmp_path, drive)
    server.init_cluster()
    server.start()
    yield server
    server.kill()


class Writer:
    """Adds one entry after another, and remembers which were acknowledged."""

    def __init__(self, server: LoneBookie) -> None:
        self.server = server
        self.acknowledged: list[int] = []

    def add_until_refused(self) -> Status | None:
        """With what an add was refused; None if the connection was lost."""
        stream = ResponseStream(MAX_FRAME_BYTES)
        with socket.create_connection((HOST, self.server.port), END_S) as peer:
            for number in range(len(self.acknowledged), MOST_ENTRIES):
                try:
                    peer.sendall(encoded(add_of(LEDGER, number, payload=payload_of(number))))
                    answers: list[Any] = []
                    while not answers:
                        data = peer.recv(1 << 16)
                        if not data:
                            return None
                        answers = stream.feed(data)
                except ConnectionError:
                    return None
                (answer,) = answers
                assert isinstance(answer, AddResponse)
                if answer.status is not Status.OK:
                    return answer.status
                self.acknowledged.append(number)
        raise AssertionError("the drive was not full")

    def check_all_there(self) -> None:
        stream = ResponseStream(MAX_FRAME_BYTES)
        with socket.create_connection((HOST, self.server.port), END_S) as peer:
            for number in self.acknowledged:
                peer.sendall(encoded(ReadRequest(VERSION_2, 0, 0, LEDGER, number)))
                answers: list[Any] = []
                while not answers:
                    data = peer.recv(1 << 20)
                    assert data, "closed"
                    answers = stream.feed(data)
                (answer,) = answers
                assert isinstance(answer, ReadResponse)
                assert answer.status is Status.OK, number
                assert answer.entry == _entry(number)


def payload_of(number: int) -> bytes:
    return b"crc!" + number.to_bytes(8) + bytes(ENTRY_BYTES)


def _entry(number: int) -> bytes:
    request = add_of(LEDGER, number, payload=payload_of(number))
    return request.header + request.payload


def state_of(server: LoneBookie) -> dict[str, Any]:
    _, body = get(server.web_port, "/api/v1/bookie/state")
    state: dict[str, Any] = json.loads(body)
    return state


def test_a_full_disk_makes_it_read_only_until_there_is_room(
    drive: MountedDrive, bookie: DrivenBookie
) -> None:
    drive.ask("capacity", capacity_bytes=DRIVE_BYTES)
    writer = Writer(bookie)
    assert writer.add_until_refused() is Status.READ_ONLY
    assert len(writer.acknowledged) > 100
    assert state_of(bookie)["readOnly"]
    writer.check_all_there()
    bookie.kill()
    bookie.start()
    assert state_of(bookie)["readOnly"], "the disk was looked at before anybody could add"
    writer.check_all_there()
    drive.ask("capacity", capacity_bytes=2 * DRIVE_BYTES)
    wait_until(lambda: not state_of(bookie)["readOnly"], END_S)
    before = len(writer.acknowledged)
    assert writer.add_until_refused() is Status.READ_ONLY
    assert len(writer.acknowledged) > before
    writer.check_all_there()
    output = bookie.log_path.read_text()
    assert "the disk is full" in output
    assert "the bookie is read-only" in output
    assert "Traceback" not in output
    assert bookie.stop() == 0


@pytest.mark.parametrize(
    ("operation", "suffix", "error"),
    [("write", ".journal", errno.ENOSPC), ("sync", ".journal", errno.EIO)],
)
def test_a_disk_that_is_full_or_fails_without_warning_ends_it(
    drive: MountedDrive, bookie: DrivenBookie, operation: str, suffix: str, error: int
) -> None:
    writer = Writer(bookie)
    fault = {"operation": operation, "suffix": suffix, "after": 50, "error": error}
    drive.ask("fault", **fault, times=1 << 30)
    assert writer.add_until_refused() in (None, Status.IO_ERROR)
    assert bookie.process is not None
    process, bookie.process = bookie.process, None
    assert process.wait(END_S) == DISK_FAILED
    assert "stopped, because the disk failed" in process.output()
    assert "Traceback" not in process.output()
    drive.ask("heal")
    bookie.start()
    assert len(writer.acknowledged) > 10
    writer.check_all_there()
    assert bookie.stop() == 0
