"""Delayed messages with a kill -9: each in its time, and the index is not made by reading anew.

DELAYED_MESSAGES=1000000 is the full form; the default is a quick look.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from bench.servers import Magnetar
from tests.crash.delayed_loop import DelayedLoop

MESSAGES = int(os.environ.get("DELAYED_MESSAGES", "20000"))
PER_SECOND = 5_000
TICK_MS = 1_000
SLACK_MS = int(os.environ.get("DELAYED_SLACK_MS", "100"))
MEMORY_LIMIT_BYTES = 64 << 20
FULL_COUNT = 1_000_000


@pytest.fixture
def magnetar(tmp_path: Path) -> Iterator[Magnetar]:
    settings = {} if MESSAGES >= FULL_COUNT else {"delayedDeliveryMinIndexCountPerBucket": "4096"}
    server = Magnetar(tmp_path, settings)
    yield server
    server.kill()


async def test_each_comes_in_its_time(
    magnetar: Magnetar, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = await DelayedLoop(magnetar, MESSAGES, PER_SECOND).run()
    with capsys.disabled():
        print("\n" + json.dumps(asdict(summary)))
    assert (summary.missing, summary.twice) == (0, 0)
    assert summary.late_ms_most <= TICK_MS + SLACK_MS
    assert summary.early_ms_most <= TICK_MS + SLACK_MS
    assert summary.index_bytes <= MEMORY_LIMIT_BYTES
    assert summary.entries_read_again < MESSAGES / 2
