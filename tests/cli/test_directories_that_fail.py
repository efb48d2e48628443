"""A directory fails, is full or was damaged: what producers and consumers notice of it."""

import asyncio
import errno
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pulsar
import pytest
from magnetar_cli.standalone import Standalone, open_standalone
from magnetar_runtime.disk import DiskError
from magnetar_runtime.settings import StandaloneSettings
from magnetar_runtime.system_disk import SystemFile
from magnetar_storage.disk_watch import Room
from magnetar_storage.errors import OutOfUseError

pytestmark = pytest.mark.official

TOPICS = [f"persistent://public/default/topic-{number}" for number in range(4)]
ROUND = 20


class Client:
    """The official client, on a thread of its own."""

    def __init__(self, address: str) -> None:
        logger = pulsar.FileLogger(pulsar.LoggerLevel.Error, os.devnull)
        self.client = pulsar.Client(f"pulsar://{address}", logger=logger)
        for topic in TOPICS:  # without a subscription nothing would be kept
            self.client.subscribe(topic, "keeper").close()
        self.producers = [self.client.create_producer(topic) for topic in TOPICS]

    def send_round(self, number: int) -> None:
        for producer in self.producers:
            for index in range(number * ROUND, (number + 1) * ROUND):
                producer.send(b"%d" % index)

    def read_all(self, count: int) -> None:
        for topic in TOPICS:
            reader = self.client.create_reader(topic, pulsar.MessageId.earliest)
            found = [int(reader.read_next(20_000).data()) for _ in range(count)]
            assert sorted(set(found)) == list(range(count))


def settings_of(directory: Path) -> StandaloneSettings:
    return StandaloneSettings(
        broker_service_port=0,
        web_service_port=None,
        journal_max_mb=1,
        write_cache_mb=1,
        ledger_directories=f"{directory}/one,{directory}/two",
    )


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Syncs of files with one of these in their path fail."""
    parts: list[str] = []
    sync = SystemFile.sync

    def failing_sync(file: SystemFile) -> None:
        if any(part in file.path for part in parts):
            raise DiskError(errno.EIO, "planned", file.path)
        sync(file)

    monkeypatch.setattr(SystemFile, "sync", failing_sync)
    yield parts
    parts.clear()


def homes(standalone: Standalone) -> list[int]:
    return [len(engine.records) for engine in standalone.bookie.engines]


async def test_topics_go_on_in_the_other_directory(tmp_path: Path, failing: list[str]) -> None:
    failures: list[BaseException] = []
    settings = settings_of(tmp_path)
    async with open_standalone(settings, tmp_path / "data", failures.append) as standalone:
        client = await asyncio.to_thread(Client, standalone.broker_addresses[0])
        await asyncio.to_thread(client.send_round, 0)
        assert all(homes(standalone))
        failing.append("/one/entries")
        with pytest.raises(OutOfUseError):
            await standalone.bookie.flush()
        before = homes(standalone)
        await asyncio.to_thread(client.send_round, 1)
        assert homes(standalone)[0] == before[0]
        assert not standalone.bookie.read_only
        await asyncio.to_thread(client.read_all, 2 * ROUND)
        await asyncio.to_thread(client.client.close)
    assert failures == []
    failing.clear()
    async with open_standalone(settings, tmp_path / "data", failures.append) as standalone:
        assert standalone.bookie.uncertain_ledgers() == []
        client = await asyncio.to_thread(Client, standalone.broker_addresses[0])
        await asyncio.to_thread(client.read_all, 2 * ROUND)
        await asyncio.to_thread(client.client.close)
    assert failures == []


async def test_topics_go_on_in_the_other_journal(tmp_path: Path, failing: list[str]) -> None:
    """With the journal that failed still in the settings the next start has everything."""
    failures: list[BaseException] = []
    settings = replace(
        settings_of(tmp_path), journal_directories=f"{tmp_path}/first,{tmp_path}/second"
    )
    async with open_standalone(settings, tmp_path / "data", failures.append) as standalone:
        client = await asyncio.to_thread(Client, standalone.broker_addresses[0])
        await asyncio.to_thread(client.send_round, 0)
        failing.append("/first/")
        await asyncio.to_thread(client.send_round, 1)
        assert [journal.failed for journal in standalone.bookie.journals.all] == [True, False]
        await asyncio.to_thread(client.read_all, 2 * ROUND)
        await asyncio.to_thread(client.client.close)
    failing.clear()
    async with open_standalone(settings, tmp_path / "data", failures.append) as standalone:
        assert not standalone.bookie.damages
        client = await asyncio.to_thread(Client, standalone.broker_addresses[0])
        await asyncio.to_thread(client.send_round, 2)
        await asyncio.to_thread(client.read_all, 3 * ROUND)
        await asyncio.to_thread(client.client.close)
    assert failures == []


async def test_a_full_directory_takes_no_entries_and_its_topics_go_on(tmp_path: Path) -> None:
    failures: list[BaseException] = []
    settings = settings_of(tmp_path)
    async with open_standalone(settings, tmp_path / "data", failures.append) as standalone:
        client = await asyncio.to_thread(Client, standalone.broker_addresses[0])
        await asyncio.to_thread(client.send_round, 0)
        full = homes(standalone)[0]
        assert full
        standalone.bookie.set_rooms({f"{tmp_path}/one": Room.NONE})
        await asyncio.to_thread(client.send_round, 1)
        assert homes(standalone)[0] == full
        await asyncio.to_thread(client.read_all, 2 * ROUND)
        await asyncio.to_thread(client.client.close)
    assert failures == []


async def test_after_damage_whole_ledgers_are_certain_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All is in entry logs, then the journals are gone: which nobody can know but by looking."""
    monkeypatch.setattr("magnetar_cli.bookie_parts._INTEGRITY_INTERVAL_MS", 20)
    failures: list[BaseException] = []
    settings = settings_of(tmp_path)
    async with open_standalone(settings, tmp_path / "data", failures.append) as standalone:
        client = await asyncio.to_thread(Client, standalone.broker_addresses[0])
        await asyncio.to_thread(client.send_round, 0)
        await asyncio.to_thread(client.client.close)
    for path in (tmp_path / "data" / "journal").glob("*.journal"):
        path.unlink()
    async with open_standalone(settings, tmp_path / "data", failures.append) as standalone:
        bookie = standalone.bookie
        assert bookie.damages == 1
        async with asyncio.timeout(20):
            while bookie.uncertain or bookie.uncertain_ledgers():
                await asyncio.sleep(0.02)
        client = await asyncio.to_thread(Client, standalone.broker_addresses[0])
        await asyncio.to_thread(client.send_round, 1)
        await asyncio.to_thread(client.read_all, 2 * ROUND)
        await asyncio.to_thread(client.client.close)
    assert failures == []
