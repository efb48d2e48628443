"""A bookie's scrubber, put together with a client, on two bookies in this process."""

import asyncio
import random
from pathlib import Path

import pytest
from magnetar_cli import scrubbing
from magnetar_cli.scrubbing import families, scrub_config, start_scrubbing
from magnetar_proto.bookie import Status
from magnetar_runtime.clock import SystemClock
from magnetar_runtime.counters import Counters
from magnetar_runtime.scope import TaskScope
from magnetar_runtime.settings_bookie import BookieServiceSettings
from magnetar_storage.errors import OutOfUseError
from magnetar_storage.readable import count_readable

from tests.crash.minority import MinorityCluster

SETTINGS = BookieServiceSettings(scrub_interval_s=0, scrub_bytes_per_s=1 << 40)


def test_settings() -> None:
    config = scrub_config(BookieServiceSettings(scrub_interval_s=7, scrub_bytes_per_s=9))
    assert (config.interval_ms, config.rate_bytes_per_s) == (7_000, 9)


async def test_what_a_read_meets_is_mended_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scrubbing, "_LOOK_INTERVAL_MS", 1)
    cluster = MinorityCluster(tmp_path, random.Random(1))
    await cluster.start()
    await cluster.write()
    box = cluster.boxes[0]
    await cluster.harm(box, ["ledgers/entries/*.log"], 20)
    bookie, scope, counters = box.bookie, TaskScope(), Counters()
    scrubber = start_scrubbing(
        scope, bookie, cluster.registry, cluster.tools, SETTINGS, SystemClock(), counters
    )
    (family,) = families(scrubber)
    assert family.name == "magnetar_bookie_scrub_ledgers_waiting"
    await cluster.read_all()
    async with asyncio.timeout(30):
        while await cluster.bad_copies():
            await asyncio.sleep(0.01)
    assert bookie.counters.scrub_entries_mended > 0
    assert (await count_readable(bookie, 0, 0))[0] is Status.OK
    await scope.close()
    await cluster.stop()


async def test_a_failed_disk_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cluster = MinorityCluster(tmp_path, random.Random(1))
    await cluster.start()
    scope = TaskScope()
    bookie = cluster.boxes[0].bookie
    scrubber = start_scrubbing(
        scope, bookie, cluster.registry, cluster.tools, SETTINGS, SystemClock(), Counters()
    )

    async def fails() -> None:
        raise OutOfUseError("planned")

    monkeypatch.setattr(scrubber, "run_due", fails)
    await scrubbing._scrub(scrubber)
    assert "planned" in caplog.text
    await scope.close()
    await cluster.stop()
