"""(a) Raw load with pre-encoded frames: 100 B, 4 KB, 64 KB on one and on eight connections."""

from typing import Any, Final

from bench.row import Figure, Measure, Plan, Row
from bench.servers import Server
from bench.workers import measure

ENTRIES_TARGET: Final = 1.5
MB_TARGETS: Final = {4096: 1.3, 65536: 1.0}
SIZE_NAMES: Final = {100: "100 B", 4096: "4 KB", 65536: "64 KB"}
ROLL_OVER: Final = {
    "managedLedgerMinLedgerRolloverTimeMinutes": "0",
    "managedLedgerMaxEntriesPerLedger": "250000",
    "managedLedgerMaxSizePerLedgerMbytes": "1024",
}
"""So that ledgers roll over within a minute on both."""


def load(server: Server, plan: Plan, payload_bytes: int, connections: int) -> dict[str, Any]:
    """Runs the raw loader, each connection with a producer on a topic of its own."""
    return measure(
        "raw_producer",
        plan.seconds,
        port=server.port,
        topics=[plan.topic(f"{payload_bytes}-{index}") for index in range(connections)],
        payload_bytes=payload_bytes,
        seconds=plan.seconds,
        messages=plan.max_bytes // payload_bytes,
    )


def _measure(payload_bytes: int, connections: int) -> Measure:
    return lambda server, plan: load(server, plan, payload_bytes, connections)


def _row(payload_bytes: int, connections: int) -> Row:
    if payload_bytes in MB_TARGETS:
        figure = Figure("mb_per_s", "MB/s", MB_TARGETS[payload_bytes])
    else:
        figure = Figure("entries_per_s", "entries/s", ENTRIES_TARGET)
    where = "one connection" if connections == 1 else f"{connections} connections"
    return Row(
        name=f"raw_{payload_bytes}_{connections}",
        title=f"raw {SIZE_NAMES[payload_bytes]}, {where}",
        figures=(figure, Figure("receipt_p99_ms", "ms, receipt p99", less_is_better=True)),
        measure=_measure(payload_bytes, connections),
        settings=ROLL_OVER,
        null_server=True,
        orientation=payload_bytes == 100 and connections == 1,
    )


ROWS: Final = [_row(size, connections) for connections in (1, 8) for size in SIZE_NAMES]
