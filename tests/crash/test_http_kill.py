"""kill -9 of the broker and of consumers over plain HTTP: no stored message is lost.

HTTP_KILL_MESSAGES=100000 is the full form (`make nightly`), with ten kills of the broker.
"""

import asyncio
import os
import random
from pathlib import Path

import pytest

from bench.servers import Magnetar
from tests.crash.http_kill_loop import HttpKillLoop

MESSAGES = int(os.environ.get("HTTP_KILL_MESSAGES", "4000"))
KILLS = max(2, MESSAGES // 10_000)
SEED = int(os.environ.get("HTTP_KILL_SEED", str(random.randrange(1 << 32))))
CONSUMERS = 3
TIMEOUT_S = 60 + MESSAGES / 200


def test_nothing_is_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server = Magnetar(tmp_path, {"managedLedgerCursorPositionFlushSeconds": "1"})
    server.start()
    try:
        loop = HttpKillLoop(server, random.Random(SEED), MESSAGES, KILLS)
        tally = asyncio.run(loop.run(CONSUMERS, TIMEOUT_S))
    finally:
        server.kill()
    with capsys.disabled():
        print(
            f"\nseed {SEED}: {len(tally.stored)} stored, {tally.received} received, "
            f"{len(tally.acked)} acked, {tally.deaths} deaths, {tally.kills} kills"
        )
    assert not tally.lost
    assert len(tally.stored) == MESSAGES
    assert (tally.kills, tally.deaths > 0) == (KILLS, True)
