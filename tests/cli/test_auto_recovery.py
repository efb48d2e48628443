"""Auto-recovery put together: its configuration, its metrics, a process of its own."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from magnetar_cli.auto_recovery import open_auto_recovery, repair_config
from magnetar_cli.bookie import open_bookie_service
from magnetar_ledger.repair.config import RepairConfig
from magnetar_metadata.cluster_metadata import NewCluster, init_cluster
from magnetar_metadata.errors import MetadataError
from magnetar_metadata.metadata_url import open_store
from magnetar_runtime.clock import SystemClock
from magnetar_runtime.settings_bookie import BookieServiceSettings
from magnetar_runtime.settings_repair import RepairSettings


def settings(directory: Path, **more: Any) -> BookieServiceSettings:
    values: dict[str, Any] = {
        "bookie_port": 0,
        "metadata_service_uri": f"sqlite:{directory / 'metadata'}",
        "journal_directories": str(directory / "journal"),
        "ledger_directories": str(directory / "ledgers"),
        "journal_max_mb": 1,
        "disk_full_share": 0.999,
        "disk_warn_share": 0.998,
        "http_server_enabled": True,
        "http_server_port": 0,
        "disk_min_free_bytes": 1,
    }
    return BookieServiceSettings(**{**values, **more})


async def init(directory: Path) -> None:
    url = f"sqlite:{directory / 'metadata'}"
    async with open_store(url, SystemClock(), make_root=True) as store:
        await init_cluster(store, NewCluster(name="test"), "8a3d4a40-0000-4000-8000-000000000001")


async def until_leading(web_address: str) -> str:
    """The metrics, once they say that there is an auditor."""
    async with asyncio.timeout(10):
        while "magnetar_auditor_leading 1" not in (text := await page(web_address, "metrics")):
            await asyncio.sleep(0.05)
        return text


async def page(web_address: str, path: str) -> str:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{web_address}/{path}") as answer,
    ):
        return await answer.text()


def test_defaults_are_the_same_on_both_sides() -> None:
    assert repair_config(RepairSettings()) == RepairConfig()


def test_each_key_has_its_effect() -> None:
    found = repair_config(
        RepairSettings(
            lost_bookie_recovery_delay_s=1,
            bookie_check_interval_s=2,
            ledger_check_interval_s=3,
            ledger_verification_percent=4,
            check_rate_entries_per_s=5,
            open_ledger_grace_ms=6,
            failed_ledger_pause_ms=7,
            repair_pause_ms=8,
            replication_rate_bytes_per_s=9,
            replication_batch_entries=10,
        )
    )
    assert found == RepairConfig(
        lost_bookie_recovery_delay_s=1,
        bookie_check_interval_s=2,
        ledger_check_interval_s=3,
        verification_percent=4,
        check_rate_entries_per_s=5,
        open_ledger_grace_ms=6,
        max_retry_pause_ms=7,
        retry_pause_ms=8,
        copy_rate_bytes_per_s=9,
        copy_batch_entries=10,
    )


async def test_a_process_of_its_own_leads_and_counts(tmp_path: Path) -> None:
    await init(tmp_path)
    async with open_auto_recovery(settings(tmp_path, bookie_id="me"), pytest.fail) as service:
        assert service.bookie_id == "me"
        text = await until_leading(service.web_addresses[0])
        assert "replication_worker_NUM_FULL_OR_PARTIAL_LEDGERS_REPLICATED 0" in text
        assert await page(service.web_addresses[0], "heartbeat") == "OK\n"


async def test_it_has_a_name_without_an_id_and_no_port_unless_asked(tmp_path: Path) -> None:
    await init(tmp_path)
    quiet = settings(tmp_path, bookie_port=3181, http_server_enabled=False)
    async with open_auto_recovery(quiet, pytest.fail) as service:
        assert service.bookie_id == "127.0.0.1:3181"
        assert service.web_addresses == []


async def test_without_a_cluster_it_does_not_begin(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path / 'metadata'}"
    async with open_store(url, SystemClock(), make_root=True):
        pass
    with pytest.raises(MetadataError, match="cluster init"):
        async with open_auto_recovery(settings(tmp_path), pytest.fail):
            pass


@pytest.mark.parametrize("on", [True, False])
async def test_a_bookie_runs_it_if_it_is_told_to(tmp_path: Path, on: bool) -> None:
    await init(tmp_path)
    asked = settings(tmp_path, auto_recovery_daemon_enabled=on)
    async with open_bookie_service(asked, pytest.fail) as service:
        if on:
            await until_leading(service.web_addresses[0])
        else:
            text = await page(service.web_addresses[0], "metrics")
            assert "magnetar_auditor_leading" not in text
