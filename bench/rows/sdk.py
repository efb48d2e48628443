"""(g) The SDK of this project beside the official Python client, on one server, by turns."""

from collections.abc import Callable
from typing import Any, Final

from bench.row import Figure, Measure, Plan, Row
from bench.rows.raw import ROLL_OVER
from bench.runner import OURS
from bench.servers import Magnetar, Server
from bench.workers import measure

CLIENTS: Final = ("sdk", "official")
PAYLOAD_BYTES: Final = 100
LONGEST_S: Final = 600.0
SECTION: Final = "The SDK beside the official Python client, on the same server"


def produce(server: Server, plan: Plan, client: str, mode: str) -> dict[str, Any]:
    """One of both sends for the time of the plan."""
    return measure(
        f"{client}_producer",
        plan.seconds,
        port=server.port,
        topic=plan.topic(f"{client}-beside-{mode}"),
        payload_bytes=PAYLOAD_BYTES,
        seconds=plan.seconds,
        mode=mode,
    )


def consume(server: Server, plan: Plan, client: str) -> dict[str, Any]:
    """One of both receives what the official client has sent in batches."""
    messages = max(1000, plan.backlog_bytes // 5000)
    topic = plan.topic(f"{client}-beside-consume")
    common: dict[str, Any] = {"port": server.port, "topic": topic}
    subscription = {"subscription": "s", "messages": 0}
    measure("official_consumer", LONGEST_S, **common, **subscription)
    load: dict[str, Any] = {"payload_bytes": PAYLOAD_BYTES, "seconds": 0, "mode": "batched"}
    measure("official_producer", LONGEST_S, **common, **load, messages=messages)
    return measure(
        f"{client}_consumer", LONGEST_S, **common, **{**subscription, "messages": messages}
    )


def beside(one: Callable[[Server, Plan, str], dict[str, Any]], key: str) -> Measure:
    """Both clients one after the other; `key` of each."""

    def measure_both(server: Server, plan: Plan) -> dict[str, Any]:
        taken = {client: one(server, plan, client) for client in CLIENTS}
        figures: dict[str, Any] = {}
        for client, values in taken.items():
            figures[f"{client}_{key}"] = values[key]
            figures[f"{client}_memory_mb"] = values["max_memory_mb"]
        return figures

    return measure_both


def _row(name: str, title: str, measured: Measure, key: str, unit: str) -> Row:
    less = key.endswith("_ms")
    return Row(
        name=f"sdk_{name}",
        title=title,
        figures=(
            Figure(f"sdk_{key}", unit, 1.0, less_is_better=less, peer=f"official_{key}"),
            Figure("sdk_memory_mb", "MB at most", less_is_better=True, peer="official_memory_mb"),
        ),
        measure=measured,
        settings=ROLL_OVER,
        systems={OURS: Magnetar},
        section=SECTION,
        columns=("SDK", "official"),
    )


def _producing(mode: str) -> Callable[[Server, Plan, str], dict[str, Any]]:
    return lambda server, plan, client: produce(server, plan, client, mode)


RATE: Final = "messages_per_s"
ROWS: Final = [
    *(
        _row(mode, f"produce, 100 B, {mode}", beside(_producing(mode), RATE), RATE, "messages/s")
        for mode in ("batched", "unbatched")
    ),
    _row("consume", "consume batches, 100 B", beside(consume, RATE), RATE, "messages/s"),
    _row(
        "blocking",
        "one send at a time, 100 B",
        beside(_producing("blocking"), "send_p50_ms"),
        "send_p50_ms",
        "ms, median",
    ),
]
