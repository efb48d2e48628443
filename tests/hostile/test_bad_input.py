"""Peers that misbehave cost their own connection: nobody else notices, and memory stays bounded.

A healthy producer sends at a fixed rate, first alone and then beside each attack. The figures are
latencies, so this runs by itself (`alone`).
"""

import os
from collections.abc import Iterator
from typing import Final

import pytest

from bench.memory import group_memory_bytes
from bench.servers import Magnetar
from bench.workers import Worker, measure
from tests.hostile.attacks import ATTACKS, Counts
from tests.hostile.measures import healthy_p99_ms, idle_connection_bytes

pytestmark = pytest.mark.alone

RATE: Final = 500
SECONDS: Final = 6.0
BACKLOG_BYTES: Final = 64 << 20
KEEP_ALIVE_S: Final = 2
SLACK_MS: Final = float(os.environ.get("HOSTILE_SLACK_MS", "5"))
"""CI gives more: its machine is shared."""
MAX_BESIDE_REQUESTS_MS: Final = 250.0
MAX_GROWTH_BYTES: Final = 48 << 20
MAX_UNREAD_BYTES: Final = 4 << 20
"""For a reader that never reads: what waits for its socket, and the reads that were under way."""
MAX_IDLE_BYTES: Final = 64 << 10
IDLE_PEERS: Final = 1000


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Magnetar]:
    """A standalone with a short keep-alive, a backlog, and caches that are warm."""
    settings = {"keepAliveIntervalSeconds": str(KEEP_ALIVE_S)}
    server = Magnetar(tmp_path_factory.mktemp("hostile"), settings)
    server.start()
    backlog = BACKLOG_BYTES // 1024
    measure(
        "raw_producer",
        60,
        port=server.port,
        topics=["persistent://public/default/backlog"],
        payload_bytes=1024,
        seconds=60,
        messages=backlog,
    )
    yield server
    server.stop()


@pytest.fixture(scope="module")
def alone_ms(broker: Magnetar) -> float:
    """The p99 of a healthy producer with nobody beside it; the better of two."""
    return min(healthy_p99_ms(broker.port, RATE, SECONDS) for _ in range(2))


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_costs_only_the_attacker(broker: Magnetar, alone_ms: float, name: str) -> None:
    assert broker.process is not None
    log_lines = broker.process.output().count("\n")
    before_bytes = group_memory_bytes(broker.process.pid)
    worker = Worker("tests.hostile.attacks", name=name, port=broker.port, seconds=SECONDS + 2)
    try:
        beside_ms = healthy_p99_ms(broker.port, RATE, SECONDS)
        during_bytes = group_memory_bytes(broker.process.pid)
        counts = worker.result(SECONDS)
    finally:
        worker.kill()
    grown_bytes = during_bytes - before_bytes
    print(f"{name}: p99 {alone_ms:.1f} -> {beside_ms:.1f} ms, {grown_bytes >> 10} KiB, {counts}")
    if name == "requests":
        # Work that is asked for in good form: it may take its share, never seconds at a time.
        assert beside_ms <= MAX_BESIDE_REQUESTS_MS
    else:
        assert beside_ms <= max(2 * alone_ms, alone_ms + SLACK_MS)
    unread = counts["peers"] if name == "never_reads" else 0
    assert grown_bytes <= MAX_GROWTH_BYTES + unread * MAX_UNREAD_BYTES
    _check(name, counts)
    # One line for each connection that was closed, none per message or per byte.
    connections = counts.get("closed", 0) + counts.get("peers", 0) + 20
    assert broker.process.output().count("\n") - log_lines <= connections


def _check(name: str, counts: Counts) -> None:
    """What the broker is documented to do to each of them."""
    if name in ("oversize", "unknown_command", "garbage"):
        assert counts["closed"] == counts["offences"] > 100
        assert counts["slowest_s"] < 1
    elif name == "damaged":
        assert counts["refused"] == counts["offences"] > 100
        assert counts["errors"] == ["ChecksumError"]
    elif name == "unfinished":
        assert counts["closed"] == 200
        assert counts["longest_s"] <= 1.1 * KEEP_ALIVE_S + 1
        assert counts["shortest_s"] >= 0.9 * KEEP_ALIVE_S - 1
    elif name == "half_open":
        assert counts["closed"] == 50
        assert counts["longest_s"] <= 2 * KEEP_ALIVE_S + 1
    elif name == "idle":
        assert (counts["peers"], counts["closed"]) == (IDLE_PEERS, 0)


def test_an_idle_connection_takes_little_memory(broker: Magnetar) -> None:
    assert broker.process is not None
    each_bytes = idle_connection_bytes(
        broker.process.pid, broker.port, "tests.hostile.attacks", IDLE_PEERS
    )
    assert each_bytes <= MAX_IDLE_BYTES
