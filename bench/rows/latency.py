"""(c) One blocking send at a time, and 5,000 messages a second from send to consumer."""

import tempfile
from array import array
from pathlib import Path
from typing import Any, Final

from bench.errors import MeasurementError
from bench.latency import LatencyHistogram
from bench.row import Figure, Plan, Row
from bench.rows.official import produce
from bench.servers import Server
from bench.workers import Worker, measure

BLOCKING_TARGET: Final = 1 / 3
P99_TARGET: Final = 1 / 2
RATE: Final = 5000
PACED_BYTES: Final = 1024
BLOCKING_BYTES: Final = 100
ROLL_OVER: Final = {
    "managedLedgerMinLedgerRolloverTimeMinutes": "0",
    "managedLedgerMaxEntriesPerLedger": "100000",
}


def blocking_raw(server: Server, plan: Plan) -> dict[str, Any]:
    """Raw frames, the next one after the receipt."""
    return measure(
        "raw_blocking",
        plan.seconds,
        port=server.port,
        topic=plan.topic("blocking-raw"),
        payload_bytes=BLOCKING_BYTES,
        seconds=plan.seconds,
    )


def blocking_official(server: Server, plan: Plan) -> dict[str, Any]:
    """`producer.send` of the official client."""
    return produce(server, plan, "blocking", BLOCKING_BYTES)


def paced(server: Server, plan: Plan) -> dict[str, Any]:
    """5,000 messages a second; a raw consumer notes when each arrives."""
    topic, messages = plan.topic("paced"), int(RATE * plan.seconds)
    with tempfile.TemporaryDirectory() as directory:
        arrivals_path = Path(directory) / "arrivals"
        consumer = Worker(
            "raw_consumer",
            port=server.port,
            topic=topic,
            subscriptions=["paced"],
            messages=messages,
            seconds=plan.seconds + 60,
            arrivals_path=str(arrivals_path),
        )
        try:
            consumer.wait_ready()
            figures = measure(
                "raw_paced",
                plan.seconds,
                port=server.port,
                topic=topic,
                payload_bytes=PACED_BYTES,
                rate=RATE,
                messages=messages,
            )
            received = consumer.result(60)
        finally:
            consumer.kill()
        if received["messages"] != messages:
            raise MeasurementError(f"{received['messages']} came of {messages}")
        arrivals_s = array("d", arrivals_path.read_bytes())
    return figures | end_to_end(arrivals_s, figures["began_s"], RATE)


def end_to_end(arrivals_s: "array[float]", began_s: float, rate: float) -> dict[str, float]:
    """Latencies from the intended send to the arrival (same clock on one machine)."""
    latencies = LatencyHistogram()
    latencies.add_all(
        arrival_s - (began_s + index / rate) for index, arrival_s in enumerate(arrivals_s)
    )
    return latencies.figures("end_to_end")


def _times(keys: dict[str, float | None]) -> tuple[Figure, ...]:
    return tuple(
        Figure(key, "ms, " + key.removesuffix("_ms").replace("_", " "), target, less_is_better=True)
        for key, target in keys.items()
    )


ROWS: Final = [
    Row(
        name="blocking_raw",
        title="one blocking send at a time, raw, 100 B",
        figures=_times({"mean_ms": BLOCKING_TARGET, "send_p50_ms": None, "send_p99_ms": None}),
        measure=blocking_raw,
        settings=ROLL_OVER,
    ),
    Row(
        name="blocking_official",
        title="one blocking send at a time, official client, 100 B",
        figures=_times({"mean_ms": BLOCKING_TARGET, "send_p50_ms": None, "send_p99_ms": None}),
        measure=blocking_official,
        settings=ROLL_OVER,
    ),
    Row(
        name="paced_5000",
        title="5,000 messages/s of 1 KB, raw, unbatched",
        figures=_times(
            {
                "receipt_p50_ms": None,
                "receipt_p99_ms": P99_TARGET,
                "receipt_p999_ms": None,
                "end_to_end_p50_ms": None,
                "end_to_end_p99_ms": P99_TARGET,
                "end_to_end_p999_ms": None,
            }
        ),
        measure=paced,
        settings=ROLL_OVER,
        orientation=True,
    ),
]
