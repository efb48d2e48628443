"""All parts put together on one loop: a client's handshake, HTTP, and what a restart finds."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
from magnetar_cli.standalone import open_standalone
from magnetar_metadata.errors import MetadataError, StoreFileError
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.frames import FrameSplitter, encode_command
from magnetar_runtime.errors import DirectoryLockedError
from magnetar_runtime.settings import StandaloneSettings

SETTINGS = StandaloneSettings(
    broker_service_port=0, web_service_port=0, journal_max_mb=1, write_cache_mb=1
)


def never(error: BaseException) -> None:
    raise AssertionError(error)


async def shake_hands(address: str) -> int:
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    command = api.BaseCommand(type=api.BaseCommand.CONNECT)
    command.connect.client_version = "test"
    command.connect.protocol_version = 21
    writer.write(encode_command(command))
    ((kind, message, _),) = FrameSplitter(1 << 20).feed(await reader.read(1000))
    writer.close()
    await writer.wait_closed()
    assert message.protocol_version == 21
    return kind


async def test_clients_shake_hands_on_every_address(tmp_path: Path) -> None:
    async with open_standalone(SETTINGS, tmp_path / "data", never) as standalone:
        assert standalone.broker_addresses
        for address in standalone.broker_addresses:
            assert await shake_hands(address) == api.BaseCommand.CONNECTED


async def test_the_bookie_keeps_its_identity(tmp_path: Path) -> None:
    async with open_standalone(SETTINGS, tmp_path / "data", never) as standalone:
        first = standalone.bookie.bookie_id
    async with open_standalone(SETTINGS, tmp_path / "data", never) as standalone:
        assert standalone.bookie.bookie_id == first


async def test_a_directory_has_one_owner_and_is_free_again_afterwards(tmp_path: Path) -> None:
    async with open_standalone(SETTINGS, tmp_path / "data", never):
        with pytest.raises(DirectoryLockedError):
            async with open_standalone(SETTINGS, tmp_path / "data", never):
                pass
    async with open_standalone(SETTINGS, tmp_path / "data", never):
        pass


async def test_listeners_can_be_turned_off(tmp_path: Path) -> None:
    settings = StandaloneSettings(
        broker_service_port=0, web_service_port=None, journal_max_mb=1, write_cache_mb=1
    )
    async with open_standalone(settings, tmp_path / "data", never) as standalone:
        assert standalone.web_addresses == []


async def test_a_metadata_store_that_failed_ends_the_standalone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures: list[BaseException] = []
    async with open_standalone(SETTINGS, tmp_path / "data", failures.append) as standalone:

        def full(database: object, rows: object) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        monkeypatch.setattr("magnetar_metadata.sqlite.write_rows", full)
        with pytest.raises(MetadataError):
            await standalone.broker.catalog.registry._store.create("/test", b"")
        await asyncio.sleep(0)
        assert [type(error) for error in failures] == [StoreFileError]
