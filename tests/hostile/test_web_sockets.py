"""WebSockets that never read cost others nothing, and the broker bounded memory.

WEB_SOCKETS=1000 is the full form (`make nightly`).
"""

import os
from pathlib import Path
from statistics import median
from typing import Any, Final

import pytest

from bench.memory import group_memory_bytes
from bench.servers import Magnetar
from bench.workers import Worker
from tests.hostile.measures import healthy_p99_ms

pytestmark = pytest.mark.alone

SOCKETS: Final = int(os.environ.get("WEB_SOCKETS", "200"))
SECONDS: Final = 6.0
ROUNDS: Final = 3
RATE: Final = 200
FANOUT_RATE: Final = 50.0
"""Of messages for ten sockets each."""
SLACK_MS: Final = float(os.environ.get("HOSTILE_SLACK_MS", "5"))
MAX_UNREAD_BYTES: Final = 3 << 19
"""For a socket that never reads while 4 MiB wait for it: opened, encoded, in two buffers, and
what its dispatcher read ahead."""
MAX_OTHER_BYTES: Final = 96 << 20
"""Caches of what was published."""


def _sockets(broker: Magnetar, number: int, *, mute: bool) -> Worker:
    worker = Worker(
        "tests.hostile.web_sockets",
        port=broker.web_port,
        sockets=SOCKETS // 2,
        mute=mute,
        rate=FANOUT_RATE,
        seconds=2 * SECONDS,
        name=f"round-{number}",
    )
    try:
        worker.wait_ready()
    except BaseException:
        worker.kill()
        raise
    return worker


def _beside(broker: Magnetar, number: int) -> tuple[float, dict[str, int]]:
    """The latency of others beside sockets that read, and what these have seen."""
    reading = _sockets(broker, number, mute=False)
    try:
        p99_ms = healthy_p99_ms(broker.port, RATE, SECONDS)
        return p99_ms, reading.result(2 * SECONDS)
    finally:
        reading.kill()


def _round(broker: Magnetar, number: int) -> dict[str, Any]:
    """The latency of others: alone, beside sockets that read, that never do, and both."""
    assert broker.process is not None
    alone_ms = healthy_p99_ms(broker.port, RATE, SECONDS)
    reading_ms, _ = _beside(broker, number)
    before_bytes = group_memory_bytes(broker.process.pid)
    mute = _sockets(broker, number, mute=True)
    try:
        grown_bytes = group_memory_bytes(broker.process.pid) - before_bytes
        mute_ms = healthy_p99_ms(broker.port, RATE, SECONDS)
        all_ms, counts = _beside(broker, number)
    finally:
        mute.kill()
    return {
        "alone_ms": alone_ms,
        "reading_ms": reading_ms,
        "mute_ms": mute_ms,
        "all_ms": all_ms,
        "grown_bytes": grown_bytes,
        **counts,
    }


def test_sockets_that_never_read_hold_up_nobody(tmp_path: Path) -> None:
    """In alternation, since what else the machine does comes and goes."""
    broker = Magnetar(tmp_path)
    broker.start()
    try:
        healthy_p99_ms(broker.port, RATE, SECONDS)  # the first seconds of a process are others
        rounds = [_round(broker, number) for number in range(ROUNDS)]
    finally:
        broker.stop()
    for each in rounds:
        kib = each["grown_bytes"] / (SOCKETS // 2) / 1024
        print(f"{each}, {kib:.0f} KiB per mute socket")
        assert each["read"] >= each["published"] * 10 * 0.8
    # Later rounds get memory that the first one gave back.
    assert rounds[0]["grown_bytes"] <= MAX_OTHER_BYTES + SOCKETS // 2 * MAX_UNREAD_BYTES
    for alone, beside in (("alone_ms", "mute_ms"), ("reading_ms", "all_ms")):
        # The least: what is left of the sockets of one round costs the beginning of the next.
        alone_ms = min(each[alone] for each in rounds)
        beside_ms = median(each[beside] for each in rounds)
        assert beside_ms <= max(2 * alone_ms, alone_ms + SLACK_MS), (alone_ms, beside_ms)
