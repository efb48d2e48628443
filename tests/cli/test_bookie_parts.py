"""The upkeep of a bookie: what fails now is tried again later."""

from pathlib import Path

import pytest
from magnetar_cli.bookie_parts import _check_integrity, collect_garbage
from magnetar_cli.standalone import open_standalone
from magnetar_metadata.errors import SessionExpiredError
from magnetar_metadata.ledger_registry import LedgerRegistry
from magnetar_storage.integrity import IntegrityCheck

from tests.cli.test_standalone import SETTINGS, never


async def test_garbage_that_cannot_be_collected_now_is_collected_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Registry(LedgerRegistry):
        async def list_ids(self) -> list[int]:
            raise SessionExpiredError("/ledgers")

    async with open_standalone(SETTINGS, tmp_path / "data", never) as standalone:
        store = standalone.broker.catalog._registry._store
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
        registry = LedgerRegistry(standalone.broker.catalog._registry._store)
        await _check_integrity(Check(standalone.bookie, registry))
        assert "stay uncertain" in caplog.text
