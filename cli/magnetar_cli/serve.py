"""Running a standalone as a process: the loop, signals, the readiness line, the end."""

import asyncio
import gc
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvloop
from magnetar_metadata.store import MetadataError
from magnetar_runtime.clock import SystemClock
from magnetar_runtime.settings import StandaloneSettings
from magnetar_storage.errors import StorageError

from magnetar_cli.exits import CommandFailedError
from magnetar_cli.standalone import Standalone, open_standalone

Ready = Callable[[str, dict[str, Any]], None]

_COLLECTOR_THRESHOLDS = (50_000, 20, 50)
"""Few objects of the hot path are tracked by the collector, so it need not look often."""


def run_standalone(
    settings: StandaloneSettings, data_dir: Path, began_ns: int, ready: Ready
) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        began_ns: when the process began, on the monotonic clock.
        ready: told once, when clients can connect: a line for people, and the same as facts.

    Raises:
        CommandFailedError: it cannot start, or the disk failed.
        DirectoryLockedError: another process uses the directory.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            failure = runner.run(_serve(settings, data_dir, began_ns, ready))
        except (StorageError, MetadataError, OSError) as error:
            raise CommandFailedError(f"cannot start: {error}") from error
    if failure is not None:
        raise CommandFailedError(f"stopped, because the disk failed: {failure}")


async def _serve(
    settings: StandaloneSettings, data_dir: Path, began_ns: int, ready: Ready
) -> BaseException | None:
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[BaseException | None] = loop.create_future()

    def end(failure: BaseException | None) -> None:
        if not ended.done():
            ended.set_result(failure)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end, None)
    async with open_standalone(settings, data_dir, end) as standalone:
        _calm_collector()
        took_s = (SystemClock().monotonic_ns() - began_ns) / 1e9
        ready(*_readiness(standalone, settings, data_dir, took_s))
        return await ended


def _calm_collector() -> None:
    """What a start leaves behind stays for good: the collector need not walk it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECTOR_THRESHOLDS)


def _readiness(
    standalone: Standalone, settings: StandaloneSettings, data_dir: Path, took_s: float
) -> tuple[str, dict[str, Any]]:
    urls = [
        f"{scheme}://{settings.advertised_address}:{addresses[0].rpartition(':')[2]}"
        for scheme, addresses in (
            ("pulsar", standalone.broker_addresses),
            ("http", standalone.web_addresses),
        )
        if addresses
    ]
    listening = sorted({*standalone.broker_addresses, *standalone.web_addresses})
    facts = {
        "ready": True,
        "seconds": round(took_s, 3),
        "urls": urls,
        "listening": listening,
        "data": os.fspath(data_dir),
        "pid": os.getpid(),
    }
    line = (
        f"magnetar standalone ready in {took_s:.2f} s: {' '.join(urls)} "
        f"(listening on {', '.join(listening)}; data in {data_dir})"
    )
    return line, facts
