"""A real broker on a drive that fails: it acknowledges nothing more, ends with 4, loses nothing.

What a failed sync was to bring is lost for good, as on Linux: a second try would succeed and lie.
"""

import errno
import json
import os
import random
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pulsar
import pytest

from bench.servers import get
from tests.crash.load import KEEPER, Load
from tests.crash.powered import MountedDrive, PoweredMagnetar, missing
from tests.interop.official import Session, admin, wait_until

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
TOPIC = "persistent://public/default/full"
SMALL_DRIVE_BYTES = 48 << 20
ACKS_GROUPED_S = 0.5
SEND_INTERVAL_S = 0.001
"""So that the disk fills in seconds, and a look every 20 ms sees it coming."""
LARGE_BYTES = 16 << 10
SENT_MESSAGES = 4000
"""Together more than the small drive, with the journal."""


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


def test_a_full_disk_makes_it_read_only_until_there_is_room(
    drive: MountedDrive, server: PoweredMagnetar
) -> None:
    """Consumers go on, their acknowledgements are kept, and what producers sent comes later."""
    drive.ask("capacity", capacity_bytes=SMALL_DRIVE_BYTES)
    server.settings["diskCheckInterval"] = "200"
    server.start()
    with Session(server, quiet=True) as session:  # one connection for both
        consumer = session.consumer(TOPIC)
        session.consumer(TOPIC, name=KEEPER).close()
        producer = session.producer(TOPIC, batched=False, max_pending_messages=100)
        numbers = range(SENT_MESSAGES)
        acknowledged: set[int] = set()
        sending = threading.Thread(target=send_large, args=(producer, numbers, acknowledged))
        sending.start()
        wait_until(lambda: status_of(server) == 0, END_TIMEOUT_S)
        before = len(acknowledged)
        read = [number_in(consumer) for _ in range(before)]
        assert drive.ask("stats")["used_bytes"] < SMALL_DRIVE_BYTES
        assert len(acknowledged) < SENT_MESSAGES, "the disk was not full"
        time.sleep(ACKS_GROUPED_S)
        # A client whose sends are refused closes its connection, and acks on it may be lost: what
        # counts is what the broker had.
        kept = before - backlog(server)
        assert kept > 0
        assert server.stop() == 0
        server.start()
        drive.ask("capacity", capacity_bytes=4 * SMALL_DRIVE_BYTES)
        wait_until(lambda: status_of(server) == 1, END_TIMEOUT_S)
        sending.join()
        producer.flush()
        wait_until(lambda: len(acknowledged) == SENT_MESSAGES, END_TIMEOUT_S)
        while len(set(read)) < SENT_MESSAGES:
            read.append(number_in(consumer))
    assert list(dict.fromkeys(read)) == list(numbers)
    assert min(read[before:]) >= kept, "an acknowledgement was not kept"
    output = server.log_path.read_text()
    assert "the disk is full" in output
    assert "the bookie is read-only" in output
    server.kill()
    server.start()
    with Session(server, quiet=True) as session:
        assert read_all(session) == list(numbers)
    assert server.stop() == 0


def send_large(producer: pulsar.Producer, numbers: Iterable[int], acknowledged: set[int]) -> None:
    for number in numbers:
        content = b"%d:" % number + bytes(LARGE_BYTES)

        def done(result: pulsar.Result, _: pulsar.MessageId, number: int = number) -> None:
            if result == pulsar.Result.Ok:
                acknowledged.add(number)

        producer.send_async(content, done)
        time.sleep(SEND_INTERVAL_S)


def number_in(consumer: pulsar.Consumer) -> int:
    message = consumer.receive(timeout_millis=int(END_TIMEOUT_S * 1000))
    consumer.acknowledge(message)
    return int(message.data().partition(b":")[0])


def backlog(server: PoweredMagnetar) -> int:
    """What the consumer has not acknowledged, as the broker has it."""
    path = TOPIC.replace("://", "/")
    stats = json.loads(admin(server, "GET", f"/admin/v2/{path}/stats"))
    return int(stats["subscriptions"]["sub"]["msgBacklog"])


def read_all(session: Session) -> list[int]:
    """The numbers on the topic, without repeats."""
    reader = session.reader(TOPIC, pulsar.MessageId.earliest)
    numbers: dict[int, None] = {}
    while reader.has_message_available():
        numbers[int(reader.read_next(10_000).data().partition(b":")[0])] = None
    return list(numbers)


def status_of(server: PoweredMagnetar) -> int:
    """The metric: 1 takes entries, 0 is read-only."""
    _, body = get(server.web_port, "/metrics")
    lines = [line for line in body.decode().splitlines() if line.startswith("bookie_SERVER_STATUS")]
    return int(float(lines[0].split()[-1])) if lines else -1


def test_a_disk_that_fills_between_two_looks_ends_it(
    drive: MountedDrive, server: PoweredMagnetar
) -> None:
    """Then no warning comes in time; it does not start either until there is room."""
    drive.ask("capacity", capacity_bytes=SMALL_DRIVE_BYTES)
    server.settings["diskCheckInterval"] = "3600000"
    server.start()
    with Session(server, quiet=True) as session:
        session.consumer(TOPIC, name=KEEPER).close()
        producer = session.producer(TOPIC, batched=False, max_pending_messages=100)
        numbers = range(SENT_MESSAGES)
        acknowledged: set[int] = set()
        sending = threading.Thread(target=send_large, args=(producer, numbers, acknowledged))
        sending.start()
        ends = [server.end_of_itself(END_TIMEOUT_S)]
        server.cut_power()
        drive.ask("capacity", capacity_bytes=drive.ask("stats")["used_bytes"])
        server.launch()
        ends.append(server.end_of_itself(END_TIMEOUT_S))
        drive.ask("capacity", capacity_bytes=4 * SMALL_DRIVE_BYTES)
        server.start()
        sending.join()
        producer.flush()
        wait_until(lambda: len(acknowledged) == SENT_MESSAGES, END_TIMEOUT_S)
        assert read_all(session) == list(numbers)
    for code, output in ends:
        assert code == DISK_FAILED, output
        assert "Traceback" not in output
    assert server.stop() == 0
