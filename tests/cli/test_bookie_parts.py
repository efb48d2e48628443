"""The upkeep of a bookie: what fails now is tried again later."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from magnetar_cli.bookie_parts import _check_integrity, collect_garbage, watch_disks
from magnetar_cli.standalone import open_standalone
from magnetar_metadata.errors import SessionExpiredError
from magnetar_metadata.ledger_registry import LedgerRegistry
from magnetar_storage.disk_watch import DiskLimits, Room
from magnetar_storage.integrity import IntegrityCheck

from tests.cli.test_standalone import SETTINGS, never


async def test_garbage_that_cannot_be_collected_now_is_collected_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Registry(LedgerRegistry):
        async def list_ids(self) -> list[int]:
            raise SessionExpiredError("/ledgers")

    async with open_standalone(SETTINGS, tmp_path / "data", never) as standalone:
        store = standalone.broker.catalog.registry._store
        await collect_garbage(standalone.bookie, Registry(store))
        assert "still take room" in caplog.text
        await collect_garbage(standalone.bookie, LedgerRegistry(store))


async def test_a_check_that_cannot_be_made_now_is_made_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Check(IntegrityCheck):
        async def run(self) -> None:
            raise SessionExpiredError("/ledgers")

    async with open_standalone(SETTINGS, tmp_path / "data", never) as standalone:
        registry = LedgerRegistry(standalone.broker.catalog.registry._store)
        await _check_integrity(Check(standalone.bookie, registry))
        assert "stay uncertain" in caplog.text


class _Watched:
    read_only = False

    def set_rooms(self, rooms: Mapping[str, Room]) -> None:
        """Nothing to do."""

    def directory_failed(self, path: str, error: OSError) -> bool:
        return False


async def test_disks_are_not_looked_at_by_a_thread_that_has_ended(tmp_path: Path) -> None:
    # A bookie on a full disk looks often. It ended with 1 when a look came while it closed.
    failures: list[BaseException] = []
    async with AsyncExitStack() as stack:
        stack.push_async_callback(asyncio.sleep, 0.05)  # others that close after the thread
        limits = DiskLimits(check_interval_ms=1)
        await watch_disks(stack, [str(tmp_path)], limits, _Watched(), failures.append)
        await asyncio.sleep(0.01)
    assert not failures
