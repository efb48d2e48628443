"""(d) Drain of a backlog larger than every cache, after a restart with the file pages dropped."""

from dataclasses import replace
from typing import Any, Final

from bench.errors import MeasurementError
from bench.page_cache import drop_pages
from bench.row import Figure, Plan, Row
from bench.rows.fanout import fan_out
from bench.servers import Server
from bench.workers import Worker, measure

DRAIN_TARGET: Final = 1.5
PAYLOAD_BYTES: Final = 1024
LONGEST_S: Final = 600.0
SUBSCRIPTIONS: Final = ("raw", "official")


def drain(server: Server, plan: Plan) -> dict[str, Any]:
    """Fills two topics, restarts, and reads them: raw, official unbatched, official batched."""
    single, batched = plan.topic("drain-single"), plan.topic("drain-batched")
    messages = plan.backlog_bytes // PAYLOAD_BYTES
    for topic in (single, batched):
        _subscribe(server, topic)
    _fill(server, single, batched, messages)
    figures: dict[str, Any] = {"messages": messages}
    restart_cold(server, plan, "raw")
    raw = measure(
        "raw_consumer",
        LONGEST_S,
        port=server.port,
        topic=single,
        subscriptions=["raw"],
        messages=messages,
        seconds=LONGEST_S,
    )
    if raw["messages"] != messages:
        raise MeasurementError(f"{raw['messages']} came of {messages}")
    figures["raw_per_s"] = raw["messages_per_s"]
    for name, topic in (("official_unbatched_per_s", single), ("official_batched_per_s", batched)):
        restart_cold(server, plan, name)
        figures[name] = _drain_official(server, topic, messages)
    return figures


def restart_cold(server: Server, plan: Plan, phase: str) -> None:
    """A clean restart with nothing of the data in the page cache, then a little other traffic.

    The traffic warms the code of the server (a JVM compiles it), not its caches.
    """
    server.stop()
    drop_pages(server.data_directory)
    server.start()
    if plan.warm_seconds > 0:
        fan_out(server, replace(plan, seconds=plan.warm_seconds, phase=phase), subscriptions=1)


def _subscribe(server: Server, topic: str) -> None:
    measure(
        "raw_consumer",
        LONGEST_S,
        port=server.port,
        topic=topic,
        subscriptions=list(SUBSCRIPTIONS),
        messages=0,
        seconds=0,
    )


def _fill(server: Server, single: str, batched: str, messages: int) -> None:
    measure(
        "raw_producer",
        LONGEST_S,
        port=server.port,
        topics=[single],
        payload_bytes=PAYLOAD_BYTES,
        seconds=LONGEST_S,
        messages=messages,
    )
    measure(
        "official_producer",
        LONGEST_S,
        port=server.port,
        topic=batched,
        payload_bytes=PAYLOAD_BYTES,
        seconds=LONGEST_S,
        mode="batched",
        messages=messages,
    )


def _drain_official(server: Server, topic: str, messages: int) -> float:
    worker = Worker(
        "official_consumer",
        port=server.port,
        topic=topic,
        subscription="official",
        messages=messages,
    )
    try:
        worker.wait_ready()
        rate: float = worker.result(LONGEST_S)["messages_per_s"]
    finally:
        worker.kill()
    return rate


ROWS: Final = [
    Row(
        name="drain",
        title="drain of a cold backlog, 1 KB",
        figures=(
            Figure("raw_per_s", "messages/s, raw consumer", DRAIN_TARGET),
            Figure("official_unbatched_per_s", "messages/s, official client, unbatched"),
            Figure("official_batched_per_s", "messages/s, official client, batched"),
        ),
        measure=drain,
        warmed=False,  # it warms after each of its restarts
    )
]
