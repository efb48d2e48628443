"""Three bookies, E3 Qw3 Qa2: one Java program on ours and on Apache's, our client on both, and
whole clusters under the raw loader."""

from typing import Any, Final

from bench import java_load
from bench.bookies import (
    QUORUMS,
    ApacheCluster,
    Cluster,
    MagnetarCluster,
    apache_bookies,
    magnetar_bookies,
)
from bench.row import Figure, MakeServer, Measure, Plan, Row
from bench.rows.raw import ROLL_OVER, load
from bench.runner import OURS, THEIRS
from bench.servers import Server
from bench.workers import measure

SECTION: Final = "Bookies against Apache BookKeeper's"
THROUGHPUT_TARGET: Final = 1.0
P99_TARGET: Final = 1.0
SIZE_NAMES: Final = {100: "100 B", 4096: "4 KB"}
WINDOW_ENTRIES: Final = 5000
WINDOW_BYTES: Final = 8 << 20
CONNECTIONS: Final = 4

BOOKIES: Final[dict[str, MakeServer]] = {OURS: magnetar_bookies, THEIRS: apache_bookies}
CLUSTERS: Final[dict[str, MakeServer]] = {OURS: MagnetarCluster, THEIRS: ApacheCluster}


def _load_of(plan: Plan, payload_bytes: int) -> dict[str, Any]:
    return {
        "quorums": QUORUMS,
        "payload_bytes": payload_bytes,
        "window": min(WINDOW_ENTRIES, WINDOW_BYTES // payload_bytes),
        "rate": plan.rate_per_s,
        "seconds": plan.seconds,
        "warm_seconds": plan.warm_seconds,
        "most": plan.max_bytes // payload_bytes,
    }


def _java(payload_bytes: int) -> Measure:
    def run(server: Server, plan: Plan) -> dict[str, Any]:
        assert isinstance(server, Cluster)
        how = _load_of(plan, payload_bytes)
        return java_load.run(server.directory / "java", server.uri, **how)

    return run


def _python(payload_bytes: int) -> Measure:
    def run(server: Server, plan: Plan) -> dict[str, Any]:
        assert isinstance(server, Cluster)
        how = _load_of(plan, payload_bytes)
        longest_s = plan.seconds + plan.warm_seconds
        return measure("ledger_load", longest_s, url=server.metadata_url, **how)

    return run


def _cluster(payload_bytes: int) -> Measure:
    return lambda server, plan: load(server, plan, payload_bytes, CONNECTIONS)


def _throughput(payload_bytes: int) -> Figure:
    if payload_bytes < 1000:
        return Figure("entries_per_s", "entries/s", THROUGHPUT_TARGET)
    return Figure("mb_per_s", "MB/s", THROUGHPUT_TARGET)


def _rows(payload_bytes: int) -> list[Row]:
    size, throughput = SIZE_NAMES[payload_bytes], _throughput(payload_bytes)
    p50 = Figure("add_p50_ms", "ms, add p50", less_is_better=True)
    p99 = Figure("add_p99_ms", "ms, add p99", less_is_better=True)
    return [
        Row(
            name=f"bookies_java_{payload_bytes}",
            title=f"Java client on three bookies, {size}",
            figures=(throughput, p99),
            measure=_java(payload_bytes),
            systems=BOOKIES,
            warmed=False,  # in the loader: its JVM warms too
            section=SECTION,
        ),
        Row(
            name=f"bookies_java_{payload_bytes}_half",
            title=f"the same at half of the slower one's rate, {size}",
            figures=(Figure("add_p99_ms", "ms, add p99", P99_TARGET, less_is_better=True), p50),
            measure=_java(payload_bytes),
            systems=BOOKIES,
            warmed=False,
            paced_by=f"bookies_java_{payload_bytes}",
            section=SECTION,
        ),
        Row(
            name=f"bookies_python_{payload_bytes}",
            title=f"our ledger client on three bookies, {size}",
            figures=(throughput, p99),
            measure=_python(payload_bytes),
            systems=BOOKIES,
            warmed=False,
            section=SECTION,
        ),
        Row(
            name=f"cluster_{payload_bytes}",
            title=f"broker and three bookies, raw, {CONNECTIONS} connections, {size}",
            figures=(throughput, Figure("receipt_p99_ms", "ms, receipt p99", less_is_better=True)),
            measure=_cluster(payload_bytes),
            systems=CLUSTERS,
            settings=ROLL_OVER,
            section=SECTION,
        ),
    ]


ROWS: Final = [row for payload_bytes in SIZE_NAMES for row in _rows(payload_bytes)]
